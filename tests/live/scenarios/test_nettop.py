"""Packets by process and device: 1000 datagrams sent and received by one process over lo."""

from __future__ import annotations

import re

from tests.live.network import Namespace
from tests.live.tracer import Tracer

WORKLOAD = """
import os, socket
a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
b.bind(("127.0.0.1", 9))
for _ in range(1000):
    a.sendto(b"x" * 1200, ("127.0.0.1", 9))
    assert len(b.recv(4096)) == 1200
print(os.getpid(), os.getuid(), open("/proc/self/comm").read().strip())
"""
HEADER = "PID   UID DEV     XMIT_PK RECV_PK XMIT_KB RECV_KB COMMAND"
ROW = re.compile(r"^ *(\d+) +(\d+) (\S+) +(\d+) +(\d+) +(\d+) +(\d+) (.*?) *$", re.M)


def test_rows_of_one_process(script, stage, net: Namespace) -> None:
    with Tracer(script("net-by-process.stp", "002-nettop.stp"), stage=stage) as tracer:
        pid, uid, comm = net.run(WORKLOAD).split(maxsplit=2)
        tracer.wait_for(HEADER)  # the periodic table; another comes at the end
    out = tracer.clean()
    rows = [row for row in ROW.findall(out) if row[0] == pid]
    assert rows, out
    for row in rows:
        assert row[1] == uid and row[2] == "lo" and row[7] == comm.strip(), row
    assert [sum(int(row[n]) for row in rows) for n in (3, 4)] == [1000, 1000], rows
    sent, received = (sum(int(row[n]) for row in rows) for n in (5, 6))
    if len(rows) == 1:
        assert (sent, received) == (1242000 // 1024, 1228000 // 1024)
    else:  # a tick fell into the traffic: each table cuts its own fraction off
        assert 1242000 // 1024 - len(rows) < sent <= 1242000 // 1024, rows
        assert 1228000 // 1024 - len(rows) < received <= 1228000 // 1024, rows
    assert out.count(HEADER) >= 2, "the table at the end is missing"


def test_packets_are_counted_once_across_tables(script, stage, net: Namespace) -> None:
    """Datagrams sent all through the ticks: the tables add up to what was sent, none lost, none twice."""
    workload = WORKLOAD.replace("range(1000)", "range(int(__import__('sys').argv[1]))")
    workload = workload.replace("    assert len", "    __import__('time').sleep(0.0012)\n    assert len")
    with Tracer(script("net-by-process.stp", "002-nettop.stp"), stage=stage) as tracer:
        pid, _, _ = net.run(workload, "4500").split(maxsplit=2)
    rows = [row for row in ROW.findall(tracer.clean()) if row[0] == pid]
    assert [sum(int(row[n]) for row in rows) for n in (3, 4)] == [4500, 4500], rows
