"""What the kernel leaves out of kprobes is counted and said.

Handlers, as another kprobe is being handled on that CPU: a program's copy of a string from the kernel is a function of
the kernel itself, and a kprobe there never runs for it. And returns, of which the kernel follows so many at a time.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.live import probing
from tests.live.tracer import run

CALLS = 20
NESTED = """
kprobe:strncpy_from_kernel_nofault /pid == cpid/ { @inner = count(); }
kprobe:do_sys_openat2 /pid == cpid && str(uptr(arg1)) == "/no/such/place"/ { @outer[str(kptr(kaddr("linux_banner")))] = count(); }
"""
OPENS = f"""
import os
for _ in range({CALLS}):
    try:
        os.open("/no/such/place", 0)
    except OSError:
        pass
"""
LAST_CALL = "os.getpgid(0)\n"
# who ends the run doesn't matter
EXIT = 'tracepoint:syscalls:sys_enter_getpgid /pid == cpid/ { printf("%s", strftime("", 0)); exit(); }\n'
READERS = 60  # more than twice as many as there are CPUs, and more than 10
RETURNS = """
kretprobe:anon_pipe_read /comm == "leftout"/ { @n++; }
END { printf("seen %d\\n", @n); clear(@n); }
"""
READS = f"""
import os, sys
inner, outer = os.pipe()
children = []
for _ in range({READERS}):
    if not (pid := os.fork()):
        os.close(outer)
        open("/proc/self/comm", "w").write("leftout")
        os.read(inner, 1)
        os._exit(0)
    children.append(pid)
for pid in children:
    while True:
        name, _, rest = open(f"/proc/{{pid}}/stat").read().rpartition(") ")
        if name.endswith("(leftout") and rest[0] == "S":
            break
os.close(outer)
for pid in children:
    os.waitpid(pid, 0)
"""


@pytest.fixture(params=["kprobe", "kprobe_multi"])
def attach(request: pytest.FixtureRequest) -> str:
    if why := probing.lacks(request.param):
        pytest.skip(why)
    return f"--attach={request.param}"


def workload(path: Path, text: str) -> str:
    path.write_text(text)
    return f"{sys.executable} -I -S {path}"


@pytest.mark.parametrize("last", ["", EXIT], ids=["end", "exit"])
def test_nested(attach: str, tmp_path: Path, last: str) -> None:
    words = ("-c", workload(tmp_path / "work.py", OPENS + LAST_CALL), "-e", NESTED + last)
    done = run("--lang", "bt", "-q", attach, *words)
    assert done.status == 0, done.err
    outer = re.search(r"^@outer\[Linux version.*\n?\]: (\d+)$", done.out, re.M)
    assert outer and int(outer[1]) == CALLS, done.out
    said = re.search(
        r"^WARNING: (\d+) runs skipped: another program was running on that CPU$", done.err, re.M
    )
    assert said and int(said[1]) >= CALLS, (done.out, done.err)
    assert "inexact for that: @inner, @outer" in done.err


def test_returns(attach: str, tmp_path: Path) -> None:
    script = RETURNS
    if " anon_pipe_read\n" not in Path("/proc/kallsyms").read_text():
        script = script.replace("anon_pipe_read", "pipe_read")  # its name before 6.14
    done = run("--lang", "bt", "-q", attach, "-c", workload(tmp_path / "work.py", READS), "-e", script)
    assert done.status == 0, done.err
    seen = re.search(r"^seen (\d+)$", done.out, re.M)
    said = re.search(r"^WARNING: (\d+) runs? at returns skipped: too many calls that hadn't", done.err, re.M)
    assert seen and int(seen[1]) + int(said[1] if said else 0) == READERS, (done.out, done.err)
    assert said or attach.endswith("multi"), done.err
