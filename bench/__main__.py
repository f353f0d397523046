"""`python3 -m bench [--quick] [--noise] [FIGURES]`: measure pystap against bpftrace and print a table.

The status is 0 unless something could not be run; a figure over its target is only said so.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from . import calls, compiling, delivery, events, packets, records, room, starting
from .beacon import Beacon
from .peers import Peer, PeerError, Run, bpftrace, pystap
from .plan import Plan
from .table import format_table, header

if TYPE_CHECKING:
    from collections.abc import Callable

    from .table import Row

FIGURES: dict[str, Callable[[Plan], list[Row | None]]] = {
    "start": starting.start,
    "cold": starting.cold,
    "stop": starting.stop,
    "nothing": starting.nothing,
    "events": events.events,
    "records": records.records,
    "packets": packets.packets,
    "delivery": delivery.delivery,
    "calls": calls.calls,
    "compile": compiling.compiling,
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m bench", description=__doc__)
    parser.add_argument(
        "figures", nargs="*", choices=[[], *FIGURES], metavar="FIGURE", help=f"of {', '.join(FIGURES)}; all"
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds: a first impression")
    parser.add_argument("--lang", choices=["bt", "stp"], help="pystap in one language only")
    parser.add_argument("--noise", action="store_true", help="bpftrace against itself: what noise looks like")
    return parser.parse_args()


def _ours(args: argparse.Namespace) -> list[Peer]:
    if args.noise:
        return [Peer("bpftrace again", "bt", ["bpftrace"])]
    return [pystap(lang) for lang in ("bt", "stp") if args.lang in (None, lang)]


def _warm(plan: Plan) -> None:
    """Have the byte code and the index of the BTF made, as any second start finds them."""
    from . import scripts

    for peer in plan.peers:
        try:
            with Run(peer, scripts.states(peer.lang)) as run:
                run.until_ready(Beacon())
                run.rest(1.0)  # the index is made after the start
        except PeerError as error:
            _progress(f"{peer.name}: {error}")


def _progress(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Run the figures that were asked for."""
    args = _arguments()
    if os.geteuid() != 0:
        print("bench: tracing needs root", file=sys.stderr)
        return 1
    problem = room.install_bpftrace()
    if problem:
        print(f"bench: {problem}", file=sys.stderr)
        return 1
    room.private_mounts()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    version = room.bpftrace_version()
    print(f"{room.machine()}; {room.python()}; peer: {version}", flush=True)
    plan = Plan(_ours(args), bpftrace(), args.quick)
    _warm(plan)
    lines = [header(version)]
    for name, measure in FIGURES.items():
        if args.figures and name not in args.figures:
            continue
        if args.noise and name == "compile":
            continue
        _progress(name)
        lines += [row.cells() for row in measure(plan) if row is not None]
    print(format_table(lines))
    for failure in plan.failures:
        print(f"could not run {failure}")
    return 1 if plan.failures else 0


if __name__ == "__main__":
    sys.exit(main())
