"""Two hosts on a wire, and the debug information of this kernel: in guests a disk has it (tests/guest/debuginfo.py)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pystap.kernel.debugfiles import candidates, wanted_id
from tests.guest.debuginfo import FOLDER
from tests.live import probing
from tests.live.network import Namespace, namespace

ADDRESSES = ("10.213.11.1", "10.213.11.2")
MACS = ("02:00:00:00:11:01", "02:00:00:00:11:02")


@pytest.fixture(autouse=True)
def debuginfo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Point to the debug information, or skip."""
    if why := probing.lacks("kprobe"):
        pytest.skip(why)
    if os.path.isdir(FOLDER):
        monkeypatch.setenv("SYSTEMTAP_DEBUGINFO_PATH", FOLDER)
    if not candidates("", wanted_id("")):
        pytest.skip("the debug information of this kernel isn't installed")


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], str]:
    """Writes a script to a file, whose path it returns."""

    def write(text: str) -> str:
        path = tmp_path / "script.stp"
        path.write_text(text)
        return str(path)

    return write


class Wire:
    """Two namespaces with a veth pair between them, devices `left` and `right`."""

    def __init__(self, left: Namespace, right: Namespace) -> None:
        self.left = left
        self.right = right

    def ping(self, count: int) -> None:
        """Send echo requests from the left to the right, and wait for the answers."""
        command = [
            "ip",
            "netns",
            "exec",
            self.left.name,
            "ping",
            "-q",
            "-i",
            "0.002",
            "-c",
            str(count),
            ADDRESSES[1],
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)

    def forget(self) -> None:
        """Forget the neighbours, so that the next packet asks for them."""
        for host in (self.left, self.right):
            subprocess.run(["ip", "-n", host.name, "neigh", "flush", "all"], check=True)

    def talk(self, port: int, sizes: list[int], mss: int = 0) -> None:
        """Connect from the left to the right, send messages of these sizes one by one, each answered by a byte."""
        options = f"s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, {mss})" if mss else "pass"
        server = (
            f"import socket\ns = socket.create_server(('{ADDRESSES[1]}', {port}))\nprint('up', flush=True)\n"
            f"c, _ = s.accept()\nfor n in {sizes}:\n while n: n -= len(c.recv(n))\n c.sendall(b'.')\nc.recv(1)\n"
        )
        client = (
            f"import socket\ns = socket.socket()\n{options}\ns.connect(('{ADDRESSES[1]}', {port}))\n"
            f"s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)\n"
            f"for n in {sizes}:\n s.sendall(b'x' * n)\n s.recv(1)\n"
        )
        command = ["ip", "netns", "exec", self.right.name, "python3", "-c", server]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as there:
            assert there.stdout is not None and there.stdout.readline() == b"up\n"
            self.left.run(client)
            assert there.wait(60) == 0


@pytest.fixture
def wire() -> Iterator[Wire]:
    with namespace() as left, namespace() as right:
        for one in (left, right):
            one.run("open('/proc/sys/net/ipv6/conf/default/disable_ipv6', 'w').write('1')")
        pair = (
            f"link add left address {MACS[0]} type veth peer name right address {MACS[1]} netns {right.name}"
        )
        subprocess.run(["ip", "-n", left.name, *pair.split()], check=True)
        for host, name, address in ((left, "left", ADDRESSES[0]), (right, "right", ADDRESSES[1])):
            subprocess.run(["ip", "-n", host.name, "addr", "add", f"{address}/24", "dev", name], check=True)
            subprocess.run(["ip", "-n", host.name, "link", "set", name, "up"], check=True)
        yield Wire(left, right)
