"""The index of a BTF blob: where each type is, and which types have a name.

A flat run of bytes, used where it lies (mapped or read), never unpacked:

    header    magic, version, number of types, bits of a place, then (start, count) of each part in words
    starts    the place of every STEP-th type; a place is a word offset in the type section
    tables    one for each name group (kinds.G_*): sorted words `hash(name) << place_bits | place`

Lookups are a binary search and a comparison with the blob's own name, so a hash that collides, and an
index that doesn't belong to the blob, can't name a wrong type. `build.py` makes the bytes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from struct import unpack_from
from zlib import crc32

from . import kinds as k
from .errors import BtfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = 0x49465442
VERSION = 1
STEP = 8
HASH_BITS = 32
PARTS = 1 + k.GROUPS
HEADER_WORDS = 4 + 2 * PARTS


class BtfIndex:
    """A view of an index's bytes."""

    __slots__ = ("_tables", "_words_of", "count", "place_bits", "starts")

    def __init__(self, data: bytes | memoryview) -> None:
        if len(data) < 4 * HEADER_WORDS or len(data) % 4:
            raise BtfError("the BTF index is cut off")
        magic, version, count, place_bits, *parts = unpack_from(f"={HEADER_WORDS}I", data)
        self.count: int = count
        self.place_bits: int = place_bits
        words = memoryview(data).cast("I")
        size = len(words)
        if magic != MAGIC or version != VERSION or not 0 < place_bits < HASH_BITS:
            raise BtfError("not a BTF index of this version")
        views = []
        for start, length in zip(parts[::2], parts[1::2], strict=True):
            if start + length > size:
                raise BtfError("the BTF index is cut off")
            views.append(words[start : start + length])
        self.starts = views[0]
        self._tables = views[1:]
        self._words_of = k.Words()
        if len(self.starts) != (count + STEP - 1) // STEP:
            raise BtfError("the BTF index is damaged")

    def at(self, number: int, words: memoryview[int]) -> int:
        """Return the place of the type of that number (0 is the blob's first); may raise IndexError."""
        at = self.starts[number // STEP]
        words_of = self._words_of
        for _ in range(number % STEP):
            at += words_of[words[at + 1]]
        return at

    def number(self, place: int, words: memoryview[int]) -> int:
        """Return the number of the type at that place; may raise IndexError."""
        block = bisect_right(self.starts, place) - 1
        if block < 0:
            raise BtfError("the BTF index is damaged")
        at = self.starts[block]
        number = block * STEP
        words_of = self._words_of
        while at < place:
            at += words_of[words[at + 1]]
            number += 1
        if at != place:
            raise BtfError("the BTF index is damaged")
        return number

    def candidates(self, group: int, name: bytes) -> Iterator[int]:
        """Yield the places of the types of a group whose names may be `name`, in order."""
        table = self._tables[group]
        bits = self.place_bits
        low = (crc32(name) & (1 << HASH_BITS - bits) - 1) << bits
        high = low + (1 << bits)
        i = bisect_left(table, low)
        end = len(table)
        while i < end:
            entry = table[i]
            if entry >= high:
                return
            yield entry - low
            i += 1

    def places(self, group: int) -> list[int]:
        """Return the places of all types of a group, in order."""
        mask = (1 << self.place_bits) - 1
        return sorted([entry & mask for entry in self._tables[group]])
