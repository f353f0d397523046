"""What the kernel stage has collected, merged into what scripts see; and globals whose truth is a kernel map."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from runtime_kit import CPUS, FakeDoor, FakeMap, FakeSlots, context, glob, program

from pystap.program import CTL_GEN, GlobalSpec, Part
from pystap.runtime.decode import Strings
from pystap.runtime.errors import ScriptError
from pystap.runtime.state import State
from pystap.types.stat import store_max, store_min

Q = struct.Struct("<q")
FIELDS = (("count", 0), ("sum", 8), ("min", 16), ("max", 24))


def slot(*values: int) -> bytes:
    """A value of a CPU: 8 byte words."""
    return b"".join(struct.pack("<q", v) for v in values)


def aggregate(count: int, total: int, least: int, most: int) -> bytes:
    """An aggregate's value of a CPU, as FIELDS has it."""
    return struct.pack("<qqQQ", count, total, store_min(least), store_max(most))


def collected(count: int, total: int, least: int, greatest: int) -> bytes:
    """A CPU's aggregate, as programs store it."""
    return struct.pack("<qqQQ", count, total, store_min(least), store_max(greatest))


def connected(
    door: FakeDoor, *specs: GlobalSpec, lang: str = "stp", **names: Any
) -> tuple[State, dict[str, Any]]:
    """A State bound to a door's maps."""
    ctx = context(door, program("", lang=lang, globals=specs))
    door.maps = dict(door.given)
    ctx.namespace.update(names)
    state = State(ctx)
    state.connect(Strings())
    return state, ctx.namespace


def test_a_scalar_without_resets_is_read_anew_each_time() -> None:
    table = FakeSlots()
    spec = glob("n", 0, "delta", map="delta", offset=8, initial=100)
    state, namespace = connected(FakeDoor(maps={"delta": table}), spec)
    table.put(0, slot(999, 5), slot(999, -2))
    assert not state.flips([0])
    for _ in range(2):
        state.sync([0])
        assert namespace["_g0"] == 103
    table.put(0, slot(999, 6), slot(999, -2))
    state.sync([0])
    assert namespace["_g0"] == 104
    state.close()


def test_a_scalar_that_handlers_reset_adds_what_each_generation_collected() -> None:
    table = FakeSlots()
    spec = glob("n", 0, "delta", map="delta", resets=True)
    door = FakeDoor(maps={"delta": table})
    state, namespace = connected(door, spec)
    table.put(0, slot(5), slot(7))
    assert state.flips([0])
    state.sync([0], state.flip())
    assert namespace["_g0"] == 12
    assert door.control[CTL_GEN] == 1
    namespace["_g0"] = 0
    table.put(1, slot(3), slot(0), slot(0), slot(1))
    state.sync([0], state.flip())
    assert namespace["_g0"] == 4
    state.sync([0], state.flip())
    assert namespace["_g0"] == 4
    assert not any(table.memory)


def test_scalars_that_are_never_reset_survive_the_clearing_of_the_others() -> None:
    """They share slots of which only ranges are cleared."""
    table = FakeSlots()
    kept, reset = (
        glob("k", 0, "delta", map="delta"),
        glob("r", 1, "delta", map="delta", offset=8, resets=True),
    )
    state, namespace = connected(FakeDoor(maps={"delta": table}), kept, reset)
    table.put(0, slot(5, 50, 77), slot(6, 60))
    state.sync([0, 1], state.flip())
    assert (namespace["_g0"], namespace["_g1"]) == (11, 110)
    assert table.slot(0) == slot(5, 0, 77).ljust(table.stride, b"\0")
    assert table.slot(0, 1) == slot(6).ljust(table.stride, b"\0")
    table.put(1, slot(0, 1))
    table.put(0, slot(5, 1000))
    state.sync([0, 1], state.flip())
    assert (namespace["_g0"], namespace["_g1"]) == (11, 111)
    assert not any(table.slot(1))
    assert table.slot(0)[:16] == slot(5, 1000)


def test_a_flip_for_arrays_alone_leaves_scalars_that_are_never_reset_alone() -> None:
    table, hashes = FakeSlots(), {f"a.{g}": FakeMap(8, 8) for g in range(2)}
    kept, array_ = glob("k", 0, "delta", map="delta"), glob("a", 1, "delta", ("i64",), map="a", resets=True)
    door = FakeDoor(maps={"delta": table, **hashes})
    state, namespace = connected(door, kept, array_)
    table.put(0, slot(5))
    state.sync([0, 1], state.flip())
    assert (namespace["_g0"], table.slot(0)[:8]) == (5, slot(5))


