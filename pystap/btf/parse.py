"""A BTF blob: single types by id and strings by offset, parsed when asked for.

`Blob` checks the header when it is made and every access after that, so that no content can raise
anything but `BtfError`. Where a type stands is the index's business (`index.py`).
"""

from __future__ import annotations

from struct import error as struct_error
from struct import unpack_from

from . import kinds as k
from . import types as t
from .errors import BtfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from mmap import mmap
    from typing import Any

    from .index import BtfIndex
    from .scan import ScanIndex

    Make = Callable[["Blob", int, str, int, int, int], t.Type]

_HEADER = "=HBBIIIII"
_HEADER_SIZE = 24


def _ref(cls: type[t.Ref]) -> Make:
    return lambda btf, id, name, info, word, at: cls(btf, id, name, word)


def _array(btf: Blob, id: int, name: str, info: int, word: int, at: int) -> t.Type:
    elem, index, count = btf.words[at + 3 : at + 6]
    return t.Array(btf, id, name, elem, index, count)


_MAKE: dict[int, Make] = {
    k.INT: lambda btf, id, name, info, word, at: t.Int(btf, id, name, word, btf.words[at + 3]),
    k.PTR: _ref(t.Ptr),
    k.ARRAY: _array,
    k.STRUCT: lambda btf, id, name, info, word, at: t.Struct(btf, id, name, word, info, at),
    k.UNION: lambda btf, id, name, info, word, at: t.Union(btf, id, name, word, info, at),
    k.ENUM: lambda btf, id, name, info, word, at: t.Enum(btf, id, name, word, info, at),
    k.FWD: lambda btf, id, name, info, word, at: t.Fwd(btf, id, name, info >> 31 != 0),
    k.TYPEDEF: _ref(t.Typedef),
    k.VOLATILE: _ref(t.Volatile),
    k.CONST: _ref(t.Const),
    k.RESTRICT: _ref(t.Restrict),
    k.FUNC: lambda btf, id, name, info, word, at: t.Func(btf, id, name, word, info & 0xFFFF),
    k.FUNC_PROTO: lambda btf, id, name, info, word, at: t.FuncProto(btf, id, name, word, info & 0xFFFF, at),
    k.VAR: lambda btf, id, name, info, word, at: t.Var(btf, id, name, word, btf.words[at + 3]),
    k.DATASEC: lambda btf, id, name, info, word, at: t.DataSec(btf, id, name, word, info & 0xFFFF, at),
    k.FLOAT: lambda btf, id, name, info, word, at: t.Float(btf, id, name, word),
    k.DECL_TAG: lambda btf, id, name, info, word, at: t.DeclTag(btf, id, name, word, btf.words[at + 3]),
    k.TYPE_TAG: _ref(t.TypeTag),
    k.ENUM64: lambda btf, id, name, info, word, at: t.Enum64(btf, id, name, word, info, at),
}


