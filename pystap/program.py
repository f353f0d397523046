"""`Program`: what the compiler hands to the runtime. Plain, printable, serialisable data.

Nothing here refers to the compiler's objects: a Program can be made on one machine, kept in a
file and run on another with the same kernel and no more CPUs.
"""

from __future__ import annotations

from .node import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERSION = 1
CPUS = 256  # a machine has no more, as far as nobody says otherwise

# The control block: one element of an mmap-able array map, shared by every program and the runtime.
CTL_STATE = 0  # u32, one of the states below; tested first by every program
CTL_GEN = 4  # u32, 0 or 1: which generation of the delta maps is written (R8)
CTL_SEQ = 8  # u64, number of the next record (R7)
CTL_REALTIME = 16  # u64, CLOCK_REALTIME - CLOCK_MONOTONIC, ns
CTL_EXIT = 24  # u64, set not 0 by exit() in the kernel stage: 1 + exit code
CTL_ERROR = 32  # u64, 0, or 1 + number of the error site; the first error wins (cmpxchg)
CTL_ERROR_ARG = 40  # u64, what the message needs (an address)
CTL_ERRORS = 48  # u64, forgiven errors (MAXERRORS) of runs without a record that could say so
CTL_ZERO = 56  # u64, 0 for ever: what is combined with it, the verifier takes for unknown
CTL_LOCK = 64  # u64, 0, or 1 + number of the CPU whose run holds the lock (R5); on a cache line of its own
CTL_SIZE = 128  # what GlobalSpecs have there follows: shared scalars, 8 bytes each, and marks of arrays
STATE_STARTING, STATE_RUNNING, STATE_STOPPING, STATE_ERROR = 0, 1, 2, 3

# The per-CPU block: element 0 of a per-CPU array. Counters that never leave their CPU.
CPU_SKIPPED = 0  # u64, runs that did not happen because the ring was full
CPU_SKIPPED_OTHER = 8  # u64, runs that did not happen for want of scratch or a lock
CPU_SIZE = 16

# A captured stack has room for this many frames more than asked for: those of tracing itself, which are not shown.
OWN_FRAMES = 4

# A record: header, then the fields of its RecordSpec.
REC_SEQ = 0  # u64
REC_ID = 8  # u32, number of the RecordSpec
REC_FLAGS = 12  # u32: 1 = the run ended in an error (site and argument are in the control block); a forgiven
# one (MAXERRORS) is here: 2 * (1 + number of the error site) + 1
REC_HEADER = 16


class MapSpec(Node):
    """One BPF map. type: UAPI bpf_map_type name in lower case ("percpu_hash"); inner: for arrays of maps.

    An array of maps is filled by the loader with max_entries fresh inner maps.
    """

    name: str
    type: str
    key_size: int
    value_size: int
    max_entries: int
    flags: int = 0
    inner: Any = None


class Reloc(Node):
    """The ld_imm64 at insn `index` takes a map's fd (kind "map") or an address in its element 0 ("value")."""

    index: int
    kind: str
    map: str
    offset: int = 0


class Line(Node):
    """From instruction `index` on, the code comes from this place of the script."""

    index: int
    file: str
    line: int
    column: int
    text: str


class Prog(Node):
    """One BPF program. kind, name, args: as of ir.nodes.Event, after the attach ladder chose.

    funcs: (instruction index, name, number of arguments) of the main program and its subprograms.
    kfuncs: (instruction index, kfunc name): the call's imm takes the kfunc's BTF id.
    apart: names of the functions that are verified by themselves (global ones).
    """

    name: str
    kind: str
    target: str
    args: Any
    insns: bytes
    relocs: tuple[Reloc, ...]
    funcs: tuple[tuple[int, str, int], ...]
    lines: tuple[Line, ...]
    kfuncs: tuple[tuple[int, str], ...] = ()
    handlers: tuple[int, ...] = ()
    apart: tuple[str, ...] = ()


class Field(Node):
    """A captured value in a record. type: "i64" (8 bytes), "str" (NUL-terminated in size bytes), "buf"."""

    offset: int
    type: str
    size: int


class RecordSpec(Node):
    """Layout of the records of one handler. size: bytes with header, a multiple of 8.

    function: name of the generated Python function that takes the values of the fields, in order. inside: number of the
    field that isn't 0 when an error ended the run in a loop with a log, -1 when there is no log: what the function
    does until it runs out of the log comes before the error. changes: whether the run that made it changes globals in
    the kernel, too.
    """

    id: int
    size: int
    fields: tuple[Field, ...]
    function: str
    handler: int
    inside: int = -1
    changes: bool = False


class Part(Node):
    """How one key part (or a str value) lies in a kernel map: size bytes at offset.

    type: "i64", "str" or "buf"; render: name of the generated Python function that makes the script's
    value of this and the following words - 1 raw parts, "" for the value itself.
    """

    offset: int
    type: str
    size: int
    render: str = ""
    words: int = 1


class GlobalSpec(Node):
    """Where a global lives.

    home: "user" (a Python object); "delta" (kernel maps that collect commutative updates: the runtime merges
    them into its own copy, generation by generation); "shared" (the kernel map is the truth).
    map: name of the map; offset: place of a scalar in its element, or in the control block of an array's mark: 8 bytes, not
    0 once it was full (arrays with `wrap`, or whose `full` isn't "error"); key, value: layouts in the map.
    stat: (field name, offset) pairs of an aggregate's value: count sum min max sumsq, "log" and "linear" for
    the first of the buckets (8 bytes each); value_size: bytes of the value.
    resets: whether any user handler assigns or deletes it, so that it has two generations; front: slots of
    its front table, 0 for none; cpus, stride: of a collected scalar, CPUs that have slots of their own, and bytes from a
    slot to the next, both powers of two (staging/plan.py says how these maps are laid out).
    Others: as in ir.nodes.Global.
    """

    name: str
    index: int
    home: str
    map: str
    offset: int
    keys: tuple[str, ...]
    key: tuple[Part, ...]
    key_size: int
    value: str
    value_size: int
    stat_fields: tuple[tuple[str, int], ...]
    capacity: int
    wrap: bool
    full: str
    initial: int | str | None
    hist_log: int | None
    linear: tuple[int, int, int] | None
    signed: bool
    stat_kind: str
    display: str
    fmt: Any
    resets: bool = False
    front: int = 0
    cpus: int = 0
    stride: int = 0


class Timer(Node):
    """A user handler that runs every `ns` nanoseconds (plus or minus up to `randomize`)."""

    ns: int
    randomize: int
    function: str


class ErrorSite(Node):
    """A place where the kernel stage can raise. message may hold one %x for the argument; text is the place."""

    message: str
    place: str


class Program(Node):
    """Everything that a run needs. source: Python text of the user stage (see backend/python)."""

    version: int
    lang: str
    maps: tuple[MapSpec, ...]
    progs: tuple[Prog, ...]
    globals: tuple[GlobalSpec, ...]
    records: tuple[RecordSpec, ...]
    errors: tuple[ErrorSite, ...]
    source: str
    begin: tuple[str, ...]
    end: tuple[str, ...]
    error: tuple[str, ...]
    timers: tuple[Timer, ...]
    signals: tuple[tuple[str, str], ...]
    options: Any
