"""Loads of numbers: plain and probed, every size, faults of every kind; the current task; system calls."""

from __future__ import annotations

import struct

import pytest

from pystap.backend.ebpf.target import from_tables
from pystap.bpf.vm.machine import World
from pystap.ir.ops import Load
from pystap.program import CTL_REALTIME
from tests.kit.ebpf_rig import (
    CRED,
    OFFSETS,
    PARENT,
    TASK,
    Event,
    Field,
    Global,
    If,
    Op,
    RecordPlan,
    Rig,
    handler,
    i64,
    put_task,
    target,
)

SKB = 0xFFFF888000100000
DEV = 0xFFFF888000200000

TABLES = {
    "pointees": {("sk_buff", 16): "net_device"},
    "arguments": {("kfree_skb", 0): "sk_buff"},
    "ids": {"sk_buff": 11, "net_device": 12},
}


def with_memory(features):
    world = World()
    put_task(world, TASK, world.pid, world.tid, world.comm)
    world.task = TASK
    skb = bytearray(64)
    struct.pack_into("<bBhHiI", skb, 0, -2, 254, -300, 65000, -70000, 4000000000)
    struct.pack_into("<Q", skb, 16, DEV)
    world.add_kernel(SKB, bytes(skb))
    world.add_kernel(DEV, b"interface-name\0\0" + struct.pack("<q", -5))
    return world, from_tables(OFFSETS, features=("direct", *features), **TABLES)


def record_of(body, event, tgt, world, *args, sizes=None):
    rig = Rig(body, event=event, target_=tgt, world=world, sizes=sizes)
    rig.run(*args)
    return rig


WAYS = [("tp_btf", ()), ("raw_tp", ()), ("raw_tp", ("rdonly_cast",)), ("tp_btf", ("cpu_v4",))]


@pytest.mark.parametrize(("kind", "features"), WAYS)
def test_sizes_and_signs(kind, features):
    world, tgt = with_memory(features)
    a = i64("a")
    fields = [
        (0, 1, True),
        (1, 1, False),
        (2, 2, True),
        (4, 2, False),
        (6, 4, True),
        (0, 1, False),
        (10, 4, False),
    ]
    skb = bytearray(64)
    struct.pack_into("<bBhHiI", skb, 0, -2, 254, -300, 65000, -70000, 4000000000)
    body = [Op(a, "ctx_arg", (), (0, False))]
    outs = []
    for off, size, signed in fields:
        out = i64("o")
        body.append(Op(out, "load", (a,), Load(off=off, size=size, signed=signed, struct="sk_buff")))
        outs.append(out)
    body.append(Op(None, "reserve", (), RecordPlan(1, 16 + 8 * len(outs))))
    body += [Op(None, "put", (o,), Field(16 + 8 * n, "i64", 8)) for n, o in enumerate(outs)]
    rig = record_of([handler(*body)], Event(kind, "kfree_skb"), tgt, world, SKB)
    (record,) = rig.records()
    raw = world.memory.kernel.read(SKB, 64)
    want = [int.from_bytes(raw[o : o + s], "little", signed=g) for o, s, g in fields]
    assert list(struct.unpack_from(f"<{len(want)}q", record, 16)) == want
    assert bool(rig.prog.kfuncs) == ("rdonly_cast" in features)


@pytest.mark.parametrize(("kind", "features"), WAYS)
def test_walk_through_pointers(kind, features):
    """skb->dev->number, one test of each pointer; NULL and what isn't a kernel address are errors."""
    world, tgt = with_memory(features)
    a, dev, number = i64("a"), i64("d"), i64("n")
    body = [
        Op(a, "ctx_arg", (), (0, True)),
        Op(dev, "load", (a,), Load(off=16, struct="sk_buff", what="dev")),
        Op(number, "load", (dev,), Load(off=16, struct="net_device", what="number")),
        Op(None, "reserve", (), RecordPlan(1, 32)),
        Op(None, "put", (number,), Field(16, "i64", 8)),
        Op(None, "put", (dev,), Field(24, "i64", 8)),
    ]
    event = Event(kind, "kfree_skb")
    rig = record_of([handler(*body)], event, tgt, world, SKB)
    (record,) = rig.records()
    assert struct.unpack_from("<qQ", record, 16) == (-5, DEV)
    for bad in (0, 8, 4095, 0x7FFFFFFFF000, (1 << 64) - 14):
        rig = record_of([handler(*body)], event, tgt, world, bad)
        assert rig.error == ("read fault [man error::fault] at 0x%016x", (bad + 16) & (1 << 64) - 1)
    world.memory.kernel = type(world.memory.kernel)()
    world.add_kernel(SKB, bytes(64))
    rig = record_of([handler(*body)], event, tgt, world, SKB)
    assert rig.error == ("read fault [man error::fault] at 0x%016x", 16)


