"""Inlined copies of a function that lack what the handler reads: they are left out, as long as another place works.

A probe point by a function's name is several places, and in some the compiler has optimized a variable away, or its type
isn't known: no mistake of the script, as what is one is in the handler of own code, too. `Copies.check` tries a handler,
`Copies.settle` leaves out those that failed, and says so.
"""

from __future__ import annotations

from ...diag import ERROR, CompileError, Diagnostic
from ...probes.base import point_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .check import Pending
    from .symbols import Derived
    from .unit import Unit

    Key = tuple[int, str]

_DEFINED = "with '@defined($x) ? $x : 0' for such a variable the handler runs there, too"


class Copies:
    """The handlers of some probes, as far as they are copies of functions."""

    __slots__ = ("_dropped", "_failed", "_pending", "_unit", "_works")

    def __init__(self, unit: Unit, pending: list[Pending]) -> None:
        self._unit = unit
        self._pending = pending
        self._dropped: dict[Key, list[tuple[Derived, list[Diagnostic]]]] = {}
        self._failed: set[Key] = set()
        self._works: set[Key] = set()

    def check(self, derived: Derived, check: Callable[[Derived], None]) -> None:
        """Check a handler; one that fails for its place alone leaves no trace."""
        key = (id(derived.point), point_text(derived.components))
        if not derived.resolved.context.copy_in or derived.components[-1].name != "function":
            before = len(self._unit.bag.errors)
            check(derived)
            (self._works if len(self._unit.bag.errors) == before else self._failed).add(key)
            return
        errors = self._tried(derived, check)
        if errors:
            self._dropped.setdefault(key, []).append((derived, errors))
        else:
            self._works.add(key)

    def _tried(self, derived: Derived, check: Callable[[Derived], None]) -> list[Diagnostic]:
        """Check a copy's handler; where it lacks something, undo that and return the errors."""
        unit = self._unit
        bag, functions, instances = len(unit.bag.items), len(unit.functions), set(unit.instances)
        followed, pending, entries = len(unit.followed), len(self._pending), len(unit.entries)
        try:
            check(derived)
        except CompileError as error:
            unit.bag.add(error.diagnostic)
        errors = [d for d in unit.bag.items[bag:] if d.severity == ERROR]
        if not errors:
            return []
        unit.bag.take_back(bag)
        del (
            unit.functions[functions:],
            unit.followed[followed:],
            self._pending[pending:],
            unit.entries[entries:],
        )
        for key in unit.instances.keys() - instances:  # others are to check these again
            del unit.instances[key]
        return errors

    def settle(self) -> None:
        """Leave out the copies that failed; CompileErrors where nothing of a point works."""
        for key, dropped in self._dropped.items():
            if key in self._works:
                self._warn(dropped)
            elif key not in self._failed:  # otherwise its own code has the same error, or another one
                for error in dropped[0][1]:
                    self._unit.bag.add(error)
        gone = {id(derived) for dropped in self._dropped.values() for derived, _ in dropped}
        if gone:
            self._unit.probes = [derived for derived in self._unit.probes if id(derived) not in gone]

    def _warn(self, dropped: list[tuple[Derived, list[Diagnostic]]]) -> None:
        from ...probes.functions.copies import left_out

        by_reason: dict[tuple[str, str], list[Derived]] = {}
        for derived, errors in dropped:
            by_reason.setdefault((errors[0].code, errors[0].message), []).append(derived)
        for (code, why), copies in by_reason.items():
            words = left_out(
                copies[0].resolved.context.name, [one.resolved.context.copy_in for one in copies], why
            )
            hints = (_DEFINED,) if code == "E230" else ()
            self._unit.bag.warn("W305", words, copies[0].span, *hints)
