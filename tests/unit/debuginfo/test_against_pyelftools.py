"""The same files read by pyelftools: every function, every row of the line tables, every frame."""

from __future__ import annotations

import pytest

from pystap.debuginfo.dies import units
from pystap.debuginfo.elf import Elf
from pystap.debuginfo.frames import frame_address
from pystap.debuginfo.index import Index

from .test_reading import FILES

elffile = pytest.importorskip("elftools.elf.elffile")
NAMES = ("toy4.elf", "toy5.elf", "toy5z.elf")


@pytest.fixture(params=NAMES)
def both(request: pytest.FixtureRequest):
    path = FILES / request.param
    with open(path, "rb") as file:
        yield Index(Elf(str(path))), elffile.ELFFile(file).get_dwarf_info()


def test_units(both) -> None:
    index, theirs = both
    assert [head[0] for head in units(index.elf)] == [unit.cu_offset for unit in theirs.iter_CUs()]


def test_functions(both) -> None:
    index, theirs = both
    mine = [(e.at, e.text(3)) for unit in index.every() for e in index.functions(unit)]
    other = []
    for unit in theirs.iter_CUs():
        for die in unit.get_top_DIE().iter_children():
            if die.tag == "DW_TAG_subprogram":
                name = die.attributes.get("DW_AT_name")
                other.append((die.offset, name.value.decode() if name else ""))
    assert mine == other and len(mine) > 5


def test_rows(both) -> None:
    index, theirs = both
    for unit, their in zip(index.every(), theirs.iter_CUs(), strict=True):
        program = theirs.line_program_for_CU(their)
        states = [e.state for e in program.get_entries() if e.state is not None]
        other = [(s.address, s.file, s.line, bool(s.is_stmt)) for s in states if not s.end_sequence]
        table = index.lines(unit)
        assert [(r.start, r.file, r.line, r.stmt) for r in table.rows] == other and other


def test_frames(both) -> None:
    index, theirs = both
    checked = 0
    for entry in theirs.CFI_entries():
        if type(entry).__name__ != "FDE":
            continue
        rows = entry.get_decoded().table
        for row, following in zip(rows, [*rows[1:], None], strict=True):
            end = following["pc"] if following else entry["initial_location"] + entry["address_range"]
            rule = row["cfa"]
            for pc in {row["pc"], end - 1}:
                assert frame_address(index.elf, pc) == ("add", ("reg", rule.reg), ("const", rule.offset))
                checked += 1
    assert checked > 20
