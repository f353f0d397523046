"""The verifier finds what is wrong with a module, and nothing in one that is right; the printer shows all of it."""

from __future__ import annotations

import pytest

from pystap.ir.format import Directive, Format
from pystap.ir.nodes import (
    Call,
    Const,
    Event,
    ForEach,
    Function,
    Global,
    Handler,
    If,
    Label,
    Leave,
    Local,
    Loop,
    Module,
    Op,
    Scope,
    Stat,
    Stmt,
    Text,
    Try,
)
from pystap.ir.ops import Load
from pystap.ir.printer import module_text
from pystap.ir.verify import verify

SCALAR = Global("n", (), "i64")
ARRAY = Global("a", ("str", "i64"), "str")
STATS = Global("s", ("i64",), "stat", stat=Stat(frozenset({"count"})))
STRANGER = Global("other", (), "i64")
X = Local("x", "i64")
S = Local("s", "str")
FUNCTION = Function("f", (Local("p", "str"),), Local("r", "i64"), Label("f"), [])
OUTSIDE = Label("outside")


def problems(*body: Stmt) -> list[str]:
    """Return what is wrong with a module of one handler."""
    handler = Handler(Event("begin"), "begin", Label("h"), list(body))
    return verify(Module("stp", [SCALAR, ARRAY, STATS], [FUNCTION], [handler]))


RIGHT: list[Stmt] = [
    Op(X, "mov", (Const(3),)),
    Op(X, "add", (X, Const(-1))),
    Op(S, "get", (Text("k"), X), ARRAY),
    Op(None, "set", (S, Const(1), S), ARRAY),
    Op(None, "add_to", (X,), SCALAR),
    Op(X, "add_fetch", (X,), (SCALAR, "old")),
    Op(None, "push", (X, X), STATS),
    Op(X, "stat", (X,), (STATS, "count", ())),
    Op(None, "delete_slice", (S,), (ARRAY, (True, False))),
    Op(None, "clear", (), ARRAY),
    Op(None, "printf", (Const(5), S), Format((Directive("s", width="*"), "\n"))),
    Op(X, "load", (X,), Load(8, 4)),
    Op(S, "call", (), "execname"),
    Call(X, FUNCTION, (S,)),
    ForEach(ARRAY, (S, X), None, None, Const(3), (Text("a"), None), Label("e"), []),
    Try([Op(None, "raise", (S,))], S, []),
]


def test_right() -> None:
    assert problems(*RIGHT) == []


@pytest.mark.parametrize(
    "stmt, words",
    [
        (Op(X, "nonsense", ()), "unknown operation"),
        (Op(X, "add", (X,)), "takes 2 operands"),
        (Op(X, "add", (X, S)), "str where i64"),
        (Op(S, "add", (X, X)), "i64 is needed"),
        (Op(S, "mov", (X,)), "mov of i64 to str"),
        (Op(X, "mov", (Const(1 << 63),)), "constant"),
        (Op(S, "mov", (Text("é\u20ac"),)), "not bytes"),
        (Op(S, "mov", (Text("a\0"),)), "not bytes"),
        (Op(X, "get", (S,), ARRAY), "takes 2 operands"),
        (Op(S, "get", (X, X), ARRAY), "i64 where str"),
        (Op(X, "get", (S, X), ARRAY), "a is str"),
        (Op(None, "set", (S, X, X), ARRAY), "i64 where str"),
        (Op(X, "get", (), STRANGER), "not a global of the module"),
        (Op(X, "get", (), None), "no global"),
        (Op(None, "push", (X,), SCALAR), "push of n"),
        (Op(X, "get", (X,), STATS), "get of s"),
        (Op(X, "call", (), "no_such_builtin"), "unknown builtin"),
        (Op(X, "call", (X,), "execname"), "takes 0 operands"),
        (Op(None, "printf", (X,), Format(("x",))), "takes 0 operands, 1 given"),
        (Op(None, "printf", (X,), Format((Directive("s"),))), "i64 where str"),
        (Op(None, "printf", (), None), "no format"),
        (Op(X, "load", (X,), None), "has no Load"),
        (Op(X, "load", (X,), Load(0, 3)), "load of 3 bytes"),
        (Op(X, "exit", (X,)), "has no result"),
        (If(S, [], []), "str where i64"),
        (Leave(OUTSIDE), "isn't around it"),
        (Scope(Label("s"), [Loop(Label("l"), [Leave(OUTSIDE)])]), "isn't around it"),
        (Call(None, FUNCTION, ()), "takes 1 operands"),
        (Call(S, FUNCTION, (S,)), "str where i64"),
        (Call(None, Function("g", (), None, Label("g"), []), ()), "isn't in the module"),
        (ForEach(ARRAY, (X,), None, None, None, None, Label("e"), []), "1 keys of a"),
        (ForEach(ARRAY, (), None, None, S, None, Label("e"), []), "str where i64"),
        (ForEach(ARRAY, (), None, None, None, (X, X), Label("e"), []), "i64 where str"),
        (ForEach(STATS, (), Local("v", "stat"), None, None, None, Label("e"), []), "is an aggregate"),
        (Try([], X, []), "i64 where str"),
    ],
)
def test_wrong(stmt: Stmt, words: str) -> None:
    found = problems(stmt)
    assert len(found) >= 1
    assert any(words in line for line in found), found


def test_locals_belong_to_one_body() -> None:
    handlers = [Handler(Event("begin"), "begin", Label("h"), [Op(X, "mov", (Const(1),))]) for _ in range(2)]
    assert "belongs to" in verify(Module("stp", [], [], handlers))[0]


def test_printer_names_what_is_alike_apart() -> None:
    one, two = Local("x", "i64"), Local("x", "i64")
    body: list[Stmt] = [Op(one, "mov", (Const(1),)), Op(two, "mov", (one,)), Loop(Label("x"), [])]
    text = module_text(Module("stp", [], [], [Handler(Event("tp_btf", "t"), "p", Label("h"), body)]))
    assert text == "handler p  (tp_btf t)\n    x = 1\n    x.2 = x\n    loop x.3\n"
