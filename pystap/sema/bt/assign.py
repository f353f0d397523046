"""Variables and maps: reading, assigning, counting up and down."""

from __future__ import annotations

from ...ir.nodes import I64, TUPLE, Const
from ...lang.bt import ast
from ..build import wrap
from . import types
from .body import error, later
from .maps import MapInfo
from .operators import arithmetic_op
from .scope import Var
from .types import T, is_number, merge, name, parts, same
from .values import BYTES, UNKNOWN, Val, number, zeros

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...source import Span
    from ..build import Operand
    from .body import Body

    Place = tuple[MapInfo, list[Operand]]

STATS = frozenset(("count", "sum", "avg", "min", "max", "stats", "hist", "lhist"))

# ---- maps ---------------------------------------------------------------------------------


def place_of(body: Body, e: ast.Map | ast.MapAccess) -> Place:
    """Write the keys of an access; return the map and the flat key operands."""
    bound = body.scope.bound("@" + e.name)
    if bound is not None:
        target = bound.node
        if isinstance(e, ast.Map):
            return _outside(body, bound.scope, target)
        e = ast.MapAccess(e.span, target.name, e.keys)
    info = body.unit.map(e.name, e.span)
    if isinstance(e, ast.Map):
        if not info.meet_keys(body.unit, [], e.span):
            raise Given()
        return info, []
    key_types, ops = keys_of(body, body.values(e.keys), e)
    if key_types is None or not info.meet_keys(body.unit, key_types, e.span):
        raise Given()
    return info, ops


def _outside(body: Body, scope: object, node: ast.Map | ast.MapAccess) -> Place:
    before = body.scope
    body.scope = scope  # type: ignore[assignment]
    found = place_of(body, node)
    body.scope = before
    return found


class Given(Exception):
    """The mistake was reported already; what was to be written has no value."""


def keys_of(body: Body, values: list[Val], e: ast.Expr) -> tuple[list[T] | None, list[Operand]]:
    """Return types and flat operands of keys; one tuple stands for its elements. None: a type isn't known."""
    if len(values) == 1 and values[0].type.kind == "tuple" and not values[0].type.names:
        types_ = list(values[0].type.elems)
        if any(t.kind == "none" for t in types_):
            return None, []
        return types_, body.ops(values[0])
    out: list[T] = []
    ops: list[Operand] = []
    for value in values:
        value = body.coerced(value)
        type = value.type
        if type.kind == "none":
            return None, []
        if type.kind == "void":
            raise error("E251", "a key needs a value", e.span)
        if type.kind in ("int", "bool") and type.ctype is None:
            type = types.LIT if type.note else T("int", 8, type.signed) if type.kind == "int" else type
        out.append(type)
        ops += body.ops(value)
    return out, ops


def map_read(body: Body, e: ast.Map | ast.MapAccess) -> Val:
    """`@m`, `@m[k]` as a value."""
    bound = body.scope.bound("@" + e.name)
    if isinstance(e, ast.Map) and bound is None and not e_scalar(body, e):
        raise error("E252", f"'@{e.name}' has a key elsewhere", e.span, "as in @x[key]")
    try:
        info, keys = place_of(body, e)
    except Given:
        return UNKNOWN
    return element(body, info, keys, e.span)


def e_scalar(body: Body, e: ast.Map) -> bool:
    """Whether a map isn't known to have keys."""
    info = body.unit.map(e.name, e.span)
    return not info.keys


def element(body: Body, info: MapInfo, keys: list[Operand], span: Span) -> Val:
    """Return the value of an element; it is read here."""
    value = info.value
    if value.kind == "none":
        body.unit.missing(info, span)
        return UNKNOWN
    if value.kind == "stat":
        return Val(value, [], None, None, (info, tuple(keys), span))
    kinds = parts(value)
    if len(kinds) == 1:
        return Val(value, [body.b.op("get", tuple(keys), info.glob, kinds[0])])
    whole = body.b.op("get", tuple(keys), info.glob, TUPLE)
    return Val(value, [body.b.op("item", (whole,), n, kind) for n, kind in enumerate(kinds)])


