"""Folding, copies, common subexpressions, what globals are known to hold, dead code (R1)."""

from __future__ import annotations

import pytest

from pystap.ir.nodes import (
    Call,
    Const,
    ForEach,
    Function,
    Global,
    If,
    Label,
    Leave,
    Local,
    Loop,
    Op,
    Scope,
    Stmt,
    Text,
    Try,
)
from pystap.ir.ops import Load
from pystap.ir.printer import body_text
from pystap.opt.simplify import effects, is_pure, simplify, sweep

A, B, C, D, E = (Local(n, "i64") for n in "abcde")
S, T = Local("s", "str"), Local("t", "str")
N = Global("n", (), "i64")
M = Global("m", (), "i64")
TABLE = Global("t", ("i64",), "i64")


def op(dst: Local | None, name: str, *args: Local | Const | Text, attr: object = None) -> Op:
    """One operation."""
    return Op(dst, name, args, attr)


def use(*values: Local) -> Op:
    """Something that wants the values."""
    return Op(None, "printf", values, "out")


def arg(dst: Local, n: int = 0) -> Op:
    """A value that only the event knows."""
    return Op(dst, "sys_arg", (), n)


def done(*body: Stmt, constants: dict[Global, object] | None = None) -> str:
    """The body simplified, as text."""
    return body_text(simplify(list(body), constants or {})).replace("printf ? ", "use ")


def names(*body: Stmt, constants: dict[Global, object] | None = None) -> list[str]:
    """The operations that are left, in order."""
    from pystap.ir.walk import statements

    return [s.name for s in statements(simplify(list(body), constants or {})) if isinstance(s, Op)]


# -- folding


@pytest.mark.parametrize(
    ("name", "args", "value"),
    [
        ("add", (2, 3), 5),
        ("add", ((1 << 63) - 1, 1), -(1 << 63)),
        ("mul", (1 << 62, 4), 0),
        ("sdiv_or_error", (-7, 2), -3),
        ("smod_or_error", (-7, 2), -1),
        ("sdiv_or_error", (-(1 << 63), -1), -(1 << 63)),
        ("smod_or_error", (-(1 << 63), -1), 0),
        ("shl", (1, 64), 1),
        ("shr", (-1, 63), 1),
        ("sar", (-8, 1), -4),
        ("ult", (1, -1), 1),
        ("lt", (1, -1), 0),
        ("udiv_or_zero", (-1, 2), (1 << 63) - 1),
        ("umod_or_zero", (5, 0), 5),
    ],
)
def test_constants_are_folded(name: str, args: tuple[int, ...], value: int) -> None:
    (left,) = simplify([op(A, name, *map(Const, args)), use(A)], {})
    assert isinstance(left, Op)
    (operand,) = left.args
    assert isinstance(operand, Const)
    assert operand.value == value


@pytest.mark.parametrize("name", ["sdiv_or_error", "smod_or_error"])
def test_a_division_by_0_is_left_to_run(name: str) -> None:
    assert names(op(A, name, Const(1), Const(0)), use(A)) == [name, "printf"]


def test_texts_are_compared() -> None:
    assert names(op(A, "str_eq", Text("x"), Text("x")), If(A, [use(A)], [use(A), use(A)])) == ["printf"]
    assert names(op(A, "str_ne", Text("x"), Text("x")), If(A, [use(A)], [use(A), use(A)])) == ["printf"] * 2


def test_copies_are_followed() -> None:
    assert done(arg(A), op(B, "mov", A), op(C, "mov", B), use(C)) == done(arg(A), use(A))


def test_what_is_assigned_twice_is_not_known() -> None:
    body = [arg(A), op(B, "mov", Const(1)), If(A, [op(B, "mov", Const(2))], []), use(B)]
    assert names(*body) == ["sys_arg", "mov", "mov", "printf"]
    copied = [op(A, "mov", Const(1)), op(B, "mov", A), op(A, "mov", Const(2)), use(A, B)]
    assert names(*copied) == ["mov", "mov", "mov", "printf"]


def test_what_may_be_read_before_it_is_assigned_is_not_known() -> None:
    label = Label("l")
    body = [arg(C), Loop(label, [use(A), op(A, "mov", Const(5)), If(C, [Leave(label)], [])])]
    assert "mov" in names(*body)
    maybe = [arg(C), If(C, [op(A, "mov", Const(5))], []), use(A)]
    assert "mov" in names(*maybe)


