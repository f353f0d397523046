"""Warnings about variables that are read and never assigned."""

from __future__ import annotations

from ...diag import did_you_mean
from .lower_expr import CONSTANTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .symbols import Body
    from .unit import Unit


def run(unit: Unit) -> None:
    """Warn, for the script's own handlers and functions."""
    source = unit.file.source
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
        _locals(unit, derived.body, elsewhere)
    for function in unit.functions:
        if function.span.source is source:
            _locals(unit, function, set())
    given = dict(unit.options.overrides)
    for name, glob in unit.scope.globals.items():
        if glob.read and not glob.written and glob.decl.init is None and name not in given:
            unit.bag.warn("W202", f"the global '{name}' is read but never assigned", glob.decl.span)


def _locals(unit: Unit, body: Body, elsewhere: set[str]) -> None:
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
            unit.bag.warn("W201", f"the variable '{name}' is never assigned", var.first, *hints)
