"""Hostile scripts: deep, long, endless, senseless. They end in diagnostics, few of them, and never in a traceback."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystap.diag import Bag, render
from pystap.lang.stp import ast
from pystap.lang.stp.cursor import MAX_ERRORS
from pystap.lang.stp.lexer import AT_OPERATORS, KEYWORDS, lex
from pystap.lang.stp.parser import PreprocEnv, parse
from pystap.lang.stp.printer import print_file
from pystap.source import Source


def errors(text: str) -> list[str]:
    bag = Bag()
    parse(Source("l.stp", text), PreprocEnv(("1", "two")), bag)
    for d in bag.items:
        assert render(d)
    return [d.code for d in bag.errors]


N = 10_000


@pytest.mark.parametrize(
    "text",
    [
        "probe begin { x = " + "(" * N + "1" + ")" * N + " }",
        "probe begin { x = " + "- " * N + "1 }",
        "probe begin { x = " + "1 + " * N + "1 }",
        "probe begin { x = " + "a ? b : " * N + "1 }",
        "probe begin { x = " + "a ? " * N + "1 }",
        "probe begin { x = " + "x = " * N + "1 }",
        "probe begin { x = " + "f(" * N + "1 }",
        "probe begin { x = " + "x[" * N + "1 }",
        "probe begin { x = " + "$x[" * N + "1 }",
        "probe begin { x = " + "@count(" * N + "1 }",
        "probe begin { x = " + "@cast(" * N + "1 }",
        "probe begin { " + "{" * N + "}" * N + " }",
        "probe begin { " + "if (x) " * N + " }",
        "probe begin { " + "if (x) {} else " * N + "; }",
        "probe begin { " + "while (x) " * N + "; }",
        "probe begin { " + "try { " * N,
        "probe " + "{" * N + "a" + "}" * N + " {}",
    ],
    ids=lambda text: text[12:30],
)
def test_deep_nesting_is_a_diagnostic(text: str) -> None:
    assert errors(text)[-1] == "E123"


def test_what_is_just_within_the_limits_parses_and_prints() -> None:
    limit = sys.getrecursionlimit()
    for text in (
        "(" * 240 + "1" + ")" * 240,
        "1 + " * 999 + "1",
        "a ? b : " * 999 + "1",
        "- " * 999 + "1",
    ):
        bag = Bag()
        tree = parse(Source("l.stp", "probe begin { x = " + text + " }"), PreprocEnv(), bag)
        assert not bag.items
        again = parse(Source("l.stp", print_file(tree)), PreprocEnv(), bag)
        assert not bag.items and ast.same(tree, again)
    blocks = "probe begin { " + "if (x) { " * 200 + "}" * 200 + " }"
    ladder = "probe begin { " + "if (x) y = 1; else " * 999 + "z = 1 }"
    assert errors(blocks) == errors(ladder) == []
    assert sys.getrecursionlimit() == limit


def test_braces_that_give_too_many_points() -> None:
    assert errors("probe a" + ".{b,c}" * 40 + " {}") == ["E131"]
    assert errors("probe {" + "a," * 20_000 + "b} {}") == ["E131"]


def test_a_probe_point_of_too_many_components() -> None:
    assert errors("probe " + "a." * 100_000 + "b {}") == ["E131"]


def test_macros_that_grow_without_end() -> None:
    text = "@define a0 %( x %)\n"
    text += "".join(f"@define a{i} %( @a{i - 1} @a{i - 1} %)\n" for i in range(1, 40))
    assert "E114" in errors(text + "probe begin { @a39 }")
    chain = "".join(f"@define a{i} %( @a{i + 1} %)\n" for i in range(5000))
    assert errors(chain + "probe begin { @a0 }") == ["E114"]


@pytest.mark.parametrize(
    "text",
    [
        "a b c ",
        "probe x ",
        "} { ",
        '"',
        "' ",
        "`",
        "%( ",
        "%( 1 == 1 %? ",
        "@x ",
        "$ ",
        "/* ",
        "global ",
        "probe begin { x = ( ",
    ],
)
def test_noise_gives_few_diagnostics(text: str) -> None:
    found = errors(text * 20_000)
    assert 1 <= len(found) <= MAX_ERRORS + 1


def test_the_lexer_ends_every_text_with_eof() -> None:
    for text in ("", " ", "x", '"', "%{", "/*", "#", "//", "$", "@", "\0", '"\\'):
        tokens = list(lex(Source("l", text)))
        assert [t[0] for t in tokens].count("eof") == 1
        assert tokens[-1][0] == "eof"


PIECES = """( ) [ ] { } , ; ? : = + - * / % & | ^ < > ! ~ .
    == =~ !~ ++ -- -> += <<< << >>> && || .= %( %? %: %) %{ %} x y begin timer.s(1) printf print printdln
    5 0x9 09 "s" "%d" " $x $x$ $$vars $ $1 @1 @3 $# @# @m @define"""
WORDS = [
    *sorted(KEYWORDS | AT_OPERATORS),
    *PIECES.split(),
    "\n",
    "# c\n",
    "probe begin {",
    "@define m(x) %(",
    "foreach (k in a) {",
    'kernel_v >= "3"',
]


@given(st.lists(st.sampled_from(WORDS), max_size=40))
def test_no_sequence_of_words_breaks_the_parser(words: list[str]) -> None:
    errors(" ".join(words))


@given(st.lists(st.sampled_from(WORDS), max_size=25))
def test_no_body_breaks_the_parser(words: list[str]) -> None:
    errors("function f() { " + " ".join(words) + " }")


@given(st.text(max_size=60))
def test_no_text_breaks_the_parser(text: str) -> None:
    errors(text)
    errors('probe begin { printf("' + text)
