"""Making the bytes of an index (`index.py`) from a scan.

Some 70 ms for a kernel's 5.5 MB with the scan: the price of 126,000 types and 75,000 names in Python. So
each step is one comprehension or one chain of C iterators over all of them.
"""

from __future__ import annotations

from array import array
from itertools import accumulate
from zlib import crc32

from . import kinds as k
from .errors import BtfError
from .index import HASH_BITS, HEADER_WORDS, MAGIC, STEP, VERSION
from .scan import ScanIndex, enumerators

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .parse import Blob


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
    scan = blob.index if isinstance(blob.index, ScanIndex) else ScanIndex(blob)
    hashes = _Hashes(blob)
    mask = (1 << HASH_BITS - place_bits) - 1
    parts = [array("I", scan.starts[::STEP])]
    for group in range(k.GROUPS - 1):
        places = scan.places(group)
        entries = [(hashes[words[at]] & mask) << place_bits | at for at in places if words[at]]
        parts.append(array("I", sorted(entries)))
    entries = []
    for at, names in enumerators(words, scan):
        entries += [(hashes[name] & mask) << place_bits | at for name in names]
    parts.append(array("I", sorted(entries)))
    return b"".join([_header(parts, scan.count, place_bits), *[part.tobytes() for part in parts]])


def _header(parts: list[array[int]], count: int, place_bits: int) -> bytes:
    header = [MAGIC, VERSION, count, place_bits]
    start = HEADER_WORDS
    for part in parts:
        header += [start, len(part)]
        start += len(part)
    return array("I", header).tobytes()
