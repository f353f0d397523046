"""Operations on globals, by home (staging.plan.Home says how the maps lie)."""

from __future__ import annotations

from ...bpf import insn as I
from ...ir.nodes import Const, Global
from ...program import CPU_SKIPPED_OTHER, CTL_FULL
from ...staging.plan import FRONT_SLOTS
from .keys import Key, slot_number
from .stats import push as push_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ...ir.nodes import Op
    from ...program import GlobalSpec
    from .lower import Lower

BPF_ANY, BPF_NOEXIST = 0, 1
OVERFLOW = "Array overflow, check MAXMAPENTRIES"
ZERO_ON_STACK = 64  # bytes; larger values are first copied from the map "zero"
_FREE, _CLAIMED, _USED = 0, 1, 2
_E2BIG, _EEXIST = -7, -17
_HEAD = 8  # the state word of a front slot


def operate(lo: Lower, op: Op) -> None:
    """Any operation on a global."""
    glob = op.attr[0] if isinstance(op.attr, tuple) else op.attr
    assert isinstance(glob, Global)
    spec = lo.homes[glob].spec
    if id(op) in lo.census.fulls:
        lo.fulls[id(op)] = lo.fn.imm(0)
    if spec.home == "delta":
        _delta(lo, op, spec)
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


# -- collected updates


def _delta(lo: Lower, op: Op, spec: GlobalSpec) -> None:
    count = len(spec.key)
    keys, value = op.args[:count], op.args[count]
    if op.name not in ("add_to", "push"):
        raise lo.unfit(f"'{op.name}' on {spec.name} has no code in the kernel stage", op.span)

    def update(base: int, off: int) -> None:
        if op.name == "push":
            push_value(lo, spec, lo.value(value), base, off)
        else:
            lo.fn.atomic(I.A_ADD, 8, base, off, lo.fresh(value))

    if not spec.key:
        base = delta_element(lo, op, spec.resets)
        update(base, spec.offset)
        return
    key = Key(lo, spec, keys, op.span)
    _find_delta(lo, op, spec, key, update)
    key.give()


def generation(lo: Lower) -> int:
    """A register with the generation that this run writes."""
    if lo.state.parent is None:
        return lo.gen
    from .lower import SH_GEN

    return lo.fn.load(8, *lo.slot(SH_GEN))


def delta_element(lo: Lower, op: Op, resets: bool) -> int:
    """A register with the address of this CPU's element of "delta"."""
    known = lo.facts.get(("delta", resets))
    if known is not None:
        return int(known)
    fn = lo.fn
    at = fn.frame.take(8, op.span)
    if resets:
        fn.stx(4, I.FP, at, generation(lo))
    else:
        fn.sti(4, I.FP, at, 0)
    fn.ld_map(I.R1, "delta")
    fn.addr(I.R2, I.FP, at)
    fn.call("map_lookup_elem", 2)
    fn.frame.give(at, 8)
    base = fn.result()
    impossible = fn.new_label()
    out = fn.out
    fn.jumpi(I.JEQ, base, 0, impossible)
    fn.cold()
    fn.label(impossible)
    lo.quit()
    fn.out = out
    lo.learn(("delta", resets), base)
    return base


def _find_delta(lo: Lower, op: Op, spec: GlobalSpec, key: Key, update: Callable[[int, int], None]) -> None:
    """Find or make the element, then update it: the update is written once, at the end.

    A key's first update goes to the hash, so that the hash knows every key and is full when the array is; its next one
    on this CPU takes a free slot of the front table.
    """
    fn = lo.fn
    base, slot = fn.vreg(), fn.vreg()
    slow, known, ready, done = fn.new_label(), fn.new_label(), fn.new_label(), fn.new_label()
    if spec.front:
        fn.const(slot, 0)
        _front(lo, op, spec, key, base, slot, slow)
        fn.goto(ready)
        fn.label(slow)
    key.on_stack()
    if spec.resets:
        second = fn.new_label()
        fn.jumpi(I.JNE, generation(lo), 0, second)
        _hash(lo, op, spec, key, base, 0, known, ready, done)
        fn.label(second)
        _hash(lo, op, spec, key, base, 1, known, ready, done)
    else:
        _hash(lo, op, spec, key, base, 0, known, ready, done)
    fn.label(known)
    if spec.front:
        _claim(lo, key, base, slot, ready)
    fn.label(ready)
    update(base, 0)
    fn.label(done)


