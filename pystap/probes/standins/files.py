"""Stand-ins of the functions that reading and writing files, and whole sockets, come by: system calls."""

from __future__ import annotations

from . import StandIn
from .sockets import FD, RECEIVING, RESULT, SENDING, SIZE

_FILE = f"__s_file = __fd_file({FD})\n"
_SOCKET = f"__s_socket = __fd_socket({FD})\n"
_INSIDE = "io_uring and users in the kernel are missed"


def _access(function: str, call: str, positioned: str, number: int) -> tuple[StandIn, ...]:
    """A function that reads or writes: `call` at the file's own place, `positioned` (of that number) at a given one."""
    calls = (call, positioned)
    values = (
        ("file", "__s_file", "=file"),
        ("buf", "__builtin_sys_arg(1)", ""),
        ("count", "__builtin_sys_arg(2)", ""),
        ("__pos", f"__builtin_sys_nr() == {number} ? __builtin_sys_arg(3) : __file_pos(__s_file, 0)", ""),
    )
    one = StandIn(function, calls=calls, setup=_FILE, guard="__s_file", values=values, differs=_INSIDE)
    return one, one.replace(values=RESULT, returns=True)


def _message(function: str, calls: tuple[str, ...], more: str = "") -> tuple[StandIn, ...]:
    """A function that messages of all sockets come by."""
    differs = f"{_INSIDE}, and calls with many messages are one each{more}"
    values = (("sock", "__s_socket", "=socket"), ("size", SIZE, ""))
    back = (("sock", "__s_socket", "=socket"), *RESULT)
    one = StandIn(function, calls=calls, setup=_SOCKET, guard="__s_socket", values=values, differs=differs)
    return one, one.replace(values=back, returns=True)


_NEW = (
    ("family", "__builtin_sext(__builtin_sys_arg(0), 32)", ""),
    ("type", "__builtin_sys_arg(1) & 0xf", ""),
    ("protocol", "__builtin_sext(__builtin_sys_arg(2), 32)", ""),
    ("kern", "0", ""),
)
_CREATED = (("return", "__builtin_sys_ret() < 0 ? __builtin_sys_ret() : 0", ""),)
_MADE = f"{_INSIDE}; so are the pairs of socketpair"
_CLOSED = (
    "sockets that end with their process or its program (exec) are missed; each close of a descriptor is seen, "
    "the last or not"
)
_SENT = "today's kernels send the calls of processes by __sock_sendmsg: sock_sendmsg itself is for the kernel's own users"

FILES: tuple[StandIn, ...] = (
    *_access("vfs_read", "read", "pread64", 17),
    *_access("vfs_write", "write", "pwrite64", 18),
    *_message("__sock_sendmsg", SENDING),
    *_message("sock_sendmsg", SENDING, f"; {_SENT}"),
    *_message("sock_recvmsg", RECEIVING),
    StandIn("__sock_create", calls=("socket",), values=_NEW, differs=_MADE),
    StandIn("__sock_create", calls=("socket",), values=_CREATED, differs=_MADE, returns=True),
    StandIn(
        "__sock_release",
        calls=("close",),
        setup=_SOCKET,
        guard="__s_socket",
        values=(("sock", "__s_socket", "=socket"),),
        differs=_CLOSED,
    ),
)
