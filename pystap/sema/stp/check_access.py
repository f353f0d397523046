"""The traced side: `$variables`, casts, members, and the other operators with `@`."""

from __future__ import annotations

from ...btf import types as bt
from ...diag import CompileError, did_you_mean, fail
from ...lang.stp import ast
from ...node import Node
from ...probes.base import untyped
from ..paths import Walk, pointee_of
from . import by_value, check_types, entry, registers
from .check_expr import probewrite
from .entry import slot as entry_slot
from .types import LONG, T_LONG, T_STRING, T, want

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...probes.base import Context, Variable
    from .check import Checker


class Note(Node):
    """What an access was found to be: where it starts, the walk from there, and the indexes that aren't constant.

    start: a probe's Variable, an expression whose value it starts from, or ("symbol" | "percpu", name).
    """

    start: Variable | ast.Expr | tuple[str, str]
    walk: Walk
    indexes: tuple[ast.Expr, ...]


def access(c: Checker, e: ast.Access) -> T:
    """`$x->a[i]`, `@cast(...)->b`, `@var(...)`, `v->c`."""
    if isinstance(e, ast.Target):
        if _of_entry(c, e):
            return entry_slot(c, e, e)
        special = _special(c, e)
        if special is not None:
            return special
    start: T | None = None
    if isinstance(e, (ast.Cast, ast.Deref)):
        start = c.expr(e.operand)
        want(c.bag, start, LONG, e.operand.span)
    for accessor in e.accessors:
        if isinstance(accessor, ast.Element):
            c.long(accessor.index)
    if isinstance(e, ast.Deref):
        assert start is not None
        c.unit.followed.append((e, start))
        if start.find().pointee is None:
            result = T(LONG)
            c.pending.append((c, c.body, c.scope, e, result))
            return result
    return _finish(c, e, start)


def retry_deref(c: Checker, e: ast.Deref, result: T) -> bool:
    """Try an access again whose operand's type wasn't known; say whether it is settled now."""
    operand = e.operand
    start = c.expr(operand) if not isinstance(operand, ast.Call) else c.body.notes[operand].result
    if start.find().pointee is None:
        return False
    try:
        result.point(_finish(c, e, start).find().pointee)
    except CompileError as error:
        c.bag.add(error.diagnostic)
    return True


def _finish(c: Checker, e: ast.Access, start: T | None) -> T:
    note = _walk(c, e, start)
    c.body.notes[e] = note
    if e.pretty:
        return T_STRING
    found = note.walk.result
    return T(LONG, None, _plain(c, found))


def _of_entry(c: Checker, e: ast.Target) -> bool:
    """Say whether a return's handler takes this from the entry: what the return hasn't, and members as they were then."""
    context = c.body.context
    if context is None or not context.returns:
        return False
    name = e.name[1:]
    kind = c.body.probe.resolved.event.kind if c.body.probe is not None else ""
    if e.name.startswith("$$"):
        lists = e.name in ("$$parms", "$$args", "$$vars", "$$locals")
        return lists and kind == "kretprobe" and entry.has_entry(c)
    if name in context.variables:
        at_entry = kind == "fexit" and name != "return" and (e.accessors or e.pretty)
        return bool(at_entry) and entry.has_entry(c)
    return entry.has_entry(c) and name in entry.of(c, e).derived.resolved.context.variables


def _exists_at_entry(c: Checker, e: ast.Target) -> bool:
    """Say whether an access leads somewhere at the entry of the return that this handler is of."""
    inner = type(c)(c.unit, entry.of(c, e).derived.body, c.pending)
    inner.scope = c.scope
    return _exists(inner, e)


def _plain(c: Checker, pointee: bt.Type | None) -> bt.Type | None:
    """Return what a pointee is without qualifiers; None for void."""
    if pointee is None:
        return None
    here = check_types.home(c, pointee).resolve(pointee)
    return None if isinstance(here, bt.Void) else here


def _walk(c: Checker, e: ast.Access, start: T | None) -> Note:
    """Follow an access; raise CompileError where it leads nowhere."""
    accessors = e.accessors
    begin: Variable | ast.Expr | tuple[str, str]
    if isinstance(e, ast.Target):
        variable = _variable(c, e)
        if variable.op == "located" and e.address_of and not e.accessors:
            return _address_of(c, e, variable)
        btf = check_types.home(c, variable.type)
        if by_value.holder(btf, variable) is not None:
            variable, taken = by_value.part(btf, variable, accessors, e.pretty > 0)
            accessors = accessors[taken:]
        begin = variable
        walk = Walk(btf, _plain(c, pointee_of(btf, variable.type)), f"${variable.name}")
        walk.type = variable.type
    else:
        begin, walk = _begin(c, e, start)
    if isinstance(e, ast.Cast) and e.address_of and not accessors:
        return Note(begin, walk, ())  # where the value points to is the value
    indexes: list[ast.Expr] = []
    for accessor in accessors:
        if isinstance(accessor, ast.Field):
            walk.field(accessor.name, accessor.span)
        else:
            index = _constant_index(accessor.index)
            walk.element(index, len(indexes), accessor.span)
            if index is None:
                indexes.append(accessor.index)
    if e.address_of and not (isinstance(e, ast.Cast) and not e.accessors):  # &@cast(p, "t") is p, with a type
        walk.address(e.span)
    return Note(begin, walk, tuple(indexes))


