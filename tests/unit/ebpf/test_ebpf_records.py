"""Records: layout, numbers, what is left when the ring is full, when a run fails, when it asks for the end."""

from __future__ import annotations

import struct

from pystap.ir.nodes import Leave
from tests.kit.ebpf_rig import (
    CTL_EXIT,
    Const,
    Field,
    Global,
    If,
    Label,
    Op,
    RecordPlan,
    Rig,
    Scope,
    Text,
    handler,
    i64,
)

A, B = Field(16, "i64", 8), Field(24, "i64", 8)


def arg(local, n=0):
    return Op(local, "ctx_arg", (), (n, False))


def test_numbers_go_up_over_all_cpus():
    a = i64("a")
    rig = Rig([handler(arg(a), Op(None, "reserve", (), RecordPlan(9, 24)), Op(None, "put", (a,), A))])
    for n in range(10):
        rig.world.cpu = n % 2
        rig.run(n)
    got = sorted(struct.unpack("<QIIq", r) for r in rig.records())
    assert got == [(n, 9, 0, n) for n in range(10)]


def test_full_ring_skips_the_run():
    """Nothing of a run that finds no room happens, and it takes no number."""
    glob = Global("n", (), "i64")
    a = i64("a")
    body = [arg(a), Op(None, "reserve", (), RecordPlan(1, 1024)), Op(None, "put", (a,), A)]
    rig = Rig([handler(*body, Op(None, "add_to", (Const(1),), glob))], globs=[(glob, "delta", [], False)])
    for n in range(10):
        rig.run(n)
    skipped = struct.unpack_from("<Q", rig.maps["cpu"].get(0))[0]
    kept = rig.records()
    assert skipped > 0
    assert len(kept) + skipped == 10
    assert [struct.unpack_from("<Q", r)[0] for r in kept] == list(range(len(kept)))
    assert struct.unpack_from("<q", rig.maps["delta"].get(0))[0] == len(kept)
    rig.run(77)
    assert struct.unpack_from("<QIIq", rig.records()[0]) == (len(kept), 1, 0, 77)


def test_two_handlers_each_with_a_record():
    """The second runs though the first had no room, and the first's record isn't flagged by the second's error."""
    a, c = i64("a"), i64("c")
    first = handler(arg(a), Op(None, "reserve", (), RecordPlan(1, 24)), Op(None, "put", (a,), A))
    second = handler(
        arg(c, 1),
        Op(None, "reserve", (), RecordPlan(2, 24)),
        Op(None, "put", (c,), A),
        If(c, [Op(None, "raise", (Text("no"),))], []),
    )
    rig = Rig([first, second])
    rig.run(5, 0)
    rig.run(6, 1)
    got = [struct.unpack("<QIIq", r) for r in rig.records()]
    assert got == [(0, 1, 0, 5), (1, 2, 0, 0), (2, 1, 0, 6), (3, 2, 1, 1)]
    assert rig.error == ("no", 0)
    big = handler(arg(a), Op(None, "reserve", (), RecordPlan(1, 8192)), Op(None, "put", (a,), A))
    rig = Rig([big, second])
    rig.run(5, 0)
    assert [struct.unpack("<QIIq", r) for r in rig.records()] == [(0, 2, 0, 0)]


def test_fields_that_no_path_wrote_are_zero():
    a = i64("a")
    body = [
        arg(a),
        Op(None, "reserve", (), RecordPlan(1, 48)),
        If(a, [Op(None, "put", (a,), A), Op(None, "put", (Text("yes"),), Field(32, "str", 16))], []),
        Op(None, "put", (Const(1 << 40),), B),
    ]
    rig = Rig([handler(*body)])
    rig.run(3)
    rig.run(0)
    one, two = rig.records()
    assert struct.unpack_from("<qq", one, 16) == (3, 1 << 40)
    assert one[32:36] == b"yes\0"
    assert struct.unpack_from("<qq", two, 16) == (0, 1 << 40)
    assert two[32:33] == b"\0"


def test_conditional_record():
    """A record that only some runs have; leaving before and after it was taken."""
    a, glob = i64("a"), Global("n", (), "i64")
    label = Label("h")
    body = Scope(
        label,
        [
            arg(a),
            If(a, [], [Leave(label)]),
            Op(None, "reserve", (), RecordPlan(1, 24)),
            Op(None, "put", (a,), A),
            Op(None, "add_to", (Const(1),), glob),
            If(a, [Leave(label)], []),
        ],
    )
    rig = Rig([body], globs=[(glob, "delta", [], False)])
    rig.run(0)
    rig.run(4)
    assert [struct.unpack("<QIIq", r) for r in rig.records()] == [(0, 1, 0, 4)]


def test_record_in_one_branch():
    a = i64("a")
    body = handler(arg(a), If(a, [Op(None, "reserve", (), RecordPlan(1, 24)), Op(None, "put", (a,), A)], []))
    rig = Rig([body])
    for n in (0, 1, 0, 2):
        rig.run(n)
    assert [struct.unpack("<QIIq", r)[3] for r in rig.records()] == [1, 2]


def test_exit_lets_the_run_finish_and_stops_the_next():
    a, glob = i64("a"), Global("n", (), "i64")
    body = [
        arg(a),
        Op(None, "reserve", (), RecordPlan(1, 24)),
        Op(None, "exit", (Const(3),)),
        Op(None, "put", (a,), A),
        Op(None, "add_to", (Const(1),), glob),
    ]
    rig = Rig([handler(*body)], globs=[(glob, "delta", [], False)])
    rig.run(1)
    assert rig.state == 2
    assert rig.peek(CTL_EXIT) == 4
    rig.run(2)
    assert [struct.unpack("<QIIq", r)[3] for r in rig.records()] == [1]
    assert struct.unpack_from("<q", rig.maps["delta"].get(0))[0] == 1


def test_the_first_error_wins():
    a = i64("a")
    rig = Rig(
        [handler(arg(a), If(a, [Op(None, "raise", (Text("one"),))], []), Op(None, "raise", (Text("two"),)))]
    )
    rig.run(0)
    assert rig.error == ("two", 0)
    rig.poke(0, "<I", 1)  # as if it had been running already
    rig.run(1)
    assert rig.error == ("two", 0)
    assert len(rig.errors) == 2


def test_line_information():
    """Every instruction belongs to a line of the script."""
    from pystap.source import Source

    source = Source("x.stp", "first\nsecond\nthird\n")
    a = i64("a")
    body = [
        Op(a, "ctx_arg", (), (0, False), source.span(0, 5)),
        Op(None, "reserve", (), RecordPlan(1, 24), source.span(6, 12)),
        Op(None, "put", (a,), A, source.span(13, 18)),
    ]
    scope = handler(*body)
    scope.span = source.span(0, 18)
    rig = Rig([scope])
    lines = rig.prog.lines
    assert lines[0].index == 0
    assert [(line.file, line.text) for line in lines][:1] == [("x.stp", "first")]
    assert {line.text for line in lines} == {"first", "second", "third"}
    assert sorted(line.index for line in lines) == [line.index for line in lines]
