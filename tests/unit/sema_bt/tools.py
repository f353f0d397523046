"""What the tests of bpftrace's semantics share: scripts to IR, against the small kernel BTF."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pystap.btf import Btf
from pystap.diag import Bag, render
from pystap.ir.nodes import Handler, Module
from pystap.ir.printer import module_text
from pystap.ir.verify import verify
from pystap.lang.bt.parser import parse
from pystap.options import Options
from pystap.sema.bt import analyse
from pystap.sema.target import Target
from pystap.source import Source

FIXTURE = Path(__file__).parents[2] / "fixtures" / "kernel.btf"


@cache
def btf() -> Btf:
    """The fixture's types."""
    return Btf(FIXTURE.read_bytes())


class Symbols:
    """Kernel symbols of a test."""

    def __init__(self, **known: int) -> None:
        self.known = known

    def address(self, name: str) -> int | None:
        """The address of a symbol."""
        return self.known.get(name)


def attempt(
    text: str, *args: str, features: tuple[str, ...] = (), symbols: Symbols | None = None, **options: object
) -> tuple[Module | None, Bag]:
    """Parse and analyse a script; the module is None when it doesn't parse."""
    bag = Bag()
    chosen = Options(args=args, **options)
    tree = parse(Source("test.bt", text), list(args), bag)
    if bag.errors:
        return None, bag
    target = Target(btf(), symbols, features.__contains__)
    return analyse(tree, target, chosen, bag), bag


def module(text: str, *args: str, **more: object) -> Module:
    """Analyse a script that must be right, without a warning."""
    made, bag = attempt(text, *args, **more)  # type: ignore[arg-type]
    assert bag.items == [], "".join(render(d) for d in bag.items)
    assert made is not None
    assert verify(made) == []
    return made


def lines(text: str) -> list[str]:
    """Return lines without their indentation."""
    return [line.strip() for line in text.split("\n") if line.strip()]


def unflagged(rows: list[str]) -> list[str]:
    """The rows without those of the globals that tell whether a map without keys is set (`@x.set`)."""
    return [
        row for row in rows if not any(w[:1] == "@" and w.rstrip(":").endswith(".set") for w in row.split())
    ]


def handler(made: Module, number: int = -1) -> list[str]:
    """Return the IR of one handler, a line each, with its indentation by 4; without flags."""
    one: Handler = made.handlers[number]
    text = module_text(Module(made.lang, [], [], [one]))
    rows = text.split("\n")
    at = next(n for n, row in enumerate(rows) if row.startswith("handler"))
    return unflagged([row[4:] for row in rows[at + 1 :] if row.strip()])


def begin(body: str, *args: str, **more: object) -> list[str]:
    """Return the IR of a BEGIN probe's body."""
    return handler(module(f"BEGIN {{ {body} }}", *args, **more))


def event(body: str, point: str = "rawtracepoint:sched_switch", **more: object) -> list[str]:
    """Return the IR of an event handler's body."""
    return handler(module(f"{point} {{ {body} }}", **more))


def errors(text: str, *args: str, **more: object) -> list[tuple[str, str]]:
    """Return (code, message) of what is reported."""
    _, bag = attempt(text, *args, **more)  # type: ignore[arg-type]
    return [(d.code, d.message) for d in bag.items]
