"""Packets dropped, by the place in the kernel: datagrams to a port that nobody listens on."""

from __future__ import annotations

import re

from tests.live.network import Namespace
from tests.live.tracer import Tracer

WORKLOAD = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(5000):
    s.sendto(b"x" * 64, ("127.0.0.1", 7))
"""
LINE = re.compile(r"^(\d+) packets dropped at (\S+)$", re.M)


def test_drops_at_one_symbol(script, stage, net: Namespace) -> None:
    with Tracer(script("drops.stp", "002-dropwatch.stp"), stage=stage) as tracer:
        before = net.snmp("Udp", "NoPorts")
        net.run(WORKLOAD)
        drops = net.snmp("Udp", "NoPorts") - before
        tracer.wait_for("packets dropped at", 1)
        tracer.wait_for("\n\n", 1)
    out = tracer.clean()
    assert drops == 5000
    by_symbol: dict[str, int] = {}
    for number, symbol in LINE.findall(out):
        by_symbol[symbol] = by_symbol.get(symbol, 0) + int(number)
    udp = {symbol: number for symbol, number in by_symbol.items() if "udp" in symbol}
    assert udp and max(udp.values()) == drops, by_symbol
    assert not max(udp, key=udp.__getitem__).startswith("0x"), by_symbol
    assert out.startswith("Monitoring for dropped packets\n")
    assert out.endswith("Stopping dropped packet monitor\n")
