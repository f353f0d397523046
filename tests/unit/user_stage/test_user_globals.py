"""Scalars, arrays and aggregates at home in the user stage."""

from __future__ import annotations

from typing import Any

import pytest
from user_kit import Machine, function, stat

from pystap.ir.format import Directive, Format
from pystap.ir.nodes import Const, ForEach, Global, Label, Local, Op, Sort, Stmt, Text
from pystap.runtime.errors import ScriptError

MAX = (1 << 63) - 1


def operation(
    glob: Global, name: str, keys: tuple[Any, ...] = (), value: Any = None, attr: Any = None, result: str = ""
) -> tuple[Machine, Any]:
    """A machine whose `f` does one operation on its parameters: keys, then the value."""
    kinds = {int: "i64", str: "str", bytes: "buf"}
    operands = list(keys) + ([] if value is None else [value])
    params = tuple(Local("a", kinds[v.__class__]) for v in operands)
    out = Local("r", result) if result else None
    body: list[Stmt] = [Op(out, name, params, attr or glob)]
    machine = Machine([function(body, params, out)], [glob])
    return machine, lambda *args: machine.call("f", *(args or operands))


def test_a_scalar_has_its_first_value_and_wraps() -> None:
    glob = Global("n", (), "i64", initial=MAX)
    machine, add = operation(glob, "add_fetch", value=1, attr=(glob, "new"), result="i64")
    assert add(1) == -MAX - 1
    assert machine.value(0) == -MAX - 1


@pytest.mark.parametrize(("which", "results"), [("old", [0, 5]), ("new", [5, 10])])
def test_add_fetch(which: str, results: list[int]) -> None:
    glob = Global("n", (), "i64")
    _, add = operation(glob, "add_fetch", value=5, attr=(glob, which), result="i64")
    assert [add(5), add(5)] == results
    keyed = Global("a", ("str", "i64"), "i64")
    machine, add = operation(keyed, "add_fetch", ("x", 1), 5, (keyed, which), "i64")
    assert [add(), add()] == results
    assert machine.value(0) == {("x", 1): 10}


def test_add_fetch_with_the_result_in_the_operand() -> None:
    glob = Global("n", (), "i64", initial=10)
    x = Local("x", "i64")
    machine = Machine([function([Op(x, "add_fetch", (x,), (glob, "old"))], (x,), x)], [glob])
    assert machine.call("f", 3) == 10
    assert machine.value(0) == 13


def test_a_missing_element_is_empty_and_reading_adds_none() -> None:
    for kind, empty in (("i64", 0), ("str", ""), ("buf", b"")):
        glob = Global("a", ("i64",), kind)
        machine, get = operation(glob, "get", (1,), result=kind)
        assert get() == empty
        assert machine.value(0) == {}


def test_has_set_delete_size_clear() -> None:
    glob = Global("a", ("i64", "str"), "i64")
    one, two, n, found = (Local(x, "i64") for x in ("one", "two", "n", "found"))
    body: list[Stmt] = [
        Op(None, "set", (Const(1), Text("x"), Const(7)), glob),
        Op(one, "has", (Const(1), Text("x")), glob),
        Op(two, "has", (Const(1), Text("y")), glob),
        Op(n, "size", (), glob),
        Op(None, "delete", (Const(1), Text("x")), glob),
        Op(None, "delete", (Const(9), Text("z")), glob),
        Op(found, "has", (Const(1), Text("x")), glob),
        Op(None, "printf", (one, two, n, found), Format((Directive("d"),) * 4)),
        Op(None, "set", (Const(2), Text("q"), Const(3)), glob),
        Op(None, "clear", (), glob),
    ]
    machine = Machine([function(body)], [glob])
    elements = machine.value(0)
    machine.call("f")
    assert machine.text == "1010"
    assert elements == {}
    assert machine.value(0) is elements


