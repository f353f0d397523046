"""Reading BPF ring buffers in place.

Contract: `snapshot()` reads the producer's position once; what lies between the reader's own
position and the snapshot is given out as memoryviews into the kernel's pages, valid until
`advance()` gives the room back. Reading never runs after a producer ("until empty"), which under
load wouldn't end. Reading stops at the first record that is still being written. Records that were
discarded come too, marked, as their content may hold a sequence number.

The data is mapped twice in a row, so nothing ever wraps: the whole of a snapshot is one piece.
Positions only grow; each is read and written as one aligned word of 8 bytes.
"""

from __future__ import annotations

from ..bpf import consts_gen as abi
from .maps import create_map
from .sys import KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Run = tuple[memoryview, int, int, int, bool]

BUSY = abi.BPF_RINGBUF_BUSY_BIT
DISCARD = abi.BPF_RINGBUF_DISCARD_BIT
LENGTH = DISCARD - 1
HEADER = abi.BPF_RINGBUF_HDR_SZ

_FIRST_LOOK = 8  # records looked at one by one before a run is measured by comparing slices


class Ring:
    """One ring buffer: `size` bytes of data, a power of two and whole pages."""

    __slots__ = ("_consumer", "_data", "_maps", "_producer", "_words", "end", "fd", "mask", "pos", "size")

    def __init__(self, fd: int, size: int) -> None:
        from mmap import MAP_SHARED, PAGESIZE, PROT_READ, PROT_WRITE, mmap

        try:
            own = mmap(fd, PAGESIZE, MAP_SHARED, PROT_READ | PROT_WRITE)
            theirs = mmap(fd, PAGESIZE, MAP_SHARED, PROT_READ, offset=PAGESIZE)
        except OSError as error:
            raise KernelError(error.errno or 0, "mapping a ring buffer") from None
        self.fd = fd
        self.size = size
        self.mask = size - 1
        self._maps = [own, theirs]
        self._consumer = memoryview(own)[:8].cast("Q")
        self._producer = memoryview(theirs)[:8].cast("Q")
        self._data = self._words = memoryview(b"")
        self.pos: int = self._consumer[0]  # where reading goes on
        self.end: int = self.pos  # the newest snapshot

    def snapshot(self) -> int:
        """Read the producer's position, up to which `records()` and `runs()` then go."""
        self.end = self._producer[0]
        if self.end != self.pos and not self._data:
            self._map_data()
        return self.end

    def _map_data(self) -> None:
        """Map the data with the first record: a mapping is resident as a whole, twice, from then on."""
        from mmap import MAP_SHARED, PAGESIZE, PROT_READ, mmap

        try:
            data = mmap(self.fd, 2 * self.size, MAP_SHARED, PROT_READ, offset=2 * PAGESIZE)
        except OSError as error:
            raise KernelError(error.errno or 0, "mapping a ring buffer") from None
        self._maps.append(data)
        self._data = memoryview(data)
        self._words = self._data.cast("I")

    def pending(self) -> int:
        """Bytes in the ring that haven't been given back, headers included."""
        return int(self._producer[0] - self._consumer[0])

    def advance(self, pos: int | None = None) -> None:
        """Give the room up to `pos` (what has been read so far) back to the producers."""
        self._consumer[0] = self.pos if pos is None else pos

    def records(self) -> Iterator[tuple[memoryview, bool]]:
        """(payload, discarded) of each record up to the snapshot."""
        pos, end, mask = self.pos, self.end, self.mask
        data, words = self._data, self._words
        while pos < end:
            at = pos & mask
            word = words[at >> 2]
            if word & BUSY:
                return
            length = word & LENGTH
            start = at + HEADER
            pos += (length + HEADER + 7) & ~7
            self.pos = pos
            yield data[start : start + length], word >= DISCARD

    def runs(self, tag_at: int = -1) -> Iterator[Run]:
        """Records of one length in bulk: (view, stride, count, length, discarded), up to the snapshot.

        `view` is the whole run: `count` times an 8 byte header, the `length` bytes of the record, and
        padding up to `stride`, so that `Struct("8x...").iter_unpack(view)` decodes it at once.
        tag_at: offset in the record of 4 bytes (its kind, say) that are also the same within a run.
        """
        end, mask = self.end, self.mask
        data, words = self._data, self._words
        tag_word = 2 + (tag_at >> 2)
        while self.pos < end:
            at = (self.pos & mask) >> 2
            word = words[at]
            if word & BUSY:
                return
            length = word & LENGTH
            stride = (length + HEADER + 7) & ~7
            most = (end - self.pos) // stride
            step = stride >> 2
            count, by_one = 1, min(most, _FIRST_LOOK)
            tag = words[at + tag_word] if 0 <= tag_at < length else -1
            look = at + step
            while count < by_one and words[look] == word and (tag < 0 or words[look + tag_word] == tag):
                count += 1
                look += step
            if count == _FIRST_LOOK:
                count = _equal(words, at, step, most)
                if tag >= 0:
                    count = _equal(words, at + tag_word, step, count)
            self.pos += count * stride
            yield data[at << 2 : (at << 2) + count * stride], stride, count, length, word >= DISCARD

    def close(self) -> None:
        """Unmap the ring; views that are still held keep its memory until they are gone."""
        for view in (self._consumer, self._producer, self._words, self._data):
            view.release()
        for memory in self._maps:
            try:
                memory.close()
            except BufferError:
                pass


def _equal(words: memoryview, at: int, step: int, most: int) -> int:
    """How many of `most` words, `step` apart from `at` on, equal the first: by comparing slices."""
    word = words[at : at + 1].tobytes()
    count, chunk = 1, 64
    while count < most:
        take = min(chunk, most - count)
        start = at + count * step
        got = words[start : start + (take - 1) * step + 1 : step].tobytes()
        if got != word * take:
            return count + _prefix(got, word, take)
        count += take
        chunk = min(chunk * 4, 16384)
    return count


def _prefix(got: bytes, word: bytes, take: int) -> int:
    """The length of the common prefix of `got` and `word` repeated, by halving; they do differ."""
    low, high = 0, take
    while high - low > 1:
        middle = (low + high) // 2
        if got[4 * low : 4 * middle] == word * (middle - low):
            low = middle
        else:
            high = middle
    return low


class RingMap:
    """One ring and its map."""

    __slots__ = ("map", "ring")

    def __init__(self, size: int, name: str = "ring") -> None:
        self.map = create_map(abi.BPF_MAP_TYPE_RINGBUF, 0, 0, size, 0, name)
        self.ring = Ring(self.map.fd, size)

    def close(self) -> None:
        """Unmap and close."""
        self.ring.close()
        self.map.close()
