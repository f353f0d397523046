"""The calls of sockets, entered and left, nested by thread."""

from __future__ import annotations

import re

import pytest

from tests.live import probing
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
    others = ("getsockname", "getsockopt", "setsockopt", "getpeername")
    got = [(m[4], m[5]) for m in lines if m[5].startswith("__x64_sys_") and not m[5].endswith(others)]
    assert got == want, out
    inner = {m[5] for m in lines if not m[5].startswith("__x64_sys_")}
    if probing.functions():
        assert inner >= {
            "__sys_socket",
            "__sys_bind",
            "__sys_sendto",
            "__sys_recvfrom",
            "move_addr_to_user",
        }, out
    else:
        assert not inner
    nested(lines)
    assert probing.standins(tracer.err), tracer.err


def nested(lines: list[tuple[str, ...]]) -> None:
    """Check that what was entered last is left first, at its own indentation and not before its time."""
    stack: list[tuple[str, ...]] = []
    for line in lines:
        if line[4] == "->":
            assert len(line[3]) == len(stack) + len(lines[0][3]), line
            stack.append(line)
        else:
            entered = stack.pop()
            assert entered[3] == line[3] and entered[5] == line[5] and int(entered[0]) <= int(line[0]), line
    assert not stack


def test_names_of_the_probe(stage, net: Namespace) -> None:
    text = (
        'probe kernel.function("__x64_sys_bind") { printf("%d %s %s %s\\n", pid(), execname(), pp(), probefunc()) }'
        ' probe kernel.function("*@net/socket.c").call { printf("%d %s %s\\n", pid(), execname(), pp()) }'
    )
    with Tracer("-e", text, stage=stage) as tracer:
        mark = net.run(WORKLOAD).strip() + " "
    mine = [line.removeprefix(mark) for line in tracer.clean().splitlines() if line.startswith(mark)]
    bind = re.compile(r'kernel\.function\("__x64_sys_bind(?:@net/socket\.c(?::\d+)?)?"\) __x64_sys_bind')
    assert len([line for line in mine if bind.fullmatch(line)]) == 1, mine
    sendto = re.compile(probing.point("__x64_sys_sendto", "net/socket.c") + r"\.call")
    assert len([line for line in mine if sendto.fullmatch(line)]) == 3, mine
