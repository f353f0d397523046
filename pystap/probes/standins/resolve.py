"""Stand-ins as events of SystemTap: the variables of the function, and the statements that work them out."""

from __future__ import annotations

from ...btf import resolve as strip
from ...btf import types as t
from ...diag import fail
from ...ir.nodes import Event
from ..base import HIDDEN, Context, Env, Resolved, Variable
from ..kernel import arguments
from ..syscall_numbers import X86_64
from .fixes import FIXES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...btf import Btf
    from . import StandIn

W_STANDIN = "W301"


def resolve(one: StandIn, env: Env, text: str) -> Resolved:
    """Return the event; CompileError when the kernel lacks it too."""
    btf: Btf = env.target.btf
    raw = _raw(one, env)
    variables = [raw[n].replace(name=name) for name, n in one.params if n is not None and n < len(raw)]
    for name, _, typed in one.values:
        variables.append(local_of(btf, one.function, name, typed))
    variables += [v.replace(name=f"__{n}") for n, v in enumerate(raw)]
    context = Context(
        f"stand-in of {one.function}",
        variables,
        name=one.function,
        function=one.function,
        provider="kernel",
        returns=one.returns,
    )
    return Resolved(
        _event(one, env),
        text,
        context,
        "standin",
        _prologue(one),
        (),
        (warning(one.function, one.words, one.differs),),
    )


def warning(function: str, by: str, differs: str) -> tuple[str, str, str]:
    """Return (code, words, hint) of the warning that something stands in."""
    words = f"this kernel can't probe functions: '{function}' is probed by {by} instead"
    return W_STANDIN, words, f"what differs: {differs}"


def _event(one: StandIn, env: Env) -> Event:
    if one.tracepoint:
        args: dict[str, object] = {"standin": one.function} if one.function in FIXES else {}
        if one.entries:
            args["entries"] = numbers(one.entries, env)
        return Event("tp_btf", one.tracepoint, args or None)
    if one.hooks:
        hooks = list(one.hooks)
        return Event("netfilter", one.function, {"hooks": hooks, "last": one.last})
    return Event("sys_exit" if one.returns else "sys_enter", "", {"numbers": numbers(one.calls, env)})


def numbers(calls: Sequence[str], env: Env) -> list[int]:
    """Return the numbers of system calls by name, of those that this machine has."""
    if env.target.arch != "x86_64":
        raise fail("E401", f"not supported yet: system calls by name on {env.target.arch}", env.span)
    return [X86_64[name] for name in calls if name in X86_64]


def is_here(one: StandIn, env: Env) -> bool:
    """Say whether this kernel has what stands in."""
    btf: Btf = env.target.btf
    features = env.target.features
    if one.hooks:
        return btf.find_struct("bpf_nf_ctx") is not None and (features is None or features("netfilter"))
    return not one.tracepoint or btf.find_tracepoint(one.tracepoint) is not None


def _raw(one: StandIn, env: Env) -> list[Variable]:
    """Return the event's own arguments."""
    btf: Btf = env.target.btf
    if one.hooks:
        if not is_here(one, env):
            words = "neither functions nor netfilter hooks can be probed on this kernel"
            raise fail("E304", f"{words} ('{one.function}')", env.span)
        return nf_arguments(btf)
    if not one.tracepoint:
        return []
    point = btf.find_tracepoint(one.tracepoint)
    if point is None:
        words = f"this kernel can't probe functions, and lacks {one.words}, which could stand in for"
        raise fail("E304", f"{words} '{one.function}'", env.span)
    return arguments(point)


def nf_arguments(btf: Btf) -> list[Variable]:
    """Return what a netfilter program gets: the state of the hook, the packet."""
    holder = btf.find_struct("bpf_nf_ctx")
    members = holder.members if holder is not None else ()
    return [Variable(m.name, "ctx_arg", (n, False), m.type) for n, m in enumerate(members)]


def local_of(btf: Btf, function: str, name: str, typed: str) -> Variable:
    """Return the variable of a value that the prologue works out."""
    kind: t.Type | None = None
    if typed.startswith("="):
        found = btf.find_struct(typed[1:])
        if found is not None:
            kind = t.Ptr(btf, 0, "", found.id)
    else:
        holder, _, word = typed.partition(".") if typed else (function, "", name)
        kind = type_of(btf, holder, word)
    bits, signed = 64, True
    plain = strip(kind) if kind is not None else None
    if isinstance(plain, (t.Int, t.Enum)):
        bits, signed = min(64, 8 * plain.size), plain.signed
    return Variable(name, "local", HIDDEN + name, kind, bits, signed)


def type_of(btf: Btf, function: str, word: str) -> t.Type | None:
    """Return the type of a function's parameter, or of its "return"; None when unknown."""
    func = btf.find_func(function)
    proto = func.type if func is not None else None
    if not isinstance(proto, t.FuncProto):
        return None
    if word == "return":
        return proto.type
    return next((p.type for p in proto.params if p.name == word), None)


def _prologue(one: StandIn) -> Callable[[set[str]], str]:
    """Return what makes the statements: the setup, the guards, the values that the handler reads."""
    conditions = [_condition(number_of(one, name), fields, values) for name, fields, values in one.guards]
    conditions += ["!(" + " && ".join(f"$__{n} == {v}" for n, v in group) + ")" for group in one.never]
    if one.guard:
        conditions.append(one.guard)
    guard = "".join(f"if (!({c})) next\n" for c in conditions)

    def prologue(used: set[str]) -> str:
        every = any(name.startswith("$$") for name in used)
        made = "".join(
            f"{HIDDEN}{name} = {text}\n" for name, text, _ in one.values if every or f"${name}" in used
        )
        return one.setup + guard + made

    return prologue


def number_of(one: StandIn, name: str) -> int:
    """Return the number of the tracepoint's argument that a parameter is."""
    number = dict(one.params)[name]
    assert number is not None
    return number


def _condition(number: int, fields: tuple[str, ...], values: tuple[int, ...]) -> str:
    place = f"$__{number}->{'->'.join(fields)}"
    return " || ".join(f"{place} == {value}" for value in values)
