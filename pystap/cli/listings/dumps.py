"""--dump-functions, --dump-probe-aliases, --dump-probe-types: what the tapset and the probe kinds offer."""

from __future__ import annotations

from ...diag import Bag, CompileError
from ...lang.stp import ast
from ...lang.stp.parser import parse
from ...lang.stp.preprocess import PreprocEnv
from ...options import Options
from ...probes.base import KINDS, kind_of, point_text
from ...sema.stp import added, check_calls
from ...sema.stp.check import Checker
from ...sema.stp.library import load
from ...sema.stp.symbols import Body
from ...sema.stp.unit import Unit
from ...source import Source
from ...tapset.index_gen import FILES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...sema.stp.symbols import FileScope
    from ...sema.target import Target


def _unit(target: Target, options: Options | None) -> Unit:
    bag = Bag()
    tree = parse(Source("<none>", "probe never {}\n"), PreprocEnv(), bag)
    unit = Unit(tree, target, options or Options(), bag)
    added.run(unit)
    return unit


def _scopes(unit: Unit) -> list[FileScope]:
    return [*unit.added.scopes, *[load(unit, number) for number in range(len(FILES))]]


def probe_types() -> list[str]:
    """Return the forms of probe points."""
    found: set[str] = set()
    for module in sorted(set(KINDS.values())):
        found.update(getattr(kind_of(module), "LISTING", ()))
    return sorted(found)


def probe_aliases(target: Target, options: Options | None = None) -> list[str]:
    """Return `alias = points` of the tapset's aliases."""
    unit = _unit(target, options)
    out: set[str] = set()
    for scope in _scopes(unit):
        for name, alias in scope.aliases:
            text = point_text(name.components)
            if not text.startswith("_"):
                out.add(f"{text} = {', '.join(map(_point, alias.points))}")
    return sorted(out)


def _point(point: ast.ProbePoint) -> str:
    text = point_text(point.components)
    return text + ("?" if point.optional else "!" if point.sufficient else "")


def functions(target: Target, options: Options | None = None) -> list[str]:
    """Return `name:type (parameter:type, ...)` of the tapset's functions."""
    unit = _unit(target, options)
    out: list[str] = []
    for scope in _scopes(unit):
        for overloads in scope.functions.values():
            out += [_function(unit, scope, f) for f in overloads if not f.name.startswith("_")]
    return sorted(out)


def _function(unit: Unit, scope: FileScope, function: ast.Function) -> str:
    types = {p.name: p.type or "" for p in function.params}
    result = function.type or ""
    checker = Checker(unit, Body(None, None), [])
    checker.scope = scope
    if not check_calls.depends(checker, function, scope):
        try:
            made = check_calls.instance(checker, [function], scope)
            check_calls.check_function(checker, made)
            types = {p.name: p.type.find().kind for p in made.params}
            result = made.result.find().kind
        except CompileError:
            pass  # its declared types are what is known then
    params = ", ".join(f"{name}:{kind or 'unknown'}" for name, kind in types.items())
    return f"{function.name}:{result or 'unknown'} ({params})"
