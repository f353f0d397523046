"""Handlers of one event become one program, in source order (R14): entering a program costs more than most handlers."""

from __future__ import annotations

from ..ir.nodes import Global, Op
from ..ir.ops import OPS
from ..ir.walk import statements
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


class Users:
    """Which programs use which globals."""

    def __init__(self, programs: list[KernelProgram]) -> None:
        self._of = {program: _used(program) for program in programs}
        self._count: dict[Global, int] = {}
        for used in self._of.values():
            for glob in used:
                self._count[glob] = self._count.get(glob, 0) + 1

    def own(self, group: list[KernelProgram]) -> frozenset[Global]:
        """Return the globals that these programs use and no other one does."""
        here: dict[Global, int] = {}
        for program in group:
            for glob in self._of[program]:
                here[glob] = here.get(glob, 0) + 1
        return frozenset([glob for glob, count in here.items() if count == self._count[glob]])


def _used(program: KernelProgram) -> set[Global]:
    return {
        stmt.attr[0] if isinstance(stmt.attr, tuple) else stmt.attr
        for stmt in statements(program.body)
        if isinstance(stmt, Op) and stmt.name in OPS and OPS[stmt.name].on_global
    }
