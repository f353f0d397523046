"""Regular expressions and tokens: what keeps state between two calls.

`=~` takes POSIX extended expressions over bytes. They are translated to Python's: the same but for bracket
expressions and for what Python's backslashes and `(?` add.
"""

from __future__ import annotations

from ..errors import ScriptError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from re import Match, Pattern
    from typing import Any

    from ..context import Context

PURE: dict[str, Callable[..., Any]] = {}
_CLASSES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": " \\t\\n\\v\\f\\r",
    "blank": " \\t",
    "punct": "!-/:-@\\[-`{-~",
    "print": " -~",
    "graph": "!-~",
    "cntrl": "\\x00-\\x1f\\x7f",
    "xdigit": "0-9A-Fa-f",
}
_ESCAPES = {"n": "\\n", "t": "\\t", "r": "\\r", "f": "\\f", "v": "\\v", "a": "\\a", "b": "\\x08"}


def translate(pattern: str) -> str:
    """A POSIX extended expression as one of Python's."""
    out: list[str] = []
    at = 0
    while at < len(pattern):
        c = pattern[at]
        if c == "[":
            piece, at = _bracket(pattern, at)
            out.append(piece)
            continue
        if c == "\\" and at + 1 < len(pattern):
            at += 1
            c = pattern[at]
            out.append(_ESCAPES.get(c) or ("\\" + c if not c.isalnum() else c))
        elif c == "$":
            out.append("\\Z")
        elif c == "^":
            out.append("\\A")
        elif c == "{" and not _repeats(pattern, at):
            out.append("\\{")
        elif c == "(" and pattern[at + 1 : at + 2] == "?":
            out.append("(\\")
        elif c in "*+?" and (not out or out[-1] in ("(", "|")):
            out.append("\\" + c)
        elif c in "+?" and pattern[at - 1] in "*+?}":
            pass  # a second repetition adds nothing; Python would take it for laziness
        else:
            out.append(c)
        at += 1
    return "".join(out)


def _repeats(pattern: str, at: int) -> bool:
    end = pattern.find("}", at)
    inner = pattern[at + 1 : end] if end > 0 else ""
    return bool(inner) and inner[0].isdigit() and all(c.isdigit() or c == "," for c in inner)


def _bracket(pattern: str, at: int) -> tuple[str, int]:
    """`[...]` at a place, and the place behind it."""
    out = ["["]
    at += 1
    if pattern[at : at + 1] == "^":
        out.append("^")
        at += 1
    start = at
    while at < len(pattern):
        c = pattern[at]
        if c == "]" and at > start:
            return "".join([*out, "]"]), at + 1
        if pattern.startswith("[:", at):
            end = pattern.find(":]", at)
            name = pattern[at + 2 : end]
            if end > 0 and name in _CLASSES:
                out.append(_CLASSES[name])
                at = end + 2
                continue
        out.append("\\" + c if c in "[]\\^&~|" else c)
        at += 1
    return "\\[" + "".join(out[1:]), at


def bind(context: Context) -> dict[str, Callable[..., Any]]:
    """The bodies, with their state."""
    state = Matching()
    return {
        "str_match": state.str_match,
        "matched": state.matched,
        "match_groups": state.match_groups,
        "tokenize": state.tokenize,
    }


class Matching:
    """The last match, and what tokenize() has left of its string."""

    def __init__(self) -> None:
        self._compiled: dict[str, Pattern[str]] = {}
        self._last: Match[str] | None = None
        self._rest = ""

    def str_match(self, text: str, pattern: str) -> int:
        """`=~`: 1 or 0."""
        found = self._compiled.get(pattern)
        if found is None:
            found = self._compiled[pattern] = _compiled(pattern)
        self._last = found.search(text)
        return 0 if self._last is None else 1

    def matched(self, number: int, place: str) -> str:
        """A group of the last match, "" if that took no part in it."""
        match = self._match(place)
        if not 0 <= number <= match.re.groups:
            raise ScriptError(f"the regular expression has no subexpression {number}", place)
        return match.group(number) or ""

    def match_groups(self, place: str) -> int:
        """How many groups the expression of the last match has."""
        return self._match(place).re.groups

    def _match(self, place: str) -> Match[str]:
        if self._last is None:
            raise ScriptError("the last =~ matched nothing", place)
        return self._last

    def tokenize(self, text: str, delimiters: str) -> str:
        """The next token of a string; of the last one, if this is empty."""
        text = text or self._rest
        start = 0
        while start < len(text) and text[start] in delimiters:
            start += 1
        end = start
        while end < len(text) and text[end] not in delimiters:
            end += 1
        self._rest = text[end + 1 :]
        return text[start:end]


def _compiled(pattern: str) -> Pattern[str]:
    """The pattern as Python has it; one that isn't well-formed stands for itself."""
    import re

    try:
        return re.compile(translate(pattern), re.DOTALL)
    except re.error:
        return re.compile(re.escape(pattern))
