"""Format strings of `printf`: text -> literal bytes and directives.

`parse_format` takes the decoded text and a function that gives the span of a range of it, and
collects what is wrong in `problems`. The form: `%[flag][width][.precision][l]conversion`, with at
most one flag of `0 + - space #`, width and precision as digits or `*`, conversions
`b c d i m M o p s u x X %`.
"""

from __future__ import annotations

from ...node import Node
from ...source import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CONVERSIONS = "bcdimMopsuxX"
FLAGS = "0+- #"
STAR = -1
"""A width or precision that is taken from an argument."""


class Directive(Node):
    """One `%...`. flag: "" or one character; length: "", "l" or "ll".

    width, precision: None, a number, or STAR.
    """

    span: Span
    conv: str
    flag: str = ""
    width: int | None = None
    precision: int | None = None
    length: str = ""

    @property
    def arity(self) -> int:
        """How many arguments the directive takes: width, precision, value, in this order."""
        return 1 + (self.width == STAR) + (self.precision == STAR)


class Format(Node):
    """A format string: its text, and its parts (literals as bytes, `%%` among them as one `%`)."""

    span: Span
    text: str
    parts: tuple[bytes | Directive, ...]

    @property
    def arity(self) -> int:
        """How many arguments the format takes."""
        return sum(p.arity for p in self.parts if isinstance(p, Directive))


class Problem(Node):
    """What is wrong with a format string, where, and what to do."""

    message: str
    span: Span
    hint: str


def _number(text: str, at: int) -> tuple[int | None, int]:
    """`digits | "*" | nothing`: return the value and the place behind it."""
    if text[at : at + 1] == "*":
        return STAR, at + 1
    end = at
    while text[end : end + 1] in _DIGITS:
        end += 1
    return (int(text[at:end][:9]) if end > at else None), end


_DIGITS = frozenset("0123456789")
_CONVERSIONS = frozenset(CONVERSIONS)
_FLAGS = frozenset(FLAGS)


def _directive(
    text: str, at: int, locate: Callable[[int, int], Span], problems: list[Problem]
) -> tuple[Directive | None, int]:
    """Parse the directive whose `%` is text[at]; return it (None: wrong) and the place behind it."""
    i = at + 1
    flag = text[i : i + 1]
    if flag in _FLAGS:
        i += 1
    else:
        flag = ""
    width, i = _number(text, i)
    precision: int | None = None
    if text[i : i + 1] == ".":
        precision, i = _number(text, i + 1)
        if precision is None:
            precision = 0
    length = ""
    while text[i : i + 1] == "l" and len(length) < 2:
        length += "l"
        i += 1
    conv = text[i : i + 1]
    if conv in _CONVERSIONS:
        return Directive(locate(at, i + 1), conv, flag, width, precision, length), i + 1
    if not conv:
        message = f"the format ends inside the directive '{text[at:]}'"
        problems.append(Problem(message, locate(at, i), "write '%%' for a percent sign"))
    elif conv in _FLAGS and flag:
        message = f"a directive takes at most one flag: '{text[at : i + 1]}'"
        problems.append(Problem(message, locate(at, i + 1), f"drop '{flag}' or '{conv}'"))
    else:
        message = f"unknown conversion '{conv}' in '{text[at : i + 1]}'"
        hint = f"the conversions are {' '.join(CONVERSIONS)} and %%"
        problems.append(Problem(message, locate(at, i + 1), hint))
    return None, i + 1


def parse_format(
    text: str, span: Span, locate: Callable[[int, int], Span], problems: list[Problem]
) -> Format:
    """Return the parts of a format string; `locate(i, j)` is the span of text[i:j]."""
    parts: list[bytes | Directive] = []
    literal = ""
    start = 0
    while True:
        at = text.find("%", start)
        if at < 0:
            literal += text[start:]
            break
        literal += text[start:at]
        if text[at + 1 : at + 2] == "%":
            literal += "%"
            start = at + 2
            continue
        directive, start = _directive(text, at, locate, problems)
        if directive is not None:
            if literal:
                parts.append(literal.encode("utf-8", "surrogateescape"))
                literal = ""
            parts.append(directive)
    if literal:
        parts.append(literal.encode("utf-8", "surrogateescape"))
    return Format(span, text, tuple(parts))
