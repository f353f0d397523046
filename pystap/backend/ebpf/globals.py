"""Operations on globals, by home (staging.plan.Home says how the maps lie)."""

from __future__ import annotations

from ...bpf import insn as I
from ...ir.nodes import Const, Global
from .delta import collect, delta_element, generation
from .keys import Key
from .tables import (
    BPF_ANY,
    ENOENT,
    OVERFLOW,
    answer,
    count_skipped,
    full_of,
    insert_zero,
    lookup,
    refused,
    store_new,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...ir.nodes import Op
    from ...program import GlobalSpec
    from .lower import Lower

__all__ = ["OVERFLOW", "delta_element", "full_of", "generation", "operate"]


def operate(lo: Lower, op: Op) -> None:
    """Any operation on a global."""
    glob = op.attr[0] if isinstance(op.attr, tuple) else op.attr
    assert isinstance(glob, Global)
    spec = lo.homes[glob].spec
    if id(op) in lo.census.fulls:
        lo.fulls[id(op)] = lo.fn.imm(0)
    if spec.home == "delta":
        lo.alone = glob in lo.own
        collect(lo, op, spec)
    elif spec.home == "shared":
        if op.name == "insert":
            from .inserts import array_insert, scalar_insert

            (array_insert if spec.keys else scalar_insert)(lo, op, spec)
            return
        code = (_SHARED_ARRAY if spec.keys else _SHARED_SCALAR).get(op.name)
        if code is None:
            raise lo.unfit(f"'{op.name}' on {spec.name} has no code in the kernel stage", op.span)
        code(lo, op, spec)
    else:
        raise AssertionError(f"{op.name} on {spec.name}, whose home is {spec.home}")


# -- kernel maps that are the truth: scalars


def _scalar(lo: Lower, spec: GlobalSpec) -> int:
    at = lo.fn.vreg()
    lo.fn.ld_value(at, spec.map, spec.offset)
    return at


def _fetch_add(lo: Lower, op: Op, base: int) -> None:
    """add_fetch at an address."""
    fn = lo.fn
    step = op.args[-1]
    result = lo.fresh(step)
    fn.atomic(I.A_ADD | I.FETCH, 8, base, 0, result)
    if op.attr[1] == "new":
        if isinstance(step, Const):
            fn.alui(I.ADD, result, step.value)
        else:
            fn.alu(I.ADD, result, lo.value(step))
    lo.done(op.dst, result)


def _scalar_get(lo: Lower, op: Op, spec: GlobalSpec) -> None:
    lo.done(op.dst, lo.fn.load(8, _scalar(lo, spec), 0))


def _scalar_has(lo: Lower, op: Op, spec: GlobalSpec) -> None:
    lo.done(op.dst, lo.fn.imm(1))


def _scalar_set(lo: Lower, op: Op, spec: GlobalSpec) -> None:
    lo.fn.stx(8, _scalar(lo, spec), 0, lo.value(op.args[0]))


def _scalar_add(lo: Lower, op: Op, spec: GlobalSpec) -> None:
    lo.fn.atomic(I.A_ADD, 8, _scalar(lo, spec), 0, lo.fresh(op.args[0]))


def _scalar_add_fetch(lo: Lower, op: Op, spec: GlobalSpec) -> None:
    _fetch_add(lo, op, _scalar(lo, spec))


def _scalar_delete(lo: Lower, op: Op, spec: GlobalSpec) -> None:
    lo.fn.sti(8, _scalar(lo, spec), 0, 0)


_SHARED_SCALAR: dict[str, Any] = {
    "get": _scalar_get,
    "has": _scalar_has,
    "set": _scalar_set,
    "add_to": _scalar_add,
    "add_fetch": _scalar_add_fetch,
    "delete": _scalar_delete,
    "clear": _scalar_delete,
}

# -- and arrays


def _key(lo: Lower, op: Op, spec: GlobalSpec) -> Key:
    key = Key(lo, spec, op.args[: len(spec.key)], op.span)
    key.on_stack()
    return key


def _array_get(lo: Lower, op: Op, spec: GlobalSpec) -> None:
    fn = lo.fn
    key = _key(lo, op, spec)
    base = fn.vreg()
    lookup(lo, spec.map, key, base)
    key.give()
    missing = fn.new_label()
    result = fn.imm(0)
    fn.jumpi(I.JEQ, base, 0, missing)
    fn.ldx(8, result, base, 0)
    fn.label(missing)
    lo.done(op.dst, result)


def _array_has(lo: Lower, op: Op, spec: GlobalSpec) -> None:
    fn = lo.fn
    key = _key(lo, op, spec)
    base = fn.vreg()
    lookup(lo, spec.map, key, base)
    key.give()
    missing = fn.new_label()
    result = fn.imm(0)
    fn.jumpi(I.JEQ, base, 0, missing)
    fn.const(result, 1)
    fn.label(missing)
    lo.done(op.dst, result)


def _found_or_made(lo: Lower, op: Op, spec: GlobalSpec, key: Key) -> tuple[int, int]:
    """(register with the value's address, label for the end when there is no room)."""
    fn = lo.fn
    base = fn.vreg()
    ready, done = fn.new_label(), fn.new_label()
    lookup(lo, spec.map, key, base)
    fn.jumpi(I.JNE, base, 0, ready)
    insert_zero(lo, op, spec, spec.map, key)
    status = answer(lo)
    lookup(lo, spec.map, key, base)
    fn.jumpi(I.JNE, base, 0, ready)
    refused(lo, op, spec, status)
    fn.goto(done)
    fn.label(ready)
    return base, done


def _array_set(lo: Lower, op: Op, spec: GlobalSpec) -> None:
    """An element that exists is stored to; a new one comes with its value, not with 0 first."""
    fn = lo.fn
    key = _key(lo, op, spec)
    value = op.args[-1]
    base = fn.vreg()
    new, done = fn.new_label(), fn.new_label()
    lookup(lo, spec.map, key, base)
    fn.jumpi(I.JEQ, base, 0, new)
    fn.stx(8, base, 0, lo.value(value))
    fn.goto(done)
    fn.label(new)
    status = store_new(lo, op, spec, key, BPF_ANY)
    fn.jumpi(I.JEQ, status, 0, done)
    refused(lo, op, spec, status)
    fn.label(done)
    key.give()


def _array_add(lo: Lower, op: Op, spec: GlobalSpec) -> None:
    key = _key(lo, op, spec)
    base, done = _found_or_made(lo, op, spec, key)
    lo.fn.atomic(I.A_ADD, 8, base, 0, lo.fresh(op.args[-1]))
    lo.fn.label(done)
    key.give()


def _array_add_fetch(lo: Lower, op: Op, spec: GlobalSpec) -> None:
    key = _key(lo, op, spec)
    base, done = _found_or_made(lo, op, spec, key)
    _fetch_add(lo, op, base)
    lo.fn.label(done)
    key.give()


def _array_delete(lo: Lower, op: Op, spec: GlobalSpec) -> None:
    """What isn't deleted, since this run interrupted another one in the same map, is counted."""
    fn = lo.fn
    key = _key(lo, op, spec)
    fn.ld_map(I.R1, spec.map)
    key.pointer(I.R2)
    fn.call("map_delete_elem", 2)
    key.give()
    status = answer(lo)
    done = fn.new_label()
    fn.jumpi(I.JEQ, status, 0, done)
    fn.jumpi(I.JEQ, status, ENOENT, done)
    count_skipped(lo, op)
    fn.label(done)


_SHARED_ARRAY: dict[str, Any] = {
    "get": _array_get,
    "has": _array_has,
    "set": _array_set,
    "add_to": _array_add,
    "add_fetch": _array_add_fetch,
    "delete": _array_delete,
}
