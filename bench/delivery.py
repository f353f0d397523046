"""Figures of delivery: how many lines a second arrive without a loss, and that lines and skipped runs add up exactly."""

from __future__ import annotations

import os
import re
import tempfile
import time
from struct import Struct
from typing import TYPE_CHECKING

from pystap.bpf import consts_gen as abi
from pystap.kernel.cpus import possible_cpus
from pystap.kernel.maps import Map
from pystap.kernel.sys import KernelError, bpf
from pystap.program import CPU_SKIPPED, CPU_SKIPPED_OTHER

from . import scripts
from .events import wait_attached
from .load import NUMBER, Load
from .peers import Peer, PeerError, Run, Usage
from .rounds import run_rounds
from .table import Row, ns, share

if TYPE_CHECKING:
    from .plan import Plan
    from .rounds import Numbers

SLICE = 0.002  # seconds: how evenly events are spread
LASTS = 0.5  # seconds at each rate
FIRST = 25_000  # events a second: where the search begins
STEPS = 4  # halvings between the last rate without a loss and the first with one
SETTLED = 0.25
BUSY = 1_000_000  # calls on each CPU
RATE = 8.0  # at least so many times the peer's rate
CPU_LINE = 0.15
_ID = Struct("<IIII")


class _Output:
    """The file that a run prints to, of which lines are counted as they come."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.at = 0

    def new_lines(self, run: Run) -> int:
        """Wait until nothing comes any more; return how many lines about the load's call have come since."""
        size = -1
        while (now := os.stat(self.path).st_size) != size:
            size = now
            run.rest(SETTLED)
        with open(self.path, "rb") as file:
            file.seek(self.at)
            found = file.read(size - self.at)
        self.at = size
        return found.count(b" %d\n" % NUMBER)


def _made(load: Load, rate: float) -> tuple[int, float]:
    """Make calls at a rate for a while; return how many, and at what rate it really was."""
    calls = max(1, int(rate * SLICE))
    begun = time.monotonic()
    made = 0
    while (ran := time.monotonic() - begun) < LASTS:
        left = made / rate - ran
        if left > 0:
            time.sleep(left)
        load.chunks(1, calls)
        made += calls
    return made, made / (time.monotonic() - begun)


def _highest(run: Run, load: Load, output: _Output) -> float:
    """Return the highest rate at which no line is lost."""
    good, bad, fastest = 0.0, 0.0, 0.0
    rate, halvings = float(FIRST), 0
    while halvings < STEPS:
        real, lost = _best_of_two(run, load, output, rate)
        if not lost:
            good = max(good, real)
            if real < rate * 0.9:  # the traced process itself can't go faster
                return max(good, fastest)
            fastest = max(fastest, real)
        else:
            bad = rate
        if bad:
            halvings += 1
            rate = (max(good, FIRST / 4) * bad) ** 0.5
        else:
            rate *= 2
    if not good:
        raise PeerError(f"loses lines at {FIRST} events a second")
    return good


def _best_of_two(run: Run, load: Load, output: _Output, rate: float) -> tuple[float, int]:
    """Return (the rate that it really was, lines lost); what else runs on the machine may spoil one of two tries."""
    made, real = _made(load, rate)
    lost = made - output.new_lines(run)
    if lost:
        made, real = _made(load, rate)
        lost = made - output.new_lines(run)
    return real, lost


def _measure(peer: Peer, load: Load, cpu: int) -> Numbers:
    """Return ns between two events at the highest rate (the less the better), and CPU ns a line at an easy one."""
    script = scripts.unseen(peer.lang, scripts.each_call(peer.lang, load.process.pid))
    with (
        tempfile.NamedTemporaryFile(prefix="bench-", dir="/dev/shm") as file,
        Run(peer, script, to=file.name) as run,
    ):
        wait_attached(run, load).close()
        os.sched_setaffinity(run.pid, os.sched_getaffinity(0) - {cpu} or {cpu})
        output = _Output(file.name)
        output.new_lines(run)
        before = Usage(run.pid).cpu
        _made(load, 2 * FIRST)
        got = output.new_lines(run)
        line = (Usage(run.pid).cpu - before) / max(got, 1)
        highest = _highest(run, load, output)
        run.stop()
    return {"rate": highest, "line": line * 1e9}


