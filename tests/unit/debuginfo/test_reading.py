"""Reading of DWARF, on a toy that is compiled once (tests/fixtures/debuginfo): lines, copies, places of variables."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pystap.debuginfo import DebugInfo, DebugInfoError, index
from pystap.debuginfo.expressions import FLOATING, ONLY_CALLER, POINTS_NOWHERE, UNSET, evaluate
from pystap.debuginfo.lines import same_file, source_path

FILES = Path(__file__).resolve().parents[2] / "fixtures" / "debuginfo"
LINKED = ("toy5.elf", "toy4.elf", "toy5z.elf")
TEXT = 0xFFFFFFFF81000000
MODULE = 1 << 32  # the first section of a file that isn't linked


def toy(name: str = "toy5.elf", cache: str = "") -> DebugInfo:
    return DebugInfo(str(FILES / name), cache)


def one(info: DebugInfo, name: str, file: str = ""):
    found = info.find(name, file)
    assert len(found) == 1, found
    return found[0]


def line_of(file: str, text: str) -> int:
    """Return the number of the source line that has a text."""
    lines = (FILES / file).read_text().split("\n")
    (found,) = [n for n, line in enumerate(lines, 1) if text in line]
    return found


@pytest.mark.parametrize("name", [*LINKED, "toy.ko"])
def test_where_functions_are_written(name: str) -> None:
    info = toy(name)
    total = one(info, "sum")
    assert (total.file, total.line) == ("kernel/toy.c", line_of("kernel/toy.c", "int sum("))
    assert total.last == line_of("kernel/toy.c", "return -1;") + 1
    assert info.function_line("sum") == (total.file, total.line)
    assert [f.file for f in info.find("helper")] == ["kernel/toy.c", "kernel/other.c"]
    assert [f.name for f in info.find("helper", "other.c")] == ["helper"]
    assert {f.name for f in info.find("*", "kernel/toy.c")} == {"helper", "sum", "eight"}
    assert info.find("sum", "kernel/other.c") == [] and info.find("summ") == []
    assert info.function_line("nothing") is None


@pytest.mark.parametrize("name", [*LINKED, "toy.ko"])
def test_places_of_lines(name: str) -> None:
    info = toy(name)
    base = MODULE if name == "toy.ko" else TEXT
    total = one(info, "sum")
    lines = info.lines(total)
    assert min(lines) == total.line + 1 and max(lines) < total.last
    (spot,) = info.addresses(total, line_of("kernel/toy.c", "part > limit"))
    assert spot.address - base == 0x68 and (spot.function, spot.within) == ("sum", "sum")
    assert info.symbol(spot.address) == ("sum", 0x68 - 0x20, True)
    assert info.spot(spot.address).function == "twice" or info.spot(spot.address).within == "sum"
    assert info.addresses(total, line_of("kernel/toy.c", "static unsigned int calls")) == []
    assert info.address_of("sum") == base + 0x20
    assert info.spot(base - 0x1000) is None and info.symbol(base + 0x100000) is None


def test_a_copy_that_the_compiler_made_has_another_symbol() -> None:
    info = toy()
    (helper,) = info.find("helper", "kernel/other.c")
    (spot,) = info.addresses(helper, line_of("kernel/other.c", 'sink("other"'))
    assert info.symbol(spot.address)[0] == "helper.constprop.0"
    assert info.variables_at(spot.address)["n"][0] == ("value", ("const", 7))


def test_inlined_copies() -> None:
    info = toy()
    copies = info.find("twice", "include/toy.h")
    assert [f.copies for f in copies] == [1, 1] and all(not f.code for f in copies)
    spots = [spot for f in copies for spot in info.inlined(f)]
    assert [spot.within for spot in spots] == ["sum", "_start"]
    assert [(name, spot.address) for name, spot in info.callees(one(info, "sum"), "tw*")] == [
        ("twice", spots[0].address)
    ]
    assert info.callees(one(info, "sum"), "helper") == []  # it has code of its own
    inside = info.variables_at(spots[0].address)
    assert set(inside) == {"x", "y"}
    around = info.variables_at(spots[0].address, "sum")
    assert set(around) == {"first", "limit", "total", "part"}


def test_labels() -> None:
    info = toy()
    labels = info.labels(one(info, "sum"))
    assert list(labels) == ["too_much"]
    assert labels["too_much"][0].line == line_of("kernel/toy.c", "too_much:")
    assert info.labels(one(info, "eight")) == {}


@pytest.mark.parametrize("name", LINKED)
def test_places_of_variables(name: str) -> None:
    info = toy(name)
    eight = one(info, "eight")
    start = info.variables_at(TEXT + 0xA0)
    assert [(n, row[0]) for n, row in start.items() if row[2]] == [
        *((n, ("value", ("reg", r))) for n, r in zip("abcdef", (5, 4, 1, 2, 8, 9), strict=True)),
        ("g", ("memory", ("add", ("reg", 7), ("const", 8)))),  # on the stack, behind the return address
        ("h", ("memory", ("add", ("reg", 7), ("const", 16)))),
    ]
    assert start["h"][1] == ("base", "short unsigned int", 2, False)
    assert start["here"][1] == ("struct", "node", 24) and not start["here"][2]
    assert start["out"][0] is None
    (later,) = info.addresses(eight, line_of("kernel/toy.c", "sink(here.name"))
    there = info.variables_at(later.address)
    # six registers and 40 bytes lie on the stack by now
    assert there["g"][0] == ("memory", ("add", ("reg", 7), ("const", 96)))
    assert there["here"][0] == ("memory", ("add", ("reg", 7), ("const", 8)))
    assert there["a"][0] == ("value", ("entry", 5)) and there["out"][0] == ("value", ("reg", 14))


@pytest.mark.parametrize("name", LINKED)
def test_lines_that_begin_at_one_address(name: str) -> None:
    """A variable has its value of the line's beginning, though all of several lines begin at one instruction."""
    info = toy(name)
    total = one(info, "sum")

    def there(text: str, variable: str):
        (spot,) = info.addresses(total, line_of("kernel/toy.c", text))
        views = (spot.view, -1)
        return [info.variables_at(spot.address, "sum", view)[variable][0] for view in views]

    zero = ("value", ("const", 0))
    assert there("int total = 0", "total") == [None, zero]
    assert there("while (first)", "total") == [zero, zero]
    # the next one is in its register already: what it was is gone
    assert there("first = first->next", "first") == [None, ("value", ("reg", 6))]
    views = [
        spot.view
        for text in ("int total", "while (")
        for spot in info.addresses(total, line_of("kernel/toy.c", text))
    ]
    assert views == [1, 2]


