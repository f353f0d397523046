"""Statements -> IR."""

from __future__ import annotations

from ...ir.nodes import I64, Const, ForEach, Label, Local, Loop, Op, Scope, Sort, Try
from ...lang.stp import ast
from .embedded import body as embedded
from .lower_assign import assign, inc_dec
from .lower_expr import array, stat_keys
from .symbols import Var

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...ir.nodes import Stmt
    from ...source import Span
    from ..build import Operand
    from .lower import Lower

LOG_BUCKETS = 128


def block(lo: Lower, s: ast.Block) -> None:
    """`{ ... }`."""
    for inner in s.body:
        lo.stmt(inner)


def nothing(lo: Lower, s: ast.Stmt) -> None:
    """`;`."""


def expression(lo: Lower, s: ast.ExprStmt) -> None:
    """An expression whose value nobody wants."""
    effect(lo, s.expr)


def effect(lo: Lower, e: ast.Expr) -> None:
    """Write an expression for its effect."""
    if isinstance(e, ast.Assign):
        assign(lo, e, False)
    elif isinstance(e, ast.IncDec):
        inc_dec(lo, e, False)
    else:
        lo.value(e)


def if_(lo: Lower, s: ast.If) -> None:
    """`if`; a branch that was ruled out is left out."""
    known = lo.body.notes.get(s)
    if known is not None:
        if known:
            lo.stmt(s.then)
        elif s.other is not None:
            lo.stmt(s.other)
        return
    cond = lo.expr(s.cond)
    b = lo.b
    then, els = b.branch(cond)
    before = b.into(then)
    lo.stmt(s.then)
    if s.other is not None:
        b.into(els)
        lo.stmt(s.other)
    b.into(before)


def while_(lo: Lower, s: ast.While) -> None:
    """`while`."""
    _loop(lo, s.cond, s.body, None, s.span)


def for_(lo: Lower, s: ast.For) -> None:
    """`for`."""
    if s.init is not None:
        effect(lo, s.init)
    _loop(lo, s.cond, s.body, s.update, s.span)


def _loop(lo: Lower, cond: ast.Expr | None, body: ast.Stmt, update: ast.Expr | None, span: Span) -> None:
    b = lo.b
    label = Label("loop")
    inner: list[Stmt] = []
    before = b.into(inner)
    if cond is not None:
        b.leave_unless(lo.expr(cond), label, cond.span)
    _body(lo, body, label)
    if update is not None:
        effect(lo, update)
    b.into(before)
    b.out.append(Loop(label, inner, span))


def _body(lo: Lower, body: ast.Stmt, outer: Label) -> None:
    """Write the body of a loop: `break` leaves `outer`, `continue` a scope around the body."""
    saved = lo.break_label, lo.continue_label
    lo.break_label = outer
    if any(isinstance(n, ast.Continue) for n in ast.walk(body)):
        turn = lo.continue_label = Label("turn")
        inner: list[Stmt] = []
        before = lo.b.into(inner)
        lo.stmt(body)
        lo.b.into(before)
        lo.b.out.append(Scope(turn, inner, body.span))
    else:
        lo.stmt(body)
    lo.break_label, lo.continue_label = saved


def break_(lo: Lower, s: ast.Break) -> None:
    """`break`."""
    assert lo.break_label is not None
    lo.b.leave(lo.break_label)


def continue_(lo: Lower, s: ast.Continue) -> None:
    """`continue`."""
    assert lo.continue_label is not None
    lo.b.leave(lo.continue_label)


def next_(lo: Lower, s: ast.Next) -> None:
    """`next`: ends the handler; in a function it goes to the next overload."""
    lo.b.leave(lo.next_label)


def return_(lo: Lower, s: ast.Return) -> None:
    """`return`."""
    assert lo.function is not None and lo.function.ir is not None
    made = lo.function.ir
    if s.value is not None:
        value = lo.expr(s.value)
        if made.result is not None:
            lo.b.mov(made.result, value)
    lo.b.leave(made.label)


def try_(lo: Lower, s: ast.Try) -> None:
    """`try ... catch`."""
    b = lo.b
    body: list[Stmt] = []
    handler: list[Stmt] = []
    before = b.into(body)
    lo.stmt(s.body)
    b.into(handler)
    message = None
    if s.var is not None:
        message, after = _binding(lo, s.var)
        b.out += after
    lo.stmt(s.handler)
    b.into(before)
    b.out.append(Try(body, message, handler, s.span))


