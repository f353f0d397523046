"""Values shown by hints."""

from __future__ import annotations

import os
from typing import Any

import pytest
from runtime_kit import context, glob, program

from pystap.runtime.display import Display, enumerators, width
from pystap.runtime.door import Door
from pystap.runtime.printing import Printing
from pystap.runtime.state import State

DISPLAY = Display(context(Door(), program("", lang="bt")))
RECORD = (
    "record",
    (
        ("a", 0, 4, "int"),
        ("b", 4, 2, "uint"),
        ("c", 8, 8, "ptr"),
        ("d", 16, 4, "str"),
        (
            "e",
            20,
            4,
            (
                "record",
                (("f", 0, 1, ("bits", 2, 3, False)), ("g", 1, 2, ("bits", 6, 5, True)), ("h", 3, 1, "bool")),
            ),
        ),
    ),
)


@pytest.mark.parametrize(
    ("value", "hint", "text"),
    [
        (5, "int", "5"),
        (-5, "int", "-5"),
        (-1, "uint", "18446744073709551615"),
        (-1, "ptr", "0xffffffffffffffff"),
        (1, "bool", "true"),
        (0, "bool", "false"),
        ("x", "str", "x"),
        ("::1", "inet", "::1"),
        (bytes.fromhex("00a1b2c3d4e5"), "mac", "00:A1:B2:C3:D4:E5"),
        (b"a\0\xff", ("buf", 3), "a\\x00\\xff"),
        (1, ("enum", "0=A;1=B"), "B"),
        (9, ("enum", "0=A;1=B"), "9"),
        (bytes((1, 2, 255, 4)), ("array", 4, "uint", 1, False), "[1,2,255,4]"),
        (b"\xff\xff\1\0", ("array", 2, "int", 2, True), "[-1,1]"),
        ((1, "ab", -1), ("tuple", ("int", "str", "uint")), "(1, ab, 18446744073709551615)"),
        ((1, 2, 3), ("tuple", ("int", ("tuple", ("int", "int")))), "(1, (2, 3))"),
        ((1, "x"), ("named", (("a", "int"), ("b", "str"))), "{ .a = 1, .b = x }"),
        (
            (-2).to_bytes(4, "little", signed=True)
            + b"\xff\xff\0\0"
            + bytes((16, *bytes(7)))
            + b"hi\0\0"
            + bytes((0b11110111, 0b11000000, 0b101, 1)),
            RECORD,
            "{ .a = -2, .b = 65535, .c = 0x10, .d = hi, .e = { .f = 5, .g = -9, .h = true } }",
        ),
        (b"", ("kstack", ""), ""),
        (7, None, "7"),
        ((1, "a"), None, "(1, a)"),
    ],
)
def test_values(value: Any, hint: Any, text: str) -> None:
    assert DISPLAY.value(value, hint) == text


def test_how_many_parts_a_hint_takes() -> None:
    assert [width(h) for h in ("int", "usym", ("ustack", "raw"), ("kstack", ""))] == [1, 2, 2, 1]
    assert width(("tuple", ("int", "usym", ("named", (("a", "usym"), ("b", "int")))))) == 6


def test_keys_of_several_parts() -> None:
    key = (1, 0x10, 0, "x")
    assert DISPLAY.key(key, ("int", "usym", "str")) == ["1", "0x10", "x"]
    assert DISPLAY.key(-1, ("uint",)) == ["18446744073709551615"]
    assert DISPLAY.key((1, 2), (("tuple", ("int", "int")),)) == ["(1, 2)"]


def test_enumerators() -> None:
    assert enumerators("0=A;-1=B;5=C") == {0: "A", -1: "B", 5: "C"}


def test_maps_are_shown_by_their_hints() -> None:
    specs = (
        glob("@k", 0, "user", ("i64", "str"), fmt=(("uint", "str"), "ptr")),
        glob("@b", 1, "user", fmt=((), "bool")),
        glob("@t", 2, "user", (), "tuple", fmt=((), ("tuple", ("int", "str")))),
    )
    ctx = context(Door(), program("", lang="bt", globals=specs))
    State(ctx)
    ctx.namespace["_g0"][-1, "x"] = 16
    ctx.namespace["_g2"] = (1, "y")
    for i in range(3):
        Printing(ctx).map(i)
    assert ctx.sink.text == "@k[18446744073709551615, x]: 0x10\n\n@b: false\n@t: (1, y)\n"  # type: ignore[attr-defined]


def test_pointers_that_nobody_reads_are_hexadecimal() -> None:
    spec = glob("p", 0, "user", fmt="pointer", initial=255)
    ctx = context(Door(), program("", globals=(spec,)))
    Printing(ctx).display((spec,), State(ctx))
    assert ctx.sink.text == "p=0xff\n"  # type: ignore[attr-defined]


def test_one_element_of_a_histogram_is_printed_as_a_box() -> None:
    spec = glob("@h", 0, "user", (), "stat", stat_kind="hist", hist_log=0)
    ctx = context(Door(), program("", lang="bt", globals=(spec,)))
    State(ctx)
    ctx.namespace["_g0"].push(1)
    Printing(ctx).hist(ctx.namespace["_g0"], "log", "")
    assert ctx.sink.text == f"[1]                    1 |{'@' * 52}|\n"  # type: ignore[attr-defined]


def test_symbols_of_a_process() -> None:
    """This interpreter's own functions, as its mappings and its file have them."""
    from ctypes import CDLL, c_void_p, cast

    from pystap.runtime.usersyms import UserSymbols

    address = cast(CDLL(None).getppid, c_void_p).value or 0
    symbols = UserSymbols()
    found = symbols.lookup(address + 1, os.getpid())
    assert found is not None
    assert found[0].lstrip("_") in ("getppid", "GI_getppid")
    assert found[1] == 1
    assert symbols.text(16, os.getpid()) == "0x10"
    assert symbols.text(address, 1 << 30) == f"{address:#x}"


def test_a_broken_file_has_no_symbols() -> None:
    from pystap.runtime.usersyms import Elf

    with open("/proc/self/exe", "rb") as file:
        whole = file.read()
    for data in (b"", b"\x7fELF", b"\x7fELF\x02\x01" + b"\xff" * 100, whole[:5000]):
        assert Elf(data).lookup(0x1000) is None


def test_allocation_flags() -> None:
    from pystap.runtime.functions.gfp import names

    bits = {"HIGH": 32, "IO": 64, "FS": 128, "ZERO": 256, "DIRECT_RECLAIM": 1024, "KSWAPD_RECLAIM": 2048}
    assert names(0xCC0, bits) == "GFP_KERNEL"
    assert names(0xDC0, bits) == "GFP_KERNEL|__GFP_ZERO"
    assert names(0x820, bits) == "GFP_ATOMIC"
    assert names(0x10020, bits) == "__GFP_HIGH|0x10000"
    assert names(0, bits) == "0x0"
