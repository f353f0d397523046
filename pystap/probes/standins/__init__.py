"""Stand-ins: stable events that tell the same as a well-known kernel function, as data.

They are used on kernels that can't probe functions. `table.TABLE` has one entry a function (and one for its return),
each saying what it matches and where it differs; using one gives a warning, once. `fixes.py` says which fields
read differently at the stand-in, and mends that.

    find(function, returns)      one whose values are arguments of a tracepoint (all that bpftrace's side can use)
    lookup(function, returns)    any one
"""

from __future__ import annotations

from ...node import Node
from ..base import Variable
from ..kernel import arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ...btf import Btf


class StandIn(Node):
    """The event in place of a function; one of `tracepoint`, `calls` (system calls) and `hooks` says which.

    params: the function's parameters in order, each with the number of the tracepoint's argument that holds it
    (None where it has none). values: (name, SystemTap expression, whose type): values that have to be worked out;
    the type is "function.parameter", "function.return", or "" for the function's own. setup: SystemTap statements
    before all that; their variables begin with `__s_`, and `$__0`, `$__1`, ... are the tracepoint's arguments.

    Without its guards the event is another function's. guards: as data, (parameter, fields, values): the field has one
    of the values; guard: "" or a condition as SystemTap text besides; never: sets of (argument, value) that, all
    equal, are another function's.

    hooks: (protocol family, hook) pairs of netfilter; last: whether behind all other hooks instead of before them.
    differs: what the function would have shown and this doesn't, for the warning. entries: for a return by a
    tracepoint, the system calls by which its function is entered. stacks: whether stacks can be had there.
    """

    function: str
    tracepoint: str = ""
    params: tuple[tuple[str, int | None], ...] = ()
    guards: tuple[tuple[str, tuple[str, ...], tuple[int, ...]], ...] = ()
    guard: str = ""
    never: tuple[tuple[tuple[int, int], ...], ...] = ()
    differs: str = ""
    returns: bool = False
    calls: tuple[str, ...] = ()
    hooks: tuple[tuple[int, int], ...] = ()
    last: bool = False
    values: tuple[tuple[str, str, str], ...] = ()
    setup: str = ""
    entries: tuple[str, ...] = ()
    stacks: bool = True

    @property
    def plain(self) -> bool:
        """Whether it needs no SystemTap text: arguments of a tracepoint, and at most one guard."""
        simple = not self.guards or (len(self.guards) == 1 and len(self.guards[0][2]) == 1)
        return bool(self.tracepoint) and simple and not self.setup and not self.guard

    @property
    def exact(self) -> bool:
        """Whether it differs from its function in nothing."""
        return self.differs.startswith("nothing: ")

    @property
    def words(self) -> str:
        """What stands in, for messages."""
        if self.tracepoint:
            return f"the tracepoint '{self.tracepoint}'"
        if self.hooks:
            return "netfilter hooks"
        shown = ", ".join(self.calls[:6]) + (", ..." if len(self.calls) > 6 else "")
        return f"the {'returns' if self.returns else 'entries'} of the system calls {shown}"

    def variables(self, btf: Btf) -> list[Variable] | None:
        """Return the function's parameters that are the tracepoint's arguments, None if this kernel lacks it."""
        point = btf.find_tracepoint(self.tracepoint)
        if point is None:
            return None
        have = arguments(point)
        return [
            have[number].replace(name=name)
            for name, number in self.params
            if number is not None and number < len(have)
        ]


def lookup(
    function: str,
    returns: bool = False,
    stacks: bool = False,
    here: Callable[[StandIn], bool] = lambda one: True,
) -> StandIn | None:
    """Return the best stand-in of a kernel function (or of its return), or None.

    stacks: the handlers show stacks; here: whether the kernel has what stands in.
    """
    from .table import TABLE

    found = TABLE.get((function, returns), ())
    fits = [one for one in found if one.stacks or not stacks] or found
    return next((one for one in fits if here(one)), fits[0] if fits else None)


def find(function: str, returns: bool = False) -> StandIn | None:
    """Return the plain stand-in of a kernel function (or of its return), or None."""
    from .table import TABLE

    for one in TABLE.get((function, returns), ()):
        if one.plain:
            return one
    return None