def map_store(body: Body, info: MapInfo, keys: list[Operand], value: Val, span: Span) -> None:
    """Assign an element."""
    value = body.coerced(value)
    if value.type.kind == "none":
        info.written = True
        return
    if value.type.kind == "void":
        raise error("E251", f"'{info.text}' is assigned something without a value", span)
    if not info.meet_value(body.unit, value.type, span):
        return
    ops = body.ops(value)
    whole = ops[0] if len(ops) == 1 else body.b.op("tuple", tuple(ops), None, TUPLE)
    body.b.do("set", (*keys, whole), info.glob)
    flag = info.flag(body.unit, bool(value.const))
    if flag is not None:
        body.b.do("set", (Const(1),), flag)


def map_add(body: Body, info: MapInfo, keys: list[Operand], amount: Operand, type: T, span: Span) -> None:
    """`@m += amount`, in one operation that commutes."""
    if not info.meet_value(body.unit, type, span):
        return
    if info.value.kind == "stat":
        raise error("E253", f"'{info.text}' holds {info.value.note}()", span)
    body.b.do("add_to", (*keys, amount), info.glob)
    _added(body, info, isinstance(amount, Const) and amount.value > 0)


def _added(body: Body, info: MapInfo, up: bool) -> None:
    flag = info.flag(body.unit, up)
    if flag is not None:
        body.b.do("add_to", (Const(1),), flag)


def push(body: Body, info: MapInfo, keys: list[Operand], call: ast.Call) -> None:
    """`@m = count()` and so on."""
    kind = call.name
    args = call.args
    low, high = {"count": (0, 0), "hist": (1, 2), "lhist": (4, 4)}.get(kind, (1, 1))
    if not low <= len(args) <= high:
        from .calls import arity_error

        raise arity_error(call, low, high)
    operand: Operand = Const(1)
    signed = False
    if args:
        operand, value = body.number_of(args[0], f"{kind}()")  # type: ignore[arg-type]
        if value.type.kind == "none":
            return
        signed = value.type.signed or bool(value.type.note)
    signed = signed or kind in ("hist", "lhist")  # they take an int64, whatever is given
    stat = T("stat", 8, signed, note=kind)
    if kind == "hist":
        bits = body.constant(args[1], "the second argument of hist()") if len(args) == 2 else 0  # type: ignore[arg-type]
        if not 0 <= bits <= 5:
            raise error("E207", "the second argument of hist() is 0 to 5", args[1].span)
        _agree(info, "hist_log", bits, call.span)
    elif kind == "lhist":
        low_, high_, step = (body.constant(a, "a bound of lhist()") for a in args[1:])  # type: ignore[arg-type]
        if low_ >= high_ or step <= 0:
            raise error("E207", "lhist(n, low, high, step) needs low < high and a step above 0", call.span)
        if (high_ - low_) // step > 1000:
            raise error(
                "E207", f"lhist() would have {(high_ - low_) // step} buckets; at most 1000", call.span
            )
        _agree(info, "linear", (low_, high_, step), call.span)
    if info.value.kind == "stat" and info.value.note == kind and info.value.signed != signed:
        stat = info.value if info.value.signed else stat
        info.value = stat
    if info.meet_value(body.unit, stat, call.span):
        body.b.do("push", (*keys, operand), info.glob)
        _added(body, info, True)


def _agree(info: MapInfo, slot: str, value: object, span: Span) -> None:
    have = getattr(info, slot)
    if have is not None and have != value:
        raise error("E207", f"'{info.text}' has other buckets elsewhere", span)
    setattr(info, slot, value)


# ---- variables ----------------------------------------------------------------------------


def assign_variable(body: Body, word: str, value: Val, span: Span) -> None:
    """`$x = value`; the first assignment makes the variable, in the block here."""
    bound = body.scope.bound("$" + word)
    if bound is not None:
        if not isinstance(bound.node, ast.Variable):
            raise error("E257", f"the macro's argument for ${word} can't be assigned to", span)
        before = body.scope
        body.scope = bound.scope
        assign_variable(body, bound.node.name, value, span)
        body.scope = before
        return
    value = body.coerced(value)
    if value.type.kind == "void":
        raise error("E251", f"${word} is assigned something without a value", span)
    var = body.scope.find(word)
    if var is None:
        var = make(body, word, span)
    store(body, var, value, span)


def make(body: Body, word: str, span: Span) -> Var:
    """Make a variable in the block here; an earlier pass may know its type."""
    key = (body.number, body.scope.place, span.start)
    var = Var(word, span, key)
    known = body.unit.var_types.get(key)
    if known is not None:
        var.settle(known)
    body.scope.vars[word] = var
    return var


