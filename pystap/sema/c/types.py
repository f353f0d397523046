"""C's types, as objects of `btf.types`: those of the kernel, and made ones for what C adds to them.

Also what C does with them: promotions, the usual arithmetic conversions, sizes.
"""

from __future__ import annotations

from ...btf import BtfError
from ...btf import types as t
from ...btf.kinds import BOOL, CHAR, SIGNED
from ...btf.layout import sizeof
from ...diag import did_you_mean, fail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...btf import Btf
    from ...source import Span

    Node = Any


def many(words: str, type: t.Type) -> dict[str, t.Type]:
    """Return a table in which each of the words means this type."""
    return dict.fromkeys(words.split(), type)


class MadePtr(t.Ptr):
    """A pointer to a type that needs no id."""

    __slots__ = ("target",)

    def __init__(self, target: t.Type) -> None:
        super().__init__(target.btf, 0, "", 0)
        self.target = target

    @property
    def type(self) -> t.Type:
        """The type pointed to."""
        return self.target


class MadeArray(t.Array):
    """An array of a type that needs no id."""

    __slots__ = ("target",)

    def __init__(self, target: t.Type, count: int) -> None:
        super().__init__(target.btf, 0, "", 0, 0, count)
        self.target = target

    @property
    def type(self) -> t.Type:
        """The type of an element."""
        return self.target


def _int(name: str, size: int, encoding: int = 0) -> t.Int:
    return t.Int(None, 0, name, size, encoding << 24 | 8 * size)  # type: ignore[arg-type]


VOID = t.Void(None, 0, "void")  # type: ignore[arg-type]
CHAR_T = _int("char", 1, SIGNED | CHAR)
UCHAR = _int("unsigned char", 1, CHAR)
SHORT, USHORT = _int("short", 2, SIGNED), _int("unsigned short", 2)
INT, UINT = _int("int", 4, SIGNED), _int("unsigned int", 4)
LONG, ULONG = _int("long", 8, SIGNED), _int("unsigned long", 8)
BOOL_T = _int("_Bool", 1, BOOL)
TEXT = MadePtr(CHAR_T)  # of a value that is a string of the IR

_BASIC: dict[str, t.Type] = {
    "void": VOID,
    "char": CHAR_T,
    "char signed": CHAR_T,
    "char unsigned": UCHAR,
    "short": SHORT,
    "short unsigned": USHORT,
    "": INT,
    "signed": INT,
    "unsigned": UINT,
    "long": LONG,
    "long unsigned": ULONG,
    "long long": LONG,
    "long long unsigned": ULONG,
    "_Bool": BOOL_T,
}
# Names that every kernel header gives, where the kernel's BTF doesn't have them.
_NAMED: dict[str, t.Type] = {
    **many("s8 __s8 int8_t", CHAR_T),
    **many("u8 __u8 uint8_t u_char u_int8_t", UCHAR),
    **many("s16 __s16 int16_t", SHORT),
    **many("u16 __u16 uint16_t __be16 __le16 ushort u_short u_int16_t umode_t sa_family_t", USHORT),
    **many("s32 __s32 int32_t pid_t", INT),
    **many("u32 __u32 uint32_t __be32 __le32 uint u_int u_int32_t uid_t gid_t dev_t", UINT),
    **many("s64 __s64 int64_t intptr_t ssize_t ptrdiff_t loff_t ktime_t time_t off_t time64_t", LONG),
    **many(
        "u64 __u64 uint64_t uintptr_t size_t __be64 __le64 ulong u_long u_int64_t sector_t cycles_t",
        ULONG,
    ),
    "bool": BOOL_T,
}


