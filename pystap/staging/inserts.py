"""Before staging: `if (!(k in a)) a[k] = v` becomes one operation, which the kernel does at once (R5).

    h = has a k                                   h = has a k          (the guard: what is there already costs a lookup)
    if (!h) { v = ...; set a k v; rest }   ->     if (!h) { v = ...; i = insert a k v; if (i) rest }

So do `a[k] == 0` and `!a[k]`, where an element of 0 is as good as none, and scalars. Between guard and insert another run
may have come first: then this one goes on as if its guard had seen that.
"""

from __future__ import annotations

from ..ir.nodes import I64, Const, Global, If, Local, Op, Stmt, Text
from ..ir.walk import blocks, count_defs, count_uses
from ..opt.simplify import effects
from .facts import DIVISIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ABSENT, _ZERO = "absent", "zero"
_FREE = frozenset(("ctx", "clock"))


def find_inserts(body: list[Stmt]) -> set[int]:
    """Rewrite the body in place; return the ids of the reads that became guards of an insert."""
    finder = _Finder(body)
    finder.block(body)
    return finder.guards


class _Finder:
    def __init__(self, body: list[Stmt]) -> None:
        self.guards: set[int] = set()
        self._defs = count_defs(body)
        self._uses = count_uses(body)

    def block(self, body: list[Stmt]) -> None:
        """One list and all inside it."""
        made: dict[Local, Op] = {}
        for stmt in body:
            if isinstance(stmt, Op):
                if stmt.dst is not None and self._defs.get(stmt.dst) == 1:
                    made[stmt.dst] = stmt
            elif isinstance(stmt, If):
                self._if(stmt, made)
            for inner in blocks(stmt):
                self.block(inner)

    def _if(self, stmt: If, made: dict[Local, Op]) -> None:
        found = self._guard(stmt.cond, made, False)
        if found is None:
            return
        guard, mode, there = found
        branch, other = (stmt.els, stmt.then) if there else (stmt.then, stmt.els)
        at = self._store(branch, guard)
        if other or at is None:
            return
        store = branch[at]
        assert isinstance(store, Op)
        rest = branch[at + 1 :]
        first = Local("inserted", I64) if rest else None
        branch[at:] = [Op(first, "insert", store.args, (guard.attr, mode), store.span)]
        if first is not None:
            branch.append(If(first, rest, [], stmt.span))
        self.guards.add(id(guard))

    def _guard(self, cond: Any, made: dict[Local, Op], there: bool) -> tuple[Op, str, bool] | None:
        """Return (read, what it looks for, whether a true condition means that the element is there)."""
        op = made.get(cond) if isinstance(cond, Local) and self._uses.get(cond) == 1 else None
        if op is None:
            return None
        if op.name == "lnot" or (op.name in ("eq", "ne") and _is_zero(op.args[1])):
            found = self._guard(op.args[0], made, there)
            if found is None:
                return None
            return found if op.name == "ne" else (found[0], found[1], not found[2])
        glob = op.attr
        if not isinstance(glob, Global) or glob.value != I64 or glob.wrap:
            return None
        if op.name == "get" or (op.name == "has" and glob.keys):
            return op, _ZERO if op.name == "get" else _ABSENT, True
        return None

    def _store(self, branch: list[Stmt], guard: Op) -> int | None:
        """Return the place of the store of the same element, if nothing but its value is made before it."""
        for at, stmt in enumerate(branch):
            if not isinstance(stmt, Op):
                return None
            if stmt.name == "set" and stmt.attr is guard.attr:
                keys = stmt.args[: len(guard.args)]
                return at if all(map(self._same, keys, guard.args)) else None
            if not _is_movable(stmt):
                return None
        return None

    def _same(self, one: Any, other: Any) -> bool:
        if isinstance(one, Local):
            return one is other and self._defs.get(one, 0) == 1
        return type(one) is type(other) and isinstance(one, (Const, Text)) and one.value == other.value


def _is_zero(operand: Any) -> bool:
    return isinstance(operand, Const) and operand.value == 0


def _is_movable(op: Op) -> bool:
    if op.name in DIVISIONS:
        return isinstance(op.args[1], Const) and op.args[1].value != 0
    return _FREE.issuperset(effects(op).split())
