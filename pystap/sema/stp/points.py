"""Pass 2: probe points -> events. Aliases of the script and of the tapset are expanded.

Adds `unit.probes`: one `Derived` for each event, with the blocks that run at it in order.
"""

from __future__ import annotations

from ...diag import CompileError, Diagnostic, did_you_mean, fail
from ...lang.stp import ast
from ...probes.base import KINDS, Env, has_glob, point_text, resolve
from .added import use
from .library import ALIASES, alias_scope
from .overlap import together
from .symbols import Derived

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...probes.base import Resolved
    from ...source import Span
    from .symbols import FileScope
    from .unit import Unit

    Parts = tuple[ast.Component, ...]
    Match = tuple[FileScope, ast.Alias, Parts, ast.ProbePoint]  # the rest behind the alias's name, and that

DEEPEST = 32
_NONE = "this probe point is optional, and not there: the handler could never run"


def run(unit: Unit) -> None:
    """Resolve every probe of the script."""
    probes = unit.file.probes
    add_probes(unit, unit.scope)
    unit.probes = together(unit.probes, lambda derived, name: _of_one(unit, derived, name))
    _missing(unit)
    if not unit.probes and not unit.bag.errors:
        words = "no probe point of the script is there" if probes else "the script has no probe"
        unit.bag.error("E306", words, unit.file.span if probes else None, "write: probe begin { ... }")


def _missing(unit: Unit) -> None:
    """Tell of handlers with optional points that aren't there: an error when no probe of the script is."""
    for words, span in unit.missing:
        if unit.probes:
            unit.bag.warn("W307", words, span)
        else:
            unit.bag.error("E307", words, span)


def add_probes(unit: Unit, scope: FileScope) -> list[Derived]:
    """Resolve the probes of a file and add them to the unit's."""
    added = []
    for probe in scope.file.probes:
        before = len(unit.bag.errors)
        found = _resolve_list(unit, scope, probe.points, (), None, 0)
        if not found and not scope.library and len(unit.bag.errors) == before:
            words = (
                "none of the optional probe points of this list is there" if len(probe.points) > 1 else _NONE
            )
            unit.missing.append((words, probe.points[0].span.to(probe.points[-1].span)))
        for derived in found:
            derived.parts += [(scope, probe.body), *derived.epilogues]
            added += _split(derived)
    unit.probes += added
    return added


def _split(derived: Derived) -> list[Derived]:
    """Return the handlers that one of many functions becomes, for what it reads of them."""
    from .prologue import names_of

    split = derived.resolved.split
    if split is None:
        return [derived]
    return [_copied(derived, resolved, derived.components) for resolved in split(names_of(derived))]


def _copied(derived: Derived, resolved: object, components: Parts) -> Derived:
    """Return a handler of the same blocks for another event."""
    one = Derived(derived.point, resolved)  # type: ignore[arg-type]
    one.components = components
    one.parts, one.epilogues = list(derived.parts), list(derived.epilogues)
    one.conditions = list(derived.conditions)
    return one


def _of_one(unit: Unit, derived: Derived, name: str) -> list[Derived]:
    """Return what a pattern's handler is with one function's name in the pattern's place."""
    parts = tuple(c.replace(arg=name) if c.name == "function" else c for c in derived.components)
    try:
        found = [
            _copied(derived, resolved, parts) for resolved in _resolve_kind(unit, parts, derived.span, False)
        ]
        return [one for each in found for one in _split(each)]
    except CompileError:
        return []


