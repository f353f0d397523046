"""Text -> tokens, lazily and in linear time.

A token is the tuple (kind, value, start, end, origin). The kinds:

- `name`, `num` (int), `str` (decoded text), `emb` (C between `%{` and `%}`), `target` (`$x`), `eof`;
- a keyword, an operator or an operator with `@` (`probe`, `<<<`, `@count`) is its own kind;
- for the preprocessor: `$arg` `@arg` (int), `$#` `@#`, `macro` (name), `@define`, `%(` `%?` `%:` `%)`;
- `error`: the value is a `Problem`, which also says with what the parser goes on. Errors are tokens, because
  those in a branch that the preprocessor drops are none.

Places are offsets in the source of the token's origin.
"""

from __future__ import annotations

from ...node import Node
from ...source import Source, Span
from .text import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from typing import Any, TypeAlias


class Origin:
    """Where tokens come from: a source, and the place of the macro or argument that brought them."""

    __slots__ = ("source", "via")

    def __init__(self, source: Source, via: Span | None = None) -> None:
        self.source = source
        self.via = via


if TYPE_CHECKING:
    Token: TypeAlias = tuple[str, Any, int, int, Origin]


class Problem(Node):
    """The value of an `error` token. The parser goes on with (kind, value), or with the next token."""

    code: str
    message: str
    hint: str = ""
    kind: str = ""
    value: object = None


_KEYWORDS = """probe global private function if else for foreach in limit return delete while break continue
    next string long try catch"""
_OPERATORS = """@cast @defined @probewrite @entry @perf @var @avg @count @sum @min @max @hist_linear @hist_log
    @const @variance @kregister @uregister @kderef @uderef @enum @enumname"""
KEYWORDS = frozenset(_KEYWORDS.split())
AT_OPERATORS = frozenset(_OPERATORS.split())
_WORDS = {w: w for w in KEYWORDS}
_AT_WORDS = {w: w for w in AT_OPERATORS} | {"@define": "@define"}

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
_START = frozenset(_LETTERS)
_DIGITS = frozenset("0123456789")
_PART = frozenset(_LETTERS + "0123456789")
_IDENT = frozenset(_LETTERS + "0123456789$")
_SPACE = frozenset(" \t\r\n\f\v")

_LONG_OPERATORS = (
    "<<= <<< >>= >>> == =~ ++ += -- -= -> *= /= %= %( %) %? %: && &= || |= ^= <= << >= >> != !~ .="
)
_LONG: dict[str, tuple[str, ...]] = {}
for _op in _LONG_OPERATORS.split():  # the longest first, as they stand above
    _LONG[_op[0]] = (*_LONG.get(_op[0], ()), _op)
_SINGLE = {c: c for c in "=+-*/%&|^<>!.~?:;,(){}[]"}

_MAX = 1 << 64


def number(word: str) -> int | None:
    """Return the signed 64-bit value of a literal as C's strtoull would read it, or None."""
    if word[0] != "0" or word == "0":
        if not word.isdecimal() or len(word) > 20:
            return None
        value = int(word)
    else:
        base = 16 if word[1] in "xX" else 8
        digits = word[2:] if base == 16 else word[1:]
        if "_" in digits or len(digits) > 64:
            return None
        try:
            value = int(digits, base)
        except ValueError:
            return None
    if value >= _MAX:
        return None
    return value - _MAX if value >= _MAX >> 1 else value


def _bad_number(word: str) -> Problem:
    shown = word if len(word) <= 40 else word[:40] + "..."
    digits = word[2:] if word[:2] in ("0x", "0X") else word
    if word.isdecimal() and word[0] == "0":
        hint = "a leading 0 makes a number octal: drop it for a decimal one"
    elif digits.isalnum() and (word.isdecimal() or word[:2] in ("0x", "0X")):
        hint = "numbers end at 18446744073709551615 (64 bits)"
    else:
        hint = "numbers are decimal, octal (017) or hexadecimal (0x1f); names start with a letter"
    return Problem("E103", f"'{shown}' is not a number", hint, "num", 0)


def _string(text: str, start: int, origin: Origin) -> Token:
    """Scan the literal whose quote is text[start] (text ends with NUL)."""
    end = text.find('"', start + 1)
    if end > 0:
        raw = text[start + 1 : end]
        if "\\" not in raw and "\n" not in raw:
            return ("str", raw, start, end + 1, origin)
    i = start + 1
    last = len(text) - 1
    while i < last:
        c = text[i]
        if c == '"':
            return ("str", decode(text[start + 1 : i]), start, i + 1, origin)
        if c == "\n":
            break
        i += 2 if c == "\\" and text[i + 1] != "\n" else 1
    i = min(i, last)
    value = decode(text[start + 1 : i])
    hint = 'close it with " on the same line; write \\n for a line end'
    problem = Problem("E102", "this string is not closed", hint, "str", value)
    return ("error", problem, start, i, origin)


