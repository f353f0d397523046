"""__socket_calls [.return]: the system calls that work on sockets, read and write among them, as one event.

For the library (tapset/socket_calls.stp), which asks whether the descriptor is a socket.
"""

from __future__ import annotations

from ..ir.nodes import Event
from .base import Context, Env, Resolved, Variable, bare, point_text, unknown
from .standins.resolve import numbers
from .standins.sockets import CALLS, RECEIVING, SENDING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .base import Part


def resolve(parts: Sequence[Part], env: Env) -> list[Resolved]:
    """`__socket_calls [ .return ]`."""
    bare(parts[0])
    returns = len(parts) == 2 and parts[1].name == "return"
    if len(parts) > 1 and not returns:
        raise unknown(parts, env, ("return",), 1)
    variables = [Variable("nr", "sys_nr"), *(Variable(f"arg{n + 1}", "sys_arg", n) for n in range(6))]
    if returns:
        variables.append(Variable("return", "sys_ret"))
    which = sorted(set(numbers((*CALLS, *RECEIVING, *SENDING), env)))
    context = Context("system call of a socket", variables, returns=returns)
    event = Event("sys_exit" if returns else "sys_enter", "", {"numbers": which})
    return [Resolved(event, point_text(parts), context, "syscall")]
