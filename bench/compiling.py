"""Figures of compile time: it must grow no faster than the script does."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from . import scripts
from .peers import Peer, PeerError, Run
from .rounds import run_rounds
from .table import Row, ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from .plan import Plan
    from .rounds import Numbers

SIZES = (10, 100, 1000)
LINEAR = 1.3  # the price of one more, from 100 to 1000, over that from 10 to 100


def _times(text: Callable[[str, int], str], peer: Peer) -> Numbers:
    numbers: Numbers = {}
    for size in SIZES:
        with Run(peer, scripts.unseen(peer.lang, text(peer.lang, size)), None, ("-p3",)) as run:
            took = run.wait() - run.started
            if run.status:
                raise PeerError(f"{size}: {run.complaint()}")
        numbers[str(size)] = took
        numbers[f"cpu {size}"] = run.usage.ru_utime + run.usage.ru_stime
        time.sleep(0.01)
    return numbers


def compiling(plan: Plan) -> list[Row | None]:
    """Return the rows of `-p3` for scripts of 10, 100, 1000 parts; the ratio's peer is pystap at the size before."""
    rows: list[Row | None] = []
    for what, text in (
        ("probes", scripts.many_probes),
        ("statements", scripts.many_statements),
        ("mixed statements", scripts.mixed_statements),
    ):
        for peer in plan.ours:
            results = run_rounds([peer], plan.rounds(9), partial(_times, text), what)
            plan.failures += results.failures
            numbers = [found[peer.name] for found in results.numbers if peer.name in found]
            title = f"{what}, {peer.lang}: wall (CPU)"
            rows += [_one(f"compile {size} {title}", numbers, size) for size in SIZES]
            rows.append(_growth(f"compile {what}, {peer.lang}: ms for one more", numbers))
    return [row for row in rows if row is not None]


def _one(name: str, numbers: list[Numbers], size: int) -> Row | None:
    if not numbers:
        return None
    cpu = sorted(found[f"cpu {size}"] for found in numbers)[len(numbers) // 2]
    return Row(
        name, [(found[str(size)], None) for found in numbers], lambda value: f"{ms(value)} ({cpu * 1e3:.0f})"
    )


def _growth(name: str, numbers: list[Numbers]) -> Row | None:
    """Compare the slopes, between the least that each size took: a difference of single runs is mostly noise."""
    if not numbers:
        return None
    low, middle, high = (min(found[f"cpu {size}"] for found in numbers) for size in SIZES)
    pair = ((high - middle) / (SIZES[2] - SIZES[1]), (middle - low) / (SIZES[1] - SIZES[0]))
    return Row(name, [pair], lambda value: f"{value * 1e3:.3f} ms", LINEAR)
