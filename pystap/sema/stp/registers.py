"""Registers, arguments by number and the returned value of the function or system call that an event is of.

__builtin_register(name)   what a register held: only where the event has them (probes by kprobes, sampling)
__builtin_u_register(name) the same; a half register without its sign
__builtin_registers_valid() whether the event has them
__builtin_arg(n)           argument n, from 1, of a function or a system call, at its entry
__builtin_returned()       what a function or a system call returned
"""

from __future__ import annotations

from ...btf.layout import field_path
from ...diag import CompileError, did_you_mean, fail
from ...ir.nodes import Const, Text
from ...ir.ops import Load
from ...lang.stp import ast
from .lower_access import variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...ir.nodes import Event
    from ...probes.base import Variable
    from ..build import Operand
    from .check import Checker
    from .lower import Lower

WITH_REGISTERS = frozenset(("perf", "kprobe", "kretprobe"))
_FUNCTION_ENTRY = frozenset(("kprobe", "fentry"))
_REGISTERS = (
    *(
        "rax",
        "rbx",
        "rcx",
        "rdx",
        "rsi",
        "rdi",
        "rbp",
        "rsp",
        "r8",
        "r9",
        "r10",
        "r11",
        "r12",
        "r13",
        "r14",
        "r15",
    ),
    *("rip", "rflags", "cs", "ss", "orig_rax"),
)
# Other names: those of 32 bits give the low half, those without a letter are the kernel's.
_OTHERS = {
    **{f"e{r[1:]}": f"e{r[1:]}" for r in _REGISTERS[:8]},
    **{r[1:]: r for r in (*_REGISTERS[:8], "rip", "rflags", "orig_rax") if r[0] == "r"},
    "eip": "eip",
    "eflags": "eflags",
    "flags": "rflags",
    "xcs": "cs",
    "xss": "ss",
}
ARGUMENTS = 6  # that registers hold


def register(lo: Lower, e: ast.Call) -> Operand:
    """`register("rdi")`."""
    name = lo.expr(e.args[0])
    if not isinstance(name, Text):
        return _bad(lo, e, "the name of the register has to be a constant")
    event = _event(lo)
    if event is None or event.kind not in WITH_REGISTERS:
        return _bad(lo, e, f"{_where(lo)} has no registers", *_advice(event))
    known = name.value if name.value in _REGISTERS else _OTHERS.get(name.value)
    if known is None:
        near = did_you_mean(name.value, (*_REGISTERS, *_OTHERS))
        return _bad(
            lo, e, f"there is no register '{name.value}'", *((f"did you mean '{near}'?",) if near else ())
        )
    value = lo.b.op("call", (Text(known),), "register")
    low = known[0] == "e" and e.name.endswith("_register")
    return lo.b.op("sext", (value,), 32) if low and "u_register" not in e.name else value


# Registers by the numbers that debug information has for them.
_NUMBERED = ("rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", *(f"r{n}" for n in range(8, 16)), "rip")
# Where the registers of user space lie in the kernel's structure.
_KEPT = {name: name[1:] for name in (*_NUMBERED[:8], "rip")}


def numbered(c: Checker, e: ast.AtOp) -> None:
    """Check `@kregister(n)` or `@uregister(n)`."""
    number = e.args[0]
    assert isinstance(number, ast.Number)
    if not 0 <= number.value < len(_NUMBERED):
        raise fail("E240", f"registers have the numbers 0 to {len(_NUMBERED) - 1}", number.span)
    probe = c.body.probe
    event = probe.resolved.event if probe is not None else None
    where = c.body.context.kind if c.body.context is not None and c.body.context.kind else "this handler"
    if event is None or event.user:
        raise fail("E240", f"{where} has no registers", e.span)
    if e.op == "@kregister" and event.kind not in WITH_REGISTERS:
        raise fail("E240", f"{where} has no registers", e.span, *_advice(event))


def read_numbered(lo: Lower, user: bool, number: int) -> Operand:
    """Write the reading of a register by its number."""
    name = _NUMBERED[number]
    if not user:
        return lo.b.op("call", (Text(name),), "register")
    btf = lo.unit.target.btf
    kept = btf.find_struct("pt_regs")
    assert kept is not None
    off = field_path(btf, kept, (_KEPT.get(name, name),)).offsets[0]
    place = lo.b.op("call", (), "user_registers")
    return lo.b.op("load", (place,), Load(off, 8, False, "error", "", "kernel", f"@uregister({number})"))


