"""Making the index of a blob: one pass over the types, tables instead of branches.

Some 70 ms for a kernel's 5.5 MB; what is left is the price of 126,000 types and 75,000 names in Python.
"""

from __future__ import annotations

from array import array
from itertools import accumulate
from zlib import crc32

from . import kinds as k
from .errors import BtfError
from .index import HASH_BITS, HEADER_WORDS, MAGIC, STEP, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .parse import Blob


class _Scan(dict[int, "tuple[int, Callable[[int], None]]"]):
    """By info word: the type's length in words, and where to put its place."""

    def __init__(self, kinds: list[list[int]]) -> None:
        self.put = [places.append for places in kinds]

    def __missing__(self, info: int) -> tuple[int, Callable[[int], None]]:
        entry = self[info] = (k.words_of(info), self.put[info >> 24 & 31])
        return entry


class _Hashes(dict[int, int]):
    """Hash of the string at an offset. Filled for the blob's own strings; others are looked up."""

    def __init__(self, blob: Blob) -> None:
        at = blob.strings_at
        length = blob.string_end - blob.string_base
        strings = blob.raw[at : at + length].split(b"\0")
        if strings.pop():
            raise BtfError("the BTF strings don't end in a NUL byte")
        lengths = map((1).__add__, map(len, strings))
        offsets = accumulate(lengths, initial=blob.string_base)
        super().__init__(zip(offsets, map(crc32, strings), strict=False))
        self.blob = blob

    def __missing__(self, offset: int) -> int:
        value = self[offset] = crc32(self.blob.string_bytes(offset))
        return value


def build_index(blob: Blob) -> bytes:
    """Return the bytes of the blob's index."""
    words = blob.words
    place_bits = max(1, len(words).bit_length())
    if place_bits > HASH_BITS - 6:
        raise BtfError("this BTF is too large")
    starts, by_kind = _scan(words)
    hashes = _Hashes(blob)
    mask = (1 << HASH_BITS - place_bits) - 1
    parts = [array("I", starts[::STEP])]
    for group in range(k.GROUPS - 1):
        places = [at for kind, of in k.GROUP_OF.items() if of == group for at in by_kind[kind]]
        entries = [(hashes[words[at]] & mask) << place_bits | at for at in places if words[at]]
        parts.append(array("I", sorted(entries)))
    parts.append(array("I", _enumerators(words, by_kind, hashes, place_bits)))
    header = [MAGIC, VERSION, len(starts), place_bits]
    start = HEADER_WORDS
    for part in parts:
        header += [start, len(part)]
        start += len(part)
    return b"".join([array("I", header).tobytes(), *[part.tobytes() for part in parts]])


def _scan(words: memoryview[int]) -> tuple[list[int], list[list[int]]]:
    """Return the places of all types, and the places by kind."""
    by_kind: list[list[int]] = [[] for _ in range(32)]
    scan = _Scan(by_kind)
    starts: list[int] = []
    put_start = starts.append
    at = 0
    end = len(words)
    try:
        while at < end:
            put_start(at)
            length, put = scan[words[at + 1]]
            put(at)
            at += length
    except IndexError:
        raise BtfError("the BTF types are cut off") from None
    if at != end:
        raise BtfError("the BTF types are cut off")
    return starts, by_kind


def _enumerators(
    words: memoryview[int], by_kind: list[list[int]], hashes: _Hashes, place_bits: int
) -> list[int]:
    """Return the table of enumerators: each leads to its enum."""
    mask = (1 << HASH_BITS - place_bits) - 1
    out: list[int] = []
    for kind, each in ((k.ENUM, 2), (k.ENUM64, 3)):
        for at in by_kind[kind]:
            names = words[at + 3 : at + 3 + each * (words[at + 1] & 0xFFFF) : each]
            out += [(hashes[name] & mask) << place_bits | at for name in names]
    out.sort()
    return out