class Types:
    """The types of one kernel and one script (its typedefs)."""

    __slots__ = ("btf", "typedefs")

    def __init__(self, btf: Btf) -> None:
        self.btf = btf
        self.typedefs: dict[str, t.Type] = {}

    def is_type(self, name: str) -> bool:
        """Whether a name is a typedef."""
        return name in self.typedefs or name in _NAMED or self.btf.find_typedef(name) is not None

    def resolve(self, type: t.Type) -> t.Type:
        """Return the type without typedefs and qualifiers."""
        return self.btf.resolve(type)

    def of(self, node: Node, span: Span) -> t.Type:
        """Return the type that a declarator of pycparser's tree gives."""
        kind = node.__class__.__name__
        if kind in ("Typename", "TypeDecl", "Decl", "Typedef"):
            return self.of(node.type, span)
        if kind == "PtrDecl":
            return MadePtr(self.of(node.type, span))
        if kind == "ArrayDecl":
            return MadeArray(self.of(node.type, span), self._dimension(node.dim, span))
        if kind == "IdentifierType":
            return self._named(node.names, span)
        if kind in ("Struct", "Union", "Enum"):
            return self._tagged(kind, node, span)
        if kind == "FuncDecl":
            return VOID  # behind a pointer only: its address is all that can be had
        raise fail("E402", "not supported in embedded C: this type", span)

    def _dimension(self, node: Node, span: Span) -> int:
        if node is None:
            return 0
        from ...lang.c.conditions import number

        value = number(node.value) if node.__class__.__name__ == "Constant" else None
        if value is None and node.__class__.__name__ == "ID":
            value = self.constant(node.name)
        if value is None:
            raise fail("E402", "not supported in embedded C: an array whose size isn't a number", span)
        return value

    def constant(self, name: str) -> int | None:
        """Return the value of an enumerator or a constant of the public headers."""
        found = self.btf.find_enumerator(name)
        if found is not None:
            return found[0]
        from ...builtins.constants import CONSTANTS

        return CONSTANTS.get(name)

    def _named(self, names: list[str], span: Span) -> t.Type:
        if len(names) == 1:
            name = names[0]
            known = self.typedefs.get(name) or self.btf.find_typedef(name) or _NAMED.get(name)
            if known is not None:
                return known
        words = sorted(n for n in names if n != "signed" or "char" in names)
        if "int" in words and len(words) > 1:
            words.remove("int")
        key = " ".join(words) if words != ["int"] else ""
        basic = _BASIC.get(key)
        if basic is None:
            if "float" in words or "double" in words:
                raise fail("E402", "not supported in embedded C: floating point", span)
            raise fail("E237", f"there is no type '{' '.join(names)}' in this kernel", span)
        return basic

    def _tagged(self, kind: str, node: Node, span: Span) -> t.Type:
        body = node.values if kind == "Enum" else node.decls
        word = kind.lower()
        if body is not None:
            raise fail(
                "E402",
                f"not supported in embedded C: defining a {word}",
                span,
                "types come from the kernel's BTF",
            )
        name = node.name
        btf = self.btf
        found = btf.find_tagged(kind.lower(), name)
        if found is None:
            from ...btf.kinds import G_STRUCT

            near = None
            if kind == "Struct" and len(name) > 3:
                near = did_you_mean(name, btf.names(G_STRUCT, name[:2] + "*"))
            hints = (f"did you mean 'struct {near}'?",) if near else ()
            raise fail("E237", f"there is no type '{word} {name}' in this kernel", span, *hints)
        return found

    # ------------------------------------------------------------------ what C does with types

    def integer(self, type: t.Type) -> tuple[int, bool] | None:
        """Return (bytes, signed) of an integer or enum, None for other types."""
        here = self.btf.resolve(type)
        if isinstance(here, t.Int):
            return min(here.size, 8), here.signed
        if isinstance(here, t.Enum):
            return here.size, here.signed
        return None

    def pointee(self, type: t.Type) -> t.Type | None:
        """Return what a pointer or array leads to, None for other types."""
        here = self.btf.resolve(type)
        return here.type if isinstance(here, (t.Ptr, t.Array)) else None

    def is_pointer(self, type: t.Type) -> bool:
        """Whether this is a pointer."""
        return isinstance(self.btf.resolve(type), t.Ptr)

    def is_bool(self, type: t.Type) -> bool:
        """Whether this is _Bool."""
        here = self.btf.resolve(type)
        return isinstance(here, t.Int) and here.is_bool

    def promoted(self, type: t.Type) -> t.Int:
        """Return the type that a value of an integer type has in an expression."""
        size, signed = self.integer(type) or (8, False)
        if size < 4:
            return INT
        return (INT if signed else UINT) if size == 4 else LONG if signed else ULONG

    def common(self, a: t.Type, b: t.Type) -> t.Int:
        """Return the type of an operation on two integers."""
        x, y = self.promoted(a), self.promoted(b)
        if x.size == y.size:
            return x if not x.signed else y
        return x if x.size > y.size else y

    def sizeof(self, type: t.Type, span: Span) -> int:
        """Return a type's size."""
        here = self.btf.resolve(type)
        if isinstance(here, (t.Void, t.FuncProto)):
            return 1
        try:
            return sizeof(here)
        except BtfError as error:
            raise fail("E232", str(error), span) from None
