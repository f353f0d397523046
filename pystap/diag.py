"""Diagnostics: what is wrong, where, why and what to do; one renderer for all.

User mistakes are collected in a `Bag`, so that one run shows several; what stops
a pass at once is raised as `CompileError` with its diagnostic. Bugs are ordinary exceptions.

The text:

    error[E201]: unknown function 'prinft'
      --> script.stp:3:5
       |
     3 |     prinft("x")
       |     ^^^^^^
       = help: did you mean 'printf'?
"""

from __future__ import annotations

from .source import Span

ERROR = "error"
WARNING = "warning"
NOTE = "note"


class Diagnostic:
    """One message.

    code: a stable short code: E1xx lexical and syntax, E2xx names and types, E3xx probes and
    kernel, E4xx not supported yet, E5xx run time, E9xx command line; W for warnings, as digits.
    notes: (text, span or None) pairs; hints: what to do, one line each.
    """

    __slots__ = ("code", "hints", "message", "notes", "severity", "span")

    def __init__(
        self,
        code: str,
        message: str,
        span: Span | None = None,
        *,
        severity: str = ERROR,
        notes: tuple[tuple[str, Span | None], ...] = (),
        hints: tuple[str, ...] = (),
    ) -> None:
        self.code = code
        self.severity = severity
        self.message = message
        self.span = span
        self.notes = notes
        self.hints = hints

    def __repr__(self) -> str:
        return f"<{self.severity} {self.code} {self.span!r}: {self.message}>"


class CompileError(Exception):
    """A diagnostic that ends the current pass."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def fail(code: str, message: str, span: Span | None = None, *hints: str) -> CompileError:
    """Return (to be raised) a CompileError of one diagnostic."""
    return CompileError(Diagnostic(code, message, span, hints=hints))


class Bag:
    """The diagnostics of one compilation, in order of discovery; identical ones are kept once."""

    __slots__ = ("_seen", "items")

    def __init__(self) -> None:
        self.items: list[Diagnostic] = []
        self._seen: set[tuple[object, ...]] = set()

    def add(self, diagnostic: Diagnostic) -> None:
        """Record a diagnostic, unless the same stands at the same place already."""
        key = _key(diagnostic)
        if key not in self._seen:
            self._seen.add(key)
            self.items.append(diagnostic)

    def take_back(self, first: int) -> None:
        """Forget the diagnostics from a number on."""
        self._seen.difference_update(map(_key, self.items[first:]))
        del self.items[first:]

    def error(self, code: str, message: str, span: Span | None = None, *hints: str) -> None:
        """Record an error."""
        self.add(Diagnostic(code, message, span, hints=hints))

    def warn(self, code: str, message: str, span: Span | None = None, *hints: str) -> None:
        """Record a warning."""
        self.add(Diagnostic(code, message, span, severity=WARNING, hints=hints))

    @property
    def errors(self) -> list[Diagnostic]:
        """The errors among the diagnostics."""
        return [d for d in self.items if d.severity == ERROR]


def _key(diagnostic: Diagnostic) -> tuple[object, ...]:
    span = diagnostic.span
    return diagnostic.code, diagnostic.message, (id(span.source), span.start, span.end) if span else None


def escape(text: str) -> str:
    """Return the text with control characters, and bytes that are no text, made visible, for a terminal."""
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() or c == "\t" else _escaped(ord(c)) for c in text])


def _escaped(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00  # a byte that wasn't UTF-8
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


_COLOURS = {ERROR: "\x1b[1;31m", WARNING: "\x1b[1;33m", NOTE: "\x1b[1;36m"}


def render(diagnostic: Diagnostic, *, colour: bool = False) -> str:
    """Return the text of a diagnostic, with its source line and a marker, ending in a newline."""
    head = f"{diagnostic.severity}[{diagnostic.code}]"
    if colour:
        head = f"{_COLOURS[diagnostic.severity]}{head}\x1b[0m"
    out = [f"{head}: {escape(diagnostic.message)}"]
    span = diagnostic.span
    if span is not None and span.source.text:
        out += _excerpt(span)
        via = span.via
        while via is not None:
            out.append(f"   = used at {via.source.name}:{via.line}:{via.column}")
            via = via.via
    for text, where in diagnostic.notes:
        place = f" ({where.source.name}:{where.line}:{where.column})" if where else ""
        out.append(f"   = note: {escape(text)}{place}")
    out += [f"   = help: {escape(hint)}" for hint in diagnostic.hints]
    return "\n".join(out) + "\n"


_WIDTH = 160


def _excerpt(span: Span) -> list[str]:
    line, column = span.source.position(span.start)
    raw = span.source.line(line)
    length = max(1, min(span.end - span.start, len(raw) - column + 1))
    start = max(0, column - 1 - _WIDTH // 2) if len(raw) > _WIDTH else 0
    shown = raw[start : start + _WIDTH]
    lead = escape(shown[: column - 1 - start])
    marked = escape(shown[column - 1 - start : column - 1 - start + length]) or " "
    tail = escape(shown[column - 1 - start + length :])
    gutter = " " * len(str(line))
    pad = "".join(c if c == "\t" else " " for c in lead)
    return [
        f"  --> {escape(span.source.name)}:{line}:{column}",
        f" {gutter} |",
        f" {line} | {lead}{marked if marked.strip() else marked.rstrip()}{tail}".rstrip(),
        f" {gutter} | {pad}{'^' * len(marked)}",
    ]


def did_you_mean(word: str, known: object) -> str | None:
    """Return the nearest of the known names (an iterable of str), or None."""
    best: tuple[int, str] | None = None
    limit = max(1, len(word) // 3)
    letters = set(word)
    for name in known:  # type: ignore[attr-defined]
        if abs(len(name) - len(word)) > limit or len(letters.difference(name)) > limit:
            continue  # each letter of the word that the name lacks is a change
        distance = _distance(word, name, limit)
        if distance <= limit:
            best = (distance, name)
            limit = distance - 1  # only a nearer one is better
    return best[1] if best else None


def _distance(a: str, b: str, limit: int) -> int:
    """Return the edit distance (with transpositions), or limit + 1 when it is larger."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, ca in enumerate(a, 1):
        last, before, row = before, row, [i]
        first = max(1, i - limit)  # what is farther from the diagonal is farther away than the limit
        row += [limit + 1] * (first - 1)
        for j, cb in enumerate(b[first - 1 : i + limit], first):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (ca != cb))
            if i > 1 and j > 1 and ca == b[j - 2] and a[i - 2] == cb:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
        row += [limit + 1] * (len(b) + 1 - len(row))
    return row[-1]
