"""What the kernel runs ahead: values that are made in steps, under conditions that the user stage decides (R4).

    if (u) { if (k) p = a; else p = load b; print load p }

Only the user stage knows whether `p` is made at all, but the kernel knows how. So it makes `p` in any case, for reads
can do no harm, and the user stage takes what it has made or leaves it. Here the statements that make such values are
put into scopes, which `places.py` places as if nothing of the user stage stood around them.
"""

from __future__ import annotations

from ..ir.nodes import Call, ForEach, If, Label, Local, Loop, Scope, Stmt
from ..ir.walk import blocks, count_defs, defs, labels_left, statements, uses
from .names import name_values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .places import Places

    Where = tuple[list[Stmt], int]  # a list, and a place in it
    Part = tuple[list[Stmt], int, int]  # a list, its first and its last statement


class Ahead:
    """One handler's scopes that are run ahead, made when reads are late without them.

    scopes: their ids; shared: locals that are assigned in one and outside of it, so that the user stage has to have them.
    """

    def __init__(self) -> None:
        self.scopes: set[int] = set()
        self.shared: set[Local] = set()
        self._named = False

    def find(self, body: list[Stmt], places: Places) -> bool:
        """Look for what would make reads of a body no longer late; return whether anything was changed."""
        if not places.late:
            return False
        if not self._named:
            self._named = True
            if name_values(body):
                return True
        if self.scopes:
            return False
        finder = _Finder(body, places)
        for block, first, last in finder.parts():
            inside = block[first : last + 1]
            scope = Scope(Label("ahead"), inside, block[first].span)  # type: ignore[attr-defined]
            block[first : last + 1] = [scope]
            self.scopes.add(id(scope))
            own = count_defs(inside)
            self.shared |= {
                local for local in own if own[local] != finder.defs[local] or finder.leaks(local, inside)
            }
        return bool(self.scopes)


class _Finder:
    def __init__(self, body: list[Stmt], places: Places) -> None:
        self.places = places
        self.defs = count_defs(body)
        self.makers: dict[Local, list[tuple[Where, ...]]] = {}  # the ways to a local's assignments
        self._reads: dict[Local, int] = {}
        self._walk(body, ())

    def leaks(self, local: Local, inside: list[Stmt]) -> bool:
        """Whether a local may be read before it is assigned, outside of the statements that assign it."""
        if local not in self.places.early:
            return False
        return self._reads.get(local, 0) > sum(local in uses(stmt) for stmt in statements(inside))

    def _walk(self, body: list[Stmt], path: tuple[Where, ...]) -> None:
        for at, stmt in enumerate(body):
            here = (*path, (body, at))
            for local in defs(stmt):
                self.makers.setdefault(local, []).append(here)
            for operand in uses(stmt):
                if isinstance(operand, Local):
                    self._reads[operand] = self._reads.get(operand, 0) + 1
            for block in blocks(stmt):
                self._walk(block, here)

    def parts(self) -> list[Part]:
        """Return what is to be run ahead."""
        found: dict[int, Part] = {}
        todo = [v for op in self.places.late for v in op.args if isinstance(v, Local)]
        seen: set[Local] = set()
        for local in todo:  # which grows
            if local in seen:
                continue
            seen.add(local)
            for maker in self.makers.get(local, ()):
                block, at = maker[-1]
                todo += [v for v in uses(block[at]) if isinstance(v, Local)]
            part = self._part(local)
            if part is not None:
                inside = statements(_joined(found, part))
                todo += [s.cond for s in inside if isinstance(s, If) and isinstance(s.cond, Local)]
        good = [part for part in found.values() if _harmless(_statements_of(part))]
        inner = {id(block) for part in good for s in statements(_statements_of(part)) for block in blocks(s)}
        return [part for part in good if id(part[0]) not in inner]

    def _part(self, local: Local) -> Part | None:
        """Return the part of a list with all assignments of a local, where these are several and the user stage's."""
        makers = self.makers.get(local, [])
        if len(makers) < 2 or local not in self.places.locals:
            return None
        depth = 0
        while all(len(m) > depth + 1 and m[depth + 1][0] is makers[0][depth + 1][0] for m in makers):
            depth += 1
        block = makers[0][depth][0]
        loops = [n for n, (outer, at) in enumerate(makers[0][:depth]) if isinstance(outer[at], Loop)]
        depth = loops[0] if loops else depth
        block = makers[0][depth][0]
        places = [m[depth][1] for m in makers]
        return block, min(places), max(places)


def _joined(found: dict[int, Part], part: Part) -> list[Stmt]:
    """Add a part to those that were found; return its statements."""
    block, first, last = part
    _, low, high = found.get(id(block), part)
    found[id(block)] = part = (block, min(first, low), max(last, high))
    return _statements_of(part)


def _statements_of(part: Part) -> list[Stmt]:
    block, first, last = part
    return block[first : last + 1]


def _harmless(inside: list[Stmt]) -> bool:
    """Whether statements can be run ahead: they end where they stand, and a run's bounds are not theirs."""
    own = {s.label for s in statements(inside) if isinstance(s, (Loop, Scope))}
    return labels_left(inside) <= own and not any(isinstance(s, (ForEach, Call)) for s in statements(inside))
