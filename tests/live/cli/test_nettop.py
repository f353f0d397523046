"""`pystap nettop`: 1000 datagrams of one process over lo, IPv4 and IPv6."""

from __future__ import annotations

import re

import pytest

from tests.live.network import Namespace, namespace
from tests.live.tracer import Tracer

WORKLOAD = """
import os, socket, sys
family, address = (socket.AF_INET6, "::1") if sys.argv[1] == "6" else (socket.AF_INET, "127.0.0.1")
a = socket.socket(family, socket.SOCK_DGRAM)
b = socket.socket(family, socket.SOCK_DGRAM)
b.bind((address, 9))
for _ in range(1000):
    a.sendto(b"x" * 1200, (address, 9))
    assert len(b.recv(4096)) == 1200
print(os.getpid(), os.getuid(), open("/proc/self/comm").read().strip())
"""
ROW = re.compile(r"^ *(\d+) +(\d+) (\S+) +(\d+) +(\d+) +(\d+) +(\d+) (.*?) *$", re.M)
HEADER = "PID    UID DEVICE"
# bytes of 1000 datagrams as the device has them: with the Ethernet header when sent, without when received
BYTES = {"4": (1_242_000, 1_228_000), "6": (1_262_000, 1_248_000)}


@pytest.mark.parametrize(("words", "family"), [((), "4"), (("1",), "4"), (("1",), "6")])
def test_rows_of_one_process(words: tuple[str, ...], family: str) -> None:
    with namespace() as net:
        _check(net, words, family)


def _check(net: Namespace, words: tuple[str, ...], family: str) -> None:
    with Tracer("nettop", *words) as tracer:
        pid, uid, comm = net.run(WORKLOAD, family).split(maxsplit=2)
        tracer.wait_for(HEADER, 2)
    out = tracer.clean()
    rows = [row for row in ROW.findall(out) if row[0] == pid]
    assert rows and all(row[1:3] == (uid, "lo") and row[7] == comm.strip() for row in rows), out
    assert [sum(int(row[n]) for row in rows) for n in (3, 4)] == [1000, 1000], rows
    for column, total in zip((5, 6), BYTES[family], strict=True):
        kilobytes = sum(int(row[column]) for row in rows)
        assert total // 1024 - len(rows) < kilobytes <= total // 1024, (column, rows)