def store(body: Body, var: Var, value: Val, span: Span) -> None:
    """Write the assignment, and let the variable's type grow."""
    if var.readonly:
        raise error("E257", f"${var.name} is the loop's and can't be assigned to", span)
    type = value.type
    if type.kind == "none":
        return
    if type.kind in ("record", "array") and (value.mem is None or value.mem.space == BYTES):
        value = Val(type.replace(space=BYTES), body.ops(value))
        type = value.type
    _check_declared(var, value, span)
    both = merge(var.type, type)
    if both is None or (
        (var.type.kind in ("int", "bool")) != (both.kind in ("int", "bool")) and var.assigned
    ):
        words = f"${var.name} is {name(var.type)}, and can't become {name(type)}"
        raise error("E251", words, span, "use another variable")
    if var.declared is not None:
        both = var.declared if var.declared.size or both.kind != "str" else both
    _grow(body, var, both)
    var.assigned = True
    for local, op in zip(var.locals, _stored(body, var, value, span), strict=True):
        body.b.mov(local, op)


def _stored(body: Body, var: Var, value: Val, span: Span) -> list[Operand]:
    if var.type.kind not in ("record", "array") or (var.type.space == BYTES and value.type.space == BYTES):
        return body.ops(value)
    if value.mem is None or var.type.space == BYTES:
        raise later("a variable that holds a struct or array now in memory, now by value", span)
    from .access import address

    return [address(body, value)]


def _grow(body: Body, var: Var, type: T) -> None:
    """Give the variable a type; another walk is needed when somebody read it with a different one."""
    before = body.unit.var_types.get(var.key, var.type)
    if before.kind == "none":
        changed = var.read
    else:
        changed = var.declared is None and not same(before, type)
    body.unit.dirty = body.unit.dirty or changed
    body.unit.var_types[var.key] = type
    var.settle(type)


def _check_declared(var: Var, value: Val, span: Span) -> None:
    declared, type = var.declared, value.type
    if declared is None:
        return
    if declared.kind in ("int", "bool") and type.kind in ("int", "bool"):
        if isinstance(value.const, int):
            bits = 8 * declared.size
            low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if declared.signed else (0, (1 << bits) - 1)
            if not low <= value.const <= high:
                raise error("E251", f"{value.const} doesn't fit ${var.name}, which is {name(declared)}", span)
        elif type.size > declared.size:
            hint = f"cast it: ({name(declared)})..."
            raise error(
                "E251", f"{name(type)} doesn't fit ${var.name}, which is {name(declared)}", span, hint
            )
        return
    if merge(declared, type) is None:
        raise error("E251", f"${var.name} is {name(declared)}, not {name(type)}", span)


def let(body: Body, node: ast.Let) -> None:
    """`let $x [: type] [= value]`."""
    value = None if node.value is None else body.value(node.value)
    if node.name in body.scope.vars:
        raise error("E211", f"${node.name} is declared twice in this block", node.span)
    if body.scope.find(node.name) is not None:
        words = f"${node.name} would hide the variable of the same name outside of this block"
        raise error("E211", words, node.span, "give it another name")
    var = make(body, node.name, node.span)
    if node.type is not None:
        from .ctypes_ import resolve

        var.declared = resolve(body, node.type)
        if var.declared.kind in ("void", "stat"):
            raise error("E210", f"a variable can't be {name(var.declared)}", node.type.span)
        var.settle(var.declared)
    if value is not None:
        store(body, var, body.coerced(value), node.span)
        return
    if var.locals and body.loops:
        for local, op in zip(var.locals, zeros(var.type), strict=True):
            if local.type != "buf":
                body.b.mov(local, op)


# ---- assignments --------------------------------------------------------------------------


def assign(body: Body, node: ast.Assign) -> None:
    """`target op value`."""
    target, value = node.target, node.value
    try:
        if node.op != "=":
            _compound(body, node)
        elif isinstance(target, ast.Variable):
            if isinstance(value, ast.Call) and value.name in STATS and value.name not in body.unit.macros:
                raise error(
                    "E206",
                    f"{value.name}() can only be assigned to a map",
                    value.span,
                    f"@{target.name} = ...",
                )
            assign_variable(body, target.name, body.value(value), node.span)
        else:
            assert isinstance(target, (ast.Map, ast.MapAccess))
            _assign_map(body, target, value, node.span)
    except Given:
        return


