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
    actions = Actions(context)
    return {
        "system": actions.system,
        "switch_file": actions.switch_file,
        "send_signal": actions.send_signal,
        "ftrace": actions.ftrace,
        "cat_file": actions.cat_file,
        "printk": actions.printk,
        "begin_event": lambda kind: context.sink.begin(kind),
        "end_event": lambda: context.sink.end(),
    }


class Actions:
    """What fails is a warning: the script goes on."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def system(self, command: str) -> None:
        """Run a shell command: SystemTap goes on meanwhile, bpftrace waits for its end."""
        context = self._context
        if context.sink.structured:
            self._gathered(command)
            return
        context.sink.flush()
        files = [(os.POSIX_SPAWN_DUP2, context.sink.fd, 1)]
        argv = ["/bin/sh", "-c", command.encode("latin-1")]
        pid = os.posix_spawn("/bin/sh", argv, os.environ, file_actions=files)  # type: ignore[arg-type]
        if context.lang == "bt":
            os.waitpid(pid, 0)
        else:
            context.children.append(pid)

    def _gathered(self, command: str) -> None:
        """Run it, and write what it prints as one event."""
        get, put = os.pipe2(os.O_CLOEXEC)
        argv = ["/bin/sh", "-c", command.encode("latin-1")]
        files = [(os.POSIX_SPAWN_DUP2, put, 1)]
        pid = os.posix_spawn("/bin/sh", argv, os.environ, file_actions=files)  # type: ignore[arg-type]
        os.close(put)
        with open(get, "rb") as out:
            text = out.read().decode("latin-1")
        os.waitpid(pid, 0)
        self._context.sink.event("syscall", text)

    def ftrace(self, text: str) -> None:
        """Write to the kernel's trace buffer."""
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
        self._context.warn_once("ftrace", "ftrace(): there is no trace buffer to write to")

    def printk(self, level: int, text: str) -> None:
        """Write lines to the kernel's log, of a level from 0 (emergency) to 7 (debugging)."""
        try:
            fd = os.open(_LOG, os.O_WRONLY | os.O_CLOEXEC)
        except OSError as error:
            self._context.warn_once("printk", f"printk(): {_LOG}: {error.strerror}")
            return
        try:
            for line in text.rstrip("\n").split("\n"):
                os.write(fd, f"<{level & 7}>{line}".encode("latin-1"))
        finally:
            os.close(fd)

    def cat_file(self, path: str, most: int) -> None:
        """Print a file, or the first part of a long one."""
        sink = self._context.sink
        try:
            with open(path.encode("latin-1"), "rb") as file:
                sink.begin("cat")
                sink.emit(file.read(most).decode("latin-1"))
                sink.end()
        except OSError as error:
            self._context.warn(f"cat(): {path}: {error.strerror}")

    def switch_file(self) -> None:
        """Go on in the next output file."""
        if not self._context.sink.switch():
            self._context.warn_once("switch_file", "switch_file(): there is one output file, without -S")

    def send_signal(self, pid: int, tid: int, number: int) -> None:
        """Send a signal; who has ended meanwhile gets none."""
        try:
            if tid:
                from ...kernel.sys import thread_kill

                thread_kill(pid, tid, number)
            else:
                os.kill(pid, number)
        except OSError as error:
            if error.errno != ESRCH:
                self._context.warn(f"signal(): process {pid}: {error.strerror}")