def array(keys: tuple[str, ...], resets: bool, front: int = 0, **more: Any) -> tuple[GlobalSpec, FakeDoor]:
    """An array of home delta, and a door with its maps."""
    spec = glob("a", 0, "delta", keys, map="a", resets=resets, front=front, **more)
    maps = {f"a.{g}": FakeMap(spec.key_size, spec.value_size) for g in range(2 if resets else 1)}
    if front:
        entry = 8 + spec.key_size + spec.value_size
        maps["a.front"] = FakeMap(4, entry, array=front * (2 if resets else 1))
    return spec, FakeDoor(maps=maps)


def test_arrays_add_up_their_cpus_and_generations() -> None:
    spec, door = array(("i64", "str"), True)
    state, namespace = connected(door, spec)
    key = Q.pack(7) + b"sh".ljust(16, b"\0")
    other = Q.pack(-1) + b"x" * 15 + b"\0"
    door.maps["a.0"].put(key, slot(1), slot(2))  # type: ignore[attr-defined]
    door.maps["a.0"].put(other, slot(10))  # type: ignore[attr-defined]
    elements = namespace["_g0"]
    state.sync([0], state.flip())
    assert elements == {(7, "sh"): 3, (-1, "x" * 15): 10}
    assert not door.maps["a.0"].data  # type: ignore[attr-defined]
    del elements[7, "sh"]
    door.maps["a.1"].put(key, slot(4))  # type: ignore[attr-defined]
    state.sync([0], state.flip())
    assert elements == {(7, "sh"): 4, (-1, "x" * 15): 10}


def test_one_generation_takes_all_arrays_along() -> None:
    a = glob("a", 0, "delta", ("i64",), map="a", resets=True)
    b = glob("b", 1, "delta", ("i64",), map="b", resets=True)
    maps = {f"{n}.{g}": FakeMap(8, 8) for n in "ab" for g in range(2)}
    state, namespace = connected(FakeDoor(maps=maps), a, b)
    maps["a.0"].put(Q.pack(1), slot(1))
    maps["b.0"].put(Q.pack(2), slot(2))
    state.sync([0], state.flip())
    assert (namespace["_g0"], namespace["_g1"]) == ({1: 1}, {2: 2})


def test_the_front_table_is_merged_with_the_hash() -> None:
    for resets in (False, True):
        spec, door = array(("i64",), resets, front=4)
        state, namespace = connected(door, spec)
        front: Any = door.maps["a.front"]
        used, claimed = struct.pack("<Q", 2), struct.pack("<Q", 1)
        front.put((1).to_bytes(4, "little"), used + slot(5, 100), used + slot(6, 200))
        front.put((2).to_bytes(4, "little"), claimed + slot(9, 900))
        if resets:
            front.put((5).to_bytes(4, "little"), used + slot(5, 7000))
        door.maps["a.0"].put(Q.pack(5), slot(3))  # type: ignore[attr-defined]
        for _ in range(2):
            state.sync([0], state.flip() if resets else None)
            expected = {5: 103, 6: 200}
            if resets and namespace["_g0"].get(5) != 103:
                expected[5] = 7103
            assert namespace["_g0"] == expected


def test_keys_of_rendered_text_come_together() -> None:
    part = (Part(0, "i64", 8, "render", 2), Part(8, "i64", 8), Part(16, "i64", 8))
    spec = glob("a", 0, "delta", ("str", "i64"), map="a", key=part, key_size=24)
    table = FakeMap(24, 8)
    names = {"render": lambda a, b: f"<{a % 2}:{b}>"}
    state, namespace = connected(FakeDoor(maps={"a.0": table}), spec, **names)
    for a, count in ((1, 10), (3, 20), (4, 40)):
        table.put(struct.pack("<qqq", a, 7, 5), slot(count))
    state.sync([0])
    assert namespace["_g0"] == {("<1:7>", 5): 30, ("<0:7>", 5): 40}


def test_a_single_string_key_and_bytes() -> None:
    spec = glob("a", 0, "delta", ("str",), map="a")
    table = FakeMap(16, 8)
    state, namespace = connected(FakeDoor(maps={"a.0": table}), spec)
    table.put(b"lo".ljust(16, b"\0"), slot(2))
    state.sync([0])
    assert namespace["_g0"] == {"lo": 2}
    raw = glob("a", 0, "delta", ("buf",), map="a", key=(Part(0, "buf", 6),), key_size=8)
    table = FakeMap(8, 8)
    state, namespace = connected(FakeDoor(maps={"a.0": table}), raw)
    table.put(b"\0\1\2\0\4\5\0\0", slot(1))
    state.sync([0])
    assert namespace["_g0"] == {b"\0\1\2\0\4\5": 1}


