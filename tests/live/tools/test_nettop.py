"""`pystap nettop`: 1000 datagrams from one process to another over lo, and a TCP connection, IPv4 and IPv6."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.live.network import Namespace, namespace
from tests.live.tools.rows import objects, table
from tests.live.tracer import Tracer

UDP = """
import json, os, socket, sys
family, address = (socket.AF_INET6, "::1") if sys.argv[1] == "6" else (socket.AF_INET, "127.0.0.1")
b = socket.socket(family, socket.SOCK_DGRAM)
b.bind((address, 9))
read, write = os.pipe()
child = os.fork()
open("/proc/self/comm", "w").write("sender" if child else "receiver")
if not child:
    for _ in range(1000):
        assert len(b.recv(4096)) == 1200
        os.write(write, b"x")
    os._exit(0)
a = socket.socket(family, socket.SOCK_DGRAM)
for _ in range(1000):
    a.sendto(b"x" * 1200, (address, 9))
    os.read(read, 1)
os.wait()
print(json.dumps({"sender": os.getpid(), "receiver": child}))
"""
TCP = """
import json, os, socket, sys
family, address = (socket.AF_INET6, "::1") if sys.argv[1] == "6" else (socket.AF_INET, "127.0.0.1")
l = socket.socket(family)
l.bind((address, 9))
l.listen()
child = os.fork()
if not child:
    c = socket.socket(family)
    c.connect((address, 9))
    for _ in range(500):
        c.send(b"x" * 100)
        c.recv(1)
    c.close()
    os._exit(0)
s, _ = l.accept()
while s.recv(1000):
    s.send(b"y")
s.close()
os.wait()
print(json.dumps({"server": os.getpid(), "client": child}))
"""
NAMES = ["PID", "UID", "DEVICE", "SENT", "RECEIVED", "KB_SENT", "KB_RECV", "COMMAND"]
# bytes of 1000 datagrams as the device has them: with the Ethernet header when sent, without when received
BYTES = {"4": (1_242_000, 1_228_000), "6": (1_262_000, 1_248_000)}


@pytest.fixture
def net() -> Any:
    with namespace() as one:
        yield one


def total(rows: list[dict[str, Any]], column: str) -> int:
    return sum(int(row[column]) for row in rows)


@pytest.mark.parametrize("family", ["4", "6"])
def test_sender_and_receiver(net: Namespace, family: str) -> None:
    with Tracer("nettop", "-f", "json", "--port", "9") as tracer:
        pids = json.loads(net.run(UDP, family))
    rows = objects(tracer.clean())
    by = {row["pid"]: row for row in rows}
    sender, receiver = by[pids["sender"]], by[pids["receiver"]]
    assert (sender["sent"], sender["received"], sender["comm"]) == (1000, 0, "sender")
    # the first one came before anything was received on the socket
    assert receiver["sent"] == 0 and receiver["received"] >= 999 and receiver["comm"] == "receiver"
    assert total(rows, "received") == total(rows, "sent") == 1000
    assert {row["device"] for row in rows} == {"lo"} and sender["uid"] == receiver["uid"] == 0
    assert sender["kb_sent"] == BYTES[family][0] // 1024
    assert BYTES[family][1] // 1024 - 3 <= total(rows, "kb_recv") <= BYTES[family][1] // 1024
    assert all(row["pid"] in (None, *pids.values()) for row in rows)


@pytest.mark.parametrize("family", ["4", "6"])
def test_tables_every_second(net: Namespace, family: str) -> None:
    with Tracer("nettop", "1", "--comm", "sender") as tracer:
        pids = json.loads(net.run(UDP, family))
        tracer.wait_for("KB SENT", 2)
    out = tracer.clean()
    rows = table(out.replace("KB SENT", "KB_SENT").replace("KB RECV", "KB_RECV"), NAMES)
    assert rows and {(row["PID"], row["COMMAND"]) for row in rows} == {(str(pids["sender"]), "sender")}, out
    assert (total(rows, "SENT"), total(rows, "RECEIVED")) == (1000, 0), out
    sent = BYTES[family][0] // 1024
    assert sent - len(rows) < total(rows, "KB_SENT") <= sent


@pytest.mark.parametrize("family", ["4", "6"])
def test_tcp_belongs_to_its_ends_whoever_is_interrupted(net: Namespace, family: str) -> None:
    with Tracer("nettop", "-f", "json", "-P9", f"-{family}") as tracer:
        before = net.snmp("Tcp", "OutSegs")
        pids = json.loads(net.run(TCP, family))
        segments = net.snmp("Tcp", "OutSegs") - before
    rows = objects(tracer.clean())
    by = {row["pid"]: row for row in rows}
    assert set(by) <= {None, *pids.values()}
    assert total(rows, "sent") == total(rows, "received") == segments
    for (
        pid
    ) in pids.values():  # each end sends 500 messages at least; the first segments come before it is known
        assert by[pid]["sent"] >= 500 and by[pid]["received"] >= 500
    assert by.get(None, {"sent": 0, "received": 0})["received"] <= 8


def test_the_other_family_is_left_out(net: Namespace) -> None:
    with Tracer("nettop", "-f", "json", "-P9", "-6") as tracer:
        net.run(UDP, "4")
    assert objects(tracer.clean()) == []


def test_so_many_tables_and_no_more(net: Namespace) -> None:
    with Tracer("nettop", "0.2", "3", "--device", "none") as tracer:
        tracer.wait()
    assert tracer.clean().count("KB SENT") == 3
