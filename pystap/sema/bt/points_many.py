"""kprobe and kretprobe by the kernel's symbols: one name or a pattern, in the kernel or in modules, one event for all.

    resolve(unit, attach) -> Point, or None where the kernel hides its symbols
    found(unit, attach) -> [(module, function, symbol)]; CompileError when there is none

The arguments are words of registers, the same for every function; which one it is, is told by the number that it was
attached with (`probes/functions/many.py`).
"""

from __future__ import annotations

from ...diag import did_you_mean
from ...ir.nodes import STR, Const, Event
from ...probes.base import glob_filter, has_glob
from . import types
from .body import error
from .points import Point, c_argument
from .values import Val

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ...lang.bt import ast
    from ..build import Operand
    from .body import Body
    from .points import Make
    from .unit import Unit

    Found = tuple[str, str, str]

REGISTERS = 6
KERNEL = "vmlinux"  # where a module's name can stand: the kernel itself


def resolve(unit: Unit, attach: ast.AttachPoint) -> Point | None:
    """Return the point of all functions that are meant."""
    known = unit.target.functions
    if known is None or known.table is None:
        return None
    if attach.address is not None:
        point = _at(unit, attach)
    else:
        point = event_of(unit, attach, found(unit, attach), attach.provider)
    if attach.provider == "kretprobe":
        point.retval = _word(unit, 0)
    else:
        point.arguments = [_word(unit, n) for n in range(REGISTERS)]
    return point


def event_of(unit: Unit, attach: ast.AttachPoint, functions: list[Found], kind: str) -> Point:
    """Return the point of these functions, without arguments; kind is that of the event."""
    known = unit.target.functions
    assert known is not None
    listed = tuple([(_cookie(known.numbers, m, name), m, name, symbol) for m, name, symbol in functions])
    one = functions[0] if len({(m, name) for m, name, _ in functions}) == 1 else None
    owners = {m for m, _, _ in functions}
    before = before_name(attach, min(owners))
    ret = kind == "kretprobe"
    args: dict[str, Any] = {"functions": listed, "ret": ret, "offset": attach.offset, "point": (before, "")}
    args["kernel"] = KERNEL  # what a module's number stands for where there is none
    args["multi"] = _multi(unit, len(functions), attach.offset)
    text = attach.name if one is None else before + named(attach, one[1])
    name = one[2] if one else attach.func
    words = f"function {one[1]}" if one else f"functions {attach.func}"
    point = Point(attach.provider, text, Event(kind, name, args), attach.span, words)
    point.function = one[1] if one else attach.func
    point.registers = True
    if one is None:
        several = len(owners) > 1 and before.count(":") > 1
        point.probe_text = _owned(attach.provider) if several else _text(before)
        point.function_text = _text("")
    return point


def before_name(attach: ast.AttachPoint, module: str) -> str:
    """Return what stands before a function's name in what `probe` gives: fentry always has the module, others if told."""
    if attach.provider in ("fentry", "fexit") or attach.target:
        return f"{attach.provider}:{module or KERNEL}:"
    return f"{attach.provider}:"


def named(attach: ast.AttachPoint, function: str) -> str:
    """Return a function's name as `probe` gives it, with what was written behind it."""
    if attach.address is not None:
        return hex(attach.address)
    return f"{function}+{attach.offset}" if attach.offset else function


def _at(unit: Unit, attach: ast.AttachPoint) -> Point:
    """Return the point of an address: an offset into the function that lies there."""
    if not (unit.options.unsafe or unit.options.guru):
        words = "a probe at an address is unsafe: nothing tells whether an instruction begins there"
        raise error("E273", words, attach.span, "allow it with --unsafe")
    known = unit.target.functions
    assert known is not None and known.table is not None and attach.address is not None
    at = known.table.lookup(attach.address)
    if at is None:
        raise error("E304", f"no function of this kernel is at {attach.address:#x}", attach.span)
    if at.offset and attach.provider == "kretprobe":
        words = f"no function begins at {attach.address:#x}: that is {at.name}+{at.offset:#x}"
        raise error("E304", words, attach.span, "kprobe can probe that place")
    if len(known.table.addresses(at.name)) > 1:
        raise error("E304", f"several functions are called '{at.name}', which is there", attach.span)
    attach = attach.replace(func=at.name, offset=at.offset)
    return event_of(unit, attach, [(at.module, at.name, at.name)], attach.provider)


