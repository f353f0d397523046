"""Scripts, right and wrong: each chunk of the files beside says what it expects on the line that it concerns."""

from __future__ import annotations

from pathlib import Path

import pytest

from pystap.diag import Bag, Diagnostic, render
from pystap.lang.stp.ast import same
from pystap.lang.stp.parser import PreprocEnv, parse
from pystap.lang.stp.printer import print_file
from pystap.source import Source

HERE = Path(__file__).parent
CONFIG = {"CONFIG_NET": "y", "CONFIG_MOD": "m"}
MARK = "###"


def chunks(kind: str) -> list[object]:
    """Return the chunks of the files of a kind; each begins with as many empty lines as stand before it."""
    out: list[object] = []
    for path in sorted((HERE / kind).glob("*.stp")):
        line = 1
        for text in path.read_text().split("\n---\n"):
            out.append(pytest.param("\n" * (line - 1) + text + "\n", id=f"{path.stem}-{line}"))
            line += text.count("\n") + 2
    return out


def environment(text: str) -> PreprocEnv:
    """Read the lines `### args: ...` and `### guru` at the start of a chunk."""
    args: tuple[str, ...] = ()
    guru = False
    for line in text.split("\n"):
        if line.startswith(MARK + " args:"):
            args = tuple(line.split(":", 1)[1].split())
        elif line == MARK + " guru":
            guru = True
    return PreprocEnv(args, "6.18.5", "x86_64", CONFIG.get, guru, kernel_vr="6.18.5-test")


def expected(text: str) -> list[tuple[int, str, str]]:
    """Return (line, "error E101", part of the message) of the comments `### error E101: part`.

    What has no place in a script stands in line 0.
    """
    out = []
    for number, line in enumerate(text.split("\n"), 1):
        for part in line.split(MARK)[1:]:
            words = part.split(":", 1)
            if words[0].split()[0] in ("error", "warning"):
                code = words[0].strip()
                out.append((0 if code.endswith("W101") else number, code, words[1].strip()))
    return out


def line_of(diagnostic: Diagnostic) -> int:
    """Return the line of the script that a diagnostic is about."""
    span = diagnostic.span
    if span is not None and span.source.name.startswith("<argument"):
        span = span.via
    return span.line if span is not None else 0


@pytest.mark.parametrize("text", chunks("ok"))
def test_right_script_parses_and_prints_to_itself(text: str) -> None:
    bag = Bag()
    tree = parse(Source("ok.stp", text), environment(text), bag)
    assert [render(d) for d in bag.items] == []
    assert tree.decls
    printed = print_file(tree)
    again = Bag()
    second = parse(Source("printed.stp", printed), PreprocEnv(guru=True), again)
    assert [render(d) for d in again.items] == []
    assert same(tree, second), printed
    assert print_file(second) == printed


@pytest.mark.parametrize("text", chunks("ko"))
def test_wrong_script_is_refused_where_it_is_wrong(text: str) -> None:
    bag = Bag()
    parse(Source("ko.stp", text), environment(text), bag)
    found = [(line_of(d), f"{d.severity} {d.code}", d.message) for d in bag.items]
    shown = "".join(render(d) for d in bag.items)
    wanted = expected(text)
    assert wanted, "the chunk expects nothing"
    assert sorted((n, c) for n, c, _ in found) == sorted((n, c) for n, c, _ in wanted), shown
    for number, code, part in wanted:
        assert any(n == number and c == code and part in m for n, c, m in found), shown
