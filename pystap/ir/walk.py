"""Walking and copying IR bodies: what statements define and use, and clones with fresh locals."""

from __future__ import annotations

from .nodes import Call, ForEach, If, Label, Leave, Local, Loop, Op, Scope, Stmt, Try

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any


def blocks(stmt: Stmt) -> tuple[list[Stmt], ...]:
    """Return the bodies inside a statement, in order."""
    if isinstance(stmt, If):
        return (stmt.then, stmt.els)
    if isinstance(stmt, (Loop, Scope, ForEach)):
        return (stmt.body,)
    if isinstance(stmt, Try):
        return (stmt.body, stmt.handler)
    return ()


def statements(body: list[Stmt]) -> Iterator[Stmt]:
    """Yield every statement of a body, outer before inner, in order."""
    under_way = [iter(body)]
    while under_way:
        for stmt in under_way[-1]:
            yield stmt
            if type(stmt) is not Op:
                inside = blocks(stmt)
                if inside:
                    under_way += [iter(block) for block in reversed(inside)]
                    break
        else:
            under_way.pop()


def uses(stmt: Stmt) -> tuple[Any, ...]:
    """Return the operands that the statement itself reads (not those of its bodies)."""
    if isinstance(stmt, (Op, Call)):
        return stmt.args
    if isinstance(stmt, If):
        return (stmt.cond,)
    if isinstance(stmt, ForEach):
        limit = () if stmt.limit is None else (stmt.limit,)
        return limit + tuple(v for v in stmt.slice or () if v is not None)
    return ()


def defs(stmt: Stmt) -> tuple[Local, ...]:
    """Return the locals that the statement itself assigns (not those of its bodies)."""
    if isinstance(stmt, Op):
        extra = getattr(stmt.attr, "error", None) if stmt.attr is not None else None
        if extra is not None:
            return (stmt.dst, extra) if stmt.dst is not None else (extra,)
        return () if stmt.dst is None else (stmt.dst,)
    if isinstance(stmt, Call):
        return () if stmt.dst is None else (stmt.dst,)
    if isinstance(stmt, ForEach):
        return stmt.keys if stmt.value is None else (*stmt.keys, stmt.value)
    if isinstance(stmt, Try):
        return () if stmt.message is None else (stmt.message,)
    return ()


def count_defs(body: list[Stmt]) -> dict[Local, int]:
    """Return how many statements of the body assign each local."""
    counts: dict[Local, int] = {}
    for stmt in statements(body):
        for local in defs(stmt):
            counts[local] = counts.get(local, 0) + 1
    return counts


def count_uses(body: list[Stmt]) -> dict[Local, int]:
    """Return how many operands of the body read each local."""
    counts: dict[Local, int] = {}
    for stmt in statements(body):
        for operand in uses(stmt):
            if isinstance(operand, Local):
                counts[operand] = counts.get(operand, 0) + 1
        if isinstance(stmt, Op) and stmt.name == "fault_of":  # asks how its local was made
            counts[stmt.attr] = counts.get(stmt.attr, 0) + 1
    return counts


def labels_left(body: list[Stmt]) -> set[Label]:
    """Return the labels that some `Leave` in the body goes to."""
    return {stmt.label for stmt in statements(body) if isinstance(stmt, Leave)}