def test_types_of_variables() -> None:
    info = toy()
    (spot,) = info.addresses(one(info, "sum"), line_of("kernel/toy.c", "part > limit"))
    found = info.variables_at(spot.address)
    assert found["first"][1] == ("ptr", ("struct", "node", 24))
    assert found["part"] == (("value", ("reg", 3)), ("base", "int", 4, True), False)


def test_static_variables() -> None:
    info = toy()
    sink = next(f for f in info.find("sink") if f.code)
    (spot,) = info.addresses(sink, line_of("kernel/other.c", "last = "))
    expected = (
        ("memory", ("addr", TEXT + 0x1218)),
        ("base", "long int", 8, True),
        False,
    )  # DW_OP_addr: readelf
    assert info.variables_at(spot.address)["last"] == expected
    linked = toy("toy.ko")
    there = next(f for f in linked.find("sink") if f.code)
    (spot,) = linked.addresses(there, line_of("kernel/other.c", "last = "))
    assert linked.variables_at(spot.address)["last"][0][0] == "lost"  # a module's sections are anywhere
    assert not info.elf.is_data(0x1218) and not info.elf.is_data(TEXT + 0x20)


def test_expressions() -> None:
    reg = ("reg", 7)
    assert evaluate(bytes([0x57]), None) == ("value", reg)
    assert evaluate(bytes([0x91, 0x70]), reg) == ("memory", ("add", reg, ("const", -16)))
    assert evaluate(bytes([0x91, 0x70]), None) == (
        "lost",
        "the file doesn't tell where the function's frame is",
    )
    assert evaluate(bytes([0x77, 0x08, 0x06, 0x23, 0x04, 0x9F]), None) == (
        "value",
        ("add", ("load", ("add", reg, ("const", 8)), 8), ("const", 4)),
    )
    assert evaluate(bytes([0x50, 0x93, 0x04, 0x93, 0x04]), None) == (
        "pieces",
        ((4, ("value", ("reg", 0))), (4, None)),
    )
    assert evaluate(bytes([0x9E, 0x02, 0x34, 0x12]), None) == ("value", ("const", 0x1234))
    assert evaluate(bytes([0xA3, 0x01, 0x55, 0x9F]), None) == ("value", ("entry", 5))
    assert evaluate(bytes([0xF3, 0x01, 0x55, 0x9F]), None) == ("value", ("entry", 5))  # GNU's
    assert evaluate(bytes([0xA3, 0x02, 0x77, 0x08, 0x9F]), None) == ("lost", ONLY_CALLER)
    assert evaluate(bytes([0xFA, 1, 0, 0, 0, 0x9F]), None) == ("lost", ONLY_CALLER)
    assert evaluate(bytes([0xA0, 1, 0, 0, 0, 0x08]), None) == ("lost", POINTS_NOWHERE)
    assert evaluate(bytes([0x22]), None)[0] == "lost" and evaluate(b"", None) is None
    assert evaluate(bytes([0x02]), None)[0] == "lost" and evaluate(bytes([0x28, 0, 0]), None)[0] == "lost"
    assert evaluate(bytes([0x31, 0x12, 0x22, 0x9F]), None) == ("value", ("add", ("const", 1), ("const", 1)))


