"""What attaching to many kernel functions takes: system calls, programs, instructions, seconds; beside bpftrace.

    python3 -m bench.attaching [PATTERN]

prints a table; PATTERN picks its rows ("bridge.*bpftrace"). It needs root, strace, a kernel that can probe functions and
the module `bridge`: a guest has them (docs/guests.md). Each row is one run under strace, which only stops at the calls
that it counts.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

from pystap.kernel.objects import ProgInfo, link_ids, prog_fd, prog_ids
from pystap.kernel.sys import KernelError

if TYPE_CHECKING:
    from collections.abc import Sequence

PYSTAP = (sys.executable, "-m", "pystap", "-v", "-e")
SOCKET = 'kernel.function("*@net/socket.c")'
BRIDGE = 'module("bridge").function("*")'
TRACED = "bpf,perf_event_open,ioctl"
LONGEST = 560  # seconds that a run may take


class Failed(Exception):
    """A tracer that ended before it was ready; its last line."""


class Run:
    """One run of a tracer, until it is told to end."""

    def __init__(self, command: Sequence[str], ready: bytes) -> None:
        self.before = set(prog_ids()), set(link_ids())
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        assert self.process.stdout is not None
        text = b""
        while ready not in text:
            line = self.process.stdout.readline()
            if not line:
                raise Failed(text.decode("utf-8", "replace").strip().rpartition("\n")[2])
            text += line
        self.ready = time.monotonic() - self.began

    def loaded(self) -> tuple[int, int, int]:
        """Return how many programs, instructions and links have come."""
        progs = set(prog_ids()) - self.before[0]
        return len(progs), sum(map(_insns, progs)), len(set(link_ids()) - self.before[1])

    def stop(self) -> float:
        """End it; return the seconds that it takes."""
        began = time.monotonic()
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.communicate(timeout=LONGEST)
        return time.monotonic() - began


def _insns(program: int) -> int:
    try:
        fd = prog_fd(program)
    except KernelError:
        return 0
    try:
        return ProgInfo(fd).insns
    finally:
        os.close(fd)


def row(name: str, tracer: str, command: Sequence[str], ready: bytes) -> str:
    """Return a line of the table."""
    with tempfile.NamedTemporaryFile() as told:
        strace = ("strace", "-f", "--seccomp-bpf", "-qq", "-e", f"trace={TRACED}", "-o", told.name)
        try:
            run = Run((*strace, *command), ready)
        except Failed as error:
            return f"| {name} | {tracer} | failed: {error} |"
        progs, insns, links = run.loaded()
        stop = run.stop()
        text = told.read().decode("utf-8", "replace")
    found = re.findall(r"^\d+ +(bpf|perf_event_open|ioctl(?=\([^,]*, PERF))\b", text, re.MULTILINE)
    calls = " + ".join(str(found.count(name)) for name in TRACED.split(","))
    return f"| {name} | {tracer} | {calls} | {links} | {progs} | {insns} | {run.ready:.1f} | {stop:.1f} |"


def symbols(point: str) -> list[str]:
    """Return the symbols of the functions that a probe point means."""
    from pystap.cli.live import live_target
    from pystap.compiler import compile_script
    from pystap.diag import Bag
    from pystap.options import Options
    from pystap.source import Source

    script = Source("t.stp", f"global n probe {point} {{ n++ }}")
    program = compile_script(script, "stp", live_target(), Options(attach="kprobe"), Bag())
    assert program is not None
    return sorted({one[3] for prog in program.progs for one in prog.args["functions"]})


def bpftrace(point: str) -> tuple[str, ...]:
    """Return bpftrace's command for the same functions, as far as it knows them."""
    module = "bridge" if "bridge" in point else ""
    listed = subprocess.run(
        ["bpftrace", "-l", f"kprobe:{module or 'vmlinux'}:*"], capture_output=True, text=True
    )
    known = {line.rpartition(":")[2] for line in listed.stdout.split()}
    names = [name for name in symbols(point) if name in known]
    print(f"# {point}: {len(symbols(point))} functions, of which bpftrace knows {len(names)}")
    before = f"{module}:" if module else ""
    entries = ",".join(f"kprobe:{before}{name}" for name in names)
    returns = ",".join(f"kretprobe:{before}{name}" for name in names)
    if module:
        entries, returns = f"kprobe:{module}:*", f"kretprobe:{module}:*"
    text = f'BEGIN {{ printf("ready\\n"); }} {entries} {{ @a[func] = count(); }} {returns} {{ @b[func] = count(); }}'
    return ("bpftrace", "-B", "line", "-e", text)


def main() -> None:
    """Print the table."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (16384, 16384))
    os.environ["BPFTRACE_MAX_PROBES"] = "4096"
    os.environ["BPFTRACE_MAX_BPF_PROGS"] = "4096"
    wanted = re.compile(sys.argv[1] if len(sys.argv) > 1 else "")
    subprocess.run(["modprobe", "bridge"], check=True)
    print(f"{os.uname().release}\n")
    print(
        "| functions | tracer | bpf + perf_event_open + ioctl | links | programs | instructions | s to start | s to stop |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---:|", flush=True)
    for point in (SOCKET, BRIDGE):
        text = f"global a, b probe {point}.call {{ a[ppfunc()]++ }} probe {point}.return {{ b[ppfunc()]++ }}"
        for words in ((), ("--attach=kprobe",)):
            tracer = " ".join(("pystap", *words))
            if wanted.search(f"{point} {tracer}"):
                print(row(point, tracer, (*PYSTAP, text, *words), b"Pass 5: starting"), flush=True)
        if wanted.search(f"{point} bpftrace"):
            print(row(point, "bpftrace", bpftrace(point), b"ready"), flush=True)


if __name__ == "__main__":
    main()
