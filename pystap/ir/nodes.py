"""The IR: typed, structured, in A-normal form. One IR serves every stage and back end.

A body is a list of statements. Operands are `Local`, `Const` or `Text`, never nested
expressions: sema writes operand evaluation out in order, so that the order of effects is
the order of the list. There are no jumps: control is `If`, `Loop`, `Scope` + `Leave`, `Try`.

Types are short strings:
  "i64"  a 64-bit integer (operations say whether they are signed)
  "str"  a byte string without NUL; carried in Python as a `str` of code points 0..255, one for
         each byte (latin-1), so that widths and comparisons count bytes as C does
  "buf"  raw bytes of known length (an IPv6 address, a MAC); in Python `bytes`
  "tuple" a tuple of values (bpftrace)
Locals hold 0, "", b"" or () until assigned. A local belongs to one handler or function.
"""

from __future__ import annotations

from ..node import Node
from ..source import NOWHERE, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

I64 = "i64"
STR = "str"
BUF = "buf"
TUPLE = "tuple"
STAT = "stat"


class Local(Node):
    """A variable or temporary of one body. Equality is identity."""

    name: str
    type: str


class Const(Node):
    """An integer, -2^63 <= value < 2^63."""

    value: int
    type: str = I64


class Text(Node):
    """A constant string (latin-1 convention, see above)."""

    value: str
    type: str = STR


class Label(Node):
    """The target of `Leave`; identity is what counts."""

    name: str


class Stmt(Node):
    """Base of the statements."""


class Op(Stmt):
    """`dst = name(args)` with a static `attr`; `ops.OPS` says what each name takes and does."""

    dst: Local | None
    name: str
    args: tuple[Local | Const | Text, ...]
    attr: Any = None
    span: Span = NOWHERE


class If(Stmt):
    """Run `then` when cond is not 0, else `els`."""

    cond: Local | Const | Text
    then: list[Stmt]
    els: list[Stmt]
    span: Span = NOWHERE


class Loop(Stmt):
    """Run `body` again and again until `Leave(label)` (or an outer label). Each turn counts one action."""

    label: Label
    body: list[Stmt]
    span: Span = NOWHERE


class Scope(Stmt):
    """Run `body` once; `Leave(label)` inside goes to its end."""

    label: Label
    body: list[Stmt]
    span: Span = NOWHERE


class Leave(Stmt):
    """Go to the end of the enclosing Scope, Loop, ForEach, Function or Handler with this label."""

    label: Label
    span: Span = NOWHERE


class Try(Stmt):
    """Run `body`; on a run-time error in it put the message in `message` and run `handler`."""

    body: list[Stmt]
    message: Local | None
    handler: list[Stmt]
    span: Span = NOWHERE


class Sort(Node):
    """Order of a ForEach. by: "value", ("key", position) or ("stat", operation name)."""

    by: Any
    descending: bool


class ForEach(Stmt):
    """Run `body` for each element of a global array, on a snapshot of its keys.

    keys: locals for the key parts, () when unused; value: local for the value (not for "stat");
    limit: most turns; slice: for each key position a value to match or None.
    """

    glob: Global
    keys: tuple[Local, ...]
    value: Local | None
    sort: Sort | None
    limit: Local | Const | Text | None
    slice: tuple[Local | Const | Text | None, ...] | None
    label: Label
    body: list[Stmt]
    span: Span = NOWHERE


class Call(Stmt):
    """`dst = func(args)`; functions are inlined into event handlers before staging."""

    dst: Local | None
    func: Function
    args: tuple[Local | Const | Text, ...]
    span: Span = NOWHERE


class Function(Node):
    """A script or tapset function. `Leave(label)` returns; the value is what `result` holds then."""

    name: str
    params: tuple[Local, ...]
    result: Local | None
    label: Label
    body: list[Stmt]
    recursive: bool = False
    span: Span = NOWHERE


class Stat(Node):
    """What an aggregate must keep. ops: subset of {"count","sum","min","max","avg","variance"}.

    hist_log: keep log2 buckets (bits = bpftrace's k, None where not kept);
    linear: (low, high, step) or None; signed: whether min, max and division are signed.
    kind: "stat" (SystemTap's statistics) or bpftrace's "count", "sum", "avg", "min", "max", "stats", "hist", "lhist".
    """

    ops: frozenset[str]
    hist_log: int | None = None
    linear: tuple[int, int, int] | None = None
    signed: bool = True
    kind: str = "stat"


class Global(Node):
    """A script global, array or map. keys: types of the key parts, () for a scalar.

    value: "i64", "str", "buf", "tuple" or "stat"; capacity: most elements (arrays); wrap: an insert
    into a full array drops the oldest element, otherwise it is a run-time error (SystemTap)
    or a warning (bpftrace: `full` = "warn").
    initial: int or str for scalars. display: what sema wants of automatic printing at the end
    ("unread" SystemTap's, "map" bpftrace's, "flag" whether the map of that name is set, "" none);
    fmt: hints for printing (per language); parts: of a tuple, the types of its parts; internal: staging's own,
    always in the kernel.
    """

    name: str
    keys: tuple[str, ...]
    value: str
    capacity: int = 2048
    wrap: bool = False
    full: str = "error"
    initial: int | str | None = None
    stat: Stat | None = None
    display: str = ""
    fmt: Any = None
    internal: bool = False
    span: Span = NOWHERE
    parts: tuple[str, ...] = ()


class Event(Node):
    """What a handler is attached to. `probes/__init__.py` lists the kinds and their `args`."""

    kind: str
    name: str = ""
    args: Any = None

    @property
    def user(self) -> bool:
        """Whether handlers of this event run in the user stage."""
        return self.kind in USER_EVENTS


USER_EVENTS = frozenset({"begin", "end", "error", "timer", "never", "signal"})


class Handler(Node):
    """One handler at one event. `Leave(label)` ends the run (`next`). probe: the text that pp() gives."""

    event: Event
    probe: str
    label: Label
    body: list[Stmt]
    span: Span = NOWHERE


class Module(Node):
    """A whole program, before staging. lang: "stp" or "bt" (for words in messages and output forms only)."""

    lang: str
    globals: list[Global]
    functions: list[Function]
    handlers: list[Handler]
