"""Figures of a packet's cost: ns that a table of packets by process, name and device adds to a datagram over lo."""

from __future__ import annotations

import os
import re
import shlex
import sys
from statistics import median
from typing import TYPE_CHECKING

from . import scripts
from .events import wait_attached
from .peers import Peer, PeerError, Run
from .rounds import run_rounds
from .table import ns
from .udp import Datagrams

if TYPE_CHECKING:
    from .plan import Plan
    from .rounds import Numbers
    from .table import Row

CHUNKS, PACKETS = 40, 5_000
TARGET = 0.2
_BT = """\
tracepoint:net:net_dev_queue { @out[pid, comm, args->name] = count(); @outb[pid, comm, args->name] = sum(args->len); }
tracepoint:net:netif_receive_skb { @in[pid, comm, args->name] = count(); @inb[pid, comm, args->name] = sum(args->len); }
"""
_STP = """\
global out, back
probe netdev.transmit { out[pid(), execname(), dev_name] <<< length }
probe netdev.receive { back[pid(), execname(), dev_name] <<< length }
probe end {
  foreach ([p, c, d] in out) printf("%d %s %s %d %d\\n", p, c, d, @sum(out[p, c, d]), @count(out[p, c, d]))
  foreach ([p, c, d] in back) printf("%d %s %s %d %d\\n", p, c, d, @sum(back[p, c, d]), @count(back[p, c, d]))
}
"""
# The ready-made tool takes no script: what it does more is to find the owner of each packet.
TOOL = Peer(
    "nettop",
    "stp",
    ["sh", "-c", f"exec {shlex.quote(sys.executable)} -m pystap nettop 3600 -f json", "sh"],
)


def _seen(peer: Peer, output: bytes, packets: int) -> None:
    """Make sure that the report has the packets: else it did not work."""
    pattern = rb'"sent": (\d+)' if peer is TOOL else rb"(\d+)\D*$"
    most = max((int(number) for number in re.findall(pattern, output, re.MULTILINE)), default=0)
    if most < packets * 0.99:
        raise PeerError(f"counted {most} of {packets} packets")


class _Meter:
    """Measures under each peer, with the load on one CPU and the peer kept off it."""

    def __init__(self, load: Datagrams, cpu: int, chunks: int) -> None:
        self.load = load
        self.others = set(os.sched_getaffinity(0)) - {cpu} or {cpu}
        self.chunks = chunks
        self.bare: list[float] = []

    def measure(self, peer: Peer) -> Numbers:
        """Return ns added to a packet."""
        self.bare.append(self.load.call_ns(self.chunks, PACKETS))
        with Run(peer, scripts.unseen(peer.lang, _BT if peer.lang == "bt" else _STP)) as run:
            wait_attached(run, self.load).close()
            os.sched_setaffinity(run.pid, self.others)
            traced = self.load.call_ns(self.chunks, PACKETS)
            run.stop()
            _seen(peer, run.output, self.chunks * PACKETS)
        return {"added": traced - median(self.bare)}


def packets(plan: Plan) -> list[Row | None]:
    """Return the rows of datagrams over lo."""
    cpu = max(os.sched_getaffinity(0))
    load = Datagrams(cpu)
    try:
        meter = _Meter(load, cpu, CHUNKS // 4 if plan.quick else CHUNKS)
        ours = [*plan.ours, TOOL]
        results = run_rounds([*ours, plan.theirs], plan.rounds(9), meter.measure, "packets")
    finally:
        load.close()
    plan.failures += results.failures
    rows = []
    for peer in ours:
        name = "nettop, the tool" if peer is TOOL else f"packets by pid, comm, device, {peer.lang}"
        target = None if peer is TOOL else TARGET
        rows.append(results.row(f"{name}: added to a packet", peer, "added", ns, target))
    return rows
