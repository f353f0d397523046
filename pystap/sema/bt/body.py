"""`Body` writes the IR of one probe, checking types as it goes.

Expressions give a `Val`; statements give nothing. The functions for each kind of node stand in tables, EXPRESSIONS and
STATEMENTS, which are put together at the end. A mistake in a statement is reported, and the next statement follows.
"""

from __future__ import annotations

from ...diag import CompileError, Diagnostic
from ...ir.nodes import STR, Const, Label, Local, Text
from ...lang.bt import ast
from ..build import Builder
from . import types
from .scope import Scope
from .types import is_number, name
from .values import UNKNOWN, Val, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ...ir.nodes import Stmt
    from ...source import Span
    from ..build import Operand
    from .functions import Frame
    from .points import Point
    from .unit import Unit


def error(code: str, message: str, span: Span, *hints: str) -> CompileError:
    """Return (to be raised) the error of one diagnostic; empty hints are left out."""
    return CompileError(Diagnostic(code, message, span, hints=tuple(h for h in hints if h)))


def later(what: str, span: Span, *hints: str) -> CompileError:
    """Return (to be raised) the error for what these passes can't do yet."""
    return error("E401", f"not supported yet: {what}", span, *hints)


class Body:
    """One probe's handler. loops: (label of break, label of continue), the innermost last."""

    __slots__ = ("b", "frame", "label", "loops", "number", "pinned", "point", "scope", "unit")

    def __init__(self, unit: Unit, point: Point, number: int) -> None:
        self.unit = unit
        self.point = point
        self.number = number
        self.b = Builder()
        self.scope = Scope(None)
        self.label = Label("probe")
        self.loops: list[tuple[Label, Label]] = []
        self.frame: Frame | None = None  # the script's function that is being written
        self.pinned = False  # what is written comes from no text of the script: its place is where it is used

    # values

    def value(self, node: ast.Expr | ast.Type) -> Val:
        """Write an expression."""
        b = self.b
        before = b.span
        if not self.pinned:
            b.span = node.span
        value = EXPRESSIONS[type(node)](self, node)
        b.span = before
        return value

    def values(self, nodes: Sequence[ast.Expr]) -> list[Val]:
        """Write several expressions, each with the value that it has when its turn comes."""
        out: list[Val] = []
        last = len(nodes) - 1
        for number, node in enumerate(nodes):
            value = self.value(node)
            if number < last and isinstance(node, ast.Variable) and _may_change(nodes[number + 1 :]):
                value = self.held(value)
            out.append(value)
        return out

    def held(self, value: Val) -> Val:
        """Return the value in locals that nothing assigns again."""
        if value.ops is None:
            return value
        return Val(value.type, [self.b.copy(op) for op in value.ops], None, value.const)

    def ops(self, value: Val) -> list[Operand]:
        """Return the parts of a value, read from memory if it lies there."""
        if value.type.kind == "stat":
            value = self.coerced(value)
        if value.ops is None and value.mem is None and value.const is None:
            raise later("this array as a whole", self.b.span, "use its elements")
        return read(self.b, value)

    def coerced(self, value: Val) -> Val:
        """Return a map's aggregate as the number that it stands for."""
        if value.type.kind != "stat":
            return value
        info, keys, span = value.element
        kind = value.type.note
        if kind not in ("count", "sum", "avg", "min", "max"):
            raise error("E255", f"'{info.text}' is a {kind}(): it has no value of its own", span, "print(it)")
        type = types.UINT64 if kind == "count" or not value.type.signed else types.INT64
        return Val(type, [self.b.op("stat", keys, (info.glob, kind, ()))])

    def number_of(self, node: ast.Expr, what: str = "") -> tuple[Operand, Val]:
        """Write an expression that has to be a number; return its operand and value."""
        return self.as_number(self.value(node), node.span, what)

    def as_number(self, value: Val, span: Span, what: str = "") -> tuple[Operand, Val]:
        """Return the operand of a value that has to be a number."""
        value = self.unit.guess(self.coerced(value))
        type = value.type
        if type.kind == "none":
            return Const(0), value
        if not is_number(type):
            words = f"{what} needs a number" if what else "a number is needed here"
            raise error("E251", f"{words}, not {name(type)}", span)
        return self.ops(value)[0], value

    def constant(self, node: ast.Expr, what: str) -> int:
        """Return the number that an expression is known to be."""
        value = self.value(node)
        if not isinstance(value.const, int):
            raise error("E258", f"{what} has to be a constant number", node.span)
        return value.const

    def literal(self, node: ast.Expr | ast.Type, what: str) -> str:
        """Return the text that an expression is known to be."""
        value = self.value(node)
        if not isinstance(value.const, str):
            raise error("E258", f"{what} has to be a string literal", node.span)
        return value.const

    def string_of(self, node: ast.Expr, what: str = "") -> Operand:
        """Write an expression that has to be a string."""
        value = self.value(node)
        if value.type.kind == "none":
            return Text("")
        if value.type.kind != "str":
            words = f"{what} needs a string" if what else "a string is needed here"
            hint = f"str({node.span.text}) reads one" if value.type.kind in ("ptr", "int") else ""
            raise error("E251", f"{words}, not {name(value.type)}", node.span, hint)
        return self.ops(value)[0]

    def truth(self, node: ast.Expr) -> tuple[Operand, Val]:
        """Write a condition: a number, true unless 0."""
        return self.number_of(node, "a condition")

    def guard(self, node: ast.Expr) -> None:
        """Write a condition; what follows is written where it holds. `a && b` is one inside of the other."""
        links: list[ast.Expr] = []
        while isinstance(node, ast.Binary) and node.op == "&&":
            links.append(node.right)
            node = node.left
        for link in (node, *reversed(links)):
            cond, value = self.truth(link)
            if value.const is None or not value.const:
                self.b.span = link.span
                self.b.into(self.b.branch(cond)[0])

    def local(self, type: str, stem: str = "v") -> Local:
        """Return a fresh local that may be assigned several times."""
        self.b.count += 1
        return Local(f"{stem}{self.b.count}", type)

    def call(self, builtin: str, *args: Operand, type: str = "i64") -> Operand:
        """Write a call of an IR builtin with a result."""
        return self.b.op("call", args, builtin, type)

    def text_call(self, builtin: str, *args: Operand) -> Operand:
        """Write a call of an IR builtin that gives a string."""
        return self.b.op("call", args, builtin, STR)

    # statements

    def stmt(self, node: ast.Statement) -> None:
        """Write a statement; a mistake in it is reported."""
        before = self.b.span
        self.b.span = node.span
        scope, out = self.scope, self.b.out
        length = len(out)
        try:
            STATEMENTS[type(node)](self, node)
            if len(out) == length and self.b.out is out and _does(node) and self.unit.sure():
                raise error("E268", "this statement would be left out", node.span)
        except CompileError as failed:
            self.unit.report(failed)
            self.scope = scope
            self.b.out = out
            self._anyhow(node)
        self.b.span = before

    def _anyhow(self, node: ast.Statement) -> None:
        """Let the variable of a wrong assignment be there, so that its uses aren't reported too."""
        target = node.target if isinstance(node, ast.Assign) else node
        if isinstance(target, (ast.Variable, ast.Let)) and self.scope.find(target.name) is None:
            from .assign import make

            make(self, target.name, node.span)

    def block(self, node: ast.Block) -> None:
        """Write a block in a scope of its own."""
        self.scope = Scope(self.scope)
        for statement in node.statements:
            self.stmt(statement)
        if node.value is not None:
            self.value(node.value)
        assert self.scope.parent is not None
        self.scope = self.scope.parent

    def within(self, body: list[Stmt], node: ast.Block) -> None:
        """Write a block into a list."""
        before = self.b.into(body)
        self.block(node)
        self.b.into(before)

    def unknown(self) -> Val:
        """Return a value of which nothing is known."""
        return UNKNOWN


_SIMPLE = (
    ast.Integer,
    ast.String,
    ast.Variable,
    ast.Identifier,
    ast.Member,
    ast.Boolean,
    ast.Positional,
    ast.Cast,
)


_WORDS = "printf print clear zero delete exit errorf warnf system cat time join signal signal_thread override"
_EFFECTS = frozenset(_WORDS.split())


def _does(node: ast.Statement) -> bool:
    """Say whether a statement can't be without any IR. (One whose value was worked out before needs none.)"""
    if isinstance(node, ast.ExprStatement):
        expr = node.expr
        return isinstance(expr, ast.IncDec) or (isinstance(expr, ast.Call) and expr.name in _EFFECTS)
    return isinstance(node, ast.Assign) or (isinstance(node, ast.Let) and node.value is not None)


def _may_change(nodes: Sequence[ast.Expr]) -> bool:
    """Say whether the expressions may assign a variable."""
    return any(not isinstance(node, _SIMPLE) for node in nodes)


EXPRESSIONS: dict[type, Callable[[Body, Any], Val]] = {}
STATEMENTS: dict[type, Callable[[Body, Any], None]] = {}
