"""Constant expressions: enumerators, sizes of arrays, labels of `case`."""

from __future__ import annotations

from ...diag import fail
from ...lang.c.conditions import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...lang.c.parse import Tree
    from .library import Library

    Node = Any


def character(text: str) -> int:
    """Return the value of a character literal such as 'a'."""
    value = unescape(text[1:-1])
    code = ord(value[0]) if value else 0
    return code - 256 if code > 127 else code


_ESCAPES = {
    "n": 10,
    "t": 9,
    "r": 13,
    "a": 7,
    "b": 8,
    "f": 12,
    "v": 11,
    "\\": 92,
    "'": 39,
    '"': 34,
    "?": 63,
    "e": 27,
}


def unescape(text: str) -> str:
    """Return the bytes of a C literal's inside, as latin-1 text."""
    if "\\" not in text:
        return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("latin-1")
    out: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        at += 1
        if char != "\\" or at >= len(text):
            out.append(char if char.isascii() else char.encode("utf-8", "surrogateescape").decode("latin-1"))
            continue
        char = text[at]
        if char == "x":
            end = at + 1
            while end < len(text) and text[end] in "0123456789abcdefABCDEF":
                end += 1
            out.append(chr(int(text[at + 1 : end] or "0", 16) & 255))
            at = end
        elif char in "01234567":
            end = at
            while end < len(text) and end < at + 3 and text[end] in "01234567":
                end += 1
            out.append(chr(int(text[at:end], 8) & 255))
            at = end
        else:
            out.append(chr(_ESCAPES.get(char, ord(char) & 255)))
            at += 1
    return "".join(out)


def literal(node: Node) -> int | None:
    """Return the value of an integer or character literal, or None."""
    if node.__class__.__name__ != "Constant":
        return None
    text = node.value
    if text.endswith("'"):
        return character(text[text.index("'") :])
    return number(text)


def constant(library: Library, node: Node, tree: Tree) -> int:
    """Return the value of a constant expression; CompileError when it has none that is known now."""
    value = _value(library, node)
    if value is None:
        raise fail("E402", "not supported in embedded C: this isn't a constant number", tree.span(node))
    return value


def _value(library: Library, node: Node) -> int | None:
    kind = node.__class__.__name__
    if kind == "Constant":
        return literal(node)
    if kind == "ID":
        found = library.constant(node.name)
        return None if found is None else found[0]
    if kind == "UnaryOp" and node.op in ("-", "+", "~", "!"):
        inner = _value(library, node.expr)
        if inner is None:
            return None
        return {"-": -inner, "+": inner, "~": ~inner, "!": int(not inner)}[node.op]
    if kind == "BinaryOp":
        left, right = _value(library, node.left), _value(library, node.right)
        if left is None or right is None:
            return None
        from ...lang.c.conditions import evaluate

        return evaluate(["(", *_signed(left), ")", node.op, "(", *_signed(right), ")"])
    return None


def _signed(value: int) -> list[str]:
    return ["-", str(-value)] if value < 0 else [str(value)]
