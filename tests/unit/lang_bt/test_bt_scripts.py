"""Every chunk parses as its file says, and what parses prints to a text that parses to the same."""

from __future__ import annotations

import pytest
from bt_chunks import MARK, chunks, expectations, good, parsed

from pystap.diag import render
from pystap.lang.bt.printer import print_program

OK = chunks("ok")
KO = chunks("ko")


@pytest.mark.parametrize(("name", "text"), OK, ids=[n for n, _ in OK])
def test_well_formed(name: str, text: str) -> None:
    program = good(text)
    printed = print_program(program)
    assert repr(good(printed)) == repr(program), printed


@pytest.mark.parametrize(("name", "text"), KO, ids=[n for n, _ in KO])
def test_malformed(name: str, text: str) -> None:
    expected = expectations(text)
    assert expected
    _, bag = parsed(text)
    errors = sorted(bag.errors, key=lambda d: d.span.start if d.span else -1)
    found = [(d.span.line if d.span else 0, d.code, d.message) for d in errors]
    shown = "".join(render(d) for d in bag.items)
    for (line, code, message), (at, got, text_got) in zip(expected, found, strict=False):
        assert (at, got) == (line, code), shown
        assert message in text_got, shown
    assert len(found) == len(expected), shown


def test_each_error_code_of_the_parser_is_expected_somewhere() -> None:
    codes = {code for _, text in KO for _, code, _ in expectations(text)}
    assert codes >= {f"E1{n:02}" for n in (1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 16, 18, 20, 21, 22)}
    assert codes >= {"E130", "E131", "E132", "E133", "E140"}
    assert MARK not in "".join(text for _, text in OK)
