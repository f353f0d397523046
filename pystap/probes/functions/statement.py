"""kernel.statement and module("m").statement: places in functions, by lines or by address.

statement("function@file:line")     also :first-last, :* (all lines), +n (lines after the function's own), or nothing
                                    (its entry); function and file may be patterns, and the function inlined
statement(address)                  of the file with debug information;  .absolute: of the running kernel
.nearest                            the nearest line that has code, where this one has none
"""

from __future__ import annotations

from ...diag import fail
from ...ir.nodes import Event
from ..base import Context, Env, Resolved, bare, point_text, unknown, wrong_argument
from .lines import Place, arch_of, info_of, most_lines, readable, resolved_at, together

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...debuginfo import DebugInfo, Function, Spot
    from ..base import Part

SUFFIXES = ("absolute", "nearest")


def resolve(parts: Sequence[Part], env: Env, module: str) -> list[Resolved]:
    """Return the events of `(kernel | module("m")) . statement ("name@file:line" | address) { . suffix }`."""
    word = parts[1]
    for at, part in enumerate(parts[2:], 2):
        if part.name not in SUFFIXES:
            raise unknown(parts, SUFFIXES, at)
        bare(part)
    suffixes = {part.name for part in parts[2:]}
    if isinstance(word.arg, int):
        with readable(word.span):
            return [_at_address(parts, env, module, word.arg, "absolute" in suffixes)]
    if not isinstance(word.arg, str) or not word.arg:
        raise wrong_argument(word, 'needs a place: statement("function@file:line"), or an address')
    if "absolute" in suffixes:
        raise wrong_argument(word, "with .absolute needs an address: statement(0xffffffff81000000).absolute")
    place = Place(word.arg, word.span)
    with readable(word.span):
        return _at_lines(parts, env, module, place, "nearest" in suffixes)


def _at_lines(parts: Sequence[Part], env: Env, module: str, place: Place, nearest: bool) -> list[Resolved]:
    info = info_of(env, module, place.span, place)
    found = _spots(info, env, place, nearest)
    texts = [point_text(parts[:1]) + f'.statement("{s.function}@{f.file}:{s.line}")' for f, s in found]
    events = [
        resolved_at(info, env, module, spot, text, "statement")
        for (_, spot), text in zip(found, texts, strict=True)
    ]
    info.save()
    return together(events, point_text(parts))


def _at_address(parts: Sequence[Part], env: Env, module: str, address: int, absolute: bool) -> Resolved:
    text = point_text(parts[:1]) + f".statement({address & 0xFFFFFFFFFFFFFFFF:#x})"
    if absolute:
        arch_of(env, parts[1].span)
        address &= 0xFFFFFFFFFFFFFFFF
        symbols = env.target.functions
        table = symbols.table if symbols is not None else None
        found = table.lookup(address) if table is not None else None
        if table is not None and found is None:
            hint = "addresses are those of the running kernel (/proc/kallsyms)"
            raise fail("E304", f"no code of this kernel is at {address:#x}", parts[1].span, hint)
        function = found.name if found is not None else ""
        context = Context(f"statement {address:#x}", name=function, function=function, provider="kernel")
        event = Event("kprobe", "", {"addr": address, "among": ""})
        return Resolved(event, text + ".absolute", context, "statement")
    info = info_of(env, module, parts[1].span, None)
    spot = info.spot(address & 0xFFFFFFFFFFFFFFFF)
    if spot is None:
        words = f"no function of {module or 'the kernel'} has code at {address & 0xFFFFFFFFFFFFFFFF:#x} in its file"
        raise fail("E304", words, parts[1].span, ".absolute takes an address of the running kernel")
    made = resolved_at(info, env, module, spot, text, "statement")
    info.save()
    return made


def _spots(info: DebugInfo, env: Env, place: Place, nearest: bool) -> list[tuple[Function, Spot]]:
    """Return the places that are meant, each with its function."""
    functions = place.functions(info)
    found: dict[int, tuple[Function, Spot]] = {}
    for function in functions:
        lines = info.lines(function)
        for line in place.lines(function, lines, nearest):
            for spot in lines.get(line, ()):
                found.setdefault(spot.address, (function, spot))
    if not found:
        raise place.nowhere(info, functions, *([""] if nearest else []))
    if len(found) > env.most:
        words = f"{len(found)} places match '{place.text}', more than {env.most}"
        raise fail("E309", words, place.span, most_lines(place))
    return [found[address] for address in sorted(found)]
