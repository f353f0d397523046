"""The room that the runs happen in: a private mount namespace with tracefs, and a cache folder of its own.

bpftrace wants tracefs mounted; where it isn't, mounting it for everybody would be a change to the machine.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

_CLONE_NEWNS = 0x20000
_MS_REC_PRIVATE = 0x4000 | 0x40000
_TRACEFS = "/sys/kernel/tracing"


def private_mounts() -> None:
    """Leave the mounts of the others alone, and mount tracefs if it isn't there."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) or libc.mount(b"none", b"/", None, _MS_REC_PRIVATE, None):
        raise OSError(ctypes.get_errno(), "making a private mount namespace")
    if not os.path.isdir(f"{_TRACEFS}/events") and libc.mount(
        b"tracefs", _TRACEFS.encode(), b"tracefs", 0, None
    ):
        raise OSError(ctypes.get_errno(), "mounting tracefs")


def install_bpftrace() -> str | None:
    """Install the distribution's bpftrace where it is missing; return why that failed, or None."""
    if shutil.which("bpftrace"):
        return None
    if not shutil.which("apt-get"):
        return "bpftrace is not installed, and there is no apt-get to install it with"
    print("installing bpftrace from the distribution ...", file=sys.stderr, flush=True)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    words = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "bpftrace"]
    for command in (words, ["apt-get", "update", "-qq"], words):
        done = subprocess.run(
            command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
        )
        if command is words and done.returncode == 0:
            return None
    return f"apt-get could not install bpftrace: {done.stderr.decode('utf-8', 'replace').strip()[-200:]}"


def bpftrace_version() -> str:
    """Return what `bpftrace --version` says."""
    done = subprocess.run(["bpftrace", "--version"], capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().splitlines()[0]


def machine() -> str:
    """Return one line on the machine and its state."""
    names = os.uname()
    load = os.getloadavg()[0]
    cpus = os.cpu_count()
    return f"{names.sysname} {names.release} {names.machine}, {cpus} CPUs, load {load:.2f} when started"


def python() -> str:
    """Return one line on the interpreter that pystap runs under here."""
    return f"Python {sys.version.split()[0]} ({Path(sys.executable).name}, the bench's own)"
