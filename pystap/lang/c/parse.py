"""Expanded C -> pycparser's tree.

    parse_body(tokens, is_type, locate)   the statements of a function: FuncDef `f`
    parse_unit(...)                       declarations and functions: FileAST
    parse_expression(...)                 one expression

`is_type(name)` says whether a name is a typedef: C can't be parsed without that. The coordinates of the tree
are in the expanded text; `Tree.span(node)` is the place in the script.
"""

from __future__ import annotations

from ...diag import fail
from ...source import NOWHERE, Span
from .preprocess import Expanded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from .preprocess import Locate, Token

    Node = Any  # pycparser.c_ast.Node

_HEAD = "void f(void) {"
_DEEPEST = 150  # parentheses and braces in each other

# Words that pycparser takes for names, or stumbles over, and what to say instead.
_OUTSIDE = {
    "typeof": "give the type's name",
    "__typeof__": "give the type's name",
    "asm": "there is no assembly in eBPF programs",
    "__asm__": "there is no assembly in eBPF programs",
    "goto": "use if, else and return",
    "float": "use integers",
    "double": "use integers",
}


class Tree:
    """A tree of pycparser's, and where its nodes stand in the script."""

    __slots__ = ("expanded", "locate", "root", "starts")

    def __init__(self, root: Node, expanded: Expanded, locate: Locate) -> None:
        self.root = root
        self.expanded = expanded
        self.locate = locate
        self.starts = _line_starts(expanded.text)

    def span(self, node: Node) -> Span:
        """Return the place of a node."""
        coord = getattr(node, "coord", None)
        if coord is None or not coord.line:
            return NOWHERE
        return _place(self.expanded, self.starts, coord.line, coord.column or 1, self.locate)


def _line_starts(text: str) -> list[int]:
    starts = [0]
    at = text.find("\n")
    while at >= 0:
        starts.append(at + 1)
        at = text.find("\n", at + 1)
    return starts


def _place(expanded: Expanded, starts: list[int], line: int, column: int, locate: Locate) -> Span:
    offset = starts[min(line, len(starts)) - 1] + column - 1
    place = expanded.place(offset)
    if place is None:
        return NOWHERE
    end = offset
    text = expanded.text
    if text[offset : offset + 1] == '"':
        end = text.find('"', offset + 1) + 1 or offset
    while end < len(text) and (text[end].isalnum() or text[end] == "_"):
        end += 1
    return locate(place, place + max(1, end - offset))


def pycparser(span: Span) -> Any:
    """Return the package; a diagnostic says how to get it where it is missing."""
    from importlib import import_module

    try:
        import_module("pycparser.c_parser")
    except ImportError:
        raise fail(
            "E407",
            "this script has C code, and reading C needs the Python package pycparser, which isn't installed",
            span,
            "apt install python3-pycparser, or: pip install pycparser",
        ) from None
    return import_module("pycparser")


def parse_body(tokens: list[Token], is_type: Callable[[str], bool], locate: Locate, span: Span) -> Tree:
    """Return the tree of a function's statements; its root is the Compound."""
    tree = _parse(tokens, is_type, locate, span, _HEAD, "\n}")
    tree.root = tree.root.body
    return tree


def parse_expression(tokens: list[Token], is_type: Callable[[str], bool], locate: Locate, span: Span) -> Tree:
    """Return the tree of an expression."""
    tree = _parse(tokens, is_type, locate, span, f"{_HEAD} __value = (", "\n); }")
    items = tree.root.body.block_items
    if len(items) != 1:
        raise fail("E160", "this is not one C expression", span)
    tree.root = items[0].rvalue
    return tree


def parse_unit(tokens: list[Token], is_type: Callable[[str], bool], locate: Locate, span: Span) -> Tree:
    """Return the tree of declarations and functions; its root is the list of them."""
    tree = _parse(tokens, is_type, locate, span, "", "")
    tree.root = [node for node in tree.root.ext if _ours(node)]
    return tree


def _ours(node: Node) -> bool:
    """Whether a declaration is the script's, not one of the typedefs put before it."""
    coord = node.coord
    return coord is None or coord.line > 1


def _parse(
    tokens: list[Token], is_type: Callable[[str], bool], locate: Locate, span: Span, head: str, tail: str
) -> Tree:
    package = pycparser(span)
    _outside(tokens, locate)
    prefix = "".join(f"typedef int {name};" for name in sorted(_types(tokens, is_type))) + "\n" + head
    expanded = Expanded(tokens, prefix, tail)
    try:
        root = package.c_parser.CParser().parse(expanded.text, "c")
    except package.c_parser.ParseError as error:
        raise _syntax_error(str(error), expanded, locate, span) from None
    except AssertionError:  # pycparser before 3.0 checks its own state so, at braces that close nothing
        raise fail("E160", "this C code closes a brace or parenthesis that it didn't open", span) from None
    except RecursionError:
        raise fail("E160", "this C code is nested too deeply", span) from None
    tree = Tree(root, expanded, locate)
    if head:
        rest = [node for node in root.ext if _ours(node)]
        if len(rest) != 1:
            raise fail("E160", "this C code closes a brace or parenthesis that it didn't open", span)
        tree.root = rest[0]
    return tree


def _types(tokens: list[Token], is_type: Callable[[str], bool]) -> Iterable[str]:
    """Return the names that are typedefs; members of structs may have the same names."""
    found = set()
    before = ""
    for token, _ in tokens:
        if token.isidentifier() and before not in ("->", ".") and is_type(token):
            found.add(token)
        if token not in " \n":
            before = token
    return found


def _outside(tokens: list[Token], locate: Locate) -> None:
    """Raise for what no C parser of ours takes: statement expressions, assembly, typeof, floating point."""
    before = ""
    depth = 0
    for token, place in tokens:
        if token in _OUTSIDE and before not in ("->", "."):
            raise _refuse(f"'{token}'", locate(place, place + len(token)), _OUTSIDE[token])
        if token == "{" and before == "(":
            raise _refuse("a statement expression '({ ... })'", locate(place, place + 1), "write a function")
        if token in "({[":
            depth += 1
            if depth > _DEEPEST:
                raise fail("E160", "this C code is nested too deeply", locate(place, place + 1))
        elif token in ")}]":
            depth -= 1
        if token not in " \n":
            before = token


def _refuse(what: str, span: Span, *hints: str) -> Exception:
    return fail("E402", f"not supported in embedded C: {what}", span, *hints)


def _syntax_error(message: str, expanded: Expanded, locate: Locate, span: Span) -> Exception:
    """Return the diagnostic of pycparser's "file:line:column: before: token"."""
    parts = message.split(":", 3)
    if len(parts) == 4 and parts[1].isdecimal() and parts[2].isdecimal():
        starts = _line_starts(expanded.text)
        where = _place(expanded, starts, int(parts[1]), int(parts[2]), locate)
        words = parts[3].strip()
        if words.startswith("before: "):
            words = f"something is wrong before '{words[8:]}'"
    else:
        where = span
        words = "it ends too early" if "end of input" in message.lower() else message
    return fail("E160", f"this is not C: {words}", where)
