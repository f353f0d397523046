"""A start that ends in its middle leaves nothing attached: signals, refusals, mistakes of our own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pystap.kernel.sys import KernelError, mount_detached
from tests.live.tracer import ROOT

# Runs pystap; at the fifth function that is attached to, something happens.
DRIVER = """
import os, signal, sys, time
from pystap.kernel.attach import functions
from pystap.runtime.signals import AT_ONCE
from pystap.kernel.sys import KernelError
what, real, count = sys.argv[1], functions.attach_kprobe, 0
def attach(*words, **named):
    global count
    count += 1
    if count == 5:
        if what.startswith("SIG"):
            os.kill(os.getpid(), getattr(signal, what))
        elif what == "twice":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(2 * AT_ONCE / 1e9)
            os.kill(os.getpid(), signal.SIGINT)
        elif what.isdecimal():
            raise KernelError(int(what), "attaching to a kprobe")
        else:
            raise RuntimeError("a mistake")
    return real(*words, **named)
functions.attach_kprobe = attach
sys.argv[1:] = sys.argv[2:]
from pystap.cli.main import main_and_leave
main_and_leave()
"""
SCRIPT = """
probe begin { println("begin") }
probe kernel.function("tcp_v4_*"), kernel.function("tcp_v4_*").return { }
probe end { println("end") }
probe error { println("error") }
"""


def probes_there() -> str:
    """The kprobes that are armed, as the kernel lists them."""
    try:
        folder = mount_detached("debugfs")
    except KernelError:
        return ""
    try:
        with open(os.open("kprobes/list", os.O_RDONLY, dir_fd=folder)) as file:
            return file.read()
    except OSError:
        return ""
    finally:
        os.close(folder)


@pytest.mark.usefixtures("probes")
@pytest.mark.parametrize(
    ("what", "status", "out", "err"),
    [
        ("SIGINT", 0, "begin\nend\n", ""),
        ("SIGKILL", -signal.SIGKILL, "begin\n", ""),
        ("twice", 1, "begin\n", ""),
        ("mistake", 1, "begin\n", "this is a bug in pystap: RuntimeError: a mistake"),
        ("24", 1, "begin\n", "error[E320]: the kernel refused: attaching to a kprobe: Too many open files"),
    ],
)
def test_in_the_middle_of_attaching(what: str, status: int, out: str, err: str, tmp_path: Path) -> None:
    """The fixture `nothing_left` looks at programs and links; here the kernel's list of kprobes is looked at too."""
    before = probes_there()
    driver = tmp_path / "driver.py"
    driver.write_text(DRIVER)
    held = "-c", f"touch {tmp_path}/ran"
    done = subprocess.run(
        [sys.executable, driver, what, "--attach=kprobe", "-e", SCRIPT, *held],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (status, out), done.stderr
    assert err in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert probes_there() == before
    assert not (tmp_path / "ran").exists(), "the command ran though nothing was traced"
