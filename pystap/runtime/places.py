"""Places of one probe point, each with a program of its own: what can't be attached among them is a warning each."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..kernel.sys import KernelError
    from ..program import Prog


class Places:
    """What became of the places of each probe point; `among` in a program's arguments says which point it belongs to.

    `beside`: the point has an event that isn't one of these, and is never left out.
    """

    __slots__ = ("_attached", "_refused")

    def __init__(self) -> None:
        self._attached: set[str] = set()
        self._refused: dict[str, KernelError] = {}

    def attached(self, prog: Prog) -> None:
        """Note a program that is attached."""
        self._attached.add(_point(prog))

    def refused(self, prog: Prog, error: KernelError) -> str:
        """Note a program that can't be attached; return the warning. Raises unless it is one of many places."""
        point = _point(prog)
        if not point:
            raise error
        if not prog.args.get("beside"):
            self._refused.setdefault(point, error)
        return f"left out: {error}"

    def check(self) -> None:
        """Raise if no place of a probe point could be attached."""
        for point, error in self._refused.items():
            if point not in self._attached:
                raise error


def _point(prog: Prog) -> str:
    return str(prog.args.get("among", "")) if isinstance(prog.args, dict) else ""
