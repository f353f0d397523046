"""Pass 5: checked handlers and functions -> IR.

Operands are written out in the order of the text. A local that is read stays a local, unless an operand behind it
assigns it: then its value is copied first.
"""

from __future__ import annotations

from ...ir import nodes as ir
from ...lang.stp import ast
from ..build import Builder, latin, wrap
from ..paths import Place
from . import lower_access, lower_assign, lower_calls, lower_expr, lower_print, lower_stmt
from .collect import number_of
from .recursion import mark as mark_recursion
from .types import IR_TYPE, STAT, STRING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..build import Operand
    from .symbols import Body, Derived, FileScope, FunctionInstance, GlobalVar, Var
    from .unit import Unit

    Value = Operand | Place


def run(unit: Unit) -> None:
    """Make `unit.module`."""
    _globals(unit)
    mark_recursion(unit.functions)
    made: list[FunctionInstance] = []
    handlers = [_handler(unit, derived, made) for derived in unit.probes]
    frames: list[ir.Global] = []
    if unit.entries:
        from . import entry

        handlers += entry.handlers(unit, made)
        frames = entry.frame_globals(unit)
    for function in made:  # grows while it is walked
        _function(unit, function, made)
    functions = [f.ir for f in made if f.ir is not None]
    globals_ = [g.ir for g in unit.globals if g.ir is not None] + frames
    unit.module = ir.Module("stp", globals_, functions, handlers)


def _globals(unit: Unit) -> None:
    """Give an IR global to every global that something uses."""
    scopes = [unit.scope, *unit.library.values()]
    capacity = unit.options.maxmapentries
    for scope in scopes:
        for var in scope.globals.values():
            if (var.read or var.written) and var.ir is None:  # a user's tapset shares globals with the script
                var.ir = _global(unit, var, capacity)
                unit.globals.append(var)


def _global(unit: Unit, var: GlobalVar, capacity: int) -> ir.Global:
    top = var.type.find()
    keys = tuple(IR_TYPE[k.find().kind] for k in var.keys or ())
    display = "unread" if not (var.library or var.read) and unit.options.display_globals else ""
    stat = None
    if top.kind == STAT:
        ops = set(var.stat_ops)
        if display:
            ops |= {"count", "sum", "min", "max", "avg"}
        stat = ir.Stat(frozenset(ops), 0 if var.hist_log else None, var.hist_linear)
    decl = var.decl
    return ir.Global(
        var.name,
        keys,
        IR_TYPE[top.kind],
        decl.size or capacity,
        decl.wrap,
        initial=_initial(unit, var, top.kind),
        stat=stat,
        display=display,
        fmt="pointer" if top.pointee is not None else None,
        span=decl.span,
    )


def _initial(unit: Unit, var: GlobalVar, kind: str) -> int | str | None:
    given = None if var.library else dict(unit.options.overrides).get(var.name)
    if given is not None:
        number = number_of(given)
        return latin(given) if number is None or kind == STRING else wrap(number)
    init = var.decl.init
    if init is None:
        return None
    return init.value if isinstance(init, ast.Number) else latin(init.value)


def _handler(unit: Unit, derived: Derived, made: list[FunctionInstance]) -> ir.Handler:
    lower = Lower(unit, derived.body, made)
    label = lower.next_label = ir.Label("handler")
    if derived.entry is not None:
        from .entry import open_frame

        open_frame(lower, derived)
    for scope, condition in derived.conditions:
        lower.scope = scope
        lower.b.leave_unless(lower.expr(condition), label)
    for scope, block in derived.parts:
        lower.scope = scope
        lower.stmt(block)
    return ir.Handler(derived.resolved.event, derived.resolved.text, label, lower.b.out, derived.span)


def _function(unit: Unit, function: FunctionInstance, done: list[FunctionInstance]) -> None:
    """Fill the body of a function. `next` goes to the next overload; behind the last one it is an error."""
    made = function.ir
    assert made is not None
    lower = Lower(unit, function, done)
    lower.scope = function.scope
    lower.function = function
    lower.b.out = made.body
    last = len(function.overloads) - 1
    for number, overload in enumerate(function.overloads):
        if number == last and not any(isinstance(n, ast.Next) for n in ast.walk(overload.body)):
            lower.stmt(overload.body)
            return
        lower.next_label = ir.Label("next")
        body: list[ir.Stmt] = []
        before = lower.b.into(body)
        lower.stmt(overload.body)
        lower.b.leave(made.label)
        lower.b.into(before)
        lower.b.out.append(ir.Scope(lower.next_label, body, overload.span))
    lower.b.span = function.span
    lower.b.do("raise", (ir.Text("all functions exhausted"),), function.name)


