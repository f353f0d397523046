"""Tracers that are forks of a warm process are as those that are started afresh."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.tracer import ROOT
from tests.live.warm import Process

ENV = {**os.environ, "PYTHONPATH": str(ROOT)}
MISTAKE = ("-p2", "-e", 'probe begin { println(nothing("here")) }')


def told(process: Process) -> tuple[int, bytes, bytes]:
    with process.stdout, process.stderr:
        return process.wait(), process.stdout.read() or b"", process.stderr.read()


@pytest.mark.parametrize("words", [("-p1", "-e", "probe begin { print(1) }"), MISTAKE, ("--no-such-option",)])
def test_same_output_and_status(words: tuple[str, ...], tmp_path: Path) -> None:
    fresh = subprocess.run(
        [sys.executable, "-m", "pystap", *words], cwd=tmp_path, env=ENV, capture_output=True, check=False
    )
    assert told(Process(words, tmp_path, ENV)) == (fresh.returncode, fresh.stdout, fresh.stderr)


def test_environment_and_folder(tmp_path: Path) -> None:
    (tmp_path / "here.stp").write_text("probe begin { wrong() }\n")
    status, _, err = told(Process(("-p2", "here.stp"), tmp_path, ENV))
    assert status == 1 and b"here.stp:1:15" in err


def test_killed(tmp_path: Path) -> None:
    pipe = tmp_path / "fifo"
    os.mkfifo(pipe)
    process = Process(("-p1", str(pipe)), tmp_path, ENV)  # waits for someone to write
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.kill()
    assert told(process) == (-signal.SIGKILL, b"", b"")
    process.send_signal(signal.SIGINT)  # to one that has ended: nothing happens
