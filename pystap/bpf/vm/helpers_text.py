"""The interpreter's helpers that make, compare and read text."""

from __future__ import annotations

from ..insn import M32, M64
from .printk import bprintf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .machine import Vm

_HEX = b"0123456789abcdefABCDEF"
_ENOENT, _EINVAL, _ERANGE = -2, -22, -34


def _words(vm: Vm, data: int, size: int) -> list[int]:
    raw = vm.read(data, size & M32)
    return [int.from_bytes(raw[i : i + 8], "little") for i in range(0, len(raw), 8)]


def snprintf(vm: Vm, to: int, size: int, fmt: int, data: int, data_size: int) -> int:
    size &= M32
    if data_size & M32 & 7 or data_size & M32 > 96:
        return _EINVAL
    text = bprintf(vm.world, vm.read_text(fmt), _words(vm, data, data_size))
    if isinstance(text, int):
        return text
    if size:
        vm.write(to, text[: size - 1] + b"\0")
    return len(text) + 1


def trace_printk(vm: Vm, fmt: int, size: int, a: int | None, b: int | None, c: int | None) -> int:
    text = vm.read(fmt, size & M32).partition(b"\0")[0]
    given = [word for word in (a, b, c) if word is not None]
    for count in range(len(given) + 1):
        result = bprintf(vm.world, text, given[:count])
        if isinstance(result, bytes):
            vm.world.trace.append(result)
            return len(result)
    return _EINVAL


def trace_vprintk(vm: Vm, fmt: int, size: int, data: int, data_size: int) -> int:
    text = vm.read(fmt, size & M32).partition(b"\0")[0]
    result = bprintf(vm.world, text, _words(vm, data, data_size))
    if isinstance(result, int):
        return result
    vm.world.trace.append(result)
    return len(result)


def seq_printf(vm: Vm, _seq: int, fmt: int, size: int, data: int, data_size: int) -> int:
    text = vm.read(fmt, size & M32).partition(b"\0")[0]
    result = bprintf(vm.world, text, _words(vm, data, data_size))
    if isinstance(result, int):
        return result
    vm.world.seq += result
    return 0


def seq_write(vm: Vm, _seq: int, data: int, size: int) -> int:
    vm.world.seq += vm.read(data, size & M32)
    return 0


def strncmp(vm: Vm, one: int, size: int, other: int) -> int:
    size &= M32
    first = vm.read(one, size)
    end = first.find(b"\0")
    end = size if end < 0 else end + 1
    second = vm.read_text(other, 1 << 16) + b"\0"
    for a, b in zip(first[:end], second, strict=False):
        if a != b:
            return -1 if a < b else 1
        if not a:
            break
    return 0


def _strto(vm: Vm, buf: int, size: int, flags: int, result: int, signed: bool) -> int:
    text = vm.read(buf, size).split(b"\0")[0]
    body = text.lstrip(b" \t\n\v\f\r")
    skipped = len(text) - len(body)
    negative = body[:1] == b"-"
    digits = body[1:] if negative else body
    has_prefix = digits[:2].lower() == b"0x"
    is_hex = has_prefix and digits[2:3] != b"" and digits[2] in _HEX
    base = flags or (16 if is_hex else 8 if digits[:1] == b"0" else 10)
    if base not in (8, 10, 16) or (negative and not signed):
        return _EINVAL
    prefix = 2 if base == 16 and has_prefix else 0
    allowed = _HEX if base == 16 else _HEX[:base]
    end = prefix
    while end < len(digits) and digits[end] in allowed:
        end += 1
    if end == prefix:
        return _EINVAL
    value = int(digits[prefix:end], base) * (-1 if negative else 1)
    if not (-(1 << 63) <= value < 1 << 63 if signed else value <= M64):
        return _ERANGE
    vm.write(result, (value & M64).to_bytes(8, "little"))
    return skipped + negative + end


def strtol(vm: Vm, buf: int, size: int, flags: int, result: int) -> int:
    return _strto(vm, buf, size, flags, result, True)


def strtoul(vm: Vm, buf: int, size: int, flags: int, result: int) -> int:
    return _strto(vm, buf, size, flags, result, False)


def kallsyms_lookup_name(vm: Vm, name: int, _size: int, _flags: int, result: int) -> int:
    wanted = vm.read_text(name).decode("latin-1")
    for address, (symbol, _) in vm.world.symbols.items():
        if symbol == wanted:
            vm.write(result, address.to_bytes(8, "little"))
            return 0
    vm.write(result, bytes(8))
    return _ENOENT
