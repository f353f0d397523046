"""Operations on globals of every home, against plain dicts: front tables, generations, full maps, nesting."""

from __future__ import annotations

import random
import struct

import pytest

from pystap.bpf.vm.machine import World
from pystap.types.hist import hist_bucket, linear_bucket, log_bucket
from pystap.types.stat import load_max, load_min
from tests.kit.ebpf_rig import (
    CTL_GEN,
    FRONT,
    Const,
    Global,
    Op,
    Rig,
    Stat,
    Text,
    counted,
    handler,
    i64,
    shape,
    string,
    table,
)


def test_delta_scalar_and_generations():
    glob = Global("n", (), "i64")
    a = i64("a")
    rig = Rig(
        [handler(Op(a, "ctx_arg", (), (0, False)), Op(None, "add_to", (a,), glob))],
        globs=[(glob, "delta", [], True)],
    )
    rig.run(5)
    rig.poke(CTL_GEN, "<I", 1)
    rig.run(7)
    rig.run(1)
    rig.world.cpu = 1
    rig.run(100)
    stride = rig.homes[glob].spec.stride
    raw = rig.maps["delta"].get(0)
    values = [struct.unpack_from("<q", raw, at)[0] for at in range(0, len(raw), stride)]
    assert stride == 64  # a cache line: of CPU 0, generations 0 and 1, and of CPU 1
    assert values == [5, 8, 0, 100]


@pytest.mark.parametrize("resets", [False, True])
def test_each_cpu_has_its_slots_however_many_numbers_they_hold(resets):
    globs = [Global(f"n{n}", (), "i64") for n in range(20)]
    body = [Op(None, "add_to", (Const(n + 1),), glob) for n, glob in enumerate(globs)]
    world = World(cpus=5)
    rig = Rig([handler(*body)], globs=[(glob, "delta", [], resets) for glob in globs], world=world)
    for cpu in range(5):
        for generation in (0, 1):
            world.cpu = cpu
            rig.poke(CTL_GEN, "<I", generation)
            for _ in range(cpu + 10 * generation + 1):
                rig.run()
    raw = rig.maps["delta"].get(0)
    assert len(raw) == 8 * 2 * 256
    for n, glob in enumerate(globs):
        spec = rig.homes[glob].spec
        assert (spec.cpus, spec.stride) == (8, 256)
        found = [struct.unpack_from("<q", raw, spec.offset + at)[0] for at in range(0, len(raw), 256)]
        runs = [(c + 1, c + 11) if resets else (2 * c + 12, 0) for c in range(5)]
        assert found == [(n + 1) * one for pair in runs for one in pair] + [0] * 6


def test_scalar_without_resets_ignores_the_generation():
    glob = Global("n", (), "i64")
    rig = Rig([handler(Op(None, "add_to", (Const(3),), glob))], globs=[(glob, "delta", [], False)])
    rig.poke(CTL_GEN, "<I", 1)
    rig.run()
    assert struct.unpack_from("<q", rig.maps["delta"].get(0))[0] == 3


@pytest.mark.parametrize("resets", [False, True])
def test_many_keys_are_counted_exactly(resets):
    """Far more keys than the front table has slots; keys that share a slot go to the hash."""
    glob = Global("m", ("i64", "i64"), "i64")
    a, b = i64("a"), i64("b")
    body = [
        Op(a, "ctx_arg", (), (0, False)),
        Op(b, "ctx_arg", (), (1, False)),
        Op(None, "add_to", (a, b, b), glob),
    ]
    rig = Rig([handler(*body)], globs=[(glob, "delta", [shape("i64", 8)] * 2, resets)])
    rng = random.Random(5)
    want = {0: {}, 1: {}}
    for _ in range(4000):
        generation = rng.randrange(2) if resets else 0
        rig.poke(CTL_GEN, "<I", generation)
        rig.world.cpu = rng.randrange(2)
        key = (rng.randrange(-300, 300), rng.randrange(1, 4))
        rig.run(*key)
        packed = struct.pack("<qq", *key)
        want[generation][packed] = want[generation].get(packed, 0) + key[1]
    for generation in (0, 1) if resets else (0,):
        assert counted(rig, "m", generation) == want[generation]
        assert len(rig.maps[f"m.{generation}"].items()) > 100  # both tables were used
    assert rig.error is None


def test_slot_that_is_being_claimed_is_left_alone():
    """A program that interrupts another between its claim and its key writes to the hash."""
    glob = Global("m", ("i64",), "i64")
    a = i64("a")
    body = [Op(a, "ctx_arg", (), (0, False)), Op(None, "add_to", (a, Const(1)), glob)]
    rig = Rig([handler(*body)], globs=[(glob, "delta", [shape("i64", 8)], False)])
    front = rig.maps["m.front"]
    for slot in range(FRONT):
        front.set(slot, struct.pack("<QQQ", 1, 0, 0))
    rig.run(9)
    assert [struct.unpack("<q", v)[0] for v in rig.maps["m.0"].get_all(struct.pack("<q", 9))] == [1, 0]
    assert all(front.get(slot) == struct.pack("<QQQ", 1, 0, 0) for slot in range(FRONT))


