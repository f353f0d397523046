"""Pass 1: the names at the top level of a file."""

from __future__ import annotations

from ...diag import CompileError, Diagnostic
from ...lang.stp import ast
from .symbols import FileScope, GlobalVar
from .types import LONG, STRING, want

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...diag import Bag
    from .unit import Unit


def run(unit: Unit) -> None:
    """Fill the script's own scope; read its globals' first values."""
    collect_file(unit.scope, unit.bag)
    if unit.file.embedded:
        from .embedded import library

        try:
            library(unit, unit.scope)
        except CompileError as error:
            unit.bag.add(error.diagnostic)
    for name, text in unit.options.overrides:
        known = unit.scope.globals.get(name)
        if known is not None:
            known.keys = []
            want(unit.bag, known.type, LONG if number_of(text) is not None else STRING, known.decl.span)
        else:
            from ...diag import did_you_mean

            near = did_you_mean(name, unit.scope.globals)
            hints = (f"did you mean '{near}'?",) if near else ()
            unit.bag.error("E902", f"-G {name}: the script has no global of this name", None, *hints)


def number_of(text: str) -> int | None:
    """Return the number that a text is, or None."""
    try:
        return int(text, 0)
    except ValueError:
        return None


def collect_file(scope: FileScope, bag: Bag) -> None:
    """Fill a scope with its file's globals, functions and aliases."""
    for item in scope.file.decls:
        if isinstance(item, ast.Global):
            before = scope.globals.get(item.name)
            if before is not None:
                notes = (("it is declared here", before.decl.span),)
                bag.add(
                    Diagnostic("E211", f"the global '{item.name}' is declared twice", item.span, notes=notes)
                )
                continue
            made = scope.globals[item.name] = GlobalVar(item, scope.library)
            if item.init is not None:
                want(bag, made.type, LONG if isinstance(item.init, ast.Number) else STRING, item.init.span)
                made.keys = []
                made.arity_span = item.span
        elif isinstance(item, ast.Function):
            scope.functions.setdefault(item.name, []).append(item)
        elif isinstance(item, ast.Alias):
            scope.aliases += [(name, item) for name in item.names]
