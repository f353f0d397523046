"""The format strings of bpf_snprintf, bpf_trace_printk and bpf_seq_printf.

A subset of the kernel's printk: what bpf_bprintf_prepare lets through. Anything
else is -EINVAL, which the verifier says for constant formats already.
"""

from __future__ import annotations

from ..insn import M32, M64, s32, s64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .world import World

EINVAL = -22
_FLAGS = b"0+- "
_DIGITS = b"0123456789"


class _BadFormat(Exception):
    pass


def bprintf(world: World, fmt: bytes, args: list[int]) -> bytes | int:
    """Return the text, or a negative errno. `fmt` without its NUL; too few or too many args are -EINVAL."""
    try:
        text, used = _render(world, fmt, args)
    except _BadFormat:
        return EINVAL
    return text if used == len(args) else EINVAL


def _render(world: World, fmt: bytes, args: list[int]) -> tuple[bytes, int]:
    out = bytearray()
    at = used = 0
    while at < len(fmt):
        byte = fmt[at : at + 1]
        if byte != b"%":
            if byte[0] >= 0x80 or (byte[0] < 0x20 and not byte.isspace()):
                raise _BadFormat
            out += byte
            at += 1
            continue
        if fmt[at + 1 : at + 2] == b"%":
            out += b"%"
            at += 2
            continue
        if used >= len(args):
            raise _BadFormat
        at, text = _directive(world, fmt, at + 1, args[used])
        out += text
        used += 1
    return bytes(out), used


def _directive(world: World, fmt: bytes, at: int, value: int) -> tuple[int, bytes]:
    """Render the directive that begins after its % at `at`; returns where it ends, and the text."""
    flags = b""
    while fmt[at : at + 1] and fmt[at] in _FLAGS:
        flags += fmt[at : at + 1]
        at += 1
    start = at
    while fmt[at : at + 1] and fmt[at] in _DIGITS:
        at += 1
    width = int(fmt[start:at] or b"0")
    letter = fmt[at : at + 1]
    if letter == b"p":
        end, text = _pointer(world, fmt, at + 1, value)
        # Addresses of the network are rendered beforehand; their width gets lost.
        return end, text if fmt[at + 1 : at + 2] in b"iI" else _pad(text, width, flags)
    if letter == b"s":
        return at + 1, _pad(world.memory.peek_str(value, 511) or b"", width, flags)
    if letter == b"c":
        return at + 1, _pad(bytes([value & 0xFF]), width, flags)
    longs = 0
    while fmt[at : at + 1] == b"l" and longs < 2:
        longs += 1
        at += 1
    return at + 1, _number(fmt[at : at + 1], longs > 0, value, width, flags)


def _number(letter: bytes, is_long: bool, value: int, width: int, flags: bytes) -> bytes:
    if letter in (b"d", b"i"):
        signed = s64(value) if is_long else s32(value)
        sign = b"-" if signed < 0 else b"+" if b"+" in flags else b" " if b" " in flags else b""
        digits = b"%d" % abs(signed)
    elif letter in (b"u", b"x", b"X"):
        unsigned = value & (M64 if is_long else M32)
        sign = b""
        digits = b"%d" % unsigned if letter == b"u" else (b"%x" if letter == b"x" else b"%X") % unsigned
    else:
        raise _BadFormat
    if b"0" in flags and b"-" not in flags:
        return sign + digits.rjust(width - len(sign), b"0")
    return _pad(sign + digits, width, flags)


def _pad(text: bytes, width: int, flags: bytes) -> bytes:
    return text.ljust(width) if b"-" in flags else text.rjust(width)


def _pointer(world: World, fmt: bytes, at: int, value: int) -> tuple[int, bytes]:
    """Render what follows %p; letters and digits behind a known form are swallowed, as the kernel does."""
    form = fmt[at : at + 2]
    end = at
    while fmt[end : end + 1].isalnum():
        end += 1
    if form in (b"ks", b"us"):
        return at + 2, world.memory.peek_str(value, 511, form == b"us") or b""
    if form in (b"i4", b"I4", b"i6", b"I6"):
        size = 4 if form[1:] == b"4" else 16
        return end, _ip(form, world.memory.peek(value, size) or bytes(size))
    first = form[:1]
    if first in (b"s", b"S", b"B"):
        return end, world.symbol(value, first != b"s").encode()
    if first in (b"x", b"K") or not first.isalnum():
        return end, b"%016x" % value
    raise _BadFormat


def _ip(form: bytes, raw: bytes) -> bytes:
    if form == b"I4":
        return b"%d.%d.%d.%d" % tuple(raw)
    if form == b"i4":
        return b"%03d.%03d.%03d.%03d" % tuple(raw)
    groups = [raw[i : i + 2].hex() for i in range(0, 16, 2)]
    return (":" if form == b"I6" else "").join(groups).encode()
