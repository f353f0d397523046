"""The types of bpftrace values, how they merge, and the IR parts that carry them.

A value is a flat list of IR operands, its *parts*: one for most types, several for tuples and for what needs more
than one word to be shown (`usym`: address and process; `ustack`: process and frames).
"""

from __future__ import annotations

from ...btf import type_name
from ...btf import types as bt
from ...ir.nodes import BUF, I64, STR
from ...node import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class T(Node):
    """A type. kind is one of

    none       not known yet (a map that nobody has assigned so far)
    void       no value
    int        size bytes, signed; ctype: its enum or None
    bool
    ptr        ctype: what it points to, or None for void; space: "kernel" or "user"
    record     a struct or union in memory or by value; ctype
    array      ctype: the array's type
    str        size: bytes with the NUL
    buffer     size: bytes
    inet mac ksym usym kstack ustack timestamp cgroup_path
    tuple      elems; names: those of a record's fields, or ()
    stat       a map's aggregate; note: count sum avg min max stats hist lhist; signed
    note: the format of a timestamp, the mode of a stack, the function of an aggregate; of an int "lit": made of
    literals alone, so that its sign is whatever it meets.
    """

    kind: str
    size: int = 8
    signed: bool = False
    ctype: Any = None
    elems: tuple[Any, ...] = ()
    names: tuple[str, ...] = ()
    space: str = "kernel"
    note: str = ""


NONE = T("none")
VOID = T("void")
BOOL = T("bool", 1)
INT64 = T("int", 8, True)
UINT64 = T("int", 8, False)
LIT = T("int", 8, True, note="lit")
UINT32 = T("int", 4, False)
INT32 = T("int", 4, True)
KSYM = T("ksym")
USYM = T("usym")
INET = T("inet", 20)
MAC = T("mac", 6)
PTR = T("ptr")

_INTS = {
    **{f"{'u' if not s else ''}int{8 * n}": T("int", n, s) for n in (1, 2, 4, 8) for s in (True, False)},
    "bool": BOOL,
    "_Bool": BOOL,
    "char": T("int", 1, True),
    "signed char": T("int", 1, True),
    "unsigned char": T("int", 1, False),
    "short": T("int", 2, True),
    "unsigned short": T("int", 2, False),
    "int": INT32,
    "unsigned int": UINT32,
    "long": INT64,
    "long long": INT64,
    "unsigned long": UINT64,
    "unsigned long long": UINT64,
    "size_t": UINT64,
    "ssize_t": INT64,
    "uintptr_t": UINT64,
    "intptr_t": INT64,
    "void": VOID,
}
for _n, _bits in ((1, "8"), (2, "16"), (4, "32"), (8, "64")):
    for _prefix in ("u", "__u", "__be", "__le"):
        _INTS[_prefix + _bits] = T("int", _n, False)
    for _prefix in ("s", "__s"):
        _INTS[_prefix + _bits] = T("int", _n, True)
    _INTS[f"uint{_bits}_t"] = T("int", _n, False)
    _INTS[f"int{_bits}_t"] = T("int", _n, True)
SCALARS: dict[str, T] = _INTS
"""Names of plain types."""

NAMED = {
    "string": T("str", 0),
    "buffer": T("buffer", 0),
    "inet": INET,
    "ksym_t": KSYM,
    "usym_t": USYM,
    "kstack_t": T("kstack"),
    "ustack_t": T("ustack"),
    "timestamp_t": T("timestamp"),
    "timestamp": T("timestamp"),
    "mac_address_t": MAC,
    "macaddr": MAC,
    "cgroup_path_t": T("cgroup_path"),
    "cgroup_path": T("cgroup_path"),
}
"""Names of bpftrace's own types that are no integers."""

_PARTS: dict[str, tuple[str, ...]] = {
    "stat": (),
    "void": (),
    "str": (STR,),
    "inet": (STR,),
    "buffer": (BUF,),
    "mac": (BUF,),
    "record": (BUF,),
    "array": (BUF,),
    "kstack": (BUF,),
    "ustack": (I64, BUF),
    "usym": (I64, I64),
}


def parts(type: T) -> tuple[str, ...]:
    """Return the IR types of a value's parts."""
    if type.kind == "tuple":
        out: tuple[str, ...] = ()
        for elem in type.elems:
            out += parts(elem)
        return out
    return _PARTS.get(type.kind, (I64,))


def of_literal(value: int) -> T:
    """Return the smallest type that holds a literal; one that isn't negative takes any sign."""
    if 0 <= value < 1 << 63:
        return LIT
    if value < 0:
        for size in (1, 2, 4):
            if value >= -(1 << (8 * size - 1)):
                return T("int", size, True)
        return INT64
    return UINT64


def literal_size(value: int) -> int:
    """Return the bytes of the smallest integer type that holds a literal."""
    for size in (1, 2, 4):
        if -(1 << (8 * size - 1)) <= value < 1 << 8 * size:
            return size
    return 8


def is_number(type: T) -> bool:
    """Whether the value is an integer, a truth or an address."""
    return type.kind in ("int", "bool", "ptr", "ksym", "timestamp", "cgroup_path")


