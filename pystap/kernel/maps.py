"""Maps: making them, single elements, batches, and the mapped array.

Contract: keys and values are bytes of exactly the map's sizes. A value of a per-CPU map is one slot
for each possible CPU, each `stride` bytes (the value size rounded up to 8), in the order of
`possible_cpus()`. One `Map` isn't for two threads: it has its buffers made once.
"""

from __future__ import annotations

import errno as _errno
import os
from struct import Struct

from ..bpf import consts_gen as abi
from .cpus import possible_cpus
from .sys import ENOTSUPP, KernelError, address, bpf, bpf_try, object_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from mmap import mmap

_CREATE = Struct("<IIIIIII16sIIIIIQ")
_ELEM = Struct("<IIQQQ")
_BATCH = Struct("<QQQQIIQQ")

_PERCPU = (abi.BPF_MAP_TYPE_PERCPU_HASH, abi.BPF_MAP_TYPE_PERCPU_ARRAY, abi.BPF_MAP_TYPE_LRU_PERCPU_HASH)
_ARRAYS = (abi.BPF_MAP_TYPE_ARRAY, abi.BPF_MAP_TYPE_PERCPU_ARRAY)
_OF_MAPS = (abi.BPF_MAP_TYPE_ARRAY_OF_MAPS, abi.BPF_MAP_TYPE_HASH_OF_MAPS)
_NO_BATCHES = (-ENOTSUPP, -_errno.EINVAL, -_errno.EOPNOTSUPP)
_BATCH_BYTES = 1 << 21  # what one batch call fills at most, unless a bucket needs more
_BATCH_MOST = 1 << 28


def create_map(
    map_type: int,
    key_size: int,
    value_size: int,
    max_entries: int,
    flags: int = 0,
    name: str = "",
    *,
    inner_fd: int = 0,
    btf_fd: int = 0,
    btf_key_type_id: int = 0,
    btf_value_type_id: int = 0,
    map_extra: int = 0,
) -> Map:
    """Make a map. `inner_fd`, for maps of maps, is any map of the shape that the slots shall have."""
    attr = bytearray(
        _CREATE.pack(
            *(map_type, key_size, value_size, max_entries, flags, inner_fd, 0, object_name(name)),
            *(0, btf_fd, btf_key_type_id, btf_value_type_id, 0, map_extra),
        )
    )
    fd = bpf(abi.BPF_MAP_CREATE, attr, f"making map {name or '(unnamed)'}")
    return Map(fd, map_type, key_size, value_size, max_entries, flags, name)


