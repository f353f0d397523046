"""The calls of sockets, entered and left, nested by thread."""

from __future__ import annotations

import re

import pytest

from tests.live.network import Namespace
from tests.live.tracer import Tracer

WORKLOAD = """
import os, socket
a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
b.bind(("127.0.0.1", 3303))
for _ in range(3):
    a.sendto(b"x", ("127.0.0.1", 3303))
    b.recvfrom(10)
c, d = socket.socketpair()
c.shutdown(socket.SHUT_WR)
print(os.getpid(), open("/proc/self/comm").read().strip())
"""
CALLS = [
    "socket",
    "socket",
    "bind",
    "sendto",
    "recvfrom",
    "sendto",
    "recvfrom",
    "sendto",
    "recvfrom",
    "socketpair",
    "shutdown",
]
LINE = re.compile(r"^ *(\d+) (.+?)\((\d+)\): ( *)(->|<-) (\S+)$", re.M)


@pytest.mark.parametrize("model", ["002-socket-trace.stp", "004-8.1-socket-c.stp"])
def test_nesting(script, stage, net: Namespace, model: str) -> None:
    with Tracer(script("socket-calls.stp", model), stage=stage) as tracer:
        pid, comm = net.run(WORKLOAD).split(maxsplit=1)
    out = tracer.clean()
    lines = [
        m for m in LINE.findall(out) if m[2] == pid and m[1] == comm.strip()
    ]  # not those of `ip` before it
    want = [(arrow, f"__x64_sys_{call}") for call in CALLS for arrow in ("->", "<-")]
    got = [
        (m[4], m[5])
        for m in lines
        if not m[5].endswith(("getsockname", "getsockopt", "setsockopt", "getpeername"))
    ]
    assert got == want, out
    assert len(lines) % 2 == 0
    for entered, left in zip(lines[::2], lines[1::2], strict=True):
        assert entered[3] == left[3] and int(entered[0]) <= int(left[0])
    assert tracer.err.count("W301") == 1 and "this kernel can't probe functions" in tracer.err


def test_names_of_the_probe(stage, net: Namespace) -> None:
    text = (
        'probe kernel.function("__x64_sys_bind") { printf("%d %s %s %s\\n", pid(), execname(), pp(), probefunc()) }'
        ' probe kernel.function("*@net/socket.c").call { printf("%d %s %s\\n", pid(), execname(), pp()) }'
    )
    with Tracer("-e", text, stage=stage) as tracer:
        mark = net.run(WORKLOAD).strip() + " "
    mine = [line.removeprefix(mark) for line in tracer.clean().splitlines() if line.startswith(mark)]
    assert mine.count('kernel.function("__x64_sys_bind") __x64_sys_bind') == 1, mine
    assert mine.count('kernel.function("__x64_sys_sendto@net/socket.c").call') == 3, mine
