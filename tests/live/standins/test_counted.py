"""Each stand-in counted against its function, where functions can be probed: one run of traffic, two tracers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from pystap.kernel.symbols import read_kallsyms
from pystap.probes.standins.table import TABLE
from tests.live import probing
from tests.live.network import Namespace
from tests.live.standins.pair import HERE, HERE6, PING, THERE, THERE6, pair
from tests.live.tracer import Tracer

SERVER = """
import os, socket, sys, threading
def serve(family, host, count):
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, 3331)); listening.listen(8)
    datagrams = socket.socket(family, socket.SOCK_DGRAM)
    datagrams.bind((host, 3332))
    print("ready", flush=True)
    for n in range(count):
        other, _ = listening.accept()
        other.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        while data := other.recv(100):
            other.sendall(data)
        other.close()
        datagrams.sendto(*datagrams.recvfrom(100))
    listening.close()
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
serve(family, sys.argv[1], int(sys.argv[2]))
"""
CLIENT = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
for n in range(int(sys.argv[2])):
    s = socket.socket(family)
    s.connect((sys.argv[1], 3331))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for size in (5, 20, 60):
        s.sendall(b"x" * size)
        while size:
            size -= len(s.recv(100))
    s.close()
    u = socket.socket(family, socket.SOCK_DGRAM)
    u.sendto(b"y" * 30, (sys.argv[1], 3332))
    u.recvfrom(100)
"""
ROUNDS = 6
DIFFERING = ("netif_rx",)  # says of itself that it sees more
# Both tracers count between two calls, so that what a network does by itself at other times is in neither.
MARK = "import os; open('/proc/self/comm', 'w').write({!r}); os.getpriority(os.PRIO_PROCESS, 0)"


@pytest.fixture
def two() -> Iterator[tuple[Namespace, Namespace]]:
    if why := probing.lacks("kprobe", "kretprobe"):
        pytest.skip(why)
    with pair() as made:
        yield made


def _script() -> str:
    """Count every function that has a stand-in, at its entry and its return."""
    symbols = read_kallsyms()
    lines = ["global n, on", 'probe syscall.getpriority { on = execname() == "count-on" }']
    for function, returns in TABLE:
        if function in DIFFERING or not symbols.addresses(function):
            continue  # inlined, or a copy of the compiler's: its entry isn't this function's alone
        point = f'kernel.function("{function}"){".return" if returns else ""}'
        lines.append(f'probe {point}? {{ if (on) n["{function}{" return" if returns else ""}"]++ }}')
    lines.append('probe end { foreach (k+ in n) printf("%s: %d\\n", k, n[k]) }')
    return "\n".join(lines)


def _traffic(two: tuple[Namespace, Namespace]) -> None:
    here, there = two
    here.run(MARK.format("count-on"))
    for near, far in ((HERE, THERE), (HERE6, THERE6)):
        server = subprocess.Popen(
            ["ip", "netns", "exec", there.name, "python3", "-c", SERVER, far, str(ROUNDS)],
            stdout=subprocess.PIPE,
        )
        assert server.stdout is not None and server.stdout.readline() == b"ready\n", near
        here.run(CLIENT, far, str(ROUNDS))
        assert server.wait(60) == 0
        server.stdout.close()
    here.run(PING + f"ping({THERE!r}, {ROUNDS})")
    here.run(MARK.format("count-off"))


def _counts(tracer: Tracer) -> dict[str, int]:
    return {name: int(count) for name, count in (line.split(": ") for line in tracer.clean().splitlines())}


def test_each_against_its_function(two: tuple[Namespace, Namespace]) -> None:
    text = _script()
    with Tracer("--attach=standin", "-e", text) as standins, Tracer("--attach=kprobe", "-e", text) as real:
        _traffic(two)
    wanted, got = _counts(real), _counts(standins)
    differing = {name: (wanted.get(name, 0), got.get(name, 0)) for name in {*wanted, *got}}
    differing = {name: pair for name, pair in differing.items() if pair[0] != pair[1]}
    assert not differing, f"(function, stand-in): {json.dumps(differing)}; all: {json.dumps(wanted)}"
    counted = {name.removesuffix(" return") for name in wanted}
    assert len(counted) >= 12, wanted
