"""Globals whose truth is a kernel map: a dict's methods, each a map call."""

from __future__ import annotations

from struct import Struct

from .errors import OVERFLOW, ScriptError
from .layout import KeyPacker, key_decoder, packing
from .numbers import wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ..kernel.maps import Map
    from ..program import GlobalSpec
    from .decode import Strings
    from .door import Door

_I64 = Struct("<q")
_FULL = (7, 12)  # E2BIG, ENOMEM


class SharedScalar:
    """A word (or the bytes of a string) in the control block."""

    __slots__ = ("_door", "_offset", "_size", "_text")

    def __init__(self, spec: GlobalSpec, door: Door) -> None:
        self._door = door
        self._offset = spec.offset
        self._size = spec.value_size
        self._text = spec.value == "str"

    def get(self) -> Any:
        """The value now."""
        memory, at = self._door.control, self._offset
        if self._text:
            return bytes(memory[at : at + self._size]).split(b"\0", 1)[0].decode("latin-1")
        return self._door.words[at >> 3]

    def set(self, value: Any) -> None:
        """Store a value; 8 bytes are stored at once."""
        if self._text:
            raw = value.encode("latin-1")[: self._size - 1]
            at = self._offset
            self._door.control[at : at + self._size] = raw.ljust(self._size, b"\0")
        else:
            self._door.words[self._offset >> 3] = value

    def add(self, amount: int, place: str = "") -> int:
        """Add and return the new value."""
        value = wrap(self.get() + amount)
        self.set(value)
        return value


class SharedArray:
    """A kernel hash."""

    __slots__ = ("_decode", "_keys", "_map", "_pack", "_spec", "_strings", "_value")

    def __init__(self, spec: GlobalSpec, table: Map, strings: Strings) -> None:
        self._spec = spec
        self._map = table
        self._strings = strings
        self._pack = KeyPacker(spec).pack
        self._keys = Struct("<" + packing(spec.key, spec.key_size))
        self._decode = key_decoder(spec, {}, strings)
        self._value = spec.value

    def _load(self, raw: bytes) -> Any:
        if self._value == "i64":
            return _I64.unpack_from(raw)[0]
        return raw if self._value == "buf" else raw.split(b"\0", 1)[0].decode("latin-1")

    def _save(self, value: Any) -> bytes:
        if self._value == "i64":
            raw = _I64.pack(value)
        elif self._value == "buf":
            raw = value
        else:
            raw = value.encode("latin-1")[: self._spec.value_size - 1]
        return raw.ljust(self._spec.value_size, b"\0")

    def get(self, key: Any, default: Any = None) -> Any:
        """The element, or the default."""
        packed = self._pack(key)
        raw = None if packed is None else self._map.lookup(packed)
        return default if raw is None else self._load(raw)

    def __contains__(self, key: Any) -> bool:
        packed = self._pack(key)
        return packed is not None and self._map.lookup(packed) is not None

    def __getitem__(self, key: Any) -> Any:
        return self.get(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._map.update(self._packed(key), self._save(value))

    def _packed(self, key: Any) -> bytes:
        packed = self._pack(key)
        assert packed is not None, key  # staging gives the map room for every key that is stored
        return packed

    def put(self, key: Any, value: Any, place: str = "") -> None:
        """Store an element; a full map is the script's error, or left out with bpftrace's rules."""
        try:
            self._map.update(self._packed(key), self._save(value))
        except OSError as error:
            if error.errno not in _FULL:
                raise
            if self._spec.full != "warn":
                raise ScriptError(OVERFLOW, place) from None

    def add(self, key: Any, amount: int, place: str = "") -> int:
        """Add to an element and return the new value."""
        value = wrap(self.get(key, 0) + amount)
        self.put(key, value, place)
        return value

    def pop(self, key: Any, default: Any = None) -> None:
        """Delete an element."""
        packed = self._pack(key)
        if packed is not None:
            self._map.delete(packed)

    def clear(self) -> None:
        """Delete all."""
        self._map.clear()

    def items(self) -> list[tuple[Any, Any]]:
        """All elements, in the kernel's order."""
        found = []
        decode, load, size = self._decode, self._load, self._map.value_size
        for keys, values, _ in self._map.batches():
            at = 0
            for raw in self._keys.iter_unpack(keys):
                key = raw if decode is None else decode(raw)
                found.append((key, load(bytes(values[at : at + size]))))
                at += size
        return found

    def values(self) -> list[Any]:
        """All values."""
        return [value for _, value in self.items()]

    def __iter__(self) -> Iterator[Any]:
        return iter([key for key, _ in self.items()])

    def __len__(self) -> int:
        return sum(count for _, _, count in self._map.batches())
