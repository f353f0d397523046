"""Functions that one probe point names and a pattern of another matches: one event, so that R14 holds for it.

    probe kernel.function("tcp_sendmsg").call { trace[tid()] = 1 }
    probe kernel.function("*@net/ipv4/tcp.c").call { if (tid() in trace) ... }

Handlers of one event run in the order of the script; those of two, at the same function, in whichever order the kernel
calls them. So the function is taken out of the pattern's event, and its handler is one of the other's event too.
"""

from __future__ import annotations

from .symbols import Derived

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ...ir.nodes import Event

    Key = tuple[bool, str, str]  # of a return, module, symbol

_ENTRIES, _RETURNS = ("fentry", "kprobe"), ("fexit", "kretprobe")


def _functions(event: Event) -> tuple[Any, ...]:
    listed = event.args.get("functions", ()) if isinstance(event.args, dict) else ()
    return tuple(listed)


def _of_pattern(event: Event) -> bool:
    """Whether an event is of the functions of a pattern, or of several of one name, as `probes/functions/many` makes it."""
    return isinstance(event.args, dict) and "point" in event.args


def _key(event: Event) -> Key | None:
    """Return what one function's event is known by; None of other events, and of places in functions."""
    if event.kind not in _ENTRIES + _RETURNS:
        return None
    args = event.args if isinstance(event.args, dict) else {}
    listed = _functions(event)
    if len(listed) > 1 or (not listed and args.keys() - {"module", "ret"}):
        return None  # a place in a function, say
    module = listed[0][1] if listed else str(args.get("module", ""))
    return event.kind in _RETURNS, module, event.name


def _same_places(probes: list[Derived]) -> None:
    """Make places in functions that several points name one event, of the point that needs it most."""
    known: dict[tuple[Any, ...], list[Derived]] = {}
    for derived in probes:
        event = derived.resolved.event
        args = event.args if isinstance(event.args, dict) else {}
        if event.kind == "kprobe" and "among" in args and "functions" not in args:
            known.setdefault((event.name, args.get("offset"), args.get("addr")), []).append(derived)
    for same in known.values():
        first = min(same, key=lambda one: _spare(one.resolved.event)).resolved.event
        for derived in same:
            if derived.resolved.event is not first:
                derived.resolved = derived.resolved.replace(event=first)


def _spare(event: Event) -> tuple[bool, bool]:
    """Whether a place's point has an event besides, and whether it has other places."""
    return "beside" in event.args, event.args["among"] != ""


def together(probes: list[Derived], resolve: Callable[[Derived, str], list[Derived]]) -> list[Derived]:
    """Return the handlers, those of patterns with the functions that are others' taken out, and made their own.

    resolve(derived, name) gives what a pattern's point is with the function's name in the pattern's place.
    """
    _same_places(probes)
    single: dict[Key, Event] = {}
    # those of patterns last: one of these may be of one function alone
    for derived in sorted(probes, key=lambda d: _of_pattern(d.resolved.event)):
        key = _key(derived.resolved.event)
        if key is not None:
            single.setdefault(key, derived.resolved.event)
    out: list[Derived] = []
    for derived in probes:
        event = derived.resolved.event
        listed = _functions(event)
        if not single or not _of_pattern(event) or event.kind not in _ENTRIES + _RETURNS:
            out.append(derived)
            continue
        own: list[Derived] = []
        rest = []
        for function in listed:
            same = single.get((event.kind in _RETURNS, function[1], function[3]))
            other = same is not None and same is not event and function[2] == function[3]
            made = resolve(derived, function[2]) if other else []
            if same is not None and len(made) == 1 and made[0].resolved.event.kind == same.kind:
                made[0].resolved = made[0].resolved.replace(event=same)
                own += made
            else:
                rest.append(function)
        if own and rest:
            args = {**event.args, "functions": tuple(rest)}
            derived.resolved = derived.resolved.replace(event=event.replace(args=args))
        out += [*([derived] if rest else []), *own]
    return out
