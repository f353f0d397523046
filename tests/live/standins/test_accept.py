"""Accepted connections: 20 over IPv4 and 5 over IPv6 by a process of another user; other sockets and failures beside."""

from __future__ import annotations

import json
import re

import pytest

from tests.live import probing
from tests.live.network import Namespace
from tests.live.tracer import Tracer, run

USER = 65534
WORKLOAD = """
import json, os, socket, sys
if len(sys.argv) > 1:
    os.setuid(int(sys.argv[1]))
made = []
def serve(family, host, port, count):
    server = socket.socket(family)
    server.bind((host, port))
    server.listen(64)
    for _ in range(count):
        client = socket.socket(family)
        client.connect((host, port))
        accepted, peer = server.accept()
        assert peer[:2] == client.getsockname()[:2]
        made.append([port, peer[0]])
        client.close(); accepted.close()
    server.setblocking(False)
    try:
        server.accept()
    except BlockingIOError:
        pass
    server.close()
serve(socket.AF_INET, "127.0.0.1", 3301, 20)
serve(socket.AF_INET6, "::1", 3302, 5)
# a connection of another kind
server = socket.socket(socket.AF_UNIX)
server.bind("\\0pystap-test-" + str(os.getpid()))
server.listen(1)
client = socket.socket(socket.AF_UNIX)
client.connect(server.getsockname())
server.accept()
print(json.dumps([os.getpid(), os.getuid(), open("/proc/self/comm").read().strip(), made]))
"""
ROW = re.compile(r"^ *(\d+) +(\S+) +(\d+) +(\d+) +(\S+)$", re.M)


@pytest.mark.parametrize("model", ["001-tcp_connections.stp", "002-tcp_connections.stp"])
def test_rows(script, stage, net: Namespace, model: str) -> None:
    with Tracer(script("accepted.stp", model), stage=stage) as tracer:
        pid, uid, comm, made = json.loads(net.run(WORKLOAD, str(USER)))
    out = tracer.clean()
    assert out.splitlines()[0].split() == ["UID", "CMD", "PID", "PORT", "IP_SOURCE"]
    assert uid == USER and len(made) == 25
    rows = [row for row in ROW.findall(out) if row[2] == str(pid)]
    assert rows == [(str(uid), comm, str(pid), str(port), peer) for port, peer in made]
    assert probing.standins(tracer.err), tracer.err


def test_failures_are_zero(stage, net: Namespace) -> None:
    text = 'probe kernel.function("inet_csk_accept").return { printf("%d %d\\n", pid(), $return != 0) }'
    with Tracer("-e", text, stage=stage) as tracer:
        pid = json.loads(net.run(WORKLOAD))[0]
    mine = [line.split()[1] for line in tracer.clean().splitlines() if line.split()[0] == str(pid)]
    assert mine == ["1"] * 20 + ["0"] + ["1"] * 5 + ["0"]


def test_switched_off(script) -> None:
    if probing.functions():
        pytest.skip("this kernel needs no stand-ins")
    tracer = run("--no-standins", "-p2", script("accepted.stp", "002-tcp_connections.stp"))
    assert tracer.status == 0
    assert "W307" in tracer.err and "none of the optional probe points" in tracer.err
    tracer = run("--no-standins", "-e", 'probe kernel.function("inet_csk_accept").return { }')
    assert tracer.status == 1
    assert "E304" in tracer.err and "stand-ins are switched off" in tracer.err and "accept" in tracer.err
