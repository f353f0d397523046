"""`pystap socket-trace`: a process's calls, in order, with what it knows of them itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.live.network import Namespace, namespace
from tests.live.tools.rows import Row, objects
from tests.live.tracer import Tracer

# Each call by the system call's own number or its plainest wrapper, so that none but those listed is made.
WORKLOAD = """
import json, os, socket, sys, time
family, host = (socket.AF_INET6, "::1") if sys.argv[1] == "6" else (socket.AF_INET, "127.0.0.1")
made = []
def note(call, sock, port, peer, result, error=None):
    made.append([call, sock, port, peer, result, error])
l = socket.socket(family); note("socket", l.fileno(), None, None, l.fileno())
l.bind((host, 3360)); note("bind", l.fileno(), 3360, None, 0)
l.listen(1); note("listen", l.fileno(), 3360, None, 0)
c = socket.socket(family); note("socket", c.fileno(), None, None, c.fileno())
c.connect((host, 3360)); port = c.getsockname()[1]; note("connect", c.fileno(), port, 3360, 0)
s, _ = l.accept(); note("accept4", s.fileno(), 3360, port, s.fileno())
c.send(b"hello"); note("sendto", c.fileno(), port, 3360, 5)
s.recv(100); note("recvfrom", s.fileno(), 3360, port, 5)
os.write(s.fileno(), b"answer"); note("write", s.fileno(), 3360, port, 6)
os.read(c.fileno(), 100); note("read", c.fileno(), port, 3360, 6)
os.writev(c.fileno(), [b"a", b"bc"]); note("writev", c.fileno(), port, 3360, 3)
s.recvmsg(10); note("recvmsg", s.fileno(), 3360, port, 3)
s.setblocking(False)
try:
    s.recv(1)
except BlockingIOError:
    note("recvfrom", s.fileno(), 3360, port, -11, "EAGAIN")
t0 = time.monotonic(); c.settimeout(None)
f = socket.socket(family); note("socket", f.fileno(), None, None, f.fileno())
result = -f.connect_ex((host, 3361)); note("connect", f.fileno(), 1, 3361, result, "ECONNREFUSED")
zero = os.open("/dev/zero", os.O_RDONLY); os.read(zero, 5)  # no socket
print(json.dumps([os.getpid(), made]))
"""
ASKED = ("getsockname", "getsockopt", "setsockopt", "getpeername")  # what Python asks by itself


@pytest.fixture
def net() -> Any:
    with namespace() as one:
        yield one


def traced(net: Namespace, family: str, *words: str) -> tuple[list[Row], int, list[list[Any]]]:
    with Tracer("socket-trace", "-f", "json", *words) as tracer:
        pid, made = json.loads(net.run(WORKLOAD, family))
    return [row for row in objects(tracer.clean()) if row["call"] not in ASKED], pid, made


@pytest.mark.parametrize("family", ["4", "6"])
def test_calls_in_order(net: Namespace, family: str) -> None:
    rows, pid, made = traced(net, family, f"-{family}")
    rows = [row for row in rows if row["pid"] == pid]
    assert [[row["call"], row["fd"], row["result"], row["error"]] for row in rows] == [
        [call, fd, result, error] for call, fd, _, _, result, error in made
    ]
    host = "::1" if family == "6" else "127.0.0.1"
    for row, (call, _, port, peer, *_) in zip(rows, made, strict=True):
        assert row["proto"] == "TCP" and row["tid"] == pid and row["uid"] == 0
        assert row["rport"] == peer and (port == 1 or row["lport"] == port), (call, row)
        assert row["raddr"] == (host if peer else None) and 0 <= row["ms"] < 60_000
        assert call == "socket" or row["error"] or row["laddr"] == host


def test_filters(net: Namespace) -> None:
    rows, pid, _ = traced(net, "4", "--call", "recvfrom", "--port", "3360")
    assert [row["result"] for row in rows if row["pid"] == pid] == [5, -11]
    rows, pid, _ = traced(net, "6", "--failed", "--port", "3361")
    assert [(row["pid"], row["error"]) for row in rows] == [(pid, "ECONNREFUSED")]
    assert traced(net, "4", "-6", "-P", "3360")[0] == [] == traced(net, "4", "--pid", "1")[0]
    assert traced(net, "4", "--slow", "60000")[0] == [] == traced(net, "4", "--uid", "12345")[0]


def test_how_long(net: Namespace) -> None:
    code = """
import socket, time
a, b = socket.socketpair()
b.settimeout(None)
import os
if not os.fork():
    time.sleep(0.2); a.send(b"x"); os._exit(0)
t = time.monotonic(); b.recv(1); print((time.monotonic() - t) * 1000)
"""
    with Tracer("socket-trace", "-f", "json", "--call", "recvfrom", "--slow", "100") as tracer:
        waited = float(net.run(code))
    rows = [row for row in objects(tracer.clean()) if row["proto"] == "UNIX"]
    assert len(rows) == 1 and 150 < rows[0]["ms"] <= waited and rows[0]["laddr"] is None


def test_so_many_calls(net: Namespace) -> None:
    with Tracer("socket-trace", "-n", "3", "-P", "3360") as tracer:
        net.run(WORKLOAD, "4")
        tracer.wait()  # it ends by itself
    assert [line.split()[3] for line in tracer.clean().splitlines()[1:]] == ["bind", "listen", "connect"]
