"""Names and constants in the generated text, and how places are said in run-time errors."""

from __future__ import annotations

from ...ir.nodes import Const, Local, Text
from ...source import NOWHERE, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    Operand = Local | Const | Text

MIN = -(1 << 63)
MAX = (1 << 63) - 1
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
DEFAULTS = {"i64": "0", "str": '""', "buf": 'b""', "tuple": "()"}


def clean(name: str) -> str:
    """The name with what Python doesn't allow in one left out, without leading underscores or digits."""
    word = "".join([c for c in name if c in _LETTERS]).lstrip("_0123456789")
    return word or "v"


def constant(value: int) -> str:
    """An integer as an operand; negative ones in brackets."""
    return str(value) if value >= 0 else f"({value})"


def text(value: str | bytes) -> str:
    """A string or bytes constant, in ASCII."""
    return ascii(value)


_KEYWORDS = frozenset(("while", "for", "foreach", "delete", "return", "next", "if", "try"))


def place(span: Span, word: str = "") -> str:
    """Where a run-time error is: near what word (the span's first one if none is given), and its position."""
    if span is NOWHERE or not span.source.text:
        return ""
    if not word:
        word = _first_word(span.text)
    if word in _KEYWORDS:
        kind = "keyword"
    else:
        kind = "identifier" if word[:1] in _LETTERS or word[:1] == "$" else "operator"
    return f"near {kind} '{word}' at {span.source.name}:{span.line}:{span.column}"


def _first_word(source: str) -> str:
    end = 0
    while end < len(source) and (source[end] in _LETTERS or source[end] in "$@"):
        end += 1
    return source[: end or 1]
