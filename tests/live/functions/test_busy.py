"""More tasks than CPUs make events all the time: none is left out, as no task is preempted in a program.

Guests have a scheduler that hardly preempts, for the sake of other tests: here it does, as on a usual machine.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.tracer import run

TASKS = 2 * (os.cpu_count() or 1)
CALLS = 10000
WORK = f"""
import os
for _ in range({TASKS}):
    if not os.fork():
        for _ in range({CALLS}):
            os.getpgid(0)
        os._exit(0)
for _ in range({TASKS}):
    os.wait()
"""
SCRIPTS = {
    "calls": 'syscall.getpgid { if (execname() == "busywork") n[name] <<< $pid == 0 }\n'
    'probe syscall.getpgid.return { if (execname() == "busywork") n["return"] <<< $return > 0 }',
    "functions": 'kernel.function("do_getpgid") { if (execname() == "busywork") n[ppfunc()] <<< $pid == 0 }\n'
    'probe kernel.function("do_getpgid").return { if (execname() == "busywork") n["return"] <<< $return > 0 }',
}
END = '\nglobal n\nprobe end { foreach (k in n) printf("%s %d %d\\n", k, @count(n[k]), @sum(n[k])) }'
SCHEDULER = Path("/sys/kernel/debug/sched")


@pytest.fixture
def usual_scheduler() -> Iterator[None]:
    """In a guest the scheduler's usual ways."""
    if not Path("/guest/command").exists() or not (SCHEDULER / "base_slice_ns").exists():
        yield
        return
    long = (SCHEDULER / "base_slice_ns").read_text()
    (SCHEDULER / "features").write_text("WAKEUP_PREEMPTION")
    (SCHEDULER / "base_slice_ns").write_text("2800000")
    yield
    (SCHEDULER / "features").write_text("NO_WAKEUP_PREEMPTION")
    (SCHEDULER / "base_slice_ns").write_text(long)


@pytest.mark.parametrize("what", SCRIPTS)
def test_nothing_is_left_out(
    request: pytest.FixtureRequest, usual_scheduler: None, what: str, tmp_path: Path
) -> None:
    if what == "functions":
        request.getfixturevalue("probes")
    work = tmp_path / "work.py"
    work.write_text("open('/proc/self/comm', 'w').write('busywork')\n" + WORK)
    done = run("-c", f"{sys.executable} -I -S {work}", "-e", f"probe {SCRIPTS[what]}{END}")
    name = {"calls": "getpgid", "functions": "do_getpgid"}[what]
    each = f"{TASKS * CALLS} {TASKS * CALLS}"
    assert (done.status, done.err) == (0, ""), done.err
    assert sorted(done.out.splitlines()) == sorted([f"{name} {each}", f"return {each}"]), done.out
