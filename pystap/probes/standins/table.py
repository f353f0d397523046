"""The stand-ins' table: (function, whether its return) -> stand-ins, best first. See `StandIn` for the fields."""

from __future__ import annotations

from . import StandIn
from .files import FILES
from .packets import PACKETS
from .sockets import SOCKETS

TCP_STATES = StandIn(
    "tcp_set_state",
    "inet_sock_set_state",
    (("sk", 0), ("state", 2)),
    guards=(("sk", ("sk_protocol",), (6,)),),
    # CLOSE to LISTEN and LISTEN to SYN_RECV are stored by other functions
    never=(((1, 7), (2, 10)), ((1, 10), (2, 3))),
    differs="a change that a socket makes without tcp_set_state, as from LISTEN to CLOSE when listening fails, is seen too",
)

TCP_INPUT = StandIn(
    "tcp_rcv_established",
    "tcp_probe",
    (("sk", 0), ("skb", 1)),
    differs="nothing: the tracepoint is at the beginning of the function",
)


def _table() -> dict[tuple[str, bool], tuple[StandIn, ...]]:
    table: dict[tuple[str, bool], tuple[StandIn, ...]] = {}
    for one in (TCP_STATES, TCP_INPUT, *PACKETS, *SOCKETS, *FILES):
        key = (one.function, one.returns)
        table[key] = (*table.get(key, ()), one)
    return table


TABLE = _table()
