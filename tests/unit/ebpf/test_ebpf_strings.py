"""Strings and buffers: made, copied, compared, kept in records and keys, whatever their form."""

from __future__ import annotations

import itertools
import struct

import pytest

from pystap.ir.ops import Load
from pystap.staging.plan import RecordLocal
from tests.kit.ebpf_rig import (
    PARENT,
    TASK,
    Const,
    Event,
    Field,
    If,
    Local,
    Op,
    RecordPlan,
    Rig,
    Text,
    handler,
    i64,
    string,
    target,
)

AT = 0xFFFF800000100000
OTHER = 0xFFFF800000200000


def load_str(dst, address, size, **more):
    return Op(dst, "load_str", (address,), Load(size=size, signed=False, **more))


def args(*locals_):
    return [Op(local, "ctx_arg", (), (n, False)) for n, local in enumerate(locals_)]


def text_of(record, offset=16):
    return record[offset:].split(b"\0", 1)[0]


STRINGS = [
    b"",
    b"a",
    b"ab",
    b"abcdefg",
    b"abcdefgh",
    b"abcdefghi",
    b"abcdefgX",
    b"x" * 15,
    b"x" * 16,
    b"x" * 40,
]


def equal_program(left_size, right, name, both=False):
    """Puts the truth of a comparison, as a value and as a jump."""
    a, b = i64("a"), i64("b")
    left, right_local = string("l"), string("r")
    as_value, as_jump, cond = i64("v"), i64("j"), i64("c")
    body = [*args(a, b), load_str(left, a, left_size)]
    sizes = {left: left_size}
    if right is None:
        body.append(load_str(right_local, b, 24))
        sizes[right_local] = 24
        right = right_local
    pair = (right, left) if both else (left, right)
    body += [
        Op(as_value, name, pair),
        Op(cond, name, pair),
        If(cond, [Op(as_jump, "mov", (Const(1),))], [Op(as_jump, "mov", (Const(0),))]),
        Op(None, "reserve", (), RecordPlan(1, 32)),
        Op(None, "put", (as_value,), Field(16, "i64", 8)),
        Op(None, "put", (as_jump,), Field(24, "i64", 8)),
    ]
    # as_value is read twice so that it isn't fused
    body.append(Op(None, "put", (as_value,), Field(16, "i64", 8)))
    return body, sizes


def run_strings(body, sizes, *texts):
    rig = Rig([handler(*body)], sizes=sizes, event=Event("raw_tp", "x"))
    places = []
    for n, one in enumerate(texts):
        rig.world.add_kernel(AT + n * 0x1000, one + b"\0" + b"junk" * 20)
        places.append(AT + n * 0x1000)
    rig.run(*places)
    return rig


@pytest.mark.parametrize("name", ["str_eq", "str_ne"])
@pytest.mark.parametrize("swapped", [False, True])
def test_compare_with_text(name, swapped):
    for made, text in itertools.product(STRINGS, STRINGS):
        body, sizes = equal_program(24, Text(text.decode()), name, swapped)
        rig = run_strings(body, sizes, made)
        want = (made[:23] == text) == (name == "str_eq")
        (record,) = rig.records()
        assert struct.unpack_from("<qq", record, 16) == (want, want), (made, text)


@pytest.mark.parametrize("size", [8, 12, 24, 40])
def test_compare_two(size):
    for one, two in itertools.product(STRINGS, STRINGS):
        body, sizes = equal_program(size, None, "str_eq")
        rig = run_strings(body, sizes, one, two)
        want = one[: size - 1] == two[:23]
        (record,) = rig.records()
        assert struct.unpack_from("<qq", record, 16) == (want, want), (one, two)


