"""printf formats: a string -> literals and directives.

    directive := "%" flag* [width] ["." precision] [length] conversion
    flag := "-" | "+" | " " | "#" | "0";  width, precision := digits | "*"
    length := "hh" | "h" | "l" | "ll" | "j" | "z" | "t"
    conversion := d i u x X o c s p, for buffers r rx rh, for GFP flags gr

`%%` is part of a literal.
"""

from __future__ import annotations

from ...diag import Bag
from ...node import Node
from ...source import Span

STAR = -1
"""The width or precision that an argument gives (`*`)."""

_FLAGS = frozenset("-+ #0")
_LENGTHS = ("hh", "ll", "h", "l", "j", "z", "t")
_CONVERSIONS = ("rx", "rh", "gr", *"diuxXocspr")
_MAX_WIDTH = 65535


class Literal(Node):
    """Text to be printed as it is."""

    text: str


class Directive(Node):
    """`%...`: width and precision are None when left out, or STAR."""

    flags: str
    width: int | None
    precision: int | None
    length: str
    conv: str
    span: Span

    @property
    def arguments(self) -> int:
        """How many arguments it takes."""
        return 1 + (self.width == STAR) + (self.precision == STAR)


def parse_format(text: str, span: Span, bag: Bag) -> tuple[Literal | Directive, ...]:
    """Return the components of a format; mistakes go to the bag and stay as literals.

    span: the place of the string literal, of which each directive gets its own part.
    """
    out: list[Literal | Directive] = []
    literal: list[str] = []
    places = _Places(text, span)
    at = 0
    while True:
        percent = text.find("%", at)
        if percent < 0:
            literal.append(text[at:])
            break
        literal.append(text[at:percent])
        if text.startswith("%%", percent):
            literal.append("%")
            at = percent + 2
            continue
        directive, at = _directive(text, percent, places, bag)
        if directive is None:
            literal.append(text[percent:at])
            continue
        if any(literal):
            out.append(Literal("".join(literal)))
        literal = []
        out.append(directive)
    if any(literal):
        out.append(Literal("".join(literal)))
    return tuple(out)


def _directive(text: str, start: int, places: _Places, bag: Bag) -> tuple[Directive | None, int]:
    at = start + 1
    while text[at : at + 1] in _FLAGS:
        at += 1
    flags = "".join(f for f in "-+ #0" if f in text[start + 1 : at])
    width, at = _number(text, at)
    precision = None
    if text[at : at + 1] == ".":
        precision, at = _number(text, at + 1)
        precision = precision or 0
    length = next((n for n in _LENGTHS if text.startswith(n, at)), "")
    at += len(length)
    conv = next((c for c in _CONVERSIONS if text.startswith(c, at)), "")
    if not conv:
        shown = text[start : at + 1]
        what = f"unknown conversion '{shown}'" if at < len(text) else f"'{shown}' has no conversion"
        hint = "known are d i u x X o c s p r rx rh gr; for a percent sign write %%"
        bag.error("E150", what, places.span(start, min(at + 1, len(text))), hint)
        return None, min(at + 1, len(text))
    at += len(conv)
    if max(width or 0, precision or 0) > _MAX_WIDTH:
        bag.error("E150", f"width or precision above {_MAX_WIDTH}", places.span(start, at))
    return Directive(flags, width, precision, length, conv, places.span(start, at)), at


def _number(text: str, at: int) -> tuple[int | None, int]:
    if text[at : at + 1] == "*":
        return STAR, at + 1
    end = at
    while text[end : end + 1] in tuple("0123456789"):
        end += 1
    return (min(int(text[at : min(end, at + 9)]), 10**9) if end > at else None), end


class _Places:
    """Where the characters of a decoded string stand in its literal."""

    __slots__ = ("_offsets", "_span", "_text")

    def __init__(self, text: str, span: Span) -> None:
        self._text = text
        self._span = span
        self._offsets: list[int] | None = None

    def span(self, start: int, end: int) -> Span:
        """Return the span of text[start:end], or the literal's when it can't be told."""
        whole = self._span
        if self._offsets is None:
            self._offsets = _offsets(whole.text) if whole.text[:1] == '"' else []
        offsets = self._offsets
        if len(offsets) != len(self._text) + 1:
            return whole
        return Span(whole.source, whole.start + offsets[start], whole.start + offsets[end], whole.via)


def _offsets(raw: str) -> list[int]:
    """Return the offset in a literal of each character that it decodes to, and of its closing quote."""
    offsets = []
    at = 1
    last = len(raw) - 1
    while at < last:
        offsets.append(at)
        at += _escape_length(raw, at) if raw[at] == "\\" else 1
    offsets.append(last)
    return offsets


def _escape_length(raw: str, at: int) -> int:
    char = raw[at + 1]
    digits, most = ("01234567", 3) if char in "01234567" else ("0123456789abcdefABCDEF", 2)
    end = at + 1 if most == 3 else at + 2
    if most == 2 and char != "x":
        return 2
    stop = end + most
    while end < stop and raw[end] in digits:
        end += 1
    return end - at
