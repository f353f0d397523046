"""Statements of C -> IR."""

from __future__ import annotations

from ...btf import types as t
from ...ir.nodes import I64, STR, Const, Label, Local, Loop, Scope, Stmt
from .fold import constant
from .types import CHAR_T, TEXT, MadeArray
from .values import Variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .lower import Lower

    Node = Any


def compound(c: Lower, node: Node) -> None:
    """`{ ... }`."""
    c.scopes.append({})
    for item in node.block_items or ():
        c.stmt(item)
    c.scopes.pop()


def declaration(c: Lower, node: Node) -> None:
    """`type name = value;`."""
    span = c.span(node)
    if "static" in node.storage:
        raise c.refuse("a static variable", node, f"use a script global: global {node.name}")
    if "extern" in node.storage:
        c.library.variables[node.name] = c.types.of(node.type, span)
        return
    if node.name is None:
        c.types.of(node.type, span)
        return
    type = c.types.of(node.type, span)
    here = c.types.resolve(type)
    if isinstance(here, t.Array):
        variable = _array(c, node, here)
    elif isinstance(here, t.Composite):
        raise c.refuse("a struct as a variable", node, "use a pointer to the kernel's own")
    elif isinstance(here, t.Void):
        raise c.error("E160", f"the variable '{node.name}' can't be void", node)
    elif _is_char(c, here.type) if isinstance(here, t.Ptr) else False:
        text = node.name in c.texts
        variable = Variable(Local(node.name, STR if text else I64), TEXT if text else type)
    else:
        variable = Variable(Local(node.name, I64), type)
    if node.init is not None:
        value = c.expr(node.init)
        if variable.text and not value.is_text:
            c.b.mov(variable.local, c.text_of(value, node.init))
        else:
            operand, source = (
                (c.text_of(value, node.init), TEXT) if variable.text else c.scalar(value, node.init)
            )
            c.assign(variable, operand, source, node.init)
    c.scopes[-1][node.name] = variable


def _is_char(c: Lower, type: t.Type) -> bool:
    here = c.types.resolve(type)
    return isinstance(here, t.Int) and here.size == 1 and not here.is_bool


def _array(c: Lower, node: Node, here: t.Array) -> Variable:
    if not _is_char(c, here.type):
        raise c.refuse("an array as a variable", node, "arrays of char hold text; others are the kernel's")
    count = here.count
    if node.type.dim is None and node.init is not None and node.init.__class__.__name__ == "Constant":
        count = len(node.init.value) - 1
    elif node.type.dim is not None:
        count = constant(c.library, node.type.dim, c.tree)
    if count < 1:
        raise c.error("E160", f"the array '{node.name}' has no size", node)
    return Variable(Local(node.name, STR), MadeArray(CHAR_T, count), count)


def declarations(c: Lower, node: Node) -> None:
    """`int i = 0, j` in a `for`."""
    for decl in node.decls:
        declaration(c, decl)


def typedef(c: Lower, node: Node) -> None:
    """`typedef type name;`."""
    c.types.typedefs[node.name] = c.types.of(node.type, c.span(node))


def if_(c: Lower, node: Node) -> None:
    """`if (c) a else b`."""
    cond = c.truth(node.cond)
    then, els = c.b.branch(cond)
    before = c.b.into(then)
    if node.iftrue is not None:
        c.stmt(node.iftrue)
    c.b.into(els)
    if node.iffalse is not None:
        c.stmt(node.iffalse)
    c.b.into(before)


def _loop(c: Lower, write: Callable[[Label], None]) -> None:
    """Write a loop; `write` fills its body, given the label that ends it."""
    b = c.b
    end = Label("break")
    body: list[Stmt] = []
    b.out.append(Loop(end, body, b.span))
    before = b.into(body)
    saved = c.break_, c.continue_
    c.break_ = end
    write(end)
    c.break_, c.continue_ = saved
    b.into(before)


def _unless(c: Lower, cond: Node, end: Label) -> None:
    """Leave a loop unless the condition holds."""
    if cond is not None:
        c.b.leave_unless(c.truth(cond), end)


