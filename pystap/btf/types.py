"""BTF types as slotted objects, made one by one by `Btf.type(id)`.

Types of one `Btf` are the same object for the same id, so `is` compares them. References are ids,
followed on access (`ptr.type`), and members, enumerators and parameters are parsed on access too:
parsing `struct sk_buff` parses nothing else.
"""

from __future__ import annotations

from . import kinds as k

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .parse import Blob


class Type:
    """A type: its id, and its name, "" for an anonymous one."""

    __slots__ = ("btf", "id", "name")
    kind = k.VOID

    def __init__(self, btf: Blob, id: int, name: str) -> None:
        self.btf = btf
        self.id = id
        self.name = name

    def __repr__(self) -> str:
        name = f" {self.name}" if self.name else ""
        return f"<{k.NAMES[self.kind]}{name} #{self.id}>"


class Void(Type):
    """Id 0: `void`."""

    __slots__ = ()


class Int(Type):
    """An integer: `size` in bytes, `bits` of value at bit `offset`; `encoding` is SIGNED, CHAR, BOOL bits."""

    __slots__ = ("bits", "encoding", "offset", "size")
    kind = k.INT

    def __init__(self, btf: Blob, id: int, name: str, size: int, word: int) -> None:
        self.btf = btf
        self.id = id
        self.name = name
        self.size = size
        self.encoding = word >> 24 & 15
        self.offset = word >> 16 & 255
        self.bits = word & 255

    @property
    def signed(self) -> bool:
        """Whether values are signed."""
        return self.encoding & k.SIGNED != 0

    @property
    def is_bool(self) -> bool:
        """Whether this is `_Bool`."""
        return self.encoding & k.BOOL != 0

    @property
    def is_char(self) -> bool:
        """Whether this is a `char` of any sign (compilers rarely set the encoding, so go by the name)."""
        return self.size == 1 and (self.encoding & k.CHAR != 0 or "char" in self.name)


class Float(Type):
    """A floating point number of `size` bytes."""

    __slots__ = ("size",)
    kind = k.FLOAT

    def __init__(self, btf: Blob, id: int, name: str, size: int) -> None:
        self.btf = btf
        self.id = id
        self.name = name
        self.size = size


class Ref(Type):
    """A type that refers to one other type."""

    __slots__ = ("type_id",)

    def __init__(self, btf: Blob, id: int, name: str, type_id: int) -> None:
        self.btf = btf
        self.id = id
        self.name = name
        self.type_id = type_id

    @property
    def type(self) -> Type:
        """The type referred to."""
        return self.btf.type(self.type_id)


class Ptr(Ref):
    """A pointer to `type`."""

    __slots__ = ()
    kind = k.PTR


class Typedef(Ref):
    """A name for `type`."""

    __slots__ = ()
    kind = k.TYPEDEF


class Volatile(Ref):
    """`volatile` type."""

    __slots__ = ()
    kind = k.VOLATILE


class Const(Ref):
    """`const` type."""

    __slots__ = ()
    kind = k.CONST


class Restrict(Ref):
    """`restrict` type."""

    __slots__ = ()
    kind = k.RESTRICT


class TypeTag(Ref):
    """A type tag (`__user`, `__rcu`, ...) named `name`, over `type`."""

    __slots__ = ()
    kind = k.TYPE_TAG


class DeclTag(Ref):
    """A declaration tag on `type`, or on its member or parameter `component` (-1: on itself)."""

    __slots__ = ("component",)
    kind = k.DECL_TAG

    def __init__(self, btf: Blob, id: int, name: str, type_id: int, component: int) -> None:
        super().__init__(btf, id, name, type_id)
        self.component = component - (1 << 32) if component >> 31 else component


class Func(Ref):
    """A function; `type` is its FuncProto. linkage: 0 static, 1 global, 2 extern."""

    __slots__ = ("linkage",)
    kind = k.FUNC

    def __init__(self, btf: Blob, id: int, name: str, type_id: int, linkage: int) -> None:
        super().__init__(btf, id, name, type_id)
        self.linkage = linkage


