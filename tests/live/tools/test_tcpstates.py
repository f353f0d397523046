"""`pystap tcpstates`: connections between two processes, against what they and /proc/net/snmp know of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from tests.live.network import Namespace, namespace
from tests.live.tools.rows import Row, objects
from tests.live.tracer import Tracer

PORT = 8080
NUMBER = 5
WORKLOAD = """
import json, os, socket, sys, time
family, address, number = (socket.AF_INET6, "::1", 5) if sys.argv[1] == "6" else (socket.AF_INET, "127.0.0.1", 5)
address = sys.argv[2] if len(sys.argv) > 2 else address
l = socket.socket(family)
l.bind((address, 8080))
l.listen()
child = os.fork()
open("/proc/self/comm", "w").write('ser"ver' if child else "client")
if not child:
    l.close()
    for _ in range(number):
        c = socket.socket(family)
        t0 = time.monotonic()
        c.connect((address, 8080))
        t1 = time.monotonic()
        c.send(b"x")
        time.sleep(0.03)
        port = c.getsockname()[1]
        t2 = time.monotonic()
        c.shutdown(socket.SHUT_WR)
        t3 = time.monotonic()
        assert c.recv(1) == b""
        c.close()
        print(json.dumps([port, (t2 - t1) * 1000, (t3 - t0) * 1000]), flush=True)
    os._exit(0)
for _ in range(number):
    s, _ = l.accept()
    while s.recv(10):
        pass
    s.close()
os.wait()
print(json.dumps([os.getpid(), child, os.getuid()]))
"""
CLIENT = ["CLOSE", "SYN_SENT", "ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "CLOSE"]
SERVER = ["LISTEN", "SYN_RECV", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSE"]
LISTENER = ["CLOSE", "LISTEN", "CLOSE"]
CHANGES = NUMBER * 10 + 2


@pytest.fixture
def net() -> Any:
    with namespace() as one:
        yield one


def sockets(rows: list[Row]) -> list[list[Row]]:
    """The rows of each socket; an address may be used again after CLOSE."""
    found: list[list[Row]] = []
    at: dict[str, list[Row]] = {}
    for row in rows:
        if row["socket"] not in at:
            found.append(at.setdefault(row["socket"], []))
        at[row["socket"]].append(row)
        if row["newstate"] == "CLOSE":
            del at[row["socket"]]
    return found


def path(rows: list[Row]) -> list[str]:
    for one, two in pairwise(rows):
        assert one["newstate"] == two["oldstate"], rows
    return [rows[0]["oldstate"], *(row["newstate"] for row in rows)]


def traced(net: Namespace, family: str, *words: str) -> tuple[list[Row], list[list[float]]]:
    with Tracer("tcpstates", "-f", "json", "--port", str(PORT), *words) as tracer:
        told = [json.loads(line) for line in net.run(WORKLOAD, family).splitlines()]
        if not words:
            tracer.wait_for('"newstate": "CLOSE"', NUMBER * 2 + 1)
    return objects(tracer.clean()), told


@pytest.mark.parametrize("family", ["4", "6"])
def test_paths_owners_and_times(net: Namespace, family: str) -> None:
    active, passive = net.snmp("Tcp", "ActiveOpens"), net.snmp("Tcp", "PassiveOpens")
    rows, (*connections, (server, client, uid)) = traced(net, family)
    assert uid == 0
    assert net.snmp("Tcp", "ActiveOpens") - active == NUMBER == net.snmp("Tcp", "PassiveOpens") - passive
    assert len(rows) == CHANGES
    ends = sockets(rows)
    assert Counter(tuple(path(end)) for end in ends) == {
        tuple(CLIENT): NUMBER,
        tuple(SERVER): NUMBER,
        tuple(LISTENER): 1,
    }
    address = "::1" if family == "6" else "127.0.0.1"
    for end in ends:
        mine = client if path(end) == CLIENT else server
        assert {row["pid"] for row in end} == {mine}, end
        assert end[-1]["comm"] == ("client" if mine == client else 'ser"ver'), end
        assert all(row["laddr"] == address for row in end[1:]), end
        assert end[0]["ms"] is None and all(row["ms"] is not None for row in end[1:]), end
    times = {row["lport"]: row["ms"] for row in rows if row["newstate"] == "FIN_WAIT1"}
    for (
        port,
        least,
        most,
    ) in connections:  # from within connect() to within shutdown(), by the client's own clock
        assert least <= times[int(port)] <= most


LONG = "fd00:1111:2222:3333:4444:5555:6666:7777"
HEADINGS = ["TIME", "SOCKET", "PID", "COMM", "LADDR", "LPORT", "RADDR", "RPORT", "OLDSTATE", "NEWSTATE", "MS"]


def test_columns_grow_with_the_first_long_address(net: Namespace) -> None:
    subprocess.run(["ip", "-n", net.name, "addr", "add", f"{LONG}/128", "dev", "lo", "nodad"], check=True)
    with Tracer("tcpstates", "-P", str(PORT), "-n", str(CHANGES * 2)) as tracer:
        net.run(WORKLOAD, "4")
        net.run(WORKLOAD, "6", LONG)
        tracer.wait()  # it ends by itself
    lines = tracer.clean().splitlines()
    assert len(lines) == CHANGES * 2 + 2
    headings = [number for number, line in enumerate(lines) if line.split() == HEADINGS]
    assert headings == [0, CHANGES + 1], headings
    for number, line in enumerate(lines):
        heading = lines[headings[number >= CHANGES + 1]]
        for name in ("SOCKET", "COMM", "LADDR", "RADDR", "OLDSTATE", "NEWSTATE"):
            at = heading.index(name)
            assert line[at - 1] == " " and line[at] != " ", (name, line)
    assert LONG in lines[-1]


def test_filters(net: Namespace) -> None:
    rows, (*_, (server, client, _)) = traced(net, "4", "--comm", "client")
    assert {row["pid"] for row in rows} == {client} and len(rows) == NUMBER * 5
    assert (
        traced(net, "4", "-6")[0] == [] == traced(net, "6", "-4")[0] == traced(net, "4", "--uid", "12345")[0]
    )
    rows, _ = traced(net, "6", "-6", "-u", "root")
    assert len(rows) == CHANGES and server != client


def test_a_process(net: Namespace) -> None:
    rows, _ = traced(net, "4", "--pid", "1")
    assert rows == []


def test_an_old_socket_has_an_owner_from_the_start(net: Namespace) -> None:
    code = """
import json, os, socket, sys
l = socket.socket(); l.bind(("127.0.0.1", 8080)); l.listen()
c = socket.socket(); c.connect(("127.0.0.1", 8080))
s, _ = l.accept()
print(os.getpid(), flush=True)
sys.stdin.readline()
c.shutdown(socket.SHUT_WR)
s.recv(1)
s.close()
"""
    command = ["ip", "netns", "exec", net.name, sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        pid = int(process.stdout.readline())
        with Tracer("tcpstates", "-f", "json", "--port", "8080") as tracer:
            process.communicate("\n")
            tracer.wait_for('"newstate": "CLOSE"', 2)
    rows = objects(tracer.clean())
    owner = {(row["oldstate"], row["newstate"]): (row["pid"], row["ms"]) for row in rows}
    assert owner["ESTABLISHED", "FIN_WAIT1"] == (pid, None)
    assert owner["ESTABLISHED", "CLOSE_WAIT"] == (pid, None)
    assert owner["CLOSE_WAIT", "LAST_ACK"][0] == pid
