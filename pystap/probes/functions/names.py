"""Which functions a probe point means: by name, by pattern, by source file, in the kernel or in modules.

    find(wanted, env) -> (functions, notes)     CompileError says what there is instead

Patterns leave out what can't be traced. A name stands for all functions that have it, and for the compiler's copies.
"""

from __future__ import annotations

from ...btf.kinds import G_FUNC
from ...codeindex import files_of, functions_of, inlined_in, modules_of
from ...diag import did_you_mean, fail
from ...node import Node
from ..base import Env, glob_filter, has_glob
from ..compat import note, renamed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ...btf import Btf
    from ...btf.types import FuncProto
    from . import Wanted

    Notes = tuple[tuple[str, str, str], ...]


class Function(Node):
    """One function: its module ("": the kernel), its name, the symbol of its code."""

    module: str
    name: str
    symbol: str


def proto_of(env: Env, function: Function, *, alias: bool = True) -> FuncProto | None:
    """Return what BTF says of a function, None if nothing. alias: what it says of another name of the same code will do."""
    from ...btf import types as t

    btf = types_of(env, function.module)
    if btf is None:
        return None
    func = btf.find_func(function.name)
    if func is None and alias:
        other = first_name(env, function)
        func = btf.find_func(other) if other else None
    kind = func.type if func is not None else None
    return kind if isinstance(kind, t.FuncProto) else None


def first_name(env: Env, function: Function) -> str:
    """Return the name that the kernel itself has for a function's code, where that is another one (an alias), else ""."""
    known = env.target.functions
    if function.module or known is None or known.table is None:
        return ""
    return str(known.table.aliases().get(function.symbol, "")).partition(".")[0]


def why_untyped(env: Env, function: Function) -> str:
    """Return why nothing is known of a function's parameters, "" where it is."""
    if proto_of(env, function) is not None:
        return ""
    if env.target.untyped:
        return f"this kernel has no type information (BTF): {env.target.untyped}"
    return "this kernel's type information (BTF) doesn't have this function"


def types_of(env: Env, module: str) -> Btf | None:
    """Return the types of the kernel, or of a module."""
    if not module:
        btf: Btf = env.target.btf
        return btf
    return env.target.module(module) if env.target.module is not None else None


def find(wanted: Wanted, env: Env) -> tuple[list[Function], Notes]:
    """Return the functions, at least one, sorted."""
    known = env.target.functions
    if wanted.module and known is None:
        raise fail("E401", f"not supported here: functions of modules ({wanted.text})", wanted.part.span)
    if wanted.module:
        require_module(wanted.module, known, wanted)
    if has_glob(wanted.name):
        found = matching(wanted, env)
        notes: Notes = ()
    else:
        found, notes = _named(wanted, env, known)
        if wanted.file:
            from .files import check

            notes += check(wanted, env, found[0].name)
    if wanted.exported:
        found = [f for f in found if known is not None and known.exported(f.name)]
    if not found:
        raise _no_match(wanted, known)
    return found, notes


# -- modules


def require_module(module: str, known: Any, wanted: Wanted) -> None:
    """Raise CompileError unless there are modules of that name, loaded or not."""
    if has_glob(module):
        if not known.modules(module):
            raise fail("E304", f"no module of this kernel matches '{module}'", wanted.part.span)
        return
    if known.modules(module):
        return
    near = did_you_mean(module, known.known_modules())
    hints = [f"did you mean '{near}'?"] if near else []
    if known.built_in(module):
        words = f"'{module}' is no module of this kernel, but part of it"
        raise fail("E304", words, wanted.part.span, f'kernel.function("{wanted.part.arg}") probes it')
    raise fail("E304", f"this kernel has no module '{module}'", wanted.part.span, *hints)


# -- patterns


def matching(wanted: Wanted, env: Env) -> list[Function]:
    """Return the functions that a pattern matches, maybe none."""
    known = env.target.functions
    if known is None:
        names = env.target.btf.names(G_FUNC, wanted.name)
        found = [Function("", n, n) for n in names]
    else:
        found = [Function(*one) for one in known.matching(wanted.name, wanted.module, _of_file(wanted, env))]
    if (
        not wanted.module and not found and (known is None or known.table is None)
    ):  # the kernel hides its symbols
        found = [Function("", n, n) for n in env.target.btf.names(G_FUNC, wanted.name)]
    if wanted.file:
        from .files import of_file

        return of_file(wanted, env, found)
    return found


def _of_file(wanted: Wanted, env: Env) -> frozenset[str] | None:
    """Return the names of the functions in the files that the probe point names; None without a file."""
    if not wanted.file:
        return None
    return frozenset(name for name, _ in functions_of(wanted.file, env.target.release))


def _no_match(wanted: Wanted, known: Any) -> Exception:
    where = f"module '{wanted.module}'" if wanted.module else "this kernel"
    what = f"'{wanted.part.arg}'"
    hints: Iterable[str] = ()
    if wanted.exported:
        words = f"no function of {where} that matches {what} is exported, or none of these can be traced"
        return fail("E304", words, wanted.part.span, "without .exported the others are probed, too")
    if wanted.file and glob_filter(wanted.name, ("x",)):
        hints = ("a pattern without '@file' goes by the functions' names alone",)
    closed = _closed(wanted, known)
    if closed:
        words = f"what matches {what} in {where} can't be traced: {closed}"
        return fail("E304", words, wanted.part.span)
    return fail(
        "E304", f"no function of {where} matches {what}, or none can be traced", wanted.part.span, *hints
    )


