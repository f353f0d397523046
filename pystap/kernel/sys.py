"""System calls by number, with their failures as `KernelError`.

Contract: a function here either returns a result that is not negative, or raises `KernelError`
with the errno and the words that say what was tried. Interrupted calls are made again. Whoever
passes an address made by `address()` keeps the buffer alive until the call has returned.
"""

from __future__ import annotations

import errno as _errno
import os
from ctypes import CDLL, addressof, byref, c_char, c_char_p, c_long, c_void_p, get_errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from mmap import mmap

ENOTSUPP = 524  # the kernel's own; not in errno, and strerror doesn't know it

_NUMBERS = {
    # machine: bpf, perf_event_open, fsopen, fsconfig, fsmount, tgkill
    "x86_64": (321, 298, 430, 431, 432, 234),
    "aarch64": (280, 241, 430, 431, 432, 131),
    "riscv64": (280, 241, 430, 431, 432, 131),
}
MACHINE = os.uname().machine
_BPF, _PERF, _FSOPEN, _FSCONFIG, _FSMOUNT, _TGKILL = _NUMBERS.get(MACHINE, (-1,) * 6)

# Two function objects of one C function: ctypes keeps the argument types with the object.
_libc = CDLL(None, use_errno=True)
_syscall = _libc["syscall"]
_syscall.restype = c_long
_syscall.argtypes = (c_long, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)
_bpf = _libc["syscall"]
_bpf.restype = c_long
_bpf.argtypes = (c_long, c_long, c_void_p, c_long)

_EINTR = _errno.EINTR
_EAGAIN = _errno.EAGAIN
_AGAIN_LIMIT = 10


class KernelError(OSError):
    """A refused system call: `errno`, and `what` was tried, in words; place: file and line of the script, if known."""

    place: tuple[str, int] = ("", 0)

    def __init__(self, errno: int, what: str) -> None:
        super().__init__(errno, error_text(errno))
        self.what = what

    def __str__(self) -> str:
        number = self.errno or 0
        return f"{self.what}: {self.strerror} ({_errno.errorcode.get(number, number)})"


def error_text(errno: int) -> str:
    """The words of an errno."""
    return "Operation not supported by the kernel" if errno == ENOTSUPP else os.strerror(errno)


def address(buffer: bytes | bytearray | memoryview | mmap) -> int:
    """The address of a buffer's first byte; the caller keeps the buffer alive (and its size)."""
    if type(buffer) is bytes:
        return c_void_p.from_buffer(c_char_p(buffer)).value or 0
    return addressof(c_char.from_buffer(buffer)) if len(buffer) else 0


def syscall(what: str, number: int, a: int = 0, b: int = 0, c: int = 0, d: int = 0, e: int = 0) -> int:
    """Make one system call with up to five words; pointers are passed as addresses."""
    if number < 0:
        raise KernelError(_errno.ENOSYS, f"{what} (machine {MACHINE})")
    while True:
        result = int(_syscall(number, a, b, c, d, e))
        if result >= 0:
            return result
        error = get_errno()
        if error != _EINTR:
            raise KernelError(error, what)


def bpf_try(cmd: int, attr: bytearray) -> int:
    """bpf(2) once: the result, or minus the errno. `attr` is input and output."""
    result = int(_bpf(_BPF, cmd, byref(c_char.from_buffer(attr)), len(attr)))
    return result if result >= 0 else -get_errno()


def bpf(cmd: int, attr: bytearray, what: str) -> int:
    """bpf(2); `attr` must not be one that a failed call has changed (the batch commands' is)."""
    again = 0
    while True:
        result = int(_bpf(_BPF, cmd, byref(c_char.from_buffer(attr)), len(attr)))
        if result >= 0:
            return result
        error = get_errno()
        if error == _EAGAIN and again < _AGAIN_LIMIT:
            again += 1  # the verifier met a pending signal
        elif error != _EINTR:
            raise KernelError(error, what)


def perf_event_open(attr: bytearray, pid: int, cpu: int, what: str) -> int:
    """perf_event_open(2) with close-on-exec."""
    return syscall(what, _PERF, address(attr), pid, cpu, -1, 8)  # PERF_FLAG_FD_CLOEXEC


def thread_kill(pid: int, tid: int, number: int) -> None:
    """tgkill(2): a signal to one thread."""
    syscall(f"a signal to thread {tid}", _TGKILL, pid, tid, number)


def mount_detached(filesystem: str) -> int:
    """Mount a pseudo filesystem outside every namespace: an fd of its root folder, for `dir_fd`.

    Nobody else sees the mount, and it is gone with the fd.
    """
    name = filesystem.encode() + b"\0"
    what = f"mounting a private {filesystem}"
    context = syscall(what, _FSOPEN, address(name), 1)  # FSOPEN_CLOEXEC
    try:
        syscall(what, _FSCONFIG, context, 6)  # FSCONFIG_CMD_CREATE
        mount = syscall(what, _FSMOUNT, context, 1)  # FSMOUNT_CLOEXEC
    finally:
        os.close(context)
    try:
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=mount)
    finally:
        os.close(mount)


def close_all(fds: Iterable[int]) -> None:
    """Close each descriptor; one that fails doesn't keep the others open."""
    for fd in fds:
        try:
            os.close(fd)
        except OSError:
            pass


def object_name(name: str) -> bytes:
    """A name as bpf(2) takes it: 15 of its characters, without the forbidden ones."""
    return bytes(c for c in name.encode("ascii", "replace") if c in _NAME_BYTES)[:15]


_NAME_BYTES = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_."