class Var(Ref):
    """A variable (the kernel's BTF has the per-CPU ones). linkage: 0 static, 1 global, 2 extern."""

    __slots__ = ("linkage",)
    kind = k.VAR

    def __init__(self, btf: Blob, id: int, name: str, type_id: int, linkage: int) -> None:
        super().__init__(btf, id, name, type_id)
        self.linkage = linkage


class Array(Type):
    """`count` elements of `type`; 0 for a flexible array."""

    __slots__ = ("count", "index_id", "type_id")
    kind = k.ARRAY

    def __init__(self, btf: Blob, id: int, name: str, type_id: int, index_id: int, count: int) -> None:
        self.btf = btf
        self.id = id
        self.name = name
        self.type_id = type_id
        self.index_id = index_id
        self.count = count

    @property
    def type(self) -> Type:
        """The type of an element."""
        return self.btf.type(self.type_id)


class Fwd(Type):
    """A struct or union of which only the name is known here."""

    __slots__ = ("is_union",)
    kind = k.FWD

    def __init__(self, btf: Blob, id: int, name: str, is_union: bool) -> None:
        self.btf = btf
        self.id = id
        self.name = name
        self.is_union = is_union


class Member:
    """A member of a struct or union. `bit_size` is 0 unless it is a bit field."""

    __slots__ = ("bit_offset", "bit_size", "btf", "name", "type_id")

    def __init__(self, btf: Blob, name: str, type_id: int, bit_offset: int, bit_size: int) -> None:
        self.btf = btf
        self.name = name
        self.type_id = type_id
        self.bit_offset = bit_offset
        self.bit_size = bit_size

    @property
    def type(self) -> Type:
        """The declared type."""
        return self.btf.type(self.type_id)

    def __repr__(self) -> str:
        bits = f":{self.bit_size}" if self.bit_size else ""
        return f"<member {self.name}{bits} at bit {self.bit_offset}>"


class Composite(Type):
    """A struct or a union: `size` in bytes, and `members` (parsed on first use)."""

    __slots__ = ("_at", "_by_name", "_info", "_members", "size")

    def __init__(self, btf: Blob, id: int, name: str, size: int, info: int, at: int) -> None:
        self.btf = btf
        self.id = id
        self.name = name
        self.size = size
        self._info = info
        self._at = at + 3
        self._members: tuple[Member, ...] | None = None
        self._by_name: dict[str, Member] | None = None

    @property
    def members(self) -> tuple[Member, ...]:
        """The members in order; anonymous structs and unions have the name ""."""
        if self._members is None:
            self._members = self._parse()
        return self._members

    def _parse(self) -> tuple[Member, ...]:
        btf = self.btf
        at = self._at
        words = btf.words[at : at + 3 * (self._info & 0xFFFF)].tolist()
        name_of = btf.string
        it = iter(words)
        if self._info >> 31:
            return tuple(
                Member(btf, name_of(name) if name else "", type_id, bits & 0xFFFFFF, bits >> 24)
                for name, type_id, bits in zip(it, it, it, strict=True)
            )
        return tuple(
            Member(btf, name_of(name) if name else "", type_id, bits, 0)
            for name, type_id, bits in zip(it, it, it, strict=True)
        )

    def member(self, name: str) -> Member | None:
        """Return the member of that name that stands directly in this type, or None."""
        if self._by_name is None:
            self._by_name = {m.name: m for m in reversed(self.members)}
        return self._by_name.get(name)


class Struct(Composite):
    """A struct."""

    __slots__ = ()
    kind = k.STRUCT


class Union(Composite):
    """A union."""

    __slots__ = ()
    kind = k.UNION