def _closed(wanted: Wanted, known: Any) -> str:
    """Return which functions match a pattern though none can be traced, and why the first can't; "" if none matches."""
    if known is None or known.table is None or wanted.file or wanted.module:
        return ""
    names = sorted({symbol for _, symbol, _ in known.table.functions(wanted.name) if "." not in symbol})
    if not names:
        return ""
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    why = next(filter(None, map(known.why_not, names)), "")
    return f"{shown} ({why})" if why else shown


# -- single names


def _named(wanted: Wanted, env: Env, known: Any) -> tuple[list[Function], Notes]:
    name = wanted.name
    notes: Notes = ()
    if not wanted.module:
        name = renamed(name, lambda word: _exists(env, known, word))
        if name != wanted.name:
            notes = (note(wanted.name, name),)
    if known is None or known.table is None:  # no symbols: types alone tell what there is
        if env.target.btf.find_func(name) is None:
            raise unknown(wanted, env, known)
        return [Function("", name, name)], notes
    found = [Function(*one) for one in known.copies(name, wanted.module)]
    if not found and wanted.module:
        name = renamed(name, lambda word: bool(known.copies(word, wanted.module)))
        if name != wanted.name:
            notes = (note(wanted.name, name),)
            found = [Function(*one) for one in known.copies(name, wanted.module)]
    if not found:
        raise unknown(wanted, env, known, name)
    if not wanted.module and all(f.symbol == name for f in found):
        why = known.why_not(name)
        if why:
            raise fail("E304", f"the function '{name}' can't be traced: {why}", wanted.part.span)
    return found, notes


def _exists(env: Env, known: Any, name: str) -> bool:
    """Whether the kernel has a function, by its types; where there are none, by its symbols."""
    if env.target.untyped:
        return known is not None and bool(known.copies(name))
    return env.target.btf.find_func(name) is not None


def unknown(wanted: Wanted, env: Env, known: Any, name: str = "") -> Exception:
    """Return the error for a name that no code of the kernel, or of the module, has."""
    from .inlined import holders, inlined_only

    span = wanted.part.span
    where = f"the module '{wanted.module}'" if wanted.module else "this kernel"
    name = name or wanted.name
    btf = types_of(env, wanted.module)
    typed = btf is not None and not has_glob(wanted.module) and btf.find_func(name) is not None
    known_in = inlined_in(name) or (files_of(name, wanted.module) if typed else ())
    if typed or known_in:
        file = known_in[0] if known_in else ""
        return inlined_only(wanted, name, where, file, holders(wanted, env, name, file))
    elsewhere = (
        sorted({owner for owner, _, _ in known.copies(name, "" if wanted.module else "*")}) if known else []
    )
    if elsewhere:
        point = (
            f'kernel.function("{name}")' if wanted.module else f'module("{elsewhere[0]}").function("{name}")'
        )
        return fail("E304", f"{where} has no function '{name}'", span, f"there is {point}")
    owner = next((m for m in modules_of(name) if m != wanted.module and known and known.modules(m)), "")
    if owner:
        hint = f'there is module("{owner}").function("{name}")'
        return fail("E304", f"{where} has no function '{name}'", span, hint)
    others = files_of(name)
    inlined = holders(wanted, env, name, others[0] if others else "")
    if inlined:
        return inlined_only(wanted, name, where, others[0] if others else "", inlined)
    if others:
        hint = f"other kernels have it in {others[0]}: here it is inlined, or isn't built"
        return fail("E304", f"{where} has no function '{name}'", span, hint)
    if known is not None and known.table is not None:
        near = did_you_mean(name, known.near(name, wanted.module))
    else:
        near = did_you_mean(name, env.target.btf.names(G_FUNC, name[:2] + "*"))
    hints = (f"did you mean '{near}'?",) if near else _maybe_inlined(wanted, env)
    return fail("E304", f"{where} has no function '{name}'", span, *(_spelled(name) or hints))


def _maybe_inlined(wanted: Wanted, env: Env) -> tuple[str, ...]:
    """Return hints for a name that only debug information could tell of, where there is none: most headers' functions."""
    target = env.target
    if target.no_debuginfo is None or (target.features is not None and not target.features("kprobe")):
        return ()
    if target.debuginfo is not None and target.debuginfo(wanted.module) is not None:
        return ()
    how = target.no_debuginfo(wanted.module)
    words = "one that is inlined wherever it is called is known by debug information alone"
    return (f"{words}: {how[0]}" if how else words,)


def _spelled(name: str) -> tuple[str, ...]:
    """Return hints for a name that is spelled as elsewhere."""
    module, colon, function = name.partition(":")
    if colon and module and function:
        return (
            f'functions of modules are module("{module}").function("{function}"), lines are "function@file:line"',
        )
    if "{" in name:
        return ('patterns have *, ? and [..]; braces stand outside: kernel.{function("a"), function("b")}',)
    return ()
