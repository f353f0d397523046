"""Prints whole globals: print() of maps and histograms, and what the languages print by themselves at the end."""

from __future__ import annotations

from . import text
from .display import Display, blank
from .errors import ScriptError
from .formatting import plain
from .numbers import MASK
from .stat import stat_or_0

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..program import GlobalSpec
    from .context import Context
    from .stat import Stat
    from .state import State


class Printing:
    """The printers of one run."""

    __slots__ = ("_context", "_show")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._show = Display(context)

    # -- what generated code calls

    def hist(self, stat: Stat | None, kind: str, place: str) -> None:
        """SystemTap's print(@hist_log(..)), print(@hist_linear(..)); for bpftrace the box of one element."""
        spec: GlobalSpec | None = getattr(stat, "spec", None)
        if self._context.lang == "bt":
            if stat is not None and spec is not None:
                self._context.sink.emit(text.bt_hist(_rows(spec, stat), kind == "log").removesuffix("\n"))
            return
        if stat is None or not stat.count:
            raise ScriptError("empty aggregate", place)
        options = self._context.options
        look = (options.hist_width, options.hist_elision)
        if kind == "log":
            self._context.sink.emit(text.stp_hist_log(stat.buckets_log, *look))
        else:
            assert spec is not None and spec.linear is not None
            low, _, step = spec.linear
            self._context.sink.emit(text.stp_hist_linear(stat.buckets_linear, low, step, *look))

    def map(self, index: int, top: int = 0, div: int = 1) -> None:
        """bpftrace's print(@map[, top[, div]])."""
        spec = self._context.specs[index]
        self._bt_map(spec, self._context.namespace[f"_g{index}"], top, max(1, div))

    def value(self, value: Any, hint: Any = None) -> None:
        """bpftrace's print(value)."""
        sink = self._context.sink
        if sink.structured:
            sink.event("value", self._show.data(value, hint))
        else:
            sink.emit(self._show.value(value, hint) + "\n")

    # -- at the end

    def display(self, specs: Iterable[GlobalSpec], state: State, *, ending: bool = True) -> None:
        """Print the globals that want it; at the end bpftrace's have two empty lines before them."""
        if self._context.lang != "bt":
            for spec in specs:
                self._stp_global(spec, state.value(spec.index))
            return
        first = True
        flags = {spec.name: state.value(spec.index) for spec in specs if spec.display == "flag"}
        for spec in sorted(specs, key=lambda s: s.name):
            value = state.value(spec.index)
            flag = flags.get(spec.name + ".set")
            if spec.display == "flag" or (_untouched(spec, value) if flag is None else not flag):
                continue
            if first and ending and not self._context.sink.structured:
                self._context.sink.emit("\n\n")
            first = False
            self._bt_map(spec, value, 0, 1)

    def _stp_global(self, spec: GlobalSpec, value: Any) -> None:
        emit = self._context.sink.emit
        stat = spec.value == "stat"
        pointer = spec.fmt == "pointer"

        def line(keys: tuple[object, ...] | None, one: Any) -> str:
            if stat:
                return text.stp_global_stat(spec.name, keys, one)
            return text.stp_global(spec.name, keys, one, pointer)

        if not spec.keys:
            emit(line(None, value))
            return
        by = (lambda e: e[1].count) if stat else (lambda e: e[1])
        for key, one in sorted(value.items(), key=by, reverse=True):
            emit(line(key if isinstance(key, tuple) else (key,), one))

    # -- bpftrace's maps

    def _bt_map(self, spec: GlobalSpec, value: Any, top: int, div: int) -> None:
        name = spec.name if spec.name.startswith("@") else "@" + spec.name
        if spec.hist_log is not None or spec.linear is not None:
            self._bt_hists(spec, name, value, top, div)
            return
        kind = spec.stat_kind
        sink = self._context.sink
        event = "stats" if kind in ("stats", "avg") else "map"
        if not spec.keys:
            number = text.bt_number(value, kind)
            if number == () and spec.fmt is not None:
                number = blank(spec.fmt[1])
            if sink.structured:
                sink.event(event, {name: self._data(spec, number, div)})
            else:
                sink.emit(f"{name}: {self._text(spec, number, div)}\n")
            return
        elements = [(key, text.bt_number(one, kind)) for key, one in sorted(value.items(), key=_by_key)]
        hint = spec.fmt[1] if spec.fmt is not None and spec.value != "stat" else "int"
        if hint in ("int", "uint", "bool") or hint[0] == "enum":  # what else there is goes by its key alone
            elements.sort(key=lambda e: _order(e[1], hint == "uint"))
        if top > 0 and kind != "stats":
            elements = elements[-top:]
        if sink.structured:
            sink.event(
                event, {name: {self._json_key(spec, key): self._data(spec, n, div) for key, n in elements}}
            )
            return
        for key, number in elements:
            sink.emit(f"{name}[{', '.join(self._keys(spec, key))}]: {self._text(spec, number, div)}\n")
        sink.emit("\n")

    def _keys(self, spec: GlobalSpec, key: Any) -> list[str]:
        """The texts of a key's parts."""
        if spec.fmt is not None:
            return self._show.key(key, spec.fmt[0])
        return [plain(part) for part in (key if isinstance(key, tuple) else (key,))]

    def _json_key(self, spec: GlobalSpec, key: Any) -> str:
        return ",".join(self._keys(spec, key))

    def _text(self, spec: GlobalSpec, number: Any, div: int) -> str:
        """The text of an element's value."""
        number = _divided(number, div)
        if spec.fmt is None or spec.value == "stat":
            return text.bt_value(number, spec.stat_kind)
        return self._show.value(number, spec.fmt[1])

    def _data(self, spec: GlobalSpec, number: Any, div: int) -> Any:
        """An element's value for JSON."""
        number = _divided(number, div)
        if spec.fmt is None or spec.value == "stat":
            return number
        return self._show.data(number, spec.fmt[1])

    def _bt_hists(self, spec: GlobalSpec, name: str, value: Any, top: int, div: int) -> None:
        sink = self._context.sink
        log = spec.hist_log is not None
        if not spec.keys:
            rows = _rows(spec, value)
            if sink.structured:
                sink.event("hist", {name: _json_rows(rows)})
            else:
                sink.emit(f"{name}: \n{text.bt_hist(rows, log, div)}")
            return
        elements = sorted([e for e in value.items() if e[1].count], key=_by_key)
        elements.sort(key=lambda e: stat_or_0(e[1], "count"))
        if top > 0:
            elements = elements[-top:]
        if sink.structured:
            sink.event(
                "hist", {name: {self._json_key(spec, k): _json_rows(_rows(spec, s)) for k, s in elements}}
            )
            return
        for key, stat in elements:
            box = text.bt_hist(_rows(spec, stat), log, div)
            sink.emit(f"{name}[{', '.join(self._keys(spec, key))}]: \n{box}")


