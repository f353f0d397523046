"""The command on the live kernel: -c, -x, -T, passes, users without rights."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.tracer import PATIENCE, ROOT, Tracer, run

PYTHON = "/usr/bin/python3"  # one that every user may run: a Python in root's home is not


def test_the_five_passes() -> None:
    command = [
        sys.executable,
        "-m",
        "pystap",
        "-vg",
        "-T",
        "0.1",
        "-e",
        'probe kernel.trace("sched_switch") { }',
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=PATIENCE)
    lines = done.stderr.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"Pass {n}" for n in (1, 2, 3, 4, 5, 5)], lines
    assert all(
        re.search(r" in \d+usr/\d+sys/\d+real ms\.$", line) for line in lines if "starting" not in line
    )
    assert lines[4] == "Pass 5: starting run."


def test_the_command_is_the_target() -> None:
    """All that the command does is seen, from its very first system call; only that process's calls count."""
    program = "import os\nfor _ in range(100): os.getsid(0)"
    script = """
    global calls, first
    probe syscall.getsid { if (pid() == target()) calls++ }
    probe syscall.execve { if (pid() == target()) first++ }
    probe end { printf("%d %d %d\\n", calls, first > 0, target() > 1) }
    """
    for stage in ("auto", "mirror"):
        out = run("-e", script, "-c", f"{sys.executable} -I -S -c '{program}'", stage=stage).clean()
        assert out == "100 1 1\n", stage


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("true", 0, ""),
        ("false", 1, "WARNING: the command ended with status 1\n"),
        ("sh -c 'kill -9 $$'", 1, "WARNING: the command ended with status 137\n"),
    ],
)
def test_a_command_that_fails_fails_the_run(command: str, status: int, said: str) -> None:
    done = run("-e", 'probe end { println("end") }', "-c", command)
    assert (done.status, done.out, done.err) == (status, "end\n", said)


def test_a_command_of_bpftrace_may_fail(tmp_path: Path) -> None:
    script = tmp_path / "x.bt"
    script.write_text('END { printf("end\\n"); }')
    done = run(str(script), "-c", "false")
    assert (done.status, done.out.splitlines()[0]) == (0, "end")


def test_the_end_of_the_target_process_ends_the_run() -> None:
    with subprocess.Popen(["sleep", "1000"]) as sleeper:
        with Tracer(
            "-x", str(sleeper.pid), "-e", 'probe begin { println(target()) } probe end { println("end") }'
        ) as t:
            t.wait_for(f"{sleeper.pid}\n")
            sleeper.terminate()
            t.wait()
        assert t.clean() == f"{sleeper.pid}\nend\n"


def test_pass_4_asks_the_kernel() -> None:
    assert run("-p4", "-e", 'probe kernel.trace("sched_switch") { println(pid()) }').clean() == ""


needs_python = pytest.mark.skipif(not os.access(PYTHON, os.X_OK), reason="needs a Python of the distribution")


@pytest.fixture(scope="module")
def everyones() -> Iterator[Path]:
    """A folder with a copy of the package that every user may read."""
    with tempfile.TemporaryDirectory(prefix="pystap-everyone-") as folder:
        os.chmod(folder, 0o755)
        shutil.copytree(
            ROOT / "pystap", Path(folder) / "pystap", ignore=shutil.ignore_patterns("__pycache__")
        )
        yield Path(folder)


def nobody(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user without rights; not even a home folder is there."""
    command = [PYTHON, "-m", "pystap", *words]
    how: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []}
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=PATIENCE, **how
    )


@needs_python
def test_without_rights(everyones: Path) -> None:
    """An ordinary user compiles, and is told why nothing is traced."""
    script = ("-e", 'probe kernel.trace("sched_switch") { println(pid()) }')
    for last in ("-p1", "-p2", "-p3"):
        done = nobody(everyones, last, *script)
        assert (done.returncode, done.stderr) == (0, ""), done
    for last in ("-p4", "-p5"):
        done = nobody(everyones, last, *script)
        assert done.returncode == 1 and "error[E311]" in done.stderr and "run it as root" in done.stderr, done
        assert "lacks CAP_" in done.stderr and "Traceback" not in done.stderr
    done = nobody(everyones, "doctor")
    assert done.returncode == 1 and "tracing is not possible here; try as root" in done.stdout


@needs_python
def test_an_unreadable_script(everyones: Path) -> None:
    script = everyones / "secret.stp"
    script.touch(mode=0o600)
    done = nobody(everyones, "-p1", str(script))
    assert done.returncode == 1 and f"error[E911]: {script}: Permission denied\n" == done.stderr, done


def test_own_tapset_and_second_script(tmp_path: Path) -> None:
    """-I's files and -E's script run together with the first script, on events of the kernel, too."""
    folder = tmp_path / "tapset"
    folder.mkdir()
    (folder / "calls.stp").write_text(
        'global seen_calls\nprobe my.call = syscall.getsid { seen = name . "!" }\nprobe end { println(seen_calls) }\n'
    )
    (folder / "words.stpm").write_text("@define mine %( (pid() == target()) %)\n")
    script = tmp_path / "first.stp"
    script.write_text("probe my.call { if (@mine) { seen_calls++ shown = seen told(seen) } }\n")
    second = 'function told(what) { if (seen_calls == 1) println(what) } probe begin { println("second") }'
    work = f"{sys.executable} -c 'import os; [os.getsid(0) for _ in range(5)]'"
    done = run("-I", str(folder), "-E", second, str(script), "-c", work)
    assert (done.status, done.out.splitlines()) == (0, ["second", "getsid!", "5"]), done.err