def _front(lo: Lower, op: Op, spec: GlobalSpec, key: Key, base: int, slot: int, slow: int) -> None:
    """`base` gets the value's address in the front table, or the code goes to `slow`: with the slot if that is free."""
    fn = lo.fn
    words = key.size // 8
    number = slot_number(lo, key)
    if spec.resets:
        other = fn.copy(generation(lo))
        fn.alui(I.LSH, other, FRONT_SLOTS.bit_length() - 1)
        fn.alu(I.ADD, number, other)
    at = fn.frame.take(8, op.span)
    fn.stx(4, I.FP, at, number)
    fn.ld_map(I.R1, f"{spec.map}.front")
    fn.addr(I.R2, I.FP, at)
    fn.call("map_lookup_elem", 2)
    fn.frame.give(at, 8)
    fn.mov(base, I.R0)
    fn.jumpi(I.JEQ, base, 0, slow)
    unused, found = fn.new_label(), fn.new_label()
    state = fn.load(8, base, 0)
    fn.jumpi(I.JNE, state, _USED, unused)
    for n in range(words):
        fn.jump(I.JNE, fn.load(8, base, _HEAD + 8 * n), key.word(n), slow)
    fn.goto(found)
    fn.label(unused)
    fn.jumpi(I.JNE, state, _FREE, slow)
    fn.mov(slot, base)
    fn.goto(slow)
    fn.label(found)
    fn.alui(I.ADD, base, _HEAD + key.size)


