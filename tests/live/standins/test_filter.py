"""Hooks of the network's filter and functions of IPv4's output, between two namespaces, beside captures."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.live import probing
from tests.live.network import Namespace
from tests.live.standins.capture import CAPTURE
from tests.live.standins.pair import FAR, HERE, MUTE, NEAR, PING, THERE, THERE6, pair
from tests.live.tracer import Tracer

Pair = tuple[Namespace, Namespace]


@pytest.fixture
def two() -> Iterator[Pair]:
    """The two namespaces."""
    with pair() as both:
        yield both


ARP = (
    CAPTURE
    + """
import json, sys, time
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (sys.argv[1], 9))
time.sleep(0.5)
def arp(data):
    mac = lambda b: ":".join("%02x" % n for n in b)
    ip = lambda b: socket.inet_ntop(socket.AF_INET, b)
    return [ip(data[14:18]), mac(data[8:14]), ip(data[24:28]), mac(data[18:24]), data[7]]
found = incoming((0, 1, 4))
_tap.close()
print(json.dumps([arp(d) for p, d in found if p == 0x0806]))
"""
)
ARP_ROW = re.compile(
    r" *\d+ (.+)\((\d+)\): -> arp_\w+ ar_sip=(\S+), ar_sha=(\S+), ar_tip=(\S+), ar_tha=(\S+), outdev_name=(\S*), ar_op=(\d)$",
    re.M,
)


@pytest.mark.parametrize("way", ["out", "in"])
def test_arp(script, stage, two: Pair, way: str) -> None:
    here, _ = two
    with Tracer(
        script(f"arp-{way}.stp", f"004-6.2.{2 if way == 'out' else 3}-arp-{way}.stp"), stage=stage
    ) as tracer:
        seen = json.loads(here.run(ARP, THERE))
    out = tracer.clean()
    ours = {HERE, THERE}
    rows = [r for r in ARP_ROW.findall(out) if ours >= {r[2], r[4]}]
    got = [[*r[2:6], int(r[7])] for r in rows]
    # each packet goes out at one end and comes in at the other
    assert seen[:2] == [
        [HERE, seen[0][1], THERE, "00:00:00:00:00:00", 1],
        [THERE, seen[1][1], HERE, seen[0][1], 2],
    ]
    assert got[:2] == seen[:2], out
    assert [r[6] for r in rows[:2]] == ([NEAR, FAR] if way == "out" else ["", ""])
    if way == "out":
        assert rows[0][0].startswith("python")  # sent by the process itself
    assert tracer.err.count("W301") == 1 and "ARP" in tracer.err


TCP = (
    CAPTURE
    + """
import json, sys, time
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
server = socket.socket(family)
server.bind((sys.argv[1], 3307))
server.listen(1)
client = socket.socket(family)
client.connect((sys.argv[1], 3307))
other, _ = server.accept()
client.sendall(b"question")
assert other.recv(100) == b"question"
client.close()
other.close()
server.close()
d = socket.socket(family, socket.SOCK_DGRAM)
d.sendto(b"x", (sys.argv[1], 3307))
time.sleep(0.3)
def packet(p, data):
    found = segment(p, data)
    if found is None:
        return None
    source, target, sport, dport, urg, ack, psh, rst, syn, fin = found
    return ["lo", target, dport, source, sport, syn, ack, fin, rst]
print(json.dumps([s for s in (packet(*p) for p in incoming()) if s]))
"""
)
HOOK_ROW = re.compile(
    r"-> indev_name=(\S+), daddr:dport=(\S+):(\d+), saddr:sport=(\S+):(\d+) SYN=(\d):ACK=(\d):FIN=(\d):RST=(\d)$",
    re.M,
)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_before_routing(script, stage, net: Namespace, host: str) -> None:
    with Tracer(script("before-routing.stp", "004-6.2.4-ip-pre-routing.stp"), stage=stage) as tracer:
        captured = json.loads(net.run(TCP, host))
    out = tracer.clean()
    rows = [
        [r[0], r[1], int(r[2]), r[3], int(r[4]), *map(int, r[5:])]
        for r in HOOK_ROW.findall(out)
        if "3307" in (r[2], r[4])
    ]
    segments = [r for r in rows if any(r[5:])]
    assert len(captured) >= 8
    assert segments == captured
    datagrams = [r for r in rows if not any(r[5:])]
    assert len(datagrams) == 1 and datagrams[0][1:4] == [host, 3307, host]


def test_places(stage, two: Pair) -> None:
    """A ping passes out and after routing here, before routing and in there, and nowhere forward."""
    here, _ = two
    points = ("pre_routing", "local_in", "forward", "local_out", "post_routing")
    text = "global n " + "".join(
        f'probe netfilter.ipv4.{p} {{ if (protocol == 1 && daddr == "{THERE}")'
        f' n["{p}", indev_name, outdev_name]++ }}\n'
        for p in points
    )
    text += 'probe end { foreach ([p+, i, o] in n) printf("%s in=%s out=%s %d\\n", p, i, o, n[p, i, o]) }'
    with Tracer("-e", text, stage=stage) as tracer:
        here.run(PING + f'ping("{THERE}", 5)')
    assert tracer.clean().splitlines() == [
        f"local_in in={FAR} out= 5",
        f"local_out in= out={NEAR} 5",
        f"post_routing in= out={NEAR} 5",
        f"pre_routing in={FAR} out= 5",
    ]


AWAY = "stp-away"
THROUGH = """
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], 3339))
try:
    s.send(b"x"); s.recv(1)