class Map:
    """A map's descriptor and shape, with the buffers that its calls use."""

    __slots__ = (
        *("_elem", "_key", "_key_at", "_value", "_value_at", "fd", "flags"),
        *("key_size", "max_entries", "name", "percpu", "slot_size", "stride", "type", "value_size"),
    )

    def __init__(
        self, fd: int, map_type: int, key_size: int, value_size: int, max_entries: int, flags: int, name: str
    ) -> None:
        self.fd = fd
        self.type = map_type
        self.key_size = key_size
        self.value_size = value_size
        self.max_entries = max_entries
        self.flags = flags
        self.name = name
        self.percpu = map_type in _PERCPU
        self.stride = (value_size + 7) & ~7
        # slot_size: what one element's value takes in a call
        self.slot_size = self.stride * len(possible_cpus()) if self.percpu else value_size
        self._key = bytearray(max(key_size, 8))
        self._value = bytearray(max(self.slot_size, 8))
        self._key_at = address(self._key)
        self._value_at = address(self._value)
        self._elem = bytearray(_ELEM.size)

    def __repr__(self) -> str:
        return f"<map {self.name or self.fd} type {self.type}>"

    def close(self) -> None:
        """Close the descriptor; programs that use the map keep it."""
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            os.close(fd)

    # -- single elements

    def lookup(self, key: bytes) -> bytes | None:
        """The value of a key (a per-CPU map: all slots), or None."""
        if self._call(abi.BPF_MAP_LOOKUP_ELEM, key, self._value_at, 0, "reading"):
            return bytes(self._value[: self.slot_size])
        return None

    def update(self, key: bytes, value: bytes, flags: int = abi.BPF_ANY) -> None:
        """Store an element; per-CPU maps want all slots. Maps of maps take an fd as 4 bytes."""
        if len(value) != self.slot_size:
            raise ValueError(f"{self!r}: a value is {self.slot_size} bytes, not {len(value)}")
        self._value[: len(value)] = value
        if not self._call(abi.BPF_MAP_UPDATE_ELEM, key, self._value_at, flags, "writing"):
            raise KernelError(_errno.ENOENT, f"writing an element of {self!r}")

    def update_cpus(self, key: bytes, values: Sequence[bytes], flags: int = abi.BPF_ANY) -> None:
        """Store a per-CPU element, one value for each possible CPU."""
        self.update(key, b"".join([value.ljust(self.stride, b"\0") for value in values]), flags)

    def fill(self, key: bytes, value: bytes, flags: int = abi.BPF_ANY) -> None:
        """Store the same value in each CPU's slot."""
        self.update_cpus(key, [value] * (self.slot_size // self.stride), flags)

    def cpu_values(self, raw: bytes) -> list[bytes]:
        """The slots of a per-CPU value, each cut to the value size."""
        size, stride = self.value_size, self.stride
        return [raw[at : at + size] for at in range(0, len(raw), stride)]

    def delete(self, key: bytes) -> bool:
        """Remove an element; False if there was none."""
        return self._call(abi.BPF_MAP_DELETE_ELEM, key, 0, 0, "deleting")

    def next_key(self, key: bytes | None) -> bytes | None:
        """The key after `key` in the kernel's order, the first for None; None at the end."""
        if self._call(abi.BPF_MAP_GET_NEXT_KEY, key, self._value_room(), 0, "listing"):
            return bytes(self._value[: self.key_size])
        return None

    def _value_room(self) -> int:
        """The value buffer's address, grown so that a key fits too."""
        if len(self._value) < self.key_size:
            self._value = bytearray(self.key_size)
            self._value_at = address(self._value)
        return self._value_at

    def _call(self, cmd: int, key: bytes | None, value_at: int, flags: int, verb: str) -> bool:
        """One command of one element; False for ENOENT."""
        key_at = 0
        if key is not None:
            if len(key) != self.key_size:
                raise ValueError(f"{self!r}: a key is {self.key_size} bytes, not {len(key)}")
            if key:
                self._key[: len(key)] = key
                key_at = self._key_at
        _ELEM.pack_into(self._elem, 0, self.fd, 0, key_at, value_at, flags)
        result = bpf_try(cmd, self._elem)
        while result == -_errno.EINTR:
            result = bpf_try(cmd, self._elem)
        if result >= 0:
            return True
        if result == -_errno.ENOENT:
            return False
        raise KernelError(-result, f"{verb} an element of {self!r}")

    # -- many elements

    def keys(self) -> Iterator[bytes]:
        """All keys, one call for each; a hash that is written meanwhile may give one twice or none."""
        key = self.next_key(None)
        while key is not None:
            yield key
            key = self.next_key(key)

    def batches(self, delete: bool = False) -> Iterator[tuple[memoryview, memoryview, int]]:
        """All elements in bulk: (keys, values, count) at a time, in buffers that are the caller's.

        `delete` takes hash elements out as they are read: no update is lost in between, but
        elements that are written meanwhile may come a second time.
        """
        cmd = abi.BPF_MAP_LOOKUP_AND_DELETE_BATCH if delete else abi.BPF_MAP_LOOKUP_BATCH
        key_size, slot_size = self.key_size, self.slot_size
        room = max(1, min(self.max_entries, _BATCH_BYTES // (key_size + slot_size)))
        last = bytearray(max(key_size, 8))
        last_at = address(last)
        started = False
        while True:
            keys, values = bytearray(room * key_size), bytearray(room * slot_size)
            attr = bytearray(
                _BATCH.pack(
                    last_at if started else 0, last_at, address(keys), address(values), room, self.fd, 0, 0
                )
            )
            result = bpf_try(cmd, attr)
            count = _BATCH.unpack(attr)[4]
            if result == -_errno.ENOSPC and room * (key_size + slot_size) < _BATCH_MOST:
                room *= 4  # one bucket of the hash has more elements than there is room
                continue
            if result in _NO_BATCHES and not started:
                yield from self._single_batches(delete)
                return
            if result < 0 and result not in (-_errno.ENOENT, -_errno.EINTR):
                raise KernelError(-result, f"reading {self!r} in bulk")
            if result == -_errno.EINTR and not count:
                continue
            if count:
                yield memoryview(keys)[: count * key_size], memoryview(values)[: count * slot_size], count
            if result == -_errno.ENOENT:
                return
            started = True

    def knows_batches(self) -> bool:
        """Whether the kernel reads this kind of map in bulk; else `batches` takes one element a call."""
        room = bytearray(self.key_size + self.slot_size + 8)
        at = address(room)
        attr = bytearray(_BATCH.pack(0, at, at + 8, at + 8 + self.key_size, 1, self.fd, 0, 0))
        return bpf_try(abi.BPF_MAP_LOOKUP_BATCH, attr) not in _NO_BATCHES

    def _single_batches(self, delete: bool) -> Iterator[tuple[memoryview, memoryview, int]]:
        """The same, one element a call, for maps that know no batches."""
        for key in list(self.keys()):
            value = self.lookup(key)
            if value is not None:
                if delete:
                    self.delete(key)
                yield memoryview(key), memoryview(value), 1

    def items(self, delete: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """All elements, read in bulk."""
        key_size, slot_size = self.key_size, self.slot_size
        for keys, values, count in self.batches(delete):
            for i in range(count):
                yield (
                    bytes(keys[i * key_size : (i + 1) * key_size]),
                    bytes(values[i * slot_size : (i + 1) * slot_size]),
                )

    def update_batch(self, keys: bytes, values: bytes) -> None:
        """Store many elements: keys and values each one after the other."""
        count = len(keys) // self.key_size
        if len(keys) != count * self.key_size or len(values) != count * self.slot_size:
            raise ValueError(f"{self!r}: {len(keys)} bytes of keys, {len(values)} of values")
        if not count:
            return
        keys, values = bytes(keys), bytes(values)
        attr = bytearray(_BATCH.pack(0, 0, address(keys), address(values), count, self.fd, 0, 0))
        result = bpf_try(abi.BPF_MAP_UPDATE_BATCH, attr)
        if result in _NO_BATCHES or result == -_errno.EINTR:
            key_size, slot_size = self.key_size, self.slot_size
            for i in range(count):
                self.update(
                    keys[i * key_size : (i + 1) * key_size], values[i * slot_size : (i + 1) * slot_size]
                )
        elif result < 0:
            raise KernelError(-result, f"writing {self!r} in bulk")

    def clear(self) -> None:
        """Empty a hash; set every element of an array to zeros."""
        if self.type in _ARRAYS:
            zeros = bytes(self.slot_size)
            for i in range(self.max_entries):
                self.update(i.to_bytes(4, "little"), zeros)
        elif self.type in _OF_MAPS:
            for key in list(self.keys()):
                self.delete(key)
        else:
            for _ in self.batches(delete=True):
                pass

    # -- the whole map

    def freeze(self) -> None:
        """Let user space write no more: the verifier then knows the content of a read-only map."""
        bpf(abi.BPF_MAP_FREEZE, bytearray(self.fd.to_bytes(4, "little")), f"freezing {self!r}")

    def mmap(self, writable: bool = True) -> mmap:
        """Map an array that was made with BPF_F_MMAPABLE; elements lie `stride` apart."""
        from mmap import MAP_SHARED, PAGESIZE, PROT_READ, PROT_WRITE
        from mmap import mmap as map_memory

        size = (self.stride * self.max_entries + PAGESIZE - 1) & -PAGESIZE
        return map_memory(self.fd, size, MAP_SHARED, PROT_READ | (PROT_WRITE if writable else 0))