def promote(a: T, b: T) -> T:
    """Return the integer type that holds the values of both, as far as there is one."""
    if a.note or b.note:
        if a.note and b.note:
            return a
        return b if a.note else a
    if a.signed == b.signed:
        return a if a.size >= b.size else b
    signed, unsigned = (a, b) if a.signed else (b, a)
    if unsigned.size < signed.size:
        return signed if signed.ctype is None else T("int", signed.size, True)
    return T("int", min(8, 2 * unsigned.size), True)


def arithmetic(a: T, b: T) -> T:
    """Return the type of an operation on two numbers: 64 bits, signed unless both are unsigned."""
    if a.note:
        return INT64 if b.note or b.signed else UINT64
    if b.note:
        return INT64 if a.signed else UINT64
    return INT64 if comparison_signed(a, b) else UINT64


def comparison_signed(a: T, b: T) -> bool:
    """Whether two numbers are compared as signed ones: as in C, of two 64-bit values only if both are."""
    if a.note:
        return b.signed
    if b.note or a.signed == b.signed:
        return a.signed
    return (b if a.signed else a).size < 8


def merge(a: T, b: T) -> T | None:
    """Return the type of a variable that holds values of both types, None when there is none."""
    ka, kb = a.kind, b.kind
    if a is b or kb == "none":
        return a
    if ka == "none":
        return b
    if ka == kb:
        return _merge_same(a, b)
    pair = {ka, kb}
    if pair == {"int", "bool"}:
        return a if ka == "int" else b
    if pair == {"int", "ptr"}:
        number, pointer = (a, b) if ka == "int" else (b, a)
        return pointer if number.note else number
    return None


def _merge_same(a: T, b: T) -> T | None:
    kind = a.kind
    if kind == "int":
        if a.size == b.size and a.signed == b.signed and a.note == b.note:
            return a if a.ctype is b.ctype or a.ctype is None else T("int", a.size, a.signed)
        return promote(a, b)
    if kind in ("str", "buffer"):
        return a if a.size >= b.size else b
    if kind == "tuple":
        if len(a.elems) != len(b.elems) or a.names != b.names:
            return None
        elems: list[T] = []
        for one, two in zip(a.elems, b.elems, strict=True):
            both = merge(one, two)
            if both is None:
                return None
            elems.append(both)
        if all(x is y for x, y in zip(elems, a.elems, strict=True)):
            return a
        return T("tuple", elems=tuple(elems), names=a.names)
    if kind in ("record", "array"):
        return a if type_name(a.ctype) == type_name(b.ctype) else None
    if kind == "stat":
        return a if a.note == b.note else None
    if kind == "ptr" and a.ctype is not None and not _same_ctype(a.ctype, b.ctype):
        return T("ptr", 8, False, None, space=a.space)
    return a


def _same_ctype(a: bt.Type, b: bt.Type | None) -> bool:
    return a is b or (b is not None and type_name(a) == type_name(b))


def same(a: T, b: T) -> bool:
    """Whether two types are the same for who reads a value (sizes of strings don't matter)."""
    if a is b:
        return True
    if a.kind != b.kind or a.signed != b.signed or a.note != b.note or a.names != b.names:
        return False
    if a.kind == "int" and (a.size != b.size or a.ctype is not b.ctype):
        return False
    if a.kind in ("ptr", "record", "array") and a.ctype is not b.ctype:
        return (a.ctype is None) == (b.ctype is None) and type_name(a.ctype) == type_name(b.ctype)
    if a.kind == "tuple":
        return len(a.elems) == len(b.elems) and all(map(same, a.elems, b.elems))
    return True


def name(type: T) -> str:
    """Return a type in words, for messages."""
    kind = type.kind
    if kind == "int":
        if type.ctype is not None:
            return type_name(type.ctype)
        return f"{'' if type.signed else 'u'}int{8 * type.size}"
    if kind == "str":
        return "string"
    if kind == "ptr":
        return f"{type_name(type.ctype)} *" if type.ctype is not None else "void *"
    if kind in ("record", "array"):
        return type_name(type.ctype)
    if kind == "tuple":
        inner = ", ".join(name(e) for e in type.elems)
        return f"({inner},)" if len(type.elems) == 1 else f"({inner})"
    if kind == "stat":
        return f"{type.note}_t"
    return {"mac": "macaddr", "none": "unknown"}.get(kind, kind)


def of_ctype(btf: Any, type: bt.Type, space: str = "kernel") -> T:
    """Return the type of a value of a C type."""
    here = btf.resolve(type)
    if isinstance(here, bt.Int):
        if here.is_bool:
            return BOOL
        return T("int", min(here.size, 8), here.signed)
    if isinstance(here, bt.Ptr):
        target = btf.resolve(here.type)
        return T("ptr", 8, False, None if isinstance(target, bt.Void) else here.type, space=space)
    if isinstance(here, bt.Enum):
        return T("int", here.size, here.signed, here)
    if isinstance(here, bt.Array):
        inner = btf.resolve(here.type)
        if isinstance(inner, bt.Int) and inner.name == "char":
            return T("str", here.count)
        return T("array", 0, False, here, space=space)
    if isinstance(here, bt.Composite):
        return T("record", here.size, False, here, space=space)
    return VOID
