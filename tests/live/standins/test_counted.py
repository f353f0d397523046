"""Each stand-in counted against its function, where functions can be probed: one run of traffic, two tracers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from pystap.cli.live import live_target
from pystap.kernel.symbols import read_kallsyms
from pystap.probes.standins import StandIn
from pystap.probes.standins.hooks import WAYS
from pystap.probes.standins.table import TABLE
from tests.live import probing
from tests.live.network import Namespace, namespace
from tests.live.standins.pair import HERE, HERE6, PING, THERE, THERE6, pair
from tests.live.standins.test_bridge import WORKLOAD
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
DIFFERING = ("netif_rx",)  # says of itself that it sees more, as it does here
MORE = ("icmpv6_rcv",)  # may see more: what goes to groups that this host isn't in
# What tells of a function that most kernels have inlined: what it calls first, once. Its return is counted as its call.
INSIDE = {"sock_sendmsg": "security_socket_sendmsg", "__sock_sendmsg": "security_socket_sendmsg"}
# Both tracers count between two calls, so that what a network does by itself at other times is in neither.
MARK = "import os; open('/proc/self/comm', 'w').write({!r}); os.getpriority(os.PRIO_PROCESS, 0)"
# Functions of files are called by everybody, so those of the workload's processes alone are counted: and they end
# sockets by closing them, while `ip`, which starts them, has sockets that end when it becomes another program.
OWN_GROUP = ("vfs_", "__sock_release")
GROUP = 4321
MINE = f"import os; os.setegid({GROUP})\n"


@pytest.fixture
def two() -> Iterator[tuple[Namespace, Namespace]]:
    if why := probing.lacks("kprobe", "kretprobe"):
        pytest.skip(why)
    with pair() as made:
        yield made


def _is_here(one: StandIn) -> bool:
    """Say whether this kernel has what stands in."""
    if one.hooks:
        return not probing.lacks("netfilter")
    return not one.tracepoint or live_target().btf.find_tracepoint(one.tracepoint) is not None


def _script(standins: bool) -> str:
    """Count every function that has a stand-in, at its entry and its return."""
    symbols = read_kallsyms()
    lines = ["global n, on", 'probe syscall.getpriority { on = execname() == "count-on" }']
    for (function, returns), ones in TABLE.items():
        if not any(_is_here(one) for one in ones):
            continue
        code = function if standins else INSIDE.get(function, function)
        if function in DIFFERING or not symbols.addresses(INSIDE.get(function, function)):
            continue  # inlined, or a copy of the compiler's: its entry isn't this function's alone
        returned = ".return" if returns and code == function else ""
        point = f'kernel.function("{code}"){returned}'
        when = f"on && egid() == {GROUP}" if function.startswith(OWN_GROUP) else "on"
        lines.append(f'probe {point}? {{ if ({when}) n["{function}{" return" if returns else ""}"]++ }}')
    lines.append('probe end { foreach (k+ in n) printf("%s: %d\\n", k, n[k]) }')
    return "\n".join(lines)


def _traffic(two: tuple[Namespace, Namespace]) -> None:
    here, there = two
    here.run(MARK.format("count-on"))
    for near, far in ((HERE, THERE), (HERE6, THERE6)):
        server = subprocess.Popen(
            ["ip", "netns", "exec", there.name, "python3", "-c", MINE + SERVER, far, str(ROUNDS)],
            stdout=subprocess.PIPE,
        )
        assert server.stdout is not None and server.stdout.readline() == b"ready\n", near
        here.run(MINE + CLIENT, far, str(ROUNDS))
        assert server.wait(60) == 0
        server.stdout.close()
    here.run(MINE + PING + f"ping({THERE!r}, {ROUNDS})")
    here.run(MARK.format("count-off"))


def _counts(tracer: Tracer) -> dict[str, int]:
    return {name: int(count) for name, count in (line.split(": ") for line in tracer.clean().splitlines())}


def test_each_against_its_function(two: tuple[Namespace, Namespace]) -> None:
    with (
        Tracer("--attach=standin", "-e", _script(True)) as standins,
        Tracer("--attach=kprobe", "-e", _script(False)) as real,
    ):
        _traffic(two)
    wanted, got = _counts(real), _counts(standins)
    differing = {name: (wanted.get(name, 0), got.get(name, 0)) for name in {*wanted, *got}}
    differing = {
        name: pair
        for name, pair in differing.items()
        if (pair[1] < pair[0] if name in MORE else pair[0] != pair[1])
    }
    assert not differing, f"(function, stand-in): {json.dumps(differing)}; all: {json.dumps(wanted)}"
    counted = {name.removesuffix(" return") for name in wanted}
    assert len(counted) >= 12, wanted


def _hook_script() -> str:
    """Count the packets of every hook, and of the functions that stand in for hooks elsewhere."""
    symbols = read_kallsyms()
    lines = ["global n, on", 'probe syscall.getpriority { on = execname() == "count-on" }']
    for (family, hook), ways in WAYS.items():
        if not all(symbols.addresses(way.function) for way in ways):
            continue
        name = f"{'ipv4' if family == 2 else 'ipv6'}.{PLACES[hook]}"
        lines.append(f'probe netfilter.{name} {{ if (on) n["{name}", "hook"]++ }}')
        for way in ways:
            point = f'kernel.function("{way.function}"){".return" if way.returns else ""}'
            lines.append(f'probe {point} {{ if (on && ({way.guard or 1})) n["{name}", "functions"]++ }}')
    lines.append('probe end { foreach ([k+, w] in n) printf("%s %s: %d\\n", k, w, n[k, w]) }')
    return "\n".join(lines)


PLACES = ("pre_routing", "local_in", "forward", "local_out", "post_routing")


def test_hooks_against_functions(two: tuple[Namespace, Namespace]) -> None:
    if why := probing.lacks("netfilter"):
        pytest.skip(why)
    with Tracer("-e", _hook_script()) as tracer:
        _traffic(two)
    counts = _counts(tracer)
    hooks = {name.split()[0]: count for name, count in counts.items() if name.endswith(" hook")}
    functions = {name.split()[0]: count for name, count in counts.items() if name.endswith(" functions")}
    assert hooks == functions, counts
    assert min(hooks.values()) > 50 and len(hooks) >= 6, counts


def test_bridges(net: Namespace) -> None:
    if why := probing.lacks("kprobe", "kretprobe"):
        pytest.skip(why)
    with namespace() as other:  # loads the module
        subprocess.run(["ip", "-n", other.name, "link", "add", "stp-first", "type", "bridge"], check=True)
    text = """
    global n, on
    probe syscall.getpriority { on = execname() == "count-on" }
    probe module("bridge").function("br_dev_xmit") { if (on) n["br_dev_xmit " . kernel_string($dev->name)]++ }
    probe module("bridge").function("br_dev_xmit").return { if (on) n["br_dev_xmit return"]++ }
    probe end { foreach (k+ in n) printf("%s: %d\\n", k, n[k]) }
    """
    with Tracer("--attach=standin", "-e", text) as standins, Tracer("--attach=kprobe", "-e", text) as real:
        net.run(MARK.format("count-on"))
        net.run(WORKLOAD)
        net.run(MARK.format("count-off"))
    wanted = _counts(real)
    assert _counts(standins) == wanted
    assert wanted["br_dev_xmit stp-br"] >= 5 and wanted["br_dev_xmit return"] == wanted["br_dev_xmit stp-br"]
