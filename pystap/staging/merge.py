"""Handlers of one event become one program, in source order (R14): entering a program costs more than most handlers."""

from __future__ import annotations

from .plan import KernelProgram

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Event

MOST = 16  # handlers of one program: register allocation takes longer than the sum of its parts


def same_event(one: Event, other: Event) -> bool:
    """Whether something can happen that is both events: their handlers run then, in source order."""
    if one.kind != other.kind:
        return False
    if one.kind in ("sys_enter", "sys_exit"):
        numbers, others = ((event.args or {}).get("numbers") for event in (one, other))
        return numbers is None or others is None or not set(numbers).isdisjoint(others)
    return one.name == other.name and (one.kind == "tp_btf" or repr(one.args) == repr(other.args))


def groups(programs: list[KernelProgram]) -> list[list[KernelProgram]]:
    """Return the programs that can be one, together; the first ones of the groups keep their order."""
    found: dict[tuple[str, str, str], list[list[KernelProgram]]] = {}
    out: list[list[KernelProgram]] = []
    for program in programs:
        event = program.event
        lists = found.setdefault((event.kind, event.name, repr(event.args)), [])
        if not lists or len(lists[-1]) == MOST:
            lists.append([])
            out.append(lists[-1])
        lists[-1].append(program)
    return out


def merge(programs: list[KernelProgram]) -> KernelProgram:
    """Return one program that does what these do, one after the other."""
    first = programs[0]
    if len(programs) == 1:
        return first
    return KernelProgram(
        first.name,
        first.event,
        [stmt for program in programs for stmt in program.body],
        {local: size for program in programs for local, size in program.sizes.items()},
        tuple(number for program in programs for number in program.handlers),
    )
