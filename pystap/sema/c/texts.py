"""Which char pointers of a body are strings of the IR: those that are assigned a literal or a string argument."""

from __future__ import annotations

from ...ir.nodes import STR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from ...ir.nodes import Local

    Node = Any


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all under it."""
    stack = [node]
    while stack:
        top = stack.pop()
        yield top
        stack += [child for _, child in top.children()]


def is_text(node: Node, params: Mapping[str, Local], known: set[str]) -> bool:
    """Whether an expression is a string by its form."""
    kind = node.__class__.__name__
    if kind == "Constant":
        return bool(node.type == "string")
    if kind == "TernaryOp":
        return is_text(node.iftrue, params, known) or is_text(node.iffalse, params, known)
    if kind == "Cast":
        return is_text(node.expr, params, known)
    if kind == "StructRef":
        return (
            node.name.__class__.__name__ == "ID"
            and node.name.name == "THIS"
            and node.field.name in params
            and params[node.field.name].type == STR
        )
    if kind == "ID":
        name = node.name
        if name in known:
            return True
        if name.startswith("STAP_ARG_"):
            local = params.get(name[9:])
            return local is not None and local.type == STR
    return False


def assigned_texts(block: Node, params: Mapping[str, Local]) -> frozenset[str]:
    """Return the names of variables that some assignment or initialiser gives a string."""
    known: set[str] = set()
    while True:
        before = len(known)
        for node in walk(block):
            kind = node.__class__.__name__
            if kind == "Assignment" and node.op == "=" and node.lvalue.__class__.__name__ == "ID":
                if is_text(node.rvalue, params, known):
                    known.add(node.lvalue.name)
            elif kind == "Decl" and node.init is not None and is_text(node.init, params, known):
                known.add(node.name)
        if len(known) == before:
            return frozenset(known)


def returns_text(block: Node, params: Mapping[str, Local], known: frozenset[str]) -> bool:
    """Whether some `return` of a function gives a string."""
    names = set(known)
    return any(
        node.__class__.__name__ == "Return" and node.expr is not None and is_text(node.expr, params, names)
        for node in walk(block)
    )