def _sigil(text: str, start: int, origin: Origin) -> Token:
    """Scan what begins with `$` or `@`."""
    c = text[start]
    i = start + 1
    following = text[i]
    if following in _DIGITS:
        while text[i] in _DIGITS:
            i += 1
        return (c + "arg", int(text[start + 1 : i][:9]), start, i, origin)
    if following == "#":
        return (c + "#", c + "#", start, i + 1, origin)
    if c == "$":
        while text[i] in _IDENT:
            i += 1
        return ("target", text[start:i], start, i, origin)
    while text[i] in _IDENT:
        i += 1
    word = text[start:i]
    if word == "@":
        return ("error", Problem("E101", "'@' needs a name behind it"), start, i, origin)
    kind = _AT_WORDS.get(word)
    if kind is not None:
        return (kind, word, start, i, origin)
    return ("macro", word[1:], start, i, origin)


def _odd(text: str, start: int, origin: Origin) -> Token:
    """Return the error for a run of characters that begin no token, or for a text in other quotes."""
    i = start + 1
    last = len(text) - 1
    closing = _QUOTES.get(text[start])
    if closing is not None:
        end = text.find(closing, i, start + _MAX_QUOTED)
        if end > 0 and "\n" not in text[start:end]:
            inside = text[i:end]
            hint = f'write "{inside}"'
            problem = Problem("E101", "strings stand in straight double quotes", hint, "str", inside)
            return ("error", problem, start, end + 1, origin)
    while i < last and i < start + 1000 and text[i] not in _KNOWN:
        i += 1
    odd = text[start : min(i, start + 8)]
    shown = f'"{odd}"' if "'" in odd else f"'{odd}'"  # what can't be printed is shown by the diagnostic
    what = f"the character {shown}" if len(odd) == 1 else f"the text {shown}"
    return ("error", Problem("E101", f"{what} has no meaning here"), start, i, origin)


_QUOTES = {"'": "'", "`": "`", "\u2018": "\u2019", "\u201c": "\u201d", "\u201d": "\u201d", "\u201e": "\u201c"}
_MAX_QUOTED = 200
_KNOWN = _IDENT | _SPACE | frozenset(_SINGLE) | frozenset('"@#')


def lex(source: Source, via: Span | None = None) -> Iterator[Token]:
    """Yield the tokens of a source, the last one being `eof`."""
    origin = Origin(source, via)
    text = source.text + "\0"
    last = len(text) - 1
    space, start_set, ident, words = _SPACE, _START, _IDENT, _WORDS
    single, long_ops = _SINGLE, _LONG
    i = 0
    while True:
        c = text[i]
        if c in space:
            i += 1
            continue
        start = i
        if c in start_set:
            i += 1
            while text[i] in ident:
                i += 1
            word = text[start:i]
            yield (words.get(word, "name"), word, start, i, origin)
        elif c in single:
            candidates = long_ops.get(c)
            if candidates is not None:
                if c == "/" and text[i + 1] in "/*":
                    i = yield from _comment(text, i, origin)
                    continue
                if c == "%" and text[i + 1] == "{":
                    i = yield from _embedded(text, i, origin)
                    continue
                for op in candidates:
                    if text.startswith(op, i):
                        c = op
                        break
            i += len(c)
            yield (c, c, start, i, origin)
        elif c == '"':
            token = _string(text, i, origin)
            i = token[3]
            yield token
        elif c in _DIGITS:
            while text[i] in _PART:
                i += 1
            value = number(text[start:i])
            if value is None:
                yield ("error", _bad_number(text[start:i]), start, i, origin)
            else:
                yield ("num", value, start, i, origin)
        elif c in "$@":
            token = _sigil(text, i, origin)
            i = token[3]
            yield token
        elif c == "#":
            i = text.find("\n", i)
            if i < 0:
                i = last
        elif i >= last:
            yield ("eof", "", last, last, origin)
            return
        else:
            token = _odd(text, i, origin)
            i = token[3]
            yield token


def _comment(text: str, start: int, origin: Origin) -> Generator[Token, None, int]:
    """Skip a comment that begins with `/`; return the place behind it."""
    if text[start + 1] == "/":
        end = text.find("\n", start)
    else:
        end = text.find("*/", start + 2) + 2
        if end < 2:
            problem = Problem("E104", "this comment is not closed", "close it with */")
            yield ("error", problem, start, start + 2, origin)
            end = -1
    return len(text) - 1 if end < 0 else end


def _embedded(text: str, start: int, origin: Origin) -> Generator[Token, None, int]:
    """Yield the C between `%{` and `%}`; return the place behind it."""
    end = text.find("%}", start + 2)
    if end < 0:
        end = len(text) - 1
        problem = Problem(
            "E105", "this C code is not closed", "close it with %}", "emb", text[start + 2 : end]
        )
        yield ("error", problem, start, start + 2, origin)
        return end
    yield ("emb", text[start + 2 : end], start, end + 2, origin)
    return end + 2
