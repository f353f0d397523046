"""Functions of a kernel that can probe them: fentry and fexit where they are, else kprobes and kretprobes.

fexit has the arguments and the returned value, kretprobes the value alone. One or a few functions are events of their
own; many are one event (`many.py`), by one link where the kernel has `kprobe_multi`. env.attach forces a rung: "fentry",
"kprobe", "kprobe_multi" or "standin".
"""

from __future__ import annotations

from itertools import pairwise

from ...btf import resolve as resolve_type
from ...btf import types as t
from ...btf.layout import POINTER_SIZE, argument_words
from ...diag import fail
from ...ir.nodes import Event
from ..base import HIDDEN, Context, Env, Resolved, Variable, has_glob
from ..compat import BY_POINTER, note
from ..kernel import value_of
from ..standins import lookup
from ..standins.resolve import resolve as stand_in
from .files import point
from .many import FEW, MOST, REGISTERS, cookie, together
from .names import Function, find, proto_of, why_untyped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from . import Wanted
    from .names import Notes


def resolve(wanted: Wanted, env: Env) -> list[Resolved]:
    """Return the events."""
    functions, notes = find(wanted, env)
    named = not has_glob(wanted.name)
    if named and not wanted.module and not env.attach and env.standins:
        instead = _exact(wanted, env, functions, notes)
        if instead is not None:
            return [instead]
    if named:
        notes += tuple(note(f.name, f.symbol) for f in functions[:1] if f.symbol != f.name)
    notes += _absent(env, functions) + _maxactive(wanted)
    single = _single(wanted, env, functions)
    if single:
        among = wanted.text_of(wanted.name) if len(functions) > 1 else ""
        return [_event(wanted, env, f, notes, among) for f in functions]
    multi = many_rung(env, wanted.returns)
    made = together(wanted, env, functions, "kretprobe" if wanted.returns else "kprobe", multi)
    made.notes = notes
    return [made]


def _absent(env: Env, functions: list[Function]) -> Notes:
    """Return a note for each module that isn't loaded."""
    known = env.target.functions
    modules = sorted({f.module for f in functions if f.module})
    words = "the module '{}' isn't loaded: its functions are probed when it comes"
    return tuple(("W308", words.format(m), "") for m in modules if known is not None and not known.loaded(m))


def _maxactive(wanted: Wanted) -> Notes:
    """Return the note on .maxactive: neither perf events nor links take such a number."""
    if not wanted.maxactive:
        return ()
    return (("W309", ".maxactive has no effect: the kernel chooses how many calls at once are followed", ""),)


def _exact(wanted: Wanted, env: Env, functions: list[Function], notes: Notes) -> Resolved | None:
    """Return the stand-in for a function that is only there as the compiler's copy, or has no types, if it is exact."""
    first = functions[0]
    typed = proto_of(env, first) is not None
    if env.target.untyped or (first.symbol == first.name and typed):
        return None
    one = lookup(first.name, wanted.returns)
    if one is None or not one.exact:
        return None
    made = stand_in(one, env, wanted.text_of(first.name))
    made.context.place = lambda: point(wanted, env, first.name, first.module)
    what = f"is '{first.symbol}' on this kernel" if typed else "has no types on this kernel"
    words = f"'{first.name}' {what}: it is probed by {one.words} instead"
    made.notes = (*notes, ("W301", words, f"what differs: {one.differs}"))
    return made


def _single(wanted: Wanted, env: Env, functions: list[Function]) -> bool:
    """Say whether each function becomes an event of its own."""
    features = env.target.features
    assert features is not None
    if env.target.functions is None or env.attach == "fentry":
        if len(functions) > MOST:
            words = f"{len(functions)} functions match '{wanted.part.arg}'"
            hint = "--attach=kprobe_multi, or no --attach, takes them all at once"
            raise fail("E309", f"{words}: too many programs of their own", wanted.part.span, hint)
        return True
    if env.attach in ("kprobe", "kprobe_multi"):
        return len(functions) == 1 and env.attach == "kprobe" and not functions[0].module
    if not features("fexit" if wanted.returns else "fentry"):
        return len(functions) == 1 and not functions[0].module
    if len(functions) > FEW:
        return False
    return all(f.symbol == f.name and _alone(env, f) and _attachable(env, f) for f in functions)


def _alone(env: Env, function: Function) -> bool:
    """Say whether one function only has this name: fentry takes the first of several."""
    table = env.target.functions.table
    return table is None or function.module != "" or len(table.addresses(function.symbol)) < 2


def _attachable(env: Env, function: Function) -> bool:
    """Say whether there are types of it that the kernel would attach by."""
    proto = proto_of(env, function, alias=False)
    if proto is None or not fits(proto, env.target.features):
        return False
    return not function.module or bool(env.target.functions.loaded(function.module))


