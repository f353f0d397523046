"""bpftrace's semantics: `analyse(tree, target, options, bag)` -> `ir.nodes.Module`.

    config.py        settings of the script
    cdefs.py         the script's structs, unions, enums, typedefs -> BTF on top of the kernel's
    points*.py       attach points -> events, and what a handler can read there
    types.py         types, how they merge, the IR parts that carry them
    values.py        values while IR is written: operands, or a place in memory
    maps.py scope.py what is known of maps and variables
    body.py          one probe -> IR; expr, access, assign, stmts, calls*, output, macros, functions do the work
    display.py       hints by which the runtime shows values and maps

Types are inferred by walking over the script, writing IR, until a walk used no type that it later had to change. One walk
is enough unless a map is read before the first assignment that says what it holds.
"""

from __future__ import annotations

from ...diag import Bag, CompileError, did_you_mean
from ...ir import nodes as ir
from . import access, assign, body, calls, expr, points, stmts
from .body import Body
from .unit import Unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...lang.bt import ast
    from ...options import Options
    from ..target import Target
    from .points import Point

for _table in (expr.TABLE, access.TABLE, assign.TABLE, calls.TABLE):
    body.EXPRESSIONS.update(_table)
body.STATEMENTS.update(stmts.TABLE)

ENOUGH = 12  # walks over a script with mistakes
MOST_PASSES = 400  # types only grow, by one step of one thing in a walk at least


def analyse(tree: ast.Program, target: Target, options: Options, bag: Bag) -> ir.Module:
    """Check a script and return its IR; mistakes are in the bag."""
    unit = Unit(tree, target, options, bag)
    unit.config.take(tree.config, bag, options.settings)
    _script_types(unit)
    unit.declare_maps()
    probes = [(probe, points.resolve(unit, probe)) for probe in tree.probes]
    if not tree.probes and not bag.errors:
        bag.error("E306", "the script has no probe", None, 'write: BEGIN { printf("hello\\n"); }')
    if not _hold(unit, probes):
        probes = []  # writing so many handlers would take long
    handlers = _settle(unit, probes)
    if all(found for _, found in probes):  # what a probe that isn't there would have assigned isn't known
        _undefined(unit)
    for diagnostic in unit.bag.items:
        bag.add(diagnostic)
    return _module(unit, handlers)


def _script_types(unit: Unit) -> None:
    if unit.tree.c.types:
        from .cdefs import define

        define(unit)


def _hold(unit: Unit, probes: list[tuple[ast.Probe, list[Point]]]) -> bool:
    """Hold the script to the setting max_probes; say whether it keeps to it."""
    count, most = 0, unit.config.max_probes
    for probe, found in probes:
        for point in found:
            args = point.event.args
            count += len(args["functions"]) if isinstance(args, dict) and "functions" in args else 1
        if count > most:
            unit.report(points.too_many(count, most, probe.span))
            return False
    return True


def _settle(unit: Unit, probes: list[tuple[ast.Probe, list[Point]]]) -> list[ir.Handler]:
    """Walk until the types are right; the last walk's IR counts."""
    handlers: list[ir.Handler] = []
    for number in range(MOST_PASSES):
        handlers = _walk(unit, probes)
        if unit.dirty:
            if number > ENOUGH and unit.bag.errors:
                return handlers
            unit.guessing = False
        elif unit.guessing or unit.settled():
            return handlers
        else:
            unit.guessing = True
    where = probes[0][0].span if probes else None
    unit.bag.error("E205", "the types of this script's maps and variables don't settle", where)
    return handlers


def _walk(unit: Unit, probes: list[tuple[ast.Probe, list[Point]]]) -> list[ir.Handler]:
    """Write every handler, with the types that are known so far; diagnostics go to a bag of this walk's own."""
    unit.bag = Bag()
    unit.dirty = False
    unit.unknown.clear()
    unit.untyped.clear()
    unit.elapsed = None
    for info in unit.maps.values():
        info.begin_pass()
    return [
        _handler(unit, probe, point, number)
        for number, (probe, point) in enumerate((probe, point) for probe, found in probes for point in found)
    ]


def _handler(unit: Unit, probe: ast.Probe, point: Point, number: int) -> ir.Handler:
    writer = Body(unit, point, number)
    b = writer.b
    top = b.out
    b.span = point.span
    if point.guard is not None:
        point.guard(writer)
    try:
        if probe.predicate is not None:
            writer.guard(probe.predicate)
    except CompileError as failed:
        unit.report(failed)
    writer.block(probe.body)
    return ir.Handler(point.event, point.text, writer.label, top, probe.span)


def _start(elapsed: ir.Global) -> ir.Handler:
    """The handler that notes when the run began, before all others."""
    now = ir.Local("now", ir.I64)
    body_: list[ir.Stmt] = [ir.Op(now, "call", (), "boottime_ns"), ir.Op(None, "set", (now,), elapsed)]
    return ir.Handler(ir.Event("begin", "", {"order": -1}), "BEGIN", ir.Label("start"), body_)


def _undefined(unit: Unit) -> None:
    """Report the maps that are read and never assigned, and what has no type: its statements weren't written."""
    for info, span in unit.unknown:
        if info.value.kind == "none" and not info.written:
            near = did_you_mean(info.name, [m.name for m in unit.maps.values() if m.written])
            hint = f"did you mean '@{near}'?" if near is not None else "nothing assigns it"
            unit.bag.error("E205", f"undefined map '{info.text}'", span, hint)
    if unit.bag.errors:
        return
    left = [(info.text, span) for info, span in unit.unknown if info.value.kind == "none"] + unit.untyped
    for word, span in left:
        unit.bag.error("E205", f"nothing says what '{word}' holds", span, "assign a value of some type to it")


def _module(unit: Unit, handlers: list[ir.Handler]) -> ir.Module:
    globals_ = [info.finish(unit) for info in unit.maps.values() if info.used]
    globals_ += [info.set_flag for info in unit.maps.values() if info.used and info.set_flag is not None]
    if unit.elapsed is not None:
        globals_.append(unit.elapsed)
        handlers.insert(0, _start(unit.elapsed))
    functions: list[ir.Function] = list(unit.library.values())
    globals_ += unit.library_globals
    worked = unit.worked
    if worked is not None and worked.module is not None:
        globals_ += worked.module.globals
        functions += worked.module.functions
        handlers += worked.rest()
    return ir.Module("bt", globals_, functions, handlers)