class Lower:
    """Writes one body. `bound`: parameters of wrappers that are being written in place, with their values."""

    __slots__ = (
        *(
            "b",
            "body",
            "bound",
            "break_label",
            "continue_label",
            "function",
            "made",
            "next_label",
            "pinned",
            "scope",
        ),
        "unit",
    )

    def __init__(self, unit: Unit, body: Body, made: list[FunctionInstance]) -> None:
        self.unit = unit
        self.body = body
        self.scope: FileScope = unit.scope
        self.function: FunctionInstance | None = None
        self.b = Builder()
        self.next_label = ir.Label("next")
        self.break_label: ir.Label | None = None
        self.continue_label: ir.Label | None = None
        self.bound: dict[Var, Value] = {}
        self.pinned = False  # inside a wrapper: what is written there comes from the place of the call
        self.made = made  # functions that have an IR function, in order; their bodies follow

    def value(self, node: ast.Expr) -> Value:
        """Write an expression; return its value, which may be a place whose address nobody computed yet."""
        b = self.b
        before = b.span
        if not self.pinned:
            b.span = node.span
        value: Value = EXPRESSIONS[type(node)](self, node)
        b.span = before
        return value

    def expr(self, node: ast.Expr) -> Operand:
        """Write an expression; return its operand."""
        value = self.value(node)
        return value.operand(self.b) if isinstance(value, Place) else value

    def exprs(self, nodes: list[ast.Expr]) -> list[Operand]:
        """Write several operands, each with the value that it has when its turn comes."""
        out: list[Operand] = []
        last = len(nodes) - 1
        for number, node in enumerate(nodes):
            operand = self.expr(node)
            if number < last and isinstance(operand, ir.Local) and changes_any(nodes[number + 1 :]):
                operand = self.b.copy(operand)
            out.append(operand)
        return out

    def stmt(self, node: ast.Stmt) -> None:
        """Write a statement."""
        before = self.b.span
        self.b.span = node.span
        STATEMENTS[type(node)](self, node)
        self.b.span = before

    def symbol(self, node: ast.Name) -> Var | GlobalVar:
        """Return what a name stands for, as the checker decided."""
        name = node.name
        var = self.body.vars.get(name)
        if var is not None and (var.param or name not in self.scope.globals):
            return var
        return self.scope.globals[name]

    def local(self, var: Var) -> ir.Local:
        """Return the IR local of a variable."""
        found = var.local
        if found is None:
            found = var.local = ir.Local(var.name, IR_TYPE[var.type.find().kind])
        return found

    def function_of(self, function: FunctionInstance) -> ir.Function:
        """Return the IR function of an instance; its body is written after the handlers."""
        made = function.ir
        if made is None:
            params = tuple(self.local(p) for p in function.params)
            kind = function.result.find().kind
            result = ir.Local(f"{function.name}.result", IR_TYPE[kind]) if function.returns or kind else None
            label = ir.Label(function.name)
            alike = sum([f.name == function.name for f in self.made])
            name = f"{function.name}.{alike + 1}" if alike else function.name
            made = function.ir = ir.Function(
                name, params, result, label, [], function.recursive, function.span
            )
            self.made.append(function)
        return made


def changes_any(nodes: list[ast.Expr]) -> bool:
    """Say whether one of the expressions assigns a variable."""
    simple = (ast.Number, ast.String, ast.Name)
    for node in nodes:
        if not isinstance(node, simple):
            for inner in ast.walk(node):
                if isinstance(inner, (ast.Assign, ast.IncDec)):
                    return True
    return False


EXPRESSIONS: dict[type, Any] = {
    **lower_expr.TABLE,
    **lower_assign.TABLE,
    **lower_calls.TABLE,
    **lower_access.TABLE,
    **lower_print.TABLE,
}
STATEMENTS: dict[type, Any] = lower_stmt.TABLE
