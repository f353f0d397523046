"""The eBPF code generator: a kernel program's IR to bytecode.

    prog = generate(kernel_program, homes, errors, target, options)

Pure: the result depends on its arguments alone. Sites where the program can raise an error are added to `errors`
(their numbers are indexes into it). `TooBig` means that the kernel stage can't hold the handler, for the
reason it gives; whoever called may mirror the handler instead. No maps are made here, but the program needs
the map `zero_map(homes)` when that isn't None.
"""

from __future__ import annotations

from ...program import MapSpec, Prog
from .emit import emit
from .lir import TooBig
from .regalloc import allocate
from .select import Select, _first_span
from .syscalls import KINDS, by_record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ...ir.nodes import Global
    from ...program import ErrorSite
    from ...staging.plan import Home, KernelProgram
    from .target import Target

__all__ = ["TooBig", "generate", "zero_map"]


def generate(
    kp: KernelProgram,
    homes: Mapping[Global, Home],
    errors: list[ErrorSite],
    target: Target,
    options: Any,
    own: frozenset[Global] = frozenset(),
) -> Prog:
    """Return one BPF program. own: globals that no other program of the run updates."""
    lo = Select(kp, homes, errors, target, options, own)
    lo.program()
    main = lo.main
    funcs = [(main.name, main.nargs, allocate(main)), *lo.finished]
    depth = sum([(size + 31) & ~31 for size in (-main.frame.lowest, lo.stack_depth, lo.called_depth)])
    span = _first_span(kp.body) if kp.body else main.span
    if depth > 512:
        raise TooBig(f"needs {depth} bytes of stack", span)
    result = emit(funcs, span)
    event = kp.event
    args = event.args
    if event.kind in KINDS and by_record(lo):
        args = {**(args or {}), "record": True}
    return Prog(
        name=kp.name,
        kind=event.kind,
        target=event.name,
        args=args,
        insns=result.insns,
        relocs=tuple(result.relocs),
        funcs=tuple(result.funcs),
        lines=tuple(result.lines),
        kfuncs=tuple(result.kfuncs),
        handlers=kp.handlers,
        apart=tuple(lo.apart),
    )


def zero_map(homes: Mapping[Global, Home]) -> MapSpec | None:
    """The map of zeros that inserts of large values copy from, or None when no global needs it."""
    from .tables import ZERO_ON_STACK

    sizes = [h.spec.value_size for h in homes.values() if h.spec.key and h.spec.home == "delta"]
    largest = max(sizes, default=0)
    return MapSpec("zero", "array", 4, largest, 1) if largest > ZERO_ON_STACK else None
