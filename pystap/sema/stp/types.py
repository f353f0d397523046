"""Types while they are found out: union-find variables, with the place that settled each.

A `T` stands for the type of a variable, a key, a parameter or an expression. `kind` is "" until it is settled:
"long", "string", "stat" or (library only) "buf". `pointee` is what a long is known to point to.
"""

from __future__ import annotations

from ...diag import Diagnostic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...btf import types as t
    from ...diag import Bag
    from ...source import Span

LONG, STRING, STAT, BUF = "long", "string", "stat", "buf"
IR_TYPE = {LONG: "i64", STRING: "str", STAT: "stat", BUF: "buf", "": "i64"}
WORDS = {LONG: "a long", STRING: "a string", STAT: "a statistic", BUF: "bytes", "": "unknown"}


class T:
    """A type variable; `find()` before looking at it."""

    __slots__ = ("kind", "link", "pointee", "span", "torn")

    def __init__(self, kind: str = "", span: Span | None = None, pointee: t.Type | None = None) -> None:
        self.kind = kind
        self.span = span  # the place that settled the kind
        self.link: T | None = None
        self.pointee = pointee
        self.torn = False  # two different pointees met: none is known

    def find(self) -> T:
        """Return the variable that stands for this one."""
        top = self
        while top.link is not None:
            top = top.link
        while self.link is not None and self.link is not top:
            self.link, self = top, self.link
        return top

    def point(self, pointee: t.Type | None) -> None:
        """Add what a value of this type points to."""
        if pointee is not None and not self.torn:
            if self.pointee is None:
                self.pointee = pointee
            elif self.pointee is not pointee:
                self.pointee = None
                self.torn = True


# Shared, settled types of expressions: they have no place and no pointee, and are never linked.
T_LONG, T_STRING, T_STAT, T_BUF = T(LONG), T(STRING), T(STAT), T(BUF)
_SHARED = {LONG: T_LONG, STRING: T_STRING, STAT: T_STAT, BUF: T_BUF}


def shared(kind: str) -> T:
    """Return the shared type of a kind."""
    return _SHARED[kind]


def want(bag: Bag, type: T, kind: str, span: Span, hint: str = "") -> bool:
    """Settle that a type is of this kind; report a mismatch at `span` and return False."""
    top = type.find()
    if top.kind == kind:
        return True
    if not top.kind:
        top.kind = kind
        top.span = span
        return True
    mismatch(bag, top, kind, span, hint)
    return False


def unify(bag: Bag, a: T, b: T, span: Span) -> bool:
    """Settle that two types are one; report a mismatch at `span` and return False."""
    x, y = a.find(), b.find()
    if x is y:
        return True
    if x.kind and y.kind:
        if x.kind != y.kind:
            # the more telling note is the one with a place
            if y.span is not None and x.span is None:
                mismatch(bag, y, x.kind, span)
            else:
                mismatch(bag, x, y.kind, span)
            return False
        if x.kind == LONG:
            _share_pointee(x, y)
        return True
    if x.kind and not y.kind:
        x, y = y, x
    # x is unsettled
    if y.kind and (y is _SHARED.get(y.kind) or y.span is None):
        x.kind = y.kind
        x.span = span
        _share_pointee(x, y)
        return True
    x.link = y
    y.point(x.pointee)
    return True


def _share_pointee(x: T, y: T) -> None:
    """Let two settled types know each other's pointee, unless one is shared by all expressions."""
    if x is not T_LONG and y is not T_LONG:
        before = x.pointee
        x.point(y.pointee)
        y.point(before)


def flow(bag: Bag, into: T, value: T, span: Span) -> bool:
    """Settle the types of `into = value`: as `unify`, but a pointee flows one way."""
    x, y = into.find(), value.find()
    if x is y:
        return True
    if x.kind and y.kind:
        if x.kind != y.kind:
            return unify(bag, into, value, span)
        x.point(y.pointee)
        return True
    if y.kind:
        x.kind = y.kind
        x.span = span
        x.point(y.pointee)
        return True
    return unify(bag, into, value, span)


def mismatch(bag: Bag, have: T, kind: str, span: Span, hint: str = "") -> None:
    """Report that a type is one thing elsewhere and another here."""
    other = have.span
    notes: tuple[tuple[str, Span | None], ...] = ()
    if other is None or (other.source is span.source and other.start == span.start):
        words = f"type mismatch: {WORDS[kind]} is needed, this is {WORDS[have.kind]}"
    else:
        words = f"type mismatch: {WORDS[kind]} here, but {WORDS[have.kind]} elsewhere"
        notes = ((f"{WORDS[have.kind]} because of this use", other),)
    bag.add(Diagnostic("E201", words, span, notes=notes, hints=(hint,) if hint else ()))
