"""Texts of whole values: SystemTap's histograms and unread globals, bpftrace's maps and histograms.

Scripts' users parse these, so the forms are the tools' own, space by space. Everything here takes plain values
(buckets as lists of counts, elements as pairs) and returns text.
"""

from __future__ import annotations

from ..types.hist import LOG_ZERO, hist_range, linear_buckets, log_low
from .formatting import plain, visible
from .numbers import MASK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .stat import Stat

BT_WIDTH = 52

# -- SystemTap


def stp_hist_log(buckets: Sequence[int], width: int = 50, elision: int = 2) -> str:
    """@hist_log: a row a power of two, with two empty ones around what there is."""
    low, high = _ends(buckets)
    low = low - 2 if low > 2 else 0
    if low < LOG_ZERO <= low + 2 and not any(buckets[:LOG_ZERO]):
        low = LOG_ZERO  # no negative values, no rows for them
    high = min(high + 2, len(buckets) - 1)
    rows = [(str(log_low(i)), buckets[i]) for i in range(low, high + 1)]
    return _stp_rows(rows, width, elision)


def stp_hist_linear(buckets: Sequence[int], low: int, step: int, width: int = 50, elision: int = 2) -> str:
    """@hist_linear: a row a step; what lies outside has rows of its own when there is any."""
    first, last = _ends(buckets)
    end = len(buckets) - 1
    first, last = max(0, first - 2), min(end, last + 2)
    if first == 0 and not buckets[0]:
        first = 1
    if last == end and not buckets[end]:
        last = end - 1
    rows = []
    for i in range(first, last + 1):
        if i == 0:
            label = f"<{low}"
        elif i == end:
            label = f">{low + (end - 2) * step}"
        else:
            label = str(low + (i - 1) * step)
        rows.append((label, buckets[i]))
    return _stp_rows(rows, width, elision)


def _ends(buckets: Sequence[int]) -> tuple[int, int]:
    """The first and the last bucket that isn't empty (there is one)."""
    used = [i for i, count in enumerate(buckets) if count]
    return (used[0], used[-1]) if used else (0, 0)


def _stp_rows(rows: list[tuple[str, int]], width: int, elision: int) -> str:
    most = max(count for _, count in rows)
    scale = -(-most // width) if most > width else 1
    label_width = max(5, *(len(label) for label, _ in rows))
    count_width = len(str(most))
    out = [f"{'value':>{label_width}} |{'-' * width} count\n"]
    skipped = _elided(rows, elision)
    for at, (label, count) in enumerate(rows):
        if at in skipped:
            continue
        if at - 1 in skipped:
            out.append(f"{'':>{label_width}} ~\n")
        out.append(f"{label:>{label_width}} |{'@' * (count // scale):<{width}} {count:>{count_width}}\n")
    out.append("\n")
    return "".join(out)


def _elided(rows: list[tuple[str, int]], elision: int) -> set[int]:
    """The rows that are empty, and so many neighbours of them too."""
    if elision < 0:
        return set()
    far: set[int] = set(range(len(rows)))
    for at, (_, count) in enumerate(rows):
        if count:
            far.difference_update(range(at - elision, at + elision + 1))
    return far


def stp_global(name: str, keys: tuple[object, ...] | None, value: object, pointer: bool = False) -> str:
    """One line of an unread global: `x=5`, `a["k",1]=3`; keys None for a scalar."""
    place = name if keys is None else f"{name}[{','.join([_stp_key(k) for k in keys])}]"
    if pointer and isinstance(value, int):
        text = f"{value & MASK:#x}"
    else:
        text = f'"{visible(value)}"' if isinstance(value, str) else str(value)
    return f"{place}={text}\n"


def stp_global_stat(name: str, keys: tuple[object, ...] | None, stat: Stat) -> str:
    """One line of an unread aggregate."""
    place = name if keys is None else f"{name}[{','.join([_stp_key(k) for k in keys])}]"
    if not stat.count:
        return f"{place} @count=0\n"
    return f"{place} @count={stat.count} @min={stat.min} @max={stat.max} @sum={stat.sum} @avg={stat.avg}\n"


def _stp_key(key: object) -> str:
    return f'"{visible(key)}"' if isinstance(key, str) else str(key)


# -- bpftrace


def bt_value(value: object, kind: str) -> str:
    """A map's value: a number, a text, or what a count, sum, avg, min, max or stats has come to."""
    number = bt_number(value, kind)
    if isinstance(number, dict):
        return f"count {number['count']}, average {number['average']}, total {number['total']}"
    return plain(number)


def bt_number(value: object, kind: str) -> object:
    """The same as a value: a dict for stats."""
    if not hasattr(value, "absorb"):
        return value
    stat: Stat = value  # type: ignore[assignment]
    if kind == "stats":
        return {"count": stat.count, "average": stat.avg, "total": stat.total}
    if kind in ("min", "max") and not stat.count:
        return 0
    return getattr(stat, {"sum": "total", "avg": "avg", "min": "min", "max": "max"}.get(kind, "count"))


def scaled(number: int) -> str:
    """A bound of a log histogram: `512`, `1K`, `4M`."""
    if number < 0:
        return "-" + scaled(-number)
    for shift, unit in ((60, "E"), (50, "P"), (40, "T"), (30, "G"), (20, "M"), (10, "K")):
        if number >= 1 << shift and not number & ((1 << shift) - 1):
            return f"{number >> shift}{unit}"
    return str(number)


def bt_hist_rows(buckets: Sequence[int], bits: int) -> list[tuple[int | None, int | None, int]]:
    """(low, high, count) of the rows from the first to the last that isn't empty; high is outside."""
    if not any(buckets):
        return []
    first, last = _ends(buckets)
    return [(*hist_range(i, bits), buckets[i]) for i in range(first, last + 1)]


def bt_lhist_rows(
    buckets: Sequence[int], low: int, high: int, step: int
) -> list[tuple[int | None, int | None, int]]:
    """The same for lhist; None for no bound."""
    if not any(buckets):
        return []
    first, last = _ends(buckets)
    end = linear_buckets(low, high, step, "lhist") - 1
    rows: list[tuple[int | None, int | None, int]] = []
    for i in range(first, last + 1):
        if i == 0:
            rows.append((None, low, buckets[i]))
        elif i == end:
            rows.append((high, None, buckets[i]))
        else:
            rows.append((low + (i - 1) * step, low + i * step, buckets[i]))
    return rows


def bt_hist(rows: list[tuple[int | None, int | None, int]], log: bool, div: int = 1) -> str:
    """The box of a histogram, with an empty line after it."""
    if not rows:
        return ""
    counts = [count for _, _, count in rows]
    most = max(counts) or 1
    show = scaled if log else str
    out = []
    for (low, high, _), count in zip(rows, counts, strict=True):
        if low is None:
            label = f"(..., {show(high)})" if high is not None else "(...)"
        elif high is None:
            label = f"[{show(low)}, ...)"
        elif log and high - low == 1:
            label = f"[{show(low)}]"
        else:
            label = f"[{show(low)}, {show(high)})"
        bar = "@" * (count * BT_WIDTH // most)
        out.append(f"{label:<16}{count // div:>8} |{bar:<{BT_WIDTH}}|\n")
    out.append("\n")
    return "".join(out)