except ConnectionRefusedError:
    pass  # the gateway is known from now on
s.connect((sys.argv[2], 3340))
for _ in range(4):
    s.send(b"x" * 12)
"""


def _route_through(here: Namespace, there: Namespace) -> None:
    """Have a network behind the other namespace, whose only host never answers."""
    for ns, words in (
        (there, f"link add {AWAY} type veth peer name stp-gone"),
        (there, f"link set {AWAY} up"),
        (there, "link set stp-gone up"),
        (there, f"addr add 10.213.9.1/24 dev {AWAY}"),
        (there, f"addr add fd00:d9::1/64 dev {AWAY} nodad"),
        (there, f"neigh add 10.213.9.2 lladdr 02:00:00:00:00:09 dev {AWAY}"),
        (there, f"neigh add fd00:d9::2 lladdr 02:00:00:00:00:09 dev {AWAY}"),
        (here, f"route add 10.213.9.0/24 via {THERE}"),
        (here, f"route add fd00:d9::/64 via {THERE6}"),
    ):
        subprocess.run(["ip", "-n", ns.name, *words.split()], check=True)
    for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        there.run(f"open('/proc/sys/net/{name}', 'w').write('1')")


@pytest.mark.parametrize("family", [4, 6])
def test_places_of_what_is_forwarded(stage, two: Pair, family: int) -> None:
    _route_through(*two)
    host = "10.213.9.2" if family == 4 else "fd00:d9::2"
    text = "global n " + "".join(
        f'probe netfilter.ip.{p} {{ if (dport == 3340 && daddr == "{host}" && protocol == 17)'
        f' n["{p}", indev_name, outdev_name, $skb->len]++ }}\n'
        for p in ("pre_routing", "local_in", "forward", "local_out", "post_routing")
    )
    text += 'probe end { foreach ([p+, i, o, l] in n) printf("%s in=%s out=%s %d %d\\n", p, i, o, l, n[p, i, o, l]) }'
    with Tracer("-e", text, stage=stage) as tracer:
        two[0].run(THROUGH, THERE if family == 4 else THERE6, host)
    size = 12 + 8 + (20 if family == 4 else 40)
    assert sorted(tracer.clean().splitlines()) == [
        f"forward in={FAR} out={AWAY} {size} 4",
        f"local_out in= out={NEAR} {size} 4",
        f"post_routing in= out={NEAR} {size} 4",
        f"post_routing in={FAR} out={AWAY} {size} 4",
        f"pre_routing in={FAR} out= {size} 4",
    ]


def test_pings_by_address(script, stage, two: Pair) -> None:
    here, there = two
    for ns in two:
        ns.run(MUTE)
    with Tracer(script("pings.stp", "004-12.2-ping-count.stp"), stage=stage) as tracer:
        here.run(PING + f'ping("{THERE}", 6, False)\nping("{HERE}", 3, False)')
        here.run(PING.replace('write("ping")', 'write("pong")') + f'ping("{THERE}", 2, False)')
        there.run(PING + f'ping("{HERE}", 1, False)')
    assert tracer.clean().splitlines() == [f"{THERE} : 6", f"{HERE} : 4"]
    assert probing.standins(tracer.err), tracer.err


def test_pings_by_cpu(script, stage, two: Pair) -> None:
    here, there = two
    there.run(MUTE)
    with Tracer(script("ping-cpus.stp", "004-5.6.1-execname-eq.stp"), stage=stage) as tracer:
        here.run(PING + f'os.sched_setaffinity(0, {{1}})\nping("{THERE}", 4, False)')
    lines = tracer.clean().splitlines()
    assert len(lines) == 4 and all(
        re.fullmatch(r"TIME=\w+ \w+ +\d+ [\d:]+ \d+ \w+,CPU=1", x) for x in lines
    ), lines


def test_point_in_words(script, stage, two: Pair) -> None:
    here, _ = two
    with Tracer(script("points.stp", "004-5.4-pp.stp"), stage=stage) as tracer:
        here.run(PING + f'ping("{THERE}", 4)')
    lines = tracer.clean().splitlines()
    assert len(lines) >= 8  # the answers are put out too
    point = re.compile(f".*,PP={probing.point('ip_output', 'net/ipv4/ip_output.c')}")
    assert all(point.fullmatch(x) for x in lines), lines


def test_nothing_stays(stage, two: Pair) -> None:
    """The verdict lets every packet go on, while tracing and after it."""
    here, _ = two
    workload = PING + f'ping("{THERE}", 3)'
    with Tracer("-e", "probe netfilter.ip.* { x = length } probe end { println(1) }", stage=stage) as tracer:
        here.run(workload)
    tracer.clean()
    here.run(workload)
