"""What is in functions: their inlined copies, what they call, their labels. It needs the kernel's debug information.

parts_of(wanted, env, suffix)      the events of function(...).inline, .callee("g"), .callees and .label("l")
"""

from __future__ import annotations

from ...debuginfo import DebugInfoError
from ...diag import CompileError, fail
from ..base import Env, Resolved, bare, has_glob, number_of, wrong_argument
from .callee import calls
from .lines import Place, arch_of, info_of, readable, resolved_at, together
from .names import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...debuginfo import DebugInfo, Function
    from ..base import Part
    from . import Wanted


def inline(wanted: Wanted, env: Env, info: DebugInfo, functions: list[Function]) -> list[Resolved]:
    """Return the events of function(...).inline: one at each place where a copy of the function begins."""
    out = []
    for function in functions:
        for spot in info.inlined(function):
            text = text_of(wanted, f"{function.name}@{function.file}:{function.line}", ".inline")
            out.append(resolved_at(info, env, wanted.module, spot, text, "function"))
            out[-1].context.copy_in = spot.within
    return out


def text_of(wanted: Wanted, place: str, suffix: str) -> str:
    """Return what pp() gives at a place in functions."""
    before = wanted.text.partition(".function(")[0]
    return f'{before}.function("{place}"){suffix}'


def parts_of(wanted: Wanted, env: Env, suffix: Part) -> list[Resolved]:
    """Return the events of function(...).inline, .callee("g"), .callees and .label("l")."""
    with readable(wanted.part.span):
        return _inside(wanted, env, suffix)


def _inside(wanted: Wanted, env: Env, suffix: Part) -> list[Resolved]:
    argument = _argument(suffix)
    depth = suffix.arg if isinstance(suffix.arg, int) else 1
    place = Place(str(wanted.part.arg), wanted.part.span)
    called: list[Resolved] = []
    if suffix.name == "callee" and not has_glob(argument):
        called = calls(wanted, env, argument, wanted.returns)
        if wanted.called or (called and _lacking(env, wanted.module)):
            return _only_calls(wanted, env, argument, called)
    info = info_of(env, wanted.module, place.span, place)
    try:
        functions = place.functions(info)
    except CompileError:
        if not called or wanted.file or not has_glob(wanted.name):
            raise
        return _only_calls(wanted, env, argument, called, "of a pattern without a file")
    if suffix.name == "inline":
        out = inline(wanted, env, info, functions)
        if not out:
            words = f"'{functions[0].name}' is inlined nowhere in this kernel: it has code of its own only"
            plain = wanted.text.removesuffix(".inline")
            raise fail("E304", words, place.span, f"{plain}.call probes that")
    elif suffix.name == "label":
        out = _labels(wanted, env, info, functions, argument)
    else:
        out = called + _callees(wanted, env, info, functions, (argument, depth), bool(called))
    info.save()
    if len(out) > env.most:
        raise fail("E309", f"{len(out)} places match '{wanted.text}', more than {env.most}", place.span)
    return together(out, wanted.text)


def _argument(suffix: Part) -> str:
    """Return the name or pattern that a suffix takes."""
    if suffix.name == "inline":
        bare(suffix)
    elif suffix.name == "callees":
        if suffix.arg is not None:
            number_of(suffix)
    elif not isinstance(suffix.arg, str):
        raise wrong_argument(suffix, f'needs a name: {suffix.name}("name")')
    return suffix.arg if isinstance(suffix.arg, str) else "*"


def _labels(
    wanted: Wanted, env: Env, info: DebugInfo, functions: list[Function], pattern: str
) -> list[Resolved]:
    from fnmatch import fnmatchcase

    out, known = [], []
    for function in functions:
        for name, spots in info.labels(function).items():
            known.append(name)
            if fnmatchcase(name, pattern):
                where = f"{function.name}@{function.file}:{spots[0].line}"
                text = text_of(wanted, where, f'.label("{name}")')
                out += [resolved_at(info, env, wanted.module, spot, text, "function") for spot in spots]
    if not out:
        there = f"its labels with code: {', '.join(known)}" if known else "it has no label with code"
        raise fail("E304", f"'{functions[0].name}' has no label '{pattern}'", wanted.part.span, there)
    return out


def _lacking(env: Env, module: str) -> bool:
    """Say whether there is no debug information that can be read."""
    try:
        return env.target.debuginfo is None or env.target.debuginfo(module) is None
    except DebugInfoError:
        return True


def _only_calls(
    wanted: Wanted, env: Env, name: str, called: list[Resolved], why: str = "without debug information"
) -> list[Resolved]:
    """Return the calls of a function that has code of its own; CompileError where it has none."""
    if not called:
        find(wanted, env)  # says what is wrong with the caller
        arch_of(env, wanted.part.span)
        words = f"'{name}' has no code of its own that '{wanted.name}' could call, or none that can be traced"
        raise fail("E304", words, wanted.part.span, f'.callee("{name}") alone probes what is inlined')
    if not wanted.called:
        words = f"where '{name}' is inlined in '{wanted.name}' isn't known {why}: its calls are probed"
        called[0].notes += (("W302", words, ""),)
    return called


def _callees(
    wanted: Wanted, env: Env, info: DebugInfo, functions: list[Function], what: tuple[str, int], others: bool
) -> list[Resolved]:
    """What is inlined; of functions with code of their own `callee.calls` tells."""
    out = []
    pattern, depth = what
    for function in functions:
        for name, spot in info.callees(function, pattern, depth):
            text = text_of(wanted, f"{function.name}@{function.file}:{function.line}", f'.callee("{name}")')
            out.append(resolved_at(info, env, wanted.module, spot, text, "function"))
    if not out and not others:
        words = f"nothing that is inlined in '{functions[0].name}' matches '{pattern}'"
        hint = '.callee("name"), a whole name, probes the calls of a function with code of its own'
        raise fail("E304", words, wanted.part.span, hint)
    return out
