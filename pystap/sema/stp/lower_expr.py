"""Operators, variables and elements -> IR."""

from __future__ import annotations

from ...ir.nodes import STAT, STR, Const, ForEach, Label, Op, Text
from ...lang.stp import ast
from ..build import latin, wrap
from ..paths import Place
from .check_expr import COMPARISONS
from .embedded import expression as embedded
from .symbols import Var

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...ir.nodes import Stmt
    from ...source import Span
    from ..build import Operand
    from .lower import Lower, Value
    from .symbols import GlobalVar

ARITHMETIC = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "sdiv_or_error",
    "%": "smod_or_error",
    "&": "and",
    "|": "or",
    "^": "xor",
    "<<": "shl",
    ">>": "sar",
    ">>>": "shr",
}
_COMPARE = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_UNARY = {"-": "neg", "~": "not", "!": "lnot"}
_TRUTH = frozenset(("eq", "ne", "lt", "le", "gt", "ge", "lnot", "has", "str_eq", "str_ne", "ult", "ule"))


def number(lo: Lower, e: ast.Number) -> Operand:
    """A literal."""
    return Const(wrap(e.value))


def string(lo: Lower, e: ast.String) -> Operand:
    """A literal: it ends at a NUL, as C's, and has no more bytes than a string has room for."""
    return Text(latin(e.value).partition("\0")[0][: lo.unit.options.maxstringlen - 1])


# Globals of SystemTap's library that scripts read: what vm_fault_contains() takes.
CONSTANTS = {
    "VM_FAULT_OOM": 0,
    "VM_FAULT_SIGBUS": 1,
    "VM_FAULT_MINOR": 2,
    "VM_FAULT_MAJOR": 3,
    "VM_FAULT_NOPAGE": 4,
    "VM_FAULT_LOCKED": 5,
    "VM_FAULT_ERROR": 6,
}


def name(lo: Lower, e: ast.Name) -> Value:
    """A variable that is read."""
    var = lo.symbol(e)
    if isinstance(var, Var):
        bound = lo.bound.get(var)
        if bound is not None:
            return bound
        if not var.assigned:  # of which there was a warning
            return Text("") if var.type.find().kind == "string" else Const(CONSTANTS.get(var.name, 0))
        return lo.local(var)
    return element(lo, var, (), e.span)


def array(lo: Lower, node: ast.Name) -> GlobalVar:
    """The global that an array access names."""
    var = lo.symbol(node)
    assert not isinstance(var, Var)
    return var


def index(lo: Lower, e: ast.Index) -> Operand:
    """An element that is read, or the count of a bucket."""
    if isinstance(e.base, ast.HistOp):
        return bucket(lo, e.base, [k for k in e.keys if k is not None])
    var = array(lo, e.base)
    keys = lo.exprs([k for k in e.keys if k is not None])
    return element(lo, var, tuple(keys), e.span)


def element(lo: Lower, var: GlobalVar, keys: tuple[Operand, ...], span: Span) -> Operand:
    """Read a scalar or an element; a statistic has no value of its own."""
    glob = var.ir
    assert glob is not None
    if glob.value == STAT:
        lo.unit.bag.error(
            "E215", f"the statistic '{var.name}' has no value of its own", span, "use @count, @sum, @avg, ..."
        )
        return Const(0)
    return lo.b.op("get", keys, glob, glob.value)


def unary(lo: Lower, e: ast.Unary) -> Operand:
    """`+ - ! ~`."""
    operand = lo.expr(e.operand)
    if e.op == "+":
        return operand
    if isinstance(operand, Const):
        value = operand.value
        return Const(wrap(-value) if e.op == "-" else ~value if e.op == "~" else int(value == 0))
    return lo.b.op(_UNARY[e.op], (operand,))


def binary(lo: Lower, e: ast.Binary) -> Operand:
    """Arithmetic, comparisons, concatenation, and the two that may leave out their right side."""
    op = e.op
    if op in ("&&", "||"):
        return logical(lo, e)
    left, right = lo.exprs([e.left, e.right])
    if op in COMPARISONS:
        if left.type == STR or right.type == STR:
            if op in ("==", "!="):
                return lo.b.op("str_eq" if op == "==" else "str_ne", (left, right))
            order = lo.b.op("str_cmp", (left, right))
            return lo.b.op(_COMPARE[op], (order, Const(0)))
        return lo.b.op(_COMPARE[op], (left, right))
    if op == ".":
        return lo.b.op("concat", (left, right), None, STR)
    return lo.b.op(ARITHMETIC[op], (left, right))