def _resolve_list(
    unit: Unit,
    scope: FileScope,
    points: tuple[ast.ProbePoint, ...],
    rest: Parts,
    user: ast.ProbePoint | None,
    depth: int,
) -> list[Derived]:
    """Resolve a list of points, each with `rest` behind it; `user` is the script's point, None at the top."""
    out: list[Derived] = []
    for point in points:
        parts = point.components + rest
        try:
            found = _resolve(unit, parts, user or point, depth)
        except CompileError as error:
            if not point.optional and not point.sufficient:
                if user is not None:
                    raise _told_at(user, error.diagnostic) from None
                unit.bag.add(error.diagnostic)
            elif error.diagnostic.code.startswith("E4") and user is None:
                unit.bag.warn("W304", f"left out: {error.diagnostic.message}", error.diagnostic.span)
            continue
        if point.condition is not None:
            for derived in found:
                derived.conditions.append((scope, point.condition))
        out += found
        if point.sufficient and found:
            break
    if not out and user is not None:
        raise fail("E307", f"nothing that '{point_text(user.components)}' stands for is there", user.span)
    return out


def _told_at(user: ast.ProbePoint, what: Diagnostic) -> CompileError:
    """Return an error of what an alias is made of, at the script's own point."""
    if what.span is None or what.span.source is user.span.source:
        return CompileError(what)
    moved = Diagnostic(what.code, what.message, user.span, notes=what.notes, hints=what.hints)
    return CompileError(moved)


def _resolve(unit: Unit, parts: Parts, user: ast.ProbePoint, depth: int) -> list[Derived]:
    if depth > DEEPEST:
        raise fail("E308", f"the alias '{point_text(parts)}' is made of itself", user.span)
    matches = _script_matches(unit, parts)
    if not matches or any(has_glob(p.name) for p in parts):
        matches += _library_matches(unit, parts)
    if not matches:
        return [_derive(unit, user, parts, r) for r in _resolve_kind(unit, parts, user.span)]
    out: list[Derived] = []
    absent: Diagnostic | None = None
    for place, alias, rest, name in matches:
        try:
            found = _resolve_list(unit, place, alias.points, rest, user, depth + 1)
            if depth == 0 and any(has_glob(p.name) for p in parts):
                for derived in found:
                    derived.called = point_text(name.components + rest)
        except CompileError as error:
            if len(matches) == 1:
                raise
            absent = absent or error.diagnostic
            continue
        for derived in found:
            if alias.prologue is not None:
                derived.parts.append((place, alias.prologue))
            if alias.epilogue is not None:
                derived.epilogues.insert(0, (place, alias.epilogue))
        out += found
    if not out and absent is not None:
        words = f"nothing that '{point_text(parts)}' stands for is there: {absent.message}"
        raise fail("E307", words, user.span, *absent.hints)
    return out


def _derive(unit: Unit, user: ast.ProbePoint, parts: Parts, resolved: Resolved) -> Derived:
    derived = Derived(user, resolved)
    derived.components = parts
    for code, words, hint in derived.resolved.notes:
        if all(d.message != words for d in unit.bag.items):
            unit.bag.warn(code, words, user.span, *filter(None, (hint,)))
    return derived


def _resolve_kind(unit: Unit, parts: Parts, span: Span, copies: bool = True) -> list[Resolved]:
    try:
        options = unit.options
        env = Env(unit.target, span, options.standins, lambda: _stacks(unit), options.attach)
        env.copies = copies
        return list(resolve(parts, env))
    except CompileError as error:
        diagnostic = error.diagnostic
        if diagnostic.code == "E301" and parts[0].name not in KINDS:
            raise CompileError(_unknown(unit, parts)) from None
        if diagnostic.code == "E301" and (below := _below(unit, parts)):
            diagnostic.hints += (below,)
        raise


_STACKS = frozenset(
    f"{prefix}{word}"
    for prefix in ("", "print_", "sprint_")
    for word in (
        "backtrace",
        "backtrace_fileline",
        "stack",
        "syms",
        "caller",
        "caller_addr",
        "callers",
        "stackn",
    )
)


def _stacks(unit: Unit) -> bool:
    """Say whether the script calls a function that shows the kernel's stack."""
    nodes = (n for decl in unit.file.decls for n in ast.walk(decl))
    return any(isinstance(n, ast.Call) and n.name in _STACKS for n in nodes)


