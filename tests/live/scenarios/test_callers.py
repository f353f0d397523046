"""Functions with their callers and their parameters, where the kernel can probe them: known packets, known answers."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from tests.live import probing
from tests.live.network import Namespace
from tests.live.standins.pair import HERE, pair
from tests.live.tracer import Tracer

SENDS = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 3321))
for host in sys.argv[2:]:
    s.sendto(b"x" * 40, (host, 3322))
"""
TIME = r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4} \w+"
CALLER = r"(\w+)(?:\.[\w.]+)? 0x[0-9a-f]{16}"


@pytest.fixture(autouse=True)
def functions() -> None:
    if why := probing.lacks("kprobe"):
        pytest.skip(why)


@pytest.fixture
def two():
    with pair() as made:
        yield made


def test_callers(script, stage, two: tuple[Namespace, Namespace]) -> None:
    here, there = two
    with Tracer(script("callers.stp", "004-5.5-caller.stp"), stage=stage) as tracer:
        before = here.snmp("Ip", "OutRequests") + there.snmp("Ip", "OutRequests")
        here.run(SENDS, HERE, *["10.213.7.2"] * 5)
        after = here.snmp("Ip", "OutRequests") + there.snmp("Ip", "OutRequests")
    lines = tracer.clean().splitlines()
    line = re.compile(
        rf'TIME={TIME},PP=kernel\.function\("ip_output@net/ipv4/ip_output\.c(?::\d+)?"\),CALLER={CALLER}'
    )
    found = [line.fullmatch(one) for one in lines]
    assert all(found), lines
    # five datagrams, and the answers of the closed port
    assert len(found) == after - before >= 10, lines
    senders = Counter(m[1] for m in found if m)
    assert set(senders) <= {"ip_send_skb", "ip_push_pending_frames", "ip_local_out", "__ip_queue_xmit"}, (
        senders
    )


def test_neighbours(script, stage, two: tuple[Namespace, Namespace]) -> None:
    here, there = two
    hosts = [f"10.213.7.{n}" for n in range(10, 16)]
    for host in hosts:
        there.run(
            f"import subprocess; subprocess.run(['ip', 'addr', 'add', '{host}/24', 'dev', 'stp-far'], check=True)"
        )
    with Tracer(script("neighbours.stp", "004-5.9-skb-addresses.stp"), stage=stage) as tracer:
        here.run(SENDS, HERE, *hosts)
    line = re.compile(
        rf"TIME={TIME},CALLER={CALLER},"
        r'PP=kernel\.function\("neigh_resolve_output@net/core/neighbour\.c(?::\d+)?"\),'
        r"PROTO=(\d+) ([\d.]+)\.(\d+)-> ([\d.]+)\.(\d+)"
    )
    found = [line.fullmatch(one) for one in tracer.clean().splitlines()]
    assert all(found), tracer.out
    ours = [m.groups()[1:] for m in found if m and m[2] == "17"]
    # once when the neighbour isn't known yet, and at most once more with its address
    assert set(ours) == {("17", HERE, "3321", host, "3322") for host in hosts}, tracer.out
    assert max(Counter(ours).values()) <= 2


MSS = """
import json, socket, subprocess
subprocess.run("ip addr add 192.168.3.30/32 dev lo", shell=True, check=True)
server = socket.socket()
server.bind(("192.168.3.30", 3323)); server.listen(1)
client = socket.socket()
client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000)
client.connect(("192.168.3.30", 3323))
other, _ = server.accept()
other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for _ in range(4):
    other.send(b"x" * 10)
    client.recv(100)
print(json.dumps([other.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG), client.getsockname()[0]]))
"""


def test_segment_sizes(script, stage, net: Namespace) -> None:
    with Tracer(script("segment-sizes.stp", "004-15.4-sock-mss.stp"), stage=stage) as tracer:
        size, client = json.loads(net.run(MSS))
    assert 500 < size <= 1000
    lines = tracer.clean().splitlines()
    point = r'pp=kernel\.function\("tcp_send_mss@net/ipv4/tcp\.c(?::\d+)?"\)\.return,ret=(\d+)'
    ends = f"saddr=192.168.3.30, daddr={client}"
    assert lines[::2] == [ends] * 4, lines
    assert [m[1] for one in lines[1::2] if (m := re.fullmatch(point, one))] == [str(size)] * 4, lines