def test_aggregates_take_minimum_and_maximum_of_cpus_that_counted() -> None:
    if CPUS < 2:
        pytest.skip("one CPU only")
    spec, door = array(("i64",), True, value="stat", value_size=32, stat_fields=FIELDS)
    state, namespace = connected(door, spec)
    door.maps["a.0"].put(Q.pack(1), aggregate(2, 30, 10, 20), slot(0, 0, 0, 0))  # type: ignore[attr-defined]
    door.maps["a.0"].put(Q.pack(2), aggregate(1, -5, -5, -5), aggregate(3, 9, 1, 5))  # type: ignore[attr-defined]
    state.sync([0], state.flip())
    one, two = namespace["_g0"][1], namespace["_g0"][2]
    assert (one.count, one.sum, one.min, one.max) == (2, 30, 10, 20)
    assert (two.count, two.sum, two.min, two.max) == (4, 4, -5, 5)
    door.maps["a.1"].put(Q.pack(1), aggregate(1, 1, 1, 1))  # type: ignore[attr-defined]
    state.sync([0], state.flip())
    assert (one.count, one.min, one.avg) == (3, 1, 10)


def test_scalar_aggregates_with_histograms() -> None:
    from pystap.types.hist import LOG_BUCKETS

    size = 8 + 8 * LOG_BUCKETS
    fields = (("count", 0), ("log", 8))
    table = FakeSlots(2048)
    spec = glob(
        *("s", 0, "delta", (), "stat"),
        map="delta",
        stride=2048,
        stat_fields=fields,
        value_size=size,
        hist_log=0,
        resets=False,
    )
    state, namespace = connected(FakeDoor(maps={"delta": table}), spec)
    buckets = [0] * LOG_BUCKETS
    buckets[70] = 3
    table.put(0, slot(3, *buckets), slot(3, *buckets))
    for _ in range(2):
        state.sync([0])
        stat = namespace["_g0"]
        assert stat.count == 6
        assert stat.buckets_log[70] == stat.count
        assert sum(stat.buckets_log) == stat.count


def test_more_keys_than_an_array_holds_is_an_error_or_a_warning() -> None:
    for full, raises in (("error", True), ("warn", False)):
        spec, door = array(("i64",), True, capacity=1, full=full)
        state, _ = connected(door, spec)
        for key in (1, 2):
            door.maps["a.0"].put(Q.pack(key), slot(1))  # type: ignore[attr-defined]
        generation = state.flip()
        if raises:
            with pytest.raises(ScriptError, match="Array overflow"):
                state.sync([0], generation)
        else:
            state.sync([0], generation)


# -- shared


def test_shared_scalars_are_words_of_the_control_block() -> None:
    number = glob("n", 0, "shared", offset=64, initial=-7)
    text = glob("t", 1, "shared", (), "str", offset=72, value_size=16)
    door = FakeDoor()
    state, namespace = connected(door, number, text)
    assert door.words[8] == -7
    door.words[8] = 41
    assert (state.value(0), namespace["_g0"].add(1)) == (41, 42)
    namespace["_g1"].set("x" * 40)
    assert namespace["_g1"].get() == "x" * 15
    namespace["_g1"].set("ab")
    assert namespace["_g1"].get() == "ab"


def test_shared_arrays_are_map_calls() -> None:
    spec = glob("a", 0, "shared", ("i64", "str"), map="a")
    table = FakeMap(24, 8, percpu=False)
    _, namespace = connected(FakeDoor(maps={"a": table}), spec)
    shared = namespace["_g0"]
    assert shared.get((1, "x"), 0) == 0
    shared.put((1, "x"), -5)
    assert table.data == {Q.pack(1) + b"x".ljust(16, b"\0"): Q.pack(-5)}
    assert (1, "x") in shared
    assert shared.add((1, "x"), 7) == 2
    shared.put((2, "y"), 3)
    assert sorted(shared.items()) == [((1, "x"), 2), ((2, "y"), 3)]
    assert sorted(shared) == [(1, "x"), (2, "y")]
    assert len(shared) == 2
    shared.pop((1, "x"), None)
    assert list(shared.values()) == [3]
    shared.clear()
    assert not table.data