def _begin(c: Checker, e: ast.Access, start: T | None) -> tuple[ast.Expr | tuple[str, str], Walk]:
    """Return where an access that is no event's variable begins."""
    if isinstance(e, ast.Cast):
        btf, type = check_types.cast(c, e)
        return e.operand, Walk(btf, type, f"@cast({e.operand.span.text})")
    if isinstance(e, ast.Var):
        name = e.name.partition("@")[0]
        return ("percpu" if check_types.is_percpu(c, name) else "symbol", name), check_types.variable(c, e)
    assert isinstance(e, ast.Deref) and start is not None
    pointee = start.find().pointee
    return e.operand, Walk(check_types.home(c, pointee), pointee, e.operand.span.text)


def _address_of(c: Checker, e: ast.Target, variable: Variable) -> Note:
    """`&$x` of a variable that lies in memory."""
    from ...probes.functions.located import address_of

    btf = check_types.home(c, variable.type)
    there = address_of(variable, btf)
    if there is None:
        raise fail("E233", f"'{e.name}' has no address here: it is in a register", e.span)
    return Note(there, Walk(btf, _plain(c, pointee_of(btf, there.type)), e.name), ())


def _constant_index(e: ast.Expr) -> int | None:
    if isinstance(e, ast.Number):
        return e.value
    if isinstance(e, ast.Unary) and e.op == "-" and isinstance(e.operand, ast.Number):
        return -e.operand.value
    return None


def _variable(c: Checker, e: ast.Target) -> Variable:
    """Return the probe's variable of that name."""
    context = c.body.context
    name = e.name[1:]
    if context is not None:
        found = context.variables.get(name)
        if found is not None and (not name.startswith("__") or c.scope.library or found.op == "located"):
            if found.op == "local":
                _of_prologue(c, found, e)
            elif found.op == "located":
                entry.hold(c, e, found)
            return found
        if name in context.missing:
            words = f"'{e.name}' can't be read in {context.kind}: {context.missing[name]}"
            there = ", ".join(f"${v}" for v in context.variables if not v.startswith("__"))
            raise fail(
                "E230", words, e.span, *_elsewhere(context, name), *([f"it has {there}"] if there else [])
            )
    enumerator = c.unit.target.btf.find_enumerator(name)
    if enumerator is not None and not e.accessors and not e.address_of:
        from ...probes.base import Variable

        return Variable(name, "const", enumerator[0], None)
    where = context.kind if context is not None else "function"
    if context is not None and context.untyped:
        raise _untyped(context, e)
    if c.unit.target.untyped and context is not None and context.provider == "kernel":
        raise untyped(c.unit.target, f"'{e.name}'", e.span)
    if name == "return" and context is not None and context.function:
        raise _no_return(context, e)
    if context is not None and context.of_function:
        hint = f"@defined({e.name}) ? {e.name} : 0 does for functions with and without it"
        raise fail("E230", f"not all of the {where} have '{e.name}'", e.span, hint)
    if context is None or not context.variables:
        hints = _elsewhere(context, name) if context is not None else []
        raise fail("E230", f"there is no '{e.name}' in a {where}", e.span, *hints)
    near = did_you_mean(name, context.variables)
    known = ", ".join(f"${v}" for v in context.variables if not v.startswith("__"))
    hints = _elsewhere(context, name) or ([f"did you mean '${near}'?"] if near else [])
    raise fail("E230", f"there is no '{e.name}' in {where}", e.span, *hints, f"it has {known}")


def _elsewhere(context: Context, name: str) -> list[str]:
    """Return the hint that says where else a variable of a place can be read."""
    words = context.elsewhere(name)
    return [words] if words else []


def _untyped(context: Context, e: ast.Target) -> Exception:
    """Return the error for a variable of a function whose types aren't known."""
    words = f"'{e.name}' can't be read in {context.kind}: {context.untyped}"
    by_number = (
        "returnval() is what it returns"
        if context.returns
        else "pointer_arg(1), int_arg(2), ... are its arguments"
    )
    return fail("E230", words, e.span, by_number)


