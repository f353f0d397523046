"""TCP's state changes with addresses and ports, over IPv4 and IPv6, closed from either side, and refused."""

from __future__ import annotations

import re

import pytest

from tests.live.network import Namespace
from tests.live.tracer import Tracer

WORKLOAD = """
import socket, sys
family = socket.AF_INET6 if sys.argv[1] == "::1" else socket.AF_INET
host, closer = sys.argv[1:3]
server = socket.socket(family)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind((host, 3310))
if closer != "refused":
    server.listen(1)
client = socket.socket(family)
client.bind((host, 40001))
try:
    client.connect((host, 3310))
except ConnectionRefusedError:
    sys.exit(0 if closer == "refused" else 1)
accepted, _ = server.accept()
first, second = (client, accepted) if closer == "client" else (accepted, client)
first.close()
assert second.recv(1) == b""
second.close()
server.close()
"""
LINE = re.compile(r"^(\S+) +(\d+) +(\S+) +(\d+) +(\S+) +-> (\S+) *$", re.M)
ACTIVE = ["ESTABLISHED FIN_WAIT1", "FIN_WAIT1 FIN_WAIT2", "FIN_WAIT2 CLOSE"]
PASSIVE = ["ESTABLISHED CLOSE_WAIT", "CLOSE_WAIT LAST_ACK", "LAST_ACK CLOSE"]


def changes(out: str, host: str, local: str) -> list[str]:
    """Return the changes, in order, of the connection's end with this local port (0 before it is bound)."""
    other = {"40001": "3310", "3310": "40001"}[local]
    return [
        f"{old} {new}"
        for laddr, lport, raddr, rport, old, new in LINE.findall(out)
        if (laddr, lport, raddr, rport) == (host, local, host, other)
    ]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("closer", ["client", "server", "refused"])
def test_states(script, stage, net: Namespace, host: str, closer: str) -> None:
    with Tracer(script("tcp-states.bt", "003-tcpstates.bt"), stage=stage) as tracer:
        net.run(WORKLOAD, host, closer)
    out = tracer.clean()
    assert out.splitlines()[0].split() == ["LADDR", "LPORT", "RADDR", "RPORT", "OLD", "->", "NEW"]
    client, server = changes(out, host, "40001"), changes(out, host, "3310")
    if closer == "refused":
        assert client == ["CLOSE SYN_SENT", "SYN_SENT CLOSE"], out
        assert server == [], out
        return
    assert client[:2] == ["CLOSE SYN_SENT", "SYN_SENT ESTABLISHED"], out
    assert client[2:] == (ACTIVE if closer == "client" else PASSIVE), out
    assert server[0] == "SYN_RECV ESTABLISHED", out
    assert server[1:] == (PASSIVE if closer == "client" else ACTIVE), out
