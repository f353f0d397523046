"""The held command. Needs no root."""

from __future__ import annotations

import gc
import os
import select
import signal
from collections.abc import Iterator

import pytest

from pystap.kernel.process import command_argv, hold_command
from pystap.kernel.sys import KernelError


@pytest.fixture(autouse=True)
def no_descriptor_stays() -> Iterator[None]:
    gc.collect()  # other tests' mappings hold descriptors
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) == before


def test_argv() -> None:
    assert command_argv("ls  -l /tmp") == (command_argv("ls")[0], ["ls", "-l", "/tmp"])
    assert os.path.isfile(command_argv("ls")[0])
    assert command_argv("/bin/echo x") == ("/bin/echo", ["/bin/echo", "x"])
    for line in ("ls | wc", "exit 3", "", "ls && ls", "ls;", "(ls)", "{ ls; }", "! ls", "ls $(ls)", "ls 'x"):
        assert command_argv(line) == ("/bin/sh", ["/bin/sh", "-c", line])
    for line in ("echo 'a|b'", "ls *", "ls >/dev/null 2>&1", 'echo "a;$HOME"', "echo a\\;b", "'ls' x"):
        assert command_argv(line) == ("/bin/sh", ["/bin/sh", "-c", f"exec {line}"])
    assert command_argv("X=1 ls") == ("/bin/sh", ["/bin/sh", "-c", "exec env X=1 ls"])
    with pytest.raises(KernelError) as caught:
        command_argv("no-such-command-here -x")
    assert "no-such-command-here" in str(caught.value)


def test_nothing_runs_before_release(tmp_path: object) -> None:
    mark = f"{tmp_path}/mark"
    child = hold_command(f"touch {mark}")
    assert child.poll() is None
    assert not os.path.exists(mark)
    with open(f"/proc/{child.pid}/cmdline", "rb") as file:
        assert b"touch" not in file.read().split(b"\0")[0]
    child.release()
    assert child.wait() == 0
    assert os.path.exists(mark)
    child.close()


@pytest.mark.parametrize(
    "line", ["sh -c 'echo $$'", "echo $$; true", "X=1 sh -c 'echo $$' 2>&1", r'sh -c "echo \$\$"']
)
def test_its_pid_is_the_commands(line: str, capfd: pytest.CaptureFixture[str]) -> None:
    child = hold_command(line)
    child.release()
    assert child.wait() == 0
    assert capfd.readouterr().out == f"{child.pid}\n"
    child.close()


def test_status_and_poll() -> None:
    child = hold_command("exit 3")
    child.release()
    ready, _, _ = select.select([child.pidfd], [], [], 10)
    assert ready == [child.pidfd]
    assert child.poll() == 3
    assert child.wait() == 3
    child.close()


def test_a_signal_ends_it() -> None:
    child = hold_command("sleep 100")
    child.release()
    assert child.poll() is None
    signal.pidfd_send_signal(child.pidfd, signal.SIGTERM)
    assert child.wait() == 128 + signal.SIGTERM
    child.close()


def test_ended_while_held() -> None:
    child = hold_command("sleep 100")
    signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
    select.select([child.pidfd], [], [], 10)
    child.release()
    assert child.wait() == 128 + signal.SIGKILL
    child.close()


def test_exec_failure_is_told(tmp_path: object) -> None:
    path = f"{tmp_path}/noexec"
    with open(path, "w", encoding="ascii") as file:
        file.write("nothing that runs")
    child = hold_command(path)
    with pytest.raises(KernelError) as caught:
        child.release()
    assert caught.value.errno == 13
    assert path in str(caught.value)
    child.close()


def test_close_without_release_runs_nothing(tmp_path: object) -> None:
    mark = f"{tmp_path}/mark"
    child = hold_command(f"touch {mark}")
    child.close()
    with pytest.raises(ChildProcessError):
        os.waitpid(child.pid, 0)
    assert not os.path.exists(mark)


def test_the_command_gets_plain_signals(capfd: pytest.CaptureFixture[str]) -> None:
    """What Python ignores or handles doesn't reach the command: SIGPIPE ends it, no signal is blocked."""
    old = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        child = hold_command("grep ^Sig /proc/self/status")
        child.release()
        assert child.wait() == 0
    finally:
        signal.signal(signal.SIGTERM, old)
    fields = dict(line.split(":\t") for line in capfd.readouterr().out.splitlines())
    assert int(fields["SigBlk"], 16) == 0
    assert int(fields["SigIgn"], 16) >> (signal.SIGPIPE - 1) & 1 == 0
    child.close()
