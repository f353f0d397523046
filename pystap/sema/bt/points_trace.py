"""tracepoint:subsystem:event, by the raw tracepoint of the same name.

`args.field` is computed from the raw tracepoint's arguments (`probes/tracepoints`); the record's struct in BTF
says the field's type, and which fields there are that can't be read yet.
"""

from __future__ import annotations

from ...btf.layout import members
from ...diag import Bag, CompileError, did_you_mean
from ...ir.nodes import Event
from ...probes.base import glob_filter, has_glob, untyped
from ...probes.tracepoints import fields_of
from ...source import Source
from . import types
from .body import error
from .points import Point, _no_tracepoint, c_argument
from .scope import Bound, Scope
from .types import T, is_number
from .values import Val, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...btf import types as bt
    from ...lang.bt import ast
    from .body import Body
    from .points import Make
    from .unit import Unit

HIDDEN = frozenset(("ent", "__data"))


def resolve(unit: Unit, attach: ast.AttachPoint) -> list[Point]:
    """Return the points of a tracepoint that isn't of a system call."""
    if attach.target == "raw_syscalls":
        from .points_syscall import raw

        return raw(unit, attach)
    if has_glob(attach.target) or has_glob(attach.func):
        return [_point(unit, attach, subsystem, word) for subsystem, word in _matching(unit, attach)]
    return [_point(unit, attach, attach.target, attach.func)]


def _matching(unit: Unit, attach: ast.AttachPoint) -> list[tuple[str, str]]:
    """Return the (subsystem, tracepoint) pairs that a pattern names and this kernel has."""
    from ...probes.tracepoints.subsystems import SUBSYSTEMS

    have = set(unit.btf.tracepoints())
    if unit.target.untyped and unit.target.tracepoints is not None:
        have = set(unit.target.tracepoints())
    found = [
        (subsystem, word)
        for subsystem in glob_filter(attach.target, SUBSYSTEMS)
        for word in glob_filter(attach.func, SUBSYSTEMS[subsystem])
        if word in have
    ]
    if not found:
        words = f"this kernel has no tracepoint '{attach.target}:{attach.func}'"
        near = None if has_glob(attach.target) else did_you_mean(attach.target, SUBSYSTEMS)
        hint = f"did you mean '{near}:{attach.func}'?" if near and near != attach.target else ""
        raise error("E303", words, attach.span, hint)
    return found


def _point(unit: Unit, attach: ast.AttachPoint, subsystem: str, event: str) -> Point:
    btf = unit.btf
    found = btf.find_tracepoint(event)
    if found is None and unit.target.untyped:
        _check_subsystem(attach, subsystem, event)
        return without_types(unit, attach, f"tracepoint:{subsystem}:{event}", event)
    if found is None:
        raise _no_tracepoint(event, btf.tracepoints(), attach)
    record, texts = fields_of(subsystem, event)
    if not texts:
        _check_subsystem(attach, subsystem, event)
    text = f"tracepoint:{subsystem}:{event}"
    point = Point("tracepoint", text, Event("tp_btf", event), attach.span, f"tracepoint {event}")
    params = {p.name: c_argument(btf, p.type, n) for n, p in enumerate(found.params) if p.name}
    struct = btf.find_struct("trace_event_raw_" + record)
    declared = _declared(struct)
    for word, ctype in declared.items():
        expression = texts.get(word)
        type = None if ctype is None else types.of_ctype(btf, ctype)
        if expression is not None:
            point.fields[word] = _computed(word, params, expression, type, text)
        elif word in params:
            point.fields[word] = _retyped(params[word], type)
    for word, expression in texts.items():
        if struct is None:
            point.fields[word] = _computed(word, params, expression, None, text)
    if struct is None:
        for word, make in params.items():
            point.fields.setdefault(word, make)
    point.unsupported = tuple(w for w in declared if w not in point.fields)
    return point


