"""What is known of a map: types of its keys and values, gathered from every use, and its IR global."""

from __future__ import annotations

from ...diag import Diagnostic
from ...ir.nodes import STR, TUPLE, Global, Stat
from . import types
from .display import hint
from .types import NONE, T, merge, name, parts, same

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...source import Span
    from .unit import Unit

KINDS = ("hash", "lruhash", "percpuhash", "percpulruhash")

# What each map function keeps.
STAT_OPS: dict[str, frozenset[str]] = {
    "count": frozenset({"count"}),
    "sum": frozenset({"count", "sum"}),
    "avg": frozenset({"count", "sum", "avg"}),
    "min": frozenset({"count", "min"}),
    "max": frozenset({"count", "max"}),
    "stats": frozenset({"count", "sum", "avg"}),
    "hist": frozenset({"count"}),
    "lhist": frozenset({"count"}),
}


class MapInfo:
    """One map. It lives through all passes, so that a later pass knows what an earlier one found out."""

    __slots__ = (
        *(
            "capacity",
            "declared",
            "doubtful",
            "glob",
            "hist_log",
            "key_span",
            "keys",
            "linear",
            "name",
            "plain",
        ),
        *("set_flag", "span", "unknown", "used", "value", "value_span", "wrap", "written"),
    )

    def __init__(self, name: str, span: Span, capacity: int) -> None:
        self.name = name
        self.span = span
        self.keys: list[T] | None = None
        self.key_span: Span | None = None
        self.value: T = NONE
        self.value_span: Span | None = None
        self.hist_log: int | None = None
        self.linear: tuple[int, int, int] | None = None
        self.capacity = capacity
        self.wrap = False
        self.declared: Span | None = None
        self.unknown = False  # read in this pass before its type was known
        self.written = False
        self.used = False
        # A map without keys is printed at the end if it was given a value. Its value tells that, unless it may be
        # given 0 or "": then it is doubtful, and a global beside it says whether it was.
        self.doubtful = False
        self.plain = False  # written in this pass without that global
        self.set_flag: Global | None = None
        self.glob = Global("@" + name, (), "i64")

    def begin_pass(self) -> None:
        """Forget what belongs to one pass alone."""
        self.unknown = False
        self.used = False
        self.plain = False
        self.set_flag = None
        self.glob = Global("@" + self.name, (), "i64")

    def flag(self, unit: Unit, sure: bool) -> Global | None:
        """Return the global that a write has to set, too; sure: what is written is neither 0 nor ""."""
        value = self.value
        if self.keys or (value.kind not in ("none", "stat") and parts(value) not in (("i64",), (STR,))):
            return None
        if value.note in ("hist", "lhist"):  # an empty one is nothing to look at
            return None
        if not self.doubtful:
            if sure:
                self.plain = True
                return None
            self.doubtful = True
            unit.dirty = unit.dirty or self.plain
        if self.set_flag is None:
            self.set_flag = Global(f"{self.text}.set", (), "i64", initial=0, display="flag")
        return self.set_flag

    @property
    def text(self) -> str:
        """The name as written."""
        return "@" + self.name

    def meet_keys(self, unit: Unit, keys: list[T], span: Span) -> bool:
        """Take the types of an access's keys into account; report a conflict."""
        have = self.keys
        if have is None:
            self.keys = list(keys)
            self.key_span = span
            return True
        if len(have) != len(keys):
            self._conflict(unit, keys, span)
            return False
        for at, (old, new) in enumerate(zip(have, keys, strict=True)):
            both = merge(old, new)
            if both is None:
                self._conflict(unit, keys, span)
                return False
            if both is not old:
                # keys are only shown: the sign of an integer changes nothing that was written already
                if both.kind != "int" and not same(both, old):
                    unit.dirty = True
                have[at] = both
        return True

    def _conflict(self, unit: Unit, keys: list[T], span: Span) -> None:
        assert self.keys is not None
        if not self.keys:
            words = f"'{self.text}' has no key elsewhere"
        elif not keys:
            words = f"'{self.text}' has a key elsewhere: {_listed(self.keys)}"
        else:
            words = f"'{self.text}' has keys of type {_listed(self.keys)} elsewhere, {_listed(keys)} here"
        notes = (("it is used so here", self.key_span),)
        unit.bag.add(Diagnostic("E252", words, span, notes=notes))

    def meet_value(self, unit: Unit, value: T, span: Span) -> bool:
        """Take the type of a value that is stored into account; report a conflict."""
        old = self.value
        self.written = True
        if value.kind in ("none", "void"):
            return True
        if value.kind in ("int", "bool"):
            value = _widened(value)
        both = merge(old, value)
        if both is None:
            notes = (("it gets its type here", self.value_span),)
            words = f"'{self.text}' holds {name(old)} elsewhere, {name(value)} here"
            hints: tuple[str, ...] = ()
            if old.kind == "stat" and value.kind in ("int", "bool"):
                hints = (f"a map of {old.note}() can only be assigned {old.note}(...)",)
            unit.bag.add(Diagnostic("E253", words, span, notes=notes, hints=hints))
            return False
        if old.kind == "none":
            self.value_span = span
            if self.unknown:
                unit.dirty = True
        elif not same(old, both):
            unit.dirty = True
        self.value = both
        return True

    def finish(self, unit: Unit) -> Global:
        """Fill in the IR global of this pass."""
        glob = self.glob
        keys: tuple[str, ...] = ()
        for key in self.keys or ():
            keys += parts(key)
        glob.keys = keys
        glob.capacity = self.capacity
        glob.wrap = self.wrap
        glob.full = "warn"
        glob.span = self.span
        glob.display = "map" if unit.config.print_maps_on_exit else ""
        glob.fmt = (tuple(hint(k) for k in self.keys or ()), hint(self.value))
        self._value(glob)
        return glob

    def _value(self, glob: Global) -> None:
        value = self.value
        if value.kind == "stat":
            glob.value = "stat"
            kind = value.note
            glob.stat = Stat(STAT_OPS[kind], self.hist_log, self.linear, value.signed, kind)
            return
        kinds = parts(value)
        glob.value = kinds[0] if len(kinds) == 1 else TUPLE
        glob.parts = kinds if len(kinds) != 1 else ()
        if not glob.keys:
            glob.initial = {STR: ""}.get(glob.value, 0 if glob.value == "i64" else None)


def _listed(keys: list[T]) -> str:
    inner = ", ".join(name(k) for k in keys)
    return inner if len(keys) == 1 else f"({inner})"


def _widened(value: T) -> T:
    """Return the type that a map's integers have: 64 bits; truth stays truth."""
    if value.note or value.ctype is not None or value.kind == "bool":
        return value
    return types.INT64 if value.signed else types.UINT64