class _AtLeast(Row):
    """A row whose ratio is to be at least the target."""

    def cells(self) -> tuple[str, ...]:
        """Return the cells, with the verdict turned round."""
        cells = super().cells()
        ratios = self.ratios()
        if not ratios or self.target is None:
            return cells
        return (
            *cells[:5],
            f">= {self.target:g}",
            "ok" if ratios[len(ratios) // 2] >= self.target else "under",
        )


def _rate(value: float) -> str:
    return f"{value / 1e3:.0f} k/s"


def delivery(plan: Plan) -> list[Row | None]:
    """Return the rows of rates without a loss, and of both CPUs busy."""
    cpu = max(os.sched_getaffinity(0))
    load = Load(cpu)
    rows: list[Row | None] = []
    try:
        results = run_rounds(plan.peers, plan.rounds(5), lambda peer: _measure(peer, load, cpu), "delivery")
    finally:
        load.close()
    plan.failures += results.failures
    for peer in plan.ours:
        rate = results.row(f"printf, {peer.lang}: highest rate without loss", peer, "rate", _rate, RATE)
        if rate is not None:
            rows.append(_AtLeast(rate.name, rate.pairs, rate.show, rate.target))
        name = f"printf, {peer.lang}: tracer's CPU a line at {2 * FIRST // 1000} k/s"
        rows.append(results.row(name, peer, "line", ns, CPU_LINE))
        rows += _busy(plan, peer)
    return rows


# -- every CPU busy


_BUSY = {
    "bt": 'tracepoint:raw_syscalls:sys_enter /args->id == {nr} && ({pids})/ {{ printf("%d\\n", cpu); }}\n',
    "stp": 'probe kernel.trace("sys_enter") {{ if ($id == {nr} && ({pids})) printf("%d\\n", cpu()) }}\n',
}
_PID = {"bt": "pid == {0}", "stp": "pid() == {0}"}


def _skipped(pid: int) -> list[int]:
    """Return the runs that were skipped on each CPU, from the map that the tracer counts them in."""
    count = len(possible_cpus())
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        with open(f"/proc/{pid}/fdinfo/{name}", encoding="ascii", errors="replace") as file:
            facts = dict(line.split(":", 1) for line in file if ":" in line)
        if "map_id" not in facts or int(facts["map_type"]) != abi.BPF_MAP_TYPE_PERCPU_ARRAY:
            continue
        if (int(facts["value_size"]), int(facts["max_entries"])) != (16, 1):
            continue
        fd = bpf(
            abi.BPF_MAP_GET_FD_BY_ID, bytearray(_ID.pack(int(facts["map_id"]), 0, 0, 0)), "opening a map"
        )
        table = Map(fd, abi.BPF_MAP_TYPE_PERCPU_ARRAY, 4, 16, 1, 0, "cpu")
        values = table.cpu_values(table.lookup(bytes(4)) or b"")
        table.close()
        word = Struct("<Q")
        return [
            word.unpack_from(v, CPU_SKIPPED)[0] + word.unpack_from(v, CPU_SKIPPED_OTHER)[0] for v in values
        ]
    return [0] * count


def _busy(plan: Plan, peer: Peer) -> list[Row | None]:
    """Make calls on every CPU at once, as fast as they go; what is missing on any CPU is a failure."""
    loads = {cpu: Load(cpu) for cpu in sorted(os.sched_getaffinity(0))}
    lost: list[tuple[float, float | None]] = []
    try:
        for _ in range(plan.rounds(3)):
            try:
                lost.append((_one_busy(peer, loads), None))
            except (PeerError, KernelError) as error:
                plan.failures.append(f"every CPU busy: {peer.name}: {error}")
                break
    finally:
        for load in loads.values():
            load.close()
    name = f"printf, {peer.lang}, every CPU busy: runs skipped, all of them counted"
    return [Row(name, lost, share)] if lost else []


def _one_busy(peer: Peer, loads: dict[int, Load]) -> float:
    """Return the share that was skipped; PeerError unless lines and skipped runs of each CPU are the calls made."""
    pids = " || ".join(_PID[peer.lang].format(load.process.pid) for load in loads.values())
    script = scripts.unseen(peer.lang, _BUSY[peer.lang].format(nr=NUMBER, pids=pids))
    made = dict.fromkeys(loads, 0)
    with tempfile.NamedTemporaryFile(prefix="bench-", dir="/dev/shm") as file:
        with Run(peer, script, to=file.name) as run:
            first = next(iter(loads.values()))
            wait_attached(run, first).close()
            output = _Output(file.name)
            output.new_lines(run)
            with open(file.name, "rb") as out:
                already = out.read()
            skipped = _skipped(run.pid)
            for load in loads.values():
                assert load.process.stdin is not None
                load.process.stdin.write(f"1 {BUSY}\n")
                load.process.stdin.flush()
            for cpu, load in loads.items():
                assert load.process.stdout is not None
                load.process.stdout.readline()
                made[cpu] = BUSY
            output.new_lines(run)
            skipped = [now - before for now, before in zip(_skipped(run.pid), skipped, strict=True)]
            run.stop()
        with open(file.name, "rb") as out:
            lines = re.findall(rb"^(\d+)$", out.read()[len(already) :], re.MULTILINE)
    for cpu in loads:
        got = lines.count(b"%d" % cpu)
        if got + skipped[cpu] != made[cpu]:
            raise PeerError(f"CPU {cpu}: {got} lines and {skipped[cpu]} skipped runs of {made[cpu]} calls")
    return sum(skipped) / sum(made.values())
