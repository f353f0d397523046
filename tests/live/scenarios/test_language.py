"""Scripts without kernel events: begin, end, timers, arrays in order, kernel reads."""

from __future__ import annotations

import re
import time
from pathlib import Path

from tests.live.tracer import Tracer, run


def test_periodic_report(script, stage) -> None:
    with Tracer(script("ticks.stp", "004-11-async.stp"), stage=stage) as tracer:
        first = int(time.time())
        tracer.wait_for("COUNT=2\n")
        last = int(time.time())
    lines = tracer.clean().splitlines()
    assert lines[0] == "---BEGIN---"
    ticks = [re.fullmatch(r"TIME=(.*), COUNT=(\d+)", line) for line in lines[1:-2]]
    assert len(ticks) >= 2
    assert [int(t[2]) for t in ticks if t] == list(range(1, len(ticks) + 1))
    stamp = ticks[0]
    assert stamp and stamp[1] in {
        time.strftime("%a %b %e %H:%M:%S %Y %Z", time.localtime(s)) for s in range(first, last + 1)
    }, stamp[1]
    assert lines[-2:] == ["---END---", f"COUNT={len(ticks)}"]


def test_foreach_up(script, stage) -> None:
    done = run(script("foreach-up.stp", "004-14.1-foreach-up.stp"), stage=stage)
    assert done.clean() == "".join(f"test[{n}] = {n}\n" for n in range(5))


def test_foreach_down(script, stage) -> None:
    done = run(script("foreach-down.stp", "004-14.2-foreach-down.stp"), stage=stage)
    assert done.clean() == "".join(f"test[{n}] = {n}\n" for n in range(4, -1, -1))


def test_kernel_reads_in_begin(script, stage) -> None:
    tracer = Tracer(script("tasks.stp", "004-5.11-task.stp"), stage=stage, until_ready=False)
    tracer.wait()
    init, name, current, own = tracer.clean().splitlines()
    assert re.fullmatch(r"0x[0-9a-f]{16}", init) and re.fullmatch(r"0x[0-9a-f]{16}", current)
    assert init != current
    assert name == Path("/proc/1/comm").read_text().strip()
    assert own == Path("/proc/self/comm").read_text().strip() or own.startswith(("python", "pystap"))
