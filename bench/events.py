"""Figures of an event's cost: ns a run of the program, and ns that tracing adds to a system call."""

from __future__ import annotations

import os
import re
from statistics import median
from typing import TYPE_CHECKING

from pystap.bpf.consts_gen import BPF_PROG_TYPE_RAW_TRACEPOINT
from pystap.kernel.attach.raw_tracepoint import attach_raw_tracepoint
from pystap.kernel.objects import ProgInfo, enable_stats, prog_fd
from pystap.kernel.prog import load_program
from pystap.kernel.sys import KernelError

from . import scripts
from .load import Load
from .peers import Peer, PeerError, Run
from .rounds import run_rounds
from .table import Row, ns

if TYPE_CHECKING:
    from .plan import Plan
    from .rounds import Numbers

CHUNKS = 40
CALLS = 50_000  # a chunk: some 10 ms, so that most chunks are undisturbed
TARGETS = {"count": 0.65, "count by pid, comm": 0.55, "hist": 0.65}
_ATTACHED = 30.0
_RETURN_0 = bytes.fromhex("b700000000000000 9500000000000000")


def programs_of(pid: int) -> set[int]:
    """Return the ids of the programs that a process holds, by descriptor or by link."""
    found = set()
    folder = f"/proc/{pid}/fdinfo"
    for name in os.listdir(folder):
        try:
            with open(f"{folder}/{name}", encoding="ascii", errors="replace") as file:
                for line in file:
                    if line.startswith("prog_id:"):
                        found.add(int(line.split()[1]))
        except OSError:
            continue
    return found


class Counters:
    """Runs and nanoseconds of programs, as the kernel counts them while statistics are on."""

    def __init__(self, fds: dict[int, int]) -> None:
        self.fds = fds

    @classmethod
    def of(cls, pid: int) -> Counters:
        """Return those of a process's programs."""
        fds = {}
        for number in programs_of(pid):
            try:
                fds[number] = prog_fd(number)
            except KernelError:
                continue
        return cls(fds)

    def read(self) -> dict[int, tuple[int, int]]:
        """Return program -> (ns, runs)."""
        infos = {number: ProgInfo(fd) for number, fd in self.fds.items()}
        return {number: (info.run_time_ns, info.run_cnt) for number, info in infos.items()}

    def close(self) -> None:
        """Let go of the programs."""
        for fd in self.fds.values():
            os.close(fd)


def wait_attached(run: Run, load: Load) -> Counters:
    """Wait until one of the peer's programs runs at each system call."""
    statistics = enable_stats()
    try:
        return _wait_attached(run, load)
    finally:
        os.close(statistics)


def _wait_attached(run: Run, load: Load) -> Counters:
    waited = 0.0
    while waited < _ATTACHED:
        run.rest(0.05)
        waited += 0.05
        counters = Counters.of(run.pid)
        before = counters.read()
        load.chunks(1, 2000)
        after = counters.read()
        if any(after[number][1] - before[number][1] >= 2000 for number in before):
            return counters
        counters.close()
    raise PeerError(f"none of its programs ran within {_ATTACHED:.0f} s; {run.complaint()}")


def _counted(output: bytes, calls: int) -> None:
    """Make sure that the peer has counted the calls (within 1 %; how exact it is, tests say): else it did not work."""
    most = max((int(number) for number in re.findall(rb"(\d+)\D*$", output, re.MULTILINE)), default=0)
    if most < calls * 0.99:
        raise PeerError(f"counted {most} of {calls} calls")


def per_run(counters: Counters, load: Load, chunks: int) -> float:
    """Return ns a run: the median over chunks, of all programs that ran at each call together."""
    took = []
    for _ in range(chunks):
        before = counters.read()
        load.chunks(1, CALLS)
        after = counters.read()
        times = 0.0
        for number, (spent, runs) in after.items():
            if runs - before[number][1] >= CALLS:
                times += (spent - before[number][0]) / (runs - before[number][1])
        took.append(times)
    return median(took)


def floor(load: Load, chunks: int) -> float:
    """Return what the statistics say of a program that returns at once: mostly the price of asking the clock twice."""
    program = load_program(BPF_PROG_TYPE_RAW_TRACEPOINT, _RETURN_0)
    attachment = attach_raw_tracepoint(program, "sys_enter")
    statistics = enable_stats()
    try:
        return per_run(Counters({0: program}), load, chunks)
    finally:
        os.close(statistics)
        attachment.close()
        os.close(program)


class Meter:
    """Measures one script under each peer, with the load on the last CPU and the peer kept off it."""

    def __init__(self, load: Load, cpu: int, name: str, chunks: int) -> None:
        self.load = load
        self.others = set(os.sched_getaffinity(0)) - {cpu} or {cpu}
        self.name = name
        self.chunks = chunks
        self.bare: list[float] = []

    def measure(self, peer: Peer) -> Numbers:
        """Return ns a run and ns added to a call."""
        self.bare.append(self.load.call_ns(self.chunks, CALLS))
        script = scripts.unseen(peer.lang, scripts.syscalls(peer.lang, self.name))
        with Run(peer, script) as run:
            counters = wait_attached(run, self.load)
            statistics = enable_stats()
            os.sched_setaffinity(run.pid, self.others)
            took = per_run(counters, self.load, self.chunks)
            os.close(statistics)
            traced = self.load.call_ns(self.chunks, CALLS)
            counters.close()
            run.stop()
            if self.name in TARGETS:
                _counted(run.output, 2 * self.chunks * CALLS)
        return {"run": took, "added": traced - self._untraced()}

    def _untraced(self) -> float:
        """Return ns of an untraced call: the middle of those so far, as others may trace, too, for a moment."""
        return median(self.bare)


def events(plan: Plan) -> list[Row | None]:
    """Return the rows of the cost of an event at the entry of every system call."""
    cpu = max(os.sched_getaffinity(0))
    load = Load(cpu)
    rows: list[Row | None] = []
    bare: list[float] = []
    try:
        least = floor(load, CHUNKS)
        for name in (*scripts.SYSCALL_BODIES, scripts.TEN):
            if plan.quick and name not in TARGETS:
                continue
            meter = Meter(load, cpu, name, CHUNKS // 4 if plan.quick else CHUNKS)
            meter.bare = bare
            results = run_rounds(plan.peers, plan.rounds(5), meter.measure, name)
            plan.failures += results.failures
            target = TARGETS.get(name)
            for peer in plan.ours:
                rows += [
                    results.row(f"{name}, {peer.lang}: BPF time a run", peer, "run", ns, target),
                    results.row(f"{name}, {peer.lang}: added to a call", peer, "added", ns, target),
                ]
    finally:
        load.close()
    if bare:
        rows.append(Row("a program that returns at once: BPF time a run", [(least, None)], ns))
        rows.append(Row("untraced call", [(value, None) for value in bare], ns))
    return rows