def test_a_full_array_is_an_error() -> None:
    glob = Global("a", ("i64",), "i64", capacity=2)
    machine, put = operation(glob, "set", (1,), 5)
    put(1, 5)
    put(2, 6)
    put(1, 9)
    with pytest.raises(ScriptError, match="Array overflow, check MAXMAPENTRIES"):
        put(3, 7)
    assert machine.value(0) == {1: 9, 2: 6}


@pytest.mark.parametrize("name", ["set", "add_to", "push"])
def test_a_wrapping_array_drops_its_oldest(name: str) -> None:
    glob = Global(
        "a", ("i64",), "stat" if name == "push" else "i64", 2, True, stat=stat() if name == "push" else None
    )
    machine, put = operation(glob, name, (1,), 5)
    for key in (1, 2, 1, 3):
        put(key, 5)
    assert list(machine.value(0)) == [2, 3]


@pytest.mark.parametrize("name", ["set", "add_to", "push"])
def test_a_full_map_of_bpftrace_leaves_new_keys_out(name: str) -> None:
    kind = "stat" if name == "push" else "i64"
    glob = Global("@a", ("i64",), kind, 1, full="warn", stat=stat(kind="count") if name == "push" else None)
    machine, put = operation(glob, name, (1,), 5)
    put(1, 5)
    put(2, 5)
    put(2, 5)
    put(1, 5)
    assert list(machine.value(0)) == [1]
    assert len(machine.sink.said) == 1
    assert "can't update element of @a" in machine.sink.said[0]


def test_an_array_of_aggregates_overflows_too() -> None:
    glob = Global("a", ("i64",), "stat", 1, stat=stat())
    _, put = operation(glob, "push", (1,), 5)
    put(1, 5)
    with pytest.raises(ScriptError, match="Array overflow"):
        put(2, 5)


def test_delete_slice() -> None:
    glob = Global("a", ("i64", "str", "i64"), "i64")
    machine, cut = operation(glob, "delete_slice", ("x", 2), attr=(glob, (False, True, True)))
    machine.value(0).update({(1, "x", 2): 1, (3, "x", 2): 1, (1, "y", 2): 1, (1, "x", 3): 1})
    cut()
    assert list(machine.value(0)) == [(1, "y", 2), (1, "x", 3)]
    single = Global("b", ("i64",), "i64")
    machine, cut = operation(single, "delete_slice", (4,), attr=(single, (True,)))
    machine.value(0).update({4: 1, 5: 1})
    cut()
    assert machine.value(0) == {5: 1}


def test_zero_keeps_the_keys() -> None:
    glob = Global("@a", ("i64",), "i64")
    machine, zero = operation(glob, "zero")
    machine.value(0).update({1: 5, 2: 6})
    zero()
    assert machine.value(0) == {1: 0, 2: 0}


STATS = [("count", 4), ("sum", 2), ("min", -5), ("max", 6), ("avg", 0)]


@pytest.mark.parametrize(("name", "expected"), STATS)
def test_statistics(name: str, expected: int) -> None:
    glob = Global("s", (), "stat", stat=stat())
    machine, get = operation(glob, "stat", attr=(glob, name, ()), result="i64")
    for value in (3, -5, 6, -2):
        machine.value(0).push(value)
    assert get() == expected


def test_variance_is_the_samples() -> None:
    glob = Global("s", (), "stat", stat=stat("count", "variance"))
    machine, get = operation(glob, "stat", attr=(glob, "variance", ()), result="i64")
    for value in (2, 4, 4, 4, 5, 5, 7, 9):
        machine.value(0).push(value)
    assert get() == 4  # 32 / 7


@pytest.mark.parametrize(("name", "raises"), [("count", 0), ("sum", 0), ("min", 1), ("max", 1), ("avg", 1)])
def test_an_empty_aggregate(name: str, raises: bool) -> None:
    for keys in ((), (5,)):
        glob = Global("s", ("i64",) * len(keys), "stat", stat=stat())
        _, get = operation(glob, "stat", keys, attr=(glob, name, ()), result="i64")
        if raises:
            with pytest.raises(ScriptError, match="empty aggregate"):
                get()
        else:
            assert get() == 0
    quiet = Global("@m", (), "stat", stat=stat(name, kind=name))
    _, get = operation(quiet, "stat", attr=(quiet, name, ()), result="i64")
    assert get() == 0