def _claim(lo: Lower, key: Key, base: int, slot: int, ready: int) -> None:
    """The hash has the key: its slot of the front table, if that was free, is what is updated from now on."""
    fn = lo.fn
    fn.jumpi(I.JEQ, slot, 0, ready)
    fn.const(I.R0, _FREE)
    fn.atomic(I.A_CMPXCHG, 8, slot, 0, fn.imm(_CLAIMED))
    fn.jumpi(I.JNE, I.R0, _FREE, ready)
    for n in range(key.size // 8):
        fn.stx(8, slot, _HEAD + 8 * n, key.word(n))
    fn.sti(8, slot, 0, _USED)
    fn.addr(base, slot, _HEAD + key.size)


def _hash(
    lo: Lower, op: Op, spec: GlobalSpec, key: Key, base: int, gen: int, known: int, ready: int, done: int
) -> None:
    """`base` gets the value's address in the hash; the code goes to `known`, to `ready` if it is new, or to `done`."""
    name = f"{spec.map}.{gen}"
    fn = lo.fn
    _lookup(lo, name, key, base)
    fn.jumpi(I.JNE, base, 0, known)
    _insert_zero(lo, op, spec, name, key)
    status = answer(lo)
    _lookup(lo, name, key, base)
    fn.jumpi(I.JNE, base, 0, ready)
    refused(lo, op, spec, status)
    fn.goto(done)


def _lookup(lo: Lower, name: str, key: Key, base: int) -> None:
    fn = lo.fn
    fn.ld_map(I.R1, name)
    key.pointer(I.R2)
    fn.call("map_lookup_elem", 2)
    fn.mov(base, I.R0)


def _insert_zero(lo: Lower, op: Op, spec: GlobalSpec, name: str, key: Key) -> None:
    """Add the key with a value of zeros, unless it is there."""
    fn = lo.fn
    size = (spec.value_size + 7) & ~7
    if size <= ZERO_ON_STACK:
        at = fn.frame.take(size, op.span)
        for n in range(0, size, 8):
            fn.sti(8, I.FP, at + n, 0)
        fn.addr(I.R3, I.FP, at)
        fn.frame.give(at, size)
    else:
        fn.ld_value(I.R3, "zero", 0)
    fn.ld_map(I.R1, name)
    key.pointer(I.R2)
    fn.const(I.R4, BPF_NOEXIST)
    fn.call("map_update_elem", 4)


def answer(lo: Lower) -> int:
    """A register with what the map's helper called last returned: an int, of which kernels before 6.4 leave it at that."""
    status = lo.fn.result()
    lo.fn.alui(I.LSH, status, 32)
    lo.fn.alui(I.ARSH, status, 32)
    return status


def refused(lo: Lower, op: Op, spec: GlobalSpec, status: int) -> None:
    """A new key was not taken: there is no room, or this run interrupted another one in the same map.

    status: a register with the helper's answer. Where that isn't the map's being full, what is lost is counted.
    """
    fn = lo.fn
    full, done = fn.new_label(), fn.new_label()
    fn.jumpi(I.JEQ, status, _E2BIG, full)
    fn.jumpi(I.JEQ, status, 0, done)  # it was there, and another run has deleted it since
    fn.jumpi(I.JEQ, status, _EEXIST, done)
    count_skipped(lo, op)
    fn.goto(done)
    fn.label(full)
    _full(lo, op, spec)
    fn.label(done)


def count_skipped(lo: Lower, op: Op) -> None:
    """One more run that did not happen, or not whole."""
    fn = lo.fn
    at = fn.frame.take(8, op.span)
    fn.sti(4, I.FP, at, 0)
    fn.ld_map(I.R1, "cpu")
    fn.addr(I.R2, I.FP, at)
    fn.call("map_lookup_elem", 2)
    fn.frame.give(at, 8)
    none = fn.new_label()
    fn.jumpi(I.JEQ, I.R0, 0, none)
    fn.atomic(I.A_ADD, 8, I.R0, CPU_SKIPPED_OTHER, fn.imm(1))
    fn.label(none)


def _full(lo: Lower, op: Op, spec: GlobalSpec) -> None:
    """No room for a new key."""
    fn = lo.fn
    if spec.wrap or spec.full != "error":
        at = fn.vreg()
        fn.ld_value(at, "ctl", CTL_FULL)
        fn.atomic(I.A_OR, 8, at, 0, fn.imm(1 << (spec.index & 63)))
    elif id(op) in lo.fulls:
        fn.const(lo.fulls[id(op)], 1)
    else:
        fn.goto(lo.fault(OVERFLOW, op.span, word=spec.name))


def full_of(lo: Lower, op: Op) -> None:
    """Whether an update found no room."""
    lo.done(op.dst, lo.fulls[id(op.attr)])


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
    _lookup(lo, spec.map, key, base)
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
    _lookup(lo, spec.map, key, base)
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
    _lookup(lo, spec.map, key, base)
    fn.jumpi(I.JNE, base, 0, ready)
    _insert_zero(lo, op, spec, spec.map, key)
    status = answer(lo)
    _lookup(lo, spec.map, key, base)
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
    _lookup(lo, spec.map, key, base)
    fn.jumpi(I.JEQ, base, 0, new)
    fn.stx(8, base, 0, lo.value(value))
    fn.goto(done)
    fn.label(new)
    at = fn.frame.take(8, op.span)
    fn.stx(8, I.FP, at, lo.value(value))
    fn.addr(I.R3, I.FP, at)
    fn.ld_map(I.R1, spec.map)
    key.pointer(I.R2)
    fn.const(I.R4, BPF_ANY)
    fn.call("map_update_elem", 4)
    fn.frame.give(at, 8)
    status = answer(lo)
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
    fn = lo.fn
    key = _key(lo, op, spec)
    fn.ld_map(I.R1, spec.map)
    key.pointer(I.R2)
    fn.call("map_delete_elem", 2)
    key.give()


_SHARED_ARRAY: dict[str, Any] = {
    "get": _array_get,
    "has": _array_has,
    "set": _array_set,
    "add_to": _array_add,
    "add_fetch": _array_add_fetch,
    "delete": _array_delete,
}
