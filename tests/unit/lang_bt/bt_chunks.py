"""Chunked script files: chunks between `---` lines, expected diagnostics on the lines that they concern.

`// error E1xx: text` at the end of a line (several in a row for several) says that an error of that
code, its message containing the text, is reported on that line. There must be no others.
"""

from __future__ import annotations

from pathlib import Path

from pystap.diag import Bag
from pystap.lang.bt import ast
from pystap.lang.bt.parser import parse
from pystap.source import Source

HERE = Path(__file__).parent
MARK = "// error "

Expected = tuple[int, str, str]


def chunks(folder: str) -> list[tuple[str, str]]:
    """Return (name, text) of each chunk of the folder's files; the text keeps no `---`."""
    out = []
    for path in sorted((HERE / folder).glob("*.bt")):
        line = 1
        for text in path.read_text(encoding="utf-8").split("---\n"):
            out.append((f"{path.stem}:{line}", text))
            line += text.count("\n") + 1
    return out


def expectations(text: str) -> list[Expected]:
    """Return (line, code, text) of each expected error, in order."""
    out = []
    for number, line in enumerate(text.split("\n"), 1):
        for mark in line.split(MARK)[1:]:
            code, _, message = mark.strip().partition(": ")
            out.append((number, code, message))
    return out


def parsed(text: str, *params: str) -> tuple[ast.Program, Bag]:
    """Parse a text."""
    bag = Bag()
    return parse(Source("test.bt", text), list(params), bag), bag


def good(text: str, *params: str) -> ast.Program:
    """Parse a text that must be right."""
    program, bag = parsed(text, *params)
    assert bag.items == []
    return program
