"""Figures of printing: what a line costs the tracer, and what is lost when events come as fast as they can."""

from __future__ import annotations

import os
import tempfile
import time
from statistics import median
from typing import TYPE_CHECKING

from . import scripts
from .events import wait_attached
from .load import NUMBER, Load
from .peers import Peer, Run, Usage
from .rounds import run_rounds
from .table import ns, share

if TYPE_CHECKING:
    from .plan import Plan
    from .rounds import Numbers
    from .table import Row

LINES = 200_000  # a run; unthrottled this takes some 100 ms
PACES = {"flat out": 0, "100,000/s": 100_000}
_SLICE = 0.005
_SETTLED = 0.3  # seconds without a new line: that was the last


def _paced(load: Load, rate: int) -> float:
    """Make LINES calls, at `rate` a second or as fast as they go; return the caller's ns a call."""
    if not rate:
        return load.call_ns(1, LINES)
    took = []
    calls = int(rate * _SLICE)
    begun = time.monotonic()
    for number in range(LINES // calls):
        left = begun + number * _SLICE - time.monotonic()
        if left > 0:
            time.sleep(left)
        took += load.chunks(1, calls)
    return median(took)


def _measure(peer: Peer, load: Load, cpu: int, rate: int) -> Numbers:
    """Return CPU ns a delivered line, the share that was lost, and ns a traced call."""
    script = scripts.unseen(peer.lang, scripts.each_call(peer.lang, load.process.pid))
    with tempfile.NamedTemporaryFile(prefix="bench-", dir="/dev/shm") as file:
        with Run(peer, script, to=file.name) as run:
            wait_attached(run, load).close()
            os.sched_setaffinity(run.pid, os.sched_getaffinity(0) - {cpu} or {cpu})
            size = _quiet(run, file.name)
            before, already = Usage(run.pid).cpu, _lines(file.name, size)
            call = _paced(load, rate)
            size = _quiet(run, file.name)
            spent = Usage(run.pid).cpu - before
            run.stop()
        got = min(LINES, _lines(file.name, size) - already)
    return {"line": spent * 1e9 / max(got, 1), "lost": 1 - got / LINES, "call": call}


def _quiet(run: Run, path: str) -> int:
    """Wait until the output grows no more; return its size."""
    size = -1
    while (now := os.stat(path).st_size) != size:
        size = now
        run.rest(_SETTLED)
    return size


def _lines(path: str, size: int) -> int:
    """Return the lines about the call that the load makes; its own reads and writes are printed too."""
    with open(path, "rb") as file:
        return file.read(size).count(b" %d\n" % NUMBER)


def records(plan: Plan) -> list[Row | None]:
    """Return the rows of a line printed for each system call of one process."""
    cpu = max(os.sched_getaffinity(0))
    load = Load(cpu)
    rows: list[Row | None] = []
    try:
        for name, rate in PACES.items():

            def measure(peer: Peer, rate: int = rate) -> Numbers:
                return _measure(peer, load, cpu, rate)

            results = run_rounds(plan.peers, plan.rounds(5), measure, f"printf, {name}")
            plan.failures += results.failures
            for peer in plan.ours:
                rows += [
                    results.row(f"printf {name}, {peer.lang}: tracer's CPU a line", peer, "line", ns),
                    results.row(f"printf {name}, {peer.lang}: traced call", peer, "call", ns),
                    results.row(f"printf {name}, {peer.lang}: lines lost", peer, "lost", share),
                ]
    finally:
        load.close()
    return rows
