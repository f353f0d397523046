"""Script files in chunks: `---` between them, and `//! CODE words` behind a line that a diagnostic points at.

A chunk without a `//!` must compile. All diagnostics of a chunk must be expected, and all expected ones come.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pystap.diag import Diagnostic

from .tools import attempt, verify

FILES = sorted((Path(__file__).parent / "scripts").glob("*.stp"))


def chunks() -> list[object]:
    """Return (chunk) parameters, named by file and line."""
    out = []
    for path in FILES:
        line = 1
        for text in path.read_text().split("\n---\n"):
            out.append(pytest.param(text, id=f"{path.stem}:{line}"))
            line += text.count("\n") + 2
    return out


def expected(text: str) -> list[tuple[int, str, str]]:
    """Return (line, code, words) of the `//!` marks; several may stand on a line."""
    out = []
    for number, line in enumerate(text.split("\n"), 1):
        for mark in line.split("//!")[1:]:
            code, _, words = mark.strip().partition(" ")
            out.append((number, code, words))
    return sorted(out)


def place(diagnostic: Diagnostic) -> int:
    """Return the line of a diagnostic, 0 without one."""
    return diagnostic.span.line if diagnostic.span is not None else 0


@pytest.mark.parametrize("text", chunks())
def test_chunk(text: str) -> None:
    marks = expected(text)
    made, bag = attempt(text)
    found = sorted((place(d), d.code, d.message) for d in bag.items)
    assert [f[:2] for f in found] == [m[:2] for m in marks], bag.items
    for mark, diagnostic in zip(marks, found, strict=True):
        assert mark[2] in diagnostic[2]
    if not any(code.startswith("E") for _, code, _ in marks):
        assert made is not None
        assert verify(made) == []
