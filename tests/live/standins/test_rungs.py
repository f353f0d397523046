"""Every rung of the ladder that this kernel has tells the same of functions: fentry and fexit, kprobes, stand-ins."""

from __future__ import annotations

import json

import pytest

from pystap.cli.live import live_target
from tests.live import probing
from tests.live.network import Namespace
from tests.live.standins import test_accept, test_messages, test_segments
from tests.live.standins.test_accept import ROW
from tests.live.tracer import Tracer


@pytest.fixture(scope="module", params=list(probing.RUNGS))
def rung(request: pytest.FixtureRequest) -> str:
    """A way to probe functions that is here."""
    return probing.rung(request)


def test_accepted(script, stage, rung: str, net: Namespace) -> None:
    with Tracer(rung, script("accepted.stp", "002-tcp_connections.stp"), stage=stage) as tracer:
        pid, uid, comm, made = json.loads(net.run(test_accept.WORKLOAD, str(test_accept.USER)))
    rows = [row for row in ROW.findall(tracer.clean()) if row[2] == str(pid)]
    assert rows == [(str(uid), comm, str(pid), str(port), peer) for port, peer in made]
    assert ("W301" in tracer.err) == rung.endswith("standin")


def test_segments_received(script, stage, rung: str, net: Namespace) -> None:
    with Tracer(rung, script("segments.stp", "000-tcpdumplike.stp"), stage=stage) as tracer:
        captured = json.loads(net.run(test_segments.WORKLOAD))
    ours = {3304, 3305}
    found = test_segments.ROW.findall(tracer.clean())
    rows = [[r[0], r[1], *map(int, r[2:])] for r in found if ours & {int(r[2]), int(r[3])}]
    assert rows == [s for s in captured if ours & {s[2], s[3]}]


def test_receiving(script, stage, rung: str, net: Namespace) -> None:
    with Tracer(rung, script("received.stp", "004-6.2.1-tcp-recvmsg.stp"), stage=stage) as tracer:
        pid, comm, port = json.loads(net.run(test_messages.RECEIVE, "127.0.0.1"))
    rows = [r for r in test_messages.ROW.findall(tracer.clean()) if r[1] == str(pid)]
    sizes = test_messages.SIZES
    assert rows == [(comm, str(pid), "127.0.0.1", "3308", "127.0.0.1", str(port), str(n)) for n in sizes]


def test_sending(script, stage, rung: str, net: Namespace) -> None:
    if rung.endswith("standin") and live_target().btf.find_tracepoint("sock_send_length") is None:
        pytest.skip("this kernel has no tracepoint for what is sent")
    with Tracer(rung, script("sent.stp", "004-7-args-return.stp"), stage=stage) as tracer:
        net.run(test_messages.SEND)
    rows = [x.partition(":")[2] for x in tracer.clean().splitlines() if x.startswith("process=sender:")]
    sizes = [3, 5, 16, 11, 29, 17, 100000]
    assert rows == [w for n in sizes for w in (f"size={n}", f"ret={-90 if n == 100000 else n}")]


def test_states(stage, rung: str, net: Namespace) -> None:
    """The changes of state of one connection, with its ports."""
    text = (
        'probe kernel.function("tcp_set_state") { port = $sk->__sk_common->skc_num'
        ' printf("%d %d %d\\n", port, $sk->__sk_common->skc_state, $state) }'
    )
    workload = (
        "import socket\n"
        "s = socket.socket(); s.bind(('127.0.0.1', 3315)); s.listen(1)\n"
        "c = socket.socket(); c.bind(('127.0.0.1', 3316)); c.connect(('127.0.0.1', 3315))\n"
        "o, _ = s.accept(); o.close(); c.recv(1); c.close(); s.close()\n"
    )
    with Tracer(rung, "-e", text, stage=stage) as tracer:
        net.run(workload)
    lines = tracer.clean().splitlines()
    server = [x.split(" ", 1)[1] for x in lines if x.startswith("3315 ")]
    client = [x.split(" ", 1)[1] for x in lines if x.startswith("3316 ")]
    assert client == ["7 2", "2 1", "1 8", "8 9", "9 7"]
    assert server == ["3 1", "1 4", "4 5", "5 7", "10 7"]


def test_packets(script, stage, rung: str, net: Namespace) -> None:
    # on many kernels this function is a copy of the compiler's own, which fentry can't attach to, or has no types
    how = [rung] if rung.endswith("standin") else []
    with Tracer(*how, script("by-ethertype.stp", "004-15.3-ethertype.stp"), stage=stage) as tracer:
        net.run(test_messages.PACKETS)
    lines = [x for x in tracer.clean().splitlines() if "127.7.7.7" in x]
    assert lines == ["saddr=127.0.0.1->daddr=127.7.7.7"] * 6 + ["saddr=127.7.7.7->daddr=127.0.0.1"]


def test_established(script, stage, rung: str, net: Namespace) -> None:
    with Tracer(rung, script("established.stp", "004-15.1-sock.stp"), "3311", stage=stage) as tracer:
        _, captured, _ = json.loads(net.run(test_messages.TALK, "3311"))
    to_server = [s for s in captured if s[3] == 3311]
    fin = next(n for n, s in enumerate(to_server) if s[9])
    line = 'pp=kernel.function("tcp_rcv_established@net/ipv4/tcp_input.c"),ip=127.0.0.1,port=3311'
    assert tracer.clean().splitlines() == [line] * (fin - 1)
