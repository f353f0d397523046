"""The traced side -> loads."""

from __future__ import annotations

from ...diag import fail
from ...ir.format import Directive
from ...ir.nodes import Const, Text
from ...ir.ops import Load
from ...lang.stp import ast
from ...probes.base import Variable
from ..build import latin, wrap
from ..paths import Place, emit_value
from . import by_value, entry
from .entry import Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..build import Operand
    from .check_access import Note
    from .lower import Lower, Value


def access(lo: Lower, e: ast.Access) -> Value:
    """`$x->a[i]`, `@cast(...)->b`, `@var(...)`, `v->c`."""
    known = lo.body.notes.get(e)
    if isinstance(known, Slot):
        return at_entry(known)
    if isinstance(e, ast.Target) and e.name.startswith("$$"):
        return _special(lo, e)
    note: Note = lo.body.notes[e]
    start = note.start
    if isinstance(start, Variable) and e.pretty and by_value.holder(note.walk.btf, start) is not None:
        return by_value.text(lo, note.walk.btf, start, e.pretty)
    if isinstance(start, Variable):
        base: Operand = variable(lo, start)
    elif isinstance(start, tuple):
        base = symbol(lo, start[1])
        if start[0] == "percpu":
            base = _of_this_cpu(lo, base)
    else:
        base = lo.expr(start)
    indexes = [lo.expr(i) for i in note.indexes]
    walk = note.walk
    if e.pretty:
        from .pretty import pretty

        return pretty(lo, e, walk, base, indexes)
    return emit_value(lo.b, walk, base, indexes)


def at_entry(slot: Slot) -> Operand:
    """Return what the handler of the return has of a value at its entry."""
    assert slot.local is not None
    return slot.local


def variable(lo: Lower, var: Variable) -> Operand:
    """Write the reading of a variable of the event."""
    b = lo.b
    if lo.function is not None and lo.function.recursive and var.op != "const":
        words = f"'{lo.function.name}' calls itself: it can't read '${var.name}', which the event has"
        error = fail("E230", words, b.span, "give its value to the function as a parameter")
        lo.unit.bag.add(error.diagnostic)
        return Const(0)
    if var.op == "const":
        return Const(wrap(var.attr))
    if var.op == "located":
        from ..located import emit

        value: Operand = emit(b, var.attr, f"${var.name}", lambda name: at_entry(entry.held(lo, name)))
    elif var.op == "on_stack":
        top = b.op("call", (Text("rsp"),), "register")
        value = b.op("load", (top,), Load(var.attr, 8, False, "error", "", "kernel", f"${var.name}"))
    elif var.op == "part":
        value = by_value.emit(lo, var)
    else:
        value = lo.local(lo.body.vars[var.attr]) if var.op == "local" else b.op(var.op, (), var.attr)
    if var.bits < 64:
        return b.op("sext" if var.signed else "zext", (value,), var.bits)
    return value


def symbol(lo: Lower, name: str) -> Operand:
    """Write the address of a symbol of the kernel: a constant, where the symbols are known now."""
    symbols = lo.unit.target.symbols
    address = symbols.address(name) if symbols is not None else None
    if address is not None:
        return Const(wrap(address))
    return lo.b.op("call", (Text(latin(name)),), "kernel_addr")


def _of_this_cpu(lo: Lower, base: Operand) -> Operand:
    """Write the address of this CPU's own copy of a variable."""
    b = lo.b
    at = b.op("mul", (b.op("call", (), "cpu"), Const(8)))
    place = b.op("add", (symbol(lo, "__per_cpu_offset"), at))
    mine = b.op("load", (place,), Load(0, 8, False, "error", "", "kernel", "__per_cpu_offset"))
    return b.op("add", (base, mine))


def _special(lo: Lower, e: ast.Target) -> Operand:
    """`$$name`, `$$parms`, `$$vars`, `$$return`."""
    context = lo.body.context
    assert context is not None
    if e.name == "$$name":
        if "name" in context.of_function:
            from .lower_calls import of_function

            return of_function(lo, "name", context.of_function["name"])
        return Text(latin(context.name))
    if e.name in ("$$system", "$$provider", "$$syscall"):
        return Text(latin(context.provider if e.name != "$$syscall" else context.name))
    shown = [v for v in context.variables.values() if context.lists(e.name, v.name)]
    gone = "".join(f" {name}=?" for name in context.missing if context.lists(e.name, name))
    if not shown:
        return Text(latin(gone.strip()))
    from .lower_print import write

    parts: list[str | Directive] = []
    operands: list[Operand] = []
    for var in shown:
        btf = lo.unit.target.btf
        whole = by_value.holder(btf, var) is not None
        if whole:
            value = by_value.text(lo, btf, var, e.pretty)
        else:
            value = variable(lo, var)
            if e.pretty:
                from .pretty import parameter

                value = parameter(lo, btf, value, var.type, f"${var.name}", e.pretty)
        parts += [
            f"{' ' if parts else ''}{var.name}=",
            Directive("s") if e.pretty or whole else Directive("x", "#"),
        ]
        operands.append(value)
    if gone:
        parts.append(latin(gone))
    return write(lo, parts, operands, True)


def at_op(lo: Lower, e: ast.AtOp) -> Operand:
    """`@defined`, `@enum`, `@const`, `@enumname`, `@kderef`."""
    op = e.op
    if op == "@entry":
        return at_entry(lo.body.notes[e])
    if op in ("@defined", "@probewrite", "@enum", "@const"):
        return Const(int(lo.body.notes[e]))
    if op == "@enumname":
        kind = e.args[1]
        assert isinstance(kind, ast.String)
        value = lo.expr(e.args[0])
        return lo.b.op("call", (value, Text(latin(kind.value))), "enum_name", "str")
    size = e.args[0]
    assert isinstance(size, ast.Number)
    if op in ("@kregister", "@uregister"):
        from .registers import read_numbered

        return read_numbered(lo, op == "@uregister", size.value)
    at = lo.value(e.args[1])
    place = at if isinstance(at, Place) else Place(at, 0, "", None, e.args[1].span.text)
    space = "user" if op == "@uderef" else "kernel"
    load = Load(place.off, size.value, False, "error", "", space, place.what)
    return lo.b.op("load", (place.base,), load)


TABLE: dict[type, Any] = {
    ast.Target: access,
    ast.Cast: access,
    ast.Var: access,
    ast.Deref: access,
    ast.AtOp: at_op,
}
