"""Inlining: event handlers hold no calls, and the copies share nothing (R1)."""

from __future__ import annotations

from pystap.ir.nodes import (
    Call,
    Const,
    Event,
    Function,
    Global,
    Handler,
    If,
    Label,
    Leave,
    Local,
    Module,
    Op,
    Scope,
    Stmt,
)
from pystap.ir.verify import verify
from pystap.ir.walk import statements
from pystap.opt import optimise
from pystap.opt.inline import inline


def function(name: str, recursive: bool = False) -> Function:
    """`if (p > 3) return p * 2; result = unset + p`, where `unset` is never assigned before."""
    p, r, c, unset = (Local(n, "i64") for n in ("p", "r", "c", "unset"))
    label = Label(name)
    early: list[Stmt] = [Op(r, "mul", (p, Const(2))), Leave(label)]
    body: list[Stmt] = [
        Op(c, "gt", (p, Const(3))),
        If(c, early, []),
        Op(r, "add", (unset, p)),
        Op(unset, "mov", (Const(9),)),
    ]
    return Function(name, (p,), r, label, body, recursive)


def module(
    kind: str, *body: Stmt, functions: tuple[Function, ...] = (), globs: tuple[Global, ...] = ()
) -> Module:
    """A module with one handler."""
    handler = Handler(Event(kind, "x", {}), "x", Label("handler"), list(body))
    return Module("stp", list(globs), list(functions), [handler])


def calls(made: Module) -> list[Call]:
    """The calls of the handler."""
    return [s for s in statements(made.handlers[0].body) if isinstance(s, Call)]


A, B = Local("a", "i64"), Local("b", "i64")


def twice(func: Function) -> list[Stmt]:
    """Two calls whose results are printed."""
    return [
        Op(A, "sys_arg", (), 0),
        Call(A2, func, (A,)),
        Call(B, func, (Const(2),)),
        Op(None, "printf", (A2, B), None),
    ]


A2 = Local("a2", "i64")


def test_event_handlers_hold_no_calls() -> None:
    func = function("f")
    made = module("sys_enter", *twice(func), functions=(func,))
    inline(made)
    assert calls(made) == []
    scopes = [s for s in made.handlers[0].body if isinstance(s, Scope)]
    assert len(scopes) == 2
    one, two = ({s.dst for s in statements([x]) if isinstance(s, Op)} for x in scopes)
    assert not one & two  # locals of their own
    assert scopes[0].label is not scopes[1].label is not func.label
    leaves = [s.label for s in statements([scopes[0]]) if isinstance(s, Leave)]
    assert leaves == [scopes[0].label]


def test_the_function_itself_is_left_alone() -> None:
    func = function("f")
    before = [id(s) for s in statements(func.body)]
    made = module("sys_enter", *twice(func), functions=(func,))
    inline(made)
    assert [id(s) for s in statements(func.body)] == before


def test_a_local_that_may_be_read_unset_is_cleared_at_every_call() -> None:
    func = function("f")
    made = module("sys_enter", *twice(func), functions=(func,))
    inline(made)
    for scope in (s for s in made.handlers[0].body if isinstance(s, Scope)):
        cleared = {
            s.dst.name
            for s in scope.body
            if isinstance(s, Op) and s.name == "mov" and s.dst is not None and s.args[0] == Const(0)
        } | {
            s.dst.name for s in scope.body[:4] if isinstance(s, Op) and s.dst is not None and s.name == "mov"
        }
        assert {"p", "unset", "r"} <= cleared


def test_functions_in_functions() -> None:
    inner, x = function("g"), Local("x", "i64")
    outer = Function("f", (x,), x, Label("f"), [Call(x, inner, (x,))])
    made = module(
        "sys_enter", Call(A, outer, (Const(1),)), Op(None, "printf", (A,), None), functions=(outer, inner)
    )
    inline(made)
    assert calls(made) == []


def test_calls_inside_control() -> None:
    func = function("f")
    made = module("sys_enter", If(A, [Call(B, func, (A,))], [Call(B, func, (A,))]), functions=(func,))
    inline(made)
    assert calls(made) == []


def test_recursive_functions_and_user_handlers_keep_their_calls() -> None:
    again = function("f", recursive=True)
    made = module("sys_enter", *twice(again), functions=(again,))
    inline(made)
    assert len(calls(made)) == 2
    user = module("begin", *twice(function("f")))
    inline(user)
    assert len(calls(user)) == 2


def test_arguments_are_folded_into_the_copy() -> None:
    func = function("f")
    body: list[Stmt] = [Call(B, func, (Const(5),)), Op(None, "raise", (B,), None)]
    made = module("sys_enter", *body, functions=(func,))
    optimise(made)
    left = [s.name for s in statements(made.handlers[0].body) if isinstance(s, Op)]
    assert "gt" not in left
    assert "add" not in left


def test_globals_are_constants_only_if_nobody_writes_them() -> None:
    for name, attr, args in (
        ("set", None, (Const(1),)),
        ("add_fetch", "new", (Const(1),)),
        ("delete", None, ()),
        ("clear", None, ()),
    ):
        glob = Global("g", (), "i64", initial=7)
        write = Op(None if attr is None else B, name, args, glob if attr is None else (glob, attr))
        read: list[Stmt] = [Op(A, "get", (), glob), Op(None, "exit", (A,), None)]
        other = Handler(Event("begin", "", {}), "begin", Label("b"), [write])
        made = module("sys_enter", *read, globs=(glob,))
        made.handlers.append(other)
        optimise(made)
        assert any(isinstance(s, Op) and s.name == "get" for s in made.handlers[0].body), name
    alone = module("sys_enter", Op(A, "get", (), glob), Op(None, "exit", (A,), None), globs=(glob,))
    optimise(alone)
    (left,) = alone.handlers[0].body
    assert isinstance(left, Op)
    (value,) = left.args
    assert isinstance(value, Const)
    assert value.value == 7


def test_what_comes_out_is_well_formed() -> None:
    func = function("f")
    body: list[Stmt] = [Op(A, "sys_arg", (), 0), Call(A2, func, (A,)), Op(None, "exit", (A2,), None)]
    made = module("sys_enter", *body, functions=(func,))
    optimise(made)
    assert verify(made) == []