def test_delete_of_a_scalar_aggregate_empties_it() -> None:
    glob = Global("s", (), "stat", stat=stat(hist_log=0))
    machine, delete = operation(glob, "delete")
    machine.value(0).push(5)
    kept = machine.value(0)
    delete()
    assert machine.value(0) is kept
    assert (kept.count, sum(kept.buckets_log)) == (0, 0)


def test_histogram_buckets_by_index() -> None:
    glob = Global("s", (), "stat", stat=stat(linear=(0, 10, 2)))
    machine, get = operation(glob, "hist_bucket", value=1, attr=(glob, "linear", (0, 10, 2)), result="i64")
    for value in (-1, 0, 1, 5, 100):
        machine.value(0).push(value)
    assert [get(i) for i in range(8)] == [1, 2, 0, 1, 0, 0, 0, 1]
    with pytest.raises(ScriptError, match="out of range"):
        get(8)


def loop(
    glob: Global,
    elements: dict[Any, Any],
    sort: Sort | None = None,
    limit: int | None = None,
    cut: tuple[Any, ...] | None = None,
    value: bool = True,
    body: list[Stmt] | None = None,
) -> list[Any]:
    """The (keys..., value) that a foreach sees."""
    keys = tuple(Local("k", kind) for kind in glob.keys)
    held = Local("v", glob.value) if value else None
    shown = (*keys, held) if held is not None else keys
    parts = tuple(part for x in shown for part in (Directive("s" if x.type == "str" else "d"), " "))
    bound = None if limit is None else Local("n", "i64")
    label = Label("l")
    slices = None if cut is None else tuple(None if c is None else _operand(c) for c in cut)
    inner: list[Stmt] = [*(body or []), Op(None, "printf", shown, Format((*parts, ";")))]
    stmt = ForEach(glob, keys, held, sort, bound, slices, label, inner)
    machine = Machine([function([stmt], (bound,) if bound else ())], [glob])
    machine.value(0).update(elements)
    machine.call("f", *([limit] if bound else []))
    return [part.strip() for part in machine.text.split(";")[:-1]]


def _operand(value: Any) -> Any:
    return Text(value) if isinstance(value, str) else Const(value)


NAMES = Global("a", ("str",), "i64")
ELEMENTS = {"c": 2, "a": 3, "d": 2, "b": 1, "e": 2}


def test_without_a_sort_elements_come_in_the_order_of_insertion() -> None:
    assert loop(NAMES, ELEMENTS) == ["c 2", "a 3", "d 2", "b 1", "e 2"]
    assert loop(NAMES, ELEMENTS, value=False) == ["c", "a", "d", "b", "e"]
    assert loop(NAMES, ELEMENTS, limit=2) == ["c 2", "a 3"]


def test_sorting_is_stable_both_ways() -> None:
    assert loop(NAMES, ELEMENTS, Sort("value", False)) == ["b 1", "c 2", "d 2", "e 2", "a 3"]
    assert loop(NAMES, ELEMENTS, Sort("value", True)) == ["a 3", "c 2", "d 2", "e 2", "b 1"]
    assert loop(NAMES, ELEMENTS, Sort("value", True), value=False) == ["a", "c", "d", "e", "b"]
    assert loop(NAMES, ELEMENTS, Sort(("key", 0), True)) == ["e 2", "d 2", "c 2", "b 1", "a 3"]
    assert loop(NAMES, ELEMENTS, Sort(("key", 0), False), value=False) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("limit", [-1, 0, 1, 3, 100])
