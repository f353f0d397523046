"""What binutils 2.40 reads of the same files: `readelf --debug-dump=info, decodedline, frames-interp`."""

from __future__ import annotations

import pytest

from pystap.debuginfo.dies import NAME, Unit
from pystap.debuginfo.elf import Elf
from pystap.debuginfo.frames import frame_address
from pystap.debuginfo.index import Index

from .test_reading import FILES, TEXT

NAMES = ("toy4.elf", "toy5.elf", "toy5z.elf")
# fmt: off
# Units' places, and the places and names of their functions, in toy5.elf.
FUNCTIONS = {0x0: [(0xab, "sink"), (0xce, "eight"), (0x1d2, "sum"), (0x2ef, "helper"), (0x344, "twice")], 0x367:
    [(0x3f6, "sum"), (0x411, "eight"), (0x45d, "_start"), (0x575, "sink"), (0x5c5, "helper"), (0x5e1, "twice"),
    (0x607, "")]}
# (address, file, line, is_stmt) of both units: readelf's "x" says is_stmt, its views are left out.
ROWS = [(0x0, "toy.c", 6, True), (0x0, "toy.c", 7, True), (0x0, "toy.c", 6, False), (0x1, "toy.c", 6, False), (0x4,
    "toy.c", 8, False), (0xb, "toy.c", 6, False), (0xe, "toy.c", 7, False), (0x15, "toy.c", 8, True), (0x1a, "toy.c",
    9, True), (0x1a, "toy.c", 9, False), (0x1d, "toy.c", 10, False), (0x1e, "toy.c", 10, False), (0x20, "toy.c", 13,
    True), (0x20, "toy.c", 14, True), (0x20, "toy.c", 16, True), (0x20, "toy.c", 16, True), (0x20, "toy.c", 13,
    False), (0x2a, "toy.c", 16, False), (0x35, "toy.c", 14, False), (0x40, "toy.c", 21, True), (0x40, "toy.c", 21,
    False), (0x47, "toy.c", 22, False), (0x4b, "toy.c", 21, False), (0x4e, "toy.c", 22, True), (0x4e, "toy.c", 22,
    False), (0x4e, "toy.c", 16, True), (0x53, "toy.c", 17, True), (0x53, "toy.h", 11, True), (0x53, "toy.h", 13,
    True), (0x53, "toy.h", 13, False), (0x56, "toy.h", 15, False), (0x5d, "toy.h", 13, False), (0x60, "toy.h", 15,
    True), (0x68, "toy.h", 16, True), (0x68, "toy.h", 16, False), (0x68, "toy.c", 19, True), (0x68, "toy.c", 19,
    False), (0x6d, "toy.c", 20, True), (0x6d, "toy.c", 26, True), (0x77, "toy.c", 27, False), (0x7d, "toy.c", 26,
    False), (0x82, "toy.c", 27, True), (0x82, "toy.c", 28, False), (0x90, "toy.c", 14, False), (0xa0, "toy.c", 31,
    True), (0xa0, "toy.c", 32, True), (0xa0, "toy.c", 31, False), (0xa7, "toy.c", 31, False), (0xbb, "toy.c", 32,
    False), (0xbf, "toy.c", 33, False), (0xc4, "toy.c", 31, False), (0xc8, "toy.c", 32, False), (0xda, "toy.c", 33,
    True), (0xda, "toy.c", 36, False), (0xdd, "toy.c", 33, False), (0xe2, "toy.c", 35, False), (0xe7, "toy.c", 33,
    False), (0xea, "toy.c", 33, False), (0xed, "toy.c", 35, True), (0xf5, "toy.c", 36, True), (0xf5, "toy.c", 36,
    False), (0xfb, "toy.c", 36, False), (0xfe, "toy.c", 36, False), (0x101, "toy.c", 36, False), (0x106, "toy.c", 37,
    False), (0x10b, "toy.c", 36, False), (0x10e, "toy.c", 37, False), (0x111, "toy.c", 37, False), (0x113, "toy.c",
    37, False), (0x115, "toy.c", 37, False), (0x117, "toy.c", 37, False), (0x120, "other.c", 10, True), (0x120,
    "other.c", 11, True), (0x120, "other.c", 13, True), (0x120, "other.c", 13, False), (0x124, "other.c", 13, False),
    (0x127, "other.c", 13, False), (0x12e, "other.c", 14, False), (0x130, "other.c", 3, True), (0x130, "other.c", 5,
    True), (0x141, "other.c", 6, True), (0x141, "other.c", 7, False), (0x150, "other.c", 17, True), (0x150, "other.c",
    18, True), (0x150, "other.c", 17, False), (0x154, "other.c", 22, False), (0x15e, "other.c", 18, False), (0x16f,
    "other.c", 22, False), (0x17b, "other.c", 18, False), (0x189, "other.c", 19, True), (0x189, "other.c", 19, False),
    (0x19f, "other.c", 21, True), (0x19f, "other.c", 21, False), (0x1a4, "toy.h", 11, True), (0x1a4, "toy.h", 13,
    True), (0x1a4, "toy.h", 15, True), (0x1ab, "toy.h", 13, False), (0x1ae, "toy.h", 15, False), (0x1b6, "toy.h", 16,
    True), (0x1b6, "toy.h", 16, False), (0x1b6, "other.c", 21, False), (0x1c2, "other.c", 22, True), (0x1d5,
    "other.c", 23, True), (0x1e6, "other.c", 24, True), (0x1e6, "other.c", 24, True), (0x1e6, "other.c", 24, True),
    (0x1e6, "other.c", 24, True)]
