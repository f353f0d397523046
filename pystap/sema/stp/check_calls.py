"""Calls of functions, and print and its like."""

from __future__ import annotations

from ...diag import did_you_mean, fail
from ...lang.stp import ast
from ...lang.stp.formats import STAR, Directive
from . import intrinsics
from .check_expr import histogram
from .library import FUNCTIONS, function_scope
from .symbols import FileScope, FunctionInstance, Var
from .types import LONG, STAT, STRING, T_LONG, T_STRING, T, flow, shared, want

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .check import Checker


def call(c: Checker, e: ast.Call) -> T:
    """A call; the function is checked with the first one."""
    if e.name.startswith(intrinsics.PREFIX) and c.scope.library and not c.scope.user:
        return _intrinsic(c, e)
    types = [c.expr(a) for a in e.args]
    found = lookup(c, e.name, len(e.args))
    if found is None:
        return _unknown(c, e)
    overloads, scope = found
    function = instance(c, overloads, scope)
    c.body.notes[e] = function
    c.body.callees[function] = None
    for param, type, arg in zip(function.params, types, e.args, strict=True):
        flow(c.bag, param.type, type, arg.span)
    if not function.checked:
        before = len(c.bag.items)
        check_function(c, function)
        if scope.library and not c.scope.library:
            _say_who_called(c, e, before)
    return function.result


def _say_who_called(c: Checker, e: ast.Call, before: int) -> None:
    """Name the script's call in the errors of a function of the library; several of one kind are one."""
    new, kept = c.bag.items[before:], set()
    del c.bag.items[before:]
    for one in new:
        key = (one.code, one.message)
        if one.severity == "error" and key not in kept:
            one.notes += ((f"that is what '{e.name}' does, which is called here", e.name_span),)
        if key not in kept:
            c.bag.items.append(one)
        kept.add(key)


def lookup(c: Checker, name: str, arity: int) -> tuple[list[ast.Function], FileScope] | None:
    """Return the functions that a call means, first in the file, then the script's, then the tapset's."""
    scope = c.scope
    for place in (scope, c.unit.scope if scope.library else None):
        if place is not None:
            found = _of_arity(place, name, arity)
            if found:
                return found, place
    library = function_scope(c.unit, name)
    if library is not None:
        found = _of_arity(library, name, arity)
        if found:
            return found, library
    return None


def _of_arity(scope: FileScope, name: str, arity: int) -> list[ast.Function]:
    found = [f for f in scope.functions.get(name, ()) if len(f.params) == arity]
    if len(found) > 1:
        # lower numbers come first; functions without one come in the order of the text, ahead of given ones
        found.sort(key=lambda f: 0 if f.priority is None else f.priority)
    return found


def _unknown(c: Checker, e: ast.Call) -> T:
    c.body.notes[e] = None
    arities = {len(f.params) for f in c.scope.functions.get(e.name, ())}
    library = function_scope(c.unit, e.name)
    if library is not None:
        arities |= {len(f.params) for f in library.functions.get(e.name, ())}
    if arities:
        counts = " or ".join(map(str, sorted(arities)))
        words = f"'{e.name}' takes {counts} argument{'' if counts == '1' else 's'}, {len(e.args)} given"
        return c.error("E210", words, e.name_span)
    from .function_names import why_not

    lacks = why_not(e.name)
    if lacks is not None:
        return c.error(lacks[0], lacks[1], e.name_span, *filter(None, (lacks[2],)))
    added = (name for scope in c.unit.added.scopes for name in scope.functions)
    near = did_you_mean(e.name, (*c.scope.functions, *added, *FUNCTIONS, *_PRINTS))
    if e.name in c.scope.globals:
        return c.error("E209", f"'{e.name}' is a global, not a function", e.name_span, f"{e.name}[...]")
    hints = (f"did you mean '{near}'?",) if near else ()
    return c.error("E209", f"unknown function '{e.name}'", e.name_span, *hints)


_PRINTS = ("printf", "print", "println", "sprintf", "sprint")


def instance(c: Checker, overloads: list[ast.Function], scope: FileScope) -> FunctionInstance:
    """Return the function instance for a call: one for each probe where it depends on the probe."""
    probe = c.body.probe if depends(c, overloads[0], scope) else None
    key = (overloads[0], probe)
    found = c.unit.instances.get(key)
    if found is None:
        context = None if probe is None else c.body.context
        found = c.unit.instances[key] = FunctionInstance(overloads, scope, context, probe)
        c.unit.functions.append(found)
        first = overloads[0]
        for param in first.params:
            var = found.vars[param.name] = Var(param.name, param.span, True)
            if param.type is not None:
                want(c.bag, var.type, param.type, param.span)
            found.params.append(var)
        for function in overloads:
            if function.type is not None:
                want(c.bag, found.result, function.type, function.name_span)
            for var, param in zip(found.params, function.params, strict=True):
                if param.name != var.name:
                    found.vars[param.name] = var
                if param.type is not None:
                    want(c.bag, var.type, param.type, param.span)
    return found