def test_a_limit_takes_the_first_of_the_sorted(limit: int) -> None:
    many = {i: i % 5 for i in range(100)}
    glob = Global("a", ("i64",), "i64")
    expected = sorted(many.items(), key=lambda e: e[1], reverse=True)[: max(0, limit)]
    assert loop(glob, many, Sort("value", True), limit) == [f"{k} {v}" for k, v in expected]
    expected = sorted(many.items(), key=lambda e: e[1])[: max(0, limit)]
    assert loop(glob, many, Sort("value", False), limit) == [f"{k} {v}" for k, v in expected]


def test_several_keys_slices_and_sorts_by_one() -> None:
    glob = Global("a", ("i64", "str"), "i64")
    elements = {(1, "x"): 5, (2, "y"): 6, (3, "x"): 7, (1, "y"): 8}
    assert loop(glob, elements, cut=(None, "x")) == ["1 x 5", "3 x 7"]
    assert loop(glob, elements, cut=(1, None), value=False) == ["1 x", "1 y"]
    assert loop(glob, elements, Sort(("key", 1), True)) == ["2 y 6", "1 y 8", "1 x 5", "3 x 7"]
    assert loop(glob, elements, Sort(("key", 0), False), value=False) == ["1 x", "1 y", "2 y", "3 x"]
    assert loop(glob, elements, Sort("value", True), 1, (None, "x")) == ["3 x 7"]


def test_aggregates_sort_by_count_or_by_a_statistic() -> None:
    glob = Global("s", ("i64",), "stat", stat=stat())
    machine = Machine([function([])], [glob])
    make = machine.context.namespace["_new0"]
    elements = {}
    for key, values in {1: (5,), 2: (1, 1, 1), 3: (9, -2)}.items():
        elements[key] = make()
        for value in values:
            elements[key].push(value)
    assert loop(glob, elements, Sort("value", True), value=False) == ["2", "3", "1"]
    for name, order in (
        ("sum", "2 1 3"),
        ("max", "2 1 3"),
        ("min", "3 2 1"),
        ("avg", "2 3 1"),
        ("count", "1 3 2"),
    ):
        assert loop(glob, elements, Sort(("stat", name), False), value=False) == order.split(), name


def test_a_loop_walks_a_snapshot() -> None:
    remove = Op(None, "clear", (), NAMES)
    assert loop(NAMES, ELEMENTS, body=[remove]) == ["c 2", "a 3", "d 2", "b 1", "e 2"]


def test_print_of_an_empty_histogram_is_an_error() -> None:
    glob = Global("s", (), "stat", stat=stat(hist_log=0))
    machine, show = operation(glob, "print_hist", attr=(glob, "log", ()))
    with pytest.raises(ScriptError, match="empty aggregate"):
        show()
    machine.value(0).push(5)
    show()
    assert machine.text.startswith("value |-----")


def test_strings_are_cut_and_compared_by_bytes() -> None:
    from user_kit import evaluate

    assert evaluate("concat", ["a" * 300, "b" * 300], type="str") == "a" * 300 + "b" * 211
    assert evaluate("str_eq", ["a", "a"]) == 1
    assert evaluate("str_ne", ["a", "a"]) == 0
    assert [evaluate("str_cmp", [a, b]) for a, b in (("a", "b"), ("b", "a"), ("a", "a"), ("", "\xff"))] == [
        -1,
        1,
        0,
        -1,
    ]


def test_exit_asks_for_the_end_and_the_handler_goes_on() -> None:
    body: list[Stmt] = [Op(None, "exit", (Const(3),)), Op(None, "printf", (), Format(("after",)))]
    machine = Machine([function(body)])
    machine.call("f")
    assert machine.text == "after"
    assert machine.context.exiting == [3]


def test_operations_of_an_events_context_are_refused() -> None:
    with pytest.raises(ValueError, match="needs an event's context"):
        Machine([function([Op(Local("x", "i64"), "ctx_arg", (), (0, False))])])