# Functions' first addresses and ends: (from, the frame begins at rsp plus).
FRAMES = {(0x0, 0x1f): [(0x0, 8), (0x1, 16), (0x1e, 8)], (0x20, 0x95): [(0x20, 8), (0x22, 16), (0x24, 24), (0x25, 32),
    (0x26, 40), (0x2a, 48), (0x86, 40), (0x8a, 32), (0x8b, 24), (0x8d, 16), (0x8f, 8), (0x90, 48)], (0xa0, 0x118):
    [(0xa0, 8), (0xa2, 16), (0xa9, 24), (0xab, 32), (0xb0, 40), (0xb4, 48), (0xb5, 56), (0xbb, 96), (0x10a, 56),
    (0x10b, 48), (0x10f, 40), (0x111, 32), (0x113, 24), (0x115, 16), (0x117, 8)], (0x120, 0x12f): [(0x120, 8)],
    (0x130, 0x147): [(0x130, 8)], (0x150, 0x1e8): [(0x150, 8), (0x154, 64), (0x1c4, 72), (0x1d0, 80), (0x1e5, 72),
    (0x1e6, 64)]}
# fmt: on


@pytest.fixture(params=NAMES)
def index(request: pytest.FixtureRequest) -> Index:
    return Index(Elf(str(FILES / request.param)))


def test_functions() -> None:
    index = Index(Elf(str(FILES / "toy5.elf")))
    found = {unit.start: [(e.at, e.text(NAME)) for e in index.functions(unit)] for unit in index.every()}
    assert found == FUNCTIONS


def rows_of(index: Index, unit: Unit) -> list[tuple[int, str, int, bool]]:
    table = index.lines(unit)
    return [(r.start - TEXT, table.files[r.file].rpartition("/")[2], r.line, r.stmt) for r in table.rows]


def test_rows(index: Index) -> None:
    assert [row for unit in index.every() for row in rows_of(index, unit)] == ROWS


def test_frames(index: Index) -> None:
    for (start, end), steps in FRAMES.items():
        for n, (first, offset) in enumerate(steps):
            behind = steps[n + 1][0] if n + 1 < len(steps) else end
            for pc in (first, behind - 1):
                expected = ("add", ("reg", 7), ("const", offset))
                assert frame_address(index.elf, TEXT + start, TEXT + pc) == expected
    assert frame_address(index.elf, TEXT + 0x10, TEXT + 0x10) is None
