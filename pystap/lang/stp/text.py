"""String literals: escapes to text and back, without loss of bytes.

`decode` and `quote` are inverse: the text is `str`, in which a byte of an escape that is not part of
valid UTF-8 stands as a surrogate (U+DC80 to U+DCFF), so that `.encode("utf-8", "surrogateescape")` is exact.
"""

from __future__ import annotations

_SIMPLE = {"a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r"}
_BACK = {v: "\\" + k for k, v in _SIMPLE.items()} | {'"': '\\"', "\\": "\\\\"}
_OCTAL = frozenset("01234567")
_HEX = frozenset("0123456789abcdefABCDEF")


def byte_text(value: int) -> str:
    """Return the text for one byte that an escape names."""
    value &= 255
    return chr(value) if value < 128 else chr(0xDC00 + value)


def canonical(text: str) -> str:
    """Return the text with bytes of escapes that form valid UTF-8 turned into characters."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def _escape_at(raw: str, at: int) -> tuple[str, int]:
    """Decode the escape whose backslash is raw[at]; return its text and the place behind it."""
    c = raw[at + 1 : at + 2]
    simple = _SIMPLE.get(c)
    if simple is not None:
        return simple, at + 2
    if c in _OCTAL:
        end = at + 2
        while end < at + 4 and raw[end : end + 1] in _OCTAL:
            end += 1
        return byte_text(int(raw[at + 1 : end], 8)), end
    if c == "x" and raw[at + 2 : at + 3] in _HEX:
        end = at + 4 if raw[at + 3 : at + 4] in _HEX else at + 3
        return byte_text(int(raw[at + 2 : end], 16)), end
    return c, at + 2


def decode(raw: str) -> str:
    """Return the text that the inside of a literal means."""
    at = raw.find("\\")
    if at < 0:
        return raw
    out = []
    start = 0
    while at >= 0:
        out.append(raw[start:at])
        text, start = _escape_at(raw, at)
        out.append(text)
        at = raw.find("\\", start)
    out.append(raw[start:])
    return canonical("".join(out))


def offsets(raw: str) -> list[int]:
    """Return where each character of `decode(raw)` stands in raw, and raw's end.

    Bytes of escapes that `decode` joined to one character count one by one.
    """
    out = []
    at = 0
    while at < len(raw):
        if raw[at] == "\\":
            text, end = _escape_at(raw, at)
            out += [at] * len(text)
            at = end
        else:
            out.append(at)
            at += 1
    out.append(len(raw))
    return out


def quote(text: str) -> str:
    """Return the literal, with its quotes, that `decode` turns into this text."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    out = []
    for c in text:
        escape = _BACK.get(c)
        if escape is None:
            code = ord(c)
            if 0xDC80 <= code <= 0xDCFF:
                escape = f"\\{code - 0xDC00:03o}"
            elif code < 32 or code == 127:
                escape = f"\\{code:03o}"
            else:
                escape = c
        out.append(escape)
    return '"' + "".join(out) + '"'
