"""Tracers as forks of a process that has pystap imported, for machines where starting Python takes seconds (guests).

`Process(words, cwd, env)` runs `python3 -m pystap WORDS` and is what tests use of a subprocess.Popen: pid, stdout, stderr,
poll, wait, kill, send_signal. The first one starts the server, this module run as a program, which ends with its
socket. A request is the words, folder and environment as JSON, with the files that shall be the tracer's output and
errors, and a pipe for its status, which the server writes when the tracer has ended. What the tracer does is the same
as if it was started afresh, but for imports, whose cost and completeness other tests are for.
"""

from __future__ import annotations

import atexit
import gc
import io
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pystap.node

ASK = "PYSTAP_TEST_WARM"  # in the environment: start tracers this way
LONGEST = 1 << 17  # bytes of a request
_servers: list[socket.socket] = []


def wanted() -> bool:
    """Return whether tracers are to be started this way."""
    return ASK in os.environ


def _server() -> socket.socket:
    if not _servers:
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with there:
            command = [sys.executable, "-m", __name__, str(there.fileno())]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[there.fileno()])
        atexit.register(_end_server, here, process)
        _servers.append(here)
    return _servers[0]


def _end_server(door: socket.socket, process: subprocess.Popen[bytes]) -> None:
    door.close()
    process.wait()


class Process:
    """A tracer, a grandchild of this process."""

    def __init__(self, words: Sequence[str], cwd: Path, env: Mapping[str, str]) -> None:
        out, its_out = os.pipe()
        err, its_err = os.pipe()
        self._end, its_end = os.pipe()
        request = json.dumps({"words": list(words), "cwd": str(cwd), "env": dict(env)}).encode()
        files = [its_out, its_err, its_end]
        try:
            socket.send_fds(_server(), [request], files)
        finally:
            for file in files:
                os.close(file)
        self.pid = int(_server().recv(64))
        self.stdout = io.FileIO(out)
        self.stderr = io.BufferedReader(io.FileIO(err))
        self.returncode: int | None = None

    def poll(self, patience: float | None = 0.0) -> int | None:
        """Return the status, as Popen's, if it is known in so many seconds (None: wait for it)."""
        if self.returncode is None:
            with selectors.DefaultSelector() as waiting:
                waiting.register(self._end, selectors.EVENT_READ)
                if waiting.select(patience):
                    self.returncode = int(os.read(self._end, 64))
                    os.close(self._end)
        return self.returncode

    def wait(self, patience: float | None = None) -> int:
        """Wait for the end, raise subprocess.TimeoutExpired if it doesn't come in so many seconds."""
        status = self.poll(patience)
        if status is None:
            raise subprocess.TimeoutExpired("pystap", patience or 0.0)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


def _serve(door: socket.socket) -> list[str]:
    """Fork at each request. Return the words in the child; never return in the server."""
    with selectors.DefaultSelector() as waiting:
        waiting.register(door, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.data is not None:
                    waiting.unregister(key.fileobj)
                    _tell_end(key.fd, *key.data)
                    continue
                request, files, _flags, _address = socket.recv_fds(door, LONGEST, 3)
                if not request:
                    os._exit(0)
                what = json.loads(request)
                if not (pid := os.fork()):
                    _become(what, files)
                    words: list[str] = what["words"]
                    return words
                door.send(str(pid).encode())
                for file in files[:2]:
                    os.close(file)
                waiting.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, files[2]))


def _tell_end(pidfd: int, pid: int, pipe: int) -> None:
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        os.write(pipe, str(status).encode())
    except BrokenPipeError:
        pass  # the test didn't want to know
    os.close(pipe)
    os.close(pidfd)


def _become(what: dict[str, object], files: list[int]) -> None:
    """Take on the output, the folder and the environment of a tracer; keep nothing else open."""
    os.dup2(files[0], 1)
    os.dup2(files[1], 2)
    os.closerange(3, 1 << 16)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.chdir(str(what["cwd"]))
    os.environ.clear()
    env = what["env"]
    assert isinstance(env, dict)
    os.environ.update(env)


def _make_constructors(base: type) -> None:
    """Do once what each class does with its first object."""
    for cls in base.__subclasses__():
        if cls.__init__ is pystap.node._first_init:
            cls.__init__ = pystap.node._constructor(cls)
        _make_constructors(cls)


def main() -> None:
    """Import all of pystap, then serve; in a child, be pystap."""
    door = socket.socket(fileno=int(sys.argv[1]))
    for module in pkgutil.walk_packages(pystap.__path__, "pystap."):
        # debuginfo's modules need a library that may be missing, and import it themselves
        if not module.name.endswith("__main__") and "debuginfo." not in module.name:
            __import__(module.name)
    _make_constructors(pystap.node.Node)
    gc.freeze()  # no collection in a child writes to, and so copies, what all share
    words = _serve(door)
    sys.argv[1:] = words
    runpy.run_module("pystap", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
