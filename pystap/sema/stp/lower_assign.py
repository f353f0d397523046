"""Assignments -> IR. With `used` False nobody wants the value, so that a global need not be read back."""

from __future__ import annotations

from ...ir.nodes import STR, Const, Local
from ...lang.stp import ast
from ..build import wrap
from .lower_expr import ARITHMETIC, array
from .symbols import Var

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...ir.nodes import Global
    from ..build import Operand
    from .lower import Lower


def assign(lo: Lower, e: ast.Assign, used: bool = True) -> Operand:
    """`target op value`."""
    if isinstance(e.target, ast.Name):
        var = lo.symbol(e.target)
        if isinstance(var, Var):
            return _to_local(lo, e, lo.local(var))
        assert var.ir is not None
        return _to_global(lo, e, var.ir, [], used)
    assert isinstance(e.target, ast.Index) and isinstance(e.target.base, ast.Name)
    glob = array(lo, e.target.base).ir
    assert glob is not None
    return _to_global(lo, e, glob, [k for k in e.target.keys if k is not None], used)


def _to_local(lo: Lower, e: ast.Assign, local: Local) -> Operand:
    value = lo.expr(e.value)
    b = lo.b
    if e.op == "=":
        b.mov(local, value)
    elif e.op == ".=":
        b.mov(local, b.op("concat", (local, value), None, STR))
    else:
        b.mov(local, b.op(ARITHMETIC[e.op[:-1]], (local, value)))
    return local


def _to_global(lo: Lower, e: ast.Assign, glob: Global, nodes: list[ast.Expr], used: bool) -> Operand:
    *keys, value = lo.exprs([*nodes, e.value])
    b = lo.b
    op = e.op
    if op == "=":
        b.do("set", (*keys, value), glob)
        return value
    if op == "<<<":
        b.do("push", (*keys, value), glob)
        return value
    if op in ("+=", "-="):
        if op == "-=":
            value = Const(wrap(-value.value)) if isinstance(value, Const) else b.op("neg", (value,))
        return _add(lo, glob, keys, value, used, "new")
    old = b.op("get", tuple(keys), glob, glob.value)
    if op == ".=":
        new = b.op("concat", (old, value), None, STR)
    else:
        new = b.op(ARITHMETIC[op[:-1]], (old, value))
    b.do("set", (*keys, new), glob)
    return new


def _add(lo: Lower, glob: Global, keys: list[Operand], value: Operand, used: bool, which: str) -> Operand:
    if used:
        return lo.b.op("add_fetch", (*keys, value), (glob, which))
    lo.b.do("add_to", (*keys, value), glob)
    return Const(0)


def inc_dec(lo: Lower, e: ast.IncDec, used: bool = True) -> Operand:
    """`++x`, `x--`, ...."""
    step = Const(1 if e.op == "++" else -1)
    b = lo.b
    if isinstance(e.target, ast.Name):
        var = lo.symbol(e.target)
        if isinstance(var, Var):
            local = lo.local(var)
            old = b.copy(local) if used and not e.prefix else local
            b.mov(local, b.op("add", (local, step)))
            return old
        assert var.ir is not None
        return _add(lo, var.ir, [], step, used, "new" if e.prefix else "old")
    assert isinstance(e.target, ast.Index) and isinstance(e.target.base, ast.Name)
    glob = array(lo, e.target.base).ir
    assert glob is not None
    keys = lo.exprs([k for k in e.target.keys if k is not None])
    return _add(lo, glob, keys, step, used, "new" if e.prefix else "old")


TABLE: dict[type, Any] = {ast.Assign: assign, ast.IncDec: inc_dec}
