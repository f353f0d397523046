"""Prints whole globals: print() of maps and histograms, and what the languages print by themselves at the end."""

from __future__ import annotations

from . import text
from .errors import ScriptError
from .formatting import plain
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

    __slots__ = ("_context",)

    def __init__(self, context: Context) -> None:
        self._context = context

    # -- what generated code calls

    def hist(self, stat: Stat | None, kind: str, place: str) -> None:
        """SystemTap's print(@hist_log(..)), print(@hist_linear(..))."""
        if stat is None or not stat.count:
            raise ScriptError("empty aggregate", place)
        options = self._context.options
        look = (options.hist_width, options.hist_elision)
        if kind == "log":
            self._context.sink.emit(text.stp_hist_log(stat.buckets_log, *look))
        else:
            low, high, step = stat.spec.linear  # type: ignore[attr-defined]
            self._context.sink.emit(text.stp_hist_linear(stat.buckets_linear, low, high, step, *look))

    def map(self, index: int, top: int = 0, div: int = 1) -> None:
        """bpftrace's print(@map[, top[, div]])."""
        spec = self._context.specs[index]
        self._bt_map(spec, self._context.namespace[f"_g{index}"], top, max(1, div))

    def value(self, value: Any, hint: Any = None) -> None:
        """bpftrace's print(value)."""
        sink = self._context.sink
        if sink.structured:
            sink.event("value", value)
        else:
            sink.emit(plain(value) + "\n")

    # -- at the end

    def display(self, specs: Iterable[GlobalSpec], state: State) -> None:
        """Print the globals that want it."""
        if self._context.lang != "bt":
            for spec in specs:
                self._stp_global(spec, state.value(spec.index))
            return
        first = True
        for spec in sorted(specs, key=lambda s: s.name):
            value = state.value(spec.index)
            if spec.keys and not value:
                continue
            if first and not self._context.sink.structured:
                self._context.sink.emit("\n\n")
            first = False
            self._bt_map(spec, value, 0, 1)

    def _stp_global(self, spec: GlobalSpec, value: Any) -> None:
        emit = self._context.sink.emit
        stat = spec.value == "stat"
        line = text.stp_global_stat if stat else text.stp_global
        if not spec.keys:
            emit(line(spec.name, None, value))
            return
        by = (lambda e: e[1].count) if stat else (lambda e: e[1])
        for key, one in sorted(value.items(), key=by, reverse=True):
            emit(line(spec.name, key if isinstance(key, tuple) else (key,), one))

    # -- bpftrace's maps

    def _bt_map(self, spec: GlobalSpec, value: Any, top: int, div: int) -> None:
        name = spec.name if spec.name.startswith("@") else "@" + spec.name
        if spec.hist_log is not None or spec.linear is not None:
            self._bt_hists(spec, name, value, top, div)
            return
        kind = spec.stat_kind
        sink = self._context.sink
        if not spec.keys:
            shown = _divided(text.bt_number(value, kind), div)
            if sink.structured:
                sink.event("stats" if kind in ("stats", "avg") else "map", {name: shown})
            else:
                sink.emit(f"{name}: {text.bt_value(shown, kind)}\n")
            return
        elements = [(key, text.bt_number(one, kind)) for key, one in value.items()]
        elements.sort(key=lambda e: _order(e[1]))
        if top > 0:
            elements = elements[-top:]
        if sink.structured:
            data = {_json_key(key): _divided(one, div) for key, one in elements}
            sink.event("stats" if kind in ("stats", "avg") else "map", {name: data})
            return
        for key, one in elements:
            sink.emit(f"{name}{text.bt_key(key)}: {text.bt_value(_divided(one, div), kind)}\n")
        sink.emit("\n")

    def _bt_hists(self, spec: GlobalSpec, name: str, value: Any, top: int, div: int) -> None:
        sink = self._context.sink
        if not spec.keys:
            rows = self._rows(spec, value)
            if sink.structured:
                sink.event("hist", {name: _json_rows(rows)})
            else:
                sink.emit(f"{name}: \n{text.bt_hist(rows, spec.hist_log is not None, div)}")
            return
        elements = sorted(value.items(), key=lambda e: stat_or_0(e[1], "count"))
        if top > 0:
            elements = elements[-top:]
        if sink.structured:
            sink.event("hist", {name: {_json_key(k): _json_rows(self._rows(spec, s)) for k, s in elements}})
            return
        for key, stat in elements:
            box = text.bt_hist(self._rows(spec, stat), spec.hist_log is not None, div)
            sink.emit(f"{name}{text.bt_key(key)}: \n{box}")
        sink.emit("\n")

    def _rows(self, spec: GlobalSpec, stat: Stat) -> list[tuple[int | None, int | None, int]]:
        if spec.linear is not None:
            return text.bt_lhist_rows(stat.buckets_linear, *spec.linear)
        return text.bt_hist_rows(stat.buckets_log, spec.hist_log or 0)


def _order(value: Any) -> Any:
    """Sort by number; stats by their count, texts by themselves."""
    if isinstance(value, dict):
        return value["total"]
    return value


def _divided(value: Any, div: int) -> Any:
    if div == 1 or not isinstance(value, int):
        return value
    return value // div if value >= 0 else -(-value // div)


def _json_key(key: Any) -> str:
    parts = key if isinstance(key, tuple) else (key,)
    return ",".join([plain(p) for p in parts])


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
