"""Where the front end's diagnostics go: a `Bag` with a budget, so that noise ends early."""

from __future__ import annotations

from ...diag import NOTE, Bag, Diagnostic
from ...source import Source, Span

MAX_ERRORS = 20


class TooManyErrors(Exception):
    """The budget is spent: `parse` returns what it has."""


class Reporter:
    """Adds errors of one source to a bag; raises `TooManyErrors` at the last that it may add."""

    __slots__ = ("bag", "count", "lexical", "source")

    def __init__(self, source: Source, bag: Bag) -> None:
        self.source = source
        self.bag = bag
        self.count = 0
        self.lexical: list[tuple[int, str]] = []

    def add(self, diagnostic: Diagnostic) -> None:
        """Record a diagnostic."""
        self.bag.add(diagnostic)
        self.count += 1
        if self.count >= MAX_ERRORS:
            text = f"stopped after {MAX_ERRORS} errors"
            self.bag.add(Diagnostic("E117", text, diagnostic.span, severity=NOTE))
            raise TooManyErrors

    def syntax(self, diagnostic: Diagnostic, start: int) -> None:
        """Record an error of what began at `start`, unless a lexical one in it explains it."""
        span = diagnostic.span
        end = span.end if span is not None else start
        if diagnostic.code == "E113":  # the end was reached: a string or comment may have hidden the brace
            explained = any(at >= start and code in ("E102", "E103") for at, code in self.lexical)
        else:
            explained = any(start <= at <= end for at, _ in self.lexical)
        if not explained:
            self.add(diagnostic)

    def error(self, code: str, message: str, start: int, end: int, *hints: str) -> None:
        """Record an error at text[start:end]."""
        self.add(Diagnostic(code, message, Span(self.source, start, end), hints=hints))
