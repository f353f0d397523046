"""pystap: SystemTap and bpftrace scripts on the live kernel, compiled to eBPF by pure Python.

import pystap
program = pystap.compile("probe begin { println(1) exit() }")     # raises CompileError
status = pystap.trace(program)                                    # runs it, as root; the exit status
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .options import Options
    from .program import Program
    from .sema.target import Target

__version__ = "0.1.0"
__all__ = ["compile", "trace"]


def compile(
    text: str,
    *,
    lang: str = "stp",
    name: str = "<input>",
    target: Target | None = None,
    options: Options | None = None,
) -> Program:
    """Compile a script ("stp" or "bt"), for the live kernel unless a target is given.

    CompileError has the first diagnostic; warnings are dropped.
    """
    from .compiler import compile_script
    from .diag import Bag, CompileError
    from .options import Options
    from .source import Source

    if target is None:
        from .cli.live import live_target

        target = live_target()
    bag = Bag()
    program = compile_script(Source(name, text), lang, target, options or Options(), bag)
    if program is None:
        raise CompileError(bag.errors[0])
    return program


def trace(program: Program, options: Options | None = None) -> int:
    """Run a program on the live kernel, to its end; return the exit status. KernelError when it is refused."""
    from .cli.live import live_target
    from .options import Options
    from .runtime.door import Door
    from .runtime.session import Session
    from .sinks import open_sink

    options = options or program.options or Options()
    return Session(program, Door(live_target().btf), open_sink(options), options).run()
