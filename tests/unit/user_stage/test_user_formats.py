"""Formats against C's own snprintf, and SystemTap's and bpftrace's additions by hand."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from user_kit import Machine, evaluate, function

from pystap.ir.format import Directive, Format
from pystap.ir.nodes import Const, Local, Op

LIBC = ctypes.CDLL(None)
NUMBERS = st.one_of(
    st.sampled_from([0, 1, -1, 8, 9, 255, (1 << 63) - 1, -(1 << 63), 1 << 32]),
    st.integers(-(1 << 63), (1 << 63) - 1),
)


def c_format(form: str, *args: int | bytes) -> str:
    """What libc makes of it."""
    out = ctypes.create_string_buffer(2048)
    values = [ctypes.c_longlong(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in args]
    LIBC.snprintf(out, ctypes.c_size_t(2048), form.encode(), *values)
    return out.value.decode("latin-1")


def printed(directive: Directive, *args: int | str | bytes, lang: str = "bt") -> str:
    """What the generated code makes of it, with operands it knows nothing of."""
    kinds = {int: "i64", str: "str", bytes: "buf"}
    params = tuple(Local("a", kinds[a.__class__]) for a in args)
    machine = Machine(
        [function([Op(None, "printf", params, Format(("<", directive, ">%")))], params)], lang=lang
    )
    machine.call("f", *args)
    assert machine.text.startswith("<")
    assert machine.text.endswith(">%")
    return machine.text[1:-2]


def in_c(d: Directive) -> str:
    """The directive as C writes it, for 64-bit numbers."""
    width = "" if d.width is None else str(d.width)
    precision = "" if d.precision is None else f".{d.precision}"
    return f"%{d.flags}{width}{precision}{'' if d.conv in 'sc' else 'll'}{d.conv}"


FLAGS = st.lists(st.sampled_from("-+ #0"), max_size=2, unique=True).map("".join)


@given(
    conv=st.sampled_from("diuxXo"),
    flags=FLAGS,
    width=st.one_of(st.none(), st.integers(0, 30)),
    precision=st.one_of(st.none(), st.integers(0, 30)),
    value=NUMBERS,
)
@settings(max_examples=800, deadline=None)
def test_integers_as_c(conv: str, flags: str, width: int | None, precision: int | None, value: int) -> None:
    if width == 0:
        width = None  # C takes it for a flag
    d = Directive(conv, flags, width, precision)
    assert printed(d, value) == c_format(in_c(d), value)


@given(
    flags=st.sampled_from(["", "-"]),
    width=st.one_of(st.none(), st.integers(1, 20)),
    precision=st.one_of(st.none(), st.integers(0, 20)),
    value=st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=12),
)
@settings(max_examples=200, deadline=None)
def test_strings_as_c(flags: str, width: int | None, precision: int | None, value: str) -> None:
    d = Directive("s", flags, width, precision)
    assert printed(d, value) == c_format(in_c(d), value.encode("latin-1"))


@given(
    conv=st.sampled_from("dxs"),
    width=st.integers(-20, 20),
    precision=st.integers(-3, 20),
    value=st.integers(-1000, 1000),
    stars=st.sampled_from(["w", "p", "wp"]),
)
@settings(max_examples=300, deadline=None)
def test_stars_as_c(conv: str, width: int, precision: int, value: int, stars: str) -> None:
    d = Directive(conv, "", "*" if "w" in stars else None, "*" if "p" in stars else None)
    args: list[int | str] = [width] if "w" in stars else []
    args += [precision] if "p" in stars else []
    args.append(str(value) if conv == "s" else value)
    c_args = [a if isinstance(a, int) else a.encode() for a in args]
    form = f"%{'*' if 'w' in stars else ''}{'.*' if 'p' in stars else ''}{'' if conv == 's' else 'll'}{conv}"
    assert printed(d, *args) == _with_stars(form, c_args)


def _with_stars(form: str, args: list[int | bytes]) -> str:
    out = ctypes.create_string_buffer(2048)
    values = [ctypes.c_int(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in args[:-1]]
    last = args[-1]
    values.append(ctypes.c_longlong(last) if isinstance(last, int) else ctypes.c_char_p(last))
    LIBC.snprintf(out, ctypes.c_size_t(2048), form.encode(), *values)
    return out.value.decode("latin-1")


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
@pytest.mark.parametrize("conv", ["u", "x", "o"])
def test_the_width_of_the_c_type_cuts_unsigned_numbers(conv: str, bits: int) -> None:
    d = Directive(conv, bits=bits)
    assert printed(d, -2) == format((1 << bits) - 2, {"u": "d"}.get(conv, conv))


def test_hexadecimal_zero_has_a_prefix_in_systemtap_only() -> None:
    assert printed(Directive("x", "#"), 0, lang="stp") == "0x0"
    assert printed(Directive("x", "#"), 0, lang="bt") == "0"
    assert printed(Directive("p"), 0, lang="stp") == printed(Directive("p"), 0, lang="bt") == "0x0"


@pytest.mark.parametrize(
    ("directive", "args", "text"),
    [
        (Directive("p"), (-1,), "0xffffffffffffffff"),
        (Directive("p", width=20), (255,), f"{'0xff':>20}"),
        (Directive("c"), (65,), "A"),
        (Directive("c"), (0x141,), "A"),
        (Directive("c", width=3), (65,), "  A"),
        (Directive("c", "#"), (10,), "\\n"),
        (Directive("c", "#"), (3,), "\\003"),
        (Directive("c", "#"), (65,), "A"),
        (Directive("s", "#"), ('a"b\\\n\t\x01\xff',), 'a\\"b\\\\\\n\\t\\001\\377'),
        (Directive("b"), (0x4142434445464748,), "HGFEDCBA"),
        (Directive("b", width=2), (0x4142434445464748,), "HG"),
        (Directive("b", width=1), (-1,), "\xff"),
        (Directive("m", precision=2), (b"abcd",), "ab"),
        (Directive("M", precision=3), (b"\x00\x01\xff\x02",), "0001ff"),
        (Directive("m", width=5, precision=2), (b"abcd",), "   ab"),
        (Directive("r"), (b"a\x00\xffz",), "a\\x00\\xffz"),
        (Directive("rx"), (b"a\x00",), "\\x61\\x00"),
        (Directive("rh"), (b"a\x00",), "61 00"),
        (Directive("s"), (12,), "12"),
        (Directive("d", "-", 6), (42,), "42    "),
    ],
)
def test_what_c_has_not(directive: Directive, args: tuple[int | str | bytes, ...], text: str) -> None:
    assert printed(directive, *args, lang="stp") == text


def test_percent_signs_and_several_directives() -> None:
    a, s = Local("a", "i64"), Local("s", "str")
    form = Format(("100%: ", Directive("d"), "% ", Directive("s", "-", 4), "|", Directive("x"), "%\n"))
    machine = Machine([function([Op(None, "printf", (a, s, Const(255)), form)], (a, s))])
    machine.call("f", -5, "ab")
    assert machine.text == "100%: -5% ab  |ff%\n"


def test_text_without_directives_is_printed_as_it_is() -> None:
    machine = Machine([function([Op(None, "printf", (), Format(("50%\u00e9\n",)))])])
    machine.call("f")
    assert machine.text == "50%\xe9\n"


def test_sprintf_is_cut_to_a_strings_room() -> None:
    form = Format((Directive("s"), Directive("s")))
    assert evaluate("sprintf", ["a" * 400, "b" * 400], form, "str") == "a" * 400 + "b" * 111
    assert evaluate("sprintf", ["a" * 10, "b"], form, "str", maxstringlen=8) == "aaaaaaa"
    assert evaluate("sprintf", ["x" * 600], Format((Directive("s"),)), "str") == "x" * 511


def test_sprintf_ends_at_a_nul() -> None:
    assert evaluate("sprintf", [0, 65], Format((Directive("c"), Directive("c"))), "str") == ""
    assert evaluate("sprintf", [0x4100420043], Format((Directive("b"),)), "str") == "C"


def test_a_huge_width_is_bounded() -> None:
    assert len(printed(Directive("d", width="*"), 1 << 62, 5)) <= 4096


def test_arithmetic_results_are_numbers_when_printed() -> None:
    """A comparison is 1 or 0, not True or False."""
    a, t = Local("a", "i64"), Local("t", "i64")
    body = [Op(t, "lt", (a, Const(5))), Op(None, "printf", (t,), Format((Directive("d"),)))]
    machine = Machine([function(body, (a,))])
    machine.call("f", 3)
    machine.call("f", 9)
    assert machine.text == "10"
