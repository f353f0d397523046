"""Writing a body of C as IR: the frame, scopes, variables, and the conversions that all parts use."""

from __future__ import annotations

from ...btf import types as t
from ...diag import CompileError, Diagnostic
from ...ir.nodes import STR, Const, Label, Local, Text
from ...node import Node
from ...source import NOWHERE
from ..paths import Place, emit_value
from .types import TEXT, VOID, MadePtr
from .values import Value, Variable, cut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...lang.c.parse import Tree
    from ...source import Span
    from ..build import Builder, Operand
    from .library import Library
    from .types import Types


class Frame(Node):
    """What surrounds C code. params: STAP_ARG_x; result: STAP_RETVALUE or None; label: where `return` goes."""

    b: Builder
    params: dict[str, Local]
    result: Local | None
    label: Label


def lower_body(library: Library, code: str, span: Span, frame: Frame) -> None:
    """Write the statements of a body. Raises CompileError."""
    tree = library.body(code, span)
    c = Lower(library, tree, frame)
    before = frame.b.span
    c.run_block(tree.root)
    frame.b.span = before


def lower_expression(library: Library, code: str, span: Span, frame: Frame, text: bool) -> Operand:
    """Write one expression; return its value, a string if `text`."""
    tree = library.expression(code, span)
    c = Lower(library, tree, frame)
    b = frame.b
    before = b.span
    value = c.expr(tree.root)
    if text:
        operand = c.text_of(value, tree.root)
    else:
        operand, _ = c.scalar(value, tree.root)
    b.span = before
    return operand