@pytest.mark.parametrize("comm", [b"", b"test", b"sshd", b"sshdx", b"fifteen-bytes-x"])
def test_command_name(comm):
    name, eq = string("n"), i64("e")
    texts = ["", "sshd", "fifteen-bytes-x", "test", "much longer than a command name"]
    body = [Op(name, "call", (), "execname")]
    outs = []
    for text in texts:
        out = i64("o")
        body.append(Op(out, "str_eq", (name, Text(text))))
        outs.append(out)
    body.append(Op(None, "reserve", (), RecordPlan(1, 32 + 8 * len(outs))))
    body.append(Op(None, "put", (name,), Field(16, "str", 16)))
    for n, out in enumerate(outs):
        body.append(Op(None, "put", (out,), Field(32 + 8 * n, "i64", 8)))
    from pystap.bpf.vm.machine import World

    world = World(comm=comm)
    rig = Rig([handler(*body)], sizes={name: 16}, world=world)
    from tests.kit.ebpf_rig import put_task

    put_task(world, TASK, 1, 1, comm)
    world.task = TASK
    rig.run()
    (record,) = rig.records()
    assert text_of(record) == comm
    assert list(struct.unpack_from(f"<{len(texts)}q", record, 32)) == [int(t.encode() == comm) for t in texts]
    del eq


def test_command_names_without_direct_loads_and_parent():
    mine, parent = string("m"), string("p")
    body = [
        Op(mine, "call", (), "execname"),
        Op(None, "reserve", (), RecordPlan(1, 32)),
        Op(None, "put", (mine,), Field(16, "str", 16)),
    ]
    rig = Rig([handler(*body)], sizes={mine: 16}, target_=target(features=()))
    rig.run()
    assert text_of(rig.records()[0]) == b"test"
    body = [
        Op(parent, "call", (), "pexecname"),
        Op(None, "reserve", (), RecordPlan(1, 32)),
        Op(None, "put", (parent,), Field(16, "str", 16)),
    ]
    rig = Rig([handler(*body)], sizes={parent: 16})
    rig.run()
    assert text_of(rig.records()[0]) == b"parent"
    assert PARENT


