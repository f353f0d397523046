"""`pystap tcpdumplike` beside an AF_PACKET capture of the same run: the same packets, in order, both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.live.network import Namespace, namespace
from tests.live.standins.capture import CAPTURE
from tests.live.tools.rows import Row, objects, table
from tests.live.tracer import Tracer

# What the capture says of a packet, as the tool's columns say it: direction, addresses, ports, flags, numbers, lengths.
WORKLOAD = (
    CAPTURE
    + """
import json, os, sys, time
family, host = (socket.AF_INET6, "::1") if sys.argv[1] == "6" else (socket.AF_INET, "127.0.0.1")
open("/proc/self/comm", "w").write("both")
server = socket.socket(family); server.bind((host, 3340)); server.listen(8)
for reset in (False, True):
    client = socket.socket(family); client.connect((host, 3340))
    other, _ = server.accept()
    client.sendall(b"x" * 3000)
    while len(other.recv(4096, socket.MSG_PEEK)) < 3000:
        pass
    other.recv(4096)
    client.send(b"!", socket.MSG_OOB)
    if reset:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    other.close()
server.close()
nobody = socket.socket(family)
assert nobody.connect_ex((host, 3340))
a = socket.socket(family, socket.SOCK_DGRAM); b = socket.socket(family, socket.SOCK_DGRAM)
b.bind((host, 3340))
for n in range(7):
    a.sendto(b"x" * n, (host, 3340))
    b.recv(10)
b.close()
a.sendto(b"nobody", (host, 3340))  # an answer by ICMP
time.sleep(0.3)
def packet(way, protocol, data):
    if protocol == 0x0800:
        ends = [socket.inet_ntop(socket.AF_INET, data[n:n + 4]) for n in (12, 16)]
        kind, head, size = data[9], (data[0] & 15) * 4, struct.unpack(">H", data[2:4])[0]
    else:
        ends = [socket.inet_ntop(socket.AF_INET6, data[n:n + 16]) for n in (8, 24)]
        kind, head, size = data[6], 40, struct.unpack(">H", data[4:6])[0] + 40
    rest = data[head:]
    name = {6: "TCP", 17: "UDP", 1: "ICMP", 58: "ICMPv6"}[kind]
    out = [way, *ends, name]
    if kind == 6:
        sport, dport, seq, ack = struct.unpack(">HHII", rest[:12])
        flags = "".join(letter for bit, letter in enumerate("FSRP.UEW") if rest[13] >> bit & 1)
        return [*out, sport, dport, flags, seq, ack if rest[13] & 16 else None,
                struct.unpack(">H", rest[14:16])[0], size - head - (rest[12] >> 4) * 4]
    if kind == 17:
        return [*out, *struct.unpack(">HH", rest[:4]), None, None, None, None, size - head - 8]
    return [*out, None, None, None, None, None, None, None]
found = []
while True:
    try:
        data, place = _tap.recvfrom(65536)
    except BlockingIOError:
        break
    if place[1] in (0x0800, 0x86DD):
        found.append(packet("out" if place[2] == 4 else "in", place[1], data))
print(json.dumps([os.getpid(), found]))
"""
)
COLUMNS = ("dir", "saddr", "daddr", "proto", "sport", "dport", "flags", "seq", "ack", "window", "length")
HEADINGS = [
    "TIME",
    "DEVICE",
    "DIR",
    "SADDR",
    "SPORT",
    "DADDR",
    "DPORT",
    "PROTO",
    "FLAGS",
    "LENGTH",
    "PID",
    "COMMAND",
]


@pytest.fixture
def net() -> Any:
    with namespace() as one:
        yield one


def traced(net: Namespace, family: str, *words: str) -> tuple[list[Row], int, list[list[Any]]]:
    """The tool's rows, the workload's process, and its capture of what the tool was asked for."""
    with Tracer("tcpdumplike", "-f", "json", "-d", "lo", *words) as tracer:
        pid, captured = json.loads(net.run(WORKLOAD, family))
    return objects(tracer.clean()), pid, captured


def seen(rows: list[Row]) -> list[list[Any]]:
    return [[row[name] for name in COLUMNS] for row in rows]


@pytest.mark.parametrize("family", ["4", "6"])
def test_as_captured(net: Namespace, family: str) -> None:
    rows, pid, captured = traced(net, family, f"-{family}")
    assert len(captured) > 50 and {packet[3] for packet in captured} >= {"TCP", "UDP"}
    flags = {packet[6] for packet in captured}
    assert flags >= {"S", "S.", ".", "P.", "F.", "R."} and any("U" in f for f in flags if f), flags
    # the capture has a packet of lo when it is sent and when it comes, in this order
    assert seen(rows) == captured
    assert {row["device"] for row in rows} == {"lo"}
    assert {row["comm"] for row in rows if row["pid"]} == {"both"}
    # whose they are: all of the first connection's
    first = next(row["sport"] for row in rows if row["flags"] == "S")
    assert {row["pid"] for row in rows if first in (row["sport"], row["dport"])} == {pid}
    # nobody gets the attempt at a closed port, and the last datagram
    refused = [row for row in rows if row["flags"] == "S"][-1]
    last = [row for row in rows if row["proto"] == "UDP"][-1]
    assert (refused["dir"], refused["pid"], last["dir"], last["pid"]) == ("in", None, "in", None)


def test_filters(net: Namespace) -> None:
    rows, _, captured = traced(net, "4", "--in", "--proto", "udp", "-P", "3340")
    udp = [p for p in captured if p[3] == "UDP" and p[0] == "in"]
    assert len(udp) == 8 and seen(rows) == udp
    rows, _, captured = traced(net, "4", "--out", "--proto", "icmp")
    assert seen(rows) == [p for p in captured if p[3] == "ICMP" and p[0] == "out"] and len(rows) == 1
    rows, pid, captured = traced(net, "6", "--out", "--proto", "tcp", "--comm", "both", "-6")
    assert 10 < len(rows) <= len([p for p in captured if p[3] == "TCP" and p[0] == "out"])
    assert {(row["pid"], row["comm"], row["dir"]) for row in rows} == {(pid, "both", "out")}
    assert traced(net, "4", "-6")[0] == [] == traced(net, "4", "--pid", "1")[0]
    with Tracer("tcpdumplike", "-d", "none") as tracer:
        net.run(WORKLOAD, "4")
    assert tracer.clean().split() == HEADINGS


def test_table_and_count(net: Namespace) -> None:
    with Tracer("tcpdumplike", "5", "-P", "3340", "-d", "lo", "--proto", "tcp") as tracer:
        net.run(WORKLOAD, "4")
        tracer.wait()  # it ends by itself
    rows = table(tracer.clean(), HEADINGS)
    assert [(row["DIR"], row["FLAGS"], row["LENGTH"], row["COMMAND"]) for row in rows] == [
        ("out", "S", "0", "both"),
        ("in", "S", "0", "both"),
        ("out", "S.", "0", "both"),
        ("in", "S.", "0", "both"),
        ("out", ".", "0", "both"),
    ]
