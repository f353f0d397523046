"""`Btf`: a blob in which types are found by name.

A module's `Btf` (one with a `base`) answers from its own types first, then from the base.
"""

from __future__ import annotations

from . import kinds as k
from . import types as t
from .errors import BtfError
from .parse import Blob

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from mmap import mmap
    from typing import TypeVar

    from .index import BtfIndex

    T = TypeVar("T", bound=t.Type)

_PREFIX = "btf_trace_"
# Functions that name a tracepoint's parameters, best first: its typedef doesn't, and kernels differ.
_NAMED = ("__probestub_", "__traceiter_", "__bpf_trace_")
_WILD = "*?["
_LONGEST_CHAIN = 64


class Tracepoint:
    """A tracepoint, by its typedef `btf_trace_<name>`."""

    __slots__ = ("name", "params")

    def __init__(self, name: str, params: tuple[t.Param, ...]) -> None:
        self.name = name
        self.params = params  # without the leading `void *__data`; named where the kernel tells

    def __repr__(self) -> str:
        return f"<tracepoint {self.name}({', '.join(p.name for p in self.params)})>"


class Btf(Blob):
    """A kernel's BTF, or a module's: types by id (`type`) and by name (`find_*`)."""

    __slots__ = ("_found", "unsaved")

    def __init__(
        self,
        data: bytes | bytearray | memoryview | mmap,
        index: BtfIndex | None = None,
        base: Btf | None = None,
    ) -> None:
        super().__init__(data, index, base)
        self._found: dict[tuple[int, str], t.Type | None] = {}
        self.unsaved: tuple[str, bytes, tuple[int, int]] | None = None  # see cache.store_index

    def find_all(self, group: int, name: str) -> Iterator[t.Type]:
        """Yield all types of that name in a group (`kinds.G_*`), by rising id."""
        if not name or "\0" in name:
            return
        wanted = name.encode("utf-8", "replace") + b"\0"
        index = self.index
        words = self.words
        try:
            for at in index.candidates(group, wanted[:-1]):
                if k.GROUP_OF.get(words[at + 1] >> 24 & 31) == group and self.string_is(words[at], wanted):
                    yield self.type(self.first_id + index.number(at, words))
        except IndexError:
            raise BtfError("the BTF index is damaged") from None
        if isinstance(self.base, Btf):
            yield from self.base.find_all(group, name)

    def _first(self, group: int, name: str, cls: type[T]) -> T | None:
        key = (group, name)
        if key not in self._found:
            self._found[key] = next(self.find_all(group, name), None)
        found = self._found[key]
        return found if isinstance(found, cls) else None

    def find_struct(self, name: str) -> t.Struct | None:
        """Return `struct name`, or None."""
        return self._first(k.G_STRUCT, name, t.Struct)

    def find_union(self, name: str) -> t.Union | None:
        """Return `union name`, or None."""
        return self._first(k.G_UNION, name, t.Union)

    def find_enum(self, name: str) -> t.Enum | None:
        """Return `enum name`, or None."""
        return self._first(k.G_ENUM, name, t.Enum)

    def find_tagged(self, kind: str, name: str) -> t.Struct | t.Union | t.Enum | None:
        """Return the type that C calls `kind name`, with one of struct, union and enum, or None."""
        if kind == "enum":
            return self.find_enum(name)
        return self.find_struct(name) if kind == "struct" else self.find_union(name)

    def find_typedef(self, name: str) -> t.Typedef | None:
        """Return the typedef, or None."""
        return self._first(k.G_TYPEDEF, name, t.Typedef)

    def find_func(self, name: str) -> t.Func | None:
        """Return the function, or None; of several static ones, the first."""
        return self._first(k.G_FUNC, name, t.Func)

    def find_var(self, name: str) -> t.Var | None:
        """Return the variable, or None."""
        return self._first(k.G_VAR, name, t.Var)

    def find_datasec(self, name: str) -> t.DataSec | None:
        """Return the data section, or None."""
        return self._first(k.G_DATASEC, name, t.DataSec)

    def find_scalar(self, name: str) -> t.Int | t.Float | None:
        """Return the integer or floating point type by its BTF name ("long unsigned int"), or None."""
        return self._first(k.G_SCALAR, name, t.Int) or self._first(k.G_SCALAR, name, t.Float)

    def find_enumerator(self, name: str) -> tuple[int, t.Enum] | None:
        """Return (value, its enum) of an enumerator of any enum, or None."""
        if not name:
            return None
        wanted = name.encode("utf-8", "replace")
        index = self.index
        words = self.words
        try:
            for at in index.candidates(k.G_ENUMERATOR, wanted):
                if words[at + 1] >> 24 & 31 in (k.ENUM, k.ENUM64):
                    enum = self.type(self.first_id + index.number(at, words))
                    value = enum.value(name) if isinstance(enum, t.Enum) else None
                    if value is not None:
                        return value, enum  # type: ignore[return-value]
        except IndexError:
            raise BtfError("the BTF index is damaged") from None
        return self.base.find_enumerator(name) if isinstance(self.base, Btf) else None

    def find_tracepoint(self, name: str) -> Tracepoint | None:
        """Return the tracepoint (`sched_switch`, without its category), or None."""
        typedef = self.find_typedef(_PREFIX + name)
        if typedef is None:
            return None
        proto = self._traced(typedef)
        if proto is None:
            return None
        params = proto.params
        for prefix in _NAMED:
            func = self.find_func(prefix + name)
            named = func.type if func else None
            if isinstance(named, t.FuncProto) and len(named.params) == len(params):
                params = named.params
                break
        return Tracepoint(name, params[1:])

    def _traced(self, typedef: t.Typedef) -> t.FuncProto | None:
        pointer = typedef.type
        proto = pointer.type if isinstance(pointer, t.Ptr) else None
        return proto if isinstance(proto, t.FuncProto) and proto.params else None

    def tracepoints(self, pattern: str = "*") -> list[str]:
        """Return the sorted names of the tracepoints that match."""
        cut = len(_PREFIX)
        return [name[cut:] for name in self.names(k.G_TYPEDEF, _PREFIX + pattern)]

    def names(self, group: int, pattern: str = "*") -> list[str]:
        """Return the sorted, distinct names of a group that match a shell pattern (`*`, `?`, `[...]`).

        A pattern that begins with plain text is fast; others look at each name of the group.
        """
        prefix = pattern
        for wild in _WILD:
            prefix = prefix.partition(wild)[0]
        found = self._names(group, prefix.encode("utf-8", "replace"))
        if isinstance(self.base, Btf):
            found |= self.base._names(group, prefix.encode("utf-8", "replace"))
        out = sorted(name.decode("utf-8", "replace") for name in found)
        rest = pattern[len(prefix) :]
        if not rest:
            return [name for name in out if name == prefix]
        if rest == "*":
            return out
        from fnmatch import fnmatchcase

        return [name for name in out if fnmatchcase(name, pattern)]

    def _names(self, group: int, prefix: bytes) -> set[bytes]:
        """Return the distinct names of this blob's own types of a group that begin with `prefix`."""
        words = self.words
        places = self.index.places(group)
        try:
            if group == k.G_ENUMERATOR:
                offsets: set[int] = set()
                for at in places:
                    info = words[at + 1]
                    each = 3 if info >> 24 & 31 == k.ENUM64 else 2
                    offsets.update(words[at + 3 : at + 3 + each * (info & 0xFFFF) : each])
            else:
                offsets = {words[at] for at in places}
        except IndexError:
            raise BtfError("the BTF index is damaged") from None
        if prefix:
            offsets &= self.string_offsets(prefix, b"\0") | self._first_string(prefix)
        offsets.discard(0)
        return {self.string_bytes(offset) for offset in offsets}

    def _first_string(self, prefix: bytes) -> set[int]:
        """Return the offset of a module's first string if it begins so: no NUL stands before it."""
        at = self.strings_at
        return {self.string_base} if self.raw[at : at + len(prefix)] == prefix else set()

    def complete(self, type: t.Type) -> t.Type:
        """Return the definition of a forward declaration where there is one, else the type itself."""
        if isinstance(type, t.Fwd):
            found = self.find_union(type.name) if type.is_union else self.find_struct(type.name)
            return found or type
        return type

    def resolve(self, type: t.Type) -> t.Type:
        """Return the type without typedefs, qualifiers and tags; a forward declaration is completed."""
        return self.complete(resolve(type))


_TRANSPARENT = (t.Typedef, t.Const, t.Volatile, t.TypeTag, t.Restrict)


def resolve(type: t.Type) -> t.Type:
    """Return the type without typedefs, `const`, `volatile`, `restrict` and tags."""
    left = _LONGEST_CHAIN
    while isinstance(type, _TRANSPARENT):
        type = type.type
        left -= 1
        if not left:
            raise BtfError("a BTF type refers to itself")
    return type


def pointer_tags(pointer: t.Type) -> tuple[str, ...]:
    """Return the tags (`user`, `percpu`, `rcu`) of what a pointer points to; few kernels have them."""
    out: list[str] = []
    resolved = resolve(pointer)
    if isinstance(resolved, t.Ptr):
        target = resolved.type
        while isinstance(target, _TRANSPARENT) and len(out) < _LONGEST_CHAIN:
            out.append(target.name if isinstance(target, t.TypeTag) else "")
            target = target.type
    return tuple(name for name in out if name)
