"""Starting pystap and bpftrace on a script, alike: ready, memory, processor time, and the way out."""

from __future__ import annotations

import os
import select
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from .beacon import Beacon

ROOT = Path(__file__).parent.parent
PATIENCE = 60.0
FLASH_EVERY = 0.0003  # seconds between two beacons: how exact "ready" is
DEAF = 8.0
QUIET = 0.1  # seconds between a detach and the next attach, which else waits for it


class PeerError(Exception):
    """A peer could not run a script; says why."""


class Peer:
    """One way to run a script. lang: the language that it is given ("bt" or "stp")."""

    def __init__(self, name: str, lang: str, words: list[str]) -> None:
        self.name = name
        self.lang = lang
        self.words = words

    def environment(self, cache: str | None) -> dict[str, str]:
        """Return the child's environment; `cache` replaces the user's cache folder."""
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        if cache is not None:
            env["XDG_CACHE_HOME"] = cache
        return env


def bpftrace() -> Peer:
    """Return the peer that everything is measured against."""
    return Peer("bpftrace", "bt", ["bpftrace"])


def pystap(lang: str) -> Peer:
    """Return pystap, to be given scripts in one of its languages."""
    return Peer(f"pystap .{lang}", lang, [sys.executable, "-m", "pystap"])


class Usage:
    """What a process has used so far: `memory` its peak in KiB, `cpu` seconds over its threads."""

    def __init__(self, pid: int) -> None:
        self.memory = 0.0
        self.cpu = 0.0
        status = Path(f"/proc/{pid}/status").read_text()
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                self.memory = float(line.split()[1])
        for task in os.listdir(f"/proc/{pid}/task"):
            words = Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()
            self.cpu += int(words[0]) / 1e9


class Run:
    """A peer at work on a script, from exec until `stop()`. `with` makes sure that nothing is left behind.

    Its output is taken from a pipe, or goes `to` a file that exists.
    """

    def __init__(
        self,
        peer: Peer,
        script: str,
        cache: str | None = None,
        options: tuple[str, ...] = (),
        to: str | None = None,
    ) -> None:
        self.output = b""
        self.ended = False
        with tempfile.NamedTemporaryFile("w", suffix=f".{peer.lang}", delete=False) as file:
            file.write(script)
            self.path = file.name
        words = [*peer.words, *options, self.path]
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115
        read_end, write_end = os.pipe()
        out: tuple[object, ...] = (os.POSIX_SPAWN_DUP2, write_end, 1)
        if to is not None:
            out = (os.POSIX_SPAWN_OPEN, 1, to, os.O_WRONLY | os.O_TRUNC, 0)
        actions = [
            out,
            (os.POSIX_SPAWN_DUP2, self.errors.fileno(), 2),
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        ]
        env = peer.environment(cache)
        self.started = time.monotonic()
        self.pid = os.posix_spawnp(words[0], words, env, file_actions=actions)
        os.close(write_end)
        self.fd = os.pidfd_open(self.pid)
        self.pipe = read_end
        os.set_blocking(read_end, False)

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.ended:
            try:
                self.stop()
            except PeerError:
                if error is None:
                    raise
        os.close(self.pipe)
        os.close(self.fd)
        self.errors.close()
        os.unlink(self.path)

    def _read(self) -> bool:
        """Take what is there of the output; False when the peer has closed it."""
        try:
            chunk = os.read(self.pipe, 1 << 16)
        except BlockingIOError:
            return True
        self.output += chunk
        return bool(chunk)

    def until_ready(self, beacon: Beacon, *marks: bytes) -> tuple[float, float, Usage]:
        """Flash until the peer prints a beacon; seconds until that event, until its line, usage at that moment."""
        limit = self.started + PATIENCE
        while True:
            beacon.flash()
            if select.select([self.pipe], [], [], FLASH_EVERY)[0] and not self._read():
                raise PeerError(self.complaint())
            caught = beacon.caught(self.output, marks or (b"",))
            if caught is not None:
                return caught - self.started, time.monotonic() - self.started, Usage(self.pid)
            if time.monotonic() > limit:
                raise PeerError(f"not ready after {PATIENCE:.0f} s; {self.complaint()}")

    def rest(self, seconds: float) -> None:
        """Wait, and take the output meanwhile."""
        limit = time.monotonic() + seconds
        while (left := limit - time.monotonic()) > 0:
            if self.gone():
                raise PeerError(self.complaint())
            if select.select([self.pipe], [], [], min(left, 0.05))[0] and not self._read():
                time.sleep(min(left, 0.05))

    def gone(self) -> bool:
        """Return whether the peer has ended."""
        return bool(select.select([self.fd], [], [], 0)[0])

    def complaint(self) -> str:
        """Return what the peer said in place of working, in one line."""
        self.errors.seek(0)
        text = self.errors.read().decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip() and "RLIMIT_MEMLOCK" not in line]
        telling = [line for line in lines if "rror" in line] or lines or ["it ended without a word"]
        return telling[0][:150] if "Traceback" not in text else telling[-1][:150]

    def wait(self, patience: float = PATIENCE) -> float:
        """Wait for the end; return its time. A peer that doesn't end is killed."""
        limit = time.monotonic() + patience
        poller = select.poll()
        poller.register(self.fd, select.POLLIN)
        poller.register(self.pipe, select.POLLIN)
        killed = False
        while True:
            ready = dict(poller.poll(max(0.0, limit - time.monotonic()) * 1e3))
            if self.fd in ready:
                ended = time.monotonic()
                break
            if self.pipe in ready and not self._read():
                poller.unregister(self.pipe)
            if not ready:
                os.kill(self.pid, signal.SIGKILL)
                killed = True
                limit += PATIENCE
        if not killed:
            self._rest_of_output()
        _, status, self.usage = os.wait4(self.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        self.ended = True
        if killed:
            raise PeerError(f"did not end within {patience:.0f} s of being told to")
        return ended

    def _rest_of_output(self) -> None:
        """Read what the ended peer left in the pipe; a child of its own may still hold the other end."""
        while select.select([self.pipe], [], [], 0)[0] and self._read():
            pass

    def stop(self) -> float:
        """Send SIGINT; return the seconds from there to the end.

        bpftrace 0.17 misses a signal that comes between two of its waits: after DEAF it is told again, and timed
        from then.
        """
        begun = time.monotonic()
        os.kill(self.pid, signal.SIGINT)
        if not select.select([self.fd], [], [], DEAF)[0]:
            begun = time.monotonic()
            os.kill(self.pid, signal.SIGINT)
        ended = self.wait()
        time.sleep(QUIET)
        if self.status not in (0, -signal.SIGINT):
            raise PeerError(f"ended with status {self.status}: {self.complaint()}")
        return ended - begun