def _unknown(unit: Unit, parts: Parts) -> Diagnostic:
    """Return the error for a point that neither an alias nor a kind has."""
    text = point_text(parts)
    dotted = ".".join(p.name for p in parts)
    ours = [".".join(c.name for c in name.components) for name, _ in unit.scope.aliases]
    ours += unit.added.names()
    near = did_you_mean(dotted, (*ours, *ALIASES))
    hint = f"did you mean '{near}'?" if near else _below(unit, parts)
    if not hint:
        near = did_you_mean(parts[0].name, (*KINDS, *{a.partition(".")[0] for a in (*ours, *ALIASES)}))
        hint = (
            f"did you mean '{near}'?"
            if near
            else "pystap --dump-probe-types and --dump-probe-aliases list them"
        )
    return Diagnostic("E301", f"unknown probe point '{text}'", parts[0].span, hints=(hint,))


SHOWN = 12  # names in a hint


def _below(unit: Unit, parts: Parts) -> str:
    """Return a hint: the aliases that begin with as many of a point's words as any does; "" if none begins so."""
    names = [p.name for p in parts if not has_glob(p.name)]
    known = {".".join(c.name for c in name.components) for name, _ in unit.scope.aliases}
    known |= {*unit.added.names(), *ALIASES}
    for end in range(len(names), 0, -1):
        start = ".".join(names[:end]) + "."
        below = [one for one in known if one.startswith(start) and "._" not in one]
        found = sorted(one for one in below if not one.endswith(".return")) or sorted(below)
        if found:
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            return f"there are {', '.join(found[:SHOWN])}{more}"
    return ""


def _script_matches(unit: Unit, parts: Parts) -> list[Match]:
    """Return the aliases of the script, and those of the user's own tapset."""
    out: list[Match] = []
    for scope in (unit.scope, *unit.added.scopes):
        for name, alias in scope.aliases:
            rest = _match(tuple((c.name, c.arg) for c in name.components), parts)
            if rest is not None:
                out.append((use(unit, scope) if scope is not unit.scope else scope, alias, rest, name))
    return out


def _library_matches(unit: Unit, parts: Parts) -> list[Match]:
    names = [p.name for p in parts]
    if not any(has_glob(n) for n in names):
        for end in range(len(names), 0, -1):
            dotted = ".".join(names[:end])
            if dotted in ALIASES and all(p.arg is None for p in parts[:end]):
                return _named(unit, dotted, parts[end:])
        return []
    if names[0] in KINDS and not any(a.startswith(names[0] + ".") for a in ALIASES):
        return []
    out: list[Match] = []
    for dotted in ALIASES:
        rest = _match(tuple((word, None) for word in dotted.split(".")), parts)
        if rest is not None:
            out += _named(unit, dotted, rest)
    return out


def _named(unit: Unit, dotted: str, rest: Parts) -> list[Match]:
    scope = alias_scope(unit, dotted)
    return [
        (scope, alias, rest, name)
        for name, alias in scope.aliases
        if ".".join(c.name for c in name.components) == dotted
    ]


def _match(name: tuple[tuple[str, int | str | None], ...], parts: Parts) -> Parts | None:
    """Return what is left of the components when the first ones match an alias's name, else None."""
    if len(parts) >= 1 and parts[0].name == "**":
        return parts[1:] if len(parts) == 1 else None
    if len(parts) < len(name):
        last = parts[-1]
        if last.name != "**" or not _same(name[: len(parts) - 1], parts):
            return None
        return ()
    if parts[len(name) - 1].name == "**" and len(parts) > len(name):
        return None
    return parts[len(name) :] if _same(name, parts) else None


def _same(name: tuple[tuple[str, int | str | None], ...], parts: Parts) -> bool:
    for (word, arg), part in zip(name, parts, strict=False):
        if part.name != word:
            if not has_glob(part.name):
                return False
            from fnmatch import fnmatchcase

            if not fnmatchcase(word, part.name.replace("**", "*")):
                return False
        if part.arg != arg:
            return False
    return True
