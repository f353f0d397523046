"""Records: taken from this CPU's ring, numbered, filled, handed over on every way out (R7)."""

from __future__ import annotations

from ...bpf import insn as I
from ...ir.nodes import I64, STR, Const, If, Local, Op, Stmt
from ...program import CPU_SKIPPED, CTL_SEQ, REC_FLAGS, REC_ID, REC_SEQ, Field
from ...staging.plan import LOG_FIXED, RecordLocal
from .lower import HELD, NONE, SH_REC, Mem
from .strings import record_base, room, store, zero
from .tables import count_skipped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...staging.plan import LogEntry
    from .lower import Lower

_CLEARED = 64  # bytes of a field that are cleared before it is known to be written


def reserve(lo: Lower, op: Op, rest: list[Stmt]) -> None:
    """Take a record. rest: the statements that follow, to see which fields are written in any case."""
    fn = lo.fn
    if lo.looping:
        raise lo.unfit("reserves a record in a loop", op.span)
    plan = op.attr
    submit(lo)
    key = fn.frame.take(8, op.span)
    missing = fn.new_label()
    fn.call("get_smp_processor_id", 0)
    fn.stx(4, I.FP, key, I.R0)
    fn.ld_map(I.R1, "rings")
    fn.addr(I.R2, I.FP, key)
    fn.call("map_lookup_elem", 2)
    fn.jumpi(I.JEQ, I.R0, 0, missing)
    fn.mov(I.R1, I.R0)
    fn.const(I.R2, plan.size)
    fn.const(I.R3, 0)
    fn.call("ringbuf_reserve", 3)
    fn.frame.give(key, 8)
    fn.mov(lo.rec, I.R0)
    got = fn.new_label()
    fn.jumpi(I.JNE, lo.rec, 0, got)
    fn.label(missing)
    _skipped(lo, op)
    fn.label(got)
    fn.const(lo.held, 1)
    sequence = fn.imm(1)
    base = fn.vreg()
    fn.ld_value(base, "ctl", CTL_SEQ)
    fn.atomic(I.A_ADD | I.FETCH, 8, base, 0, sequence)
    fn.stx(8, lo.rec, REC_SEQ, sequence)
    fn.sti(8, lo.rec, REC_ID, plan.id)
    if plan.log is not None:
        fn.sti(8, lo.rec, plan.log.used, 0)
        fn.sti(8, lo.rec, plan.log.inside, 0)
    lo.rec_state = HELD
    if lo.census.loops:
        fn.stx(8, *lo.slot(SH_REC), lo.rec)
    _clear(lo, plan.size, rest)


def _skipped(lo: Lower, op: Op) -> None:
    """The ring is full: count it, and this run doesn't happen."""
    lo.fn.const(lo.rec, 0)
    count_skipped(lo, op, CPU_SKIPPED)
    lo.skip()


def _fields(lo: Lower) -> dict[int, Field]:
    """All fields that the program writes, by offset, of every record."""
    found: dict[int, Field] = {}
    for field in lo.census.fields:
        known = found.get(field.offset)
        if known is None or field.size > known.size:
            found[field.offset] = field
    return found


def _clear(lo: Lower, size: int, rest: list[Stmt]) -> None:
    """Clear the fields that some path may not write: the ring's memory holds old records."""
    written = _certain(rest)
    for offset, field in _fields(lo).items():
        if offset in written or offset + field.size > size:
            continue
        keep = 8 if field.type == STR else min(field.size, _CLEARED)
        zero(lo, Mem(lo.rec, offset, min(keep, (field.size + 7) & ~7), False))


def _certain(rest: list[Stmt]) -> set[int]:
    """Offsets of the fields that the statements right after the reservation write, before anything can fail."""
    found: set[int] = set()
    for stmt in rest:
        if isinstance(stmt, If) or not isinstance(stmt, Op):
            break
        if stmt.name == "put":
            found.add(stmt.attr.offset)
        elif isinstance(stmt.dst, RecordLocal):
            found.add(stmt.dst.field.offset)
        if stmt.name in _MAY_STOP or getattr(stmt.attr, "fault", "") == "error":
            break
    return found


