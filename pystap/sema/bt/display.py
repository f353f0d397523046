"""How values are shown: hints for the runtime, which prints maps and values without knowing their C types.

A hint is plain data, and says how many parts (flat IR values) it takes:

    "int" "uint" "bool" "ptr" "str" "inet" "none"      one part, shown as it is
    "mac"                                        6 bytes
    "ksym"                                       an address -> its kernel symbol
    "usym"                                       two parts: address, process id
    ("kstack", mode)                             frames; shown over several lines
    ("ustack", mode)                             two parts: process id, frames
    ("timestamp", format)                        ns since boot, by strftime
    "cgroup_path"                                a cgroup's id
    ("buf", size)                                raw bytes, as %r
    ("enum", "0=A;1=B")                          an enumerator's name, or the number
    ("array", count, hint, size, signed)         bytes: [1,2,3]; elements of `size` bytes
    ("record", ((name, offset, size, hint), ...))  bytes: { .a = 1, .b = 2 }
    ("bits", shift, width, signed)               bytes: a bit field
    ("tuple", (hint, ...))                       what its elements take: (1, a)
    ("named", ((name, hint), ...))               a record of the script: { .a = 1 }
    ("stat", kind, signed)                       an aggregate
"""

from __future__ import annotations

from ...btf import resolve
from ...btf import types as bt
from ...btf.layout import members, sizeof
from .types import T

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PLAIN = frozenset(("bool", "str", "inet", "mac", "ksym", "usym", "cgroup_path", "ptr"))


def hint(type: T) -> Any:
    """Return how a value of this type is shown."""
    kind = type.kind
    if kind == "int":
        if type.ctype is not None:
            return ("enum", enum_text(type.ctype))
        return "int" if type.signed else "uint"
    if kind in _PLAIN:
        return kind
    if kind in ("kstack", "ustack", "timestamp"):
        return (kind, type.note)
    if kind == "buffer":
        return ("buf", type.size)
    if kind == "tuple":
        if type.names:
            return ("named", tuple((n, hint(e)) for n, e in zip(type.names, type.elems, strict=True)))
        return ("tuple", tuple(hint(e) for e in type.elems))
    if kind == "stat":
        return ("stat", type.note, type.signed)
    if kind in ("array", "record"):
        return _memory(type.ctype)
    return "int"


def enum_text(enum: Any) -> str:
    """Return an enum's members as "0=A;1=B"; of two with one value, the first."""
    seen: dict[int, str] = {}
    for name, value in enum.values:
        seen.setdefault(value, name)
    return ";".join(f"{value}={name}" for value, name in seen.items())


def _memory(type: bt.Type) -> Any:
    """Return the hint of bytes that hold a C value."""
    here = resolve(type)
    if isinstance(here, bt.Array):
        inner = resolve(here.type)
        if isinstance(inner, bt.Int) and inner.name == "char":
            return "str"
        signed = isinstance(inner, bt.Int) and inner.signed
        return ("array", here.count, _memory(inner), sizeof(inner), signed)
    if isinstance(here, bt.Composite):
        return ("record", tuple(_fields(here, 0)))
    if isinstance(here, bt.Enum):
        return ("enum", enum_text(here))
    if isinstance(here, bt.Int):
        return "bool" if here.is_bool else "int" if here.signed else "uint"
    return "ptr"


def _fields(holder: Any, base: int) -> list[tuple[str, int, int, Any]]:
    """Return the fields of a struct or union at bit `base` of what is shown; those of anonymous members among them."""
    fields: list[tuple[str, int, int, Any]] = []
    for member in members(holder):
        inner = resolve(member.type)
        at = base + member.bit_offset
        if member.bit_size:
            size = ((at & 7) + member.bit_size + 7) >> 3
            signed = isinstance(inner, (bt.Int, bt.Enum)) and inner.signed
            fields.append((member.name, at >> 3, size, ("bits", at & 7, member.bit_size, signed)))
        elif not member.name and isinstance(inner, bt.Composite):
            fields += _fields(inner, at)
        else:
            size = 0 if isinstance(inner, (bt.Fwd, bt.Void, bt.FuncProto)) else sizeof(inner)
            fields.append((member.name, at >> 3, size, _memory(inner)))
    return fields
