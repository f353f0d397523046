"""Structured control: every way to leave every construct, against a plain interpreter."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from user_kit import Interpreter, Machine, function

from pystap.diag import CompileError
from pystap.ir.format import Directive, Format
from pystap.ir.nodes import Const, ForEach, Global, If, Label, Leave, Local, Loop, Op, Scope, Stmt, Text, Try

TRACE = Format((Directive("d"), ";"))


def say(value: int | Local) -> Op:
    """Print a number."""
    return Op(None, "printf", (Const(value) if isinstance(value, int) else value,), TRACE)


class Maker:
    """Draws bodies. Conditions test the parameter's bits and counters, so that runs differ."""

    def __init__(self, draw: st.DrawFn, array: Global) -> None:
        self.draw = draw
        self.array = array
        self.serial = 0
        self.param = Local("p", "i64")
        self.vars = [Local(f"x{i}", "i64") for i in range(3)]

    def number(self) -> int:
        self.serial += 1
        return self.serial

    def block(self, labels: list[Label], depth: int, least: int = 0) -> list[Stmt]:
        out: list[Stmt] = []
        for _ in range(self.draw(st.integers(least, 4))):
            out += self.statement(labels, depth)
        return out

    def condition(self) -> tuple[list[Stmt], Local]:
        test = Local("c", "i64")
        if self.draw(st.booleans()):
            return [Op(test, "and", (self.param, Const(1 << self.draw(st.integers(0, 7)))))], test
        var = self.draw(st.sampled_from(self.vars))
        return [Op(test, "lt", (var, Const(self.draw(st.integers(-1, 4)))))], test

    def statement(self, labels: list[Label], depth: int) -> list[Stmt]:
        kinds = ["say", "add", "leave", "read"]
        if depth:
            kinds += ["if", "if", "scope", "scope", "loop", "foreach", "try"]
        kind = self.draw(st.sampled_from(kinds))
        if kind == "say":
            return [say(self.number())]
        if kind == "read":
            return [say(self.draw(st.sampled_from(self.vars)))]
        if kind == "add":
            var = self.draw(st.sampled_from(self.vars))
            return [Op(var, "add", (var, Const(1)))]
        if kind == "leave":
            return [Leave(self.draw(st.sampled_from(labels)))]
        if kind == "if":
            before, test = self.condition()
            return [*before, If(test, self.block(labels, depth - 1), self.block(labels, depth - 1))]
        label = Label("l")
        inner = [*labels, label]
        if kind == "scope":
            return [Scope(label, self.block(inner, depth - 1))]
        if kind == "loop":
            return self.loop(label, inner, depth)
        if kind == "foreach":
            key = Local("k", "i64")
            body = [say(key), *self.block(inner, depth - 1)]
            return [ForEach(self.array, (key,), None, None, None, None, label, body)]
        message = Local("m", "str")
        body = self.block(labels, depth - 1)
        if self.draw(st.booleans()):
            body.append(Op(None, "raise", (Text("oh"),)))
        return [Try(body, message, [say(self.number()), *self.block(labels, depth - 1)])]

    def loop(self, label: Label, inner: list[Label], depth: int) -> list[Stmt]:
        """`for (i = 0; i < n; i++) { scope { ... } }`, as sema writes it, so that it ends."""
        i, test, scope = Local("i", "i64"), Local("t", "i64"), Label("c")
        return [
            Op(i, "mov", (Const(0),)),
            Loop(
                label,
                [
                    Op(test, "lt", (i, Const(self.draw(st.integers(0, 3))))),
                    If(test, [], [Leave(label)]),
                    Op(i, "add", (i, Const(1))),
                    Scope(scope, self.block([*inner, scope], depth - 1)),
                    *([say(i)] if self.draw(st.booleans()) else []),
                ],
            ),
        ]


@st.composite
def programs(draw: st.DrawFn) -> tuple[list[Stmt], Local, Label, Global]:
    array = Global("a", ("i64",), "i64")
    maker = Maker(draw, array)
    label = Label("end")
    return maker.block([label], 4, least=2), maker.param, label, array


@given(program=programs(), params=st.lists(st.integers(0, 255), min_size=1, max_size=4))
@settings(deadline=None)
def test_control_as_the_interpreter_does_it(
    program: tuple[list[Stmt], Local, Label, Global], params: list[int]
) -> None:
    body, param, label, array = program
    machine = Machine([function(body, (param,), None, label)], [array])
    machine.value(0).update({5: 0, 7: 0})
    for value in params:
        interpreter = Interpreter({array: {5: 0, 7: 0}})
        interpreter.locals[param] = value
        expected = interpreter.run(body, label)
        before = len(machine.text)
        machine.call("f", value)
        assert machine.text[before:] == "".join(f"{v};" for v in expected)


def test_a_local_that_no_path_assigned_is_empty() -> None:
    p, n, s = Local("p", "i64"), Local("n", "i64"), Local("s", "str")
    show = Op(None, "printf", (n, s), Format((Directive("d"), "[", Directive("s"), "]")))
    body: list[Stmt] = [If(p, [Op(n, "mov", (Const(3),)), Op(s, "mov", (Text("x"),))], []), show]
    machine = Machine([function(body, (p,))])
    machine.call("f", 0)
    machine.call("f", 1)
    assert machine.text == "0[]3[x]"


