"""Scripts that name lines of an old kernel: what they are told, and their values with today's line put in.

LINES has, for each, its function and how many lines behind that function's own the same place is in Linux 6.12.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from pystap.debuginfo import DebugInfo
from pystap.kernel.debugfiles import candidates, wanted_id
from tests.live.scenarios.conftest import script, stage
from tests.live.standins.capture import CAPTURE
from tests.live.tracer import Tracer, run

from .conftest import ADDRESSES, MACS, Wire

__all__ = ["script", "stage"]

MODELS = {
    "statement": "004-8.2-statement.stp",
    "arp-macs": "004-5.10-mac.stp",
    "arp-macs-too": "004-15.2-arp.stp",
    "parsed-mss": "004-15.4-skb-mss.stp",
    "windows": "004-Y-window.stp",
}
LINES = {
    "ip_rcv": 6,  # behind ip_rcv_core
    "arp_send_dst": 13,  # where the packet is sent
    "tcp_parse_options": 34,  # where the size is read, with $ptr at it
    "tcp_in_window": 6,  # where the ends' states are had
}
POINT = re.compile(r'statement\("(\w+)@([\w./-]+):(\d+)"\)')


def path_of(script, name: str) -> Path:
    own = name.removesuffix("-too")
    return Path(script(f"lines/{own}.stp", MODELS[name]))


def loaded(text: str) -> str:
    """Load the module that a script names; return its name."""
    module = re.search(r'module\("(\w+)"\)', text)
    if module:
        subprocess.run(["modprobe", module[1]], check=True)
    return module[1] if module else ""


@pytest.fixture
def today(script, tmp_path: Path):
    """What gives the path of a script with today's line in it, and its text otherwise as it was."""

    def make(name: str) -> str:
        path = path_of(script, name)
        text = path.read_text()
        found = POINT.search(text)
        assert found is not None
        owner = loaded(text)
        info = DebugInfo(candidates(owner, wanted_id(owner))[0])
        (function,) = info.find(found[1], found[2])
        line = function.line + LINES[found[1]]
        assert line in info.lines(function), (line, sorted(info.lines(function)))
        made = tmp_path / path.name
        made.write_text(text.replace(found[0], f'statement("{found[1]}@{found[2]}:{line}")'))
        return str(made)

    return make


@pytest.mark.parametrize("name", MODELS)
def test_as_it_stands(script, name: str) -> None:
    """The line is of another kernel: the function's lines in this one are told.

    6.12's tcp_in_window happens to have a line of this number, and code there: another place, where the script runs.
    """
    path = path_of(script, name)
    found = POINT.search(path.read_text())
    assert found is not None
    loaded(path.read_text())
    done = run("-p2", str(path))
    if name == "windows" and done.status == 0:
        assert found[0] in done.clean()
        return
    assert done.status == 1
    lines = (
        rf"no code at '{found[1]}@{found[2]}:{found[3]}': {found[1]} is {found[2]}:(\d+)-(\d+) in this kernel"
    )
    told = re.search(lines, done.err)
    assert told is not None and "error[E304]" in done.err, done.err
    first, last = map(int, told.groups())
    assert first < last and not first <= int(found[3]) <= last
    near = re.search(r"the nearest lines with code: ([\d, ]+) ", done.err)
    assert near is not None and all(first <= int(n) <= last for n in near[1].split(", ")), done.err


COUNTED = re.compile(
    r"TIME=\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4} \w+,COUNT=(\d+),"
    r'ProbePoint=kernel\.statement\("ip_rcv@net/ipv4/ip_input\.c:\d+"\),FUNC=ip_rcv,DEV=(\S+)'
)


def test_packets_by_device(wire: Wire, today, stage) -> None:
    path = today("statement")
    before = wire.left.snmp("Ip", "InReceives"), wire.right.snmp("Ip", "InReceives")
    with Tracer(path, stage=stage) as tracer:
        wire.ping(9)
    after = wire.left.snmp("Ip", "InReceives"), wire.right.snmp("Ip", "InReceives")
    rows = [COUNTED.fullmatch(line) for line in tracer.clean().splitlines()]
    assert all(rows) and [int(m[1]) for m in rows if m] == list(range(1, len(rows) + 1)), tracer.out
    devices = Counter(m[2] for m in rows if m)
    assert after[0] - before[0] >= 9
    assert (devices["left"], devices["right"]) == (after[0] - before[0], after[1] - before[1])


ARP = re.compile(
    r'pp=kernel\.statement\("arp_send_dst@net/ipv4/arp\.c:\d+"\),mac=(\S+),dev=(\S+),dest_ip=(\S+),src_ip=(\S+)'
)


