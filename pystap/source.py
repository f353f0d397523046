"""Source texts and places in them.

A `Source` is one text with a name; a `Span` is a half-open range of character
offsets in it. Line and column are worked out only when a diagnostic is shown.
"""

from __future__ import annotations

from bisect import bisect_right


class Source:
    """One text: `name` as the user gave it (a path, `<input>` for -e), and its text."""

    __slots__ = ("_starts", "name", "text")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self._starts: list[int] | None = None

    def _line_starts(self) -> list[int]:
        if self._starts is None:
            starts = [0]
            at = self.text.find("\n")
            while at >= 0:
                starts.append(at + 1)
                at = self.text.find("\n", at + 1)
            self._starts = starts
        return self._starts

    def position(self, offset: int) -> tuple[int, int]:
        """Return (line, column) of a character offset, both from 1."""
        starts = self._line_starts()
        line = bisect_right(starts, offset) or 1
        return line, offset - starts[line - 1] + 1

    def line(self, number: int) -> str:
        """Return the text of line `number` (from 1), without its newline."""
        starts = self._line_starts()
        if not 1 <= number <= len(starts):
            return ""
        end = starts[number] - 1 if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].rstrip("\r")

    def span(self, start: int, end: int) -> Span:
        """Return the span of text[start:end]."""
        return Span(self, start, end)


class Span:
    """text[start:end] of a source. `via` is the place that a macro or alias was used at."""

    __slots__ = ("end", "source", "start", "via")

    def __init__(self, source: Source, start: int, end: int, via: Span | None = None) -> None:
        self.source = source
        self.start = start
        self.end = end
        self.via = via

    @property
    def line(self) -> int:
        """Line of the first character, from 1."""
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        """Column of the first character, from 1."""
        return self.source.position(self.start)[1]

    @property
    def text(self) -> str:
        """The text that the span covers."""
        return self.source.text[self.start : self.end]

    def to(self, other: Span) -> Span:
        """Return the span from this one's start to the other's end."""
        if other.source is not self.source or other.end < self.start:
            return self
        return Span(self.source, self.start, other.end, self.via)

    def __repr__(self) -> str:
        line, column = self.source.position(self.start)
        return f"{self.source.name}:{line}:{column}"


NOWHERE = Span(Source("<builtin>", ""), 0, 0)
