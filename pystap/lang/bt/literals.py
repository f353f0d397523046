"""Numbers and strings of bpftrace: text of a literal -> its value.

Pure functions without spans; a mistake comes back as (message, hint), so that the
lexer can report it at the literal's place and go on.
"""

from __future__ import annotations

UNITS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
"""Duration suffixes, in nanoseconds."""

_SUFFIXES = {"u": "u", "l": "l", "ul": "ul", "lu": "ul", "ll": "ll", "ull": "ull", "llu": "ull"}
_MAX = 2**64 - 1
_DECIMAL = frozenset("0123456789")
_HEX = frozenset("0123456789abcdefABCDEF")
_OCTAL = frozenset("01234567")

Number = tuple[int, str, str]
"""(value, suffix, unit), as in `ast.Integer`."""


class BadLiteral(Exception):
    """What is wrong with a literal: `message`, a `hint` or "", and for strings the offset `at`."""

    def __init__(self, message: str, hint: str = "", at: int = 0, length: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.at = at
        self.length = length


def number(word: str) -> Number:
    """Return the value of a number's text: a digit, then letters, digits and underscores."""
    if len(word) > 64:
        raise BadLiteral("number too large", "the largest is 18446744073709551615")
    if word[:2] in ("0x", "0X"):
        return _number(word, 2, _HEX, 16)
    if word[0] == "0" and len(word) > 1 and word[1] in "0123456789_":
        return _number(word, 1, _OCTAL, 8)
    return _number(word, 0, _DECIMAL, 10)


def _number(word: str, start: int, digits: frozenset[str], base: int) -> Number:
    end = start
    size = len(word)
    while end < size and (word[end] in digits or word[end] == "_"):
        end += 1
    run = word[start:end]
    rest = word[end:]
    if not run or run[0] == run[-1] == "_" or run[-1] == "_" or (base != 8 and run[0] == "_"):
        raise BadLiteral(f"malformed number '{word}'", "digits are missing")
    value = int(run.replace("_", ""), base)
    if base == 10 and rest[:1] in ("e", "E"):
        value, rest = _exponent(word, value, rest[1:])
    suffix = _SUFFIXES.get(rest.lower(), "")
    unit = "" if suffix or base != 10 else rest
    if rest and not suffix and unit not in UNITS:
        raise BadLiteral(f"malformed number '{word}'", _hint(word, rest, base))
    if unit:
        value *= UNITS[unit]
    if value > _MAX:
        raise BadLiteral(f"number too large: '{word}'", "the largest is 18446744073709551615")
    return value, suffix, unit


def _exponent(word: str, value: int, rest: str) -> tuple[int, str]:
    end = 0
    while end < len(rest) and rest[end] in _DECIMAL:
        end += 1
    if not end:
        raise BadLiteral(f"malformed number '{word}'", "the exponent needs digits, as in 1e6")
    power = int(rest[:end])
    if power > 19 and value:
        raise BadLiteral(f"number too large: '{word}'", "the largest is 18446744073709551615")
    return (value * 10**power if value else 0), rest[end:]


def _hint(word: str, rest: str, base: int) -> str:
    if base == 8 and rest[0] in "89":
        return "a number that starts with 0 is octal; leave the 0 out"
    if word[:2] in ("0b", "0B"):
        return "there are no binary numbers; write it in hex (0x...)"
    return "suffixes are u, l, ul, ll, ull, and for durations ns, us, ms, s, m, h, d"


_SIMPLE = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "e": "\x1b",
    "\\": "\\",
    '"': '"',
    "'": "'",
    "?": "?",
}


def _byte(value: int) -> str:
    return chr(value) if value < 0x80 else chr(0xDC00 + value)


def unescape(text: str) -> str:
    """Return a string literal's content with its escapes decoded.

    Bytes of 0x80 and above become lone surrogates, as by the `surrogateescape` error handler.
    """
    out: list[str] = []
    at = 0
    while True:
        slash = text.find("\\", at)
        if slash < 0:
            out.append(text[at:])
            return "".join(out)
        out.append(text[at:slash])
        char = text[slash + 1]
        at = slash + 2
        if char in _SIMPLE:
            out.append(_SIMPLE[char])
        elif char in _OCTAL:
            while at < slash + 4 and text[at : at + 1] in _OCTAL:
                at += 1
            value = int(text[slash + 1 : at], 8)
            if value > 0xFF:
                raise BadLiteral("octal escape above \\377", "", slash, at - slash)
            out.append(_byte(value))
        elif char == "x":
            while at < slash + 4 and text[at : at + 1] in _HEX:
                at += 1
            if at == slash + 2:
                raise BadLiteral("\\x needs hexadecimal digits", "as in \\x1b", slash, 2)
            out.append(_byte(int(text[slash + 2 : at], 16)))
        else:
            known = "known are \\n \\t \\r \\a \\b \\f \\v \\e \\\\ \\\" \\' \\? \\0nn \\xnn"
            raise BadLiteral(f"unknown escape '\\{char}'", known, slash, 2)


_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\", '"': '\\"'}


def escape(value: str) -> str:
    """Return the content of a string literal that decodes to `value`."""
    out = []
    for char in value:
        if char in _ESCAPES:
            out.append(_ESCAPES[char])
            continue
        code = ord(char)
        if 0xDC80 <= code <= 0xDCFF:
            out.append(f"\\{code - 0xDC00:03o}")
        elif code < 0x20 or code == 0x7F:
            out.append(f"\\{code:03o}")
        else:
            out.append(char)
    return "".join(out)