def test_a_result_that_an_early_leave_did_not_set_is_empty() -> None:
    p, r, end = Local("p", "i64"), Local("r", "i64"), Label("end")
    body: list[Stmt] = [If(p, [Leave(end)], [Op(r, "mov", (Const(4),))])]
    machine = Machine([function(body, (p,), r, end)])
    assert (machine.call("f", 1), machine.call("f", 0)) == (0, 4)


def test_long_chains_of_else_if_stay_flat() -> None:
    p = Local("p", "i64")
    body: list[Stmt] = [say(999)]
    for n in range(150, 0, -1):
        test = Local("t", "i64")
        body = [Op(test, "eq", (p, Const(n))), If(test, [say(n)], body)]
    machine = Machine([function(body, (p,))])
    for n in (1, 77, 150, 151):
        machine.call("f", n)
    assert machine.text == "1;77;150;999;"


def test_many_guards_in_a_row() -> None:
    p, end = Local("p", "i64"), Label("end")
    inner: list[Stmt] = []
    scope = Label("s")
    for n in range(200):
        test = Local("t", "i64")
        inner += [Op(test, "eq", (p, Const(n))), If(test, [say(n), Leave(scope)], [])]
    machine = Machine([function([Scope(scope, [*inner, say(500)]), say(600)], (p,), None, end)])
    machine.call("f", 150)
    machine.call("f", 1000)
    assert machine.text == "150;600;500;600;"


def test_loops_are_counted_against_the_limit() -> None:
    label, end = Label("l"), Label("end")
    body: list[Stmt] = [Loop(label, [say(1)])]
    machine = Machine([function(body, (), None, end)], max_action=5)
    message = Local("m", "str")
    guarded: list[Stmt] = [
        Try(body, message, [Op(None, "printf", (message,), Format((Directive("s"),)))]),
    ]
    machine = Machine([function(guarded, (), None, end)], max_action=5)
    machine.call("f")
    assert machine.text.startswith("1;1;1;1;1;MAXACTION exceeded")
    assert machine.text.count("1;") == 5


def test_catch_gets_the_message_without_its_place() -> None:
    from pystap.source import Source

    span = Source("x.stp", 'error("oh")').span(0, 11)
    message = Local("m", "str")
    body: list[Stmt] = [
        Try(
            [Op(None, "raise", (Text("oh"),), None, span)],
            message,
            [Op(None, "printf", (message,), Format((Directive("s"),)))],
        )
    ]
    machine = Machine([function(body)])
    machine.call("f")
    assert machine.text == "oh"


def test_recursion_without_end_is_the_scripts_error() -> None:
    from pystap.ir.nodes import Call, Function

    label, message = Label("r"), Local("m", "str")
    recursive = Function("again", (), None, label, [], True)
    recursive.body.append(Call(None, recursive, ()))
    body: list[Stmt] = [
        Try([Call(None, recursive, ())], message, [Op(None, "printf", (message,), Format((Directive("s"),)))])
    ]
    again = function(recursive.body, (), None, label, "again", "function")
    machine = Machine([again, function(body, name="main")])
    machine.call("main")
    assert "MAXNESTING exceeded" in machine.text


def test_recursion_without_end_is_near_the_innermost_call() -> None:
    from pystap.ir.nodes import Call, Function
    from pystap.runtime.errors import too_deep
    from pystap.source import Source, Span

    script = Source("it's\n.stp", "probe begin { again() }\nfunction again() { again() }")
    label, at = Label("r"), [i for i in range(len(script.text)) if script.text.startswith("again()", i)]
    recursive = Function("again", (), None, label, [], True)
    recursive.body.append(Call(None, recursive, (), Span(script, at[2], at[2] + 7)))
    again = function(recursive.body, (), None, label, "again", "function")
    machine = Machine(
        [again, function([Call(None, recursive, (), Span(script, at[0], at[0] + 7))], name="main")]
    )
    with pytest.raises(RecursionError) as caught:
        machine.call("main")
    error = too_deep(caught.value, machine.program.source)
    assert str(error) == "MAXNESTING exceeded near identifier 'again' at it's\n.stp:2:20"


def nested(kind: str, depth: int) -> list[Stmt]:
    """say(1) inside so many constructs."""
    body: list[Stmt] = [say(1)]
    for _ in range(depth):
        test, label = Local("t", "i64"), Label("l")
        if kind == "if":
            body = [Op(test, "mov", (Const(1),)), If(test, [say(0), *body], [])]
        elif kind == "loop":
            body = [Loop(label, [*body, Leave(label)])]
        else:
            body = [Try(body, None, [])]
    return body


@pytest.mark.parametrize(("kind", "depth"), [("if", 80), ("loop", 17), ("try", 17)])
def test_what_python_cannot_nest_is_said(kind: str, depth: int) -> None:
    machine = Machine([function(nested(kind, depth))])
    machine.call("f")
    assert machine.text.endswith("1;")
    with pytest.raises(CompileError, match="not supported yet"):
        Machine([function(nested(kind, depth + 20))])
