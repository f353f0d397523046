"""The current task, as a user handler sees it: the tracer itself."""

from __future__ import annotations

import os

from ..errors import ScriptError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..context import Context


def _comm(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            return file.read().rstrip(b"\n").decode("latin-1")
    except OSError:
        return ""


def execname() -> str:
    """This process's name."""
    return _comm(os.getpid())


def pexecname() -> str:
    """The parent's name."""
    return _comm(os.getppid())


def tid() -> int:
    """This thread's id."""
    from _thread import get_native_id

    return get_native_id()


def register(name: str, place: str) -> int:
    """There are no registers to look at."""
    raise ScriptError(f"cannot access the register {name}: this handler has no registers", place)


def load_average(which: int) -> int:
    """The load of the last 1, 5 or 15 minutes, with 11 bits behind the point."""
    if not 0 <= which <= 2:
        return 0
    with open("/proc/loadavg", encoding="ascii") as file:
        return int(float(file.read().split()[which]) * 2048 + 0.5)


PURE: dict[str, Callable[..., Any]] = {
    "pid": os.getpid,
    "ns_pid": os.getpid,
    "numa_node": lambda: 0,
    "tid": tid,
    "ppid": os.getppid,
    "uid": os.getuid,
    "euid": os.geteuid,
    "gid": os.getgid,
    "egid": os.getegid,
    "pgrp": os.getpgrp,
    "sid": lambda: os.getsid(0),
    "execname": execname,
    "comm_of": _comm,
    "tracer_pid": os.getpid,
    "tracer_uid": os.getuid,
    "load_average": load_average,
    "pexecname": pexecname,
    "user_mode": lambda: 0,
    "is_return": lambda: 0,
    "probe_number": lambda: 0,
    "frame_address": lambda: 0,
    "is_running": lambda: 1,
    "socket_cookie": lambda sk: 0,
    "ncpus": lambda: os.cpu_count() or 1,
    "register": register,
    "user_registers": lambda: 0,
    "kernel_stack": lambda depth: b"",
    "user_stack": lambda depth: b"",
}


def bind(context: Context) -> dict[str, Callable[..., Any]]:
    """Those that are kernel calls."""
    return {
        "cpu": lambda: context.calls.cpu(),
        "task_current": lambda: context.calls.current_task(),
        "cgroup_id": lambda: context.calls.cgroup_id(),
        "pid2task": lambda pid: context.calls.pid2task(pid),
    }