def test_full_array_is_an_error():
    glob = Global("m", ("i64",), "i64", capacity=8)
    a = i64("a")
    body = [Op(a, "ctx_arg", (), (0, False)), Op(None, "add_to", (a, Const(1)), glob)]
    rig = Rig([handler(*body)], globs=[(glob, "delta", [shape("i64", 8)], False)])
    for n in range(2000):
        rig.run(n)
    assert rig.error == ("Array overflow, check MAXMAPENTRIES", 0)


@pytest.mark.parametrize("how", [{"wrap": True}, {"full": "warn"}])
def test_full_array_is_marked(how):
    spare = [Global(f"spare{n}", ("i64",), "i64", **how) for n in range(70)]
    glob = Global("m", ("i64",), "i64", capacity=8, **how)
    a = i64("a")
    body = [Op(a, "ctx_arg", (), (0, False)), Op(None, "add_to", (a, Const(1)), glob)]
    one = [shape("i64", 8)]
    rig = Rig([handler(*body)], globs=[(g, "delta", one, False) for g in (*spare, glob)])
    for n in range(2000):
        rig.run(n)
    assert rig.error is None
    assert [g for g in rig.homes if rig.peek(rig.homes[g].spec.offset)] == [glob]


def test_string_and_text_keys():
    glob = Global("m", ("str", "i64", "str"), "i64")
    comm, pid = string("c"), i64("p")
    body = [
        Op(comm, "call", (), "execname"),
        Op(pid, "call", (), "pid"),
        Op(None, "add_to", (comm, pid, Text("ab"), Const(1)), glob),
        Op(None, "add_to", (Text("a longer text than sixteen"), pid, comm, Const(2)), glob),
    ]
    shapes = [shape("str", 32), shape("i64", 8), shape("str", 16)]
    rig = Rig([handler(*body)], sizes={comm: 16}, globs=[(glob, "delta", shapes, False)])
    rig.run()
    rig.run()
    one = b"test".ljust(32, b"\0") + struct.pack("<q", 1000) + b"ab".ljust(16, b"\0")
    two = b"a longer text than sixteen".ljust(32, b"\0") + struct.pack("<q", 1000) + b"test".ljust(16, b"\0")
    assert counted(rig, "m") == {one: 2, two: 4}


# -- aggregates

VALUES = [
    0,
    1,
    -1,
    2,
    3,
    4,
    5,
    7,
    8,
    9,
    15,
    16,
    17,
    100,
    1000,
    -7,
    -8,
    -1000,
    1 << 20,
    -(1 << 33),
    (1 << 40) + 12345,
]
VALUES += [(1 << 62), (1 << 63) - 1, -(1 << 63), -(1 << 63) + 1, 99, 101, 40, 41, 60]


def pushed(stat, values, keys=()):
    glob = Global("s", tuple("i64" for _ in keys), "stat", stat=stat)
    a = i64("a")
    body = [Op(a, "ctx_arg", (), (0, False)), Op(None, "push", (*[Const(k) for k in keys], a), glob)]
    rig = Rig([handler(*body)], globs=[(glob, "delta", [shape("i64", 8) for _ in keys], False)])
    spec = rig.homes[glob].spec
    if keys:  # a key's first update is in the hash, all others are in the front table
        rig.run(0)
        (key,) = rig.maps["s.0"].keys()
        rig.maps["s.0"].update(key, bytes(spec.value_size), 0, 0)
    for value in values:
        rig.run(value)
    if keys:
        (found,) = table(rig, "s").values()
        raw = found[0]
    else:
        raw = rig.maps["delta"].get(0)[spec.offset :]
    return spec, dict(spec.stat_fields), raw


def word(raw, fields, name, form="<q"):
    return struct.unpack_from(form, raw, fields[name])[0]


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("keys", [(), (5,)])
def test_count_sum_extremes(signed, keys):
    stat = Stat(frozenset({"count", "sum", "min", "max", "variance"}), signed=signed)
    for values in ([5], [-5], [0], VALUES, VALUES[::-1], [7, 3, 9]):
        _, fields, raw = pushed(stat, values, keys)
        seen = values if signed else [v & (1 << 64) - 1 for v in values]
        assert word(raw, fields, "count") == len(values)
        assert word(raw, fields, "sum", "<Q") == sum(seen) % (1 << 64)
        assert word(raw, fields, "sumsq", "<Q") == sum(v * v for v in seen) % (1 << 64)
        assert load_min(word(raw, fields, "min", "<Q"), signed) == min(seen)
        assert load_max(word(raw, fields, "max", "<Q"), signed) == max(seen)


def buckets(raw, fields, name, count):
    return list(struct.unpack_from(f"<{count}Q", raw, fields[name]))


def tally(numbers, count):
    out = [0] * count
    for n in numbers:
        out[n] += 1
    return out


