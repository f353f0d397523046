"""Fields of a record that no run has together lie over one another: a record is as long as the longest way through it.

A field belongs to the innermost branch with all places that write it. The branches of one If begin at the same place, the
Ifs of one list lie behind each other. What lies at one place has one type there, so that the
user stage knows how to read it.
"""

from __future__ import annotations

from ..ir.nodes import BUF, If, Local, Loop, Op, Stmt
from ..ir.walk import blocks
from ..program import REC_HEADER, Field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Way:
    """The part of all ways through a handler that a branch is."""

    __slots__ = ("depth", "fields", "forks", "parent")

    def __init__(self, parent: _Way | None) -> None:
        self.parent = parent
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.fields: list[int] = []
        self.forks: list[tuple[_Way, _Way]] = []


def overlay(
    kernel: list[Stmt], fields: list[Field], params: list[Local]
) -> tuple[list[Field], list[Local], dict[Local, Local], int]:
    """Give fields new offsets, in place.

    Return the fields as the user stage reads them, their parameters, which parameters were replaced by which, and the
    size of the record.
    """
    root = _Way(None)
    homes: dict[int, _Way] = {}
    _walk(kernel, root, homes)
    for number, field in enumerate(fields):
        homes.get(id(field), root).fields.append(number)
    places: dict[
        Any, list[list[int]]
    ] = {}  # of each kind of field: which fields lie at the first place, the second...
    _lay(root, {}, fields, places)
    whole: list[Field] = []
    kept: list[Local] = []
    moved: dict[Local, Local] = {}
    at = REC_HEADER
    for numbers in sorted([numbers for lists in places.values() for numbers in lists]):
        one = fields[numbers[0]]
        size = max(fields[number].size for number in numbers)
        for number in numbers:
            fields[number].offset = at
            moved[params[number]] = params[numbers[0]]
        whole.append(one if one.size == size else Field(at, one.type, size))
        kept.append(params[numbers[0]])
        at += (size + 7) & ~7
    return whole, kept, moved, at


def _walk(body: list[Stmt], way: _Way, homes: dict[int, _Way], turning: bool = False) -> None:
    """Find the ways that fields belong to. turning: in a loop, whose turns may take one branch after the other."""
    for stmt in body:
        if isinstance(stmt, Op):
            field = stmt.attr if stmt.name == "put" else getattr(stmt.dst, "field", None)
            if field is not None:
                homes[id(field)] = _common(homes.get(id(field), way), way)
        elif isinstance(stmt, If) and not turning:
            fork = (_Way(way), _Way(way))
            way.forks.append(fork)
            for branch, inner in zip(fork, blocks(stmt), strict=True):
                _walk(inner, branch, homes)
        else:
            for inner in blocks(stmt):
                _walk(inner, way, homes, turning or isinstance(stmt, Loop))


def _common(one: _Way, other: _Way) -> _Way:
    while one is not other:
        if one.depth < other.depth:
            one, other = other, one
        assert one.parent is not None
        one = one.parent
    return one


def _lay(
    way: _Way, used: dict[Any, int], fields: list[Field], places: dict[Any, list[list[int]]]
) -> dict[Any, int]:
    """Place the fields of a way behind those that are there; return how many places of each kind are used then."""
    used = dict(used)
    for number in way.fields:
        field = fields[number]
        kind = (field.type, field.size if field.type == BUF else 0)
        at = used.get(kind, 0)
        used[kind] = at + 1
        same = places.setdefault(kind, [])
        if at == len(same):
            same.append([])
        same[at].append(number)
    for fork in way.forks:
        ends = [_lay(branch, used, fields, places) for branch in fork]
        for end in ends:
            for kind, count in end.items():
                used[kind] = max(used.get(kind, 0), count)
    return used
