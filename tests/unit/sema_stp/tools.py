"""What these tests share: compiling a script against the fixture's kernel."""

from __future__ import annotations

from pathlib import Path

from pystap.btf import Btf
from pystap.diag import Bag
from pystap.ir.nodes import Module
from pystap.ir.printer import body_text, function_text, handler_text
from pystap.ir.verify import verify
from pystap.lang.stp.parser import PreprocEnv, parse
from pystap.options import Options
from pystap.sema.stp import analyse
from pystap.sema.stp.macros import MACROS
from pystap.sema.target import Target
from pystap.source import Source

ROOT = Path(__file__).resolve().parents[3]
BTF = Btf((ROOT / "tests" / "fixtures" / "kernel.btf").read_bytes())


def target() -> Target:
    """Return the fixture's kernel."""
    return Target(BTF, release="6.18.0")


def attempt(text: str, **options: object) -> tuple[Module | None, Bag]:
    """Compile a script; return its module (None: it has errors) and the diagnostics."""
    bag = Bag()
    env = PreprocEnv(args=options.get("args", ()), macros=MACROS, guru=bool(options.get("guru")))
    tree = parse(Source("t.stp", text), env, bag)
    if bag.errors:
        return None, bag
    return analyse(tree, target(), Options(**options), bag), bag


def module(text: str, **options: object) -> Module:
    """Compile a script that must be right; its IR must be well formed."""
    made, bag = attempt(text, **options)
    assert made is not None, bag.items
    assert verify(made) == []
    return made


def errors(text: str, **options: object) -> list[tuple[str, str]]:
    """Return (code, text at the place) of the errors of a script."""
    made, bag = attempt(text, **options)
    assert made is None
    return [(d.code, d.span.text if d.span else "") for d in bag.errors]


def warnings(text: str, **options: object) -> list[tuple[str, str]]:
    """Return (code, text at the place) of the warnings of a script without errors."""
    made, bag = attempt(text, **options)
    assert made is not None, bag.items
    return [(d.code, d.span.text if d.span else "") for d in bag.items]


def begin(body: str, head: str = "") -> str:
    """Return the IR of a begin handler's body."""
    return body_text(module(f"{head}\nprobe begin {{ {body} }}").handlers[0].body)


def lines(body: str, head: str = "") -> list[str]:
    """Return the lines of the IR of a begin handler's body."""
    return begin(body, head).split("\n")


__all__ = [
    "BTF",
    "ROOT",
    "Bag",
    "attempt",
    "begin",
    "body_text",
    "errors",
    "function_text",
    "handler_text",
    "lines",
    "module",
    "target",
    "verify",
    "warnings",
]
