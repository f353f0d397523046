"""The copies of a function that are inlined into others, beside its own code: a plain point by name means both.

    add(wanted, env, own)                   the events of own code, and those of the copies behind them
    made(wanted, env, info, own, places)    those of copies whose places are known

Where no debug information is installed there are the events of own code alone, and nothing is said. A problem in reading it,
or copies that are too many, are a warning; so is each copy that can't be probed (`beside` in its event's arguments,
`copy_in` in its context: who finds out leaves it out).
"""

from __future__ import annotations

from ...debuginfo import DebugInfoError, LibraryMissing
from ...debuginfo.expressions import GONE
from ...diag import CompileError
from ..base import Env, Resolved, has_glob
from .files import matches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...debuginfo import DebugInfo, Spot
    from . import Wanted

MOST_UNITS = 24  # of a header's function: each takes a tenth of a second, and these are kept in memory
SHOWN = 3  # functions that a warning names
_OWN = frozenset(("fentry", "kprobe"))


def add(wanted: Wanted, env: Env, own: list[Resolved]) -> list[Resolved]:
    """Return the events of a function's own code, and of its copies."""
    target = env.target
    features = target.features
    named = env.copies and not has_glob(wanted.name) and not has_glob(wanted.module)
    if not named or target.debuginfo is None or features is None or not features("kprobe"):
        return own
    if any(one.event.kind not in _OWN for one in own):
        return own  # a stand-in
    try:
        info = target.debuginfo(wanted.module)
        return own if info is None else own + _copies(wanted, env, info, own)
    except LibraryMissing:
        return own
    except DebugInfoError as error:
        _say(own, f"where '{wanted.name}' is inlined isn't known: {error}", "its own code is probed")
        return own


def _copies(wanted: Wanted, env: Env, info: DebugInfo, own: list[Resolved]) -> list[Resolved]:
    name, symbols = own[0].context.function or wanted.name, _symbols(own)
    units, found = info.copies(name, symbols, MOST_UNITS)
    info.save()
    point = wanted.text.replace(f'("{wanted.part.arg}")', f'("{name}")')
    if units > MOST_UNITS:
        words = f"'{name}' is a header's function, which {units} source files have: where it is inlined isn't looked for"
        _say(own, words, f"its own code is probed; {point}.call, {point}.inline is all of it")
        return []
    here = [one for one in found if not wanted.file or matches(one[0], wanted.file)]
    places = [(spot, f"{name}@{file}:{line}") for file, line, spots in here for spot in spots]
    return made(wanted, env, info, own, places)


def made(
    wanted: Wanted, env: Env, info: DebugInfo, own: list[Resolved], places: list[tuple[Spot, str]]
) -> list[Resolved]:
    """Return the events of a function's copies, given their places and these as pp() shows them."""
    if len(places) > env.most:
        name, owner = places[0][0].function, wanted.text.partition(".function(")[0]
        words = f"'{name}' is inlined at {len(places)} places, more than {env.most}"
        hint = f'{owner}.function("g").callee("{name}") is the copies in a function g'
        _say(own, f"{words}: its own code alone is probed", hint)
        return []
    out: list[Resolved] = []
    refused: dict[str, list[str]] = {}
    for spot, place in places:
        try:
            out.append(_copy(wanted, env, info, own, spot, place))
        except CompileError as error:
            refused.setdefault(error.diagnostic.message, []).append(spot.within)
    info.save()
    for why, within in refused.items():
        _say(own, left_out(places[0][0].function, within, why))
    return out


def _copy(wanted: Wanted, env: Env, info: DebugInfo, own: list[Resolved], spot: Spot, place: str) -> Resolved:
    from .inside import text_of
    from .lines import resolved_at

    one = resolved_at(info, env, wanted.module, spot, text_of(wanted, place, ".inline"), "function")
    context = one.context
    context.copy_in = spot.within
    context.elsewhere = lambda name: ""  # takes seconds to find, and isn't shown
    for parameter in own[0].context.variables.values():
        here = context.variables.get(parameter.name)
        if parameter.op == "local":
            continue
        if here is None:
            context.missing.setdefault(parameter.name, GONE)
        elif parameter.type is not None and here.name not in context.locals and not here.attr[3]:
            context.variables[here.name] = here.replace(type=parameter.type)  # it is the same at all places
    one.event.args.update(among=wanted.text, beside=True)
    return one


def left_out(name: str, within: list[str], why: str) -> str:
    """Return the words for copies that aren't probed."""
    shown = ", ".join(within[:SHOWN]) + (f" and {len(within) - SHOWN} more" if len(within) > SHOWN else "")
    return f"left out: '{name}' where it is inlined in {shown}: {why}"


def _symbols(own: list[Resolved]) -> tuple[str, ...]:
    """Return the symbols of own code."""
    out: dict[str, None] = {}
    for one in own:
        args = one.event.args if isinstance(one.event.args, dict) else {}
        listed = args.get("functions") or ((0, "", "", one.event.name),)
        out.update((symbol, None) for _, _, _, symbol in listed)
    return tuple(out)


def _say(own: list[Resolved], words: str, hint: str = "") -> None:
    own[0].notes += (("W305", words, hint),)
