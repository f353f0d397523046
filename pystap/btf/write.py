"""Making BTF: `BtfWriter` takes types one by one and gives the bytes.

Every method adds a type and returns its id; ids may be used before they are added (types refer to each
other in circles), since `next_id` tells what the next one will be. Strings are stored once.
"""

from __future__ import annotations

from array import array
from struct import pack

from . import kinds as k
from .errors import BtfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Fields = Sequence[tuple[str, int, int, int]]

_MOST = 0xFFFF


class BtfWriter:
    """Collects types. For split BTF give the base's `end_id` and `string_end`."""

    def __init__(self, first_id: int = 1, string_base: int = 0) -> None:
        self.first_id = first_id
        self.next_id = first_id
        self._string_base = string_base
        self._words = array("I")
        self._strings = bytearray(b"" if string_base else b"\0")
        self._offsets: dict[str, int] = {"": 0}

    def string(self, text: str) -> int:
        """Return the offset of a string, adding it if it is new."""
        offset = self._offsets.get(text)
        if offset is None:
            data = text.encode("utf-8", "surrogateescape")
            if b"\0" in data:
                raise BtfError("a BTF string can't hold a NUL byte")
            offset = self._offsets[text] = self._string_base + len(self._strings)
            self._strings += data + b"\0"
        return offset

    def add(
        self,
        kind: int,
        name: str,
        word: int,
        rest: Iterable[int] = (),
        *,
        count: int = 0,
        flag: bool = False,
    ) -> int:
        """Add any type: its size or type word, the words after it, vlen and kind flag; return its id."""
        if not 0 <= count <= _MOST:
            raise BtfError(f"a BTF type can't have {count} parts")
        tail = list(rest)
        info = kind << 24 | count | flag << 31
        if k.words_of(info) != 3 + len(tail):
            raise BtfError(f"a BTF {k.NAMES[kind]} of {count} parts has no {len(tail)} further words")
        self._words.extend((self.string(name), info, word, *tail))
        id = self.next_id
        self.next_id += 1
        return id

    def add_int(self, name: str, size: int, encoding: int = 0, bits: int = 0, offset: int = 0) -> int:
        """Add an integer; `bits` is 8 * size if not given."""
        return self.add(k.INT, name, size, (encoding << 24 | offset << 16 | (bits or 8 * size),))

    def add_float(self, name: str, size: int) -> int:
        """Add a floating point type."""
        return self.add(k.FLOAT, name, size)

    def add_ptr(self, type: int) -> int:
        """Add a pointer."""
        return self.add(k.PTR, "", type)

    def add_array(self, type: int, index: int, count: int) -> int:
        """Add an array; `index` is an integer type."""
        return self.add(k.ARRAY, "", 0, (type, index, count))

    def add_struct(self, name: str, size: int, fields: Fields) -> int:
        """Add a struct; fields are (name, type, bit offset, bit field width or 0)."""
        return self._composite(k.STRUCT, name, size, fields)

    def add_union(self, name: str, size: int, fields: Fields) -> int:
        """Add a union; fields as a struct's."""
        return self._composite(k.UNION, name, size, fields)

    def _composite(self, kind: int, name: str, size: int, fields: Fields) -> int:
        flag = any(width for _, _, _, width in fields)
        words: list[int] = []
        for field, type, at, width in fields:
            if flag and (at >> 24 or width >> 8):
                raise BtfError(
                    f"the member '{field}' lies too far from the start for a struct with bit fields"
                )
            words += (self.string(field), type, width << 24 | at)
        return self.add(kind, name, size, words, count=len(fields), flag=flag)

    def add_enum(
        self, name: str, values: Sequence[tuple[str, int]], size: int = 4, signed: bool = False
    ) -> int:
        """Add an enum of 32-bit values."""
        words: list[int] = []
        for enumerator, value in values:
            words += (self.string(enumerator), value & 0xFFFFFFFF)
        return self.add(k.ENUM, name, size, words, count=len(values), flag=signed)

    def add_enum64(
        self, name: str, values: Sequence[tuple[str, int]], size: int = 8, signed: bool = False
    ) -> int:
        """Add an enum of 64-bit values."""
        words: list[int] = []
        for enumerator, value in values:
            words += (self.string(enumerator), value & 0xFFFFFFFF, value >> 32 & 0xFFFFFFFF)
        return self.add(k.ENUM64, name, size, words, count=len(values), flag=signed)

    def add_fwd(self, name: str, is_union: bool = False) -> int:
        """Add a forward declaration."""
        return self.add(k.FWD, name, 0, flag=is_union)

    def add_typedef(self, name: str, type: int) -> int:
        """Add a typedef."""
        return self.add(k.TYPEDEF, name, type)

    def add_qualified(self, kind: int, type: int) -> int:
        """Add `kinds.CONST`, VOLATILE or RESTRICT."""
        return self.add(kind, "", type)

    def add_type_tag(self, name: str, type: int) -> int:
        """Add a type tag."""
        return self.add(k.TYPE_TAG, name, type)

    def add_decl_tag(self, name: str, type: int, component: int = -1) -> int:
        """Add a declaration tag."""
        return self.add(k.DECL_TAG, name, type, (component & 0xFFFFFFFF,))

    def add_func_proto(self, returns: int, params: Sequence[tuple[str, int]], variadic: bool = False) -> int:
        """Add the type of a function."""
        words: list[int] = []
        for name, type in params:
            words += (self.string(name), type)
        if variadic:
            words += (0, 0)
        return self.add(k.FUNC_PROTO, "", returns, words, count=len(params) + variadic)

    def add_func(self, name: str, proto: int, linkage: int = 0) -> int:
        """Add a function."""
        return self.add(k.FUNC, name, proto, count=linkage)

    def add_var(self, name: str, type: int, linkage: int = 0) -> int:
        """Add a variable."""
        return self.add(k.VAR, name, type, (linkage,))

    def add_datasec(self, name: str, size: int, entries: Sequence[tuple[int, int, int]]) -> int:
        """Add a data section of (variable, offset, size)."""
        words = [word for entry in entries for word in entry]
        return self.add(k.DATASEC, name, size, words, count=len(entries))

    def to_bytes(self) -> bytes:
        """Return the BTF, in this machine's byte order."""
        types = self._words.tobytes()
        strings = bytes(self._strings)
        header = pack("=HBBIIIII", k.MAGIC, k.VERSION, 0, 24, 0, len(types), len(types), len(strings))
        return header + types + strings
