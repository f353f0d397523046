"""The namespace that generated code runs in: what each underscored name stands for.

Only what the code names is made and imported. `_gN` and `_newN` are `State`'s; `_b_NAME` is a builtin's body,
found by `functions.body`. The others stand here: plain functions in PLAIN, those of a run in `_bound`.
"""

from __future__ import annotations

from .errors import ACTIONS, OVERFLOW, USER_STAGE, ScriptError, message_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

    from .context import Context

# name -> (module of this package, attribute)
PLAIN: dict[str, tuple[str, str]] = {
    "_wrap": ("numbers", "wrap"),
    "_sdiv_or_error": ("numbers", "sdiv_or_error"),
    "_smod_or_error": ("numbers", "smod_or_error"),
    "_sdiv_or_zero": ("numbers", "sdiv_or_zero"),
    "_smod_or_zero": ("numbers", "smod_or_zero"),
    "_udiv_or_zero": ("numbers", "udiv_or_zero"),
    "_umod_or_zero": ("numbers", "umod_or_zero"),
    "_visible": ("formatting", "visible"),
    "_visible_char": ("formatting", "visible_char"),
    "_char": ("formatting", "char"),
    "_width": ("formatting", "width"),
    "_until_nul": ("formatting", "until_nul"),
    "_directive": ("formatting", "directive"),
    "_stat": ("stat", "stat_or_error"),
    "_stat_or_0": ("stat", "stat_or_0"),
    "_hist_bucket": ("stat", "hist_bucket_of"),
    "_first": ("order", "first"),
    "_top": ("order", "top"),
    "_by_key": ("order", "by_key"),
    "_by_value": ("order", "by_value"),
}
CONSTANTS: dict[str, Any] = {
    "_ScriptError": ScriptError,
    "_Caught": (ScriptError, RecursionError),
    "_message": message_of,
    "_OVERFLOW": OVERFLOW,
    "_ACTIONS": ACTIONS,
}


def _bound(context: Context, name: str) -> Any:
    """A name that belongs to one run, or None."""
    if name == "_emit":
        return context.sink.emit
    if name == "_exit":
        return context.exit
    if name == "_line":
        return context.line
    if name == "_log":
        return context.log
    if name == "_warn":
        return context.warn
    if name == "_map_full":
        return context.map_full
    if name == "_raise_site":
        return context.raise_site
    if name == "_turns":
        from .turns import reader

        return reader(context.sink.terminal, context.raise_site)
    if name in ("_load", "_load_str", "_load_buf"):
        return getattr(context.calls, name[1:])
    if name == "_blob":
        from .formatting import make_blob

        return make_blob(context.calls.read_for_format)
    if name in ("_print_hist", "_print_map", "_print_value"):
        from .printing import Printing

        return getattr(Printing(context), name[7:])
    return None


def names_of(code: CodeType) -> set[str]:
    """Every global name that the code and the functions in it use."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            found |= names_of(constant)
    return found


def load_source(context: Context) -> set[str]:
    """Run the generated text in the context's namespace, all its names bound; return the names."""
    code = compile(context.program.source, USER_STAGE, "exec")
    names = names_of(code)
    namespace = context.namespace
    for name in names:
        if not name.startswith("_") or name in namespace:
            continue
        value = resolve(context, name)
        if value is not None:
            namespace[name] = value
    exec(code, namespace)
    return names


def resolve(context: Context, name: str) -> Any:
    """What a name of the generated code stands for, or None."""
    found = CONSTANTS.get(name)
    if found is not None:
        return found
    where = PLAIN.get(name)
    if where is not None:
        module = __import__(f"{__package__}.{where[0]}", None, None, (where[1],))
        return getattr(module, where[1])
    if name.startswith("_b_"):
        from .functions import body

        return body(name[3:], context)
    return _bound(context, name)