class Enum(Type):
    """An enum of `size` bytes; `values` are (name, value) in order."""

    __slots__ = ("_at", "_info", "_values", "size")
    kind = k.ENUM

    def __init__(self, btf: Blob, id: int, name: str, size: int, info: int, at: int) -> None:
        self.btf = btf
        self.id = id
        self.name = name
        self.size = size
        self._info = info
        self._at = at + 3
        self._values: tuple[tuple[str, int], ...] | None = None

    @property
    def signed(self) -> bool:
        """Whether values are signed."""
        return self._info >> 31 != 0

    @property
    def values(self) -> tuple[tuple[str, int], ...]:
        """The enumerators."""
        if self._values is None:
            self._values = self._parse()
        return self._values

    def _parse(self) -> tuple[tuple[str, int], ...]:
        btf = self.btf
        at = self._at
        it = iter(btf.words[at : at + 2 * (self._info & 0xFFFF)].tolist())
        over = 1 << 31 if self.signed else 1 << 32
        return tuple(
            (btf.string(name), value - (1 << 32) if value >= over else value)
            for name, value in zip(it, it, strict=True)
        )

    def value(self, name: str) -> int | None:
        """Return the value of an enumerator, or None."""
        for known, value in self.values:
            if known == name:
                return value
        return None


class Enum64(Enum):
    """An enum whose values are 64 bits wide."""

    __slots__ = ()
    kind = k.ENUM64

    def _parse(self) -> tuple[tuple[str, int], ...]:
        btf = self.btf
        at = self._at
        it = iter(btf.words[at : at + 3 * (self._info & 0xFFFF)].tolist())
        over = 1 << 63 if self.signed else 1 << 64
        out = []
        for name, low, high in zip(it, it, it, strict=True):
            value = high << 32 | low
            out.append((btf.string(name), value - (1 << 64) if value >= over else value))
        return tuple(out)


class Param:
    """A parameter; its name is "" where BTF doesn't know it."""

    __slots__ = ("btf", "name", "type_id")

    def __init__(self, btf: Blob, name: str, type_id: int) -> None:
        self.btf = btf
        self.name = name
        self.type_id = type_id

    @property
    def type(self) -> Type:
        """The declared type."""
        return self.btf.type(self.type_id)

    def __repr__(self) -> str:
        return f"<param {self.name} #{self.type_id}>"


class FuncProto(Type):
    """The type of a function: `type` is what it returns; `params` don't include a closing `...`."""

    __slots__ = ("_at", "_count", "_params", "type_id")
    kind = k.FUNC_PROTO

    def __init__(self, btf: Blob, id: int, name: str, type_id: int, count: int, at: int) -> None:
        self.btf = btf
        self.id = id
        self.name = name
        self.type_id = type_id
        self._count = count
        self._at = at + 3
        self._params: tuple[Param, ...] | None = None

    @property
    def type(self) -> Type:
        """The type returned."""
        return self.btf.type(self.type_id)

    @property
    def variadic(self) -> bool:
        """Whether the parameters end in `...`."""
        if not self._count:
            return False
        at = self._at + 2 * self._count - 2
        words = self.btf.words
        return words[at] == 0 and words[at + 1] == 0

    @property
    def params(self) -> tuple[Param, ...]:
        """The parameters in order."""
        if self._params is None:
            btf = self.btf
            at = self._at
            it = iter(btf.words[at : at + 2 * (self._count - self.variadic)].tolist())
            pairs = zip(it, it, strict=True)
            self._params = tuple(Param(btf, btf.string(n) if n else "", type_id) for n, type_id in pairs)
        return self._params


class DataSec(Type):
    """A data section: `entries` are (Var's type id, offset, size)."""

    __slots__ = ("_at", "_count", "size")
    kind = k.DATASEC

    def __init__(self, btf: Blob, id: int, name: str, size: int, count: int, at: int) -> None:
        self.btf = btf
        self.id = id
        self.name = name
        self.size = size
        self._count = count
        self._at = at + 3

    @property
    def entries(self) -> tuple[tuple[int, int, int], ...]:
        """The variables."""
        at = self._at
        it = iter(self.btf.words[at : at + 3 * self._count].tolist())
        return tuple(zip(it, it, it, strict=True))
