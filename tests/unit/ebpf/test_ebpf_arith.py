"""Integer operations: every operation, operands in registers and constants, against plain evaluation."""

from __future__ import annotations

import itertools
import struct

import pytest

from tests.kit.ebpf_rig import Const, Field, Op, RecordPlan, Rig, handler, i64, target
from tests.kit.ir_model import BINARY, UNARY, Fault, extend, s64

EDGES = [
    0,
    1,
    -1,
    2,
    3,
    -3,
    7,
    63,
    64,
    65,
    255,
    -256,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    -(1 << 31),
    -(1 << 31) - 1,
]
EDGES += [(1 << 63) - 1, -(1 << 63), 0x123456789ABCDEF, -0x123456789ABCDEF]


def results(rig, args):
    """The fields of the record of one run, or the error's message."""
    rig.run(*args)
    found = rig.records()
    if not found:
        return rig.error[0]
    return list(struct.unpack_from(f"<{len(found[0]) // 8 - 2}q", found[0], 16))


def program(names, right=None, left=None, features=()):
    a, b = i64("a"), i64("b")
    body = [Op(a, "ctx_arg", (), (0, False)), Op(b, "ctx_arg", (), (1, False))]
    outs = []
    for name in names:
        out = i64(name)
        body.append(Op(out, name, (a if left is None else Const(left), b if right is None else Const(right))))
        outs.append(out)
    body.append(Op(None, "reserve", (), RecordPlan(1, 16 + 8 * len(outs))))
    body += [Op(None, "put", (out,), Field(16 + 8 * n, "i64", 8)) for n, out in enumerate(outs)]
    return Rig([handler(*body)], target_=target(features=("direct", "bpf_loop", *features)))


TOTAL = [n for n in BINARY if not n.endswith("_or_error")]


def test_registers():
    rig = program(TOTAL)
    for a, b in itertools.product(EDGES, EDGES):
        assert results(rig, (a, b)) == [s64(int(BINARY[n](a, b))) for n in TOTAL], (a, b)


@pytest.mark.parametrize("b", EDGES)
def test_constant_right(b):
    rig = program(TOTAL, right=b)
    for a in EDGES:
        assert results(rig, (a, 0)) == [s64(int(BINARY[n](a, b))) for n in TOTAL], a


@pytest.mark.parametrize("a", EDGES)
def test_constant_left(a):
    rig = program(TOTAL, left=a)
    for b in EDGES:
        assert results(rig, (0, b)) == [s64(int(BINARY[n](a, b))) for n in TOTAL], b


@pytest.mark.parametrize("name", ["sdiv_or_error", "smod_or_error"])
def test_division_by_zero_is_an_error(name):
    rig = program([name])
    for a, b in itertools.product(EDGES, EDGES):
        if b == 0:
            continue
        assert results(rig, (a, b)) == [s64(BINARY[name](a, b))]
    assert results(rig, (5, 0)) == "division by 0"
    assert rig.state == 3
    assert results(rig, (6, 3)) == "division by 0"  # nothing runs after an error


@pytest.mark.parametrize("name", ["sdiv_or_error", "smod_or_error"])
@pytest.mark.parametrize("b", EDGES)
def test_division_by_a_constant(name, b):
    rig = program([name], right=b)
    for a in EDGES:
        try:
            want = [s64(BINARY[name](a, b))]
        except Fault as fault:
            want = str(fault)
        assert results(rig, (a, 0)) == want
        if b == 0:
            break


@pytest.mark.parametrize("features", [(), ("cpu_v4",)])
def test_unary_and_extensions(features):
    a = i64("a")
    body = [Op(a, "ctx_arg", (), (0, False))]
    want = []
    cases = [(n, None) for n in UNARY] + [
        (n, bits) for n in ("sext", "zext") for bits in (1, 8, 12, 16, 32, 40, 63)
    ]
    for n, (name, bits) in enumerate(cases):
        out = i64()
        body.append(Op(out, name, (a,), bits))
        want.append((out, Field(16 + 8 * n, "i64", 8)))
    body.append(Op(None, "reserve", (), RecordPlan(1, 16 + 8 * len(want))))
    body += [Op(None, "put", (out,), field) for out, field in want]
    rig = Rig([handler(*body)], target_=target(features=("direct", *features)))
    for value in EDGES:
        expect = [s64(int(UNARY[n](value) if bits is None else extend(n, value, bits))) for n, bits in cases]
        assert results(rig, (value,)) == expect, value


def test_byte_order():
    a = i64("a")
    names = ["bswap16", "bswap32", "bswap64", "ntohs", "ntohl", "ntohll", "htons", "htonl", "htonll"]
    body = [Op(a, "ctx_arg", (), (0, False)), Op(None, "reserve", (), RecordPlan(1, 16 + 8 * len(names)))]
    for n, name in enumerate(names):
        out = i64()
        body += [Op(out, "call", (a,), name), Op(None, "put", (out,), Field(16 + 8 * n, "i64", 8))]
    rig = Rig([handler(*body)])
    value = 0x1122334455667788
    one = [0x8877, 0x88776655, s64(0x8877665544332211)]
    assert results(rig, (value,)) == one * 3
