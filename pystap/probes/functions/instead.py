"""Functions on a kernel that can probe none: stand-ins, and system calls for the functions that they enter."""

from __future__ import annotations

from ...btf.kinds import G_FUNC
from ...diag import did_you_mean, fail
from ...ir.nodes import Event
from ..base import Context, Env, Resolved, Variable, glob_filter, has_glob
from ..compat import RENAMED
from ..standins import lookup
from ..standins.resolve import is_here, numbers, warning
from ..standins.resolve import resolve as stand_in
from ..syscall_numbers import X86_64
from .files import check, point

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..standins import StandIn
    from . import Wanted

PREFIX = "__x64_sys_"
LACKS = "this kernel can't probe functions: it has neither kprobes nor fentry"
_DIFFERS = "of the functions there, only those that system calls enter are seen, and as system calls"


def resolve(wanted: Wanted, env: Env) -> list[Resolved]:
    """Return the events that stand in; CompileError when nothing does."""
    if wanted.module:
        return [_one(wanted, env)]
    if has_glob(wanted.name):
        return [_pattern(wanted, env)]
    if wanted.name.startswith(PREFIX):
        made = _calls(wanted, env, [wanted.name.removeprefix(PREFIX)])
        if wanted.file:
            made.notes += check(wanted, env, wanted.name)
        return [made]
    return [_one(wanted, env)]


def _one(wanted: Wanted, env: Env) -> Resolved:
    found: StandIn | None = None
    for name in (wanted.name, *RENAMED.get(wanted.name, ())):
        found = lookup(name, wanted.returns, env.stacks(), lambda one: is_here(one, env))
        if found is not None:
            break
    if found is None:
        raise _nothing(wanted, env, f"'{wanted.name}'")
    if not env.standins:
        raise fail(
            "E304",
            f"{LACKS}, and stand-ins are switched off (--no-standins)",
            wanted.part.span,
            f"'{wanted.name}' could be probed by {found.words}",
        )
    made = stand_in(found, env, wanted.text)
    if wanted.file:
        made.notes += check(wanted, env, name)
    made.context.place = lambda: point(wanted, env, name, wanted.module)
    return made


def _nothing(wanted: Wanted, env: Env, what: str) -> Exception:
    btf = env.target.btf
    span = wanted.part.span
    name = wanted.name
    if not has_glob(name) and btf.find_func(name) is None and not wanted.module:
        near = did_you_mean(name, btf.names(G_FUNC, name[:2] + "*"))
        known = [f"did you mean '{near}'?"] if near else []
        return fail("E304", f"this kernel has no function '{name}'", span, *known)
    other = lookup(name, not wanted.returns)
    hints: tuple[str, ...] = ('a tracepoint may tell the same: kernel.trace("*") lists them with pystap -l',)
    if other is not None:
        point = "its entry" if wanted.returns else "its return (.return)"
        hints = (f"{point} has a stand-in", *hints)
    return fail("E304", f"{LACKS}, and nothing stands in for {what}", span, *hints)


def _pattern(wanted: Wanted, env: Env) -> Resolved:
    """A glob: the functions among them that system calls enter."""
    known: tuple[str, ...] = tuple(X86_64)
    if wanted.file:
        known = _calls_of(wanted, env)
    elif not wanted.name.startswith(("__x64_", "sys_")):
        known = ()  # a pattern over the whole kernel means more than its system calls
    names = [n for n in known if glob_filter(wanted.name, (PREFIX + n,)) and n in X86_64]
    if not names:
        raise _nothing(wanted, env, f"the functions of '{wanted.part.arg}'")
    return _calls(wanted, env, names)


def _calls_of(wanted: Wanted, env: Env) -> tuple[str, ...]:
    """Return the system calls of the source files that the probe point names."""
    from ...codeindex import functions_of, match_files
    from .files import unknown_file

    if not match_files(wanted.file):
        raise unknown_file(wanted)
    there = functions_of(wanted.file, env.target.release)
    return tuple(name.removeprefix(PREFIX) for name, _ in there if name.startswith(PREFIX))


def _calls(wanted: Wanted, env: Env, names: list[str]) -> Resolved:
    if not names or names[0] not in X86_64:
        near = did_you_mean(names[0], X86_64)
        raise fail(
            "E304",
            f"this kernel has no function '{wanted.name}'",
            wanted.part.span,
            *([f"did you mean '{PREFIX}{near}'?"] if near else []),
        )
    if not env.standins:
        words = f"{LACKS}, and stand-ins are switched off (--no-standins)"
        raise fail("E304", words, wanted.part.span, "syscall.* probes system calls")
    ret = wanted.returns
    one = names[0] if len(names) == 1 else ""
    before, _, behind = wanted.text.partition(wanted.name)
    around = {} if one else {"ppfunc": (PREFIX, ""), "pp": (before + PREFIX, behind)}
    variables = [Variable("return", "sys_ret")] if ret else []
    context = Context(
        f"stand-in of {wanted.part.arg}",
        variables,
        name=PREFIX + one if one else "",
        function=PREFIX + one if one else "",
        provider="kernel",
        returns=ret,
        of_call=around,
    )
    event = Event("sys_exit" if ret else "sys_enter", "", {"numbers": numbers(names, env)})
    differs = _DIFFERS if not one else "calls that the kernel makes itself aren't seen"
    shown = ", ".join(names[:4]) + (f", ... ({len(names)} in all)" if len(names) > 4 else "")
    note = warning(str(wanted.part.arg), f"the system calls {shown}", differs)
    return Resolved(event, wanted.text, context, "standin", None, (), (note,))
