"""Scripts of the sort that people run on their machines: each compiles, runs, and shows what the workload did.

Some probe functions: these run in guests. Natively they must be refused for that reason alone.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.live.tracer import run

HERE = Path(__file__).parent

# script -> what its output must have, as a regular expression; None: what it watches doesn't happen in the workload
SHOWS: dict[str, str | None] = {
    "accepted": r"python3? .* 127\.0\.0\.1 +\d+ +127\.0\.0\.1 +7000 ",
    "averages": None,
    "blockio": None,
    "blocklatency": None,
    "calls": r"@process\[python3?\]: \d+",
    "capabilities": r"python3? +\d+ +\S* +[01]\n",
    "connected": r"python3? +127\.0\.0\.1 +\d+ +127\.0\.0\.1 +7000",
    "cpus": r"\[\d+, \d+\) +\d+ \|",
    "dentries": None,
    "dropped": None,
    "executed": r"/bin/true marked\n",
    "filesystemdist": None,
    "identities": r"(?m)^4294967295 4294967295 4294967295$",
    "killed": r"python3? +10 +\d+ +0\n",
    "lifetimes": r"python3? +127\.0\.0\.1 +\d+ +127\.0\.0\.1 +7000 ",
    "mdflushed": None,
    "napping": r"sleep +0\.050\n",
    "oom": None,
    "opened": r"python3? +\d+ +0 \S*/marked",
    "processes": None,
    "queuelength": r"\[\d+, \d+\) +\d+ \|",
    "retransmitted": None,
    "retransmitted_function": None,
    "runqueue": r"\[\d+\w?, \d+\w?\) +\d+ \|",
    "statted": r"python3? +0 \S*/marked",
    "swapped": None,
    "synbacklog": r"@backlog\[5\]:",
    "synced": r"python3? +tracepoint:syscalls:sys_enter_fsync\n",
    "threads": r"python3? +python3?\n",
    "udpconnected": r"python3? 127\.0\.0\.1 7001\n",
    "unixdumped": r"marked words",
    "vfscounted": r"@\[vfs_read\]: \d+",
    "vfsrates": r"@\[vfs_read\]: \d+",
    "vfsrates_single": None,
    "writtenback": None,
}
# what this kernel may lack
LACKS = re.compile(
    r"this kernel can't probe functions, and '[\w*]+' has no stand-in|this kernel has no function|"
    r"this kernel has no tracepoint|this kernel has no symbol|no function of this kernel matches|can't be traced|has no member 'h_nr_queued'"
)


def test_every_script_is_known() -> None:
    assert {path.stem for path in (HERE / "tools").glob("*.bt")} == set(SHOWS)


@pytest.mark.parametrize("name", sorted(SHOWS))
def test_script_shows_what_was_done(name: str) -> None:
    command = f"{sys.executable} {HERE / 'workloads' / 'work.py'}"
    done = run("-w", "-q", "-c", command, str(HERE / "tools" / f"{name}.bt"))
    errors = [line for line in done.err.split("\n") if line.startswith("error")]
    if errors:
        assert all(LACKS.search(line) for line in errors), done.err
        pytest.skip(errors[0])
    # kernels that let a task be preempted in a program leave out what others would run of it meanwhile, and count that
    left_out = r"WARNING: \d+ runs? skipped: another program was running on that CPU\n(WARNING: inexact for that: .*\n)?"
    unusual = re.sub(left_out, "", done.err)
    assert (done.status, unusual) == (0, ""), done.err
    wanted = SHOWS[name]
    if wanted is not None:
        assert re.search(wanted, done.out), done.out
