"""Updates that the kernel stage only collects, by CPU and generation: numbers, hashes and their front tables."""

from __future__ import annotations

from ...bpf import insn as I
from ...staging.plan import FRONT_SLOTS
from .keys import Key, slot_number
from .stats import push as push_value
from .tables import answer, insert_zero, lookup, refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ...ir.nodes import Op
    from ...program import GlobalSpec
    from .lower import Lower

_FREE, _CLAIMED, _USED = 0, 1, 2
_HEAD = 8  # the state word of a front slot


def collect(lo: Lower, op: Op, spec: GlobalSpec) -> None:
    """An update of a global that event handlers only add to."""
    count = len(spec.key)
    keys, value = op.args[:count], op.args[count]
    if op.name not in ("add_to", "push"):
        raise lo.unfit(f"'{op.name}' on {spec.name} has no code in the kernel stage", op.span)

    def update(base: int, off: int) -> None:
        if op.name == "push":
            push_value(lo, spec, lo.value(value), base, off)
        else:
            lo.collect(base, off, value)

    if not spec.key:
        base = delta_element(lo, spec)
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


def delta_element(lo: Lower, spec: GlobalSpec) -> int:
    """A register with the address of this CPU's slot of the generation that this run writes."""
    resets = spec.resets
    known = lo.facts.get(("delta", resets))
    if known is not None:
        return int(known)
    fn = lo.fn
    fn.call("get_smp_processor_id", 0)
    slot = fn.result()
    fn.alui(I.AND, slot, spec.cpus - 1)  # which tells the verifier how far it can be
    if resets:
        half = fn.copy(generation(lo))
        fn.alui(I.AND, half, 1)
        fn.alui(I.LSH, slot, 1)
        fn.alu(I.ADD, slot, half)  # not OR, behind which 6.1 knows no bounds
    fn.alui(I.LSH, slot, spec.stride.bit_length() - resets)
    base = fn.vreg()
    fn.ld_value(base, "delta", 0)
    fn.alu(I.ADD, base, slot)
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
    lookup(lo, name, key, base)
    fn.jumpi(I.JNE, base, 0, known)
    insert_zero(lo, op, spec, name, key)
    status = answer(lo)
    lookup(lo, name, key, base)
    fn.jumpi(I.JNE, base, 0, ready)
    refused(lo, op, spec, status)
    fn.goto(done)
