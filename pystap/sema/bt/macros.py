"""Macros: expanded in place, with variables of their own.

A parameter `$x` stands for a variable of the caller, `@m` for a map, a plain word for an expression, which is
written anew wherever the word stands.
"""

from __future__ import annotations

from ...lang.bt import ast
from . import expr
from .body import error
from .scope import Bound, Scope
from .values import Val

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...source import Span
    from .body import Body

DEEPEST = 32


def call_macro(body: Body, word: str, args: Sequence[ast.Expr | ast.Type], span: Span) -> Val:
    """Write the macro of this name that fits the arguments; give its value."""
    overloads = body.unit.macros[word]
    macro = next((m for m in overloads if _fits(m, args)), None)
    if macro is None:
        raise _no_fit(overloads, args, span)
    if body.scope.depth >= DEEPEST or ("()", word) in body.scope.place:
        raise error("E267", f"the macro '{word}' uses itself", span)
    _own_maps_only(macro)
    binds: dict[str, Bound] = {}
    for parameter, arg in zip(macro.parameters, args, strict=True):
        assert isinstance(arg, ast.Expr)
        binds[parameter.sigil + parameter.name] = _bound(body, arg)
    outer, loops = body.scope, body.loops
    place = (*outer.place, ("()", word), span.start)
    body.scope = Scope(outer, binds, place)
    body.loops = []
    value = expr.block_value(body, macro.body)
    body.scope, body.loops = outer, loops
    return value


def _own_maps_only(macro: ast.Macro) -> None:
    """Refuse a macro that uses a map which isn't passed to it."""
    known = {p.name for p in macro.parameters if p.sigil == "@"}
    todo: list[object] = [macro.body]
    while todo:
        node = todo.pop()
        if isinstance(node, (tuple, list)):
            todo += node
        elif isinstance(node, ast.Syntax):
            if isinstance(node, (ast.Map, ast.MapAccess)) and node.name not in known:
                words = f"a macro can only use maps that are passed to it, and @{node.name} isn't"
                raise error("E257", words, node.span, f"macro {macro.name}(..., @{node.name})")
            todo += [getattr(node, name) for name in type(node)._fields]


def _bound(body: Body, arg: ast.Expr) -> Bound:
    """What a parameter stands for; an argument that is a parameter of the caller's macro is passed on."""
    key = ""
    if isinstance(arg, ast.Variable):
        key = "$" + arg.name
    elif isinstance(arg, ast.Map):
        key = "@" + arg.name
    elif isinstance(arg, ast.Identifier):
        key = arg.name
    passed = body.scope.bound(key) if key else None
    return passed or Bound(arg, body.scope)


def _fits(macro: ast.Macro, args: Sequence[ast.Expr | ast.Type]) -> bool:
    if len(macro.parameters) != len(args):
        return False
    for parameter, arg in zip(macro.parameters, args, strict=True):
        if parameter.sigil == "$" and not isinstance(arg, ast.Variable):
            return False
        if parameter.sigil == "@" and not isinstance(arg, ast.Map):
            return False
        if not isinstance(arg, ast.Expr):
            return False
    return True


def _no_fit(overloads: list[ast.Macro], args: Sequence[object], span: Span) -> Exception:
    macro = overloads[0]
    wanted = ", ".join(p.sigil + p.name for p in macro.parameters)
    for candidate in overloads:
        if len(candidate.parameters) == len(args):
            for parameter, arg in zip(candidate.parameters, args, strict=True):
                if parameter.sigil == "$" and not isinstance(arg, ast.Variable):
                    words = f"the macro '{macro.name}' needs a variable for ${parameter.name}"
                    return error("E251", words, getattr(arg, "span", span))
                if parameter.sigil == "@" and not isinstance(arg, ast.Map):
                    words = f"the macro '{macro.name}' needs a map for @{parameter.name}"
                    return error("E251", words, getattr(arg, "span", span))
    noun = "argument" if len(macro.parameters) == 1 else "arguments"
    words = f"the macro '{macro.name}' takes {len(macro.parameters)} {noun}, not {len(args)}"
    return error("E202", words, span, f"macro {macro.name}({wanted})")
