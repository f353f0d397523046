"""Figures of tracing every system call by name: how soon it is ready, and how soon it is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import scripts
from .beacon import Beacon
from .peers import QUIET, Peer, PeerError, Run
from .table import Row, ms

if TYPE_CHECKING:
    from .plan import Plan

READY, GONE = 0.2, 0.1  # seconds, at most
_STP = """\
global calls
probe syscall.* { calls[name] <<< 1 }
probe kernel.trace("inet_sock_set_state") { printf("%s\\n", ip_ntop($sk->__sk_common->skc_rcv_saddr)) }
probe end { foreach (c in calls limit 1) printf("calls %d\\n", @count(calls[c])) }
"""
_BT = """\
tracepoint:syscalls:sys_enter_* { @calls[probe] = count(); }
tracepoint:sock:inet_sock_set_state { printf("%s\\n", ntop(args->saddr)); }
"""


class _AtMost(Row):
    """A row with a largest value of ours, whatever the peer's is."""

    most = 0.0

    def cells(self) -> tuple[str, ...]:
        """Return the cells, with the verdict on ours alone."""
        cells = super().cells()
        ours = sorted(pair[0] for pair in self.pairs)
        verdict = "ok" if ours and ours[len(ours) // 2] <= self.most else "over"
        return (*cells[:5], f"<= {ms(self.most)}", verdict)


def _times(peer: Peer) -> tuple[float, float | None]:
    """Return seconds until ready and until gone; None: it was killed, since it didn't end in time."""
    with Run(peer, scripts.unseen(peer.lang, _BT if peer.lang == "bt" else _STP)) as run:
        ready, _, _ = run.until_ready(Beacon())
        run.rest(QUIET)
        try:
            return ready, run.stop()
        except PeerError:
            if peer.lang != "bt" or "pystap" in peer.name:
                raise
            return ready, None


def calls(plan: Plan) -> list[Row | None]:
    """Return the rows of all system calls; the peer, which takes long to leave, is asked once."""
    found: dict[str, list[tuple[float, float | None]]] = {}
    theirs: tuple[float, float | None] | None = None
    try:
        theirs = _times(plan.theirs)
    except PeerError as error:
        plan.failures.append(f"calls: {plan.theirs.name}: {error}")
    for peer in plan.ours:
        try:
            found[peer.lang] = [_times(peer) for _ in range(plan.rounds(7))]
        except PeerError as error:
            plan.failures.append(f"calls: {peer.name}: {error}")
    rows: list[Row | None] = []
    for lang, times in found.items():
        ready = _AtMost(
            f"every system call, {lang}: ready", [(t[0], theirs[0] if theirs else None) for t in times], ms
        )
        ready.most = READY
        gone = _AtMost(
            f"every system call, {lang}: Ctrl-C to exit",
            [(t[1] or 0.0, theirs[1] if theirs else None) for t in times],
            ms,
        )
        gone.most = GONE
        rows += [ready, gone]
    return rows
