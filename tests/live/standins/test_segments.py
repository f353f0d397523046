"""TCP segments and UDP reads, beside a capture of the run: connect, data, urgent data, close, reset, refusal."""

from __future__ import annotations

import json
import re

import pytest

from tests.live.network import Namespace
from tests.live.standins.capture import CAPTURE
from tests.live.tracer import Tracer

WORKLOAD = (
    CAPTURE
    + """
import json, time
def talk(family, host, port):
    server = socket.socket(family)
    server.bind((host, port))
    server.listen(8)
    for reset in (False, True):
        client = socket.socket(family)
        client.connect((host, port))
        other, _ = server.accept()
        client.sendall(b"x" * 3000)
        while len(other.recv(4096, socket.MSG_PEEK)) < 3000:
            pass
        other.recv(4096)
        other.sendall(b"answer")
        assert client.recv(100) == b"answer"
        client.send(b"!", socket.MSG_OOB)
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        other.close()
    server.close()
    nobody = socket.socket(family)
    try:
        nobody.connect((host, port))
    except ConnectionRefusedError:
        pass
talk(socket.AF_INET, "127.0.0.1", 3304)
talk(socket.AF_INET6, "::1", 3305)
a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
b.bind(("127.0.0.1", 3306))
a.connect(("127.0.0.1", 3306))
for _ in range(7):
    a.send(b"x")
    b.recvfrom(10)
time.sleep(0.3)
print(json.dumps([s for s in (segment(*p) for p in incoming()) if s]))
"""
)
ROW = re.compile(r"^ +(\S+) +(\S+) +(\d+) +(\d+)  (\d)  (\d)  (\d)  (\d)  (\d)  (\d)$", re.M)
UDP = re.compile(r"^ +(\S+) +(\S+) +(\d+) +(\d+)  UDP$", re.M)


@pytest.mark.parametrize("model", ["000-tcpdumplike.stp", "002-tcpdumplike.stp"])
def test_as_captured(script, stage, net: Namespace, model: str) -> None:
    with Tracer(script("segments.stp", model), stage=stage) as tracer:
        captured = json.loads(net.run(WORKLOAD))
        tracer.wait_for("Source IP", 2)  # the header comes again every second
    out = tracer.clean()
    ours = {3304, 3305}
    rows = [[r[0], r[1], *map(int, r[2:])] for r in ROW.findall(out) if ours & {int(r[2]), int(r[3])}]
    wanted = [s for s in captured if ours & {s[2], s[3]}]
    assert len(wanted) > 30 and {s[4 + 3] for s in wanted} == {0, 1}, wanted  # with resets
    assert {s[4] for s in wanted} == {0, 1}, wanted  # with urgent data
    assert rows == wanted
    if model.startswith("002"):
        reads = [r for r in UDP.findall(out) if r[2] == "3306"]
        assert reads == [("127.0.0.1", "0.0.0.0", "3306", "0")] * 7


def test_other_variables(stage, net: Namespace) -> None:
    text = 'probe tcp.receive { if (dport == 3304 && syn) printf("%s %d %d %d %d\\n", name, family, protocol, seq != 0, ackseq) }'
    with Tracer("-e", text, stage=stage) as tracer:
        net.run(WORKLOAD)
    assert tracer.clean() == "tcp.receive 2 6 1 0\n" * 3
