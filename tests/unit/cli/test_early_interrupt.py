"""Ctrl-C while the command is still being imported, or has nothing to run yet: it ends, and Python says nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent.parent
RUN = """
import os, runpy, signal, sys
class Finder:
    def find_spec(name, path, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)
if sys.argv[2] == "ignored":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.meta_path.insert(0, Finder)
sys.argv[1:] = ["--version"]
runpy.run_module("pystap", run_name="__main__")
"""


def run(module: str, how: str) -> subprocess.CompletedProcess[str]:
    """A run that is interrupted as it begins to import a module."""
    command = [sys.executable, "-c", RUN.replace("sys.argv[1]", repr(module), 1), module, how]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "module, status",
    [("pystap.cli.main", -signal.SIGINT), ("pystap.diag", -signal.SIGINT), ("pystap.cli.help", 130)],
)
def test_interrupted(module: str, status: int) -> None:
    done = run(module, "handled")
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


@pytest.mark.parametrize("module", ["pystap.cli.main", "pystap.cli.help"])
def test_a_signal_that_is_ignored_stays_so(module: str) -> None:
    done = run(module, "ignored")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("pystap ")
