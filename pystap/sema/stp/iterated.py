"""Arrays that a `foreach` goes through: neither its body nor a function called there may change them.

Looks at the script's own handlers and functions, after checking: names and calls are resolved, decided branches noted.
"""

from __future__ import annotations

from ...diag import Diagnostic
from ...lang.stp import ast
from .symbols import FunctionInstance

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .symbols import Body, FileScope, GlobalVar
    from .unit import Unit

    Changes = dict[FunctionInstance, set[GlobalVar]]

_HINT = "keep the keys in another array and change this one behind the loop"


def run(unit: Unit) -> None:
    """Report every change of an array that is gone through."""
    changes: Changes = {}
    for derived in unit.probes:
        for scope, block in derived.parts:
            if not scope.library:
                _block(unit, derived.body, scope, block, changes)
    for function in list(unit.functions):
        if not function.scope.library:
            for overload in function.overloads:
                _block(unit, function, function.scope, overload.body, changes)


def _block(unit: Unit, body: Body, scope: FileScope, block: ast.Ast, changes: Changes) -> None:
    for node in _reached(body, block):
        if isinstance(node, ast.Foreach) and isinstance(node.array, ast.Name):
            var = _global(body, scope, node.array)
            if var is not None:
                _loop(unit, body, scope, node, var, changes)


def _loop(
    unit: Unit, body: Body, scope: FileScope, loop: ast.Foreach, var: GlobalVar, changes: Changes
) -> None:
    notes = ((f"'foreach' goes through '{var.name}' here", loop.array.span),)
    for node in _reached(body, loop.body):
        if _changed(body, scope, node) is var:
            words = f"'{var.name}' is changed while 'foreach' goes through it"
        elif isinstance(node, ast.Call):
            callee = body.notes.get(node)
            if not isinstance(callee, FunctionInstance) or var not in _all_changes(callee, changes):
                continue
            words = f"'{node.name}' changes '{var.name}' while 'foreach' goes through it"
        else:
            continue
        known = any(d.span == node.span and d.code == "E212" for d in unit.bag.items)
        if not known:  # a handler of several points is looked at for each
            unit.bag.add(Diagnostic("E212", words, node.span, notes=notes, hints=(_HINT,)))


def _changed(body: Body, scope: FileScope, node: ast.Ast) -> GlobalVar | None:
    """Return the global that a node itself changes."""
    if not isinstance(node, (ast.Assign, ast.IncDec, ast.Delete)):
        return None
    target = node.target.base if isinstance(node.target, ast.Index) else node.target
    return _global(body, scope, target) if isinstance(target, ast.Name) else None


def _global(body: Body, scope: FileScope, name: ast.Name) -> GlobalVar | None:
    local = body.vars.get(name.name)
    return None if local is not None and local.param else scope.globals.get(name.name)


def _all_changes(function: FunctionInstance, changes: Changes) -> set[GlobalVar]:
    """Return the globals that a function and what it calls change."""
    found = changes.get(function)
    if found is None:
        found = changes[function] = set()
        todo, seen = [function], {function}
        while todo:
            one = todo.pop()
            for overload in one.overloads:
                for node in _reached(one, overload.body):
                    var = _changed(one, one.scope, node)
                    if var is not None:
                        found.add(var)
            new = [f for f in one.callees if f not in seen]
            seen.update(new)
            todo += new
    return found


def _reached(body: Body, root: ast.Ast) -> Iterator[ast.Ast]:
    """Yield the nodes under one in the text's order, but for branches that are known not to be taken."""
    todo: list[ast.Ast] = [root]
    while todo:
        top = todo.pop()
        yield top
        known = body.notes.get(top) if isinstance(top, (ast.If, ast.Ternary)) else None
        if isinstance(top, (ast.If, ast.Ternary)) and isinstance(known, bool):
            taken = top.then if known else top.other
            below: list[ast.Ast] = [] if taken is None else [taken]
        else:
            below = list(ast.children(top))
        todo += reversed(below)