def test_operations_that_pyelftools_does_not_know() -> None:
    """DW_OP_GNU_variable_value has four bytes, DW_OP_reinterpret a type, DW_OP_GNU_uninit nothing."""
    known = {0x201: ("value", ("reg", 3)), 0x202: ("memory", ("reg", 4))}.get
    assert evaluate(bytes([0xFD, 1, 2, 0, 0, 0x9F]), None, None, None, known) == ("value", ("reg", 3))
    assert evaluate(bytes([0xFD, 2, 2, 0, 0, 0x9F]), None, None, None, known) == (
        "value",
        ("load", ("reg", 4), 8),
    )
    assert evaluate(bytes([0x50, 0xF0]), None) == ("lost", UNSET)
    for number in (0xA9, 0xF9):
        assert evaluate(bytes([0x71, 0, number, 0, 0x9F]), None) == ("value", ("reg", 1))


def test_jumps() -> None:
    """DW_OP_bra and DW_OP_skip count from behind themselves."""
    block = bytes([0x30, 0x71, 0, 0x28, 4, 0, 0x32, 0x2F, 1, 0, 0x33, 0x9F])
    assert evaluate(block, None) == ("value", ("either", ("reg", 1), ("const", 3), ("const", 2)))
    assert evaluate(bytes([0x30, 0x2F, 9, 0, 0x9F]), None)[0] == "lost"  # behind the end
    assert evaluate(bytes([0x30, 0x2F, 0xFD, 0xFF, 0x9F]), None)[0] == "lost"  # a loop


def test_units_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """All answers are the same when only one unit is kept."""

    def answers(info: DebugInfo):
        found = [
            f for file in ("kernel/toy.c", "kernel/other.c", "include/toy.h") for f in info.find("*", file)
        ]
        spots = [spot for f in found for spots in info.lines(f).values() for spot in spots]
        rows = [(info.symbol(s.address), info.variables_at(s.address, s.function)) for s in spots]
        return [(f.at, f.code, f.last, len(info.inlined(f))) for f in found], rows

    whole = answers(toy())
    monkeypatch.setattr(index, "MOST_UNITS", 1)
    assert answers(toy()) == whole and len(whole[1]) > 30


