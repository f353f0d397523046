"""Returns of system calls that aren't told apart by the thread's number, or the call's."""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.tracer import Tracer, run

LAST = Path("/proc/sys/kernel/ns_last_pid")
CHILDREN = 40
# each child gets the number of the one before, if nobody else was quicker
FORKS = f"""
import os
last = os.open("{LAST}", os.O_WRONLY)
same = set()
for _ in range({CHILDREN}):
    pid = os.fork()
    if not pid:
        os.getppid()
        os._exit(0)
    os.waitpid(pid, 0)
    same.add(pid)
    os.pwrite(last, str(pid - 1).encode(), 0)
if len(same) == {CHILDREN}:
    os._exit(9)
"""
# the first thread is in a call from before; the other one takes over its number with execve
EXECS = """
import os, sys, threading
def other():
    os.read(0, 1)
    os.execv("/bin/true", ["true"])
threading.Thread(target=other).start()
os.read(os.pipe()[0], 1)
"""


@pytest.mark.skipif(not LAST.exists(), reason="this kernel doesn't say which number is next")
def test_a_fork_returns_once(tmp_path: Path) -> None:
    """In the child, which never made the call, it isn't seen, also if a thread of the same number was seen before."""
    (tmp_path / "forks.py").write_text(FORKS)
    script = "global n, m\nprobe syscall.{clone,clone3,fork,vfork}.return {\n"
    script += "  if (pid() == target()) n++; else if (ppid() == target()) m++ }\n"
    script += 'probe end { printf("%d %d\\n", n, m) }\n'
    done = run("-c", f"{sys.executable} -I -S {tmp_path}/forks.py", "-e", script)
    if "ended with status 9" in done.err:
        pytest.skip("every number was taken by somebody else meanwhile")
    assert done.clean() == f"{CHILDREN} 0\n"


def test_execve_returns_in_the_thread_that_called_it() -> None:
    """Its number is another one then, of a thread that hasn't been seen."""
    process = subprocess.Popen([sys.executable, "-c", EXECS], stdin=subprocess.PIPE)
    try:
        tasks = Path(f"/proc/{process.pid}/task")
        while sum((one / "syscall").read_text().startswith("0 ") for one in tasks.iterdir()) < 2:
            pass  # both wait in read()
        script = (
            'probe syscall.execve.return { if (pid() == target()) printf("%s %d\\n", execname(), retval) }'
        )
        with Tracer("-x", str(process.pid), "-e", script) as tracer:
            assert process.stdin is not None
            process.stdin.write(b"x")
            process.stdin.flush()
            tracer.wait_for("\n")
            tracer.wait()
        assert tracer.clean() == "true 0\n"
    finally:
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


SIGNALS = """
import os, signal
signal.signal(signal.SIGUSR1, lambda *_: None)
for _ in range(30):
    os.kill(os.getpid(), signal.SIGUSR1)
"""


def test_the_return_of_a_signals_handler() -> None:
    """The kernel tells of it without the call's number."""
    script = "global a, b, n\nprobe syscall.rt_sigreturn { if (pid() == target()) a++ }\n"
    script += 'probe syscall.rt_sigreturn.return { if (pid() == target()) { b++; if (name == "rt_sigreturn") n++ } }\n'
    script += 'probe end { printf("%d %d %d\\n", a, b, n) }\n'
    done = run("-c", f"{sys.executable} -I -S -c {shlex.quote(SIGNALS)}", "-e", script)
    assert done.clean() == "30 30 30\n"


# seccomp refuses one call, by its number, before the kernel tells of its entry; its return is told of
REFUSED = """
import ctypes, struct
libc = ctypes.CDLL(None)
rules = [(0x20, 0, 0, 0), (0x15, 0, 1, 146), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *rule) for rule in rules))
program = ctypes.create_string_buffer(struct.pack("<H6xQ", len(rules), ctypes.addressof(code)))
for turn in range(2):
    for _ in range(20):
        assert libc.syscall(146, 1) == (-1 if turn else 99)
        libc.getppid()
    assert turn or not libc.prctl(38, 1, 0, 0, 0) and not libc.prctl(22, 2, program, 0, 0)
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are x86-64's")
@pytest.mark.parametrize("name", ["sched_get_priority_max", "*"])
def test_refused_calls_have_neither_entry_nor_return(name: str) -> None:
    script = "global a, b\nprobe syscall.sched_get_priority_max { if (pid() == target()) a++ }\n"
    script += (
        f'probe syscall.{name}.return {{ if (pid() == target() && name == "sched_get_priority_max") b++ }}\n'
    )
    script += "probe syscall.getppid.return { }\n"
    script += 'probe end { printf("%d %d\\n", a, b) }\n'
    done = run("-c", f"{sys.executable} -I -S -c {shlex.quote(REFUSED)}", "-e", script)
    assert done.clean() == "20 20\n"
