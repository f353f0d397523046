"""However a run ends, the kernel keeps none of its programs, links and maps."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from pystap.runtime.signals import AT_ONCE
from tests.live.leftovers import KINDS, assert_gone, held
from tests.live.tracer import PATIENCE, ROOT, Tracer

SCRIPT = """
global n
probe kernel.trace("sched_switch") { n[pid()] <<< 1 }
probe syscall.getppid { println(pid()) }
probe timer.profile { n[0] <<< 1 }
probe end { println("ended") }
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_ended_by_a_signal(number: signal.Signals) -> None:
    with Tracer("-e", SCRIPT) as tracer:
        objects = held(tracer.process.pid)
        assert all(objects.values()), objects
        assert all(ids <= set(KINDS[kind]()) for kind, ids in objects.items())
        tracer.finish(number)
    if number == signal.SIGKILL:
        assert tracer.status == -signal.SIGKILL
    else:
        assert "ended" in tracer.clean()
    assert_gone(objects)


def test_a_second_ctrl_c_ends_at_once() -> None:
    """An end handler that never ends does not hold the run."""
    script = (
        'global n probe kernel.trace("sched_switch") { n <<< 1 } probe end { while (@count(n) >= 0) { } }'
    )
    with Tracer("-DMAXACTION=1000000000000", "-e", script) as tracer:
        objects = held(tracer.process.pid)
        tracer.interrupt()
        assert_gone({"link_id": objects["link_id"]})  # everything is detached before the end handlers run
        tracer.interrupt(signal.SIGHUP)  # a terminal that is closed may say so twice: that is no impatience
        time.sleep(2 * AT_ONCE / 1e9)
        tracer.finish()
    assert tracer.status == 1
    assert "WARNING: interrupted a second time" in tracer.err
    assert_gone(objects)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_wish_in_two_signals(number: signal.Signals) -> None:
    """As `timeout` sends them: the run still ends in order."""
    other = signal.SIGHUP if number == signal.SIGHUP else signal.SIGINT
    script = 'global n probe end { while (n < 1000000) n++ println("ended") }'
    with Tracer("-DMAXACTION=1000000000000", "-e", script) as tracer:
        os.kill(tracer.process.pid, number)
        os.kill(tracer.process.pid, other)
        tracer.wait()
    assert tracer.clean() == "ended\n"


# A start that fails on the way: the second of two programs doesn't attach.
FAILS = """
import sys
from pystap.kernel.sys import KernelError
from pystap.runtime.door import Door
def attach(self):
    self.attachments.append(self.loaded[0].attach())
    raise KernelError(16, "attaching to the second")
Door.attach = attach
close = Door.close
def announce(self):
    from tests.live.leftovers import held
    import os, json
    if self.attachments:
        print(json.dumps({kind: sorted(ids) for kind, ids in held(os.getpid()).items()}), flush=True)
    close(self)
    if self.loaded or self.attachments or self.maps:
        sys.exit("something is left")
    left = {kind: sorted(ids) for kind, ids in held(os.getpid()).items() if ids}
    if left:
        sys.exit(f"still open: {left}")
Door.close = announce
from pystap.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_start_that_fails_on_the_way() -> None:
    command = [sys.executable, "-c", FAILS, "-e", SCRIPT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 1, done
    assert (
        "error[E320]: the kernel refused: attaching to the second: Device or resource busy" in done.stderr
    ), done.stderr
    import json

    objects = {kind: set(ids) for kind, ids in json.loads(done.stdout.splitlines()[0]).items()}
    assert objects["prog_id"] and objects["link_id"] and objects["map_id"]
    assert_gone(objects)


def test_output_that_nobody_reads() -> None:
    """`pystap ... | head -1` ends, quietly."""
    script = 'probe begin { println("first") } probe timer.ms(1) { println("more") }'
    tracer = subprocess.Popen(
        [sys.executable, "-m", "pystap", "-e", script],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert tracer.stdout is not None and tracer.stderr is not None
    assert os.read(tracer.stdout.fileno(), 6) == b"first\n"
    tracer.stdout.close()
    assert tracer.wait(PATIENCE) == 1
    assert tracer.stderr.read() == b""
    tracer.stderr.close()


@pytest.mark.parametrize("output", ["pipe", "socket"])
@pytest.mark.parametrize("event", ["timer.s(1000)", "syscall.sync", "end"])
def test_a_reader_that_goes_while_nothing_is_printed(output: str, event: str) -> None:
    """`pystap ... | true` ends, quietly, with its end handlers."""
    script = f'probe {event} {{ println("x") }} probe end {{ println("x"); warn("ended") }}'
    ours, theirs = os.pipe() if output == "pipe" else [one.detach() for one in socket.socketpair()]
    with subprocess.Popen(
        [sys.executable, "-m", "pystap", "-v", "-e", script],
        cwd=ROOT,
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
    ) as tracer:
        os.close(theirs)
        assert tracer.stderr is not None
        for line in tracer.stderr:
            if line.startswith("Pass 5: starting"):
                break
        assert tracer.poll() is None
        os.close(ours)
        assert tracer.wait(PATIENCE) == 1
        assert tracer.stderr.read().splitlines()[:1] == ["WARNING: ended"]


def test_output_to_a_full_disk() -> None:
    tracer = subprocess.run(
        [sys.executable, "-m", "pystap", "-o", "/dev/full", "-e", SCRIPT + 'probe begin { println("x") }'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert tracer.returncode == 1
    assert tracer.stderr == "error[E922]: /dev/full can't be written: No space left on device\n"