class Blob:
    """The bytes of one BTF: a kernel's, or with a `base` a module's (split BTF)."""

    __slots__ = (
        "_index",
        "_types",
        "base",
        "first_id",
        "raw",
        "string_base",
        "string_end",
        "strings_at",
        "words",
    )

    def __init__(
        self,
        data: bytes | bytearray | memoryview | mmap,
        index: BtfIndex | None = None,
        base: Blob | None = None,
    ) -> None:
        self.raw = raw = _searchable(data)
        self.base = base
        self._index: BtfIndex | ScanIndex | None = index
        types_at, types_len, self.strings_at, strings_len = _sections(raw)
        self.words: memoryview[int] = memoryview(raw)[types_at : types_at + types_len].cast("I")
        self.first_id: int = base.end_id if base is not None else 1
        self.string_base: int = base.string_end if base is not None else 0
        self.string_end: int = self.string_base + strings_len
        self._types: dict[int, t.Type] = {} if base is not None else {0: t.Void(self, 0, "void")}

    @property
    def index(self) -> BtfIndex | ScanIndex:
        """The index; without one from outside the blob is scanned on first use."""
        if self._index is None:
            from .scan import ScanIndex

            self._index = ScanIndex(self)
        return self._index

    def use_index(self, index: BtfIndex) -> None:
        """Take an index that was made meanwhile."""
        self._index = index

    @property
    def end_id(self) -> int:
        """One more than the highest type id."""
        return self.first_id + self.index.count

    def type(self, id: int) -> t.Type:
        """Return the type of that id."""
        found = self._types.get(id)
        if found is None:
            if id < self.first_id and self.base is not None:
                return self.base.type(id)
            found = self._types[id] = self._parse(id)
        return found

    def _parse(self, id: int) -> t.Type:
        number = id - self.first_id
        index = self.index
        if not 0 <= number < index.count:
            raise BtfError(f"no BTF type {id}")
        words = self.words
        try:
            at = index.at(number, words)
            info = words[at + 1]
            if at + k.words_of(info) > len(words):
                raise BtfError(f"BTF type {id} is cut off")
            name = words[at]
            make = _MAKE[info >> 24 & 31]
            return make(self, id, self.string(name) if name else "", info, words[at + 2], at)
        except IndexError:
            raise BtfError(f"BTF type {id} is cut off") from None

    def string(self, offset: int) -> str:
        """Return the string at an offset of the string section."""
        return self.string_bytes(offset).decode("utf-8", "replace")

    def string_bytes(self, offset: int) -> bytes:
        """Return the bytes of the string at an offset of the string section."""
        if offset < self.string_base and self.base is not None:
            return self.base.string_bytes(offset)
        if offset < self.string_end:
            start = self.strings_at + offset - self.string_base
            end = self.raw.find(b"\0", start, self.strings_at + self.string_end - self.string_base)
            if end >= 0:
                return self.raw[start:end]
        raise BtfError(f"no BTF string at {offset}")

    def string_offsets(self, part: bytes, before: bytes = b"") -> set[int]:
        """Return the offsets of `part` in all strings where `before` stands right before it."""
        out = self.base.string_offsets(part, before) if self.base is not None else set()
        sought = before + part
        find = self.raw.find
        start = self.strings_at
        end = start + self.string_end - self.string_base
        shift = self.string_base - start + len(before)
        at = find(sought, start, end)
        while at >= 0:
            out.add(at + shift)
            at = find(sought, at + 1, end)
        return out

    def string_is(self, offset: int, wanted: bytes) -> bool:
        """Whether the string at an offset is `wanted`, which must end in a NUL byte."""
        if offset < self.string_base and self.base is not None:
            return self.base.string_is(offset, wanted)
        if offset >= self.string_end:
            return False
        start = self.strings_at + offset - self.string_base
        return self.raw[start : start + len(wanted)] == wanted


def _searchable(data: bytes | bytearray | memoryview | mmap) -> bytes | mmap:
    """Return what has `find` and slices to bytes, without a copy where possible."""
    if isinstance(data, memoryview):
        owner: Any = data.obj
        if hasattr(owner, "find") and not isinstance(owner, bytearray) and len(owner) == data.nbytes:
            return owner  # type: ignore[no-any-return]
        return data.tobytes()
    return bytes(data) if isinstance(data, bytearray) else data


def _sections(raw: bytes | mmap) -> tuple[int, int, int, int]:
    """Return where types and strings are: offset and length of each, checked against the data."""
    try:
        magic, version, _flags, header, type_off, type_len, str_off, str_len = unpack_from(_HEADER, raw)
    except struct_error:
        raise BtfError("too short to be BTF") from None
    if magic != k.MAGIC:
        swapped = magic == (k.MAGIC >> 8 | (k.MAGIC & 0xFF) << 8)
        raise BtfError("BTF of the other byte order" if swapped else "not BTF: wrong magic number")
    if version != k.VERSION or header < _HEADER_SIZE:
        raise BtfError(f"unknown BTF version {version}")
    size = len(raw)
    if header + type_off + type_len > size or header + str_off + str_len > size or type_len % 4:
        raise BtfError("BTF is cut off")
    return header + type_off, type_len, header + str_off, str_len
