"""Functions and statements by lines: what needs the kernel's debug information.

`Place` is the text "function@file:line" taken apart; `info_of` the debug information, or the diagnostic that says how to
get it; `resolved_at` the event of one place. `resolve` is kernel.function with a line.
"""

from __future__ import annotations

from ...debuginfo import HOW, DebugInfoError, LibraryMissing
from ...diag import CompileError, did_you_mean, fail
from ...ir.nodes import Event
from ..base import Context, Env, Resolved, has_glob
from .located import REGISTERS, Machine, named, variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ...btf import Btf
    from ...debuginfo import DebugInfo, Function, Spot
    from ...source import Span
    from ..base import Part
    from . import Wanted

NEAR = 3  # lines shown on each side of one that has no code
MOST_GROUPS = 8  # of lines, in a hint
LACKS = "this kernel can't probe places in functions: it has no kprobes"


class Place:
    """A probe point's text: function, file, and which lines: `first` to `last`, all of them, or relative ones."""

    __slots__ = ("every", "file", "first", "last", "name", "relative", "span", "text")

    def __init__(self, text: str, span: Span) -> None:
        self.text = text
        self.span = span
        self.name, _, where = text.partition("@")
        self.file, colon, lines = where.partition(":")
        self.relative = False
        if not colon and "+" in where:
            self.file, _, lines = where.rpartition("+")
            self.relative = True
        self.every = lines == "*"
        self.first = self.last = 0
        if lines and not self.every:
            first, dash, last = lines.partition("-")
            if not first.isdecimal() or (dash and not last.isdecimal()):
                raise fail("E302", f"'{lines}' is no line: write 120, 120-130 or *", span)
            self.first, self.last = int(first), int(last) if dash else int(first)
            if self.last < self.first:
                raise fail("E302", f"the lines {lines} go backwards", span)
        if not self.name:
            raise fail("E302", 'a function is missing: "function@file:line", or "*@file:line"', span)

    @property
    def has_lines(self) -> bool:
        """Whether lines are named at all."""
        return self.every or self.relative or self.first > 0

    def functions(self, info: DebugInfo) -> list[Function]:
        """Return the functions that are meant."""
        if has_glob(self.name) and not self.file:
            raise fail("E304", f"'{self.name}' needs a file here: \"{self.name}@file:line\"", self.span)
        found = info.find(self.name, self.file)
        if found:
            return found
        raise self._unknown(info)

    def _unknown(self, info: DebugInfo) -> CompileError:
        if has_glob(self.name):
            words = (
                f"no source file '{self.file}' is part of this kernel, or no function there is '{self.name}'"
            )
            return fail(
                "E304", words, self.span, "files are named as in the kernel's sources: net/ipv4/arp.c"
            )
        elsewhere = info.find(self.name, "") if self.file and info.address_of(self.name) is not None else []
        if elsewhere:
            where = f"{elsewhere[0].file}:{elsewhere[0].line}"
            words = f"'{self.name}' isn't in '{self.file}' in this kernel: it is in {where}"
            return fail("E304", words, self.span)
        return fail(
            "E304", f"this kernel has no function '{self.name}', not even as a part of others", self.span
        )

    def lines(self, function: Function, has: Iterable[int], nearest: bool) -> list[int]:
        """Return which of a function's lines are meant, of those that have code."""
        known = sorted(has)
        if self.every:
            return known
        if not self.has_lines:
            return [line for line in known if line >= function.line][:1]
        base = function.line if self.relative else 0
        first, last = self.first + base, self.last + base
        found = [line for line in known if first <= line <= last]
        if not found and nearest and known and function.line <= first <= max(function.last, known[-1]):
            found = [min(known, key=lambda line: (abs(line - first), line))]
        return found

    def nowhere(
        self, info: DebugInfo, functions: list[Function], nearest: str = " (.nearest takes the nearest)"
    ) -> CompileError:
        """Return the error for lines without code: what there is instead."""
        if len(functions) > 1 and has_glob(self.name):
            known = sorted({line for function in functions for line in info.lines(function)})
            words = f"no function has code at '{self.text}' in this kernel"
        else:
            function = functions[0]
            known = sorted(info.lines(function))
            where = f"{function.file}:{function.line}-{function.last}"
            words = f"no code at '{self.text}': {function.name} is {where} in this kernel"
        base = functions[0].line if self.relative else 0
        return fail("E304", words, self.span, *_nearest(known, self.first + base, nearest))


