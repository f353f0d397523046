"""Where fields are: sizes, offsets, and the way along a path of members, pointers and indexes.

    path = field_path(btf, btf.find_struct("sk_buff"), ["dev", "name", 0])
    path.offsets -> (16, 304)   address = base + 16; address = pointer at address + 304

The root is a struct, or a pointer to one; either way the base address is the struct's. Members of
anonymous structs and unions are found as C finds them. A bit field is the load of `size` bytes at the last
offset, shifted right by `bit_shift` and cut to `bit_size` bits.
"""

from __future__ import annotations

from sys import byteorder

from . import types as t
from .errors import BtfError, FieldError
from .lookup import Btf, resolve
from .spelling import type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

POINTER_SIZE = 8
_DEEPEST = 32
_MOST_NESTED = 500  # anonymous members within one struct


class Step:
    """One element of a path.

    element: the name or index; parent: the struct, union, array or pointer that it was looked up in;
    deref: whether a pointer is loaded first, from where the steps before lead to; offset: bytes to add
    (after that load); type: the declared type there.
    """

    __slots__ = ("deref", "element", "offset", "parent", "type")

    def __init__(self, element: str | int, parent: t.Type, deref: bool, offset: int, type: t.Type) -> None:
        self.element = element
        self.parent = parent
        self.deref = deref
        self.offset = offset
        self.type = type

    def __repr__(self) -> str:
        return f"<step {'->' if self.deref else '.'}{self.element} +{self.offset}>"


class FieldPath:
    """A path that was followed. See the module's text; `bit_size` is 0 unless the end is a bit field.

    `size` is what a load of the field needs; 0 where the end has no size (a function, void).
    """

    __slots__ = ("bit_shift", "bit_size", "offsets", "size", "steps", "type")

    def __init__(
        self,
        steps: tuple[Step, ...],
        offsets: tuple[int, ...],
        type: t.Type,
        size: int,
        shift: int,
        bits: int,
    ) -> None:
        self.steps = steps
        self.offsets = offsets
        self.type = type
        self.size = size
        self.bit_shift = shift
        self.bit_size = bits

    def __repr__(self) -> str:
        bits = f" bits {self.bit_shift}+{self.bit_size}" if self.bit_size else ""
        return f"<path {self.offsets} {type_name(self.type)}{bits}>"


def sizeof(type: t.Type) -> int:
    """Return the size in bytes; BtfError for void, functions and forward declarations."""
    count = 1
    for _ in range(_DEEPEST):
        type = resolve(type)
        if isinstance(type, t.Array):
            count *= type.count
            type = type.type
        elif isinstance(type, t.Ptr):
            return count * POINTER_SIZE
        else:
            size: int | None = getattr(type, "size", None)
            if size is None:
                raise BtfError(f"'{type_name(type)}' has no size")
            return count * size
    raise BtfError("a BTF type refers to itself")


def argument_words(proto: t.FuncProto) -> list[int]:
    """Where a function's arguments lie among the words it is called with, and behind them what it returns.

    A struct that is handed over by value takes two words if it is longer than one, and none if it is longer than two; one
    that is returned, and longer than two, is written to where the first word says.
    """
    back = resolve(proto.type)
    words = [int(isinstance(back, (t.Struct, t.Union)) and back.size > 2 * POINTER_SIZE)]
    for param in proto.params:
        kind = resolve(param.type)
        size = kind.size if isinstance(kind, (t.Struct, t.Union)) else 8
        words.append(words[-1] + (1 if size <= 8 else 2 if size <= 16 else 0))
    return words


def find_member(parent: t.Composite, name: str) -> t.Member | None:
    """Return the member of that name, with its offset from `parent`; anonymous members are looked into."""
    found = parent.member(name) if name else None
    if found is not None or not name:
        return found
    for inner, base in _anonymous(parent):
        found = inner.member(name)
        if found is not None:
            return _moved(found, base)
    return None


def _anonymous(parent: t.Composite) -> list[tuple[t.Composite, int]]:
    """Return the structs and unions that stand in `parent` without a name, with their bit offsets."""
    out: list[tuple[t.Composite, int]] = [(parent, 0)]
    seen = {parent.id}  # in sound BTF none comes twice
    for outer, base in out:
        for member in outer.members:
            if not member.name:
                inner = resolve(member.type)
                if isinstance(inner, t.Composite) and inner.id not in seen:
                    seen.add(inner.id)
                    out.append((inner, base + member.bit_offset))
    return out[1:]


def _moved(member: t.Member, bits: int) -> t.Member:
    return t.Member(member.btf, member.name, member.type_id, member.bit_offset + bits, member.bit_size)


def members(parent: t.Composite) -> list[t.Member]:
    """Return all named members with offsets from `parent`, in order; anonymous ones give what they hold."""
    out: list[t.Member] = []
    _flatten(parent, 0, out, {parent.id})
    return out