def _assign_map(body: Body, target: ast.Map | ast.MapAccess, value: ast.Expr, span: Span) -> None:
    if isinstance(value, ast.Call) and value.name in STATS and value.name not in body.unit.macros:
        info, keys = place_of(body, target)
        push(body, info, keys, value)
        return
    got = body.value(value)
    if got.ops is None:
        body.ops(got)
    info, keys = place_of(body, target)
    map_store(body, info, keys, got, span)


def _compound(body: Body, node: ast.Assign) -> None:
    op = node.op[:-1]
    target = node.target
    amount, value = body.number_of(node.value, f"'{node.op}'")
    if isinstance(target, ast.Variable):
        from .expr import variable

        old = body.unit.guess(variable(body, target))
        if old.type.kind == "none":
            return
        if not is_number(old.type):
            raise error("E251", f"'{node.op}' needs a number, not {name(old.type)}", target.span)
        new = arithmetic_op(body, op, (body.ops(old)[0], old.type), (amount, value.type))
        new.type = old.type if old.type.kind == "ptr" or not old.type.note else new.type
        new = _fit(body, new)
        assign_variable(body, target.name, new, node.span)
        return
    assert isinstance(target, (ast.Map, ast.MapAccess))
    info, keys = place_of(body, target)
    if op in ("+", "-") and info.value.kind in ("none", "int", "bool"):
        if op == "-":
            amount = Const(wrap(-amount.value)) if isinstance(amount, Const) else body.b.op("neg", (amount,))
        type = types.INT64 if value.type.note or (op == "-" and info.value.kind == "none") else value.type
        map_add(body, info, keys, amount, info.value if info.value.kind == "int" else type, node.span)
        return
    old = body.coerced(element(body, info, keys, target.span))
    if old.type.kind == "none":
        info.meet_value(body.unit, value.type, node.span)
        return
    if not is_number(old.type) or info.value.kind == "stat":
        raise error("E251", f"'{node.op}' needs a number, not {name(info.value)}", target.span)
    new = arithmetic_op(body, op, (body.ops(old)[0], old.type), (amount, value.type))
    new.type = old.type
    map_store(body, info, keys, new, node.span)


def _fit(body: Body, value: Val) -> Val:
    """Cut a result to the width of the variable's type, as the variable does."""
    type = value.type
    if type.kind == "int" and type.size < 8 and type.ctype is None:
        return Val(type, [body.b.op("sext" if type.signed else "zext", (body.ops(value)[0],), 8 * type.size)])
    return value


def inc_dec(body: Body, e: ast.IncDec, *, wanted: bool = True) -> Val:
    """`++` and `--`, before and behind."""
    step = 1 if e.op == "++" else -1
    target = e.target
    if isinstance(target, ast.Variable):
        return _step_variable(body, e, target, step)
    assert isinstance(target, (ast.Map, ast.MapAccess))
    try:
        info, keys = place_of(body, target)
    except Given:
        return UNKNOWN
    type = info.value
    if type.kind == "none":
        type = types.INT64
    if type.kind not in ("int", "bool", "ptr"):
        raise error("E251", f"'{e.op}' needs a number, not {name(type)}", target.span)
    if not info.meet_value(body.unit, types.INT64 if type.note else type, e.span):
        return UNKNOWN
    if not wanted:
        body.b.do("add_to", (*keys, Const(step)), info.glob)
        _added(body, info, step > 0)
        return Val(types.VOID, [])
    _added(body, info, step > 0)
    attr = (info.glob, "new" if e.prefix else "old")
    return Val(info.value, [body.b.op("add_fetch", (*keys, Const(step)), attr, I64)])


def _step_variable(body: Body, e: ast.IncDec, target: ast.Variable, step: int) -> Val:
    from .expr import variable

    old = body.unit.guess(variable(body, target))
    if old.type.kind == "none":
        return UNKNOWN
    if not is_number(old.type):
        raise error("E251", f"'{e.op}' needs a number, not {name(old.type)}", target.span)
    before = body.held(old)
    one = number(1)
    new = arithmetic_op(
        body, "+" if step > 0 else "-", (body.ops(before)[0], old.type), (body.ops(one)[0], one.type)
    )
    new.type = old.type
    new = _fit(body, new)
    assign_variable(body, target.name, new, e.span)
    return body.held(variable(body, target)) if e.prefix else before


TABLE: dict[Any, Any] = {ast.Map: map_read, ast.MapAccess: map_read, ast.IncDec: inc_dec}
STATEMENTS: dict[Any, Any] = {ast.Assign: assign, ast.Let: let}
