"""The index of a blob that nobody has indexed yet: all places in memory, names found by looking.

A quarter of the time of making the tables, and 1 to 4 ms for each name: right for a first run, which can
make the tables when its probes are attached. After some names it makes them itself.
"""

from __future__ import annotations

from bisect import bisect_left

from . import kinds as k
from .errors import BtfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .index import BtfIndex
    from .parse import Blob

PATIENCE = 32


class _Step(dict[int, "tuple[int, Callable[[int], None]]"]):
    """By info word: the type's length in words, and where to put its place."""

    def __init__(self, kinds: list[list[int]]) -> None:
        self.put = [places.append for places in kinds]

    def __missing__(self, info: int) -> tuple[int, Callable[[int], None]]:
        entry = self[info] = (k.words_of(info), self.put[info >> 24 & 31])
        return entry


class ScanIndex:
    """Answers what `BtfIndex` answers. `starts` has the places of all types, `by_kind` those of each kind."""

    __slots__ = ("_blob", "_tables", "_used", "by_kind", "count", "made", "starts")

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._used = 0
        self._tables: BtfIndex | None = None
        self.made: bytes | None = None  # the tables, once there were many names
        self.starts, self.by_kind = _scan(blob.words)
        self.count = len(self.starts)

    def at(self, number: int, words: memoryview[int]) -> int:
        """Return the place of the type of that number."""
        return self.starts[number]

    def number(self, place: int, words: memoryview[int]) -> int:
        """Return the number of the type at that place."""
        return bisect_left(self.starts, place)

    def candidates(self, group: int, name: bytes) -> Iterable[int]:
        """Return the places of the types of a group that are called `name` (enumerators: have one), in order."""
        if self._tables is not None:
            return self._tables.candidates(group, name)
        self._used += 1
        if self._used > PATIENCE:
            from .build import build_index
            from .index import BtfIndex

            self.made = build_index(self._blob)
            self._tables = BtfIndex(self.made)
            return self._tables.candidates(group, name)
        offsets = self._blob.string_offsets(name + b"\0")
        if not offsets:
            return ()
        words = self._blob.words
        if group != k.G_ENUMERATOR:
            return [at for at in self.places(group) if words[at] in offsets]
        return [at for at, names in enumerators(words, self) if not offsets.isdisjoint(names)]

    def places(self, group: int) -> list[int]:
        """Return the places of all types of a group, in order."""
        by_kind = self.by_kind
        if group == k.G_ENUMERATOR:
            group = k.G_ENUM
        kinds = [kind for kind, of in k.GROUP_OF.items() if of == group and by_kind[kind]]
        if len(kinds) == 1:
            return by_kind[kinds[0]]
        return sorted([at for kind in kinds for at in by_kind[kind]])


def enumerators(words: memoryview[int], scan: ScanIndex) -> list[tuple[int, memoryview[int]]]:
    """Return (place, the enumerators' name offsets) of each enum, in order."""
    out = []
    for at in scan.places(k.G_ENUM):
        info = words[at + 1]
        each = 3 if info >> 24 & 31 == k.ENUM64 else 2
        out.append((at, words[at + 3 : at + 3 + each * (info & 0xFFFF) : each]))
    return out


def _scan(words: memoryview[int]) -> tuple[list[int], list[list[int]]]:
    """Return the places of all types, and the places by kind: one pass, a table instead of branches."""
    by_kind: list[list[int]] = [[] for _ in range(32)]
    step = _Step(by_kind)
    starts: list[int] = []
    put_start = starts.append
    at = 0
    end = len(words)
    try:
        while at < end:
            put_start(at)
            length, put = step[words[at + 1]]
            put(at)
            at += length
    except IndexError:
        raise BtfError("the BTF types are cut off") from None
    if at != end:
        raise BtfError("the BTF types are cut off")
    return starts, by_kind