def _flatten(parent: t.Composite, base: int, out: list[t.Member], seen: set[int]) -> None:
    for member in parent.members:
        if member.name:
            out.append(_moved(member, base) if base else member)
            continue
        inner = resolve(member.type)
        if isinstance(inner, t.Composite) and inner.id not in seen:
            if len(seen) > _MOST_NESTED:
                raise BtfError("a BTF type contains too much")
            seen.add(inner.id)
            _flatten(inner, base + member.bit_offset, out, seen)


def field_path(btf: Btf, root: t.Type, path: Sequence[str | int]) -> FieldPath:
    """Follow `path` from `root`: a name is a member, a number an index into an array or from a pointer.

    A pointer is followed wherever a member or index is asked of it. Raises FieldError.
    """
    steps: list[Step] = []
    offsets = [0]
    current = root
    bits: tuple[int, int, int] | None = None
    for position, element in enumerate(path):
        if bits is not None:
            raise FieldError(f"'{path[position - 1]}' is a bit field", element, position, current)
        parent = btf.resolve(current)
        deref = isinstance(parent, t.Ptr)
        if isinstance(element, int):
            current, offset = _index(btf, parent, element, position)
        else:
            holder = btf.resolve(parent.type) if isinstance(parent, t.Ptr) else parent
            member = _member(holder, element, position)
            current, offset = member.type, member.bit_offset >> 3
            bits = _bit_field(member)
            if bits is not None:
                offset = bits[0]
            parent = holder
        deref = deref and position > 0
        if deref:
            offsets.append(0)
        offsets[-1] += offset
        steps.append(Step(element, parent, deref, offset, current))
    _, size, shift = bits or (0, _size_or_0(btf, current), 0)
    width = _bit_size(member) if bits else 0
    return FieldPath(tuple(steps), tuple(offsets), current, size, shift, width)


def _member(parent: t.Type, name: str, position: int) -> t.Member:
    if not isinstance(parent, t.Composite):
        known = isinstance(parent, t.Fwd)
        why = "is not defined in this kernel's BTF" if known else "is not a struct or union"
        raise FieldError(f"'{type_name(parent)}' {why}", name, position, parent)
    member = find_member(parent, name)
    if member is None:
        names = tuple(m.name for m in members(parent))
        raise FieldError(f"'{type_name(parent)}' has no member '{name}'", name, position, parent, names)
    return member


def _index(btf: Btf, parent: t.Type, index: int, position: int) -> tuple[t.Type, int]:
    """Return the type and the offset of element `index` of an array or pointer."""
    if isinstance(parent, t.Array):
        # The last member is often declared [0] or [1] and larger in truth; only a real count is a bound.
        if index < 0 or (parent.count > 1 and index >= parent.count):
            raise FieldError(f"index {index} is outside '{type_name(parent)}'", index, position, parent)
    elif not isinstance(parent, t.Ptr):
        raise FieldError(f"'{type_name(parent)}' is not an array or pointer", index, position, parent)
    target = btf.resolve(parent.type)
    size = _size_or_0(btf, target)
    if not size and index:
        raise FieldError(f"the size of '{type_name(target)}' is not known", index, position, parent)
    return parent.type, index * size


def _size_or_0(btf: Btf, type: t.Type) -> int:
    try:
        return sizeof(btf.resolve(type))
    except BtfError:
        return 0


def _bit_size(member: t.Member) -> int:
    """Return the width of a bit field, 0 for other members."""
    if member.bit_size:
        return member.bit_size
    base = resolve(member.type)  # the older form: an integer of fewer bits than its bytes hold
    return base.bits if isinstance(base, t.Int) and 0 < base.bits < 8 * base.size and not base.is_bool else 0


def _bit_field(member: t.Member) -> tuple[int, int, int] | None:
    """Return (byte offset, load size, right shift) of a bit field, None for other members."""
    width = _bit_size(member)
    if not width:
        return None
    start = member.bit_offset
    if not member.bit_size:
        base = resolve(member.type)
        start += base.offset if isinstance(base, t.Int) else 0
    for size in (1, 2, 4, 8):
        at = (start >> 3) // size * size
        if start + width <= 8 * (at + size):
            break
    else:  # it crosses every natural boundary: only in packed structs
        at = start >> 3
        size = 8
        if start + width > 8 * (at + 8):
            raise BtfError(f"the bit field '{member.name}' can't be loaded at once")
    shift = start - 8 * at
    if byteorder == "big":
        shift = 8 * size - shift - width
    return at, size, shift


def offsetof(btf: Btf, root: t.Type, path: Sequence[str | int]) -> int:
    """Return the byte offset of a field that needs no pointer to be followed."""
    found = field_path(btf, root, path)
    if len(found.offsets) > 1:
        step = next(s for s in found.steps if s.deref)
        raise FieldError(f"'{step.element}' lies behind a pointer", step.element, 0, step.parent)
    return found.offsets[0]
