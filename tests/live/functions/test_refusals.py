"""Functions that the kernel refuses among many are a warning each, and the others are traced; if all are, that is an error."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live import probing
from tests.live.functions.conftest import CALL, CALLS, rows
from tests.live.tracer import ROOT

# Has pystap take these for all the functions that can be traced; that of a trap can't.
DRIVER = """
import sys
from pystap.kernel import functions
names = sys.argv[1].split(",")
functions._read_traceable = lambda: frozenset(name.encode() for name in names)
sys.argv[1:] = sys.argv[2:]
from pystap.cli.main import main_and_leave
main_and_leave()
"""
CLOSED = "exc_divide_error"
OPEN = (CALL, "__x64_sys_getpgid", "__x64_sys_getsid", "__x64_sys_times", "__x64_sys_sethostname")


def traced(names: tuple[str, ...], rung: list[str], tmp_path: Path, *words: str) -> tuple[int, str, str]:
    """Run pystap over the functions of these names; return status, output and errors."""
    driver = tmp_path / "driver.py"
    driver.write_text(DRIVER)
    done = subprocess.run(
        [sys.executable, driver, ",".join(names), *rung, *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYSTAP_NO_FALLBACK": "1"},
        timeout=120,
    )
    assert "Traceback" not in done.stderr and "E999" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(params=["many", "kprobe"])
def way(request: pytest.FixtureRequest, probes: None) -> tuple[tuple[str, ...], list[str]]:
    """Many functions by what is best for them, and single kprobes."""
    if why := probing.lacks("kprobe"):
        pytest.skip(why)
    rung = ["--attach=kprobe"] if request.param == "kprobe" else []
    return OPEN, rung


@pytest.mark.parametrize("suffix", [".call", ".return"])
def test_one_among_others(
    way: tuple[tuple[str, ...], list[str]], suffix: str, command: str, tmp_path: Path
) -> None:
    names, rung = way
    script = f"""
    global n
    probe kernel.function("*"){suffix} {{ if (pid() == target()) n[ppfunc()]++ }}
    probe end {{ foreach (f in n) printf("%s: %d\\n", f, n[f]) }}
    """
    status, out, err = traced((*names, CLOSED), rung, tmp_path, "-e", script, "-c", command)
    assert status == 0 and rows(out) == {CALL: CALLS}, (status, out, err)
    warnings = re.findall(r"^WARNING: (.*)$", err, re.MULTILINE)
    assert len(warnings) == 1 and CLOSED in warnings[0], err


def test_all_of_them(way: tuple[tuple[str, ...], list[str]], command: str, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    script = 'probe kernel.function("*") { println(ppfunc()) }'
    status, out, err = traced((CLOSED,), way[1], tmp_path, "-e", script, "-c", f"touch {ran}")
    assert status == 1 and not out and CLOSED in err, (status, out, err)
    assert "error[E" in err and not ran.exists()
