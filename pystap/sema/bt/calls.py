"""Calls: functions by name, with their arguments checked."""

from __future__ import annotations

from ...diag import did_you_mean
from ...lang.bt import ast
from . import calls_map, calls_more, calls_text, calls_type, output
from .assign import STATS
from .body import error, later
from .builtins import BUILTINS
from .values import Val

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ...diag import CompileError
    from .body import Body

# name -> (fewest arguments, most, what writes it)
FUNCTIONS: dict[str, tuple[int, int, Callable[[Body, ast.Call], Val]]] = {
    "printf": (1, 99, output.printf),
    "errorf": (1, 99, output.errorf),
    "warnf": (1, 99, output.warnf),
    "system": (1, 99, output.system),
    "cat": (1, 99, output.cat),
    "time": (0, 1, output.time),
    "join": (1, 2, output.join),
    "print": (1, 3, output.print_),
    **calls_map.TABLE,
    **calls_text.TABLE,
    **calls_type.TABLE,
    **calls_more.TABLE,
}

_LATER = "dw_ustack override skboutput uaddr unwatch write_user typeinfo strcap tseries globmatch"
LATER = frozenset(_LATER.split())
_WHY = {
    "override": (
        "it would need a kernel built with CONFIG_BPF_KPROBE_OVERRIDE, which distributions' seldom are",
    )
}


def call(body: Body, e: ast.Call) -> Val:
    """`name(args)`."""
    word = e.name
    if word in body.unit.macros:
        from .macros import call_macro

        return call_macro(body, word, e.args, e.span)
    if body.unit.tree.functions:
        from .functions import call_function, find

        function = find(body, word)
        if function is not None:
            return call_function(body, e, function)
    known = FUNCTIONS.get(word)
    if known is not None:
        low, high, write = known
        if not low <= len(e.args) <= high:
            raise arity_error(e, low, high)
        return write(body, e)
    if word in BUILTINS and not e.args:
        return BUILTINS[word](body, e)
    where = e.name_span or e.span
    if word in STATS:
        raise error("E206", f"{word}() can only be assigned to a map", e.span, f"@name = {word}(...)")
    if word in LATER:
        raise later(f"{word}()", where, *_WHY.get(word, ()))
    if word in BUILTINS:
        raise error("E202", f"{word} takes no arguments", e.span)
    near = did_you_mean(word, (*FUNCTIONS, *BUILTINS, *STATS, *LATER, *body.unit.macros))
    raise error("E201", f"unknown function '{word}'", where, f"did you mean '{near}'?" if near else "")


def arity_error(e: ast.Call, low: int, high: int) -> CompileError:
    """Return the error for a call with too few or too many arguments."""
    many = f"{low}" if low == high else f"{low} or more" if high > 90 else f"{low} to {high}"
    noun = "argument" if many == "1" else "arguments"
    return error("E202", f"{e.name}() takes {many} {noun}, not {len(e.args)}", e.span)


TABLE: dict[Any, Any] = {ast.Call: call}