def _nearest(known: list[int], line: int, how: str) -> list[str]:
    """Return the hint with the lines around one that have code."""
    if not known:
        return []
    before = [n for n in known if n < line][-NEAR:]
    behind = [n for n in known if n > line][:NEAR]
    near = before + behind if before and behind else (known[-2 * NEAR :] if before else known[: 2 * NEAR])
    return [f"the nearest lines with code: {', '.join(map(str, near))}{how}"]


def most_lines(place: Place) -> str:
    """Return the hint for too many places."""
    return "name one line" if place.every else "name one function"


class readable:
    """`with readable(span):` makes a file that can't be read a diagnostic."""

    __slots__ = ("_span",)

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, LibraryMissing):
            raise fail("E313", "lines need pyelftools, which isn't installed", self._span, HOW) from None
        if isinstance(error, DebugInfoError):
            raise fail("E312", f"the debug information can't be read: {error}", self._span) from None


def arch_of(env: Env, span: Span) -> str:
    """Return the architecture; CompileError where places in functions can't be probed."""
    features = env.target.features
    if features is not None and not features("kprobe"):
        raise fail("E304", LACKS, span)
    return str(env.target.arch)


def info_of(env: Env, module: str, span: Span, place: Place | None) -> DebugInfo:
    """Return the debug information of the kernel or a module; CompileError that says what to install."""
    target = env.target
    info: DebugInfo | None = None
    if target.debuginfo is not None:
        with readable(span):
            info = target.debuginfo(module)
    if info is not None:
        if place is None:
            arch_of(env, span)
        return info
    what = f"module '{module}'" if module else "the kernel"
    hints = list(target.no_debuginfo(module)) if target.no_debuginfo is not None else []
    features = target.features
    if features is not None and not features("kprobe"):
        hints.append("but " + LACKS)
    words = f"lines need the debug information of {what}, which isn't installed"
    written = _written(env, module, place)
    if written:
        words += f" ({written})"
    raise fail("E313", words, span, *hints)


def _written(env: Env, module: str, place: Place | None) -> str:
    """Return what is known of the function without debug information: its file, or that there is none."""
    if place is None or has_glob(place.name):
        return ""
    from ... import codeindex
    from ...btf.kinds import G_FUNC

    files = codeindex.files_of(place.name, module, env.target.release) or codeindex.inlined_in(place.name)
    if files:
        return f"'{place.name}' is in {' and '.join(files[:2])}"
    btf: Btf | None = target_types(env, module)
    if btf is not None and btf.find_func(place.name) is None:
        table = env.target.functions
        if table is None or not table.matching(place.name, module):
            near = did_you_mean(place.name, btf.names(G_FUNC, place.name[:2] + "*"))
            return f"and there is no function '{place.name}'" + (f": did you mean '{near}'?" if near else "")
    return ""


def target_types(env: Env, module: str) -> Btf | None:
    """Return the types of the kernel, or of a module."""
    if not module:
        return env.target.btf  # type: ignore[no-any-return]
    return env.target.module(module) if env.target.module is not None else None


def resolved_at(info: DebugInfo, env: Env, module: str, spot: Spot, text: str, kind: str) -> Resolved:
    """Return the event of one place."""
    span = env.span
    arch = arch_of(env, span)
    if arch not in REGISTERS:
        raise fail("E401", f"not supported yet: places in functions on {arch}", span)
    btf = target_types(env, module) or env.target.btf
    machine = Machine(arch, lambda: None if module else _moved(info, env))
    known, missing, parameters = variables(info, spot, btf, machine)
    event = _event(info, env, module, spot)
    context = Context(
        f"{spot.function} at line {spot.line}" if spot.line else f"function {spot.function}",
        known,
        name=spot.function,
        function=spot.function,
        provider="kernel",
        module=module or "kernel",
    )
    context.missing = missing
    context.locals = frozenset(v.name for v in known if v.name not in parameters)
    context.elsewhere = lambda name: _elsewhere(info, spot, name)
    context.entered = lambda: _entered(info, env, module, spot, machine)
    return Resolved(event, text, context, kind)


def _elsewhere(info: DebugInfo, spot: Spot, name: str) -> str:
    """Say at which lines of a place's function a variable can be read, "" if at none."""
    lines, has, declared = info.lives(spot.address, spot.function, name)
    if not lines:
        words = f"'${name}' is a variable of {spot.function}, but the compiler keeps it at none of its lines"
        return words if declared else ""
    groups: list[list[int]] = []  # of lines with code that follow one another
    before = 0
    for line in has:
        if line in lines:
            if not groups or before not in lines:
                groups.append([])
            groups[-1].append(line)
        before = line
    shown = [f"{g[0]}-{g[-1]}" if len(g) > 1 else str(g[0]) for g in groups[:MOST_GROUPS]]
    more = " and others" if len(groups) > MOST_GROUPS else ""
    return f"'${name}' can be read at the lines {', '.join(shown)}{more}"


