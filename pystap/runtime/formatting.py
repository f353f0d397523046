"""The directives of printf that Python's `%` doesn't give as the languages define them.

Text is latin-1: one character for each byte.
"""

from __future__ import annotations

from .numbers import MASK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

WIDEST = 4096
_ESCAPES = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
_VISIBLE = {c: _ESCAPES.get(c) or (chr(c) if 32 <= c < 127 else f"\\{c:03o}") for c in range(256)}
_CONTROL = {c: f"\\x{c:02x}" for c in (*range(9), *range(11, 32), 127)}


def visible(value: str) -> str:
    """The string with what isn't printable ASCII, quotes and backslashes as C escapes."""
    return value.translate(_VISIBLE)


def visible_char(value: int) -> str:
    """`%#c`: one byte, escaped."""
    return _VISIBLE[value & 255]


def harmless(value: str) -> str:
    """A captured string for a terminal: control characters but tab and newline as escapes."""
    return value if value.isprintable() else value.translate(_CONTROL)


def char(value: int) -> str:
    """`%c`: one byte."""
    return chr(value & 255)


def width(value: int) -> int:
    """A width from an argument, within reason; negative means left-justified."""
    return WIDEST if value > WIDEST else -WIDEST if value < -WIDEST else value


def until_nul(value: str) -> str:
    """A string up to its first NUL."""
    end = value.find("\0")
    return value if end < 0 else value[:end]


def padded(value: str, flags: str, wide: int | None) -> str:
    """The text in its field."""
    if wide is None:
        return value
    wide = width(wide)
    if wide < 0 or "-" in flags:
        return value.ljust(abs(wide))
    return value.rjust(wide)


def directive(
    conv: str,
    flags: str,
    wide: int | None,
    precision: int | None,
    bits: int,
    value: int | str,
    c_zero: bool,
) -> str:
    """One conversion of an integer or a string by C's rules; c_zero: `%#x` of 0 has no prefix."""
    if precision is not None:
        precision = None if precision < 0 else min(precision, WIDEST)
    if conv in "sc":
        text = value if isinstance(value, str) else (chr(value & 255) if conv == "c" else str(value))
        if conv == "s" and precision is not None:
            text = text[:precision]
        return padded(text, flags, wide)
    number = value if isinstance(value, int) else 0
    return _integer(conv, flags, wide, precision, bits, number, c_zero)


def _integer(
    conv: str, flags: str, wide: int | None, precision: int | None, bits: int, value: int, c_zero: bool
) -> str:
    sign = prefix = ""
    if conv == "d":
        sign = "-" if value < 0 else "+" if "+" in flags else " " if " " in flags else ""
        digits = str(abs(value))
    else:
        value &= (1 << bits) - 1
        digits = format(value, {"u": "d", "p": "x"}.get(conv, conv))
        if conv == "p" or ("#" in flags and conv in "xX" and (value or not c_zero)):
            prefix = "0X" if conv == "X" else "0x"
    if precision is not None:
        digits = "" if precision == 0 and value == 0 else digits.rjust(precision, "0")
    if conv == "o" and "#" in flags and not digits.startswith("0"):
        digits = "0" + digits
    if "0" in flags and "-" not in flags and precision is None and wide is not None and wide > 0:
        digits = digits.rjust(width(wide) - len(sign) - len(prefix), "0")
    return padded(sign + prefix + digits, flags, wide)


def binary(value: int, size: int) -> str:
    """`%b`: the low bytes of a number as they lie in memory."""
    if size not in (1, 2, 4, 8):
        size = 8
    return (value & MASK & ((1 << (8 * size)) - 1)).to_bytes(size, "little").decode("latin-1")


def hex_escaped(data: bytes, every: bool = False) -> str:
    """`%r`: bytes that aren't printable ASCII as \\xHH; every: all of them (`%rx`)."""
    if every:
        return "".join([f"\\x{c:02x}" for c in data])
    return "".join([chr(c) if 32 <= c < 127 else f"\\x{c:02x}" for c in data])


def make_blob(read: Callable[[int, int, bool], bytes]) -> Callable[..., str]:
    """The formatter of %b %m %M %r and of %s for what isn't a string; `read(address, size, user)` reads memory."""

    def blob(conv: str, flags: str, wide: int | None, precision: int | None, value: object) -> str:
        if conv == "b":
            return binary(value, wide or 8) if isinstance(value, int) else ""
        if conv == "s":
            return padded(plain(value)[:precision], flags, wide)
        if isinstance(value, int):
            value = read(value, 1 if precision is None else max(0, min(precision, WIDEST)), "#" in flags)
        elif isinstance(value, str):
            value = value.encode("latin-1", "replace")
        data: bytes = value if isinstance(value, bytes) else b""
        if precision is not None and precision >= 0:
            data = data[:precision]
        if conv == "M":
            text = data.hex()
        elif conv == "m":
            text = data.decode("latin-1")
        elif conv == "rh":
            text = data.hex(" ")
        else:
            text = hex_escaped(data, conv == "rx")
        return padded(text, flags, wide)

    return blob


def plain(value: object) -> str:
    """The default text of any value: bpftrace's print()."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return hex_escaped(value)
    if isinstance(value, tuple):
        return f"({', '.join([plain(v) for v in value])})"
    return str(value)