def _untouched(spec: GlobalSpec, value: Any) -> bool:
    """Whether a map was never given anything that bpftrace would print; a count is shown always."""
    if spec.keys and spec.stat_kind in ("hist", "lhist"):
        return not any(one.count for one in value.values())
    if spec.keys or spec.value != "stat":
        return not value
    return spec.stat_kind != "count" and not value.count


def _rows(spec: GlobalSpec, stat: Stat) -> list[tuple[int | None, int | None, int]]:
    if spec.linear is not None:
        return text.bt_lhist_rows(stat.buckets_linear, *spec.linear)
    return text.bt_hist_rows(stat.buckets_log, spec.hist_log or 0)


def _by_key(element: tuple[Any, Any]) -> Any:
    """Sort by key; numbers without a sign."""
    key = element[0]
    if isinstance(key, tuple):
        return [part & MASK if isinstance(part, int) else part for part in key]
    return key & MASK if isinstance(key, int) else key


def _order(value: Any, unsigned: bool) -> Any:
    """Sort by number; stats by their total, texts by themselves."""
    if unsigned:
        return value & MASK
    return value["total"] if isinstance(value, dict) else value


def _divided(value: Any, div: int) -> Any:
    if div == 1 or not isinstance(value, int):
        return value
    return value // div if value >= 0 else -(-value // div)


def _json_rows(rows: list[tuple[int | None, int | None, int]]) -> list[dict[str, int]]:
    out = []
    for low, high, count in rows:
        row: dict[str, int] = {}
        if low is not None:
            row["min"] = low
        if high is not None:
            row["max"] = high - 1
        row["count"] = count
        out.append(row)
    return out
