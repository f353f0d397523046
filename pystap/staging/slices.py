"""Which loops and try blocks stand between the kernel and the address of a read."""

from __future__ import annotations

from ..ir.nodes import ForEach, Local, Loop, Op, Scope, Stmt, Try
from ..ir.walk import blocks, labels_left, statements


def in_the_way(body: list[Stmt], late: list[Op]) -> list[Stmt]:
    """Return the loops and try blocks that make reads late: those around what makes their addresses.

    None where there is no loop among them: what stands outside of loops needs none of this.
    """
    found: list[Stmt] = []
    if not _holders(body, slice_of(body, late), (), found):
        return []
    return found + [s for holder in found for s in _with_way_out(holder)]


def slice_of(body: list[Stmt], ops: list[Op]) -> set[int]:
    """Return the ids of some operations and of all that their operands may be made by."""
    makers: dict[Local, list[Op]] = {}
    for stmt in statements(body):
        if isinstance(stmt, Op) and stmt.dst is not None:
            makers.setdefault(stmt.dst, []).append(stmt)
    found = {id(op) for op in ops}
    todo = list(ops)
    for op in todo:  # which grows
        for arg in op.args:
            for maker in makers.pop(arg, ()) if isinstance(arg, Local) else ():
                if id(maker) not in found:
                    found.add(id(maker))
                    todo.append(maker)
    return found


def _holders(body: list[Stmt], wanted: set[int], around: tuple[Stmt, ...], found: list[Stmt]) -> bool:
    """Add the loops and try blocks around the wanted operations; return whether some are loops."""
    loops = False
    for stmt in body:
        if isinstance(stmt, Op):
            if id(stmt) in wanted:
                found += around
                loops |= any(isinstance(s, Loop) for s in around)
        else:
            inner = (*around, stmt) if isinstance(stmt, (Loop, Try)) else around
            for block in blocks(stmt):
                loops |= _holders(block, wanted, inner, found)
    return loops


def _with_way_out(holder: Stmt) -> list[Stmt]:
    """Return the loops and try blocks in a statement that are left for labels outside of them."""
    found: list[Stmt] = []
    for stmt in statements([holder]):
        if isinstance(stmt, (Loop, Try)) and stmt is not holder:
            inner = {s.label for s in statements([stmt]) if isinstance(s, (Loop, Scope, ForEach))}
            if not labels_left([stmt]) <= inner:
                found.append(stmt)
    return found
