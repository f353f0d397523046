"""System calls of one command by name, against strace's count of the same run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.live.tracer import Tracer

# strace counts the execve that made the command, which began under another name, and can't see an exit return
NOT_COMPARED = {"execve", "exit_group", "exit"}


def strace_counts(log: str) -> dict[str, int]:
    """Return calls by name of `strace -c`'s table."""
    counts: dict[str, int] = {}
    for line in log.splitlines():
        words = line.split()
        if len(words) >= 5 and re.fullmatch(r"[\d.]+", words[0]) and words[-1] != "total":
            counts[words[-1]] = int(words[3])
    return counts


def test_counts_equal_strace(script, stage, tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    command = tmp_path / "sshd"
    shutil.copy("/bin/dd", command)
    log = tmp_path / "strace"
    workload = [str(command), "if=/dev/zero", "of=/dev/null", "bs=16", "count=1500"]
    with Tracer(script("calls-by-name.stp", "004-12.1-syscalls.stp"), stage=stage) as tracer:
        subprocess.run(["strace", "-f", "-c", "-o", str(log), *workload], check=True, capture_output=True)
        wanted = strace_counts(log.read_text())
        tracer.wait_for(f"write = {wanted['write']}\n")
        tracer.wait_for("----\n", tracer.so_far().count("----\n") + 1)
    table = tracer.clean().split("--------------------------------\n")[-2]
    counts = {name: int(n) for name, n in re.findall(r"^(\S+) = (\d+)$", table, re.M)}
    assert counts["write"] >= 1500
    for name in wanted.keys() | counts.keys():
        if name not in NOT_COMPARED:
            assert counts.get(name) == wanted.get(name), (name, counts, wanted)
