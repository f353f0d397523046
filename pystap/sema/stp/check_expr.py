"""Types of operators, variables, assignments and aggregates."""

from __future__ import annotations

from ...diag import Diagnostic
from ...lang.stp import ast
from ...lang.stp.regexes import fault
from .symbols import GlobalVar, Var
from .types import LONG, STAT, STRING, T_LONG, T_STRING, T, flow, unify, want

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ...source import Span
    from .check import Checker

COMPARISONS = frozenset(("==", "!=", "<", "<=", ">", ">="))


def number(c: Checker, e: ast.Number) -> T:
    """A literal."""
    return T_LONG


def string(c: Checker, e: ast.String) -> T:
    """A literal."""
    return T_STRING


def name(c: Checker, e: ast.Name) -> T:
    """A variable that is read."""
    var = c.variable(e)
    var.read = True
    if isinstance(var, GlobalVar):
        scalar(c, var, e.span)
    return var.type


def scalar(c: Checker, var: GlobalVar, span: Span) -> bool:
    """Settle that a global has no index."""
    if var.keys is None:
        if var.decl.size is not None or var.decl.wrap:
            words = f"the array '{var.name}' is used without an index"
            notes: tuple[tuple[str, Span | None], ...] = (("it is declared as an array here", var.decl.span),)
            c.bag.add(Diagnostic("E203", words, span, notes=notes))
        var.keys = []
        var.arity_span = span
        return True
    if var.keys:
        notes = (("it is used as an array here", var.arity_span),)
        words = f"the array '{var.name}' is used without an index"
        c.bag.add(Diagnostic("E203", words, span, notes=notes))
        return False
    return True


def array_keys(c: Checker, var: GlobalVar, keys: Sequence[ast.Expr | None], span: Span) -> None:
    """Check the keys of an access to an array; None is a wildcard."""
    types = arity(c, var, len(keys), span)
    for key, type in zip(keys, types, strict=False):
        if key is not None:
            flow(c.bag, type, c.expr(key), key.span)


def arity(c: Checker, var: GlobalVar, count: int, span: Span) -> list[T]:
    """Settle that a global is an array with so many keys; return their types."""
    if var.keys is None:
        var.keys = [T() for _ in range(count)]
        var.arity_span = span
    elif len(var.keys) != count:
        if var.keys:
            words = f"the array '{var.name}' has {_keys(len(var.keys))} elsewhere, {count} here"
        else:
            words = f"'{var.name}' is not an array"
        notes = (("it is used so here", var.arity_span),)
        c.bag.add(Diagnostic("E202", words, span, notes=notes))
        return [T() for _ in range(count)]
    return var.keys


def _keys(count: int) -> str:
    return f"{count} key" if count == 1 else f"{count} keys"


def array(c: Checker, node: ast.Name) -> GlobalVar | None:
    """Return the global that is used as an array, or report that it isn't one."""
    var = c.variable(node)
    if isinstance(var, GlobalVar):
        return var
    from ...diag import did_you_mean

    near = did_you_mean(node.name, c.scope.globals)
    hint = f"did you mean '{near}'?" if near else f"declare it: global {node.name}"
    if not var.param and not var.assigned and not var.read:
        del c.body.vars[node.name]
    c.error("E204", f"'{node.name}' is not a global array", node.span, hint)
    return None


def index(c: Checker, e: ast.Index) -> T:
    """An element that is read."""
    if isinstance(e.base, ast.HistOp):
        histogram(c, e.base)
        for key in e.keys:
            if key is not None:
                c.long(key)
        return T_LONG
    var = array(c, e.base)
    if var is None:
        return T()
    array_keys(c, var, e.keys, e.span)
    var.read = True
    return var.type


def unary(c: Checker, e: ast.Unary) -> T:
    """`+ - ! ~`: of longs."""
    c.long(e.operand)
    return T_LONG


def decided(c: Checker, e: ast.Expr) -> bool | None:
    """Return the truth of a condition that `@defined` decides, else None."""
    return None if isinstance(e, ast.Number) else constant(c, e)


