"""Warnings about variables that are read and never assigned, and errors where nothing tells a type that is needed."""

from __future__ import annotations

from ...diag import did_you_mean
from ...lang.stp import ast
from .lower_expr import CONSTANTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .symbols import Body
    from .types import T
    from .unit import Unit

_UNTOLD = "nothing tells whether {} is a number or a string"


def run(unit: Unit) -> None:
    """Warn, for the script's own handlers and functions."""
    source = unit.file.source
    _nothing_returned(unit)
    printed = {type.find() for type, _ in unit.printed if not type.find().kind}
    assigned = {
        (id(block), name)
        for derived in unit.probes
        for _, block in derived.parts
        for name, var in derived.body.vars.items()
        if var.assigned
    }
    for derived in unit.probes:
        # a list's handler may read what the aliases of some of its points alone assign
        elsewhere = {
            name for _, block in derived.parts for name in derived.body.vars if (id(block), name) in assigned
        }
        _locals(unit, derived.body, elsewhere, printed)
    for function in unit.functions:
        if function.span.source is source:
            _locals(unit, function, set(), printed)
    given = dict(unit.options.overrides)
    for name, glob in unit.scope.globals.items():
        if (glob.read or glob.written) and not glob.type.find().kind:
            unit.bag.error("E213", _UNTOLD.format(f"'{name}'"), glob.decl.span, "give it a value somewhere")
        elif glob.read and not glob.written and glob.decl.init is None and name not in given:
            unit.bag.warn("W202", f"the global '{name}' is read but never assigned", glob.decl.span)


def _nothing_returned(unit: Unit) -> None:
    """Report calls whose value is printed, of functions without one."""
    for type, expr in unit.printed:
        if isinstance(expr, ast.Call) and not type.find().kind and expr.span.source is unit.file.source:
            unit.bag.error("E213", f"'{expr.name}' returns nothing that could be printed", expr.span)


def _locals(unit: Unit, body: Body, elsewhere: set[str], printed: set[T]) -> None:
    source = unit.file.source
    for name, var in body.vars.items():
        if var.read and not var.assigned and name not in elsewhere and var.first.source is source:
            if name in CONSTANTS:
                continue
            known = [n for n, v in body.vars.items() if v.assigned]
            if body.probe is not None:
                known += [n for n in sorted(body.probe.offered) if not n.startswith("_")]
            near = did_you_mean(name, (*known, *unit.scope.globals))
            hints = (f"did you mean '{near}'?",) if near else ()
            if var.type.find() in printed:
                words = f"'{name}' is never assigned: " + _UNTOLD.format("it")
                unit.bag.error("E213", words, var.first, *hints)
            else:
                unit.bag.warn("W201", f"the variable '{name}' is never assigned", var.first, *hints)
