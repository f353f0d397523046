"""What staging produces: kernel-stage bodies, user-stage functions, and a home for every global.

The kernel stage's IR is `ir.nodes` with some more operations:

  reserve            attr: RecordPlan. Take a record of its size from this CPU's ring, write the header (its number
                     right after the reservation succeeded). When the ring is full: count CPU_SKIPPED and end
                     the run. Stands before the run's first effect, dominates every `put`, and occurs at most once
                     on any path; the program submits the record on whatever way it leaves.
  put (value)        attr: program.Field. Store an i64, str or buf operand into the record.
  fault_of           dst i64, attr: a Local: 0, or the error (1 + site number) that the fallible operation that
                     assigned that local met; used with Load(fault="capture"), after which the local holds 0.

  append (values)    attr: LogEntry. Store them behind what the record's log has; when it is full, that is an error that no
                     try block catches. Stands in the bodies of `LogLoop`s only; `reserve` dominates these.

  insert (keys, value)  attr: (Global, "absent" | "zero"). Store unless there is an element (or one that isn't 0). dst: 1 if
                     it was stored. It stands under a guard that has looked already.
  full_of            dst i64, attr: the update of an array before it, which did nothing (1) if there was no room, rather
                     than fail.
  lock, unlock       What is between them runs alone, by everyone who takes the lock; who can't get it is skipped, as when
                     there is no room for a record. No Leave leads out from between them, but errors do.

A `RecordLocal` is a str or buf local that lives in the record itself: the operation that assigns it writes there
directly and no `put` follows; reads of it read the record.

Keys of operations on a global are already flattened to the raw parts of its `Home` (a rendered key is
its words), in order. All functions are inlined. Strings have a known capacity, `KernelProgram.sizes`.

The user stage's IR is `ir.nodes` as it is; captured values are parameters of the function. Two operations more, of loops
that the kernel logs:

  turns (log, end[, start, failed])  dst: a reader of the log's bytes, up to its end; failed: the error, 1 + its site, that
                     ended it, 0 if none.
  take (reader)      attr: Field. The next value of the log; ends the function when the kernel got no further.
"""

from __future__ import annotations

from ..ir.nodes import Event, Global, Local, Loop, Scope, Stmt
from ..node import Node
from ..program import ErrorSite, Field, GlobalSpec, MapSpec, RecordSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class RecordLocal(Local):
    """A str or buf that is written in place in the record."""

    field: Field


class LogPlan(Node):
    """The log of loops in a record: `size` bytes at `offset`, of which as many are used as the number at `used` says.

    The number at `inside` is 1 when an error ended the run in a loop that logs.
    """

    used: int
    inside: int
    offset: int
    size: int


class LogEntry(Node):
    """What one place of a loop appends: fields, their offsets from the entry's start.

    size: bytes that there must be room for. Of a string that is longer than LOG_FIXED only as much is kept as there is,
    up to the next 8 bytes; such a one is the last field.
    """

    log: LogPlan
    fields: tuple[Field, ...]
    size: int


LOG_FIXED = 64


class LogLoop(Loop):
    """A loop of the kernel stage with `append`s in it."""

    log: Any = None


class AheadScope(Scope):
    """Loops of the kernel stage that have their part of the log: from where it begins to where it ends (Fields of i64).

    failed: where these loops are run ahead of the user stage, the Field of what one of them may not do (too many turns, no
    room in the log): 1 + the error's site, and the scope is left; else None. target: the user half's statement for it.
    """

    target: Any = None
    log: Any = None
    start: Any = None
    end: Any = None
    failed: Any = None


class RecordPlan(Node):
    """A record that a program writes: number, bytes with the header (a multiple of 8), its log if it has one."""

    id: int
    size: int
    log: LogPlan | None = None


class Home(Node):
    """Where a global lives (see program.GlobalSpec, which this wraps).

    Maps of a delta global, by generation (one when `resets` is false, else two):
      scalars and scalar aggregates: in the one element of the mapped array "delta", which has a slot of spec.stride
      bytes for each CPU and generation: slot 2 * CPU + generation, at spec.offset. No two CPUs share a cache line;
      arrays: per-CPU hashes "NAME.0", "NAME.1" of spec.key_size and spec.value_size, and before them the front table
      "NAME.front", a per-CPU array of `generations * FRONT_SLOTS` entries: u64 state (0 free, 1 being claimed,
      2 used), the key, the value. A key that finds its slot used by another goes to the hash.
    Maps of a shared global: scalars at spec.offset in "ctl" (str: spec.value_size bytes); arrays: hash "NAME".
    An array that may be full without an error has its mark at spec.offset in "ctl".
    Counts, sums and sums of squares are added atomically (programs nest); min and max as well as they can be.
    """

    glob: Global
    spec: GlobalSpec


FRONT_SLOTS = 256


class KernelProgram(Node):
    """One BPF program to be generated: the handlers of one event, in source order.

    body: the runs one after the other; a handler's `Leave(its label)` goes to the next one. sizes: bytes
    (with the NUL for str) of every str and buf local. handlers: their numbers in the module.
    """

    name: str
    event: Event
    body: list[Stmt]
    sizes: dict[Local, int]
    handlers: tuple[int, ...]


class UserFunction(Node):
    """One function of the user stage.

    kind: "handler" (begin, end, error, timer), "record" (params are a record's fields in order), "render" (params are raw
    parts, returns the script's value), "function" (a script's function). result: local that holds the
    value when the body ends, or None. label: leaving it ends the function. sync: delta globals that the runtime
    must bring up to date before the body runs.
    """

    name: str
    kind: str
    params: tuple[Local, ...]
    result: Local | None
    label: Any
    body: list[Stmt]
    sync: tuple[Global, ...] = ()


class Staged(Node):
    """The whole program after staging.

    notes: (span, handler index, words) for `explain`: what runs in the user stage and why.
    """

    lang: str
    kernel: list[KernelProgram]
    user: list[UserFunction]
    homes: dict[Global, Home]
    maps: list[MapSpec]
    records: list[RecordSpec]
    begin: list[str]
    end: list[str]
    error: list[str]
    timers: list[tuple[int, int, str]]
    signals: list[tuple[str, str]]
    notes: list[Any]
    errors: list[ErrorSite]