def test_decided_branches_vanish() -> None:
    assert names(If(Const(1), [use(A)], [use(B), use(B)])) == ["printf"]
    assert names(If(Const(0), [use(A)], [use(B), use(B)])) == ["printf"] * 2
    label = Label("h")
    assert names(Scope(label, [If(Const(1), [use(A), Leave(label)], []), use(B)])) == ["printf"]


def test_globals_that_nobody_writes_are_constants() -> None:
    assert done(op(A, "get", attr=N), use(A), constants={N: Const(7)}) == done(use_const(7))
    assert names(op(A, "get", attr=N), use(A)) == ["get", "printf"]


def use_const(value: int) -> Op:
    """A use of a number."""
    return Op(None, "printf", (Const(value),), "out")


# -- common subexpressions


def test_equal_expressions_are_made_once() -> None:
    body = [
        arg(A),
        op(B, "add", A, Const(1)),
        op(C, "add", A, Const(1)),
        op(D, "add", A, Const(2)),
        use(B, C, D),
    ]
    assert names(*body) == ["sys_arg", "add", "add", "printf"]


def test_the_context_is_read_once() -> None:
    body = [arg(A), arg(B), arg(C, 1), use(A, B, C)]
    assert names(*body) == ["sys_arg", "sys_arg", "printf"]


@pytest.mark.parametrize(
    "make",
    [
        lambda dst: op(dst, "load", Const(64), attr=Load()),
        lambda dst: op(dst, "call", attr="ktime_ns"),
        lambda dst: op(dst, "call", attr="random_u32"),
    ],
)
def test_what_may_change_is_read_again(make: object) -> None:
    body = [make(A), make(B), use(A, B)]  # type: ignore[operator]
    assert len(names(*body)) == 3


def test_an_expression_of_one_branch_is_unknown_in_the_other() -> None:
    body = [
        arg(A),
        If(A, [op(B, "add", A, A), use(B)], [op(C, "add", A, A), use(C)]),
        op(D, "add", A, A),
        use(D),
    ]
    assert names(*body).count("add") == 3
    before = [
        arg(A),
        op(E, "add", A, A),
        If(A, [op(B, "add", A, A), use(B)], []),
        op(D, "add", A, A),
        use(D, E),
    ]
    assert names(*before).count("add") == 1


def test_loops_know_what_came_before_them() -> None:
    label = Label("l")
    turn = [op(B, "add", A, Const(1)), use(B), op(C, "add", A, Const(2)), use(C), If(B, [Leave(label)], [])]
    body = [arg(A), op(D, "add", A, Const(1)), use(D), Loop(label, turn), op(E, "add", A, Const(2)), use(E)]
    assert names(*body).count("add") == 3  # that before it, and one in and one behind it


def test_what_a_loop_assigns_again_is_not_one_value() -> None:
    label = Label("l")
    turn = [op(A, "add", A, Const(1)), op(B, "mul", A, A), use(B), If(B, [Leave(label)], [])]
    body = [op(A, "mov", Const(0)), op(C, "mul", A, A), use(C), Loop(label, turn)]
    assert names(*body).count("mul") == 2


# -- what globals are known to hold


def test_a_read_behind_an_addition_is_a_fetch_and_add() -> None:
    body = [op(None, "add_to", Const(1), attr=N), op(A, "get", attr=N), use(A), op(B, "get", attr=N), use(B)]
    left = simplify(body, {})
    assert names(*left) == ["add_fetch", "printf", "printf"]
    first = left[0]
    assert isinstance(first, Op)
    assert first.attr == (N, "new")
    assert all(isinstance(s, Op) and s.args == (first.dst,) for s in left[1:])


def test_two_branches_ask_for_the_sum_and_get_the_same() -> None:
    body = [
        arg(C),
        op(None, "add_to", C, attr=N),
        If(C, [op(A, "get", attr=N), use(A)], []),
        op(B, "get", attr=N),
        use(B),
    ]
    left = simplify(body, {})
    (added,) = [s for s in left if isinstance(s, Op) and s.name == "add_fetch"]
    inner = next(s for s in left if isinstance(s, If)).then[0]
    last = left[-1]
    assert isinstance(inner, Op) and isinstance(last, Op)
    assert inner.args == last.args == (added.dst,)


def test_an_addition_that_nobody_reads_stays_plain() -> None:
    assert names(op(None, "add_to", Const(1), attr=N)) == ["add_to"]


def test_a_read_behind_a_store_is_what_was_stored() -> None:
    body = [arg(C), op(None, "set", C, attr=N), op(A, "get", attr=N), use(A)]
    assert done(*body) == done(arg(C), op(None, "set", C, attr=N), use(C))


def test_two_reads_are_one() -> None:
    assert names(op(A, "get", attr=N), op(B, "get", attr=N), use(A, B)) == ["get", "printf"]


