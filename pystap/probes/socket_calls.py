"""__socket_calls [("NAMES")] [.return]: system calls that work on sockets as one event: all of them, read and write among
them, or some.

For the library (tapset/socket_calls.stp), which asks whether the descriptor is a socket.
"""

from __future__ import annotations

from ..ir.nodes import Event
from .base import Context, Env, Resolved, Variable, point_text, unknown, wrong_argument
from .standins.resolve import numbers
from .standins.sockets import CALLS, RECEIVING, SENDING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .base import Part


def resolve(parts: Sequence[Part], env: Env) -> list[Resolved]:
    """`__socket_calls [ ("NAMES") ] [ .return ]`."""
    some = parts[0].arg
    if some is not None and not isinstance(some, str):
        raise wrong_argument(parts[0], 'takes names: __socket_calls("accept accept4")')
    returns = len(parts) == 2 and parts[1].name == "return"
    if len(parts) > 1 and not returns:
        raise unknown(parts, ("return",), 1)
    variables = [Variable("nr", "sys_nr"), *(Variable(f"arg{n + 1}", "sys_arg", n) for n in range(6))]
    if returns:
        variables.append(Variable("return", "sys_ret"))
    names = some.split() if some else (*CALLS, *RECEIVING, *SENDING)
    which = sorted(set(numbers(names, env)))
    context = Context("system call of a socket", variables, returns=returns)
    event = Event("sys_exit" if returns else "sys_enter", "", {"numbers": which})
    return [Resolved(event, point_text(parts), context, "syscall")]