def _binding(lo: Lower, name: ast.Name) -> tuple[Local, list[Stmt]]:
    """Return the local that receives a value for a variable, and what passes it on where that is a global."""
    var = lo.symbol(name)
    if isinstance(var, Var):
        return lo.local(var), []
    assert var.ir is not None
    local = Local(name.name, var.ir.value)
    return local, [Op(None, "set", (local,), var.ir, name.span)]


def foreach(lo: Lower, s: ast.Foreach) -> None:
    """`foreach`."""
    if isinstance(s.array, ast.HistOp):
        _buckets(lo, s)
        return
    glob = array(lo, s.array).ir
    assert glob is not None
    b = lo.b
    limit = None if s.limit is None else lo.expr(s.limit)
    cut: tuple[Operand | None, ...] | None = None
    if s.slice is not None:
        given = iter(lo.exprs([k for k in s.slice if k is not None]))
        cut = tuple(None if k is None else next(given) for k in s.slice)
    body: list[Stmt] = []
    keys = []
    for key in s.keys:
        local, after = _binding(lo, key)
        keys.append(local)
        body += after
    value = None
    if s.value is not None and glob.value == "stat":
        words = f"the elements of '{glob.name}' are statistics, which have no value of their own"
        lo.unit.bag.error("E215", words, s.value.span, "use @count(array[key]), @sum, ... in the body")
    elif s.value is not None:
        value, after = _binding(lo, s.value)
        body += after
    label = Label("foreach")
    before = b.into(body)
    _body(lo, s.body, label)
    b.into(before)
    b.out.append(
        ForEach(glob, tuple(keys), value, _sort(s.sort, glob.value), limit, cut, label, body, s.span)
    )


def _sort(sort: ast.Sort | None, value: str) -> Sort | None:
    if sort is None:
        return None
    by: object = sort.by
    if sort.by == "key":
        by = ("key", sort.key)
    elif sort.by == "value":
        by = ("stat", "count") if value == "stat" else "value"
    else:
        by = ("stat", sort.by[1:])
    return Sort(by, sort.direction < 0)


def _buckets(lo: Lower, s: ast.Foreach) -> None:
    """`foreach (b in @hist_...(x))`: over the buckets' numbers."""
    assert isinstance(s.array, ast.HistOp)
    hist = s.array
    b = lo.b
    glob, own = stat_keys(lo, hist.stat)
    if hist.op == "@hist_log":
        count = LOG_BUCKETS
    else:
        low, high, step = hist.params
        count = (high - low) // step + 3
    number = Local("bucket", I64)
    b.mov(number, Const(-1))
    label = Label("buckets")
    body: list[Stmt] = []
    before = b.into(body)
    b.mov(number, b.op("add", (number, Const(1))))
    b.leave_unless(b.op("lt", (number, Const(count))), label)
    local, after = _binding(lo, s.keys[0])
    b.mov(local, number)
    b.out += after
    if s.value is not None:
        local, after = _binding(lo, s.value)
        b.mov(local, b.op("hist_bucket", (*own, number), (glob.ir, hist.op[6:], hist.params)))
        b.out += after
    _body(lo, s.body, label)
    b.into(before)
    b.out.append(Loop(label, body, s.span))


def delete(lo: Lower, s: ast.Delete) -> None:
    """`delete`: a scalar becomes 0 or "", an array empty."""
    node = s.target
    b = lo.b
    if isinstance(node, ast.Name):
        glob = array(lo, node).ir
        if glob is None:
            return  # nothing ever uses it
        b.do("clear" if glob.keys else "delete", (), glob)
        return
    assert isinstance(node, ast.Index) and isinstance(node.base, ast.Name)
    glob = array(lo, node.base).ir
    keys = lo.exprs([k for k in node.keys if k is not None])
    if glob is None:
        return
    if None not in node.keys:
        b.do("delete", tuple(keys), glob)
    elif not keys:
        b.do("clear", (), glob)
    else:
        b.do("delete_slice", tuple(keys), (glob, tuple(k is not None for k in node.keys)))


TABLE: dict[type, Any] = {
    ast.Block: block,
    ast.Empty: nothing,
    ast.ExprStmt: expression,
    ast.If: if_,
    ast.While: while_,
    ast.For: for_,
    ast.Foreach: foreach,
    ast.Break: break_,
    ast.Continue: continue_,
    ast.Next: next_,
    ast.Return: return_,
    ast.Try: try_,
    ast.Delete: delete,
    ast.EmbeddedStmt: embedded,
}