@pytest.mark.parametrize(
    "between",
    [
        [op(None, "add_to", Const(3), Const(1), attr=TABLE)],
        [op(None, "delete", Const(7), attr=TABLE)],
        [op(None, "clear", attr=TABLE)],
        [arg(E), If(E, [op(None, "set", Const(2), Const(9), attr=TABLE)], [])],
        [arg(E), Scope(Label("x"), [op(None, "set", E, Const(9), attr=TABLE)])],
        [Try([op(None, "set", Const(2), Const(9), attr=TABLE)], None, [])],
        [Call(None, Function("f", (), None, Label("f"), []), ())],
    ],
)
def test_a_write_between_makes_another_read(between: list[Stmt]) -> None:
    body = [op(A, "get", Const(2), attr=TABLE), *between, op(B, "get", Const(2), attr=TABLE), use(A, B)]
    assert names(*body).count("get") == 2
    other = [op(A, "get", attr=N), *between, op(B, "get", attr=N), use(A, B)]
    assert names(*other).count("get") == (2 if isinstance(between[0], Call) else 1)


def test_elements_are_known_by_their_keys() -> None:
    body = [
        arg(C),
        op(None, "set", C, Const(5), attr=TABLE),
        op(A, "get", C, attr=TABLE),
        op(B, "get", Const(1), attr=TABLE),
        use(A, B),
    ]
    assert names(*body) == ["sys_arg", "set", "get", "printf"]


def test_a_key_that_changes_names_another_element() -> None:
    body = [
        op(C, "mov", Const(1)),
        op(None, "set", C, Const(5), attr=TABLE),
        op(C, "mov", Const(2)),
        op(A, "get", C, attr=TABLE),
        use(A),
    ]
    assert "get" in names(*body)


def test_a_loop_s_next_turn_reads_again() -> None:
    label = Label("l")
    turn = [op(B, "get", attr=N), use(B), op(None, "add_to", Const(1), attr=N), If(B, [Leave(label)], [])]
    body = [op(A, "get", attr=N), use(A), Loop(label, turn), op(C, "get", attr=N), use(C)]
    assert names(*body).count("get") == 3
    walk = ForEach(TABLE, (D,), None, None, None, None, Label("f"), [op(B, "get", attr=N), use(B)])
    assert names(op(A, "get", attr=N), use(A), walk).count("get") == 1


def test_strings_are_not_followed() -> None:
    text = Global("s", (), "str")
    body = [op(None, "set", Text("x"), attr=text), op(S, "get", attr=text), use(S)]
    assert names(*body) == ["set", "get", "printf"]


# -- dead code


def test_what_nobody_uses_is_dropped() -> None:
    assert names(arg(A), op(B, "add", A, Const(1)), op(C, "mul", B, B), use(A)) == ["sys_arg", "printf"]
    assert names(op(A, "load", Const(8), attr=Load()), op(S, "call", attr="execname")) == []


@pytest.mark.parametrize(
    "kept",
    [
        op(A, "add_fetch", Const(1), attr=(N, "new")),
        op(A, "call", Text("x"), Text(" "), attr="tokenize"),
        op(None, "exit", Const(0)),
        op(None, "raise", Text("x")),
        op(None, "delete", attr=N),
    ],
)
def test_what_has_effects_is_kept(kept: Op) -> None:
    assert not is_pure(kept)
    assert effects(kept)
    assert len(sweep([kept])) == 1


def test_the_result_of_a_function_is_kept() -> None:
    body: list[Stmt] = [op(A, "mov", Const(3))]
    assert simplify(list(body), {}, A) != []
    assert simplify(list(body), {}) == []


def test_what_asks_for_a_fault_keeps_the_read() -> None:
    load = op(A, "load", Const(8), attr=Load(fault="capture"))
    assert len(sweep([load, Op(B, "fault_of", (), A), use(B)])) == 3
    assert len(sweep([load, use(B)])) == 1


def test_empty_control_is_dropped() -> None:
    label = Label("l")
    assert (
        names(arg(A), If(A, [op(B, "mov", A)], []), Scope(label, [Leave(label)]), Try([], None, [use(A)]))
        == []
    )
    assert names(Loop(label, [arg(A), If(A, [Leave(label)], [])])) == ["sys_arg"]  # it may never end


def test_what_stands_behind_a_leave_is_dropped() -> None:
    label = Label("l")
    assert (
        names(arg(A), If(A, [Scope(label, [use(A), Leave(label), use(A)]), use(A)], [])).count("printf") == 2
    )
