"""Hooks of the network's filter in namespaces that are made, and that vanish, while the run lasts."""

from __future__ import annotations

import os
import time

from tests.live.leftovers import assert_gone, held
from tests.live.network import namespace
from tests.live.standins.pair import MUTE, PING, THERE, pair
from tests.live.tracer import PATIENCE, Tracer

SCRIPT = (
    "probe netfilter.ipv4.local_in { if (protocol == 1 && daddr == @1)"
    ' printf("%d\\n", kernel_uint8(iphdr + 20) * 100000 + ntohs(kernel_uint16(iphdr + 26))) }'
    ' probe end { println("end") }'
)


def links(tracer: Tracer) -> int:
    return len(held(tracer.process.pid)["link_id"])


def until(tracer: Tracer, count: int) -> None:
    """Wait until the tracer has so many links."""
    end = time.monotonic() + PATIENCE
    while links(tracer) != count:
        assert time.monotonic() < end and tracer.process.poll() is None, (links(tracer), count)
        time.sleep(0.02)


def test_one_that_is_made_later(stage) -> None:
    with Tracer("-e", SCRIPT, THERE, stage=stage) as tracer:
        before = links(tracer)
        with pair() as (here, there):
            there.run(MUTE)
            until(tracer, before + 2)
            here.run(PING + f'ping("{THERE}", 5, False)')
        until(tracer, before)  # both are gone: nothing of ours keeps them
    assert tracer.clean().splitlines() == [str(800000 + n) for n in range(1, 6)] + ["end"]


def test_one_that_vanishes(stage) -> None:
    """It was there at the start: packets are seen, it goes, the run goes on and ends cleanly."""
    with pair() as (here, there):
        there.run(MUTE)
        tracer = Tracer("-e", SCRIPT, THERE, stage=stage)
        tracer.__enter__()
        here.run(PING + f'ping("{THERE}", 3, False)')
        tracer.wait_for("800003")
        before = links(tracer)
    until(tracer, before - 2)
    with namespace():
        until(tracer, before - 1)
    objects = held(tracer.process.pid)
    tracer.finish()
    assert tracer.clean().splitlines() == ["800001", "800002", "800003", "end"]
    assert_gone(objects)


def test_the_tracer_stays_where_it_is(stage) -> None:
    """Looking into other namespaces doesn't leave it in one."""
    mine = os.stat("/proc/self/ns/net").st_ino
    with namespace(), Tracer("-e", SCRIPT, THERE, stage=stage) as tracer:
        with namespace():
            until(tracer, links(tracer) + 1)
        assert os.stat(f"/proc/{tracer.process.pid}/ns/net").st_ino == mine
    assert tracer.clean() == "end\n"