@pytest.mark.parametrize("size", [8, 16, 20, 32, 64])
def test_in_the_record(size):
    a = i64("a")
    place = RecordLocal("s", "str", Field(24, "str", size))
    plan = RecordPlan(3, 24 + (size + 7) // 8 * 8)
    body = [
        *args(a),
        Op(None, "reserve", (), plan),
        Op(None, "put", (a,), Field(16, "i64", 8)),
        load_str(place, a, size),
    ]
    for text in STRINGS:
        rig = run_strings(body, {}, text)
        (record,) = rig.records()
        assert text_of(record, 24) == text[: size - 1]
        assert len(record) == plan.size


@pytest.mark.parametrize("fault", ["error", "zero", "capture"])
@pytest.mark.parametrize("where", [True, False])
def test_unreadable(fault, where):
    """A string that can't be read: the error, or an empty string."""
    a, flag, s = i64("a"), i64("f"), string("s")
    if where:
        s = RecordLocal("s", "str", Field(24, "str", 32))
    body = [
        *args(a),
        Op(None, "reserve", (), RecordPlan(1, 56)),
        load_str(s, a, 32, fault=fault, what="$name"),
    ]
    body.append(Op(flag, "fault_of", (), s))
    body.append(Op(None, "put", (flag,), Field(16, "i64", 8)))
    if not where:
        body.append(Op(None, "put", (s,), Field(24, "str", 32)))
    rig = Rig([handler(*body)], sizes={s: 32}, event=Event("raw_tp", "x"))
    rig.run(0x10)
    (record,) = rig.records()
    assert text_of(record, 24) == b""
    message = "read fault [man error::fault] at 0x%016x"
    if fault == "error":
        assert rig.error == (message, 0x10)
        assert struct.unpack_from("<I", record, 12)[0] == 1  # the run ended in an error
    else:
        assert rig.error is None
        got = struct.unpack_from("<q", record, 16)[0]
        assert (rig.errors[got - 1].message if got else None) == (message if fault == "capture" else None)


def test_captured_fault_is_only_of_its_own_run():
    a, flag, s = i64("a"), i64("f"), string("s")
    body = [*args(a), load_str(s, a, 32, fault="capture"), Op(flag, "fault_of", (), s)]
    body += [Op(None, "reserve", (), RecordPlan(1, 56)), Op(None, "put", (flag,), Field(16, "i64", 8))]
    body += [Op(None, "put", (s,), Field(24, "str", 32))]
    rig = Rig([handler(*body)], sizes={s: 32}, event=Event("raw_tp", "x"))
    rig.world.add_kernel(AT, b"fine\0" + bytes(64))
    rig.run(AT)
    rig.run(0x10)
    rig.run(AT)
    flags = [struct.unpack_from("<q", r, 16)[0] != 0 for r in rig.records()]
    assert flags == [False, True, False]


def test_moves_between_sizes():
    """mov pads and cuts."""
    a, c = i64("a"), i64("c")
    small, large = string("s"), string("l")
    body = [
        *args(a, c),
        load_str(large, a, 40),
        Op(small, "mov", (Text("was"),)),
        If(c, [Op(small, "mov", (large,))], []),
        Op(None, "reserve", (), RecordPlan(1, 64)),
        Op(None, "put", (small,), Field(16, "str", 12)),
        Op(None, "put", (large,), Field(32, "str", 20)),
    ]
    rig = Rig([handler(*body)], sizes={small: 12, large: 40}, event=Event("raw_tp", "x"))
    rig.world.add_kernel(AT, b"0123456789" * 3 + b"\0" + bytes(40))
    rig.run(AT, 1)
    rig.run(AT, 0)
    one, two = rig.records()
    assert text_of(one) == b"0123456789"[:11] + b"0"
    assert text_of(two) == b"was"
    assert text_of(one, 32) == (b"0123456789" * 3)[:19]


def test_unassigned_string_is_empty():
    c, s = i64("c"), string("s")
    body = [
        *args(c),
        If(c, [Op(s, "mov", (Text("set"),))], []),
        Op(None, "reserve", (), RecordPlan(1, 24)),
        Op(None, "put", (s,), Field(16, "str", 8)),
    ]
    rig = Rig([handler(*body)], sizes={s: 8})
    rig.run(1)
    rig.run(0)
    assert [text_of(r) for r in rig.records()] == [b"set", b""]


@pytest.mark.parametrize("size", [4, 6, 8, 16, 30])
def test_buffers(size):
    a = i64("a")
    data = bytes(range(1, size + 1))
    buffer, place = Local("b", "buf"), RecordLocal("r", "buf", Field(16 + (size + 7) // 8 * 8, "buf", size))
    room = (size + 7) // 8 * 8
    body = [
        *args(a),
        Op(buffer, "load_buf", (a,), Load(size=size)),
        Op(None, "reserve", (), RecordPlan(1, 16 + 2 * room)),
        Op(None, "put", (buffer,), Field(16, "buf", size)),
        Op(place, "load_buf", (a,), Load(size=size)),
    ]
    rig = Rig([handler(*body)], sizes={buffer: size}, event=Event("raw_tp", "x"))
    rig.world.add_kernel(AT, data)
    rig.run(AT)
    (record,) = rig.records()
    assert record[16 : 16 + size] == data
    assert record[16 + room : 16 + room + size] == data


def test_user_memory():
    a = i64("a")
    s = RecordLocal("s", "str", Field(16, "str", 32))
    body = [*args(a), Op(None, "reserve", (), RecordPlan(1, 48)), load_str(s, a, 32, space="user")]
    rig = Rig([handler(*body)])
    rig.world.add_user(0x5000, b"/etc/passwd\0")
    rig.run(0x5000)
    assert text_of(rig.records()[0]) == b"/etc/passwd"
