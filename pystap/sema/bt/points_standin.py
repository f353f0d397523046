"""kprobe, kretprobe, fentry, fexit where the kernel can't probe functions: the events of `probes/standins` in their place.

A stand-in whose values are arguments of a tracepoint is read here (`_plain`). One whose values have to be worked out says
so in SystemTap's language: that part is compiled as SystemTap's, and what it makes is the beginning of the handler
(`worked.py`).
"""

from __future__ import annotations

from ...btf.kinds import G_FUNC
from ...diag import did_you_mean
from ...ir.nodes import Const, Event
from ...probes.base import has_glob
from ...probes.standins import find, lookup
from ...probes.syscall_tracepoints import NUMBERS
from . import types
from .body import error, later
from .points import Point, c_argument, untyped
from .values import Val

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ...lang.bt import ast
    from ...probes.standins import StandIn
    from ..build import Operand
    from .body import Body
    from .points import Make
    from .unit import Unit


def resolve(unit: Unit, attach: ast.AttachPoint, ret: bool) -> Point:
    """Return the point of a stand-in; CompileError where there is none."""
    word = attach.func
    if word.startswith(_CALL) and NUMBERS.get(word.removeprefix(_CALL)) is not None and unit.options.standins:
        return _system_call(unit, attach, ret)
    found = None if has_glob(word) else find(word, ret) or lookup(word, ret)
    if found is None:
        raise _none(unit, attach, ret)
    if not unit.options.standins:
        words = f"this kernel can't probe '{word}', and stand-ins are switched off"
        raise error("E304", words, attach.span, f"its stand-in: {found.words}")
    if attach.offset:
        raise error("E304", "a stand-in has no offsets into the function", attach.span)
    if found.plain:
        return _plain(unit, attach, found)
    from .worked import resolve as worked

    return worked(unit, attach, found)


_CALL = "__x64_sys_"


def _system_call(unit: Unit, attach: ast.AttachPoint, ret: bool) -> Point:
    """The function that a system call enters, by the call; its argument are the registers, which aren't there."""
    word = attach.func.removeprefix(_CALL)
    unit.note_once(
        f"stand-in {attach.func} {ret}",
        "W301",
        f"this kernel can't probe functions: '{attach.func}' is probed by the system call {word} instead",
        attach.span,
        "what differs: calls that the kernel makes itself aren't seen",
    )
    event = Event("sys_exit" if ret else "sys_enter", word, {"numbers": [NUMBERS[word]]})
    point = Point(attach.provider, attach.name, event, attach.span, f"stand-in of {attach.func}")
    point.function = attach.func

    def no_registers(body: Body) -> Val:
        hint = f"tracepoint:syscalls:sys_enter_{word} has the call's arguments"
        raise error(
            "E401", f"not supported yet: registers of {attach.func} by its stand-in", body.b.span, hint
        )

    if ret:
        point.retval = lambda body: Val(types.UINT64, [body.b.op("sys_ret", ())])
        point.fields["retval"] = lambda body: Val(types.INT64, [body.b.op("sys_ret", ())])
    else:
        point.arguments = [no_registers]
        point.fields["regs"] = no_registers
    return point


def _none(unit: Unit, attach: ast.AttachPoint, ret: bool) -> Exception:
    word = attach.func
    if attach.address is not None:
        return error("E304", "this kernel can't probe functions, and addresses have no stand-in", attach.span)
    hint = "a tracepoint may tell the same: pystap -l 'tracepoint:*'"
    words = f"this kernel can't probe functions, and '{word}' has no stand-in"
    if not has_glob(word):
        if unit.btf.find_func(word) is None:
            near = did_you_mean(word, unit.btf.names(G_FUNC, word[:2] + "*"))
            hint = f"did you mean '{near}'?" if near else hint
            words = f"this kernel has no function '{word}'"
        elif lookup(word, not ret) is not None:
            hint = f"its {'entry' if ret else 'return'} has one"
    return error("E304", words, attach.span, hint)


def warn(unit: Unit, attach: ast.AttachPoint, found: StandIn) -> None:
    """Say, once, that something stands in and what differs."""
    unit.note_once(
        f"stand-in {found.function} {found.returns}",
        "W301",
        f"this kernel can't probe functions: '{found.function}' is probed by {found.words} instead",
        attach.span,
        f"what differs: {found.differs}",
    )


def _plain(unit: Unit, attach: ast.AttachPoint, found: StandIn) -> Point:
    tracepoint = unit.btf.find_tracepoint(found.tracepoint) if found.tracepoint else None
    if tracepoint is None:
        words = f"this kernel can't probe functions, and lacks the tracepoint '{found.tracepoint}'"
        raise error("E304", f"{words}, which could stand in for '{found.function}'", attach.span)
    warn(unit, attach, found)
    event = Event("tp_btf", found.tracepoint, {"standin": found.function})
    point = Point(attach.provider, attach.name, event, attach.span, f"stand-in of {found.function}")
    point.function = found.function
    makes: list[Make] = []
    for name_, number in found.params:
        if number is None or number >= len(tracepoint.params):
            makes.append(_missing(found, name_))
            continue
        made = c_argument(unit.btf, tracepoint.params[number].type, number)
        makes.append(made if attach.provider in ("fentry", "fexit") else untyped(made))
        if attach.provider in ("fentry", "fexit"):
            point.fields[name_] = made
    if found.returns:
        point.retval = makes[0] if makes else None
    else:
        point.arguments = makes
    point.guard = _guard(unit, found, tracepoint)
    return point


def _missing(found: StandIn, name_: str) -> Make:
    def make(body: Body) -> Val:
        raise later(f"'{name_}' of {found.function} by its stand-in '{found.tracepoint}'", body.b.span)

    return make


def _guard(unit: Unit, found: StandIn, tracepoint: Any) -> Callable[[Body], None] | None:
    """Return what writes the conditions that the event is the function's own."""
    numbers = dict(found.params)
    if not found.guards and not found.never:
        return None

    def argument(body: Body, number: int) -> Val:
        return c_argument(unit.btf, tracepoint.params[number].type, number)(body)

    def guard(body: Body) -> None:
        b = body.b
        for values in found.never:
            other: Operand | None = None
            for number, wanted in values:
                equal = b.op("eq", (body.ops(argument(body, number))[0], Const(wanted)))
                other = equal if other is None else b.op("and", (other, equal))
            if other is not None:
                b.into(b.branch(other)[1])
        for name_, fields, allowed in found.guards:
            at = numbers[name_]
            assert at is not None
            value = body.ops(_field(body, argument(body, at), name_, fields))[0]
            b.into(b.branch(_one_of(body, value, allowed))[0])

    return guard


def _one_of(body: Body, value: Operand, allowed: tuple[int, ...]) -> Operand:
    found: Operand | None = None
    for wanted in allowed:
        equal = body.b.op("eq", (value, Const(wanted)))
        found = equal if found is None else body.b.op("or", (found, equal))
    assert found is not None
    return found


def _field(body: Body, value: Val, name_: str, fields: tuple[str, ...]) -> Val:
    from ...lang.bt import ast
    from .access import field, pointed

    span = body.b.span
    node: Any = ast.Identifier(span, name_)
    for word in fields:
        step = ast.Member(span, node, word, True, span)
        value = field(body, pointed(body, value, node) if value.type.kind == "ptr" else value, step, span)
    return value