_MAY_STOP = frozenset(
    {"raise", "sdiv_or_error", "smod_or_error", "add_to", "push", "set", "add_fetch", "insert", "reserve"}
)


def put(lo: Lower, op: Op) -> None:
    """Store a value in the record."""
    field: Field = op.attr
    value = op.args[0]
    fn = lo.fn
    base, _ = record_base(lo)
    if field.type != I64:
        if isinstance(value, RecordLocal) and value.field.offset == field.offset:
            return
        store(lo, value, Mem(base, field.offset, field.size, False), op.span, raw=field.type != STR)
    elif isinstance(value, Const):
        fn.sti(8, base, field.offset, value.value)
    else:
        assert isinstance(value, Local)
        fn.stx(8, base, field.offset, lo.value(value))


LOG_FULL = "the log of what loops print in one run is full, see -D MAXLOG"


def append(lo: Lower, op: Op) -> None:
    """Store values at the end of the record's log. Where that is, the verifier takes for any number that the test allows."""
    entry: LogEntry = op.attr
    log = entry.log
    fn = lo.fn
    base, _ = record_base(lo)
    at = fn.load(8, base, log.used)
    fn.jumpi(I.JGT, at, log.size - entry.size, lo.fault(LOG_FULL, op.span, final=True))
    to = fn.copy(base)
    fn.alu(I.ADD, to, at)
    for value, field in zip(op.args, entry.fields, strict=True):
        place = log.offset + field.offset
        if field.size > LOG_FIXED:
            _append_long(lo, value, field, to, place, at, op)
        elif field.type != I64:
            store(lo, value, Mem(to, place, field.size, False), op.span, raw=field.type != STR)
        elif isinstance(value, Const):
            fn.sti(8, to, place, value.value)
        else:
            assert isinstance(value, Local)
            fn.stx(8, to, place, lo.value(value))
    if not entry.fields or entry.fields[-1].size <= LOG_FIXED or entry.fields[-1].type != STR:
        fn.alui(I.ADD, at, entry.size)
    fn.stx(8, record_base(lo)[0], log.used, at)


def _append_long(lo: Lower, value: Any, field: Field, to: int, place: int, at: int, op: Op) -> None:
    """The last value of an entry: a helper copies it. A string takes no more room than it needs."""
    fn = lo.fn
    source = room(lo, value, op.span)
    fn.addr(I.R3, source.base, source.off)
    fn.addr(I.R1, to, place)
    fn.const(I.R2, min(field.size, source.cap))
    fn.call("probe_read_kernel_str" if field.type == STR else "probe_read_kernel", 3)
    if field.type == STR:
        length = fn.result()
        fn.alui(I.ADD, length, 7 + field.offset)
        fn.alui(I.AND, length, -8)
        fn.alu(I.ADD, at, length)


def submit(lo: Lower, flags: int | None = None) -> None:
    """Hand the record over, with flags in a register, if one is reserved here. Afterwards none is."""
    fn = lo.fn
    state = lo.rec_state
    if state == NONE:
        return
    none = fn.new_label()
    if state != HELD:
        fn.jumpi(I.JEQ, lo.held, 0, none)  # 6.1 follows both ways from a test of the record's address
    if flags is not None:
        fn.stx(4, lo.rec, REC_FLAGS, flags)
    fn.mov(I.R1, lo.rec)
    fn.const(I.R2, 0)
    fn.call("ringbuf_submit", 2)
    fn.const(lo.rec, 0)
    fn.const(lo.held, 0)
    fn.label(none)
    lo.rec_state = NONE


def meet(one: int, other: int) -> int:
    """The record's state where two paths meet."""
    from .lower import MAYBE

    return one if one == other else MAYBE
