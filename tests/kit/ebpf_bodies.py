"""Random structured bodies of the kernel stage, and their comparison with plain evaluation."""

from __future__ import annotations

import struct

from hypothesis import strategies as st

from pystap.ir.nodes import Leave, Loop, Try
from tests.kit.ebpf_rig import (
    Const,
    Event,
    Field,
    Global,
    If,
    Label,
    Op,
    Options,
    RecordPlan,
    Rig,
    Scope,
    handler,
    i64,
)
from tests.kit.ir_model import BINARY, UNARY, Model, s64

VALUES = st.one_of(
    st.integers(-4, 4),
    st.sampled_from(
        [63, 64, 255, 1 << 31, (1 << 32) - 1, -(1 << 31), (1 << 63) - 1, -(1 << 63), 0x1234567890]
    ),
    st.integers(-(1 << 63), (1 << 63) - 1),
)


class Maker:
    """Draws a body. Locals come from a small pool, so that they are assigned again and again."""

    def __init__(self, draw, loops, count):
        self.draw = draw
        self.pool = [i64(f"v{n}") for n in range(count)]
        self.globs = [Global(f"g{n}", (), "i64") for n in range(2)]
        self.loops = loops
        self.left = 40

    def pick(self, things):
        return things[self.draw(st.integers(0, len(things) - 1))]

    def operand(self):
        if self.draw(st.integers(0, 3)) == 0:
            return Const(self.draw(VALUES))
        return self.pick(self.pool)

    def block(self, depth, labels):
        return [s for _ in range(self.draw(st.integers(1, 5))) for s in self.statement(depth, labels)]

    def statement(self, depth, labels):
        draw = self.draw
        self.left -= 1
        kinds = ["op"] * 6 + ["un", "mov", "add", "get", "set"]
        if depth and self.left > 0:
            kinds += ["if", "if", "fused", "scope", "try"] + ["loop"] * self.loops
        if labels:
            kinds += ["leave"]
        kind = self.pick(kinds)
        dst = self.pick(self.pool)
        if kind == "op":
            return [Op(dst, self.pick(sorted(BINARY)), (self.operand(), self.operand()))]
        if kind == "un":
            return [Op(dst, self.pick(sorted(UNARY)), (self.operand(),))]
        if kind == "mov":
            return [Op(dst, "mov", (self.operand(),))]
        if kind == "add":
            return [Op(None, "add_to", (self.operand(),), self.pick(self.globs))]
        if kind == "get":
            return [Op(dst, "get", (), self.pick(self.globs))]
        if kind == "set":
            return [Op(None, "set", (self.operand(),), self.pick(self.globs))]
        if kind == "if":
            els = self.block(depth - 1, labels) if draw(st.booleans()) else []
            return [If(self.operand(), self.block(depth - 1, labels), els)]
        if kind == "fused":
            cond, other = i64("c"), i64("n")
            name = self.pick(["eq", "ne", "lt", "le", "gt", "ge", "ult", "ule", "ugt", "uge"])
            made = [Op(cond, name, (self.operand(), self.operand()))]
            if draw(st.booleans()):
                made.append(Op(other, self.pick(["lnot", "ne", "eq"]), (cond, Const(0))))
                if made[-1].name == "lnot":
                    made[-1].args = (cond,)
                cond = other
            return [*made, If(cond, self.block(depth - 1, labels), self.block(depth - 1, labels))]
        if kind == "try":
            return [Try(self.block(depth - 1, labels), None, self.block(depth - 1, labels))]
        if kind == "leave":
            return [If(self.operand(), [Leave(self.pick(labels))], [])]
        label = Label("l")
        inner = self.block(depth - 1, [*labels, label])
        if kind == "scope":
            return [Scope(label, inner)]
        return [Loop(label, [*inner, If(self.operand(), [Leave(label)], [])])]


def make(draw, loops, count):
    maker = Maker(draw, loops, count)
    starts = [Op(v, "ctx_arg", (), (n, False)) for n, v in enumerate(maker.pool[:4])]
    body = maker.block(3, [])
    plan = RecordPlan(1, 16 + 8 * count)
    puts = [Op(None, "put", (v,), Field(16 + 8 * n, "i64", 8)) for n, v in enumerate(maker.pool)]
    return maker, [handler(*starts, *body, Op(None, "reserve", (), plan), *puts)]


def check(maker, body, args, max_action=20):
    count = len(maker.pool)
    event = Event("raw_tp", "x")
    globs = [(g, "shared", [], False) for g in maker.globs]
    rig = Rig(body, event=event, globs=globs, options=Options(max_action))
    model = Model([s64(a) for a in args], max_action)
    fine = model.run(body)
    rig.run(*args)
    found = rig.records()
    if fine:
        assert rig.error is None
        want = [model.local.get(v, 0) for v in maker.pool]
        assert list(struct.unpack_from(f"<{count}q", found[0], 16)) == want
    else:
        assert not found
        assert rig.error is not None
        assert rig.error[0] == model.error
    for glob in maker.globs:
        assert rig.peek(rig.homes[glob].spec.offset, "<q") == model.globals.get(glob, 0)
