"""What is known at a place of a body: expression -> operand that holds its value, and what globals hold.

A branch is entered with `mark` and left with `back`, which undoes what it learnt and forgot: nothing is copied, so
the work is linear in the body's length. Keys of what a global holds are `global_key(...)`.
"""

from __future__ import annotations

from ..ir.nodes import Call, Local, Op
from ..ir.ops import OPS
from ..ir.walk import statements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..ir.nodes import Global, Stmt

_GLOBAL = "global"
_WROTE = "wrote"
_MISSING = object()


def global_key(glob: Global, keys: tuple[Any, ...]) -> Any:
    """Return the key of a global's value, or of an element's."""
    names = tuple(("l", id(k)) if isinstance(k, Local) else ("c", k.value) for k in keys)
    return (_GLOBAL, id(glob), names)


def written(op: Op) -> int:
    """Return the number of the global that an operation changes, 0 for none."""
    info = OPS[op.name]
    if not info.on_global or "write" not in info.effects:
        return 0
    return id(op.attr[0] if isinstance(op.attr, tuple) else op.attr)


class Known:
    """See the module."""

    __slots__ = ("_by_global", "_trail", "_values")

    def __init__(self) -> None:
        self._values: dict[Any, Any] = {}
        self._by_global: dict[int, dict[Any, None]] = {}
        self._trail: list[tuple[Any, Any]] = []

    def get(self, key: Any) -> Any:
        """Return what holds an expression's value, or None."""
        return self._values.get(key)

    def learn(self, key: Any, value: Any) -> None:
        """From here on, in this branch."""
        self._trail.append((key, self._values.get(key, _MISSING)))
        self._put(key, value)

    def _put(self, key: Any, value: Any) -> None:
        self._values[key] = value
        if key[0] == _GLOBAL:
            self._by_global.setdefault(key[1], {})[key] = None

    def _drop(self, key: Any) -> None:
        del self._values[key]
        if key[0] == _GLOBAL:
            del self._by_global[key[1]][key]

    def forget(self, numbers: Iterable[int]) -> None:
        """These globals have changed."""
        for number in numbers:
            self._trail.append((_WROTE, number))
            for key in list(self._by_global.get(number, ())):
                self._trail.append((key, self._values[key]))
                self._drop(key)

    def forget_changed_in(self, body: list[Stmt]) -> None:
        """Forget what some statement of a body may change."""
        found: dict[int, None] = {}
        for stmt in statements(body):
            if isinstance(stmt, Call):
                self.forget_globals()
                return
            if isinstance(stmt, Op):
                found[written(stmt)] = None
        self.forget(found)

    def forget_globals(self) -> None:
        """Every global may have changed."""
        self._trail.append((_WROTE, -1))
        self.forget(list(self._by_global))

    def mark(self) -> int:
        """Return a place to go back to."""
        return len(self._trail)

    def back(self, mark: int) -> dict[int, None]:
        """Undo what was learnt and forgotten since; return the globals that were forgotten, as `leave` takes them."""
        changed: dict[int, None] = {}
        trail = self._trail
        while len(trail) > mark:
            key, old = trail.pop()
            if key is _WROTE:
                changed[old] = None
            elif old is _MISSING:
                self._drop(key)
            else:
                self._put(key, old)
        return changed

    def leave(self, changed: dict[int, None]) -> None:
        """Forget behind a branch what was forgotten in it."""
        if -1 in changed:
            self.forget_globals()
        else:
            self.forget(changed)
