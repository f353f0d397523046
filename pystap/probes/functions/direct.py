"""Functions of a kernel that can probe them: fentry and fexit where they are, else kprobes and kretprobes.

fexit has the arguments and the returned value, kretprobes the value alone. env.attach forces a rung: "fentry", "kprobe"
or "standin".
"""

from __future__ import annotations

from ...btf import types as t
from ...btf.kinds import G_FUNC
from ...btf.layout import argument_words
from ...diag import did_you_mean, fail
from ...ir.nodes import Event
from ..base import HIDDEN, Context, Env, Resolved, Variable, glob_filter, has_glob
from ..compat import BY_POINTER, note, renamed
from ..kernel import value_of
from ..standins import lookup
from ..standins.resolve import resolve as stand_in
from .instead import FILES, PREFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...btf import Btf
    from . import Wanted

    Notes = tuple[tuple[str, str, str], ...]

MOST = 64  # functions of one pattern: each is a program of its own
REGISTERS = 6  # arguments that a kprobe sees


def resolve(wanted: Wanted, env: Env) -> list[Resolved]:
    """Return the events, one for each function."""
    if wanted.module:
        raise fail("E401", f"not supported yet: functions of modules ({wanted.text})", wanted.part.span)
    btf: Btf = env.target.btf
    notes: Notes = ()
    if has_glob(wanted.name):
        names = _matching(wanted, btf)
    else:
        name = renamed(wanted.name, lambda word: btf.find_func(word) is not None)
        if name != wanted.name:
            notes = (note(wanted.name, name),)
        if btf.find_func(name) is None and not (env.target.code is not None and env.target.code(name)):
            raise _unknown(wanted, btf)
        names = [name]
    return [_placed(wanted, env, name, notes) for name in names]


def _placed(wanted: Wanted, env: Env, name: str, notes: Notes) -> Resolved:
    """Return the event of a function, where its code is: the compiler may have made a copy under another name."""
    code = env.target.code(name) if env.target.code is not None else [name]
    typed = env.target.btf.find_func(name) is not None
    if name in code and typed:
        return _event(wanted, env, name, name, notes)
    if not code:
        words = f"the function '{name}' has no code of its own in this kernel: it is part of its callers"
        raise fail("E304", words, wanted.part.span)
    if not env.attach and env.standins:
        one = lookup(name, wanted.returns)
        if one is not None and one.exact:
            made = stand_in(one, env, wanted.text_of(name))
            what = f"is '{code[0]}' on this kernel" if typed else "has no types on this kernel"
            words = f"'{name}' {what}: it is probed by {one.words} instead"
            made.notes = (*notes, ("W301", words, f"what differs: {one.differs}"))
            return made
    if code[0] != name:
        notes = (*notes, note(name, code[0]))
    return _event(wanted, env, name, code[0], notes)


def _matching(wanted: Wanted, btf: Btf) -> list[str]:
    if wanted.file:
        calls = next((FILES[f] for f in FILES if f == wanted.file or f.endswith("/" + wanted.file)), None)
        if calls is None:
            words = f"not supported yet: the functions of a source file ({wanted.text})"
            raise fail("E401", words, wanted.part.span)
        known: Sequence[str] = [PREFIX + c for c in calls if btf.find_func(PREFIX + c) is not None]
        names = glob_filter(wanted.name, known)
    else:
        names = btf.names(G_FUNC, wanted.name)
    if not names:
        raise fail("E304", f"no function of this kernel matches '{wanted.part.arg}'", wanted.part.span)
    if len(names) > MOST:
        words = f"not supported yet: {len(names)} functions of one pattern, more than {MOST}"
        raise fail("E401", words, wanted.part.span)
    return names


def _unknown(wanted: Wanted, btf: Btf) -> Exception:
    near = did_you_mean(wanted.name, btf.names(G_FUNC, wanted.name[:2] + "*"))
    hints = (f"did you mean '{near}'?",) if near else ()
    return fail("E304", f"this kernel has no function '{wanted.name}'", wanted.part.span, *hints)


def rung(env: Env, returns: bool, rungs: tuple[str, ...]) -> str:
    """Return the kind of event that functions are probed by: the first rung that there is."""
    features = env.target.features
    assert features is not None
    names = {"fentry": "fexit" if returns else "fentry", "kprobe": "kretprobe" if returns else "kprobe"}
    for kind in rungs:
        if (env.attach or kind) == kind and features(names[kind]):
            return names[kind]
    what = names.get(env.attach, "functions")
    if features(names.get(env.attach, "kprobe")):
        words = f"{what} can attach neither to a function without types nor to the compiler's copy of one"
        raise fail("E309", words, env.span, "--attach=kprobe can")
    raise fail("E309", f"this kernel can't attach by {what}, which --attach={env.attach} asks for", env.span)


def _event(wanted: Wanted, env: Env, name: str, symbol: str, notes: Notes) -> Resolved:
    func = env.target.btf.find_func(name)
    proto = func.type if func is not None else None
    known = isinstance(proto, t.FuncProto)
    kind = rung(env, wanted.returns, ("fentry", "kprobe") if symbol == name and known else ("kprobe",))
    variables: list[Variable] = []
    if kind != "kretprobe" and isinstance(proto, t.FuncProto):
        words = argument_words(proto)
        most = REGISTERS if kind == "kprobe" else words[-1]
        for n, param in enumerate(proto.params):
            if words[n] < words[n + 1] <= most:
                variables.append(value_of(param.name or f"arg{n + 1}", words[n], param.type))
        variables += _by_pointer(variables)
    if wanted.returns and isinstance(proto, t.FuncProto) and not isinstance(proto.type, t.Void):
        variables.append(value_of("return", argument_words(proto)[-1], proto.type))
    context = Context(
        f"function {name}",
        variables,
        name=name,
        function=name,
        provider="kernel",
        returns=wanted.returns,
    )
    event = Event(kind, symbol, {"ret": True} if wanted.returns else None)
    return Resolved(event, wanted.text_of(name), context, "function", _prologue(variables), (), notes)


def _by_pointer(variables: list[Variable]) -> list[Variable]:
    """Return the old names of parameters that are handed over by their place today."""
    have = {v.name: v for v in variables}
    out = []
    for old, new in BY_POINTER.items():
        if old not in have and new in have:
            place = have[new].type
            holder = place.type if isinstance(place, t.Ptr) else None
            out.append(Variable(old, "local", HIDDEN + old, holder))
    return out


def _prologue(variables: list[Variable]) -> Callable[[set[str]], str] | None:
    """Return what reads the parameters that are handed over by their place."""
    computed = [v.name for v in variables if v.op == "local"]
    if not computed:
        return None

    def prologue(used: set[str]) -> str:
        every = any(name.startswith("$$") for name in used)
        return "".join(
            f"{HIDDEN}{name} = __builtin_load(${BY_POINTER[name]}, 8, 0)\n"
            for name in computed
            if every or f"${name}" in used
        )

    return prologue
