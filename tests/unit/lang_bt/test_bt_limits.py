"""Depth, noise and damage: diagnostics, never an exception and never endless."""

from __future__ import annotations

import random

import pytest
from bt_chunks import chunks, good, parsed

from pystap.lang.bt import ast
from pystap.lang.bt.cursor import MAX_CHAIN, MAX_DEPTH
from pystap.lang.bt.printer import print_program
from pystap.lang.bt.report import MAX_ERRORS

DEEP = 5000


@pytest.mark.parametrize(
    ("before", "unit", "after"),
    [
        ("begin { $x = ", "(", ""),
        ("begin { $x = ", "-", "1; }"),
        ("begin { $x = ", "!", "1; }"),
        ("begin { $x = ", "(int8)", "1; }"),
        ("begin { $x = ", "f(", ""),
        ("begin { $x = ", "@m[", ""),
        ("begin { $x = ", "$a[", ""),
        ("begin { $x = ", "1 ? ", ""),
        ("begin { $x = ", "{ ", ""),
        ("begin { $x = ", "if 1 { ", ""),
        ("begin { $x = ", "sizeof(", ""),
        ("begin { $x = ", "(a=", ""),
        ("begin { $x = ", "comptime ", "1; }"),
        ("begin { $x = ", "((uint8, ", ""),
        ("begin { ", "{ ", ""),
        ("begin { ", "if 1 { ", ""),
        ("begin { ", "while 1 { ", ""),
        ("begin { let $x : ", "(", ""),
        ("begin { let $x : ", "typeof(", ""),
        ("begin { let $x : int8", " *", ";}"),
        ("begin { $x = ", "1 || 2 && 3 | 4 ^ 5 & 6 == 7 < 8 << 9 + 1 * (", ""),
        ("struct a { ", "struct { ", "} x;" * DEEP + "};"),
        ("typedef int ", "(", ")" * DEEP + ";"),
        ("typedef int ", "*", "x;"),
        ("typedef int x", "[1]", ";"),
    ],
    ids=range(25),
)
def test_depth(before: str, unit: str, after: str) -> None:
    _, bag = parsed(before + unit * DEEP + after)
    assert "E115" in [d.code for d in bag.items]


@pytest.mark.parametrize(
    "text",
    [
        "begin { $x = 1" + " + 1" * DEEP + "; }",
        "begin { $x = $y" + ".a" * DEEP + "; }",
        "begin { $x = " + "1 ? 2 : " * DEEP + "3; }",
        "begin { " + "if 1 { } else " * DEEP + "{ } }",
        "begin { $x = " + "if 1 { 2 } else " * DEEP + "{ 3 }; }",
    ],
)
def test_chains(text: str) -> None:
    _, bag = parsed(text)
    assert bag.items[0].code == "E115" and bag.items[0].message == "chain too long"


def test_what_is_within_the_limits_parses_and_prints() -> None:
    depth = MAX_DEPTH // 2 - 5
    links = MAX_CHAIN - 1
    for text in (
        "begin { $x = " + "(" * depth + "1" + ")" * depth + "; }",
        "begin { $x = " + "-(" * depth + "$y" + ")" * depth + "; }",
        "begin { " + "if 1 { " * depth + "} " * depth + "}",
        "begin { $x = 1" + " + 1" * links + "; }",
        "begin { $x = $y" + ".a" * links + "; }",
        "begin { $x = " + "1 ? 2 : " * links + "3; }",
        "begin { " + "if 1 { } else " * links + "{ } }",
        "macro m() { " + "if 1 { 2 } else " * links + "{ 3 } }",
        "begin { " + "if 1 { 2 } else " * links + "{ 3 } }",
    ):
        assert print_program(good(text))


def test_long_scripts_are_not_chains() -> None:
    text = "begin { " + "$x = 1; " * DEEP + "}" + "kprobe:f { @ = count(); }\n" * DEEP
    program = good(text)
    assert len(program.probes) == DEEP + 1
    assert len(program.probes[0].body.statements) == DEEP


NOISE = random.Random(7)


@pytest.mark.parametrize(
    "text",
    [
        NOISE.randbytes(300_000).decode("latin-1"),
        "begin { " + NOISE.randbytes(300_000).decode("latin-1"),
        "".join(chr(NOISE.randrange(32, 127)) for _ in range(300_000)),
        "begin { " + "a " * 300_000,
        "begin { " + "{" * 300_000,
        "kprob:x { }\n" * 30_000,
        "begin { `; }\n" * 30_000,
        "}" * 300_000,
        "#if 0\n" * 30_000,
        "/" * 300_000,
        'begin { $x = "' + '\\"' * 100_000,
        "uprobe:" + "/" * 300_000,
        "#define a a a\n" * 10_000,
    ],
    ids=range(13),
)
def test_noise_ends_with_few_errors(text: str) -> None:
    _, bag = parsed(text)
    assert len(bag.errors) <= MAX_ERRORS
    assert bag.errors or text.startswith(("/", "#define"))


def test_the_last_of_many_errors_says_so() -> None:
    _, bag = parsed("begin { $x = ; }\n" * 100)
    assert len(bag.errors) == MAX_ERRORS
    assert bag.items[-1].severity == "note" and str(MAX_ERRORS) in bag.items[-1].message


def test_macros_that_explode_are_errors() -> None:
    doubling = "".join(f"#define A{i} A{i + 1} A{i + 1}\n" for i in range(40))
    _, bag = parsed(doubling + "struct s { int x[A0]; };\nbegin { }")
    assert "E131" in [d.code for d in bag.items]
    chain = "".join(f"#define A{i} A{i + 1}\n" for i in range(2000))
    program, _ = parsed(chain + "begin { }")
    assert len(program.c.defines) == 2000


TEXTS = [text for folder in ("ok", "ko") for _, text in chunks(folder)]
BITS = [
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ";",
    '"',
    "/",
    "$",
    "@",
    "#",
    "\n",
    "0",
    "if",
    "\\",
    "'",
    "..",
    "*/",
    "struct ",
]


@pytest.mark.parametrize("seed", range(40))
def test_damaged_scripts_raise_nothing(seed: int) -> None:
    rng = random.Random(seed)
    for text in TEXTS:
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(text))
            piece = rng.choice(["", rng.choice(BITS), rng.choice(BITS)])
            text = text[:at] + piece + text[at + rng.randrange(6) :]
        program, bag = parsed(text, "a")
        assert isinstance(program, ast.Program)
        for diagnostic in bag.items:
            span = diagnostic.span
            assert span is not None and 0 <= span.start <= span.end <= len(text)
        if not bag.items:
            assert repr(good(print_program(program), "a")) == repr(program)
