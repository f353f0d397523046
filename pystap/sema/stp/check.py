"""Pass 4: names and types of every handler and of the functions that they call.

Adds to each body its variables and `notes`, to globals their types, keys and what aggregates must keep.
A body is walked once: operators fix the types of their operands, assignments and calls make types one.
The branches that `@defined` rules out are not looked at.
"""

from __future__ import annotations

from ...diag import CompileError, Diagnostic
from ...lang.stp import ast
from . import check_access, check_calls, check_expr, check_stmt, iterated
from .points import add_probes
from .prologue import complete
from .symbols import Body, Var
from .types import LONG, T, want

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...source import Span
    from .symbols import Derived, FileScope, FunctionInstance, GlobalVar
    from .unit import Unit

    Pending = tuple["Checker", Body, FileScope, ast.Deref, T]


def run(unit: Unit) -> None:
    """Check every handler; functions are checked where they are first called."""
    pending: list[Pending] = []
    _handlers(unit, unit.probes, pending)
    done: set[str] = set()
    while len(done) < len(unit.library):  # files of the library may bring probes of their own
        for name, scope in list(unit.library.items()):
            if name not in done:
                done.add(name)
                if scope.file.probes:
                    added = add_probes(unit, scope)
                    complete(unit, added)
                    _handlers(unit, added, pending)
    _settle(unit, pending)
    _unused_functions(unit)
    iterated.run(unit)
    if not unit.bag.errors:
        from .warn import run as warn

        warn(unit)


def _unused_functions(unit: Unit) -> None:
    """Check the script's functions that nothing calls too; what they do to globals doesn't count."""
    globals_ = list(unit.scope.globals.values())
    before = [(g.read, g.written) for g in globals_]
    called = {f for function in unit.functions for f in function.overloads}
    pending: list[Pending] = []
    checker = Checker(unit, Body(None, None), pending)
    for overloads in unit.scope.functions.values():
        for function in overloads:
            if function not in called and not check_calls.depends(checker, function, unit.scope):
                check_calls.check_function(checker, check_calls.instance(checker, [function], unit.scope))
    for glob, (read, written) in zip(globals_, before, strict=True):
        glob.read, glob.written = read, written


def _handlers(unit: Unit, probes: list[Derived], pending: list[Pending]) -> None:
    def check(derived: Derived) -> None:
        checker = Checker(unit, derived.body, pending)
        for scope, condition in derived.conditions:
            checker.scope = scope
            want(unit.bag, checker.expr(condition), LONG, condition.span)
        for scope, block in derived.parts:
            checker.scope = scope
            checker.stmt(block)

    if not any(derived.resolved.context.copy_in for derived in probes):
        for derived in probes:
            check(derived)
        return
    from .copies import Copies

    copies = Copies(unit, pending)
    for derived in probes:
        copies.check(derived, check)
    copies.settle()


def _settle(unit: Unit, pending: list[Pending]) -> None:
    """Try the accesses again whose operand had no known type yet, until nothing changes."""
    while pending:
        left = []
        for item in pending:
            checker, body, scope, node, result = item
            checker.body, checker.scope = body, scope
            if not check_access.retry_deref(checker, node, result):
                left.append(item)
        if len(left) == len(pending):
            break
        pending[:] = left
    for node, type in unit.followed:
        top = type.find()
        if top.pointee is None:
            what = "points to different things at different places" if top.torn else "has no known type"
            words = f"'{node.operand.span.text}' {what}"
            unit.bag.error("E234", words, node.operand.span, _CAST_HINT)


_CAST_HINT = 'say what it is: @cast(value, "struct name")->member'


class Checker:
    """Walks one body at a time. `function` is the instance that the body belongs to, None in a handler."""

    __slots__ = ("bag", "body", "function", "pending", "scope", "unit")

    def __init__(self, unit: Unit, body: Body, pending: list[Pending]) -> None:
        self.unit = unit
        self.bag = unit.bag
        self.body = body
        self.scope: FileScope = unit.scope
        self.function: FunctionInstance | None = None
        self.pending = pending

    def expr(self, node: ast.Expr) -> T:
        """Check an expression; return its type."""
        type_: T = EXPRESSIONS[type(node)](self, node)
        return type_

    def stmt(self, node: ast.Stmt) -> None:
        """Check a statement."""
        try:
            STATEMENTS[type(node)](self, node)
        except CompileError as error:
            self.bag.add(error.diagnostic)

    def long(self, node: ast.Expr) -> None:
        """Check an expression that must be a long."""
        want(self.bag, self.expr(node), LONG, node.span)

    def error(self, code: str, message: str, span: Span, *hints: str) -> T:
        """Report an error; return a type that fits everything."""
        self.bag.add(Diagnostic(code, message, span, hints=hints))
        return T()

    def variable(self, node: ast.Name) -> Var | GlobalVar:
        """Return what a name stands for: a global of its file, else a variable of the body, made if new."""
        name = node.name
        var = self.body.vars.get(name)
        if var is not None and (var.param or name not in self.scope.globals):
            return var
        found = self.scope.globals.get(name)
        if found is not None:
            return found
        var = self.body.vars[name] = Var(name, node.span)
        return var


EXPRESSIONS: dict[type, Any] = {
    **check_expr.TABLE,
    **check_calls.TABLE,
    **check_access.TABLE,
}
STATEMENTS: dict[type, Any] = check_stmt.TABLE
