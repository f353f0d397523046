"""`pystap dropwatch`: datagrams for nobody and for a full socket, against the namespace's own counters."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.live.network import Namespace, namespace
from tests.live.tools.rows import Row, objects, table
from tests.live.tracer import Tracer

WORKLOAD = """
import json, os, socket, sys
family, address = (socket.AF_INET6, "::1") if sys.argv[1] == "6" else (socket.AF_INET, "127.0.0.1")
open("/proc/self/comm", "w").write("slow")
a = socket.socket(family, socket.SOCK_DGRAM)
for _ in range(700):
    a.sendto(b"x" * 100, (address, 7))
b = socket.socket(family, socket.SOCK_DGRAM)
b.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
b.bind((address, 9))
a.sendto(b"x", (address, 9))
b.recv(1)
for _ in range(500):
    a.sendto(b"x" * 1000, (address, 9))
names = {}
if sys.argv[1] == "6":
    for line in open("/proc/net/snmp6"):
        name, value = line.split()
        names[name] = int(value)
    found = [names["Udp6NoPorts"], names["Udp6RcvbufErrors"]]
else:
    head, values = [line.split() for line in open("/proc/net/snmp") if line.startswith("Udp:")]
    names = dict(zip(head, values))
    found = [int(names["NoPorts"]), int(names["RcvbufErrors"])]
print(json.dumps([os.getpid(), *found]))
"""


@pytest.fixture
def net() -> Any:
    with namespace() as one:
        yield one


def traced(net: Namespace, family: str, *words: str) -> tuple[list[Row], list[int]]:
    with Tracer("dropwatch", "-f", "json", *words) as tracer:
        told = json.loads(net.run(WORKLOAD, family))
    return objects(tracer.clean()), told


def packets(rows: list[Row]) -> int:
    return sum(row["packets"] for row in rows)


@pytest.mark.parametrize("family", ["4", "6"])
def test_reasons_places_and_owners(net: Namespace, family: str) -> None:
    rows, (pid, no_ports, full) = traced(net, family)
    assert no_ports == 700 and 400 < full <= 500
    nobody = [row for row in rows if row["reason"] == "NO_SOCKET" and row["port"] == 7]
    assert packets(nobody) == no_ports and {row["proto"] for row in nobody} == {"UDP"}
    assert all("udp" in row["location"] and row["pid"] is None for row in nobody)
    late = [row for row in rows if row["reason"] == "SOCKET_RCVBUFF" and row["port"] == 9]
    assert packets(late) == full and {(row["pid"], row["comm"]) for row in late} == {(pid, "slow")}
    assert sum(row["bytes"] for row in late) == 1000 * full


def test_filters(net: Namespace) -> None:
    rows, (_, no_ports, _) = traced(net, "4", "--port", "7", "-4")
    assert packets(rows) == no_ports and {row["port"] for row in rows} == {7}
    assert traced(net, "4", "--port", "7", "-6")[0] == []
    rows, (pid, _, full) = traced(net, "4", "--comm", "slow", "--reason", "SOCKET_RCVBUFF", "-u", "root")
    assert {row["pid"] for row in rows} == {pid} and packets(rows) >= 400 and full > packets(rows) / 2
    assert traced(net, "4", "--pid", "1")[0] == [] == traced(net, "4", "--uid", "12345")[0]


def test_tables(net: Namespace) -> None:
    with Tracer("dropwatch", "0.5", "--port", "7") as tracer:
        net.run(WORKLOAD, "6")
        tracer.wait_for("PACKETS", 2)
    out = tracer.clean()
    rows = table(out, ["PACKETS", "BYTES", "REASON", "LOCATION", "PROTO", "PORT", "PID", "COMMAND"])
    assert sum(int(row["PACKETS"]) for row in rows) == 700, out
    assert {(row["REASON"], row["PROTO"], row["PORT"], row["PID"]) for row in rows} == {
        ("NO_SOCKET", "UDP", "7", "-")
    }