@pytest.mark.parametrize("keys", [(), (5,)])
def test_log_histogram(keys):
    _, fields, raw = pushed(Stat(frozenset({"count"}), hist_log=0), VALUES, keys)
    assert buckets(raw, fields, "log", 128) == tally([log_bucket(v) for v in VALUES], 128)


@pytest.mark.parametrize("bits", range(6))
def test_bpftrace_histogram(bits):
    spec, fields, raw = pushed(Stat(frozenset({"count"}), hist_log=bits, kind="hist"), VALUES)
    count = (spec.value_size - fields["log"]) // 8
    assert buckets(raw, fields, "log", count) == tally([hist_bucket(v, bits) for v in VALUES], count)


@pytest.mark.parametrize("kind", ["stat", "lhist"])
@pytest.mark.parametrize("linear", [(0, 100, 20), (-10, 35, 7), (0, 1000, 1), (5, 100, 50)])
def test_linear_histogram(kind, linear):
    values = [*VALUES, *range(-30, 130)]
    spec, fields, raw = pushed(Stat(frozenset({"count"}), linear=linear, kind=kind), values)
    count = (spec.value_size - fields["linear"]) // 8
    assert buckets(raw, fields, "linear", count) == tally(
        [linear_bucket(v, *linear, kind) for v in values], count
    )


# -- shared homes


def test_shared_scalar():
    glob = Global("g", (), "i64")
    old, new, now = i64("old"), i64("new"), i64("now")
    a = i64("a")
    body = [
        Op(a, "ctx_arg", (), (0, False)),
        Op(old, "add_fetch", (a,), (glob, "old")),
        Op(new, "add_fetch", (Const(2),), (glob, "new")),
        Op(now, "get", (), glob),
        Op(None, "set", (Const(-1),), glob),
    ]
    from tests.kit.ebpf_rig import Field, RecordPlan

    body += [Op(None, "reserve", (), RecordPlan(1, 40))]
    body += [Op(None, "put", (v,), Field(16 + 8 * n, "i64", 8)) for n, v in enumerate((old, new, now))]
    rig = Rig([handler(*body)], globs=[(glob, "shared", [], False)])
    rig.run(10)
    rig.run(20)
    assert [struct.unpack_from("<3q", r, 16) for r in rig.records()] == [(0, 12, 12), (-1, 21, 21)]
    assert rig.peek(rig.homes[glob].spec.offset, "<q") == -1


def test_shared_array():
    """Each operation against a dict, with keys that come and go."""
    from tests.kit.ebpf_rig import Field, If, RecordPlan, shape

    glob = Global("m", ("i64", "str"), "i64", capacity=50)
    what, key, value, result = i64("w"), i64("k"), i64("v"), i64("r")
    name = Text("x")
    body = [
        Op(what, "ctx_arg", (), (0, False)),
        Op(key, "ctx_arg", (), (1, False)),
        Op(value, "ctx_arg", (), (2, False)),
        Op(None, "reserve", (), RecordPlan(1, 24)),
    ]
    cases = [
        Op(result, "get", (key, name), glob),
        Op(result, "has", (key, name), glob),
        Op(None, "set", (key, name, value), glob),
        Op(None, "add_to", (key, name, value), glob),
        Op(result, "add_fetch", (key, name, value), (glob, "new")),
        Op(result, "add_fetch", (key, name, value), (glob, "old")),
        Op(None, "delete", (key, name), glob),
    ]
    for n, op in enumerate(cases):
        cond = i64("c")
        body += [Op(cond, "eq", (what, Const(n))), If(cond, [op], [])]
    body.append(Op(None, "put", (result,), Field(16, "i64", 8)))
    rig = Rig([handler(*body)], globs=[(glob, "shared", [shape("i64", 8), shape("str", 8)], False)])
    model = {}
    rng = random.Random(9)
    for _ in range(3000):
        n, k, v = rng.randrange(7), rng.randrange(40), rng.randrange(-5, 1000)
        rig.run(n, k, v)
        got = struct.unpack_from("<q", rig.records()[0], 16)[0]
        old = model.get(k, 0)
        want = 0
        if n == 0:
            want = old
        elif n == 1:
            want = int(k in model)
        elif n == 2:
            model[k] = v
        elif n == 3:
            model[k] = old + v
        elif n in (4, 5):
            model[k] = old + v
            want = old + v if n == 4 else old
        else:
            model.pop(k, None)
        assert got == want, (n, k, v)
    raw = {
        struct.unpack_from("<q", k)[0]: struct.unpack("<q", v)[0] for k, v in rig.maps["m"].items().items()
    }
    assert raw == model


def test_full_shared_array():
    glob = Global("m", ("i64",), "i64", capacity=4)
    a = i64("a")
    body = [Op(a, "ctx_arg", (), (0, False)), Op(None, "set", (a, Const(1)), glob)]
    rig = Rig([handler(*body)], globs=[(glob, "shared", [shape("i64", 8)], False)])
    for n in (1, 2, 3, 4, 1, 2):
        rig.run(n)
    assert rig.error is None
    rig.run(5)
    assert rig.error == ("Array overflow, check MAXMAPENTRIES", 0)
