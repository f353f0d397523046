"""Types of variables as tuples, shallow: a struct is its name, as the kernel's BTF has its members.

("ptr", type), ("array", type, count), ("struct" | "union" | "enum", name, bytes), ("typedef", name, type),
("base", name, bytes, signed), ("function",), ("void",).
"""

from __future__ import annotations

from . import dies as d

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .dies import Entry

    CType = tuple[Any, ...]

_NAMED = {d.STRUCT: "struct", d.UNION: "union", d.ENUM: "enum"}
_BOUND = frozenset((d.SUBRANGE,))
DEEPEST = 24


def type_of(item: Entry | None, depth: int = 0) -> CType:
    """Return the type that an entry's DW_AT_type refers to."""
    holder = item.inherited(d.TYPE) if item is not None else None
    return _type(holder.target(d.TYPE) if holder is not None else None, depth)


def _type(entry: Entry | None, depth: int) -> CType:
    if entry is None or depth > DEEPEST:
        return ("void",)
    tag = entry.tag
    if tag in d.QUALIFIERS:
        return type_of(entry, depth + 1)
    if tag == d.POINTER:
        return ("ptr", type_of(entry, depth + 1))
    if tag == d.TYPEDEF:
        return ("typedef", entry.text(d.NAME), type_of(entry, depth + 1))
    if tag in _NAMED:
        return (_NAMED[tag], entry.text(d.NAME), entry.get(d.BYTE_SIZE, 0))
    if tag == d.BASE:
        return ("base", entry.text(d.NAME), entry.get(d.BYTE_SIZE, 8), entry.get(d.ENCODING) in d.SIGNED)
    if tag == d.ARRAY:
        return _array(entry, depth)
    return ("function",) if tag == d.SUBROUTINE_TYPE else ("void",)


def _array(entry: Entry, depth: int) -> CType:
    counts = []
    for bound in entry.unit.children(entry, _BOUND):
        count = bound.get(d.COUNT)
        if count is None:
            upper = bound.get(d.UPPER_BOUND)
            count = upper + 1 if isinstance(upper, int) else 0
        counts.append(count if isinstance(count, int) else 0)
    out = type_of(entry, depth + 1)
    for count in reversed(counts or [0]):
        out = ("array", out, count)
    return out