def truth(lo: Lower, e: ast.Expr) -> Operand:
    """Write an expression as 1 or 0."""
    operand: Operand = lo.expr(e)
    if isinstance(operand, Const):
        return Const(int(operand.value != 0))
    last = lo.b.out[-1] if lo.b.out else None
    if isinstance(last, Op) and last.dst is operand and last.name in _TRUTH:
        return operand
    return lo.b.op("ne", (operand, Const(0)))


def logical(lo: Lower, e: ast.Binary) -> Operand:
    """`&&` and `||`: the right side runs only if the left one doesn't decide."""
    known = lo.body.notes.get(e)
    ends = e.op == "||"
    if known is not None:
        return Const(int(known)) if known == ends else truth(lo, e.right)
    left = lo.expr(e.left)
    b = lo.b
    result = b.temp()
    b.mov(result, Const(int(ends)))
    then, els = b.branch(left)
    before = b.into(els if ends else then)
    b.mov(result, truth(lo, e.right))
    b.into(before)
    return result


def regex(lo: Lower, e: ast.Regex) -> Operand:
    """`=~`, `!~`."""
    left = lo.expr(e.left)
    found = lo.b.op("call", (left, Text(latin(e.pattern.value))), "str_match")
    if e.op == "!~":
        return lo.b.op("lnot", (found,))
    return lo.b.op("ne", (found, Const(0)))


def ternary(lo: Lower, e: ast.Ternary) -> Value:
    """`a ? b : c`."""
    known = lo.body.notes.get(e)
    if known is not None:
        return lo.value(e.then if known else e.other)
    cond = lo.expr(e.cond)
    b = lo.b
    then, els = b.branch(cond)
    before = b.into(then)
    value = lo.expr(e.then)
    result = b.temp(value.type)
    b.mov(result, value)
    b.into(els)
    b.mov(result, lo.expr(e.other))
    b.into(before)
    return result


def in_array(lo: Lower, e: ast.ArrayIn) -> Operand:
    """`[keys] in array`; with a wildcard, whether a slice has an element."""
    var = array(lo, e.array)
    assert var.ir is not None
    b = lo.b
    given = iter(lo.exprs([k for k in e.keys if k is not None]))
    if None not in e.keys:
        return b.op("has", tuple(given), var.ir)
    cut = tuple(None if k is None else next(given) for k in e.keys)
    found = b.temp()
    b.mov(found, Const(0))
    label = Label("in")
    body: list[Stmt] = []
    b.out.append(ForEach(var.ir, (), None, None, Const(1), cut, label, body, b.span))
    before = b.into(body)
    b.mov(found, Const(1))
    b.into(before)
    return found


def stat_keys(lo: Lower, node: ast.Expr) -> tuple[GlobalVar, tuple[Operand, ...]]:
    """The aggregate that @count and its like look at, and its keys."""
    if isinstance(node, ast.Index):
        assert isinstance(node.base, ast.Name)
        keys = lo.exprs([k for k in node.keys if k is not None])
        return array(lo, node.base), tuple(keys)
    assert isinstance(node, ast.Name)
    return array(lo, node), ()


def stat_op(lo: Lower, e: ast.StatOp) -> Operand:
    """`@count(x)` and so on."""
    var, keys = stat_keys(lo, e.stat)
    return lo.b.op("stat", keys, (var.ir, e.op[1:], e.params))


def bucket(lo: Lower, e: ast.HistOp, keys: list[ast.Expr]) -> Operand:
    """`@hist_log(x)[n]`."""
    var, own = stat_keys(lo, e.stat)
    number = lo.expr(keys[0])
    return lo.b.op("hist_bucket", (*own, number), (var.ir, e.op[6:], e.params))


def plain(lo: Lower, value: Value) -> Operand:
    """Return the operand of a value."""
    return value.operand(lo.b) if isinstance(value, Place) else value


TABLE: dict[type, Any] = {
    ast.Number: number,
    ast.String: string,
    ast.Name: name,
    ast.Index: index,
    ast.Unary: unary,
    ast.Binary: binary,
    ast.Regex: regex,
    ast.Ternary: ternary,
    ast.ArrayIn: in_array,
    ast.StatOp: stat_op,
    ast.EmbeddedExpr: embedded,
}
