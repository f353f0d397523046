"""Many functions at once: one handler, compiled once, attached to all of them.

The event has `functions`, (cookie, module, name, symbol) of each: the low half of a cookie is the number that stands for
the function's name, the high half the one for its module's (`target.functions.numbers`). So the handler knows which
function it is by `probe_number`, and names are rendered where they are shown.

A handler that reads parameters is compiled once for each set of functions that have the same ones at the same place.
"""

from __future__ import annotations

from ...btf.layout import argument_words
from ...diag import fail
from ...ir.nodes import Event
from ..base import Context, Env, Resolved, Variable
from ..kernel import value_of
from .files import point
from .names import Function, proto_of, why_untyped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from . import Wanted

FEW = 4  # functions that are rather probed by fentry
MOST = 1000  # programs of one probe point
LINES = 200  # functions of one probe point that pp() shows with their lines: finding these takes its time
REGISTERS = 6  # arguments that a kprobe sees
_ALL = frozenset({"$$parms", "$$vars", "$$locals", "$$return"})
_NAMES = frozenset({"$$name", "$$system", "$$provider"})


def together(wanted: Wanted, env: Env, functions: list[Function], kind: str, multi: bool) -> Resolved:
    """Return the event that all the functions are, until the handler's variables are known."""

    def split(used: set[str]) -> list[Resolved]:
        return _split(wanted, env, functions, kind, multi, used)

    made = _event(wanted, env, functions, kind, multi, [])
    made.split = split
    return made


def _split(
    wanted: Wanted, env: Env, functions: list[Function], kind: str, multi: bool, used: set[str]
) -> list[Resolved]:
    names = {name for name in used if name.startswith("$") and name not in _NAMES}
    if not names:
        return [_event(wanted, env, functions, kind, multi, [])]
    wishes = None if not _ALL.isdisjoint(names) else {name[1:] for name in names}
    entered = wanted.returns and (wishes is None or bool(wishes - {"return"}))
    found: dict[Any, tuple[list[Function], list[Variable]]] = {}
    for function in functions:
        variables = variables_of(env, function, kind)
        key = _alike(variables, wishes)
        if entered:  # the values of the entry come from a handler that is split in the same way
            key += _alike(variables_of(env, function, "kprobe"), wishes)
        found.setdefault(key, ([], variables))[0].append(function)
    if len(found) > MOST:
        words = (
            f"the functions of '{wanted.part.arg}' have {len(found)} different sets of what the handler reads"
        )
        raise fail("E304", f"{words}, more than {MOST}", wanted.part.span, "a narrower pattern would do")
    return [_event(wanted, env, same, kind, multi, variables) for same, variables in found.values()]


def _alike(variables: list[Variable], wishes: set[str] | None) -> tuple[object, ...]:
    """Return what is equal for functions whose variables, or those of these names, are the same at the same place."""
    return tuple(
        [
            (v.name, v.op, v.attr, v.bits, v.type and (v.type.id, id(v.type.btf)))
            for v in variables
            if wishes is None or v.name in wishes
        ]
    )


def variables_of(env: Env, function: Function, kind: str) -> list[Variable]:
    """Return what a handler can read of a function's parameters and result by a kprobe or kretprobe."""
    from .direct import by_pointer, parameters, returned

    proto = proto_of(env, function)
    if proto is None:
        return []
    variables: list[Variable] = []
    if kind == "kprobe":
        variables = parameters(env, proto, kind)
        variables += by_pointer(variables)
    elif returned(proto):
        variables.append(value_of("return", argument_words(proto)[-1], proto.type))
    return variables


def _event(
    wanted: Wanted, env: Env, functions: list[Function], kind: str, multi: bool, variables: list[Variable]
) -> Resolved:
    from .direct import prologue_of

    one = functions[0] if len({(f.module, f.name) for f in functions}) == 1 else None
    listed = tuple([(cookie(env, f), f.module, f.name, f.symbol) for f in functions])
    before, behind = wanted.around()
    args = {"functions": listed, "multi": multi, "ret": kind == "kretprobe", "point": (before, behind)}
    modules = {f.module for f in functions}
    words = {"ppfunc": ("", ""), "name": ("", "")}
    if len(modules) > 1:
        words["probemod"] = ("", "")
    context = Context(
        f"function {one.name}" if one else f"functions {wanted.part.arg}",
        variables,
        name=one.name if one else "",
        function=one.name if one else "",
        provider="kernel",
        module=min(modules) or "kernel",
        returns=wanted.returns,
        of_function={} if one else words,
    )
    if one is not None:
        context.untyped = why_untyped(env, one)
        context.place = lambda one=one: point(wanted, env, one.name, one.module)
    else:
        line = len(functions) <= LINES
        context.places = lambda: tuple(
            sorted({(cookie(env, f), point(wanted, env, f.name, f.module, line)) for f in functions})
        )
    text = wanted.text_of(one.name) if one else wanted.text
    name = one.symbol if one else str(wanted.part.arg)
    return Resolved(Event(kind, name, args), text, context, "function", prologue_of(variables))


def cookie(env: Env, function: Function) -> int:
    """Return the number that says which function it is."""
    numbers: dict[str, int] = env.target.functions.numbers
    low = numbers.setdefault(function.name, len(numbers) + 1)
    return numbers.setdefault(function.module or "kernel", len(numbers) + 1) << 32 | low
