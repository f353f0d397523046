"""Scripts, right and wrong, in chunks between `---` lines.

A chunk of `ok` compiles without a diagnostic to IR that the verifier takes. One of `ko` says what is reported at the end
of the line that it is about: `// error E250: part of the message`, `// warning W301: ...`; there is nothing else.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pystap.diag import Diagnostic, render

from .tools import Symbols, attempt, module

HERE = Path(__file__).parent


def chunks(folder: str) -> list[object]:
    """Return the chunks of a folder's files, named by file and line."""
    out: list[object] = []
    for path in sorted((HERE / folder).glob("*.bt")):
        line = 1
        for text in path.read_text().split("\n---\n"):
            out.append(pytest.param(text, id=f"{path.stem}:{line}"))
            line += text.count("\n") + 2
    return out


def expected(text: str) -> list[tuple[int, str, str]]:
    """Return (line, "error E250", part of the message) of the marks."""
    out = []
    for number, line in enumerate(text.split("\n"), 1):
        for part in line.split("// ")[1:]:
            words, colon, message = part.strip().partition(": ")
            if colon and words.split()[0] in ("error", "warning"):
                out.append((number, words, message))
    return sorted(out)


def place(diagnostic: Diagnostic) -> int:
    """Return the line of a diagnostic, 0 without one."""
    return diagnostic.span.line if diagnostic.span is not None else 0


@pytest.mark.parametrize("text", chunks("ok"))
def test_right_script_becomes_sound_ir(text: str) -> None:
    made = module(text)
    assert made.handlers


@pytest.mark.parametrize("text", chunks("ko"))
def test_wrong_script_is_refused_where_it_is_wrong(text: str) -> None:
    wanted = expected(text)
    assert wanted, "the chunk expects nothing"
    _, bag = attempt(text, "word", symbols=Symbols())
    shown = "".join(render(d) for d in bag.items)
    found = sorted((place(d), f"{d.severity} {d.code}", d.message) for d in bag.items)
    assert [f[:2] for f in found] == [w[:2] for w in wanted], shown
    for want, got in zip(wanted, found, strict=True):
        assert want[2] in got[2], shown
