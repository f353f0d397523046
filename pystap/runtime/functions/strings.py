"""Strings, as bytes in latin-1."""

from __future__ import annotations

from ..errors import ScriptError
from ..formatting import harmless, visible
from ..numbers import SIGN, wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..context import Context

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_SPACE = " \t\n\v\f\r"
_UPPER = {c: c - 32 for c in range(ord("a"), ord("z") + 1)}
_LOWER = {c: c + 32 for c in range(ord("A"), ord("Z") + 1)}


def substr(text: str, start: int, length: int) -> str:
    """Up to `length` bytes from `start`; nothing where there is nothing."""
    return text[start : start + length] if start >= 0 and length > 0 else ""


def stringat(text: str, position: int, place: str) -> int:
    """The byte at a position."""
    if not 0 <= position < len(text):
        raise ScriptError(f"string index {position} out of bounds", place)
    return ord(text[position])


def isinstr(text: str, part: str) -> int:
    """Whether the part occurs in the text."""
    return +(part in text)


def strtol(text: str, base: int) -> int:
    """C's strtol: leading blanks, a sign, as many digits as there are; limits instead of overflow."""
    text = text.lstrip(_SPACE)
    sign = -1 if text[:1] == "-" else 1
    digits = text[1:] if text[:1] in ("+", "-") else text
    digits = digits.lower()
    hexadecimal = digits[:2] == "0x" and digits[2:3] in _DIGITS[:16] and digits[2:3] != ""
    if base in (0, 16) and hexadecimal:
        digits, base = digits[2:], 16
    elif base == 0:
        base = 8 if digits[:1] == "0" else 10
    if not 2 <= base <= 36:
        return 0
    known = _DIGITS[:base]
    end = 0
    while end < len(digits) and digits[end] in known:
        end += 1
    value = sign * int(digits[:end], base) if end else 0
    return max(-SIGN, min(SIGN - 1, value))


def address_of(text: str) -> int:
    """An address in hexadecimal digits; the upper half of the space is negative. 0 for what is none."""
    try:
        return wrap(int(text, 16))
    except ValueError:
        return 0


def strncmp(one: str, two: str, count: int) -> int:
    """0 when the first bytes are equal, else the difference's sign."""
    a, b = one[: max(0, count)], two[: max(0, count)]
    return (a > b) - (a < b)


def struct_text(data: bytes, form: str, terminal: bool = False) -> str:
    """Memory as text: words and values by turns, \\1 between; a value is "offset:size:conversion[:shift:bits]"."""
    out = form.split("\1")
    for at in range(1, len(out), 2):
        offset, size, conv, *bits = out[at].split(":")
        part = data[int(offset) : int(offset) + int(size)]
        if conv == "s":
            out[at] = harmless(buf_str(part)) if terminal else buf_str(part)
            continue
        value = int.from_bytes(part, "little")
        count = 8 * len(part)
        if bits:
            count = int(bits[1])
            value = value >> int(bits[0]) & ((1 << count) - 1)
        if conv == "d" and count and value >> (count - 1):
            value -= 1 << count
        out[at] = f"{value:#x}" if conv == "x" else str(value)
    return "".join(out)


def buf_str(data: bytes) -> str:
    """Bytes up to the first NUL."""
    return data.split(b"\0", 1)[0].decode("latin-1")


def json_text(text: str) -> str:
    """A JSON string of the Unicode that the bytes are."""
    from json.encoder import encode_basestring

    unicode = text.encode("latin-1", "replace").decode("utf-8", "replace")
    return encode_basestring(unicode).encode().decode("latin-1")


def word_at(text: str, number: int) -> str:
    """A word among those between blanks."""
    words = text.split()
    return words[number] if 0 <= number < len(words) else ""