def _no_return(context: Context, e: ast.Target) -> Exception:
    """Return the error for $return where there is none."""
    if context.returns:
        return fail("E230", f"there is no '$return': {context.kind} returns nothing (void)", e.span)
    return fail("E230", f"there is no '$return' in {context.kind}", e.span, "only the point's .return has it")


def _of_prologue(c: Checker, variable: Variable, e: ast.Target) -> None:
    """A variable that the prologue of this handler assigns."""
    var = c.body.vars.get(variable.attr)
    if var is None:
        words = f"'{e.name}' of a {c.body.context.kind if c.body.context else 'probe'} can be read in its handler only"
        raise fail("E230", words, e.span, "give its value to the function as a parameter")
    var.read = True


def _special(c: Checker, e: ast.Target) -> T | None:
    """`$$name`, `$$parms` and their like: strings."""
    name = e.name
    if not name.startswith("$$"):
        return None
    context = c.body.context
    if context is None or not (context.name or context.variables or context.of_function):
        raise fail("E230", f"there is no '{name}' here", e.span)
    if name in ("$$name", "$$system", "$$provider", "$$syscall"):
        return T_STRING
    if name in ("$$parms", "$$vars", "$$return", "$$locals", "$$args"):
        if context.untyped:
            raise _untyped(context, e)
        for variable in context.variables.values():
            if variable.op == "located" and context.lists(name, variable.name):
                entry.hold(c, e, variable)
        return T_STRING
    raise fail("E230", f"there is no '{name}'", e.span, "there are $$name, $$parms, $$vars, $$return")


def defined(c: Checker, e: ast.AtOp) -> bool:
    """Decide `@defined(...)`; the answer is remembered."""
    known = c.body.notes.get(e)
    if known is None:
        known = c.body.notes[e] = all(_exists(c, a) for a in e.args)
    return bool(known)


def _exists(c: Checker, e: ast.Expr) -> bool:
    if not isinstance(e, ast.Access):
        return all(_exists(c, inner) for inner in ast.walk(e) if isinstance(inner, ast.Access))
    try:
        if isinstance(e, ast.Target) and _of_entry(c, e):
            return _exists_at_entry(c, e)
        if isinstance(e, ast.Target) and e.name.startswith("$$"):
            return _special(c, e) is not None
        start = c.expr(e.operand) if isinstance(e, (ast.Cast, ast.Deref)) else None
        if isinstance(e, ast.Deref) and (start is None or start.find().pointee is None):
            return False
        if isinstance(e, ast.Var) and not check_types.symbol_known(c, e):
            return False
        _walk(c, e, start)
    except CompileError:
        return False
    return True


def at_op(c: Checker, e: ast.AtOp) -> T:
    """`@defined`, `@enum`, `@const` and so on."""
    op = e.op
    if op == "@defined":
        defined(c, e)
        return T_LONG
    if op == "@probewrite":
        probewrite(c, e)
        return T_LONG
    if op == "@entry":
        return entry_slot(c, e, e.args[0])
    if op in ("@enum", "@const"):
        text = e.args[0]
        assert isinstance(text, ast.String)
        c.body.notes[e] = _constant(c, text)
        return T_LONG
    if op == "@enumname":
        c.long(e.args[0])
        if len(e.args) < 2 or not isinstance(e.args[1], ast.String):
            raise fail(
                "E404", "not supported yet: @enumname without its type", e.span, '@enumname(v, "enum x")'
            )
        return T_STRING
    if op == "@kderef":
        if not isinstance(e.args[0], ast.Number) or e.args[0].value not in (1, 2, 4, 8):
            raise fail("E218", "@kderef reads 1, 2, 4 or 8 bytes", e.span)
        c.long(e.args[1])
        return T_LONG
    if op == "@uderef":
        c.long(e.args[1])
        return T_LONG
    if op in ("@kregister", "@uregister"):
        registers.numbered(c, e)
        return T_LONG
    raise fail("E404", f"not supported yet: {op}", e.span)


def _constant(c: Checker, text: ast.String) -> int:
    name = text.value.strip()
    found = c.unit.target.btf.find_enumerator(name)
    if found is not None:
        return found[0]
    from ...builtins.constants import CONSTANTS

    value = CONSTANTS.get(name)
    if value is None:
        try:
            value = int(name, 0)
        except ValueError:
            near = did_you_mean(name, CONSTANTS)
            hints = (f"did you mean '{near}'?",) if near else ("macros of C headers are not in BTF",)
            raise fail("E238", f"the constant '{name}' is not known", text.span, *hints) from None
    return value


TABLE: dict[type, Any] = {
    ast.Target: access,
    ast.Cast: access,
    ast.Var: access,
    ast.Deref: access,
    ast.AtOp: at_op,
}
