"""Attach points -> `Point`s: the IR event, and what a handler can read there.

The kinds stand in `probes/bt_*.py` as data and small resolvers; here they are put together, wildcards and all.
"""

from __future__ import annotations

from ...btf import resolve as strip
from ...btf import types as bt
from ...diag import CompileError, did_you_mean
from ...ir.nodes import Event, Text
from . import types
from .body import error, later
from .values import Val

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ...lang.bt import ast
    from ...source import Span
    from ..build import Operand
    from .body import Body
    from .unit import Unit

    Make = Callable[[Body], Val]


class Point:
    """One event of one attach point.

    text: what `probe` gives; probe_text, function_text: what makes that text, and what `func` gives, where they are only
    known at run time; fields: of `args`; ctx: of `ctx`;
    arguments: argN by number; names: words that are bound here; space: what plain numbers point to; guard: what
    writes the conditions without which the handler doesn't run; example: of many functions, one.
    """

    __slots__ = (
        *("arguments", "event", "fields", "function", "guard", "kind", "names", "probe_text", "provider"),
        *("ctx", "example", "function_text", "registers", "retval", "space", "span", "text", "unsupported"),
    )

    def __init__(self, provider: str, text: str, event: Event, span: Span, kind: str = "") -> None:
        self.provider = provider
        self.text = text
        self.event = event
        self.span = span
        self.kind = kind or f"{provider} probe"
        self.fields: dict[str, Make] = {}
        self.unsupported: tuple[str, ...] = ()  # fields that exist and can't be read yet
        self.arguments: list[Make] | None = None
        self.ctx: dict[str, Make] = {}
        self.names: dict[str, Make] = {}
        self.retval: Make | None = None
        self.function = ""
        self.example = ""
        self.space = "kernel"
        self.registers = False
        self.guard: Callable[[Body], None] | None = None
        self.probe_text: Callable[[Body], Operand] | None = None
        self.function_text: Callable[[Body], Operand] | None = None

    def argument(self, body: Body, name: str, span: Span) -> Val:
        """Return `args.name`."""
        make = self.fields.get(name)
        if make is not None:
            return make(body)
        if name in self.unsupported:
            raise later(f"the field '{name}' of {self.text}", span)
        known = (*self.fields, *self.unsupported)
        near = did_you_mean(name, known)
        if near:
            hint = f"did you mean '{near}'?"
        else:
            hint = ("there are " + ", ".join(known)) if known else ""
        what = "no arguments" if not known else f"no argument '{name}'"
        raise error("E230", f"{self._named()} has {what}", span, hint)

    def _named(self) -> str:
        return f"{self.example}, of {self.text}," if self.example else self.text

    def context(self, name: str, span: Span) -> Make:
        """Return what reads `ctx.name`."""
        make = self.ctx.get(name)
        if make is not None:
            return make
        if self.registers:
            return register(name, f"'struct pt_regs' has no member '{name}'", span)
        if not self.ctx:
            raise later(f"ctx of a {self.provider} probe", span, "args.name are a tracepoint's arguments")
        near = did_you_mean(name, self.ctx)
        hint = f"did you mean '{near}'?" if near else "there are " + ", ".join(self.ctx)
        raise error("E230", f"ctx of {self.text} has no '{name}'", span, hint)

    def numbered(self, body: Body, n: int, span: Span) -> Val:
        """Return `argN`."""
        if self.arguments is None:
            hint = "its arguments are args.name" if self.fields else ""
            raise error("E263", f"a {self.provider} probe has no arg{n}", span, hint)
        if n >= len(self.arguments):
            count = len(self.arguments)
            many = "no arguments" if not count else "1 argument" if count == 1 else f"{count} arguments"
            raise error("E263", f"{self._named()} has {many}, and no arg{n}", span)
        return self.arguments[n](body)


_PT_REGS = "r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax ip cs flags sp ss"
REGISTERS = tuple(_PT_REGS.split())


def register(name: str, missing: str, span: Span) -> Make:
    """Return what reads a register, a member of struct pt_regs; `missing` is what to say where there is no such."""
    if name not in REGISTERS:
        near = did_you_mean(name, REGISTERS)
        hint = f"did you mean '{near}'?" if near else "there are " + ", ".join(REGISTERS)
        raise error("E231", missing, span, hint)
    word = "orig_rax" if name == "orig_ax" else name
    return lambda body: Val(types.UINT64, [body.call("register", Text(word))])


def resolve(unit: Unit, probe: ast.Probe) -> list[Point]:
    """Return the points of a probe; what can't be attached is reported."""
    out: list[Point] = []
    unit.probe = probe
    missing: list[tuple[CompileError, ast.AttachPoint]] = []
    for attach in probe.attach:
        try:
            out += PROVIDERS[attach.provider](unit, attach)
        except CompileError as failed:
            if failed.diagnostic.code in MISSING:
                missing.append((failed, attach))
            else:
                unit.report(failed)
    for why, attach in missing:
        rule = unit.config.missing_probes
        if rule == "error" and out and attach.wildcard:
            rule = "warn"  # a pattern among others may match nothing
        if rule == "error":
            unit.report(why)
        elif rule == "warn":
            unit.bag.warn("W303", f"left out: {why.diagnostic.message}", attach.span)
    return out


def too_many(count: int, most: int, span: Span) -> CompileError:
    """Return the error for more probes than the setting max_probes allows."""
    hint = f"config = {{ max_probes = {count} }}, or BPFTRACE_MAX_PROBES={count}, allows so many"
    return error("E309", f"{count} probes are more than the {most} of max_probes", span, hint)