def constant(c: Checker, e: ast.Expr) -> bool | None:
    """Return the truth of an expression that is known now (numbers and `@defined`), else None."""
    if isinstance(e, ast.Number):
        return e.value != 0
    if isinstance(e, ast.AtOp) and e.op == "@defined":
        from .check_access import defined

        return defined(c, e)
    if isinstance(e, ast.AtOp) and e.op == "@probewrite":
        return probewrite(c, e)
    if isinstance(e, ast.Unary) and e.op == "!":
        inner = constant(c, e.operand)
        return None if inner is None else not inner
    if isinstance(e, ast.Binary) and e.op in ("&&", "||"):
        left = constant(c, e.left)
        if left is not None and left == (e.op == "||"):
            return left
        right = constant(c, e.right)
        if right is not None and right == (e.op == "||"):
            return right if left is not None else None
        return right if left is not None else None
    return None


def probewrite(c: Checker, e: ast.AtOp) -> bool:
    """Decide `@probewrite(v)`: whether the handler itself, not an alias, assigns the variable."""
    known = c.body.notes.get(e)
    if known is None:
        derived = c.body.probe
        scopes = (c.unit.scope, *c.unit.library.values())
        of_aliases = {b for s in scopes for _, a in s.aliases for b in (a.prologue, a.epilogue)}
        parts = derived.parts if derived is not None else []
        own = [block for scope, block in parts if not scope.library and block not in of_aliases]
        known = c.body.notes[e] = any(_writes(block, e.args[0]) for block in own)
    return bool(known)


def _writes(block: ast.Ast, wanted: ast.Expr) -> bool:
    name = wanted.name if isinstance(wanted, (ast.Name, ast.Target)) else ""
    return any(
        isinstance(n, (ast.Assign, ast.IncDec))
        and isinstance(n.target, type(wanted))
        and getattr(n.target, "name", None) == name
        for n in ast.walk(block)
    )


def binary(c: Checker, e: ast.Binary) -> T:
    """Arithmetic and logic of longs, `.` of strings, comparisons of two alike."""
    op = e.op
    if op in COMPARISONS:
        unify(c.bag, c.expr(e.left), c.expr(e.right), e.right.span)
        return T_LONG
    if op == ".":
        left = c.expr(e.left)
        if (
            left.find().kind == LONG
            and isinstance(e.left, ast.Access)
            and isinstance(e.right, (ast.Name, ast.Index))
        ):
            hint = f"'.' joins strings; a member, of a struct too, is {e.left.span.text}->{e.right.span.text}"
            return c.error("E201", "type mismatch: a string is needed, this is a long", e.left.span, hint)
        want(c.bag, left, STRING, e.left.span, f"sprint({e.left.span.text[:40]}) is a string")
        want(c.bag, c.expr(e.right), STRING, e.right.span, f"sprint({e.right.span.text[:40]}) is a string")
        return T_STRING
    left = c.expr(e.left)
    want(c.bag, left, LONG, e.left.span, "strings are joined with '.'" if op == "+" else "")
    if op in ("&&", "||"):
        known = decided(c, e.left)
        if known is not None:
            c.body.notes[e] = known
            if known == (op == "||"):
                return T_LONG
    c.long(e.right)
    if op in ("+", "-"):
        top = left.find()
        if top.pointee is not None and top is not T_LONG:
            return T(LONG, None, top.pointee)
    return T_LONG


def regex(c: Checker, e: ast.Regex) -> T:
    """`=~`, `!~`: of a string."""
    want(c.bag, c.expr(e.left), STRING, e.left.span)
    words = fault(e.pattern.value)
    if words:
        c.error("E219", f"this is no regular expression: {words}", e.pattern.span)
    return T_LONG


def ternary(c: Checker, e: ast.Ternary) -> T:
    """The branches are alike; one that can't be reached isn't looked at."""
    known = decided(c, e.cond)
    if known is not None:
        c.body.notes[e] = known
        return c.expr(e.then if known else e.other)
    c.long(e.cond)
    then, other = c.expr(e.then), c.expr(e.other)
    unify(c.bag, then, other, e.other.span)
    return other if then is T_LONG else then


def in_array(c: Checker, e: ast.ArrayIn) -> T:
    """`[keys] in array`."""
    var = array(c, e.array)
    if var is not None:
        array_keys(c, var, e.keys, e.span)
        var.read = True
    return T_LONG


