"""printf formats."""

from __future__ import annotations

import pytest
from bt_chunks import good

from pystap.diag import Bag
from pystap.lang.bt import ast
from pystap.lang.bt.formats import STAR, Directive, Literal, parse_format
from pystap.source import NOWHERE


def directives(text: str) -> list[Directive]:
    """Return the directives of a right format."""
    bag = Bag()
    found = parse_format(text, NOWHERE, bag)
    assert bag.items == []
    return [d for d in found if isinstance(d, Directive)]


@pytest.mark.parametrize(
    ("text", "flags", "width", "precision", "length", "conv"),
    [
        ("%d", "", None, None, "", "d"),
        ("%-10s", "-", 10, None, "", "s"),
        ("%08x", "0", 8, None, "", "x"),
        ("%+ #-0i", "-+ #0", None, None, "", "i"),
        ("%.3s", "", None, 3, "", "s"),
        ("%.s", "", None, 0, "", "s"),
        ("%*.*d", "", STAR, STAR, "", "d"),
        ("%-*lu", "-", STAR, None, "l", "u"),
        ("%llX", "", None, None, "ll", "X"),
        ("%hhd", "", None, None, "hh", "d"),
        ("%hd", "", None, None, "h", "d"),
        ("%zu", "", None, None, "z", "u"),
        ("%jd", "", None, None, "j", "d"),
        ("%tp", "", None, None, "t", "p"),
        ("%c", "", None, None, "", "c"),
        ("%o", "", None, None, "", "o"),
        ("%r", "", None, None, "", "r"),
        ("%rx", "", None, None, "", "rx"),
        ("%rh", "", None, None, "", "rh"),
        ("%gr", "", None, None, "", "gr"),
    ],
)
def test_directives(
    text: str, flags: str, width: int | None, precision: int | None, length: str, conv: str
) -> None:
    (found,) = directives(text)
    assert (found.flags, found.width, found.precision) == (flags, width, precision)
    assert (found.length, found.conv) == (length, conv)
    assert found.arguments == 1 + text.count("*")


def test_literals_between() -> None:
    found = parse_format("a%%b%dc%s%%", NOWHERE, Bag())
    kinds = [(p.text if isinstance(p, Literal) else p.conv) for p in found]
    assert kinds == ["a%b", "d", "c", "s", "%"]
    assert parse_format("", NOWHERE, Bag()) == ()


@pytest.mark.parametrize("text", ["%", "%y", "100% sure%", "%5", "%l", "%.", "%-", "%lly", "%é", "%99999d"])
def test_mistakes(text: str) -> None:
    bag = Bag()
    parse_format(text, NOWHERE, bag)
    assert {d.code for d in bag.errors} == {"E150"}


def test_each_directive_has_its_place_in_the_literal() -> None:
    text = r'begin { printf("\x41\n%d\t\101\\%-5s\"é%y", 1); }'
    (statement,) = good(text).probes[0].body.statements
    assert isinstance(statement, ast.ExprStatement) and isinstance(statement.expr, ast.Call)
    literal = statement.expr.args[0]
    assert isinstance(literal, ast.String)
    bag = Bag()
    found = parse_format(literal.value, literal.span, bag)
    assert [d.span.text for d in found if isinstance(d, Directive)] == ["%d", "%-5s"]
    assert bag.items[0].span is not None and bag.items[0].span.text == "%y"
