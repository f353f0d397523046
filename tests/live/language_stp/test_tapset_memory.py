"""The functions that tell a process's size and zone, beside what /proc and the C library say."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.live.tracer import run


def test_sizes_are_those_of_proc() -> None:
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(b"x\n")
        child.stdin.flush()
        child.stdout.readline()  # it runs its own program now
        names = ("size", "rss", "shr", "txt", "data")
        calls = ", ".join(f"proc_mem_{name}({child.pid}), proc_mem_{name}_pid({child.pid})" for name in names)
        done = run("-e", f'probe begin {{ printf("{"%d " * 10}\\n", {calls}) exit() }}')
        known = [int(word) for word in Path(f"/proc/{child.pid}/statm").read_text().split()]
        child.stdin.close()
    assert done.status == 0, done.err
    got = [int(word) for word in done.out.split()]
    assert got[::2] == got[1::2]
    size, rss, shr, txt, data = got[::2]
    assert (size, txt, data) == (known[0], known[3], known[5])
    # the counters lack what the processors have not handed in yet
    behind = 3 * max(32, 2 * (os.cpu_count() or 1)) * (os.cpu_count() or 1)
    assert abs(rss - known[1]) <= behind
    assert abs(shr - known[2]) <= behind
    assert rss > 0


def test_zone() -> None:
    old = os.environ.get("TZ")
    os.environ["TZ"] = "XYZ5"  # no summer time: five hours west
    try:
        done = run("-e", 'probe begin { printf("%s %d\\n", tz_name(), tz_gmtoff()) exit() }')
    finally:
        if old is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = old
    assert done.out == "XYZ 18000\n", done.err
