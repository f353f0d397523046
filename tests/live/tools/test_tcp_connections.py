"""`pystap tcp-connections`: what two processes did, by their own account: addresses, ports, bytes, times, errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.live.network import Namespace, namespace
from tests.live.tools.rows import Row, objects
from tests.live.tracer import Tracer

NUMBER = 20
USER = 65534
WORKLOAD = """
import json, os, socket, struct, sys, time
family, host = (socket.AF_INET6, "::1") if sys.argv[1] == "6" else (socket.AF_INET, "127.0.0.1")
l = socket.socket(family); l.bind((host, 3350)); l.listen(64)
child = os.fork()
open("/proc/self/comm", "w").write("acceptor" if child else "connector")
if child:
    os.setuid(65534)
if not child:
    l.close()
    for n in range(20):
        c = socket.socket(family)
        t0 = time.monotonic(); c.connect((host, 3350)); t1 = time.monotonic()
        c.sendall(b"x" * 1000 * n)
        c.shutdown(socket.SHUT_WR)
        got = 0
        while data := c.recv(65536):
            got += len(data)
        port = c.getsockname()[1]
        c.close()
        print(json.dumps([port, (t1 - t0) * 1000, 1000 * n, got]), flush=True)
    # the other end resets this one
    c = socket.socket(family); c.connect((host, 3350)); c.sendall(b"reset")
    try:
        c.recv(1); error = 0
    except OSError as failed:
        error = failed.errno
    print(json.dumps([c.getsockname()[1], error]), flush=True)
    c.close()
    print(json.dumps([socket.socket(family).connect_ex((host, 3351))]), flush=True)
    os._exit(0)
for n in range(21):
    s, peer = l.accept()
    if n == 20:
        assert s.recv(5) == b"reset"
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        while s.recv(65536):
            pass
        s.sendall(b"y" * 7 * n)
    s.close()
os.wait()
print(json.dumps([os.getpid(), child]))
"""


@pytest.fixture
def net() -> Any:
    with namespace() as one:
        yield one


def traced(net: Namespace, family: str, *words: str) -> tuple[list[Row], list[Any]]:
    with Tracer("tcp-connections", "-f", "json", *words) as tracer:
        told = [json.loads(line) for line in net.run(WORKLOAD, family).splitlines()]
    return objects(tracer.clean()), told


def of(rows: list[Row], kind: str, *ports: int) -> list[Row]:
    return [row for row in rows if row["kind"] == kind and {row["lport"], row["rport"]} & set(ports)]


@pytest.mark.parametrize("family", ["4", "6"])
def test_every_connection(net: Namespace, family: str) -> None:
    active, passive = net.snmp("Tcp", "ActiveOpens"), net.snmp("Tcp", "PassiveOpens")
    rows, (*made, reset, refused, (server, client)) = traced(net, family, f"-{family}")
    assert net.snmp("Tcp", "PassiveOpens") - passive == NUMBER + 1
    assert net.snmp("Tcp", "ActiveOpens") - active == NUMBER + 2  # and one is refused
    address = "::1" if family == "6" else "127.0.0.1"
    assert all(row["laddr"] == row["raddr"] == address for row in rows)
    accepts, connects = of(rows, "accept", 3350), of(rows, "connect", 3350)
    ports = [port for port, *_ in (*made, reset)]
    for some, pid, uid, comm in ((accepts, server, USER, "acceptor"), (connects, client, 0, "connector")):
        assert {(row["pid"], row["uid"], row["comm"]) for row in some} == {(pid, uid, comm)}
    assert [(row["lport"], row["rport"]) for row in accepts] == [(3350, port) for port in ports]
    assert [(row["lport"], row["rport"]) for row in connects] == [(port, 3350) for port in ports]
    for row, (_, took, *_) in zip(connects, made, strict=False):
        assert 0 < row["ms"] <= took  # within connect(), by the client's clock
    assert all(row["ms"] is not None and row["ms"] >= 0 for row in accepts)
    closed = {row["lport"]: row for row in of(rows, "close", 3350) if row["pid"] == client}
    served = {row["rport"]: row for row in of(rows, "close", 3350) if row["pid"] == server}
    for port, _, sent, got in made:
        assert (closed[port]["sent"], closed[port]["received"], closed[port]["error"]) == (sent, got, None)
        assert (served[port]["sent"], served[port]["received"], served[port]["error"]) == (got, sent, None)
    assert closed[reset[0]]["error"] == "ECONNRESET" and reset[1] == 104
    assert (closed[reset[0]]["sent"], served[reset[0]]["received"]) == (5, 5)
    (failed,) = of(rows, "fail", 3351)
    assert (failed["pid"], failed["error"], refused) == (client, "ECONNREFUSED", [111])


def test_filters(net: Namespace) -> None:
    rows, told = traced(net, "4", "--kind", "accept", "-u", "nobody", "-P", "3350")
    assert len(rows) == NUMBER + 1 and {(row["kind"], row["pid"]) for row in rows} == {
        ("accept", told[-1][0])
    }
    rows, told = traced(net, "6", "-k", "connect", "--comm", "connector", "-6")
    assert len(rows) == NUMBER + 1 and {(row["kind"], row["pid"]) for row in rows} == {
        ("connect", told[-1][1])
    }
    rows, _ = traced(net, "4", "--kind", "fail", "-P", "3351")
    assert [row["kind"] for row in rows] == ["fail"]
    rows, told = traced(net, "4", "--kind", "close", "-P", "3350")
    assert {row["kind"] for row in rows} == {"close"} and len(rows) == 2 * (NUMBER + 1)
    assert traced(net, "4", "-6")[0] == [] == traced(net, "4", "--pid", "1")[0]


def test_so_many_lines(net: Namespace) -> None:
    with Tracer("tcp-connections", "3", "-P", "3350") as tracer:
        net.run(WORKLOAD, "4")
        tracer.wait()  # it ends by itself
    lines = tracer.clean().splitlines()
    assert lines[0].split()[:3] == ["TIME", "KIND", "PID"] and len(lines) == 4


# A connection that is older than the run: its end is seen, with its owner; how long it lasted isn't known.
OLD = """
import os, socket, sys
l = socket.socket(); l.bind(("127.0.0.1", 3352)); l.listen()
c = socket.socket(); c.connect(("127.0.0.1", 3352)); s, _ = l.accept()
c.sendall(b"x" * 10); s.recv(10)
print(os.getpid(), flush=True)
sys.stdin.readline()
c.close(); s.recv(1); s.close()
"""


def test_an_older_connection(net: Namespace) -> None:
    from tests.live.tools.test_owners import process

    with process(net, OLD) as (old, pid), Tracer("tcp-connections", "-f", "json", "-P", "3352") as tracer:
        old.communicate("\n")
    rows = objects(tracer.clean())
    assert [(row["kind"], row["pid"], row["ms"]) for row in rows] == [("close", pid, None)] * 2
    assert {(row["sent"], row["received"]) for row in rows} == {(10, 0), (0, 10)}
