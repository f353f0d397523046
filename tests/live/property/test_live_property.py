"""Random scripts on the live kernel: every one loads, and a run over known calls gives what the plain evaluator gives."""

from __future__ import annotations

import ctypes
import os
from random import Random
from typing import Any

import pytest

from pystap.cli.live import live_target
from pystap.compiler import Compilation, run_passes
from pystap.diag import Bag
from pystap.options import Options
from pystap.runtime.door import Door
from pystap.runtime.session import Session
from pystap.source import Source
from tests.kit.sink import ListSink
from tests.property import run
from tests.property.run import LSEEK, Event, Result, plain
from tests.property.scripts import EDGES, IN_PROCESS, NUMBERS, script
from tests.property.vmdoor import MEMORY

TARGET = live_target()
_PR_SET_NAME = 15
COMM = b"test"


class Drawing:
    """Draws from one seed what the strategies of `scripts.py` stand for."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def __call__(self, strategy: Any) -> Any:
        if strategy is NUMBERS:
            kind = self.random.randrange(3)
            if kind == 0:
                return self.random.randint(-4, 8)
            return self.random.choice(EDGES) if kind == 1 else self.random.randint(-(1 << 63), (1 << 63) - 1)
        low, high = (int(part.split("=")[-1]) for part in repr(strategy)[9:-1].split(","))
        return self.random.randint(low, high)


def prepared(text: str, stage: str, pid: int) -> Session:
    """A session of a script, its programs loaded."""
    bag = Bag()
    options = Options(stage=stage, target_pid=pid, buffer=1 << 20, max_log=1 << 14, display_globals=False)
    made = Compilation(Source("t.stp", text), "stp", TARGET, options, bag)
    assert run_passes(made, 3), bag.errors
    assert made.program is not None
    session = Session(made.program, Door(TARGET.btf), ListSink(), options)
    session.prepare()
    return session


@pytest.mark.parametrize("stage", ["auto", "mirror"])
@pytest.mark.parametrize("first", range(0, 80, 10))
def test_the_verifier_takes_every_program(first: int, stage: str) -> None:
    for seed in range(first, first + 10):
        prepared(script(Drawing(seed)), stage, 1000).close()


def _fill(libc: Any) -> None:
    """Put the bytes that random scripts read at their address."""
    libc.mmap.restype = ctypes.c_void_p
    at = libc.mmap(ctypes.c_void_p(IN_PROCESS), ctypes.c_size_t(4096), 3, 0x100022, -1, ctypes.c_long(0))
    assert at == IN_PROCESS
    ctypes.memmove(IN_PROCESS, MEMORY, len(MEMORY))


class Caller:
    """A process with the name `test` that makes system calls when told."""

    def __init__(self, calls: list[tuple[int, ...]]) -> None:
        self.ready_at, ready = os.pipe()
        go, self.go_at = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(ready)
            os.close(go)
            os.read(self.ready_at, 1)
            return
        try:
            libc = ctypes.CDLL(None)
            _fill(libc)
            libc.prctl(_PR_SET_NAME, COMM)
            os.close(self.go_at)
            os.write(ready, b"x")
            os.read(go, 1)
            for args in calls:
                libc.syscall(LSEEK, *[ctypes.c_long(a) for a in args])
        finally:
            os._exit(0)

    def run(self) -> None:
        """Let it make its calls, and wait for its end."""
        os.write(self.go_at, b"x")
        os.waitpid(self.pid, 0)
        self.pid = 0

    def close(self) -> None:
        """End it."""
        if self.pid:
            os.close(self.go_at)
            os.waitpid(self.pid, 0)
        os.close(self.ready_at)


class Live(Session):
    """A session that ends when the caller has made its calls."""

    caller: Caller

    def _loop(self) -> None:
        if self.door.loaded:
            self.caller.run()
        self.door.stop()  # what we do ourselves from here on is nobody's business
        self.door.quiesce()
        self.records.take()
        self._check_control()


def live(text: str, stage: str, calls: list[tuple[int, ...]]) -> tuple[Result, int]:
    """What a run on the live kernel over these calls prints, and the caller's pid."""
    caller = Caller(calls)
    try:
        session = prepared(text, stage, caller.pid)
        session.__class__ = Live
        session.caller = caller  # type: ignore[attr-defined]
        pid = caller.pid
        session.run()
    finally:
        caller.close()
    sink = session.sink
    assert isinstance(sink, ListSink)
    return Result(sink.text, sink.said, session.failed), pid


@pytest.mark.parametrize("stage", ["auto", "mirror"])
@pytest.mark.parametrize("seed", range(1000, 1030))
def test_a_live_run_is_what_the_script_means(seed: int, stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = Drawing(seed)
    text = script(draw, live=True, user=False)
    # a descriptor that is not open, so that the calls do nothing
    calls = [(-1 - draw.random.randrange(3), draw(NUMBERS), draw(NUMBERS)) for _ in range(20)]
    found, pid = live(text, stage, calls)
    monkeypatch.setattr(run, "THREADS", [(pid, pid, COMM, 0)])
    monkeypatch.setattr(run, "TARGET", pid)
    events = []
    for args in calls:
        events += [Event("enter", 0, LSEEK, args), Event("leave", 0, LSEEK, args, -9)]
    wanted = plain(text, events)
    if wanted.faults and found.told() != wanted.told():
        wanted = plain(text, events, optimised=True)
    if wanted.failed or "exit()" in text:
        # what ends a run takes effect a little later than it happens: nothing more is printed, but may be counted
        assert (found.out, found.failed) == (wanted.out, wanted.failed), (found.said, text)
        return
    assert found.told() == wanted.told(), (found.said, text)