def without_types(unit: Unit, attach: ast.AttachPoint, text: str, event: str) -> Point:
    """Return a tracepoint's point on a kernel that tells no types: it is known by name, and has no arguments."""
    known = sorted(unit.target.tracepoints()) if unit.target.tracepoints is not None else []
    if not known:
        raise untyped(unit.target, text, attach.span)
    if event not in known:
        raise _no_tracepoint(event, known, attach)
    return Point(attach.provider, text, Event("tp_btf", event), attach.span, f"tracepoint {event}")


def _check_subsystem(attach: ast.AttachPoint, subsystem: str, event: str) -> None:
    """Refuse a tracepoint that has no record, or is known to be in another subsystem."""
    from ...probes.tracepoints.subsystems import subsystem_of

    words = f"this kernel has no tracepoint '{subsystem}:{event}'"
    if event.endswith("_tp"):
        raise error("E303", words, attach.span, f"there is rawtracepoint:{event}")
    known = subsystem_of(event)
    if known and known != subsystem:
        raise error("E303", words, attach.span, f"did you mean '{known}:{event}'?")


def _declared(struct: Any) -> dict[str, bt.Type | None]:
    """Return the fields of a record with their types; None for text of any length."""
    out: dict[str, bt.Type | None] = {}
    for member in members(struct) if struct is not None else ():
        if member.name.startswith("__data_loc_"):
            out[member.name.removeprefix("__data_loc_")] = None
        elif member.name not in HIDDEN:
            out[member.name] = member.type
    return out


def _computed(name: str, params: dict[str, Make], expression: str, type: T | None, where: str) -> Make:
    def make(body: Body) -> Val:
        binds = {word: Bound(None, None, source) for word, source in params.items()}
        outer, pinned = body.scope, body.pinned
        body.scope, body.pinned = Scope(outer, binds, outer.place), True
        try:
            return retype(body, _first(body, name, expression, where), type)
        finally:
            body.scope, body.pinned = outer, pinned

    return make


def _first(body: Body, name: str, expressions: str, where: str) -> Val:
    """The value of the first alternative that this kernel's types allow."""
    hint = ""
    out = body.b.out
    written = len(out)
    for text in expressions.split(" or "):
        try:
            return body.value(_parsed(text, where))
        except CompileError as failed:
            hint = f"{text}: {failed.diagnostic.message}"
            body.b.out = out
            del out[written:]
    raise error("E230", f"the field '{name}' of {where} can't be read on this kernel", body.b.span, hint)


def _retyped(source: Make, type: T | None) -> Make:
    return lambda body: retype(body, source(body), type)


_expressions: dict[str, Any] = {}


def _parsed(text: str, where: str) -> Any:
    found = _expressions.get(text)
    if found is None:
        from ...lang.bt.parser import Parser
        from ...lang.bt.report import Reporter

        source = Source(f"<{where}>", text)
        parser = Parser(source, [], Reporter(source, Bag()))
        parser._start(0, "")
        found = _expressions[text] = parser.expression()
    return found


def retype(body: Body, value: Val, type: T | None) -> Val:
    """Return a value with the type that the record's field has."""
    if type is None or type.kind in ("void", "record"):
        return value
    if type.kind in ("int", "bool") and is_number(value.type):
        if value.type.kind == type.kind and value.type.size == type.size and value.type.signed == type.signed:
            return Val(type, value.ops, value.mem, value.const)
        operand = body.ops(value)[0]
        if type.size < 8 and value.type.size > type.size:
            operand = body.b.op("sext" if type.signed else "zext", (operand,), 8 * type.size)
        return Val(type, [operand])
    if type.kind == "array" and value.mem is not None and size_of(value.type) == size_of(type):
        return Val(type, None, value.mem)
    if type.kind == "ptr" and is_number(value.type):
        known = value.type if value.type.kind == "ptr" and type.ctype is None else type
        return Val(known, body.ops(value))
    return value
