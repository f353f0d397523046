"""kernel.* and module("m").*: tracepoints by BTF, and functions.

The variables of a tracepoint are the parameters of its prototype. Functions are the matter of `functions`.
"""

from __future__ import annotations

from ..btf import resolve as strip
from ..btf import types as t
from ..diag import did_you_mean, fail
from ..ir.nodes import Event
from ..node import Node
from .base import (
    Context,
    Env,
    Resolved,
    Variable,
    bare,
    glob_filter,
    has_glob,
    point_text,
    unknown,
    untyped,
    wrong_argument,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..btf import Btf, Tracepoint
    from ..source import Span
    from .base import Part

LISTING = ('kernel.trace("name")', 'kernel.trace("system:name")', 'kernel.function("name")[.call|.return]')
WORDS = ("trace", "tracepoint", "function", "statement", "data", "lsm", "xdp")


class _Joined(Node):
    """Components that are one word for those who look at what follows."""

    span: Span
    name: str
    arg: int | str | None = None


def resolve(parts: Sequence[Part], env: Env) -> list[Resolved]:
    """`(kernel | module("m") | kprobe [. module("m")]) . (trace | function | ...) ("name") [ . suffix ]`."""
    first = parts[0]
    parts, module = of_owner(parts)
    words = WORDS if first.name == "kernel" else ("function", "statement")
    if len(parts) < 2 or (len(parts) == 2 and parts[1].name == "module"):
        what = point_text(parts)
        raise fail(
            "E301", f"'{what}' alone is no probe point", parts[-1].span, f'{what}.function("name") is one'
        )
    if parts[1].name not in WORDS:
        raise unknown(parts, words, 1)
    word = parts[1]
    if word.name in ("trace", "tracepoint") and first.name != "kprobe":
        return _traces(parts, env)
    if word.name == "function":
        from .functions import resolve as functions

        return functions(parts, env, module)
    if word.name == "statement":
        from .functions.statement import resolve as statement

        return statement(parts, env, module)
    text = point_text(parts)
    raise fail("E401", f"not supported yet: '{word.name}' probes ({text})", word.span)


def of_owner(parts: Sequence[Part]) -> tuple[Sequence[Part], str]:
    """Return the components with what owns the code as the first one, and the module's name ("": the kernel)."""
    first = parts[0]
    if first.name == "module":
        if not isinstance(first.arg, str):
            raise wrong_argument(first, 'needs a name: module("name")')
        return parts, module_of(first.arg)
    bare(first)
    if first.name == "kprobe" and len(parts) > 2 and parts[1].name == "module":
        if not isinstance(parts[1].arg, str):
            raise wrong_argument(parts[1], 'needs a name: module("name")')
        return (_Joined(first.span, point_text(parts[:2])), *parts[2:]), module_of(parts[1].arg)
    return parts, ""


def module_of(word: str) -> str:
    """Return a module's name as the kernel has it, of a name with dashes, or of its file's path."""
    name = word.rpartition("/")[2].partition(".ko")[0] if ".ko" in word else word
    return name if has_glob(name) else name.replace("-", "_")


def _traces(parts: Sequence[Part], env: Env) -> list[Resolved]:
    word = parts[1]
    if len(parts) > 2:
        raise unknown(parts, (), 2)
    if not isinstance(word.arg, str):
        raise wrong_argument(word, 'needs a tracepoint: kernel.trace("name")')
    pattern = word.arg.rpartition(":")[2]
    btf: Btf = env.target.btf
    names = btf.tracepoints(pattern) if has_glob(pattern) else [pattern]
    numbered = word.name == "tracepoint"
    if env.target.untyped:
        return _untyped(env, word, word.arg)
    found = [r for r in (tracepoint(btf, name, numbered) for name in names) if r is not None]
    if not found:
        near = None if has_glob(pattern) else did_you_mean(pattern, btf.tracepoints())
        hint = f"did you mean '{near}'?" if near else "pystap -l 'kernel.trace(\"*\")' lists them"
        raise fail("E303", f"this kernel has no tracepoint '{word.arg}'", word.span, hint)
    return found


def _untyped(env: Env, word: Part, text: str) -> list[Resolved]:
    """Return the events of tracepoints on a kernel without types: they are known by name, without their variables."""
    known = sorted(env.target.tracepoints()) if env.target.tracepoints is not None else []
    pattern = text.rpartition(":")[2]
    found = matching(pattern, known)
    if not known:
        raise untyped(env.target, f"finding the tracepoint '{text}'", word.span)
    if not found:
        near = None if has_glob(pattern) else did_you_mean(pattern, known)
        hint = f"did you mean '{near}'?" if near else "pystap -l 'kernel.trace(\"*\")' lists them"
        raise fail("E303", f"this kernel has no tracepoint '{text}'", word.span, hint)
    out = []
    for name in found:
        context = Context(f"tracepoint {name}", (), name=name, function=name, provider="kernel")
        out.append(Resolved(Event("tp_btf", name), f'kernel.trace("{name}")', context, "tracepoint"))
    return out


def tracepoint(btf: Btf, name: str, numbered: bool = False) -> Resolved | None:
    """Return the event of the tracepoint of that name, or None. numbered: its variables are $arg1, $arg2, ...."""
    point = btf.find_tracepoint(name)
    if point is None:
        return None
    variables = arguments(point)
    if numbered:
        variables = [v.replace(name=f"arg{n}") for n, v in enumerate(variables, 1)]
    context = Context(f"tracepoint {name}", variables, name=name, function=name, provider="kernel")
    return Resolved(Event("tp_btf", name), f'kernel.trace("{name}")', context, "tracepoint")


def arguments(point: Tracepoint) -> list[Variable]:
    """Return the variables of a tracepoint: its parameters by name, and as arg1, arg2, ...."""
    return [value_of(param.name or f"arg{n + 1}", n, param.type) for n, param in enumerate(point.params)]


def value_of(name: str, number: int, type: t.Type) -> Variable:
    """Return the variable that argument `number` of the event is."""
    kind = strip(type)
    bits, signed = 64, True
    if isinstance(kind, (t.Int, t.Enum)):
        bits, signed = min(64, 8 * kind.size), kind.signed
    return Variable(name, "ctx_arg", (number, isinstance(kind, t.Ptr)), type, bits, signed)


def matching(pattern: str, names: Sequence[str]) -> list[str]:
    """Return the names that a pattern, or the name itself, picks."""
    return glob_filter(pattern, names) if has_glob(pattern) else [n for n in names if n == pattern]
