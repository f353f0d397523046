"""The command of `-c`: started held, let go later, reaped.

The child exists (so that its pid is known) but waits before exec. A plain line of words is executed
by itself; a line that needs a shell goes to `/bin/sh -c`, as the user typed it for one. The line is
the user's own, from the command line; text of scripts never comes here.
"""

from __future__ import annotations

import os
import signal

from .sys import KernelError

_SPECIAL = frozenset("|&;<>()$`\\\"'*?[]#~=%!{}\n")  # what may mean something to a shell
_SHELL_WORDS = (
    " . : [ alias bg break cd command continue eval exec exit export false fg hash jobs kill local printf "
    " pwd read readonly return set shift test times trap true type ulimit umask unalias unset wait "
    " ! { case for function if select time until while "
)
_SHELL = "/bin/sh"


def command_argv(line: str) -> tuple[str, list[str]]:
    """(file, arguments) to execute for a command line; `KernelError` ENOENT if there is no such command.

    A single command replaces the shell that reads its quotes, so that the pid is the command's own.
    """
    words = line.split()
    if not words:
        return _SHELL, [_SHELL, "-c", line]
    first = words[0]
    builtin = f" {first} " in _SHELL_WORDS
    plain = not _SPECIAL.intersection(first)
    path = _find(first) if plain else ""
    if plain and not path and not builtin:
        raise KernelError(2, f"executing {first}")
    if path and not _SPECIAL.intersection(line):
        return path, words
    if not is_single_command(line) or (builtin and not path):
        return _SHELL, [_SHELL, "-c", line]
    return _SHELL, [_SHELL, "-c", f"exec env {line}" if "=" in first else f"exec {line}"]


def is_single_command(line: str) -> bool:
    """Whether a line has no operator of the shell outside quotes; redirections are part of a command."""
    quote = last = ""
    for char in line:
        if last == "\\" and quote != "'":
            last = ""
            continue
        if quote:
            if char == quote:
                quote = ""
        elif char in "'\"`":
            quote = char
        elif char in "|;()\n" or (char == "&" and last not in "<>"):
            return False
        last = char
    return not quote


def _find(command: str) -> str:
    """The file that a command stands for, by PATH; "" if there is none."""
    if "/" in command:
        return command
    for folder in os.environ.get("PATH", os.defpath).split(":"):
        path = f"{folder or '.'}/{command}"
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return ""


class HeldCommand:
    """A forked child that executes its command when it is released."""

    __slots__ = ("_errors", "_go", "argv", "pid", "pidfd", "status")

    def __init__(self, path: str, argv: list[str]) -> None:
        self.argv = argv
        self.status: int | None = None  # the exit status, 128 + signal if one ended it
        wait, self._go = os.pipe()
        self._errors, report = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(self._go)
            os.close(self._errors)
            _child(path, argv, wait, report)
        os.close(wait)
        os.close(report)
        self.pidfd = os.pidfd_open(self.pid)

    def release(self) -> None:
        """Let the command run; `KernelError` if it can't be executed."""
        go, self._go = self._go, -1
        try:
            os.write(go, b"g")
        except BrokenPipeError:
            pass  # it was ended by a signal while it was held
        finally:
            os.close(go)
        error = b""
        while part := os.read(self._errors, 16):
            error += part
        self._close_errors()
        if error:
            self.wait()
            raise KernelError(int(error), f"executing {self.argv[0]}")

    def poll(self) -> int | None:
        """The exit status, or None while it runs. `pidfd` can be read (epoll) when it has ended."""
        return self._reap(os.WNOHANG)

    def wait(self) -> int:
        """Wait for the end and return the exit status."""
        status = self._reap(0)
        return 0 if status is None else status

    def _reap(self, flags: int) -> int | None:
        if self.status is None:
            try:
                pid, raw = os.waitpid(self.pid, flags)
            except ChildProcessError:
                self.status = 0  # somebody else has reaped it
                return self.status
            if pid:
                self.status = os.WEXITSTATUS(raw) if os.WIFEXITED(raw) else 128 + os.WTERMSIG(raw)
        return self.status

    def close(self) -> None:
        """Forget the command: one that is still held never runs; one that runs goes on."""
        if self._go >= 0:
            os.close(self._go)
            self._go = -1
            self.wait()
        self._close_errors()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1

    def _close_errors(self) -> None:
        if self._errors >= 0:
            os.close(self._errors)
            self._errors = -1


def _child(path: str, argv: list[str], wait: int, report: int) -> None:
    """The child: wait for the word, then become the command. Never returns."""
    status = 127
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            if callable(signal.getsignal(number)):  # the parent's handlers; what was ignored stays so
                signal.signal(number, signal.SIG_DFL)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # these Python ignores
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if os.read(wait, 1):
            os.execv(path, argv)
    except OSError as error:
        os.write(report, b"%d" % (error.errno or 0))
    finally:
        os._exit(status)


def hold_command(line: str) -> HeldCommand:
    """Fork the command of a line, held before exec."""
    path, argv = command_argv(line)
    return HeldCommand(path, argv)