def _body(c: Lower, stmt: Node) -> None:
    """Write a loop's body, which `continue` ends."""
    b = c.b
    c.continue_ = Label("continue")
    inner: list[Stmt] = []
    b.out.append(Scope(c.continue_, inner, b.span))
    before = b.into(inner)
    c.stmt(stmt)
    b.into(before)


def while_(c: Lower, node: Node) -> None:
    """`while (c) a`."""

    def write(end: Label) -> None:
        _unless(c, node.cond, end)
        _body(c, node.stmt)

    _loop(c, write)


def do_while(c: Lower, node: Node) -> None:
    """`do a while (c);`."""

    def write(end: Label) -> None:
        _body(c, node.stmt)
        _unless(c, node.cond, end)

    _loop(c, write)


def for_(c: Lower, node: Node) -> None:
    """`for (a; b; c) d`."""
    c.scopes.append({})
    if node.init is not None:
        c.stmt(node.init)

    def write(end: Label) -> None:
        _unless(c, node.cond, end)
        _body(c, node.stmt)
        if node.next is not None:
            c.expr(node.next, used=False)

    _loop(c, write)
    c.scopes.pop()


def switch(c: Lower, node: Node) -> None:
    """`switch (v) { case 1: ... default: ... }`: the number of the first group to run is found, then they run."""
    items = (node.stmt.block_items or []) if node.stmt.__class__.__name__ == "Compound" else [node.stmt]
    groups = [item for item in items if item.__class__.__name__ in ("Case", "Default")]
    if len(groups) != len(items):
        raise c.refuse("statements in a switch before its first case", node)
    b = c.b
    value, _ = c.scalar(c.expr(node.cond), node.cond)
    value = b.copy(value)
    first = b.temp()
    default = next((n for n, g in enumerate(groups) if g.__class__.__name__ == "Default"), len(groups))
    b.mov(first, Const(default))
    for number, group in enumerate(groups):
        if group.__class__.__name__ == "Case":
            then, _ = b.branch(b.op("eq", (value, Const(constant(c.library, group.expr, c.tree)))))
            before = b.into(then)
            b.mov(first, Const(number))
            b.into(before)
    end = Label("switch")
    body: list[Stmt] = []
    b.out.append(Scope(end, body, b.span))
    before = b.into(body)
    saved, c.break_ = c.break_, end
    c.scopes.append({})
    for number, group in enumerate(groups):
        then, _ = b.branch(b.op("le", (first, Const(number))))
        outer = b.into(then)
        for item in group.stmts or ():
            c.stmt(item)
        b.into(outer)
    c.scopes.pop()
    c.break_ = saved
    b.into(before)


def break_(c: Lower, node: Node) -> None:
    """`break;`."""
    if c.break_ is None:
        raise c.error("E160", "break outside of a loop", node)
    c.b.leave(c.break_)


def continue_(c: Lower, node: Node) -> None:
    """`continue;`."""
    if c.continue_ is None:
        raise c.error("E160", "continue outside of a loop", node)
    c.b.leave(c.continue_)


def return_(c: Lower, node: Node) -> None:
    """`return;` of a body, `return value;` of a function in C."""
    if node.expr is not None:
        if c.result is None:
            if c.inside:
                raise c.error("E160", "a void function returns no value", node)
            raise c.refuse("return with a value", node, "STAP_RETURN(value) returns one")
        value = c.expr(node.expr)
        if c.result.text:
            c.b.mov(c.result.local, c.text_of(value, node.expr))
        else:
            c.assign(c.result, *c.scalar(value, node.expr), node.expr)
    c.b.leave(c.return_)


def label(c: Lower, node: Node) -> None:
    """`name: statement`; nothing goes there, as goto is refused."""
    c.stmt(node.stmt)


def nothing(c: Lower, node: Node) -> None:
    """`;`, and pragmas."""


STATEMENTS: dict[str, Callable[[Lower, Node], None]] = {
    "Compound": compound,
    "Decl": declaration,
    "DeclList": declarations,
    "Typedef": typedef,
    "If": if_,
    "While": while_,
    "DoWhile": do_while,
    "For": for_,
    "Switch": switch,
    "Break": break_,
    "Continue": continue_,
    "Return": return_,
    "Label": label,
    "EmptyStatement": nothing,
    "Pragma": nothing,
}