def target(c: Checker, node: ast.Expr, reads: bool) -> T:
    """The left side of an assignment; `reads`: whether its old value is used too."""
    if isinstance(node, ast.Name):
        var = c.variable(node)
        if isinstance(var, Var):
            var.assigned = True
            var.read = var.read or reads
        else:
            scalar(c, var, node.span)
            var.written = True
            var.read = var.read or reads
        return var.type
    if isinstance(node, ast.Index) and isinstance(node.base, ast.Name):
        found = array(c, node.base)
        if found is None:
            return T()
        array_keys(c, found, node.keys, node.span)
        found.written = True
        found.read = found.read or reads
        return found.type
    if isinstance(node, ast.Access):
        c.expr(node)
        if not c.unit.options.guru:
            return c.error("E235", "writing to the traced side needs guru mode", node.span, "run with -g")
        words = "eBPF programs can't write the kernel's variables or memory: scripts that do can't run"
        return c.error("E403", words, node.span)
    return c.error("E205", "this can't be assigned to", node.span)


def assign(c: Checker, e: ast.Assign, reads: bool = True) -> T:
    """`target op value`; `reads`: whether the expression's own value is used."""
    op = e.op
    if op == "=":
        value = c.expr(e.value)
        type = target(c, e.target, False)
        flow(c.bag, type, value, e.value.span)
        return type
    if op == "<<<":
        c.long(e.value)
        if _global_of(c, e.target) is None:
            return c.error("E206", "only a global can collect a statistic (<<<)", e.target.span)
        want(c.bag, target(c, e.target, False), STAT, e.target.span)
        return T_LONG
    kind = STRING if op == ".=" else LONG
    want(c.bag, c.expr(e.value), kind, e.value.span)
    type = target(c, e.target, reads)
    want(c.bag, type, kind, e.target.span)
    _note_read(c, e.target)
    return type


def _global_of(c: Checker, node: ast.Expr) -> GlobalVar | None:
    name = node.base if isinstance(node, ast.Index) else node
    if not isinstance(name, ast.Name):
        return None
    return c.scope.globals.get(name.name)


def inc_dec(c: Checker, e: ast.IncDec, reads: bool = True) -> T:
    """`++`, `--`: of longs."""
    type = target(c, e.target, reads)
    want(c.bag, type, LONG, e.target.span)
    _note_read(c, e.target)
    return T_LONG


def _note_read(c: Checker, node: ast.Expr) -> None:
    """A local variable that is changed by an operator is read by it, too."""
    if isinstance(node, ast.Name):
        var = c.variable(node)
        if isinstance(var, Var):
            var.read = True


def statistic(c: Checker, node: ast.Expr) -> GlobalVar | None:
    """The operand of @count and its like: a global that is an aggregate."""
    var = _global_of(c, node)
    if var is None:
        if isinstance(node, (ast.Name, ast.Index)):
            c.error("E206", f"'{node.span.text}' is not a global statistic", node.span)
        else:
            c.error("E206", "a global statistic is needed here", node.span)
        return None
    if isinstance(node, ast.Index):
        array_keys(c, var, node.keys, node.span)
    else:
        scalar(c, var, node.span)
    var.read = True
    want(c.bag, var.type, STAT, node.span)
    return var


def stat_op(c: Checker, e: ast.StatOp) -> T:
    """`@count(x)` and so on."""
    var = statistic(c, e.stat)
    if var is not None:
        var.stat_ops.add(e.op[1:])
    return T_LONG


def histogram(c: Checker, e: ast.HistOp) -> None:
    """`@hist_log(x)`, `@hist_linear(x, low, high, step)` where they may stand."""
    var = statistic(c, e.stat)
    if var is None:
        return
    if e.op == "@hist_log":
        var.hist_log = True
        return
    low, high, step = e.params
    if var.hist_linear not in (None, (low, high, step)):
        c.error("E207", f"'{var.name}' has another @hist_linear already: {var.hist_linear}", e.span)
        return
    var.hist_linear = (low, high, step)


def misplaced_histogram(c: Checker, e: ast.HistOp) -> T:
    """A histogram is no value."""
    histogram(c, e)
    return c.error(
        "E208", f"{e.op} has no value of its own", e.span, f"print({e.op}(...)), or {e.op}(...)[bucket]"
    )


def embedded(c: Checker, e: ast.EmbeddedExpr) -> T:
    """C code."""
    from .embedded import check_expression

    return check_expression(c, e)


TABLE: dict[type, Any] = {
    ast.Number: number,
    ast.String: string,
    ast.Name: name,
    ast.Index: index,
    ast.Unary: unary,
    ast.Binary: binary,
    ast.Regex: regex,
    ast.Ternary: ternary,
    ast.Assign: assign,
    ast.IncDec: inc_dec,
    ast.ArrayIn: in_array,
    ast.StatOp: stat_op,
    ast.HistOp: misplaced_histogram,
    ast.EmbeddedExpr: embedded,
}
