"""Capacities of the kernel stage's strings and buffers, in bytes (strings with their NUL)."""

from __future__ import annotations

from ..builtins import TABLE
from ..ir.nodes import BUF, STR, Const, Local, Op, Stmt, Text
from ..ir.walk import statements
from ..program import OWN_FRAMES

MAXSTRINGLEN = 512
STACK_FRAMES = 20  # SystemTap's MAXBACKTRACE


def sizes_of(body: list[Stmt]) -> dict[Local, int]:
    """Return the capacity of every str and buf local that the body assigns."""
    sizes: dict[Local, int] = {}
    moves: list[Op] = []
    for stmt in statements(body):
        if not isinstance(stmt, Op) or stmt.dst is None or stmt.dst.type not in (STR, BUF):
            continue
        if stmt.name == "mov" and isinstance(stmt.args[0], Local):
            moves.append(stmt)
        else:
            sizes[stmt.dst] = max(sizes.get(stmt.dst, 1), _made(stmt))
    settled = False
    while not settled:
        settled = True
        for move in moves:
            source, dst = move.args[0], move.dst
            assert dst is not None and isinstance(source, Local)
            wanted = sizes.get(source, 1)
            if sizes.get(dst, 0) < wanted:
                sizes[dst] = wanted
                settled = False
    return sizes


def _made(op: Op) -> int:
    if op.name == "mov":
        source = op.args[0]
        return len(source.value) + 1 if isinstance(source, Text) else 1
    if op.name in ("load_str", "load_buf"):
        return int(op.attr.size)
    if op.name == "call":
        if op.attr in ("kernel_stack", "user_stack"):
            depth = op.args[0]
            asked = depth.value if isinstance(depth, Const) else 0
            return 8 * ((asked or STACK_FRAMES) + OWN_FRAMES)
        return TABLE[op.attr].size or MAXSTRINGLEN
    return MAXSTRINGLEN
