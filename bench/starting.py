"""Figures of starting and stopping: ready to trace, memory, processor time, the index cold, Ctrl-C to exit."""

from __future__ import annotations

import os
import tempfile
import time
from typing import TYPE_CHECKING

from . import scripts
from .beacon import Beacon
from .peers import QUIET, Peer, PeerError, Run
from .rounds import run_rounds
from .table import mib, ms

if TYPE_CHECKING:
    from .plan import Plan
    from .rounds import Numbers
    from .table import Row


def _start(peer: Peer, cache: str | None = None) -> Numbers:
    script = scripts.unseen(peer.lang, scripts.states(peer.lang))
    with Run(peer, script, cache) as run:
        ready, line, usage = run.until_ready(Beacon())
        run.rest(QUIET)
        stop = run.stop()
    return {"ready": ready, "line": line, "memory": usage.memory, "cpu": usage.cpu, "stop": stop}


def start(plan: Plan) -> list[Row | None]:
    """Return the rows of a start with everything warm but the script."""
    results = run_rounds(plan.peers, plan.rounds(15), _start, "start")
    plan.failures += results.failures
    rows: list[Row | None] = []
    for peer in plan.ours:
        rows += [
            results.row(f"start, {peer.lang}: ready to trace", peer, "ready", ms, 0.35),
            results.row(f"start, {peer.lang}: peak memory then", peer, "memory", mib, 0.2),
            results.row(f"start, {peer.lang}: CPU until then", peer, "cpu", ms),
            results.row(f"start, {peer.lang}: first line is out", peer, "line", ms),
            results.row(f"stop of that, {peer.lang}", peer, "stop", ms),
        ]
    return rows


def _cold(peer: Peer) -> Numbers:
    with tempfile.TemporaryDirectory(prefix="bench-cache-") as cache:
        return _start(peer, cache)


def cold(plan: Plan) -> list[Row | None]:
    """Return the rows of a start without an index of the kernel's BTF."""
    results = run_rounds(plan.peers, plan.rounds(9), _cold, "cold")
    plan.failures += results.failures
    rows: list[Row | None] = []
    for peer in plan.ours:
        rows += [
            results.row(f"cold index, {peer.lang}: ready to trace", peer, "ready", ms, 0.7),
            results.row(f"cold index, {peer.lang}: peak memory then", peer, "memory", mib),
        ]
    return rows


def _stop(peer: Peer) -> Numbers:
    with Run(peer, scripts.unseen(peer.lang, scripts.twenty(peer.lang))) as run:
        ready, _, usage = run.until_ready(Beacon(), *scripts.TWENTY_MARKS)
        run.rest(0.3)
        stop = run.stop()
    time.sleep(QUIET)
    return {"ready": ready, "memory": usage.memory, "stop": stop}


def stop(plan: Plan) -> list[Row | None]:
    """Return the rows of twenty tracepoints: detaching is what a stop waits for."""
    results = run_rounds(plan.peers, plan.rounds(7), _stop, "stop")
    plan.failures += results.failures
    rows: list[Row | None] = []
    for peer in plan.ours:
        rows += [
            results.row(f"20 tracepoints, {peer.lang}: Ctrl-C to exit", peer, "stop", ms, 0.03),
            results.row(f"20 tracepoints, {peer.lang}: ready to trace", peer, "ready", ms),
        ]
    return rows


_NOTHING = {"bt": "BEGIN { exit(); }\n", "stp": "probe begin { exit() }\n"}


def _nothing(peer: Peer) -> Numbers:
    with Run(peer, scripts.unseen(peer.lang, _NOTHING[peer.lang])) as run:
        took = run.wait() - run.started
        if run.status:
            raise PeerError(run.complaint())
    time.sleep(QUIET)
    return {"all": took, "cpu": run.usage.ru_utime + run.usage.ru_stime}


def nothing(plan: Plan) -> list[Row | None]:
    """Return the rows of a script that only exits: the floor, beside Python's own."""
    results = run_rounds(plan.peers, plan.rounds(9), _nothing, "nothing")
    plan.failures += results.failures
    rows: list[Row | None] = []
    for peer in plan.ours:
        rows += [
            results.row(f"exit at once, {peer.lang}: wall", peer, "all", ms),
            results.row(f"exit at once, {peer.lang}: CPU", peer, "cpu", ms),
        ]
    rows.append(
        results.row("  of it, Python itself (-c pass)", _python_itself(plan, results.numbers), "all", ms)
    )
    return rows


def _python_itself(plan: Plan, numbers: list[dict[str, Numbers]]) -> Peer:
    """Measure the interpreter without pystap, once a round, next to what was measured."""
    peer = Peer("python", "bt", [])
    for found in numbers:
        words = [*plan.ours[0].words[:1], "-c", "pass"]
        begun = time.monotonic()
        os.waitpid(os.posix_spawnp(words[0], words, peer.environment(None)), 0)
        found[peer.name] = {"all": time.monotonic() - begun}
    return peer