@pytest.mark.parametrize(("kind", "features"), WAYS)
@pytest.mark.parametrize("fault", ["zero", "capture"])
def test_faults_that_go_on(kind, features, fault):
    world, tgt = with_memory(features)
    a, dev, number, flag = i64("a"), i64("d"), i64("n"), i64("f")
    body = [
        Op(a, "ctx_arg", (), (0, True)),
        Op(dev, "load", (a,), Load(off=16, struct="sk_buff", what="dev", fault=fault)),
        Op(number, "load", (a,), Load(off=2, size=2, struct="sk_buff", fault=fault)),
        Op(flag, "fault_of", (), dev),
        Op(None, "reserve", (), RecordPlan(1, 40)),
        Op(None, "put", (dev,), Field(16, "i64", 8)),
        Op(None, "put", (number,), Field(24, "i64", 8)),
        Op(None, "put", (flag,), Field(32, "i64", 8)),
    ]
    event = Event(kind, "kfree_skb")
    rig = Rig([handler(*body)], event=event, target_=tgt, world=world)
    for bad in (SKB, 0, SKB, 64):
        rig.run(bad)
    got = [struct.unpack_from("<Qqq", r, 16) for r in rig.records()]
    site = next((n + 1 for n, e in enumerate(rig.errors) if e.message.endswith("at 0x%016x")), 0)
    fine = (DEV, -300, 0)
    assert got == [fine, (0, 0, site), fine, (0, 0, site)]
    assert rig.error is None
    assert bool(site) == (fault == "capture")


def test_load_in_try():
    from pystap.ir.nodes import Const, Try

    world, tgt = with_memory(())
    a, out = i64("a"), i64("o")
    body = [
        Op(a, "ctx_arg", (), (0, True)),
        Try(
            [Op(out, "load", (a,), Load(off=2, size=2, struct="sk_buff"))],
            None,
            [Op(out, "mov", (Const(-1),))],
        ),
        Op(None, "reserve", (), RecordPlan(1, 24)),
        Op(None, "put", (out,), Field(16, "i64", 8)),
    ]
    rig = Rig([handler(*body)], event=Event("tp_btf", "kfree_skb"), target_=tgt, world=world)
    rig.run(SKB)
    rig.run(0)
    assert [struct.unpack_from("<q", r, 16)[0] for r in rig.records()] == [-300, -1]
    assert rig.error is None


def test_interface_name_in_registers():
    """A char array by plain loads: as a key, compared, in the record; padded where junk follows the NUL."""
    from tests.kit.ebpf_rig import Const, Shape, Text, string

    world, tgt = with_memory(())
    for number, raw in enumerate(
        [b"lo\0junkjunkjunk!", b"interface-name\0X", b"eightcha\0zzzzzzz", b"sixteen-bytes-xx"]
    ):
        world.add_kernel(DEV + 0x1000 * (number + 1), raw + bytes(16))
    glob = Global("m", ("str",), "i64")
    d, name, eq = i64("d"), string("n"), i64("e")
    shape = Shape()
    shape.kind, shape.size = "str", 16
    body = [
        Op(d, "ctx_arg", (), (0, True)),
        Op(name, "load_str", (d,), Load(size=16, struct="net_device")),
        Op(eq, "str_eq", (name, Text("lo"))),
        Op(None, "reserve", (), RecordPlan(1, 40)),
        Op(None, "add_to", (name, Const(1)), glob),
        Op(None, "put", (name,), Field(16, "str", 16)),
        Op(None, "put", (eq,), Field(32, "i64", 8)),
    ]
    tgt = from_tables(OFFSETS, arguments={("x", 0): "net_device"}, features=("direct",))
    rig = Rig(
        [handler(*body)],
        event=Event("tp_btf", "x"),
        target_=tgt,
        world=world,
        sizes={name: 16},
        globs=[(glob, "delta", [shape], False)],
    )
    for number in range(4):
        rig.run(DEV + 0x1000 * (number + 1))
    want = [b"lo", b"interface-name", b"eightcha", b"sixteen-bytes-x"]
    records = rig.records()
    assert [r[16:32].split(b"\0")[0] for r in records] == want
    assert [struct.unpack_from("<q", r, 32)[0] for r in records] == [1, 0, 0, 0]
    assert set(rig.maps["m.0"].keys()) == {w.ljust(16, b"\0") for w in want}
    from pystap.bpf.disasm import disasm_code
    from pystap.bpf.object import from_prog

    assert not any("probe_read" in line for line in disasm_code(from_prog(rig.prog)))


