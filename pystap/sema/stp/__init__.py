"""SystemTap's syntax tree -> IR.

    analyse(file, target, options, bag) -> ir.nodes.Module | None

`target` is a sema.target.Target, `options` an options.Options. None is returned when the bag has errors. The
passes, in order, are PASSES; each works on the `Unit` and says in its module what it adds.
"""

from __future__ import annotations

import sys

from ...diag import CompileError
from . import added, check, collect, lower, points, prologue
from .unit import Unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...diag import Bag
    from ...ir.nodes import Module
    from ...lang.stp import ast
    from ...options import Options
    from ..target import Target

PASSES = (collect.run, added.run, points.run, prologue.run, check.run, lower.run)

_RECURSION = 20_000  # the parser bounds how deep a tree is; a level takes a handful of calls
__all__ = ["PASSES", "Unit", "analyse"]


def analyse(file: ast.File, target: Target, options: Options, bag: Bag) -> Module | None:
    """Run the passes. Mistakes don't stop the checks behind them, so that one run shows what it can."""
    unit = Unit(file, target, options, bag)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, _RECURSION))
    try:
        _run(unit)
    finally:
        sys.setrecursionlimit(limit)
    return None if bag.errors else unit.module


def _run(unit: Unit) -> None:
    bag = unit.bag
    for one in PASSES:
        if one is lower.run and bag.errors:
            break
        try:
            one(unit)
        except CompileError as error:
            bag.add(error.diagnostic)
