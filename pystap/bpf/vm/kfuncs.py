"""The interpreter's kernel functions: `KFUNC_FN[name] = (function(vm, *args) -> int, number of args)`."""

from __future__ import annotations

from ..insn import M32, s32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .machine import Vm

_E2BIG, _EINVAL, _ENOENT, _EFAULT = -7, -22, -2, -14
_MAX_STRING = 4096  # XATTR_SIZE_MAX is more; nothing here needs it


def iter_num_new(vm: Vm, it: int, start: int, end: int) -> int:
    first, last = s32(start), s32(end)
    failed = _EINVAL if first > last else _E2BIG if last - first > 1 << 23 else 0
    if failed:
        first = last = 0
    # The opaque 8 bytes: the number before the next, and the end, as in the kernel.
    vm.write(it, ((first - 1) & M32).to_bytes(4, "little") + (last & M32).to_bytes(4, "little"))
    return failed


def iter_num_next(vm: Vm, it: int) -> int:
    raw = vm.read(it, 8)
    current = int.from_bytes(raw[:4], "little", signed=True) + 1
    if current >= int.from_bytes(raw[4:], "little", signed=True):
        vm.write(it, bytes(8))
        return 0
    vm.write(it, current.to_bytes(4, "little", signed=True))
    return it


def iter_num_destroy(vm: Vm, it: int) -> int:
    vm.write(it, bytes(8))
    return 0


def _string(vm: Vm, address: int) -> bytes | None:
    return vm.memory.peek_str(address, _MAX_STRING)


def strcmp(vm: Vm, one: int, other: int) -> int:
    a, b = _string(vm, one), _string(vm, other)
    if a is None or b is None:
        return _EFAULT
    return (a > b) - (a < b)


def strlen(vm: Vm, address: int) -> int:
    text = _string(vm, address)
    return _EFAULT if text is None else len(text)


def strnlen(vm: Vm, address: int, limit: int) -> int:
    text = vm.memory.peek_str(address, limit)
    return _EFAULT if text is None else len(text)


def strchr(vm: Vm, address: int, char: int) -> int:
    text = _string(vm, address)
    if text is None:
        return _EFAULT
    found = (text + b"\0").find(char & 0xFF)
    return _ENOENT if found < 0 else found


def strstr(vm: Vm, one: int, other: int) -> int:
    a, b = _string(vm, one), _string(vm, other)
    if a is None or b is None:
        return _EFAULT
    found = a.find(b)
    return _ENOENT if found < 0 else found


def _nothing(vm: Vm) -> int:
    return 0


KFUNC_FN: dict[str, tuple[Callable[..., int], int]] = {
    "bpf_rdonly_cast": (lambda vm, pointer, _type: int(pointer), 2),
    "bpf_cast_to_kern_ctx": (lambda vm, ctx: int(ctx), 1),
    "bpf_rcu_read_lock": (_nothing, 0),
    "bpf_rcu_read_unlock": (_nothing, 0),
    "bpf_preempt_disable": (_nothing, 0),
    "bpf_preempt_enable": (_nothing, 0),
    "bpf_iter_num_new": (iter_num_new, 3),
    "bpf_iter_num_next": (iter_num_next, 1),
    "bpf_iter_num_destroy": (iter_num_destroy, 1),
    "bpf_strcmp": (strcmp, 2),
    "bpf_strlen": (strlen, 1),
    "bpf_strnlen": (strnlen, 2),
    "bpf_strchr": (strchr, 2),
    "bpf_strstr": (strstr, 2),
}
