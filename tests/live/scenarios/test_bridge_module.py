"""The functions of a module: two hosts that ping through a bridge, counted by the bridge's own ports."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.live import probing
from tests.live.network import Namespace, namespace
from tests.live.tracer import Tracer

LINE = re.compile(r"^ *\d+ (.+)\((\d+)\):( *)(->|<-) (\w+)(?:\.[\w.]+)?(?:,port_no=(\d+))?$", re.M)
HOSTS = {"left": "10.213.9.1", "right": "10.213.9.2"}
BRIDGE = "10.213.9.3"
PINGS = 7


class Bridged:
    """Three namespaces: two hosts, and between them a bridge with a port for each."""

    def __init__(self, hosts: dict[str, Namespace], middle: Namespace) -> None:
        self.hosts = hosts
        self.middle = middle

    def ping(self, sender: Namespace, to: str, count: int) -> None:
        """Send echo requests and wait for their answers."""
        command = ["ip", "netns", "exec", sender.name, "ping", "-q", "-i", "0.002", "-c", str(count), to]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)

    def counters(self) -> dict[str, tuple[int, int, int]]:
        """Return each port's number, frames received and frames sent."""
        read = (
            "import json, pathlib\n"
            "base = pathlib.Path('/sys/class/net')\n"
            "number = lambda *w: int(base.joinpath(*w).read_text(), 0)\n"
            "print(json.dumps({p.name: [number(p.name, 'brport', 'port_no'),"
            " number(p.name, 'statistics', 'rx_packets'), number(p.name, 'statistics', 'tx_packets')]"
            " for p in base.joinpath('stp-br', 'brif').iterdir()}))"
        )
        return {name: tuple(row) for name, row in json.loads(self.middle.run(read)).items()}


@pytest.fixture
def bridged() -> Iterator[Bridged]:
    if why := probing.lacks("kprobe"):
        pytest.skip(why)
    with namespace() as left, namespace() as right, namespace() as middle:
        hosts = {"left": left, "right": right}
        for one in (*hosts.values(), middle):
            one.run("open('/proc/sys/net/ipv6/conf/default/disable_ipv6', 'w').write('1')")

        def ip(ns: Namespace, words: str) -> None:
            subprocess.run(["ip", "-n", ns.name, *words.split()], check=True)

        ip(middle, "link add stp-br address 02:00:00:00:00:03 type bridge mcast_snooping 0")
        for n, (name, host) in enumerate(hosts.items(), 1):
            port = f"port-{name}"
            ip(
                host,
                f"link add eth address 02:00:00:00:00:0{n} type veth peer name {port} netns {middle.name}",
            )
            ip(host, f"addr add {HOSTS[name]}/24 dev eth")
            ip(middle, f"link set {port} master stp-br")
            ip(middle, f"link set {port} up")
            ip(host, "link set eth up")
            others = {**HOSTS, "bridge": BRIDGE}
            for m, (other, address) in enumerate(others.items(), 1):
                if other != name:
                    ip(host, f"neigh add {address} lladdr 02:00:00:00:00:0{m} dev eth")
            ip(middle, f"neigh add {HOSTS[name]} lladdr 02:00:00:00:00:0{n} dev stp-br")
        ip(middle, f"addr add {BRIDGE}/24 dev stp-br")
        ip(middle, "link set stp-br up")
        made = Bridged(hosts, middle)
        made.ping(left, HOSTS["right"], 1)  # now the bridge knows both
        made.ping(left, BRIDGE, 1)
        yield made


def traced(
    script: str, stage: str, bridged: Bridged
) -> tuple[list[tuple[str, ...]], Counter[str], Counter[str]]:
    """Return the lines of pings through the bridge, and by port the frames received and sent meanwhile."""
    with Tracer(script, stage=stage) as tracer:
        before = bridged.counters()
        bridged.ping(bridged.hosts["left"], HOSTS["right"], PINGS)
        after = bridged.counters()
    received = Counter({name: after[name][1] - before[name][1] for name in after})
    sent = Counter({name: after[name][2] - before[name][2] for name in after})
    assert min(received.values()) >= PINGS <= min(sent.values())
    return LINE.findall(tracer.clean()), received, sent


def nested(lines: list[tuple[str, ...]]) -> None:
    """Check that every thread leaves what it entered, the last one first, at the same indentation."""
    stacks: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for comm, tid, indent, arrow, name, _ in lines:
        if tid == "0":  # idle threads share their number: their lines may be those of two processors
            continue
        stack = stacks.setdefault((comm, tid), [])
        if arrow == "->":
            stack.append((indent, name))
        else:
            assert stack and stack.pop() == (indent, name), (comm, tid, indent, name)
    assert not any(stacks.values()), stacks
    calls = Counter(line[4] for line in lines if line[3] == "->")
    assert calls == Counter(line[4] for line in lines if line[3] == "<-")


def calls(lines: list[tuple[str, ...]], name: str) -> int:
    return sum(1 for line in lines if line[3:5] == ("->", name))


def test_all_functions(script, stage, bridged: Bridged) -> None:
    lines, received, sent = traced(script("bridge-module.stp", "004-8.3-bridge-module.stp"), stage, bridged)
    nested(lines)
    assert calls(lines, "br_handle_frame") == received.total()
    assert calls(lines, "br_dev_queue_push_xmit") == sent.total()


def test_input(script, stage, bridged: Bridged) -> None:
    lines, received, _ = traced(script("bridge-input.stp", "004-8.4-br-input.stp"), stage, bridged)
    nested(lines)
    assert calls(lines, "br_handle_frame") == received.total()
    assert calls(lines, "br_handle_frame_finish") == received.total()
    assert {line[4] for line in lines}.isdisjoint({"br_forward", "br_dev_queue_push_xmit", "br_dev_xmit"})


def test_forward(script, stage, bridged: Bridged) -> None:
    lines, _, sent = traced(script("bridge-forward.stp", "004-8.4-br-forward.stp"), stage, bridged)
    nested(lines)
    assert calls(lines, "br_forward") == calls(lines, "br_dev_queue_push_xmit") == sent.total()
    assert {line[4] for line in lines}.isdisjoint({"br_handle_frame", "br_dev_xmit"})


def test_renamed(script, stage, bridged: Bridged) -> None:
    path = script("bridge-deliver.stp", "004-8.6-br-deliver.stp")
    with Tracer(path, stage=stage) as tracer:
        before = bridged.counters()
        bridged.ping(bridged.middle, HOSTS["right"], PINGS)
        bridged.ping(bridged.middle, HOSTS["left"], 2)
        after = bridged.counters()
    lines = LINE.findall(tracer.clean())
    want = Counter({str(after[name][0]): after[name][2] - before[name][2] for name in after})
    assert sorted(want.values()) == [2, PINGS]
    assert Counter(line[5] for line in lines if line[3] == "->") == want
    assert {line[4] for line in lines} == {"br_forward"}
    nested(lines)
    assert tracer.err.count("W303") >= 1 and "'br_deliver' is 'br_forward'" in tracer.err
