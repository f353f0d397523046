"""Handlers of one event become one program, in source order (R14): entering a program costs more than most handlers."""

from __future__ import annotations

from ..ir.nodes import Global, Op
from ..ir.ops import OPS
from ..ir.walk import statements
from .plan import KernelProgram

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Event

_CALLS = ("sys_enter", "sys_exit")
MOST = 16  # handlers of one program: register allocation takes longer than the sum of its parts


class EventSet:
    """Events, to be asked whether something can happen that is one of them: handlers of both run then, in source order."""

    __slots__ = ("_all_calls", "_calls", "_others")

    def __init__(self) -> None:
        self._all_calls: set[str] = set()
        self._calls: dict[str, set[int]] = {}
        self._others: set[tuple[str, str, str]] = set()

    def add(self, event: Event) -> None:
        """Take an event in."""
        if event.kind not in _CALLS:
            self._others.add(_identity(event))
            return
        numbers = (event.args or {}).get("numbers")
        if numbers is None:
            self._all_calls.add(event.kind)
        self._calls.setdefault(event.kind, set()).update(numbers or ())

    def meets(self, event: Event) -> bool:
        """Whether this event can be one of them."""
        if event.kind not in _CALLS:
            return _identity(event) in self._others
        numbers = (event.args or {}).get("numbers")
        known = self._calls.get(event.kind)
        if known is None:
            return False
        return event.kind in self._all_calls or numbers is None or not known.isdisjoint(numbers)


def _identity(event: Event) -> tuple[str, str, str]:
    return event.kind, event.name, "" if event.kind == "tp_btf" else repr(event.args)


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