CONTEXT = [
    "pid",
    "tid",
    "ppid",
    "uid",
    "euid",
    "gid",
    "egid",
    "cpu",
    "ktime_ns",
    "boottime_ns",
    "tai_ns",
    "realtime_ns",
]
CONTEXT += ["cgroup_id", "random_u32", "task_current", "is_return", "user_mode", "jiffies", "cycles"]


@pytest.mark.parametrize("features", [("direct",), ()])
def test_context(features):
    names = [n for n in CONTEXT if features or n not in ("ppid", "euid", "egid")]
    world = World(pid=500, tid=501)
    put_task(world, TASK, 500, 501, b"x")
    put_task(world, PARENT, 77, 78, b"parent")
    cred = bytearray(64)
    for n, value in enumerate((1001, 1002, 1003, 4294967295)):
        struct.pack_into("<I", cred, 8 + 8 * n, value)
    world.add_kernel(CRED, bytes(cred))
    world.task, world.uid, world.gid, world.cpu, world.cgroup_id = TASK, 1001, 1003, 1, 99
    body = []
    outs = []
    for name in names:
        out = i64(name)
        body.append(Op(out, "call", (), name))
        outs.append(out)
    body.append(Op(None, "reserve", (), RecordPlan(1, 16 + 8 * len(outs))))
    body += [Op(None, "put", (o,), Field(16 + 8 * n, "i64", 8)) for n, o in enumerate(outs)]
    rig = Rig([handler(*body)], world=world, target_=target(features=features))
    rig.poke(CTL_REALTIME, "<Q", 5_000_000_000)
    rig.run()
    got = dict(zip(names, struct.unpack_from(f"<{len(names)}q", rig.records()[0], 16), strict=True))
    want = {"pid": 500, "tid": 501, "uid": 1001, "gid": 1003, "cpu": 1, "cgroup_id": 99, "is_return": 0}
    want |= {"user_mode": 0, "ktime_ns": world.clock, "realtime_ns": world.clock + 5_000_000_000}
    want |= {"task_current": TASK - (1 << 64)}
    if features:
        want |= {"ppid": 77, "euid": 1002, "egid": 4294967295}
    assert {name: got[name] for name in want} == want


REGS = 0xFFFFC90000001000


def system_call(world, number, args, at=REGS):
    regs = bytearray(168)
    for place, value in zip((112, 104, 96, 56, 72, 64), args, strict=True):
        struct.pack_into("<Q", regs, place, value)
    struct.pack_into("<q", regs, 120, number)
    world.add_kernel(at, bytes(regs))


@pytest.mark.parametrize("by_record", [False, True])
def test_system_call(by_record):
    world = World()
    world.registers = REGS
    put_task(world, TASK, 1, 1, b"x")
    world.task = TASK
    values = [11, 22, 33, 44, 55, (1 << 64) - 1]
    system_call(world, 257, values)
    for kind, second, want_last in (("sys_enter", 257, None), ("sys_exit", -2, -2)):
        outs = [i64(f"o{n}") for n in range(8)]
        body = [Op(outs[0], "sys_nr", ())]
        body += [Op(outs[n + 1], "sys_arg", (), n) for n in range(6)]
        body += [Op(outs[7], "sys_ret", ())] if want_last is not None else []
        count = 8 if want_last is not None else 7
        body.append(Op(None, "reserve", (), RecordPlan(1, 16 + 8 * count)))
        body += [Op(None, "put", (o,), Field(16 + 8 * n, "i64", 8)) for n, o in enumerate(outs[:count])]
        features = ("direct", "bpf_loop", "compat", *(["perf_calls"] if by_record else []))
        event = Event(kind, "", {"numbers": None})
        rig = Rig([handler(*body)], event=event, world=world, target_=target(features=features))
        if by_record:
            rig.run(0, 257, *(values if kind == "sys_enter" else [second]))
        else:
            rig.run(REGS, second)
        got = list(struct.unpack_from(f"<{count}q", rig.records()[0], 16))
        assert got[:7] == [257, 11, 22, 33, 44, 55, -1]
        assert got[7:] == ([want_last] if want_last is not None else [])