def _entered(info: DebugInfo, env: Env, module: str, spot: Spot, machine: Machine) -> tuple[Event, Any]:
    """Return the event of the entry of the code that a place is in, and where its return address is at that place."""
    with readable(env.span):
        found = info.entered(spot.address)
        if found is None or found[1] is None:
            words = f"what registers held when '{spot.within}' was entered isn't known: its file doesn't tell of its frame"
            raise fail("E230", words, env.span)
        event = _event(info, env, module, spot.replace(address=found[0]))
        info.save()
    return event, named(("value", found[1]), machine)[1]


def _event(info: DebugInfo, env: Env, module: str, spot: Spot) -> Event:
    found = info.symbol(spot.address)
    if found is None:
        raise fail("E304", f"no symbol has the code of '{spot.within}'", env.span)
    symbol, offset, unique = found
    if unique:
        args = {"offset": offset, "among": ""}
        return Event("kprobe", f"{module}:{symbol}" if module else symbol, args)
    if module:
        raise fail(
            "E304", f"module '{module}' has several functions '{symbol}': which one can't be told", env.span
        )
    moved = _moved(info, env)
    if moved is None:
        raise fail("E304", f"the kernel has several functions '{symbol}', and hides its addresses", env.span)
    return Event("kprobe", "", {"addr": spot.address + moved, "among": ""})


def _moved(info: DebugInfo, env: Env) -> int | None:
    """Return how far the kernel is from where its file has it; None where it hides that."""
    anchor, symbols = info.address_of(ANCHOR), env.target.functions
    here = symbols.table.address(ANCHOR) if symbols is not None and symbols.table is not None else None
    return here - anchor if anchor is not None and here else None


def together(events: list[Resolved], point: str) -> list[Resolved]:
    """Mark the places of one probe point: one that can't be attached is a warning, as long as another is."""
    for made in events:
        if made.event.kind == "kprobe" and len(events) > 1:
            made.event.args["among"] = point
    return events


ANCHOR = "_stext"


def resolve(wanted: Wanted, env: Env) -> list[Resolved]:
    """Return the events of function("name@file:line"): the functions that the line is in, as if they had been named."""
    with readable(wanted.part.span):
        return _by_line(wanted, env)


def _by_line(wanted: Wanted, env: Env) -> list[Resolved]:
    place = Place(str(wanted.part.arg), wanted.part.span)
    info = info_of(env, wanted.module, place.span, place)
    functions = place.functions(info)
    inside = [
        f for f in functions if place.every or any(f.line <= n <= f.last for n in (place.first, place.last))
    ]
    info.save()
    if not inside:
        raise place.nowhere(info, functions, "")
    out: list[Resolved] = []
    for function in inside:
        if function.code:
            own = _whole(wanted, env, function)
            out += own + _copies(wanted, env, info, function, own)
        else:
            from .inside import inline

            out += inline(wanted, env, info, [function])
    return out


def _copies(
    wanted: Wanted, env: Env, info: DebugInfo, function: Function, own: list[Resolved]
) -> list[Resolved]:
    """Return the events of a function's copies, where its own code isn't all that is meant."""
    if wanted.suffix() or has_glob(wanted.name) or not function.copies or not env.copies:
        return []
    if not wanted.text.startswith(("kernel.", "module(")):
        return []
    from .copies import made

    place = f"{function.name}@{function.file}:{function.line}"
    return made(wanted, env, info, own, [(spot, place) for spot in info.inlined(function)])


class _Named:
    """A component of a probe point with another argument."""

    def __init__(self, part: Part, arg: str) -> None:
        self.span = part.span
        self.name = part.name
        self.arg: int | str | None = arg


def _whole(wanted: Wanted, env: Env, function: Function) -> list[Resolved]:
    """Return the events of a function with code of its own."""
    from .direct import resolve as direct

    one = object.__new__(type(wanted))
    for name in wanted.__slots__:
        setattr(one, name, getattr(wanted, name))
    place = f"{function.name}@{function.file}:{function.line}"
    one.part = _Named(wanted.part, place)
    one.name, one.file, one.line = function.name, "", ""
    before, _, behind = wanted.text.partition(f'("{wanted.part.arg}")')
    one.text = f'{before}("{place}"){behind}'
    return direct(one, env)