def wide_text(first: bytes, count: int, more: bytes, rest: int, width: int, place: str) -> str:
    """Text of characters of 2 or 4 bytes, up to a 0, as UTF-8; a fault where it ends without one, before its room does."""
    data = first[:count] + more[: max(rest, 0)]
    data = data[: len(data) // width * width]
    end = next((i for i in range(0, len(data), width) if not any(data[i : i + width])), -1)
    if end < 0 and rest <= 0:
        raise ScriptError("wide string copy fault", place)
    text = data[: len(data) if end < 0 else end].decode("utf-16-le" if width == 2 else "utf-32-le", "replace")
    return text.encode().decode("latin-1")


def str_trailer(text: str, room: int, trailer: str) -> str:
    """The text; with a trailer where it fills its room, as one does that was cut."""
    return text + trailer if len(text) >= room - 1 else text


PURE: dict[str, Callable[..., Any]] = {
    "str_trailer": str_trailer,
    "text_bytes": lambda text: text.encode("latin-1"),
    "text_room": lambda text, size: text.encode("latin-1")[: max(size, 0)].ljust(max(size, 0), b"\0"),
    "buf_part": lambda data, start, size: data[start : start + size],
    "buf_word": lambda data, start, size: wrap(
        int.from_bytes(data[max(start, 0) : max(start + size, 0)], "little")
    ),
    "word_bytes": lambda value, size: (value & (1 << 8 * size) - 1).to_bytes(size, "little"),
    "buf_cut": lambda data, count: data[:count] if count >= 0 else data,
    "json_text": json_text,
    "strlen": len,
    "substr": substr,
    "stringat": stringat,
    "isinstr": isinstr,
    "str_find": str.find,
    "strtol": strtol,
    "toupper": lambda text: text.translate(_UPPER),
    "tolower": lambda text: text.translate(_LOWER),
    "buf_str": buf_str,
    "strncmp": strncmp,
    "word_at": word_at,
    "wide_text": wide_text,
    "address_of": address_of,
    "text_of_int": str,
}


def bind(context: Context) -> dict[str, Callable[..., Any]]:
    """Those whose results are cut to the length of a string, or depend on where they are shown."""
    cut = Cut(context.maxstring - 1)
    terminal = context.sink.terminal
    return {
        "struct_text": lambda data, form: struct_text(data, form, terminal),
        "str_replace": cut.str_replace,
        "text_str": cut.text_str,
        "text_strn": cut.text_strn,
        "args_text": cut.args_text,
        "buf_quoted": cut.buf_quoted,
        "env_text": cut.env_text,
    }


class Cut:
    """Texts of a string's length at most."""

    def __init__(self, longest: int) -> None:
        self._longest = longest

    def args_text(self, start: int, end: int, first: int, last: int, between: str, one: str, two: str) -> str:
        """The words of a command line, from the digits of its bytes."""
        # where strings are shorter than the digits, the rest is cut
        digits = one + two if len(one) == 496 else one
        data = bytes.fromhex(digits[: len(digits) & ~1])[start:end]
        words = data.decode("latin-1").removesuffix("\0").split("\0") if data else []
        chosen = words[max(first, 0) : last + 1] if last >= first else words[max(first, 0) :]
        return between.join(chosen)[: self._longest]

    def str_replace(self, text: str, old: str, new: str) -> str:
        """The text with another for each place of one."""
        return text.replace(old, new)[: self._longest] if old else text

    def text_str(self, text: str) -> str:
        """The text with escapes for what can't be seen."""
        return visible(text)[: self._longest]

    def text_strn(self, text: str, length: int, quoted: int) -> str:
        """The same of its first bytes, maybe in quotes."""
        if length < 1 or length > self._longest:
            length = self._longest
        shown = visible(text[:length])
        if quoted:
            shown = f'"{shown}"'
        return (shown + "..." if len(text) > length else shown)[: self._longest]

    def buf_quoted(self, data: bytes, count: int, length: int) -> str:
        """Bytes as a quoted text."""
        return self.text_strn(data[: max(count, 0)].decode("latin-1"), length, 1)

    def env_text(self, data: bytes, size: int, pid: int, name: str) -> str:
        """A variable of a process's environment, "" if it has none."""
        wanted = name.encode("latin-1") + b"="
        if size > len(data) and not any(one.startswith(wanted) for one in data.split(b"\0")[:-1]):
            try:  # a large environment: what is behind the bytes that were captured
                with open(f"/proc/{pid}/environ", "rb") as file:
                    data = file.read()
            except OSError:
                pass
        found = (one for one in data[: max(size, 0)].split(b"\0") if one.startswith(wanted))
        return next(found, wanted)[len(wanted) :].decode("latin-1")[: self._longest]
