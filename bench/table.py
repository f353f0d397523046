"""What is printed: rows of figures, each a ratio of pairs of runs with its target."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

MISSING = "-"


class Row:
    """One figure: (ours, theirs or None) of each round; `target`: the largest ratio that is wanted, or None."""

    def __init__(
        self,
        name: str,
        pairs: Sequence[tuple[float, float | None]],
        show: Callable[[float], str],
        target: float | None = None,
    ) -> None:
        self.name = name
        self.pairs = list(pairs)
        self.show = show
        self.target = target

    def ratios(self) -> list[float]:
        """Return the ratio of every round, sorted."""
        return sorted(ours / theirs for ours, theirs in self.pairs if theirs)

    def cells(self) -> tuple[str, ...]:
        """Return figure, pystap, peer, ratio, range, target, verdict."""
        ratios = self.ratios()
        ours = self.show(median(pair[0] for pair in self.pairs)) if self.pairs else MISSING
        others = [pair[1] for pair in self.pairs if pair[1] is not None]
        theirs = self.show(median(others)) if others else MISSING
        if not ratios:
            return (self.name, ours, theirs, MISSING, MISSING, MISSING, MISSING)
        ratio = median(ratios)
        spread = f"{ratios[0]:.3f}..{ratios[-1]:.3f}"
        if self.target is None:
            return (self.name, ours, theirs, f"{ratio:.3f}", spread, MISSING, MISSING)
        verdict = "ok" if ratio <= self.target else "over"
        return (self.name, ours, theirs, f"{ratio:.3f}", spread, f"{self.target:g}", verdict)


def header(peer: str) -> tuple[str, ...]:
    """Return the titles of the columns."""
    return ("figure", "pystap", peer, "ratio", "min..max", "target", "")


def format_table(lines: Iterable[tuple[str, ...]]) -> str:
    """Return the lines as Markdown, in columns of even width: it reads well as it is, too."""
    rows = list(lines)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    text = []
    for number, row in enumerate(rows):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        text.append(f"| {' | '.join(cells)} |")
        if number == 0:
            rules = ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]
            text.append(f"| {' | '.join(rules)} |")
    return "\n".join(text)


def ms(seconds: float) -> str:
    """Show a time as milliseconds."""
    return f"{seconds * 1e3:.1f} ms"


def ns(nanoseconds: float) -> str:
    """Show nanoseconds."""
    return f"{nanoseconds:.0f} ns"


def share(part: float) -> str:
    """Show a share of 1 in percent."""
    return f"{part * 100:.1f} %"


def mib(kibibytes: float) -> str:
    """Show KiB as MiB."""
    return f"{kibibytes / 1024:.1f} MiB"
