"""Random bodies: the verifier takes every one, and the kernel gives what plain evaluation gives."""

from __future__ import annotations

import random
import struct

import pytest
from ebpf_live import Live, Options

from pystap.kernel.prog import test_run as run_program
from tests.kit.ebpf_bodies import VALUES, make
from tests.kit.ebpf_rig import Event
from tests.kit.ir_model import Model, s64

EDGES = [63, 64, 255, 1 << 31, (1 << 63) - 1, -(1 << 63)]


class Drawing:
    """Draws what the hypothesis strategies of the generator stand for, from one seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def __call__(self, strategy):
        if strategy is VALUES:
            return self.random.choice([self.random.randint(-4, 4), self.random.choice(EDGES)])
        text = repr(strategy)
        if text.startswith("integers("):
            low, high = (int(part.split("=")[-1]) for part in text[9:-1].split(","))
            return self.random.randint(low, high)
        assert text.startswith("booleans"), text
        return self.random.random() < 0.5


def run_live(body, globs, args):
    """Run a body once, here and now: its records, its error, the values of the globals."""
    homes = [(g, "shared", [], False) for g in globs]
    with Live(
        [(Event("raw_tp", "sys_enter"), body, {})], globs=homes, options=Options(20), attach=False
    ) as live:
        run_program(live.loaded[0].fd, struct.pack("<4Q", *[a & (1 << 64) - 1 for a in args]))
        return live.records(), live.error, [live.peek(live.homes[g].spec.offset, "<q") for g in globs]


@pytest.mark.parametrize("seed", range(60))
def test_random_body(seed):
    draw = Drawing(seed)
    maker, body = make(draw, 2 if seed % 2 else 0, 6 if seed % 3 else 16)
    args = [draw(VALUES) for _ in range(4)]
    model = Model([s64(a) for a in args], 20)
    fine = model.run(body)
    records, error, found = run_live(body, maker.globs, args)
    if fine:
        assert error is None
        count = len(maker.pool)
        assert list(struct.unpack_from(f"<{count}q", records[0], 16)) == [
            model.local.get(v, 0) for v in maker.pool
        ]
    else:
        assert not records
        assert error is not None
        assert error[0] == model.error
    assert found == [model.globals.get(g, 0) for g in maker.globs]