class Cloner:
    """Copies bodies; locals get fresh twins (`operands` may give replacements), labels too."""

    def __init__(self, operands: dict[Local, Any] | None = None) -> None:
        self.operands: dict[Local, Any] = dict(operands or {})
        self.labels: dict[Label, Label] = {}

    def operand(self, value: Any) -> Any:
        """Return the copy's operand for one of the original's."""
        if not isinstance(value, Local):
            return value
        twin = self.operands.get(value)
        if twin is None:
            twin = self.operands[value] = Local(value.name, value.type)
        return twin

    def label(self, label: Label) -> Label:
        """Return the twin of a label; one that lies outside what is copied stays itself."""
        return self.labels.get(label, label)

    def own(self, label: Label) -> Label:
        """Make (once) and return a twin for a label."""
        twin = self.labels.get(label)
        if twin is None:
            twin = self.labels[label] = Label(label.name)
        return twin

    def body(self, body: list[Stmt]) -> list[Stmt]:
        """Return a copy of a body."""
        return [self.statement(s) for s in body]

    def statement(self, s: Stmt) -> Stmt:
        """Return a copy of one statement."""
        operand = self.operand
        if isinstance(s, Op):
            dst = None if s.dst is None else operand(s.dst)
            return Op(dst, s.name, tuple(map(operand, s.args)), s.attr, s.span)
        if isinstance(s, If):
            return If(operand(s.cond), self.body(s.then), self.body(s.els), s.span)
        if isinstance(s, Leave):
            return Leave(self.label(s.label), s.span)
        if isinstance(s, Scope):
            return Scope(self.own(s.label), self.body(s.body), s.span)
        if isinstance(s, Loop):
            return Loop(self.own(s.label), self.body(s.body), s.span)
        if isinstance(s, Call):
            dst = None if s.dst is None else operand(s.dst)
            return Call(dst, s.func, tuple(map(operand, s.args)), s.span)
        if isinstance(s, Try):
            message = None if s.message is None else operand(s.message)
            return Try(self.body(s.body), message, self.body(s.handler), s.span)
        assert isinstance(s, ForEach), s
        value = None if s.value is None else operand(s.value)
        limit = None if s.limit is None else operand(s.limit)
        cut = None if s.slice is None else tuple(None if v is None else operand(v) for v in s.slice)
        keys = tuple(map(operand, s.keys))
        return ForEach(s.glob, keys, value, s.sort, limit, cut, self.own(s.label), self.body(s.body), s.span)


class Assigned:
    """The locals that are assigned on every way that leads here. Branches undo what they added, so none is copied."""

    __slots__ = ("_have", "_trail")

    def __init__(self, have: Iterable[Local] = ()) -> None:
        self._have = set(have)
        self._trail: list[Local] = []

    def __contains__(self, local: Local) -> bool:
        return local in self._have

    def add(self, local: Local) -> None:
        """From here on it is assigned."""
        if local not in self._have:
            self._have.add(local)
            self._trail.append(local)

    def mark(self) -> int:
        """Return a place to go back to."""
        return len(self._trail)

    def back(self, mark: int) -> list[Local]:
        """Undo what was added since, and return it."""
        added = self._trail[mark:]
        del self._trail[mark:]
        self._have.difference_update(added)
        return added


def unassigned(body: list[Stmt], assigned: frozenset[Local] = frozenset()) -> dict[Local, None]:
    """Return, in order, the locals that some path may read before assigning them."""
    found: dict[Local, None] = {}
    _scan(body, Assigned(assigned), found)
    return found


def _scan(body: list[Stmt], have: Assigned, found: dict[Local, None]) -> None:
    for stmt in body:
        for operand in uses(stmt):
            if isinstance(operand, Local) and operand not in have:
                found.setdefault(operand)
        if isinstance(stmt, (Op, Call)):
            for local in defs(stmt):
                have.add(local)
            continue
        mark = have.mark()
        if isinstance(stmt, If):
            _scan(stmt.then, have, found)
            then = set(have.back(mark))
            _scan(stmt.els, have, found)
            both = [local for local in have.back(mark) if local in then]
        elif isinstance(stmt, Scope):
            _scan(stmt.body, have, found)
            both = [] if stmt.label in labels_left(stmt.body) else have.back(mark)
        else:
            both = []
            inside = () if isinstance(stmt, Try) else defs(stmt)
            for number, block in enumerate(blocks(stmt)):
                for local in defs(stmt) if number else inside:
                    have.add(local)
                _scan(block, have, found)
                have.back(mark)
        have.back(mark)
        for local in both:
            have.add(local)


def substitute(body: list[Stmt], moved: dict[Local, Local], deep: bool = True) -> None:
    """Let statements read other locals, in place."""
    for stmt in body:
        if isinstance(stmt, If):
            stmt.cond = moved.get(stmt.cond, stmt.cond) if isinstance(stmt.cond, Local) else stmt.cond
        elif hasattr(stmt, "args"):
            stmt.args = tuple(moved.get(a, a) if isinstance(a, Local) else a for a in stmt.args)
        elif hasattr(stmt, "limit"):
            _substitute_foreach(stmt, moved)
        if deep:
            for block in blocks(stmt):
                substitute(block, moved)


def _substitute_foreach(stmt: Any, moved: dict[Local, Local]) -> None:
    if stmt.limit is not None:
        stmt.limit = moved.get(stmt.limit, stmt.limit)
    if stmt.slice is not None:
        stmt.slice = tuple(None if v is None else moved.get(v, v) for v in stmt.slice)
