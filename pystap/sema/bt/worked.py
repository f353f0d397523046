"""Stand-ins whose guards and values are statements of SystemTap: these are compiled as such, for all points of the script
together, and put before the handlers.

Where SystemTap's language raises an error at a read that faults, bpftrace's has 0: so do these reads.
"""

from __future__ import annotations

from ...btf.layout import argument_words
from ...diag import Bag, CompileError
from ...ir.nodes import Event, Local, Op
from ...ir.ops import Load
from ...ir.walk import blocks
from ...source import Source
from . import types
from .body import error, later
from .points import Point
from .points_standin import warn
from .values import Val

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...diag import Diagnostic
    from ...ir.nodes import Function, Handler, Module, Stmt
    from ...lang.bt import ast
    from ...probes.standins import StandIn
    from .body import Body
    from .points import Make
    from .unit import Unit

PREFIX = "of_"  # of the variables that hold the values


class Worked:
    """The stand-ins of one script. handlers: in the order of `probes`, once they are made."""

    __slots__ = ("handlers", "module", "probes", "unit")

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.probes: list[tuple[StandIn, tuple[str, ...], ast.AttachPoint]] = []
        self.module: Module | None = None
        self.handlers: list[Handler] = []

    def add(self, found: StandIn, names: tuple[str, ...], attach: ast.AttachPoint) -> int:
        """Take in one point that reads these values; return its number."""
        self.probes.append((found, names, attach))
        return len(self.probes) - 1

    def handler(self, number: int) -> Handler:
        """Return the handler of a point: all are made at the first call."""
        if self.module is None:
            self._make()
        return self.handlers[number]

    def rest(self) -> list[Handler]:
        """Return the handlers that came along: what the library itself probes for the values."""
        assert self.module is not None
        return [h for h in self.module.handlers if h not in self.handlers]

    def _make(self) -> None:
        text = "".join([_probe(found, names) for found, names, _ in self.probes])
        source = Source("<stand-ins>", text)
        try:
            module = _analysed(self.unit, source)
        except CompileError as failed:
            raise self._at_its_point(source, failed.diagnostic) from None
        self.module = module
        self.handlers = [h for h in module.handlers if h.span.source is source]
        self.handlers.sort(key=lambda handler: handler.span.start)
        assert len(self.handlers) == len(self.probes)
        for handler in module.handlers:
            _forgive(handler.body)
        for function in module.functions:
            _forgive(function.body)

    def _at_its_point(self, source: Source, first: Diagnostic) -> CompileError:
        """Return the error of the script's point that a mistake belongs to."""
        line = first.span.line if first.span is not None and first.span.source is source else 1
        attach = self.probes[min(line, len(self.probes)) - 1][2]
        return error(first.code, first.message, attach.span, *first.hints)


def _probe(found: StandIn, names: tuple[str, ...]) -> str:
    point = f'kernel.function("{found.function}")' + (".return" if found.returns else "")
    stores = "".join([f"{PREFIX}{name} = ${name}; " for name in names])
    return f"probe {point} {{ {stores}}}\n"


def _forgive(body: list[Stmt]) -> None:
    """Let reads that fault give 0."""
    for stmt in body:
        if isinstance(stmt, Op) and isinstance(stmt.attr, Load) and stmt.attr.fault == "error":
            stmt.attr = stmt.attr.replace(fault="zero")
        for block in blocks(stmt):
            _forgive(block)


# ---- points -------------------------------------------------------------------------------


def resolve(unit: Unit, attach: ast.AttachPoint, found: StandIn) -> Point:
    """Return the point of such a stand-in."""
    warn(unit, attach, found)
    point = Point(
        attach.provider,
        attach.name,
        Event("standin", found.function),
        attach.span,
        f"stand-in of {found.function}",
    )
    point.function = found.function
    have = {name for name, n in found.params if n is not None} | {name for name, _, _ in found.values}
    typed = attach.provider in ("fentry", "fexit")
    values: dict[str, Local] = {}
    names = _offer(unit, point, found, have, values, typed)
    worked: Worked = unit.worked or Worked(unit)
    unit.worked = worked
    number = worked.add(found, names, attach)

    def guard(body: Body) -> None:
        handler = worked.handler(number)
        point.event = handler.event
        body.label = handler.label
        values.update(_assigned(handler))
        body.b.out += handler.body

    point.guard = guard
    return point


def _offer(
    unit: Unit, point: Point, found: StandIn, have: set[str], values: dict[str, Local], typed: bool
) -> tuple[str, ...]:
    """Give the point its arguments; return the names of those that the script may read."""
    func = unit.btf.find_func(found.function)
    params = func.type.params if func is not None else ()
    words = argument_words(func.type) if func is not None else [0]
    text = unit.tree.span.source.text
    used: list[str] = []
    arguments: dict[int, Make] = {}
    for number, param in zip(words, params, strict=False):
        if found.returns and not typed:
            break
        make = _value(unit, found, param.name, param.type, have, values, typed)
        arguments[number] = make
        if typed:
            point.fields[param.name] = make
        if param.name in have and (f"arg{number}" in text or (typed and param.name in text)):
            used.append(param.name)
    if not found.returns or typed:
        point.arguments = [arguments.get(n) or _value(unit, found, f"arg{n}", None, have, values, typed)
                           for n in range(6)]  # fmt: skip
    if found.returns:
        result = func.type.type if func is not None else None
        point.retval = _value(unit, found, "return", result, have, values, typed)
        if typed:
            point.fields["retval"] = point.retval
        used.append("return")
    return tuple(used)


def _value(
    unit: Unit, found: StandIn, word: str, type: Any, have: set[str], values: dict[str, Local], typed: bool
) -> Make:
    """Return what reads one value."""
    made = types.of_ctype(unit.btf, type) if typed and type is not None else types.UINT64
    if made.kind not in ("int", "bool", "ptr"):
        made = types.UINT64

    def make(body: Body) -> Val:
        local = values.get(PREFIX + word)
        if word not in have or local is None:
            shown = "its return value" if word == "return" else f"'{word}'"
            raise later(f"{shown} of {found.function} by its stand-in, {found.words}", body.b.span)
        return Val(made, [local])

    return make


def _assigned(handler: Handler) -> dict[str, Local]:
    """Return the variables of the values."""
    out: dict[str, Local] = {}
    for stmt in handler.body:
        dst = getattr(stmt, "dst", None)
        if isinstance(dst, Local) and dst.name.startswith(PREFIX):
            out[dst.name] = dst
    return out


# ---- functions of the library ---------------------------------------------------------------


def library_function(unit: Unit, name: str) -> Function:
    """Return the IR of a function of the tapset that takes a number and gives a string."""
    word = f"of_{name}"
    if word not in unit.library:
        text = f"function {word}:string(n:long) {{ text = {name}(n); return text }}\nprobe begin {{ {word}(0) }}\n"
        module = _analysed(unit, Source("<library>", text))
        for function in module.functions:
            _forgive(function.body)
            unit.library[function.name] = function
        unit.library_globals += module.globals
    return unit.library[word]


def _analysed(unit: Unit, source: Source) -> Module:
    from ...lang.stp.parser import parse
    from ...lang.stp.preprocess import PreprocEnv
    from ..stp import analyse

    bag = Bag()
    env = PreprocEnv(kernel_v=unit.target.release or "0", arch=unit.target.arch, config=unit.target.config)
    module = analyse(parse(source, env, bag), unit.target, unit.options, bag)
    if module is None:
        raise CompileError(bag.errors[0])
    return module