MISSING = frozenset(("E303", "E304", "E305"))


# ---- user handlers ------------------------------------------------------------------------


def _user(kind: str) -> Callable[[Unit, ast.AttachPoint], list[Point]]:
    def make(unit: Unit, attach: ast.AttachPoint) -> list[Point]:
        return [Point(attach.provider, attach.name, Event(kind, "", {"order": 0}), attach.span)]

    return make


def _interval(unit: Unit, attach: ast.AttachPoint) -> list[Point]:
    args = {"ns": attach.nanoseconds, "randomize": 0}
    return [Point("interval", attach.name, Event("timer", "", args), attach.span)]


def _signal(unit: Unit, attach: ast.AttachPoint) -> list[Point]:
    import signal

    word = attach.func if attach.func.startswith("SIG") else "SIG" + attach.func
    if not hasattr(signal, word):
        raise error("E302", f"there is no signal '{attach.func}'", attach.span)
    return [Point("self", attach.name, Event("signal", word, None), attach.span)]


def _later(unit: Unit, attach: ast.AttachPoint) -> list[Point]:
    raise later(f"{attach.provider} probes", attach.span)


# ---- perf ---------------------------------------------------------------------------------


def _perf(unit: Unit, attach: ast.AttachPoint) -> list[Point]:
    from ...probes.bt_perf import event

    point = Point(attach.provider, attach.name, event(attach, attach.span), attach.span)
    point.registers = True
    return [point]


# ---- tracepoints --------------------------------------------------------------------------


def c_argument(btf: Any, type: bt.Type | None, n: int, space: str = "kernel") -> Make:
    """Return what reads argument n of the event, of that C type."""
    kind = strip(type) if type is not None else None
    made = types.UINT64 if type is None else types.of_ctype(btf, type, space)
    if made.kind in ("record", "array", "void", "str"):
        made = types.UINT64  # passed by value in registers: only its first word is there
    nullable = isinstance(kind, bt.Ptr)
    bits = 8 * made.size if made.kind in ("int", "bool") else 64

    def make(body: Body) -> Val:
        operand: Operand = body.b.op("ctx_arg", (), (n, nullable))
        if bits < 64:
            operand = body.b.op("sext" if made.signed else "zext", (operand,), bits)
        return Val(made, [operand])

    return make


def untyped(make: Make) -> Make:
    """argN of a kprobe: the same word as an unsigned 64-bit number."""

    def plain(body: Body) -> Val:
        value = make(body)
        return Val(types.UINT64, value.ops)

    return plain


def _raw(unit: Unit, attach: ast.AttachPoint) -> list[Point]:
    """`rawtracepoint[:module]:event`."""
    btf = unit.btf
    if attach.target and attach.target not in ("vmlinux", "*"):
        raise later("tracepoints of modules", attach.span)
    names = btf.tracepoints(attach.func) if attach.wildcard else [attach.func]
    out = []
    for word in names:
        found = btf.find_tracepoint(word)
        text = f"rawtracepoint:{word}"
        if found is None and unit.target.untyped and not attach.wildcard:
            from .points_trace import without_types

            return [without_types(unit, attach, text, word)]
        if found is None:
            continue
        point = Point("rawtracepoint", text, Event("tp_btf", word), attach.span, f"tracepoint {word}")
        _raw_arguments(point, btf, found)
        out.append(point)
    if not out:
        raise _no_tracepoint(attach.func, btf.tracepoints() if not attach.wildcard else [], attach)
    return out


def _raw_arguments(point: Point, btf: Any, found: Any) -> None:
    point.arguments = []
    for n, param in enumerate(found.params):
        make = c_argument(btf, param.type, n)
        point.arguments.append(make)
        if param.name:
            point.fields[param.name] = make


def _no_tracepoint(text: str, known: list[str], attach: ast.AttachPoint) -> CompileError:
    near = did_you_mean(text, known)
    return error(
        "E303",
        f"this kernel has no tracepoint '{text}'",
        attach.span,
        f"did you mean '{near}'?" if near else "pystap -l 'tracepoint:*' lists them",
    )


def _tracepoint(unit: Unit, attach: ast.AttachPoint) -> list[Point]:
    """`tracepoint:subsystem:event`."""
    if attach.target == "syscalls":
        from .points_syscall import resolve as syscalls

        return syscalls(unit, attach)
    from .points_trace import resolve as traces

    return traces(unit, attach)


# ---- functions ----------------------------------------------------------------------------


def _function(unit: Unit, attach: ast.AttachPoint) -> list[Point]:
    from .points_func import resolve as functions

    return functions(unit, attach)


def _iter(unit: Unit, attach: ast.AttachPoint) -> list[Point]:
    from .points_iter import resolve as iterators

    return iterators(unit, attach)


PROVIDERS: dict[str, Callable[[Unit, ast.AttachPoint], list[Point]]] = {
    "begin": _user("begin"),
    "end": _user("end"),
    "interval": _interval,
    "self": _signal,
    "profile": _perf,
    "software": _perf,
    "hardware": _perf,
    "rawtracepoint": _raw,
    "tracepoint": _tracepoint,
    "kprobe": _function,
    "kretprobe": _function,
    "fentry": _function,
    "fexit": _function,
    "iter": _iter,
    **dict.fromkeys(("uprobe", "uretprobe", "usdt", "watchpoint", "test", "bench"), _later),
}
