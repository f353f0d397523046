"""Whose socket it is, where the process got it before the tool ran: servers that are older, and what they then get."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.live.network import Namespace, namespace
from tests.live.tools.rows import objects
from tests.live.tracer import Tracer

FAMILY = 'family, host = (socket.AF_INET6, "::1") if sys.argv[1] == "6" else (socket.AF_INET, "127.0.0.1")\n'
# It says when it is ready, and works at the first word that it is told; the second ends it.
SERVER = (
    """
import os, socket, sys
open("/proc/self/comm", "w").write("oldserver")
"""
    + FAMILY
    + """
t = socket.socket(family); t.bind((host, 3320)); t.listen(8)
u = socket.socket(family, socket.SOCK_DGRAM); u.bind((host, 3321))
print(os.getpid(), flush=True)
sys.stdin.readline()
s, _ = t.accept()
while s.recv(100):
    s.send(b"answer")
s.close()
sys.stdin.readline()
"""
)
CLIENT = (
    "import json, os, socket, sys\n"
    + FAMILY
    + """
c = socket.socket(family); c.connect((host, 3320))
for _ in range(20):
    c.send(b"x")
    assert c.recv(100) == b"answer"
c.shutdown(socket.SHUT_WR)
assert c.recv(1) == b""
c.close()
u = socket.socket(family, socket.SOCK_DGRAM)
for _ in range(30):  # which the server never reads
    u.sendto(b"x", (host, 3321))
print(os.getpid())
"""
)


@pytest.fixture
def net() -> Any:
    with namespace() as one:
        yield one


@contextmanager
def process(net: Namespace, code: str, *words: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process in the namespace that has said its number; its input is closed at the end."""
    command = ["ip", "netns", "exec", net.name, sys.executable, "-c", code, *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as made:
        assert made.stdin is not None and made.stdout is not None
        yield made, int(made.stdout.readline())
        made.stdin.close()


@pytest.mark.parametrize("family", ["4", "6"])
def test_a_server_that_is_older_gets_its_traffic(net: Namespace, family: str) -> None:
    with process(net, SERVER, family) as (server, pid):
        assert server.stdin is not None
        with Tracer("nettop", "-f", "json", f"-{family}") as tracer:
            before = net.snmp("Tcp", "OutSegs")
            server.stdin.write("\n")
            server.stdin.flush()
            client = int(net.run(CLIENT, family))
            segments = net.snmp("Tcp", "OutSegs") - before
    rows = {row["pid"]: row for row in objects(tracer.clean()) if row["pid"] in (pid, client, None)}
    assert rows[pid]["comm"] == "oldserver"
    # every TCP segment has one of two owners, from the first of the handshake on; 30 datagrams came
    sent = rows[pid]["sent"] + rows[client]["sent"] - 30
    got = rows[pid]["received"] + rows[client]["received"] - 30
    last = 2  # of a connection that is closed: the last ACK, by TIME_WAIT
    assert segments - last <= sent <= segments and segments - last <= got <= segments, (rows, segments)
    assert rows[client]["sent"] >= 50 and rows[pid]["received"] >= 50, rows
    # the handshake's first packet is the server's, though it has not even accepted
    assert rows.get(None, {"received": 0})["received"] <= last, rows


def test_drops_of_a_socket_that_nobody_has_used_yet(net: Namespace) -> None:
    code = """
import os, socket, sys
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
u.bind(("127.0.0.1", 3322))
print(os.getpid(), flush=True)
sys.stdin.read()
"""
    flood = """
import socket
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(200):
    u.sendto(b"x" * 1000, ("127.0.0.1", 3322))
"""
    with process(net, code) as (_, pid), Tracer("dropwatch", "-f", "json", "--port", "3322") as tracer:
        net.run(flood)
        full = net.snmp("Udp", "RcvbufErrors")
    rows = objects(tracer.clean())
    assert full > 150 and [(row["packets"], row["pid"]) for row in rows] == [(full, pid)]


def test_a_closed_socket_is_nobodys(net: Namespace) -> None:
    """Neither its port nor its memory, which the kernel gives to the next one, keeps an owner."""
    code = """
import json, os, socket
user, full = os.getpid(), []
for _ in range(50):  # used, and closed
    a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); a.bind(("127.0.0.1", 3323))
    for _ in range(2):  # the first one comes before anything is known of the socket
        a.sendto(b"x", ("127.0.0.1", 3323)); a.recv(1)
    a.close()
child = os.fork()
if not child:  # not used by the one that made them: only its parent's socket sends
    for n in range(50):
        b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); b.bind(("127.0.0.1", 3400 + n)); full.append(b)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for n in range(50):
        s.sendto(b"x", ("127.0.0.1", 3400 + n))
    for _ in range(7):
        s.sendto(b"x", ("127.0.0.1", 3323))
    os._exit(0)
os.wait()
print(json.dumps([user, child]))
"""
    with Tracer("nettop", "-f", "json", "-4") as tracer:
        user, child = json.loads(net.run(code))
    rows = {row["pid"]: row for row in objects(tracer.clean())}
    assert (rows[user]["received"], rows[user]["sent"]) == (50, 100), rows
    assert (rows[child]["received"], rows[child]["sent"]) == (0, 57), rows
    assert rows[None]["received"] >= 50 + 57, rows


MANY = """
import os, resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (6000, 6000))
held = []
for n in range(5000):
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", 10000 + n)); held.append(u)
print(os.getpid(), flush=True)
sys.stdin.read()
"""


def test_many_sockets_at_the_start(net: Namespace) -> None:
    flood = """
import socket
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(5000):
    u.sendto(b"x", ("127.0.0.1", 10000 + n))
"""
    with process(net, MANY) as (_, pid), Tracer("nettop", "-f", "json", "--pid", str(pid)) as tracer:
        net.run(flood)
    rows = objects(tracer.clean())
    assert [(row["received"], row["sent"]) for row in rows] == [(5000, 0)], rows
    assert "skipped" not in tracer.err and "lost" not in tracer.err, tracer.err
