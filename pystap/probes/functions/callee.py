"""function("f").callee("g") where g has code of its own: those calls of g that return into f.

    calls(wanted, env, callee, returns) -> events, maybe none

Where f is, its symbols say: no debug information is needed. A call that is f's last act (a jump) returns elsewhere, and
isn't seen.
"""

from __future__ import annotations

from ...diag import CompileError, fail
from ...node import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...source import Span
    from ..base import Env, Resolved
    from . import Wanted

    Ranges = list[tuple[int, int]]


class _Component(Node):
    """A part of a probe point that the script doesn't have."""

    span: Span
    name: str
    arg: int | str | None = None


def calls(wanted: Wanted, env: Env, callee: str, returns: bool) -> list[Resolved]:
    """Return the events of a function's calls from another one; none where it has no code of its own."""
    from . import Wanted
    from .direct import resolve as direct

    within = code_of(wanted, env)
    if not within:
        return []
    span = wanted.part.span
    point = [_Component(span, "kernel"), _Component(span, "function", callee)]
    if returns:
        point.append(_Component(span, "return"))
    for module in {wanted.module: None, "": None}:
        try:
            found = direct(Wanted(point, module), env)
        except CompileError:
            continue
        return [_guarded(made, within, wanted.text, returns) for made in found]
    return []


def code_of(wanted: Wanted, env: Env) -> Ranges:
    """Return where a function's code is, with what the compiler put elsewhere: (first, behind the last) addresses."""
    known = env.target.functions
    table = known.table if known is not None else None
    if table is None and not wanted.called:
        return []
    if table is None:
        raise fail("E304", "the kernel hides its symbols, which tell who calls", wanted.part.span)
    out = []
    for address, _, _ in table.functions(wanted.name, wanted.module):
        symbol = table.lookup(address)
        if symbol is not None and symbol.size:
            out.append((address, address + symbol.size))
    return sorted(set(out))


def _guarded(made: Resolved, within: Ranges, text: str, returns: bool) -> Resolved:
    """Have the handler run for calls from within some code only."""
    caller = "@entry(caller_addr())" if returns else "caller_addr()"
    tests = " && ".join(f"(__caller <= {low} || __caller > {high})" for low, high in within)
    guard = f"__caller = {caller}\nif ({tests}) next\n"
    own, split = made.prologue, made.split

    def prologue(used: set[str]) -> str:
        return guard + (own(used) or "" if own is not None else "")

    made.prologue = prologue
    made.text = text
    made.context.place = made.context.places = None
    if split is not None:
        made.split = lambda used: [_guarded(one, within, text, returns) for one in split(used)]
    return made