def test_typed_expressions() -> None:
    reg = ("reg", 1)
    types = {9: (32, False), 8: (32, True), 7: (64, True)}.get

    def value(*operations: int):
        found = evaluate(bytes((*operations, 0x9F)), None, None, types)
        assert found is not None and found[0] == "value", found
        return found[1]

    unsigned, signed = ("zext", reg, 32), ("sext", reg, 32)
    assert value(0x71, 0, 0xA8, 9, 0xA8, 7) == unsigned  # DW_OP_convert to one of 32 bits, then to 64
    assert value(0x71, 0, 0xF7, 9, 0xF7, 0) == unsigned
    assert value(0xA5, 1, 8) == signed and value(0xF5, 1, 9) == unsigned
    assert value(0xA5, 1, 9, 0x23, 5) == ("zext", ("add", unsigned, ("const", 5)), 32)
    one = (0xA4, 8, 4, 0xFF, 0xFF, 0xFF, 0xFF)
    assert value(*one) == ("const", -1) and value(0xA4, 9, 4, *one[3:]) == ("const", 0xFFFFFFFF)
    assert value(0xA5, 1, 8, 0x31, 0xA8, 8, 0x25) == (
        "sext",
        ("shr", ("zext", signed, 32), ("sext", ("const", 1), 32)),
        32,
    )
    assert value(0xA5, 1, 9, 0xA5, 1, 9, 0x2D) == ("ult", unsigned, unsigned)
    assert value(0xA5, 1, 8, 0xA5, 1, 8, 0x2D) == ("lt", signed, signed)
    assert value(0x71, 0, 0xA6, 4, 8) == ("sext", ("load", reg, 4), 32)
    assert value(0x71, 0, 0x19) == (
        "sub",
        ("xor", reg, ("sar", reg, ("const", 63))),
        ("sar", reg, ("const", 63)),
    )
    assert evaluate(bytes([0x71, 0, 0xA8, 3, 0x9F]), None, None, types) == ("lost", FLOATING)


def test_paths() -> None:
    assert source_path("/build/linux/net/ipv4/arp.c", "/build/linux") == "net/ipv4/arp.c"
    assert source_path("./include/net/../linux/skbuff.h") == "include/linux/skbuff.h"
    assert same_file("net/ipv4/arp.c", "arp.c") and same_file("net/ipv4/arp.c", "net/*/arp.c")
    assert not same_file("net/ipv4/arp.c", "rp.c") and not same_file("net/ipv4/arp.c", "ipv6/arp.c")


def test_what_was_found_is_kept(tmp_path: Path) -> None:
    info = toy(cache=str(tmp_path))
    rows = info.lines(one(info, "sum"))
    info.save()
    (kept,) = tmp_path.iterdir()
    again = toy(cache=str(tmp_path))
    again._search = None
    found = one(again, "sum")
    assert {n: [s.address for s in spots] for n, spots in again.lines(found).items()} == {
        n: [s.address for s in spots] for n, spots in rows.items()
    }
    assert again._search is None  # nothing was read
    for broken in (b"", b"rubbish", kept.read_bytes()[:-3]):
        kept.write_bytes(broken)
        assert one(toy(cache=str(tmp_path)), "sum").name == "sum"


@pytest.mark.parametrize("cut", [0, 3, 100, 5000])
def test_files_that_are_damaged(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "cut.elf"
    path.write_bytes((FILES / "toy5.elf").read_bytes()[:cut])
    with pytest.raises(DebugInfoError):
        DebugInfo(str(path)).find("sum")


def test_every_byte_changed(tmp_path: Path) -> None:
    """Whatever is wrong in a file, it is either read or refused in words."""
    data = (FILES / "toy5.elf").read_bytes()
    path = tmp_path / "odd.elf"
    at = data.index(b"kernel/toy.c") if b"kernel/toy.c" in data else 0x1231
    for place in (*range(0x1231, 0x1C61, 23), at):
        changed = bytearray(data)
        changed[place] ^= 0x5A
        path.write_bytes(changed)
        info = DebugInfo(str(path))
        try:
            for function in info.find("sum"):
                for spots in info.lines(function).values():
                    info.variables_at(spots[0].address)
        except DebugInfoError:
            continue


def test_a_file_without_debug_information(tmp_path: Path) -> None:
    if shutil.which("objcopy") is None:
        pytest.skip("objcopy isn't installed")
    import subprocess

    path = tmp_path / "bare.elf"
    subprocess.run(["objcopy", "--strip-debug", str(FILES / "toy5.elf"), str(path)], check=True)
    info = DebugInfo(str(path))
    assert info.find("sum") == [] and info.function_line("sum") is None
    assert info.elf.build_id() == toy().elf.build_id() != ""