def valid(lo: Lower, e: ast.Call) -> Operand:
    """`registers_valid()`."""
    event = _event(lo)
    return Const(int(event is not None and event.kind in WITH_REGISTERS))


def arg(lo: Lower, e: ast.Call) -> Operand:
    """`pointer_arg(1)` and its like."""
    number = lo.expr(e.args[0])
    if not isinstance(number, Const):
        return _bad(lo, e, "the number of the argument has to be a constant")
    event = _event(lo)
    n = number.value
    if event is not None and event.kind == "sys_enter":
        if 1 <= n <= ARGUMENTS:
            return lo.b.op("sys_arg", (), n - 1)
        return _bad(lo, e, f"a system call has arguments 1 to {ARGUMENTS}")
    if event is not None and event.kind in _FUNCTION_ENTRY:
        return _parameter(lo, e, n)
    if event is not None and _returns(lo):
        return _bad(
            lo, e, "a return has no arguments any more", f"@entry(...({n})) has what they were at the entry"
        )
    return _bad(lo, e, f"{_where(lo)} has no arguments by number", *_advice(event))


def _parameter(lo: Lower, e: ast.Call, n: int) -> Operand:
    """Write argument n of a function: without types there are six that registers hold."""
    words = [
        v
        for v in _context_variables(lo)
        if v.op == "ctx_arg" and v.name != "return" and not v.name.startswith("__")
    ]
    if words and not 1 <= n <= len(words):
        count = f"{len(words)} argument{'' if len(words) == 1 else 's'}"
        return _bad(lo, e, f"this function has {count} (in registers)")
    if words:
        return lo.b.op("ctx_arg", (), words[n - 1].attr)
    if not 1 <= n <= ARGUMENTS:
        return _bad(lo, e, f"arguments 1 to {ARGUMENTS} are in registers")
    return lo.b.op("ctx_arg", (), (n - 1, True))


def returned(lo: Lower, e: ast.Call) -> Operand:
    """`returnval()`."""
    found = next((v for v in _context_variables(lo) if v.name == "return"), None)
    if found is None and _event(lo) is not None and _returns(lo):
        event = _event(lo)
        assert event is not None
        if event.kind == "kretprobe":
            return lo.b.op("ctx_arg", (), (0, True))
    if found is None:
        return _bad(lo, e, f"{_where(lo)} returns nothing", "it is for .return of functions and system calls")
    return _made_by_handler(lo, e, found) if found.op == "local" else variable(lo, found)


def _made_by_handler(lo: Lower, e: ast.Call, found: Variable) -> Operand:
    """Write what a stand-in's handler has as a variable of its own."""
    probe = lo.body.probe
    if lo.function is not None or probe is None:
        words = "a tracepoint stands in here: the handler knows what was returned, its functions don't"
        return _bad(lo, e, words, "give it to the function as a parameter")
    inside = lo.body  # a function that is written in place, maybe
    lo.body = probe.body
    made = variable(lo, found)
    lo.body = inside
    return made


def _context_variables(lo: Lower) -> list:  # type: ignore[type-arg]
    context = lo.body.context
    return list(context.variables.values()) if context is not None else []


def _returns(lo: Lower) -> bool:
    context = lo.body.context
    return context is not None and context.returns


def _event(lo: Lower) -> Event | None:
    probe = lo.body.probe
    return probe.resolved.event if probe is not None else None


def _where(lo: Lower) -> str:
    context = lo.body.context
    return context.kind if context is not None and context.kind else "this handler"


def _advice(event: Event | None) -> tuple[str, ...]:
    if event is not None and event.kind == "tp_btf":
        return ("what a tracepoint has are its variables: $$vars shows them",)
    if event is not None and event.kind in ("fentry", "fexit"):
        return ("--attach=kprobe probes functions in a way that has them",)
    return ()


def _bad(lo: Lower, e: ast.Call, words: str, *hints: str) -> Operand:
    """Report a mistake where the script makes it: of a function of the library, at the probe that it runs at."""
    probe = lo.body.probe
    span = lo.b.span
    if lo.function is not None and lo.scope.library and probe is not None:
        span = probe.span
        words = f"{lo.function.name}(): {words}"
    error = fail("E240", words, span, *hints)
    assert isinstance(error, CompileError)
    if all(d.message != words or d.span is not span for d in lo.unit.bag.errors):
        lo.unit.bag.add(error.diagnostic)
    return Const(0)