@pytest.mark.parametrize("name", ["arp-macs", "arp-macs-too"])
def test_whose_mac(wire: Wire, today, stage, name: str) -> None:
    path = today(name)
    wire.forget()
    with Tracer(path, stage=stage) as tracer:
        wire.ping(1)
    rows = [ARP.fullmatch(line) for line in tracer.clean().splitlines()]
    assert all(rows), tracer.out
    left, right = ADDRESSES
    found = Counter(m.groups() for m in rows if m)
    assert found[MACS[0], "left", right, left] == 1, found  # the question
    assert found[MACS[1], "right", left, right] == 1, found  # the answer


PEER = "192.168.3.30"
SERVER = f"""
import socket
s = socket.create_server(("{PEER}", 4250))
print("up", flush=True)
c, _ = s.accept()
c.recv(1)
"""
CLIENT = f"""
import socket
s = socket.socket()
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1111)
s.connect(("{PEER}", 4250))
s.send(b"x")
"""


def test_announced_sizes(wire: Wire, today, stage) -> None:
    path = today("parsed-mss")
    for host, words in (
        (wire.right, f"addr add {PEER}/32 dev right"),
        (wire.left, f"route add {PEER} dev left"),
    ):
        subprocess.run(["ip", "-n", host.name, *words.split()], check=True)
    with Tracer(path, stage=stage) as tracer:
        command = ["ip", "netns", "exec", wire.right.name, "python3", "-c", SERVER]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as there:
            assert there.stdout is not None and there.stdout.readline() == b"up\n"
            wire.left.run(CLIENT)
            assert there.wait(60) == 0
    row = re.compile(
        r"saddr=(\S+), daddr=(\S+)\npp=kernel\.statement\(\"tcp_parse_options@net/ipv4/tcp_input\.c:\d+\"\),mss=(\d+)\n"
    )
    out = tracer.clean()
    assert row.sub("", out) == ""
    # the client's wish, and what the wire's MTU of 1500 leaves
    assert set(row.findall(out)) == {(ADDRESSES[0], PEER, "1111"), (PEER, ADDRESSES[0], "1460")}, out


WINDOW = re.compile(
    r"sender->td_end=(\d+), sender->td_maxend=(\d+), sender->td_maxwin=(\d+)\n"
    r"receiver->td_end=(\d+), receiver->td_maxend=(\d+), receiver->td_maxwin=(\d+)\n"
    r"dir=(\d), sport=(\d+), dport=(\d+), syn=(\d), fin=(\d), ack=(\d), seq=(\d+), ack=(\d+), win=(\d+)\n"
)
RULES = "add table ip t; add chain ip t c { type filter hook input priority 0; }; add rule ip t c ct state new counter"
# Waits for a line of input, then tells of each segment that the device got or sent since: its numbers and its length.
CAPTURED = (
    CAPTURE
    + """
import json, sys
print("up", flush=True)
sys.stdin.readline()
found = []
for protocol, data in incoming((0, 4)):
    if protocol != 0x0800 or data[9] != 6:
        continue
    tcp = data[(data[0] & 15) * 4:]
    source, to, seq, ack, off, flags, window = struct.unpack(">HHIIBBH", tcp[:16])
    length = struct.unpack(">H", data[2:4])[0] - (data[0] & 15) * 4 - (off >> 4) * 4
    found.append([source, to, flags >> 1 & 1, flags & 1, flags >> 4 & 1, seq, ack, window, length])
print(json.dumps(found))
"""
)


def _captured(wire: Wire, work) -> list[list[int]]:
    command = ["ip", "netns", "exec", wire.right.name, "python3", "-c", CAPTURED]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as tap:
        assert tap.stdin is not None and tap.stdout is not None and tap.stdout.readline() == "up\n"
        work()
        tap.stdin.write("\n")
        tap.stdin.flush()
        return json.loads(tap.stdout.readline())


def test_windows(wire: Wire, today, stage) -> None:
    """Each segment once, as captured, with what conntrack knew of its sender: where its data ended until then."""
    path = today("windows")
    subprocess.run(["ip", "netns", "exec", wire.right.name, "nft", RULES], check=True)
    with Tracer(path, stage=stage) as tracer:
        captured = _captured(wire, lambda: wire.talk(11111, [5, 600, 1400]))
    rows = [list(map(int, found)) for found in WINDOW.findall(tracer.clean())]
    assert [row[7:] for row in rows] == [one[:8] for one in captured], (tracer.out, captured)
    ends: dict[int, int] = {}
    for row, one in zip(rows, captured, strict=True):
        assert row[6] == (0 if one[1] == 11111 else 1), row
        end = (one[5] + one[8] + one[2] + one[3]) % (1 << 32)
        assert row[0] == ends.get(row[6], end if row[6] == 0 else 0), (row, one)
        ends[row[6]] = max(ends.get(row[6], 0), end)
