"""Records: decoding, order over all CPUs, and what runs them."""

from __future__ import annotations

import random
from typing import Any

import pytest
from runtime_kit import FakeDoor, program, record_spec

from pystap.runtime.decode import Decoder, Dispatcher, Merger, Strings
from pystap.runtime.errors import ScriptError


def decoded(door: FakeDoor, *specs: Any) -> list[tuple[Any, ...]]:
    """All records of a door's rings."""
    out: list[tuple[Any, ...]] = []
    decoder = Decoder(specs)
    for ring in door.rings:
        ring.snapshot()
        decoder.collect(ring, out)
    return out


def test_fields_of_every_type() -> None:
    spec = record_spec(3, "f", "i64", "str", "buf", "i64")
    door = FakeDoor()
    door.record(0, spec, -5, "comm", bytes(range(16)), 1 << 62)
    assert decoded(door, spec) == [(0, 3, 0, -5, b"comm".ljust(16, b"\0"), bytes(range(16)), 1 << 62)]


def test_runs_of_one_shape_and_records_of_mixed_shapes() -> None:
    one, two = record_spec(1, "f", "i64", "i64"), record_spec(2, "g", "str")
    three = record_spec(7, "h")
    door = FakeDoor()
    for i in range(5):
        door.record(0, one, i, -i)
    door.record(0, two, "x")
    door.record(0, three)
    door.record(0, one, 9, 9)
    got = decoded(door, one, two, three)
    assert [r[:2] for r in got] == [(0, 1), (1, 1), (2, 1), (3, 1), (4, 1), (5, 2), (6, 7), (7, 1)]
    assert [r[3:] for r in got][4:] == [(4, -4), (b"x".ljust(16, b"\0"),), (), (9, 9)]


def test_strings_end_at_their_nul_and_are_harmless_on_a_terminal() -> None:
    assert Strings()[b"ab\0cd"] == "ab"
    assert Strings()[b"a\xff\x1b[2J"] == "a\xff\x1b[2J"
    assert Strings(True)[b"a\x1b[2J\tb\n\0"] == "a\\x1b[2J\tb\n"
    assert Strings(True)["h\u00e9".encode()] == "h\xc3\xa9"


def test_the_cache_of_strings_is_bounded() -> None:
    strings = Strings()
    for i in range(20000):
        assert strings[str(i).encode()] == str(i)
    assert len(strings) <= 8192


def records(*numbers: int) -> list[tuple[Any, ...]]:
    """Records that are only their numbers."""
    return [(n, 0, 0) for n in numbers]


def numbers(batch: list[tuple[Any, ...]]) -> list[int]:
    """Their numbers."""
    return [r[0] for r in batch]


def test_records_wait_behind_a_gap() -> None:
    merger = Merger()
    assert numbers(merger.take(records(1, 0, 4, 3))) == [0, 1]
    assert numbers(merger.take([])) == []
    assert numbers(merger.take(records(5, 2))) == [2, 3, 4, 5]
    assert numbers(merger.take(records(9, 7))) == []
    assert numbers(merger.take([], gaps=True)) == [7, 9]
    assert merger.next == 10


def test_records_up_to_a_number_only() -> None:
    merger = Merger()
    assert numbers(merger.take(records(0, 1, 2, 3), until=2)) == [0, 1]
    assert numbers(merger.take([], until=2)) == []
    assert numbers(merger.take(records(4), until=4)) == [2, 3]
    assert numbers(merger.take([])) == [4]


def test_any_order_of_arrival_is_put_right() -> None:
    source = random.Random(7)
    for _ in range(200):
        order = list(range(60))
        # nearly sorted, as of a few CPUs
        order.sort(key=lambda n: n + source.randint(0, 12))
        merger, out = Merger(), []
        at = 0
        while at < len(order):
            step = source.randint(1, 9)
            until = source.choice([None, None, source.randint(0, 60)])
            out += numbers(merger.take(records(*order[at : at + step]), until))
            at += step
        out += numbers(merger.take([]))
        assert out == list(range(60))


def dispatcher(namespace: dict[str, Any], *specs: Any, exiting: list[int] | None = None) -> Dispatcher:
    """A Dispatcher of functions that the test wrote."""
    out = exiting if exiting is not None else []

    def failed(_: int) -> None:
        raise ScriptError("failed in the kernel")

    return Dispatcher(program("", specs), namespace, Strings(), out, failed, can_exit=True)


def test_each_records_function_gets_its_values() -> None:
    one, two = record_spec(1, "f", "i64", "str"), record_spec(2, "g", "buf", size=8)
    door, seen = FakeDoor(), []
    door.record(0, one, 4, "sh")
    door.record(0, two, b"12345678")
    run = dispatcher({"f": lambda a, b: seen.append((a, b)), "g": lambda a: seen.append((a,))}, one, two)
    run.take(decoded(door, one, two))
    run.run()
    assert seen == [(4, "sh"), (b"12345678",)]


@pytest.mark.parametrize("count", [1, 2])
def test_exit_ends_a_batch(count: int) -> None:
    specs = tuple(record_spec(i, f"f{i}", "i64") for i in range(count))
    door, seen, exiting = FakeDoor(), [], []

    def handler(value: int) -> None:
        seen.append(value)
        if value == 2:
            exiting.append(0)

    for i in range(5):
        door.record(0, specs[i % count], i)
    run = dispatcher({f"f{i}": handler for i in range(count)}, *specs, exiting=exiting)
    run.take(decoded(door, *specs))
    run.run()
    assert seen == [0, 1, 2]


def test_a_run_that_failed_in_the_kernel_is_not_run_here() -> None:
    spec = record_spec(0, "f", "i64")
    door, seen = FakeDoor(), []
    door.record(0, spec, 1)
    door.record(0, spec, 2)
    door.flag_error(0, 0)
    run = dispatcher({"f": seen.append}, spec)
    run.take(decoded(door, spec))
    with pytest.raises(ScriptError, match="failed in the kernel"):
        run.run()
    assert seen == [1]


@pytest.mark.parametrize("kinds", [1, 2, 3])
def test_what_is_behind_an_error_is_run_when_asked_for(kinds: int) -> None:
    specs = tuple(record_spec(i, f"f{i}", "i64") for i in range(kinds))
    door, seen, errors = FakeDoor(), [], []

    def handler(value: int) -> None:
        if value % 5 == 0:
            raise ScriptError(str(value))
        seen.append(value)

    for i in range(31):
        door.record(0, specs[i // 4 % kinds], i)
    run = dispatcher({f"f{i}": handler for i in range(kinds)}, *specs)
    run.take(decoded(door, *specs))
    while len(errors) < 8:
        try:
            run.run()
            break
        except ScriptError as error:
            errors.append(int(error.message))
    assert errors == [0, 5, 10, 15, 20, 25, 30]
    assert seen == [i for i in range(31) if i % 5]
