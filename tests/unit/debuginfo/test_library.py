"""Entries, ranges, lines and frames of the toy as pyelftools reads them, which has another reader of all of it."""

from __future__ import annotations

import pytest
from elftools.common.exceptions import ELFError
from elftools.dwarf.callframe import FDE
from elftools.elf.elffile import ELFFile

from pystap.debuginfo import dies as d
from pystap.debuginfo.dies import Entry, Unit
from pystap.debuginfo.elf import Elf
from pystap.debuginfo.frames import frame_address
from pystap.debuginfo.index import Index
from pystap.debuginfo.lists import location_at
from pystap.debuginfo.scopes import ranges

from .test_reading import FILES

NAMES = ("toy4.elf", "toy5.elf", "toy5z.elf", "forms4.elf", "forms5.elf")
ALL = frozenset(range(0x5000))


@pytest.fixture(params=NAMES)
def both(request: pytest.FixtureRequest):
    path = FILES / request.param
    if not path.exists():
        pytest.skip("not made")
    with path.open("rb") as file:
        yield Index(Elf(str(path))), ELFFile(file).get_dwarf_info()


def below(unit: Unit, entry: Entry) -> list[Entry]:
    return [entry, *(e for child in unit.children(entry, ALL) for e in below(unit, child))]


def test_entries(both) -> None:
    index, dwarf = both
    for unit, cu in zip(index.every(), dwarf.iter_CUs(), strict=True):
        mine = below(unit, unit.top)
        theirs = [die for die in cu.iter_DIEs() if die.tag is not None]
        assert [e.at for e in mine] == [die.offset for die in theirs]
        for entry, die in zip(mine, theirs, strict=True):
            assert len(entry.attributes) == len(die.attributes)
            for (number, (_, _, place)), found in zip(
                entry.attributes.items(), die.attributes.values(), strict=True
            ):
                assert unit.start + place == found.offset
                if isinstance(found.value, bytes):
                    assert entry.text(number).encode() == found.value
                elif isinstance(found.value, int):
                    assert entry.get(number) == found.value, (hex(entry.at), found)
                elif isinstance(found.value, list):
                    assert entry.get(number) == bytes(found.value)


def test_ranges(both) -> None:
    index, dwarf = both
    lists = dwarf.range_lists()
    count = 0
    for unit, cu in zip(index.every(), dwarf.iter_CUs(), strict=True):
        for entry in below(unit, unit.top):
            if d.RANGES not in entry.attributes:
                continue
            base = cu.get_top_DIE().attributes["DW_AT_low_pc"].value
            die = cu.get_DIE_from_refaddr(entry.at)
            rows = lists.get_range_list_at_offset(die.attributes["DW_AT_ranges"].value, cu)
            found = []
            for row in rows:
                base = getattr(row, "base_address", base)
                if hasattr(row, "begin_offset") and row.begin_offset < row.end_offset:
                    first = 0 if row.is_absolute else base
                    found.append((first + row.begin_offset, first + row.end_offset))
            assert ranges(entry) == found
            count += 1
    assert count


def test_locations(both) -> None:
    """At the first and the last address of each row of each list."""
    from elftools.dwarf.locationlists import LocationEntry, LocationParser

    index, dwarf = both
    parser = LocationParser(dwarf.location_lists())
    count = 0
    for unit, cu in zip(index.every(), dwarf.iter_CUs(), strict=True):
        for entry in below(unit, unit.top):
            value = entry.attributes.get(d.LOCATION)
            if value is None or isinstance(value[1], bytes):
                continue
            die = cu.get_DIE_from_refaddr(entry.at)
            base = unit.low
            for row in parser.parse_from_attribute(die.attributes["DW_AT_location"], cu["version"], die):
                base = getattr(row, "base_address", base)
                if isinstance(row, LocationEntry) and row.begin_offset < row.end_offset:
                    first = 0 if row.is_absolute else base
                    for at in (first + row.begin_offset, first + row.end_offset - 1):
                        assert location_at(unit, value, at) == bytes(row.loc_expr)
                        count += 1
    assert count > 20


def test_lines(both) -> None:
    index, dwarf = both
    for unit, cu in zip(index.every(), dwarf.iter_CUs(), strict=True):
        states = [row.state for row in dwarf.line_program_for_CU(cu).get_entries() if row.state is not None]
        rows = [(s.address, s.file, s.line, bool(s.is_stmt)) for s in states if not s.end_sequence]
        assert [(r.start, r.file, r.line, r.stmt) for r in index.lines(unit).rows] == rows
        ends = {s.address for s in states}
        assert all(r.end in ends and r.end >= r.start for r in index.lines(unit).rows)


def test_frames(both) -> None:
    index, dwarf = both
    entries = [e for e in dwarf.CFI_entries() if isinstance(e, FDE)] if dwarf.has_CFI() else []
    try:
        entries += [e for e in dwarf.EH_CFI_entries() if isinstance(e, FDE)] if dwarf.has_EH_CFI() else []
    except ELFError:
        pass
    assert entries
    for fde in entries:
        start = fde["initial_location"]
        table = fde.get_decoded().table
        for row, behind in zip(
            table, [*(r["pc"] for r in table[1:]), start + fde["address_range"]], strict=True
        ):
            cfa = row["cfa"]
            for at in (row["pc"], behind - 1):
                if cfa.expr is None and at >= row["pc"]:
                    expected = ("add", ("reg", cfa.reg), ("const", cfa.offset))
                    assert frame_address(index.elf, start, at) == expected