@pytest.mark.parametrize("numbers", [[], [5], [0, 1, 2], [1, 3, 5, 7, 9, 11, 200, 201, 202, 400], [-1, 7]])
@pytest.mark.parametrize("compat", [0, 2])
def test_numbers_of_the_event(numbers, compat):
    from tests.kit.ebpf_rig import Const

    glob = Global("n", (), "i64")
    world = World()
    task = put_task(world, TASK, 1, 1, b"x")
    task[0x10] = compat
    world.task = TASK
    body = [handler(Op(None, "add_to", (Const(1),), glob))]
    rig = Rig(
        body,
        event=Event("sys_enter", "", {"numbers": numbers}),
        world=world,
        globs=[(glob, "delta", [], False)],
    )
    for number in range(-1, 420):
        rig.run(0, number)
    count = struct.unpack_from("<q", rig.maps["delta"].get(0))[0]
    assert count == (0 if compat else len(numbers))


def test_code_outside_the_state_running_does_nothing():
    from tests.kit.ebpf_rig import Const

    glob = Global("n", (), "i64")
    rig = Rig([handler(Op(None, "add_to", (Const(1),), glob))], globs=[(glob, "delta", [], False)])
    for state, want in ((0, 0), (2, 0), (3, 0), (1, 1)):
        rig.poke(0, "<I", state)
        rig.run()
        assert struct.unpack_from("<q", rig.maps["delta"].get(0))[0] == want
    assert If


def test_what_one_branch_has_tested_or_fetched_isnt_known_in_another():
    """Pointer tests, the current task, elements of maps: each path makes its own."""
    from pystap.ir.nodes import Leave, Try
    from tests.kit.ebpf_rig import Const, Label, Scope

    world, tgt = with_memory(())
    tgt = from_tables(OFFSETS, features=("direct",), **TABLES)
    glob = Global("n", (), "i64")

    def read():
        number, pid = i64("n"), i64("p")
        return [
            Op(number, "load", (skb,), Load(off=2, size=2, struct="sk_buff", what="skb")),
            Op(pid, "call", (), "pid"),
            Op(None, "add_to", (pid,), glob),
        ]

    skb, choice = i64("skb"), i64("c")
    start = [Op(skb, "ctx_arg", (), (0, True)), Op(choice, "ctx_arg", (), (1, False))]
    label = Label("l")

    def divide():
        return Op(i64("x"), "sdiv_or_error", (Const(1), choice))

    # body, how often it reads when choice is 0 and when it is 1
    shapes = [
        ([If(choice, read(), read())], 1, 1),
        ([If(choice, read(), []), *read()], 1, 2),
        ([If(choice, [], read()), *read()], 2, 1),
        ([If(choice, [], [Op(choice, "mov", (Const(5),)), *read()]), *read()], 2, 1),
        ([Scope(label, [If(choice, [], [Leave(label)]), *read()]), *read()], 1, 2),
        ([Try([divide(), *read()], None, read()), *read()], 2, 2),
        ([Try([divide()], None, read()), *read()], 2, 1),
    ]
    for body, none, one in shapes:
        globs = [(glob, "delta", [], False)]
        event = Event("tp_btf", "kfree_skb")
        rig = Rig([handler(*start, *body)], event=event, target_=tgt, world=world, globs=globs)
        rig.run(SKB, 0)
        assert struct.unpack_from("<q", rig.maps["delta"].get(0))[0] == none * world.pid
        rig.run(SKB, 1)
        assert struct.unpack_from("<q", rig.maps["delta"].get(0))[0] == (none + one) * world.pid
        assert rig.error is None
        rig.run(0, 1)
        assert rig.error == ("read fault [man error::fault] at 0x%016x", 2)
