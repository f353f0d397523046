"""Compiles small scripts against the fixture's kernel and shows what staging made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pystap.btf import Btf
from pystap.compiler import Compilation, run_passes
from pystap.diag import Bag
from pystap.ir.nodes import If, Op, Stmt
from pystap.ir.printer import body_text
from pystap.ir.walk import blocks, statements
from pystap.options import Options
from pystap.program import GlobalSpec
from pystap.sema.target import Target
from pystap.source import Source
from pystap.staging.plan import Staged

BTF = Btf((Path(__file__).resolve().parents[2] / "fixtures" / "kernel.btf").read_bytes())
TARGET = Target(BTF, release="6.18.0")
EVENT = "probe syscall.lseek "


class Made:
    """A compiled script. `kernel` and `user` are texts: of the first program, of the first record's function."""

    def __init__(self, text: str, stage: str = "auto", target: Target = TARGET, **options: Any) -> None:
        bag = Bag()
        settings = Options(stage=stage, target_pid=7, **options)
        self.c = Compilation(Source("t.stp", text), "stp", target, settings, bag)
        assert run_passes(self.c, 3), [d.message for d in bag.errors]
        assert self.c.staged is not None
        self.staged: Staged = self.c.staged

    def home(self, name: str) -> str:
        """Where a global lives."""
        return self.spec(name).home

    def spec(self, name: str) -> GlobalSpec:
        """A global's GlobalSpec."""
        (found,) = [h.spec for g, h in self.staged.homes.items() if g.name == name]
        return found

    def why(self, name: str) -> str:
        """Why a global lives in the user stage."""
        start = f"'{name}' lives in the user stage: "
        (found,) = [n.text for n in self.staged.notes if n.kind == "global" and n.text.startswith(start)]
        return found[len(start) :]

    def notes(self, kind: str) -> list[str]:
        """The words of the notes of a kind."""
        return [n.text for n in self.staged.notes if n.kind == kind]

    @property
    def body(self) -> list[Stmt]:
        """The first kernel program's body."""
        return self.staged.kernel[0].body

    @property
    def kernel(self) -> str:
        """The first kernel program as text."""
        return body_text(self.body)

    @property
    def user(self) -> str:
        """The user stage's half of the first handler that has one."""
        records = [f for f in self.staged.user if f.kind == "record"]
        return body_text(records[0].body) if records else ""

    @property
    def fields(self) -> list[str]:
        """What the first record holds, by the names of the parameters."""
        return [p.name for p in next(f for f in self.staged.user if f.kind == "record").params]

    def ops(self, name: str) -> list[Op]:
        """The operations of a name in the first kernel program."""
        return [s for s in statements(self.body) if isinstance(s, Op) and s.name == name]


def depth_of(body: list[Stmt], name: str, depth: int = 0) -> int | None:
    """How many Ifs an operation stands under; None if it is not there."""
    for stmt in body:
        if isinstance(stmt, Op) and stmt.name == name:
            return depth
        for block in blocks(stmt):
            found = depth_of(block, name, depth + isinstance(stmt, If))
            if found is not None:
                return found
    return None


def order(text: str, *words: str) -> bool:
    """Whether the words come in this order."""
    at = -1
    for word in words:
        at = text.find(word, at + 1)
        if at < 0:
            return False
    return True
