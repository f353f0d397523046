"""Workloads that make a known number of getppid() calls, and running a script over one."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.live.tracer import Tracer, run

# argv: calls by each process, processes; each on its own CPU as far as there are any
CALLS = """
import os, sys
calls, processes = int(sys.argv[1]), int(sys.argv[2])
cpus = sorted(os.sched_getaffinity(0))
children = []
for n in range(processes):
    pid = os.fork()
    if pid == 0:
        os.sched_setaffinity(0, {cpus[n % len(cpus)]})
        getppid = os.getppid
        for _ in range(calls):
            getppid()
        os._exit(0)
    children.append(pid)
for pid in children:
    os.waitpid(pid, 0)
"""
# the calls of the workload's children alone
OURS = "probe syscall.getppid { if (ppid() != target()) next; "
OURS_RETURN = OURS.replace("getppid", "getppid.return")


def trace_calls(
    folder: Path,
    script: str,
    calls: int,
    processes: int = 2,
    stage: str = "auto",
    words: tuple[str, ...] = (),
) -> Tracer:
    """Run a script over the workload, to its end."""
    program, path = folder / "calls.py", folder / "script.stp"
    program.write_text(CALLS)
    path.write_text(script)
    command = f"{sys.executable} {program} {calls} {processes}"
    return run("-c", command, *words, str(path), stage=stage)
