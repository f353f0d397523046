"""Reading rings, against a plain model: the ring is a file laid out as the kernel does. Needs no root."""

from __future__ import annotations

import mmap
import os
import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from pystap.kernel.ring import Ring

SIZE = mmap.PAGESIZE
Record = tuple[int, int, bool]  # payload length, tag, discarded


class Model:
    """Writes records the way the kernel does, into both copies of the data."""

    def __init__(self, start: int) -> None:
        self.fd = os.memfd_create("ring")
        os.ftruncate(self.fd, 2 * mmap.PAGESIZE + 2 * SIZE)
        self.pages = mmap.mmap(self.fd, 2 * mmap.PAGESIZE + 2 * SIZE)
        self.set_consumer(start)
        self.produced = start
        self.publish()
        self.ring = Ring(self.fd, SIZE)

    def set_consumer(self, pos: int) -> None:
        self.pages[:8] = pos.to_bytes(8, "little")

    def consumer(self) -> int:
        return int.from_bytes(self.pages[:8], "little")

    def publish(self) -> None:
        self.pages[mmap.PAGESIZE : mmap.PAGESIZE + 8] = self.produced.to_bytes(8, "little")

    def write(self, length: int, tag: int, discarded: bool, busy: bool = False) -> bytes | None:
        """One record, or None if there is no room."""
        stride = (length + 15) & ~7
        if self.produced + stride - self.consumer() > SIZE:
            return None
        payload = (struct.pack("<QI", self.produced, tag) + bytes(range(256)) * 3)[:length]
        header = length | (1 << 30 if discarded else 0) | (1 << 31 if busy else 0)
        raw = struct.pack("<II", header, self.produced & 0xFFFF) + payload
        for i, byte in enumerate(raw.ljust(stride, b"\xaa")):
            at = 2 * mmap.PAGESIZE + (self.produced + i) % SIZE
            self.pages[at] = self.pages[at + SIZE] = byte
        self.produced += stride
        self.publish()
        return payload

    def close(self) -> None:
        self.ring.close()
        self.pages.close()
        os.close(self.fd)


def flatten(ring: Ring, tag_at: int = -1) -> list[tuple[bytes, bool]]:
    found = []
    for view, stride, count, length, discarded in ring.runs(tag_at):
        assert len(view) == stride * count
        assert stride % 8 == 0
        tags = set()
        for i in range(count):
            payload = bytes(view[i * stride + 8 : i * stride + 8 + length])
            found.append((payload, discarded))
            tags.add(payload[tag_at : tag_at + 4])
        assert tag_at < 0 or tag_at >= length or len(tags) == 1
    return found


shapes = st.tuples(st.sampled_from([16, 16, 16, 20, 24, 1, 0, 300]), st.integers(0, 1), st.booleans())
blocks = st.lists(st.tuples(shapes, st.integers(1, 60)), max_size=6)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 3 * SIZE // 8), st.lists(blocks, max_size=4), st.sampled_from([-1, 8]), st.booleans())
def test_runs_and_records_give_what_was_written(
    start: int, rounds: list[list[tuple[Record, int]]], tag_at: int, by_runs: bool
) -> None:
    model = Model(start * 8)
    for round_ in rounds:
        wanted = []
        for (length, tag, discarded), times in round_:
            for _ in range(times):
                payload = model.write(length, tag, discarded)
                if payload is not None:
                    wanted.append((payload, discarded))
        model.ring.snapshot()
        late = model.write(16, 0, False)
        if by_runs:
            found = flatten(model.ring, tag_at)
        else:
            found = [(bytes(view), discarded) for view, discarded in model.ring.records()]
        assert found == wanted
        model.ring.advance()
        if late is not None:
            model.ring.snapshot()
            assert flatten(model.ring) == [(late, False)]
            model.ring.advance()
        assert model.consumer() == model.produced
        assert model.ring.pending() == 0
    model.close()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 100), st.integers(0, SIZE // 8))
def test_reading_stops_at_a_record_that_is_being_written(before: int, start: int) -> None:
    for by_runs in (True, False):
        model = Model(start * 8)
        wanted = [model.write(16, 1, False) for _ in range(before)]
        at = model.produced
        model.write(16, 1, False, busy=True)
        after = model.write(16, 1, False)
        model.ring.snapshot()

        def read(ring: Ring, by_runs: bool = by_runs) -> list[bytes]:
            if by_runs:
                return [payload for payload, _ in flatten(ring)]
            return [bytes(view) for view, _ in ring.records()]

        assert read(model.ring) == wanted
        assert model.ring.pos == at
        model.ring.advance()
        assert read(model.ring) == []
        flag = 2 * mmap.PAGESIZE + at % SIZE + 3
        model.pages[flag] = model.pages[flag + SIZE] = 0
        assert len(read(model.ring)) == 2
        assert after is not None
        model.close()


def test_a_whole_ring_of_equal_records_is_one_run() -> None:
    model = Model(40)
    while model.write(24, 7, False) is not None:
        pass
    model.ring.snapshot()
    runs = list(model.ring.runs(8))
    assert [run[1:] for run in runs] == [(32, SIZE // 32, 24, False)]
    numbers = [seq for seq, tag in struct.iter_unpack("<8xQI12x", runs[0][0])]
    assert numbers == list(range(40, 40 + SIZE, 32))
    del runs
    model.close()


def test_views_may_outlive_the_ring() -> None:
    model = Model(0)
    payload = model.write(16, 0, False)
    model.ring.snapshot()
    view = next(iter(model.ring.records()))[0]
    model.ring.close()
    assert bytes(view) == payload
