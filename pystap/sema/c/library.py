"""What the C code of a file shares: macros, functions, typedefs, enumerators, and kernel variables by `extern`."""

from __future__ import annotations

from ...diag import fail
from ...lang.c.parse import parse_body, parse_expression, parse_unit
from ...lang.c.preprocess import Preprocessor
from ...source import Source, Span
from .helpers import HELPERS
from .types import INT, Types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...btf import types as t
    from ...lang.c.parse import Tree
    from ...lang.c.preprocess import Locate
    from ...options import Options
    from ..target import Target

    Node = Any


class CFunction:
    """A function in C: its name, parameters and body are in `node` (pycparser's FuncDef)."""

    __slots__ = ("node", "tree")

    def __init__(self, node: Node, tree: Tree) -> None:
        self.node = node
        self.tree = tree


class Library:
    """The declarations of one file's C code; bodies and expressions are parsed with what is known so far."""

    __slots__ = (
        "constants",
        "functions",
        "options",
        "parsed",
        "preprocessor",
        "target",
        "types",
        "variables",
    )

    def __init__(self, target: Target, options: Options) -> None:
        self.target: Target = target
        self.options = options
        self.types = Types(target.btf)
        self.preprocessor = Preprocessor(target.release, target.config)
        for name, value in options.defines:
            self.preprocessor.define(name, value)
        self.functions: dict[str, CFunction] = {}
        self.variables: dict[str, t.Type] = {}
        self.constants: dict[str, int] = {}
        self.parsed: dict[tuple[int, int, int], Tree] = {}

    # ------------------------------------------------------------------ parsing

    def add(self, code: str, span: Span) -> None:
        """Add declarations that stand at the top level."""
        locate = locator(span, code)
        tokens = self.preprocessor.run(code, 0, locate)
        if all(token in " \n" for token, _ in tokens):
            return
        tree = parse_unit(tokens, self.types.is_type, locate, span)
        for node in tree.root:
            self._declare(node, tree)

    def body(self, code: str, span: Span) -> Tree:
        """Return the tree of a body: a Compound."""
        return self._tree(code, span, False)

    def expression(self, code: str, span: Span) -> Tree:
        """Return the tree of an expression."""
        return self._tree(code, span, True)

    def _tree(self, code: str, span: Span, expression: bool) -> Tree:
        key = (id(span.source), span.start, span.end)
        found = self.parsed.get(key)
        if found is None:
            locate = locator(span, code)
            tokens = self.preprocessor.run(code, 0, locate)
            parse = parse_expression if expression else parse_body
            found = self.parsed[key] = parse(tokens, self.types.is_type, locate, span)
        return found

    def function(self, name: str) -> CFunction | None:
        """Return the script's function of that name, or the kernel headers', or None."""
        found = self.functions.get(name)
        if found is None:
            text = HELPERS.get(name)
            if text is not None:
                source = Source(f"<{name}>", text)
                before = set(self.functions)
                self.add(text, source.span(0, len(text)))
                assert set(self.functions) - before <= {name}
                found = self.functions.get(name)
        return found

    # ------------------------------------------------------------------ declarations

    def _declare(self, node: Node, tree: Tree) -> None:
        kind = node.__class__.__name__
        span = tree.span(node)
        if kind == "FuncDef":
            self.functions[node.decl.name] = CFunction(node, tree)
        elif kind == "Typedef":
            self.types.typedefs[node.name] = self.types.of(node.type, span)
        elif kind == "Decl":
            self._declaration(node, tree, span)
        elif kind not in ("Pragma", "EmptyStatement"):
            raise fail("E402", "not supported in embedded C: this declaration", span)

    def _declaration(self, node: Node, tree: Tree, span: Span) -> None:
        inner = node.type.__class__.__name__
        if inner == "Enum":
            self._enumerators(node.type, tree)
            return
        if inner == "FuncDecl":
            return  # a prototype; a call of what is nowhere defined is refused at its place
        if inner in ("Struct", "Union") and node.name is None:
            if node.type.decls is None:
                return
            raise fail(
                "E402",
                f"not supported in embedded C: defining a {inner.lower()}",
                span,
                "types come from the kernel's BTF",
            )
        if "extern" in node.storage:
            self.variables[node.name] = self.types.of(node.type, span)
            return
        raise fail(
            "E402",
            f"not supported in embedded C: the variable '{node.name}' outside of functions",
            span,
            f"use a script global: global {node.name}",
        )

    def _enumerators(self, node: Node, tree: Tree) -> None:
        from .fold import constant

        if node.values is None:
            return
        value = -1
        for item in node.values.enumerators:
            value = value + 1 if item.value is None else constant(self, item.value, tree)
            self.constants[item.name] = value

    def constant(self, name: str) -> tuple[int, t.Type] | None:
        """Return (value, type) of an enumerator or of a constant of the public headers, or None."""
        value = self.constants.get(name)
        if value is None:
            value = self.types.constant(name)
        return None if value is None else (value, _type_of(value))


def _type_of(value: int) -> t.Type:
    from .types import LONG, ULONG

    if -(1 << 31) <= value < 1 << 31:
        return INT
    return LONG if value < 1 << 63 else ULONG


def locator(span: Span, code: str) -> Locate:
    """Return what turns places in the code into spans of the script."""
    text = span.text
    shift = text.find(code) if code else 0
    source = span.source
    if shift < 0:  # the code isn't there as it stands: it came out of a macro
        return lambda start, end: span
    base = span.start + shift

    def locate(start: int, end: int) -> Span:
        last = min(base + end, span.end)
        return Span(source, min(base + start, span.end - 1), last, span.via)

    return locate
