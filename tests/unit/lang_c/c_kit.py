"""Runs scripts with C code without a kernel: begin handlers, in the user stage, against the fixture's types."""

from __future__ import annotations

import os
from pathlib import Path

from pystap.btf import Btf
from pystap.compiler import Compilation, run_passes
from pystap.diag import Bag
from pystap.options import Options
from pystap.runtime.context import Context
from pystap.runtime.door import Door
from pystap.runtime.env import load_source
from pystap.runtime.state import State
from pystap.sema.target import Target
from pystap.sinks.base import Sink
from pystap.source import Source

ROOT = Path(__file__).resolve().parents[3]
BTF = Btf((ROOT / "tests" / "fixtures" / "kernel.btf").read_bytes())
CONFIG = {"CONFIG_HZ": "250", "CONFIG_SMP": "y", "CONFIG_IPV6": "m"}


class _Sink(Sink):
    def __init__(self) -> None:
        super().__init__(os.open(os.devnull, os.O_WRONLY))
        self.written: list[str] = []

    def flush(self) -> None:
        self.written += self.parts
        self.parts.clear()


def attempt(text: str, last: int = 3, **options: object) -> Compilation:
    """Compile a script in guru mode; its diagnostics are in `bag`."""
    target = Target(BTF, release="6.18.0", config=CONFIG.get)
    made = Compilation(Source("t.stp", text), "stp", target, Options(guru=True, **options), Bag())
    run_passes(made, last)
    return made


def output(text: str, **options: object) -> str:
    """Return what the begin handler of a script prints."""
    made = attempt(text, **options)
    assert made.program is not None, made.bag.items
    sink = _Sink()
    context = Context(made.program, Door(), sink, made.options)
    State(context)
    load_source(context)
    for name in made.program.begin:
        context.namespace[name]()
    sink.flush()
    return "".join(sink.written)


def value(expression: str, *args: int, declare: str = "", head: str = "") -> int:
    """Return the value of a C expression; a, b, c are `long` arguments."""
    names = "abc"[: len(args)]
    copies = "".join(f"long {n} = STAP_ARG_{n}; " for n in names)
    given = ", ".join(str(a) if a >= 0 else f"(0{a})" for a in args)
    start = f"%{{\n{head}\n%}}\n" if head else ""
    return int(
        output(
            f"{start}function f:long({', '.join(names)}) %{{ {copies}{declare} STAP_RETVALUE = {expression}; %}}\n"
            f'probe begin {{ printf("%d", f({given})) }}'
        )
    )


def errors(text: str) -> list[tuple[str, str]]:
    """Return (code, text at the place) of a script's errors."""
    return [(d.code, d.span.text if d.span else "") for d in attempt(text).bag.errors]


def body_errors(code: str, head: str = "") -> list[tuple[str, str]]:
    """Return the errors of a function's body in C, which has the parameters x (long) and s (string)."""
    start = f"%{{\n{head}\n%}}\n" if head else ""
    return errors(f'{start}function f:long(x:long, s:string) %{{ {code} %}}\nprobe begin {{ f(1, "a") }}')
