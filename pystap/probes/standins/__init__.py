"""Stand-ins: stable tracepoints that carry the same event as a well-known function, as data.

They are used on kernels that can't probe the function itself. `TABLE` has one entry a function (and one for its
return), each saying what it matches and where it differs; using one gives a warning, once.
"""

from __future__ import annotations

from ...diag import fail
from ...ir.nodes import Event
from ...node import Node
from ..base import Context, Env, Resolved, Variable
from ..kernel import arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...btf import Btf


class StandIn(Node):
    """The tracepoint in place of a function.

    params: the function's parameters in order, each with the number of the tracepoint's argument that holds it
    (None where it has none); guard: "" or SystemTap text of a condition over the parameters, without which the
    event is another function's; guard_path: the same as data, (parameter, fields, value): the field's value must be
    equal; differs: what the function would have shown and this doesn't, for the warning.
    """

    function: str
    tracepoint: str
    params: tuple[tuple[str, int | None], ...]
    guard: str = ""
    guard_path: tuple[str, tuple[str, ...], int] | None = None
    differs: str = ""
    returns: bool = False

    def variables(self, btf: Btf) -> list[Variable] | None:
        """Return the function's parameters as variables of the tracepoint, None if this kernel lacks it."""
        point = btf.find_tracepoint(self.tracepoint)
        if point is None:
            return None
        have = arguments(point)
        return [
            have[number].replace(name=name)
            for name, number in self.params
            if number is not None and number < len(have)
        ]

    def resolve(self, env: Env, text: str) -> Resolved:
        """Return the event for SystemTap."""
        variables = self.variables(env.target.btf)
        if variables is None:
            words = f"neither the function '{self.function}' nor its stand-in, the tracepoint"
            raise fail("E304", f"{words} '{self.tracepoint}', is there", env.span)
        context = Context(
            f"stand-in of {self.function}",
            variables,
            name=self.function,
            function=self.function,
            provider="kernel",
        )
        note = f"'{self.function}' is probed by the tracepoint '{self.tracepoint}' ({self.differs})"
        guard = f"if (!({self.guard})) next\n" if self.guard else ""
        return Resolved(
            Event("tp_btf", self.tracepoint), text, context, "tracepoint", lambda used: guard, (), (note,)
        )


TABLE: dict[tuple[str, bool], StandIn] = {
    ("tcp_set_state", False): StandIn(
        "tcp_set_state",
        "inet_sock_set_state",
        (("sk", 0), ("state", 2)),
        guard="$sk->sk_protocol == 6",
        guard_path=("sk", ("sk_protocol",), 6),
        differs="TCP only, without CLOSE to LISTEN and LISTEN to SYN_RECV",
    ),
}


def find(function: str, returns: bool = False) -> StandIn | None:
    """Return the stand-in of a kernel function (or of its return), or None."""
    return TABLE.get((function, returns))