class Lower:
    """Writes one body. scopes: the variables in sight, innermost last; `inside`: functions being written in place."""

    __slots__ = (
        *(
            "b",
            "break_",
            "continue_",
            "frame",
            "inside",
            "library",
            "result",
            "return_",
            "scopes",
            "texts",
            "tree",
        ),
        "types",
    )

    def __init__(self, library: Library, tree: Tree, frame: Frame) -> None:
        self.library: Library = library
        self.types: Types = library.types
        self.tree = tree
        self.frame = frame
        self.b = frame.b
        self.scopes: list[dict[str, Variable]] = [{}]
        self.return_: Label = frame.label
        self.break_: Label | None = None
        self.continue_: Label | None = None
        self.inside: tuple[str, ...] = ()
        self.result: Variable | None = None  # of a function in C that is being written in place
        self.texts: frozenset[str] = frozenset()  # char pointers that are assigned strings

    # ------------------------------------------------------------------ walking

    def span(self, node: Any) -> Span:
        """Return a node's place in the script; what surrounds it where the parser doesn't know."""
        found = self.tree.span(node)
        return self.b.span if found is NOWHERE else found

    def refuse(self, what: str, node: Any, *hints: str) -> CompileError:
        """Return the error for what is outside the subset."""
        return CompileError(
            Diagnostic("E402", f"not supported in embedded C: {what}", self.span(node), hints=hints)
        )

    def error(self, code: str, message: str, node: Any, *hints: str) -> CompileError:
        """Return the error for a mistake."""
        return CompileError(Diagnostic(code, message, self.span(node), hints=hints))

    def run_block(self, block: Any) -> None:
        """Write the statements of the outermost block."""
        from .texts import assigned_texts

        self.texts = assigned_texts(block, self.frame.params)
        self.stmt(block)

    def stmt(self, node: Any) -> None:
        """Write a statement."""
        from .stmts import STATEMENTS

        write = STATEMENTS.get(node.__class__.__name__)
        before = self.b.span
        self.b.span = self.span(node)
        if write is not None:
            write(self, node)
        else:
            self.expr(node, used=False)
        self.b.span = before

    def expr(self, node: Any, used: bool = True) -> Value:
        """Write an expression; `used`: whether its value is wanted."""
        from .expr import EXPRESSIONS

        kind = node.__class__.__name__
        write = EXPRESSIONS.get(kind)
        if write is None:
            raise self.refuse(_WORDS.get(kind, "this"), node)
        before = self.b.span
        self.b.span = self.span(node)
        value: Value = write(self, node, used)
        self.b.span = before
        return value

    # ------------------------------------------------------------------ values

    def number(self, value: Value, node: Any) -> Operand:
        """Return the operand of a value that is a number or an address."""
        if value.is_text:
            raise self.refuse("a string where a number is needed", node, "strcmp(a, b) == 0 compares strings")
        if value.operand is not None:
            return value.operand
        if value.variable is not None:
            return value.variable.local
        assert value.walk is not None and value.base is not None
        here = self.types.resolve(value.type)
        if isinstance(here, t.Composite) and not value.walk.is_address:
            raise self.refuse("a struct as a value", node)
        found = emit_value(self.b, value.walk, value.base, list(value.indexes))
        return found.operand(self.b) if isinstance(found, Place) else found

    def scalar(self, value: Value, node: Any) -> tuple[Operand, t.Type]:
        """Return (operand, type) of a number or address; an array is the address of its first element."""
        here = self.types.resolve(value.type)
        if isinstance(here, t.Composite):
            raise self.refuse("a struct as a value", node, "take its address or one of its members")
        operand = self.number(value, node)
        if isinstance(here, t.Array):
            return operand, MadePtr(here.type)
        if isinstance(here, t.Void) and value.operand is None:
            return operand, MadePtr(VOID)
        return operand, value.type

    def convert(self, operand: Operand, source: t.Type, target: t.Type) -> Operand:
        """Return the operand as a value of another type."""
        integer = self.types.integer(target)
        if integer is None or operand.type == STR:
            return operand
        size, signed = integer
        if self.types.is_bool(target):
            if self.types.is_bool(source):
                return operand
            return (
                Const(int(operand.value != 0))
                if isinstance(operand, Const)
                else self.b.op("ne", (operand, Const(0)))
            )
        if isinstance(operand, Const):
            return cut(operand.value, size, signed)
        if size == 8:
            return operand
        known = self.types.integer(source)
        if known is not None:
            have, was = known
            if (have == size and was == signed) or (have < size and (signed or not was)):
                return operand
        return self.b.op("sext" if signed else "zext", (operand,), 8 * size)

    def truth(self, node: Any) -> Operand:
        """Write a condition."""
        operand, _ = self.scalar(self.expr(node), node)
        return operand

    def text_of(self, value: Value, node: Any, most: int = 0) -> Operand:
        """Return a string of the IR: the value's own, or what lies in the kernel's memory at a char pointer."""
        from .strings import text_of

        return text_of(self, value, node, most)

    # ------------------------------------------------------------------ variables

    def find(self, name: str) -> Variable | None:
        """Return the variable of that name that is in sight."""
        for scope in reversed(self.scopes):
            found = scope.get(name)
            if found is not None:
                return found
        return None

    def retvalue(self, node: Any) -> Variable:
        """Return STAP_RETVALUE."""
        result = self.frame.result
        if self.inside or result is None:
            raise self.refuse("STAP_RETVALUE outside of a script function's own body", node)
        from .types import LONG

        return Variable(
            result, TEXT if result.type == STR else LONG, self.max_string if result.type == STR else 0
        )

    def argument(self, name: str, node: Any) -> Variable:
        """Return STAP_ARG_x."""
        from .types import LONG

        local = None if self.inside else self.frame.params.get(name)
        if local is None:
            from ...diag import did_you_mean

            near = did_you_mean(name, self.frame.params)
            hints = (f"did you mean STAP_ARG_{near}?",) if near else ()
            raise self.error("E209", f"the function has no parameter '{name}'", node, *hints)
        return Variable(local, TEXT if local.type == STR else LONG)

    @property
    def max_string(self) -> int:
        """MAXSTRINGLEN."""
        return self.library.options.maxstringlen

    def assign(self, variable: Variable, operand: Operand, source: t.Type, node: Any) -> None:
        """Store a value in a variable."""
        if variable.text != (operand.type == STR):
            if variable.text and isinstance(operand, Const) and operand.value == 0:
                operand = Text("")
            elif variable.text:
                raise self.refuse(
                    "this value where a string is needed",
                    node,
                    "strlcpy(STAP_RETVALUE, from, MAXSTRINGLEN) copies one",
                )
            else:
                raise self.refuse("a string where a number is needed", node)
        self.b.mov(variable.local, self.convert(operand, source, variable.type))


_WORDS = {
    "CompoundLiteral": "a compound literal",
    "InitList": "an initialiser in braces",
    "NamedInitializer": "an initialiser in braces",
    "Goto": "goto",
}
