"""Every tool, when its output ends, the disk is full, or it is killed: clear words, a clean end, nothing left attached."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.live.leftovers import assert_gone, held
from tests.live.network import Namespace, namespace
from tests.live.tracer import PATIENCE, Tracer, run

TOOLS = sorted(path.stem for path in (ROOT / "pystap" / "tools").glob("*.stp"))
EVERY = {"nettop": ("0.1",), "dropwatch": ("0.1",)}  # tables; the others print as it happens
TRAFFIC = """
import socket
l = socket.socket(); l.bind(("127.0.0.1", 3370)); l.listen(8)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(50):
    c = socket.socket(); c.connect(("127.0.0.1", 3370)); s, _ = l.accept()
    c.send(b"x"); s.recv(1); c.close(); s.close()
    u.sendto(b"x", ("127.0.0.1", 3371))
"""


@pytest.fixture
def net() -> Iterator[Namespace]:
    with namespace() as one:
        yield one


def started(*words: str, out: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    """A tracer that has begun to trace; its errors are read from then on by who wants them."""
    command = [sys.executable, "-m", "pystap", "-v", *words]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=out, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(b"Pass 5: starting"):
            return process
    raise AssertionError("it never started")


def ended(process: subprocess.Popen[bytes], net: Namespace) -> bytes:
    """Make traffic until it has ended; return what it said, but for the lines of -v."""
    for _ in range(100):
        if process.poll() is not None:
            break
        net.run(TRAFFIC)
    process.wait(PATIENCE)
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    return b"".join(line for line in said.splitlines(True) if not line.startswith(b"Pass "))


@pytest.mark.parametrize("name", TOOLS)
def test_nobody_reads_on(net: Namespace, name: str) -> None:
    """`pystap TOOL | head -1`."""
    process = started(name, *EVERY.get(name, ()))
    objects = held(process.pid)
    assert objects["prog_id"] and objects["link_id"]
    net.run(TRAFFIC)
    assert process.stdout is not None and os.read(process.stdout.fileno(), 4)
    process.stdout.close()
    assert ended(process, net) == b"" and process.returncode == 1
    assert_gone(objects)


@pytest.mark.parametrize("name", TOOLS)
def test_killed(net: Namespace, name: str) -> None:
    process = started(name, *EVERY.get(name, ()))
    objects = held(process.pid)
    net.run(TRAFFIC)
    process.send_signal(signal.SIGKILL)
    assert process.stdout is not None
    process.stdout.close()
    ended(process, net)
    assert process.returncode == -signal.SIGKILL
    assert_gone(objects)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 KB."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(tmp_path)], check=True)
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("name", ["tcpdumplike", "socket-trace"])
def test_a_disk_that_fills_up(net: Namespace, small: Path, name: str) -> None:
    process = started(name, "-o", str(small / "out"), out=subprocess.DEVNULL)
    objects = held(process.pid)
    said = ended(process, net).decode()
    assert said == f"error[E922]: {small / 'out'} can't be written: No space left on device\n"
    assert process.returncode == 1
    kept = (small / "out").read_bytes()
    assert 4096 <= len(kept) <= 16384 and kept.startswith(b"TIME")
    assert_gone(objects)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("nettop", "--port", "http"), "E903", "--port takes a port, a number from 1 to 65535, not 'http'"),
        (("tcpdumplike", "-P", "0"), "E903", "-P takes a port, a number from 1 to 65535, not '0'"),
        (("tcpstates", "--port=65536"), "E903", "not '65536'"),
        (("socket-trace", "--port", "80-90"), "E903", "not '80-90'"),
        (("dropwatch", "--port"), "E902", "option '--port' needs a value"),
        (("nettop", "--kind", "fail"), "E901", "nettop has no option '--kind'"),
        (("tcpstates", "--device", "lo"), "E901", "tcpstates has no option '--device'"),
        (("tcp-connections", "--kind", "open"), "E903", "one of accept, connect, fail, close, not 'open'"),
        (
            ("socket-trace", "--call", "conect"),
            "E903",
            "--call takes the name of a system call, not 'conect'",
        ),
        (("tcpdumplike", "--proto", "tpc"), "E903", "--proto takes icmp, tcp, udp or a number to 255"),
        (("tcpdumplike", "--in", "--out"), "E901", "tcpdumplike takes --out or --in, not both"),
        (("tcp-connections", "5", "6"), "E901", "tcp-connections takes at most COUNT, and no '6'"),
    ],
)
def test_what_a_tool_does_not_take(words: tuple[str, ...], code: str, message: str) -> None:
    done = run(*words)
    assert done.status == 1 and done.out == "", done.out
    assert f"error[{code}]" in done.err and message in done.err, done.err
    assert f"see pystap {words[0]} --help" in done.err and "Traceback" not in done.err


def test_a_process_that_is_not_there_is_no_mistake() -> None:
    """A filter for what may come later."""
    with Tracer("tcpdumplike", "--pid", "4194303") as tracer:
        pass
    assert len(tracer.clean().splitlines()) == 1