def fits(proto: t.FuncProto, features: Callable[[str], bool] | None) -> bool:
    """Say whether this kernel's fentry can take its arguments over: of none that isn't in registers where the kernel can't,
    nor with a struct that isn't in registers at all, or is returned, nor with `...`."""
    words = argument_words(proto)
    if words[-1] > REGISTERS and features is not None and not features("fentry_wide"):
        return False
    if proto.variadic or isinstance(resolve_type(proto.type), t.Composite):
        return False
    return all(before < after for before, after in pairwise(words))


def many_rung(env: Env, returns: bool) -> bool:
    """Return whether many functions are attached by one link; else by single kprobes."""
    features = env.target.features
    assert features is not None
    if env.attach in ("", "kprobe_multi") and features("kprobe_multi"):
        return True
    if env.attach in ("", "kprobe") and features("kretprobe" if returns else "kprobe"):
        return False
    what = {"": "kprobes", "kprobe": "kretprobe" if returns else "kprobe"}.get(env.attach, env.attach)
    raise fail("E309", f"this kernel can't attach by {what}, which many functions need", env.span)


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


def _by_link(env: Env) -> bool:
    """Say whether even one function is rather probed by a kprobe_multi link than by fentry.

    A task that is preempted in fentry's program has the kernel leave out what others would run of it on that CPU.
    """
    features = env.target.features
    return not env.attach and env.target.preemptible and features is not None and features("kprobe_multi")


def _event(wanted: Wanted, env: Env, function: Function, notes: Notes, among: str) -> Resolved:
    """Return the event of one function; among: the point, if others belong to it: that one is refused is a warning then."""
    name, symbol = function.name, function.symbol
    proto = proto_of(env, function)
    own = proto_of(env, function, alias=False)
    typed = symbol == name and own is not None and fits(own, env.target.features)
    by_link = _by_link(env)
    rungs = ("kprobe", "fentry") if by_link else ("fentry", "kprobe")
    kind = rung(env, wanted.returns, rungs if typed else ("kprobe",))
    variables: list[Variable] = []
    if kind != "kretprobe" and proto is not None:
        variables = parameters(env, proto, kind)
        variables += by_pointer(variables)
    if wanted.returns and proto is not None and returned(proto):
        variables.append(value_of("return", argument_words(proto)[-1], proto.type))
    context = Context(
        f"function {name}",
        variables,
        name=name,
        function=name,
        provider="kernel",
        module=function.module or "kernel",
        returns=wanted.returns,
    )
    context.untyped = why_untyped(env, function)
    context.place = lambda: point(wanted, env, name, function.module)
    args: dict[str, object] = {"ret": True} if wanted.returns else {}
    if kind in ("kprobe", "kretprobe") and env.target.functions is not None:
        args["functions"] = ((cookie(env, function), function.module, name, symbol),)
        if by_link:
            args["multi"] = True
    elif function.module:
        args["module"] = function.module
    if among:
        args["among"] = among
    event = Event(kind, symbol, args or None)
    return Resolved(event, wanted.text_of(name), context, "function", prologue_of(variables), (), notes)


def parameters(env: Env, proto: t.FuncProto, kind: str) -> list[Variable]:
    """Return a function's parameters as an event of this kind has them: a kprobe those in registers and on the stack."""
    words = argument_words(proto)
    out = []
    used, behind = words[0], POINTER_SIZE  # the stack begins with the address to return to
    for n, param in enumerate(proto.params):
        name, size = param.name or f"arg{n + 1}", words[n + 1] - words[n]
        here = resolve_type(param.type)
        if kind != "kprobe":
            if size:
                out.append(value_of(name, words[n], param.type))
        elif size and used + size <= REGISTERS:
            out.append(value_of(name, used, param.type))
            used += size
        elif env.target.arch == "x86_64":  # a struct lies there as a whole: its place isn't told
            if not isinstance(here, t.Composite):
                out.append(value_of(name, 0, param.type).replace(op="on_stack", attr=behind))
            length = here.size if isinstance(here, t.Composite) else POINTER_SIZE
            behind += -(-length // POINTER_SIZE) * POINTER_SIZE
    return out


def returned(proto: t.FuncProto) -> bool:
    """Say whether a function returns something, in registers."""
    if isinstance(proto.type, t.Void):
        return False
    back = resolve_type(proto.type)
    return not isinstance(back, t.Composite) or back.size <= 2 * POINTER_SIZE


def by_pointer(variables: list[Variable]) -> list[Variable]:
    """Return the old names of parameters that are handed over by their place today."""
    have = {v.name: v for v in variables}
    out = []
    for old, new in BY_POINTER.items():
        if old not in have and new in have:
            place = have[new].type
            holder = place.type if isinstance(place, t.Ptr) else None
            out.append(Variable(old, "local", HIDDEN + old, holder))
    return out


def prologue_of(variables: list[Variable]) -> Callable[[set[str]], str] | None:
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