def _multi(unit: Unit, count: int, offset: int) -> bool:
    features = unit.target.features
    forced = unit.options.attach
    if features is None or offset or forced == "kprobe":
        return False
    return bool((count > 1 or forced == "kprobe_multi") and features("kprobe_multi"))


def _word(unit: Unit, n: int) -> Make:
    made = c_argument(unit.btf, None, n)

    def plain(body: Body) -> Val:
        return Val(types.UINT64, made(body).ops)

    return plain


def _cookie(numbers: dict[str, int], module: str, name: str) -> int:
    low = numbers.setdefault(name, len(numbers) + 1)
    return numbers.setdefault(module or KERNEL, len(numbers) + 1) << 32 | low


def _text(before: str) -> Callable[[Body], Operand]:
    from ...ir.nodes import Text

    def make(body: Body) -> Operand:
        number = body.b.op("and", (body.call("probe_number"), Const(0xFFFFFFFF)))
        name = body.text_call("function_name", number)
        return body.b.op("concat", (Text(before), name), None, STR) if before else name

    return make


def _owned(provider: str) -> Callable[[Body], Operand]:
    """Like `_text`, with the module that each function is of."""
    from ...ir.nodes import Text

    def make(body: Body) -> Operand:
        number = body.call("probe_number")
        module = body.text_call("function_name", body.b.op("shr", (number, Const(32))))
        name = body.text_call("function_name", body.b.op("and", (number, Const(0xFFFFFFFF))))
        text: Operand = Text(f"{provider}:")
        for part in (module, Text(":"), name):
            text = body.b.op("concat", (text, part), None, STR)
        return text

    return make


# ---- which functions ----------------------------------------------------------------------


def found(unit: Unit, attach: ast.AttachPoint) -> list[Found]:
    """Return what the point means; without a module, first of the kernel, for a pattern of the loaded modules too."""
    known = unit.target.functions
    word, module = attach.func, "" if attach.target == KERNEL else attach.target
    own = not module or (has_glob(module) and bool(glob_filter(module, (KERNEL,))))
    others = module if attach.target else "*"
    if module and not own and not known.modules(module):
        near = did_you_mean(module, known.known_modules())
        hint = f"did you mean '{near}'?" if near else ""
        raise error("E304", f"this kernel has no module '{module}'", attach.span, hint)
    out: list[Found]
    if has_glob(word):
        out = known.matching(word) if own else []
        out = out + known.matching(word, others) if others else out
        if not out:
            words = f"no function of {_where(module)} that can be traced matches '{word}'"
            raise error("E304", words, attach.span)
        return out
    out = known.copies(word) if own else []
    out = out or (known.copies(word, others) if others else [])
    exact = [one for one in out if one[2] == word]
    if not out:
        raise _unknown(unit, attach)
    why = known.why_not(word) if not out[0][0] else ""
    if why and exact:
        raise error("E304", f"the function '{word}' can't be traced: {why}", attach.span)
    return exact or out


def _where(module: str) -> str:
    return f"the module '{module}'" if module and not has_glob(module) else "this kernel"


def _unknown(unit: Unit, attach: ast.AttachPoint) -> Exception:
    known = unit.target.functions
    word, module = attach.func, "" if attach.target == KERNEL else attach.target
    if not module and unit.btf.find_func(word) is not None:
        words = f"the function '{word}' has no code of its own in this kernel: it is inlined into its callers"
        return error("E304", words, attach.span)
    near = did_you_mean(word, known.near(word, module))
    hint = f"did you mean '{near}'?" if near else ""
    return error("E304", f"{_where(module)} has no function '{word}'", attach.span, hint)