_OF_PROBE = frozenset(("@entry", "@kregister", "@uregister"))


def depends(c: Checker, function: ast.Function, scope: FileScope) -> bool:
    """Say whether a function, or one that it calls, looks at the probe that it runs in."""
    known = c.unit.depends
    found = known.get(function)
    if found is not None:
        return found
    known[function] = False
    result = False
    for node in ast.walk(function.body):
        if isinstance(node, ast.Target) or (isinstance(node, ast.AtOp) and node.op in _OF_PROBE):
            result = True
        elif isinstance(node, ast.Call):
            if node.name.startswith(intrinsics.PREFIX):
                result = node.name in intrinsics.OF_PROBE
            else:
                before, c.scope = c.scope, scope
                inner = lookup(c, node.name, len(node.args))
                c.scope = before
                result = inner is not None and any(depends(c, f, inner[1]) for f in inner[0])
        if result:
            break
    known[function] = result
    return result


def check_function(c: Checker, function: FunctionInstance) -> None:
    """Check the body of a function instance."""
    function.checked = True
    before = (c.body, c.scope, c.function)
    c.body, c.scope, c.function = function, function.scope, function
    for overload in function.overloads:
        c.stmt(overload.body)
    c.body, c.scope, c.function = before


def _intrinsic(c: Checker, e: ast.Call) -> T:
    known = intrinsics.signature(e.name)
    if known is None:
        raise RuntimeError(f"{e.span!r}: no intrinsic {e.name}")
    if e.name == "__builtin_arg" and c.body.context is not None and c.body.context.copy_in:
        raise _no_arguments(c, e)
    types, more, result = known
    if len(e.args) < len(types) or (len(e.args) > len(types) and not more):
        raise RuntimeError(f"{e.span!r}: {e.name} takes {len(types)} operands")
    for number, arg in enumerate(e.args):
        kind = types[number] if number < len(types) else ""
        type = c.expr(arg)
        if kind == "#":
            if not isinstance(arg, ast.Number):
                raise RuntimeError(f"{arg.span!r}: {e.name} takes a literal number here")
        elif kind:
            want(c.bag, type, kind, arg.span)
    return shared(result) if result else T()


def _no_arguments(c: Checker, e: ast.Call) -> Exception:
    """Return the error for an argument by number of a function that isn't called, but inlined."""
    words = f"{c.function.name if c.function is not None else e.name}(): an inlined function has no arguments by number"
    span = c.body.probe.span if c.body.probe is not None else e.span
    return fail("E240", words, span, "parameters by name, $x, are known where debug information has them")


def print_(c: Checker, e: ast.Print) -> T:
    """print and its like; the format's directives fix the types of the operands."""
    result = T_STRING if e.kind.startswith("s") else T_LONG
    if e.format is not None:
        _formatted(c, e)
        return result
    for arg in e.args:
        if isinstance(arg, ast.HistOp):
            histogram(c, arg)
            if e.kind not in ("print", "println"):
                c.error("E208", f"a histogram can't be given to {e.kind}", arg.span, f"print({arg.op}(...))")
            continue
        type = c.expr(arg)
        if not type.find().kind:
            c.unit.printed.append((type, arg))
        if type.find().kind == STAT:
            c.error(
                "E215", "a statistic can't be printed as it is", arg.span, "print(@count(...)), @sum, ..."
            )
    if e.kind in ("print", "println", "sprint", "sprintln") and len(e.args) != 1:
        c.error(
            "E210", f"{e.kind} takes 1 argument, {len(e.args)} given", e.span, 'printd(" ", a, b) for more'
        )
    return result


def _formatted(c: Checker, e: ast.Print) -> None:
    assert e.format is not None
    args = list(e.args)
    wanted = e.format.arity
    if wanted != len(args):
        words = f"the format takes {wanted} argument{'' if wanted == 1 else 's'}, {len(args)} given"
        c.error("E216", words, e.format.span)
        for arg in args:
            c.expr(arg)
        return
    at = 0
    for part in e.format.parts:
        if not isinstance(part, Directive):
            continue
        for star in (part.width, part.precision):
            if star == STAR:
                c.long(args[at])
                at += 1
        arg = args[at]
        at += 1
        if isinstance(arg, ast.HistOp):
            c.expr(arg)
            continue
        kind = STRING if part.conv == "s" else LONG
        type = c.expr(arg)
        have = type.find().kind
        if have and have != kind:
            other = "%d" if have == LONG else "%s"
            hint = f"use {other}" if have in (LONG, STRING) else "use @count(...), @sum(...), ..."
            words = "a string" if kind == STRING else "a long"
            article = {LONG: "a long", STRING: "a string", STAT: "a statistic"}.get(have, have)
            c.error("E217", f"'%{part.conv}' needs {words}, this is {article}", arg.span, hint)
        else:
            want(c.bag, type, kind, arg.span)


TABLE: dict[type, Any] = {ast.Call: call, ast.Print: print_}
