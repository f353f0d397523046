"""What scripts do to the machine: commands, and lines in the kernel's trace buffer."""

from __future__ import annotations

import os
from errno import ESRCH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..context import Context

PURE: dict[str, Callable[..., Any]] = {}
_LOG = "/dev/kmsg"
_MARKERS = ("/sys/kernel/tracing/trace_marker", "/sys/kernel/debug/tracing/trace_marker")


def bind(context: Context) -> dict[str, Callable[..., Any]]:
    """The bodies."""

    def system(command: str) -> None:
        """Run a shell command: SystemTap goes on meanwhile, bpftrace waits for its end."""
        context.sink.flush()
        files = [(os.POSIX_SPAWN_DUP2, context.sink.fd, 1)]
        argv = ["/bin/sh", "-c", command.encode("latin-1")]
        pid = os.posix_spawn("/bin/sh", argv, os.environ, file_actions=files)  # type: ignore[arg-type]
        if context.lang == "bt":
            os.waitpid(pid, 0)
        else:
            context.children.append(pid)

    def ftrace(text: str) -> None:
        for path in _MARKERS:
            try:
                fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                os.write(fd, text.encode("latin-1"))
            finally:
                os.close(fd)
            return
        context.warn_once("ftrace", "ftrace(): there is no trace buffer to write to")

    def printk(level: int, text: str) -> None:
        """A line of the kernel's log, of a level from 0 (emergency) to 7 (debugging)."""
        try:
            fd = os.open(_LOG, os.O_WRONLY | os.O_CLOEXEC)
        except OSError as error:
            context.warn_once("printk", f"printk(): {_LOG}: {error.strerror}")
            return
        try:
            for line in text.rstrip("\n").split("\n"):
                os.write(fd, f"<{level & 7}>{line}".encode("latin-1"))
        finally:
            os.close(fd)

    def cat_file(path: str, most: int) -> None:
        """Print a file, or the first part of a long one."""
        try:
            with open(path.encode("latin-1"), "rb") as file:
                context.sink.begin("cat")
                context.sink.emit(file.read(most).decode("latin-1"))
                context.sink.end()
        except OSError as error:
            context.warn(f"cat(): {path}: {error.strerror}")

    def switch_file() -> None:
        if not context.sink.switch():
            context.warn_once("switch_file", "switch_file(): there is one output file, without -S")

    def send_signal(pid: int, tid: int, number: int) -> None:
        """Send a signal; who has ended meanwhile gets none."""
        try:
            if tid:
                from ...kernel.sys import thread_kill

                thread_kill(pid, tid, number)
            else:
                os.kill(pid, number)
        except OSError as error:
            if error.errno == ESRCH:
                return
            context.warn(f"signal(): process {pid}: {error.strerror}")

    return {
        "system": system,
        "switch_file": switch_file,
        "send_signal": send_signal,
        "ftrace": ftrace,
        "cat_file": cat_file,
        "printk": printk,
        "begin_event": lambda kind: context.sink.begin(kind),
        "end_event": lambda: context.sink.end(),
    }
