"""The log of loops in a record: where values go, when it is full, what an error says of it."""

from __future__ import annotations

import struct

import pytest

from pystap.ir.nodes import Leave, Loop
from pystap.staging.plan import LogEntry, LogLoop, LogPlan, RecordPlan
from tests.kit.ebpf_rig import CTL_ERROR, Const, Field, If, Label, Local, Op, Options, Rig, Text, handler, i64

HEAD = 32  # header, used, inside


def plan(size):
    return LogPlan(16, 24, HEAD, size)


def entry(log, *fields):
    made, at = [], 0
    for kind, size in fields:
        made.append(Field(at, kind, size))
        at += (size + 7) & ~7
    return LogEntry(log, tuple(made), at)


def counting(log, *inside, limit):
    """for (i = 0; i < limit; i++) append i, and what is inside; limit: the event's argument."""
    i, end = i64("i"), Label("end")
    more = i64("more")
    body = [
        Op(more, "lt", (i, limit)),
        If(more, [], [Leave(end)]),
        Op(None, "append", (i,), entry(log, ("i64", 8))),
        *inside,
        Op(i, "add", (i, Const(1))),
    ]
    return LogLoop(end, body, log=log)


def program(size, *inside, options=None, sizes=None):
    log, limit = plan(size), i64("limit")
    loop = counting(log, *inside, limit=limit)
    head = [Op(limit, "ctx_arg", (), (0, False)), Op(None, "reserve", (), RecordPlan(3, HEAD + size, log))]
    return Rig([handler(*head, loop)], options=options, sizes=sizes, ring=1 << 14)


def record(rig):
    """(flags, inside, the bytes that are used)"""
    (raw,) = rig.records()
    _, number, flags, used, inside = struct.unpack_from("<QIIQQ", raw)
    assert number == 3
    return flags, inside, raw[HEAD : HEAD + used]


@pytest.mark.parametrize("turns", [0, 1, 5, 8])
def test_a_turn_appends(turns):
    rig = program(64)
    rig.run(turns)
    assert record(rig) == (0, 0, struct.pack(f"<{turns}q", *range(turns)))
    rig.run(2)  # the next one's log begins anew
    assert record(rig) == (0, 0, struct.pack("<2q", 0, 1))


def test_a_full_log_is_an_error_that_names_itself():
    rig = program(64)
    rig.run(9)
    flags, inside, log = record(rig)
    assert (flags, inside) == (1, 1)
    assert log == struct.pack("<8q", *range(8))
    number = struct.unpack_from("<Q", rig.maps["ctl"].get(0), CTL_ERROR)[0]
    assert "MAXLOG" in rig.errors[number - 1].message


def test_too_many_turns_end_behind_what_they_logged():
    rig = program(640, options=Options(max_action=3))
    rig.run(9)
    assert record(rig) == (1, 1, struct.pack("<3q", 0, 1, 2))


def test_an_error_after_the_loop_is_not_in_it():
    log, limit = plan(64), i64("limit")
    loop = counting(log, limit=limit)
    rig = Rig(
        [
            handler(
                Op(limit, "ctx_arg", (), (0, False)),
                Op(None, "reserve", (), RecordPlan(3, HEAD + 64, log)),
                loop,
                If(limit, [Op(None, "raise", (Text("no"),))], []),
            )
        ]
    )
    rig.run(2)
    assert record(rig) == (1, 0, struct.pack("<2q", 0, 1))


def test_an_error_in_a_loop_in_the_loop_is_in_it():
    inner = Label("inner")
    rig = program(64, Loop(inner, [Op(None, "raise", (Text("no"),))]))
    rig.run(2)
    assert record(rig) == (1, 1, struct.pack("<q", 0))


def test_strings_and_buffers():
    log = plan(256)
    short, long, raw = Local("short", "str"), Local("long", "str"), Local("raw", "buf")
    sizes = {short: 16, long: 72, raw: 4}
    end = Label("end")
    body = [
        Op(short, "mov", (Text("twelve bytes"),)),
        Op(long, "mov", (Text("seventeen letters"),)),
        Op(raw, "load_buf", (Const(0xFFFF888000005000),), load(4)),
        Op(None, "append", (short, raw), entry(log, ("str", 16), ("buf", 4))),
        Op(None, "append", (long,), entry(log, ("str", 72))),
        Leave(end),
    ]
    rig = Rig(
        [handler(Op(None, "reserve", (), RecordPlan(3, HEAD + 256, log)), LogLoop(end, body, log=log))],
        sizes=sizes,
    )
    rig.world.add_kernel(0xFFFF888000005000, b"\1\2\3\4")
    rig.run()
    flags, inside, got = record(rig)
    assert (flags, inside) == (0, 0)
    assert got[:16].split(b"\0")[0] == b"twelve bytes"
    assert got[16:20] == b"\1\2\3\4"
    assert got[24:].startswith(b"seventeen letters\0") and len(got) == 24 + 24


def load(size):
    from pystap.ir.ops import Load

    return Load(0, size, False, "zero")
