"""A kernel without type information, as another filesystem over /sys/kernel/btf makes it look: what works, what says why."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.live import probing
from tests.live.functions.test_points import CALL, CALLS, rows
from tests.live.tracer import ROOT

HIDE = 'mount -t tmpfs none /sys/kernel/btf && exec "$0" -m pystap "$@"'


def untyped(*words: str) -> subprocess.CompletedProcess[str]:
    """Run pystap where the kernel's types can't be found."""
    command = ["unshare", "-m", "sh", "-c", HIDE, sys.executable, *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYSTAP_NO_FALLBACK": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env, timeout=120)
    assert "Traceback" not in done.stderr and "E999" not in done.stderr, done.stderr
    return done


def test_system_calls_and_tracepoints(command: str) -> None:
    """Numbers, arguments and results; tracepoints by their names."""
    script = """
    global n
    probe syscall.getppid { if (pid() == target()) n[name]++ }
    probe syscall.pread.return { if (pid() == target() && $return == 1) n[name]++ }
    probe syscall.pread { if (pid() == target() && count == 1) n["count"]++ }
    probe kernel.trace("sched_process_e*") { if (pid() == target()) n[$$name]++ }
    probe end { foreach (k in n) printf("%s: %d\\n", k, n[k]) }
    """
    done = untyped("-e", script, "-c", command)
    found = rows(done.stdout)
    assert done.returncode == 0, done.stderr
    assert found["getppid"] == CALLS and found["pread64"] == found["count"] == 5, (found, done.stderr)
    assert found["sched_process_exec"] == found["sched_process_exit"] == 1, found


def test_tracepoints_of_bpftrace(command: str) -> None:
    """By their names, too; they have no arguments, and are listed."""
    script = """
    tracepoint:sched:sched_process_exe* /pid == cpid/ { @n["exec"] = count(); }
    rawtracepoint:sched_process_exit /tid == cpid/ { @n["exit"] = count(); }
    """
    done = untyped("--lang=bt", "-e", script, "-c", command)
    assert done.returncode == 0, done.stderr
    assert "@n[exec]: 1\n" in done.stdout and "@n[exit]: 1\n" in done.stdout, done.stdout
    for point, code, said in (
        ("tracepoint:sched:sched_switch { print(args.prev_comm); }", "E230", "no type information (BTF)"),
        ("tracepoint:foo:sched_switch { print(1); }", "E303", "did you mean 'sched:sched_switch'?"),
        ("tracepoint:sched:sched_swich { print(1); }", "E303", "did you mean 'sched_switch'?"),
    ):
        done = untyped("-p3", "--lang=bt", "-e", point)
        assert done.returncode == 1 and f"error[{code}]" in done.stderr and said in done.stderr, done.stderr
    assert 'sched_switch")\n' in untyped("-l", 'kernel.trace("sched_swi*")').stdout


@pytest.mark.usefixtures("probes")
def test_functions(command: str) -> None:
    """By kprobes: calls, returns, arguments by number, many at once."""
    script = f"""
    global n
    probe kernel.function("{CALL}") {{ if (pid() == target()) n["call"]++ }}
    probe kernel.function("{CALL}").return {{ if (pid() == target() && returnval() == 18) n["return"]++ }}
    probe kernel.function("__x64_sys_umas*") {{ if (pid() == target()) n[ppfunc()]++ }}
    probe kernel.function("vfs_read") {{ if (pid() == target() && ulong_arg(3) == 1) n["vfs_read"]++ }}
    probe end {{ foreach (k in n) printf("%s: %d\\n", k, n[k]) }}
    """
    done = untyped("-e", script, "-c", command)
    assert done.returncode == 0, done.stderr
    found = rows(done.stdout)
    assert found["call"] == found["return"] == found[CALL] == CALLS, (found, done.stderr)
    assert found["vfs_read"] >= 12, found


@pytest.mark.parametrize(
    ("point", "body", "words"),
    [
        ('kernel.trace("sched_switch")', "println($next->pid)", "'$next' needs the kernel's type information (BTF)"),
        ('kernel.trace("sched_swich")', "", "did you mean 'sched_switch'?"),
        ("begin", "println(task_execname(task_current()))", "which is called here"),
    ],
)  # fmt: skip
def test_says_what_lacks(point: str, body: str, words: str) -> None:
    done = untyped("-p2", "-e", f"probe {point} {{ {body} }}")
    assert done.returncode == 1 and words in done.stderr, done.stderr
    assert "without it there are" in done.stderr, done.stderr


@pytest.mark.usefixtures("probes")
def test_parameters_say_what_lacks() -> None:
    for body in ("println($count)", "println($$parms)"):
        done = untyped("-p2", "-e", f'probe kernel.function("vfs_read") {{ {body} }}')
        assert done.returncode == 1 and "can't be read in function vfs_read" in done.stderr, done.stderr
        assert "pointer_arg(1), int_arg(2)" in done.stderr
    if not probing.lacks("fentry"):
        done = untyped("--attach=fentry", "-e", 'probe kernel.function("vfs_read") { exit() }')
        assert done.returncode == 1 and "fentry" in done.stderr, done.stderr
