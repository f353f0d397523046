"""What is wrong with the form of a POSIX extended regular expression, as stands behind `=~`."""

from __future__ import annotations

_CLASSES = (
    *("alpha", "digit", "alnum", "upper", "lower", "space"),
    *("blank", "punct", "print", "graph", "cntrl", "xdigit"),
)


def fault(pattern: str) -> str:
    """Return what is wrong with an expression, "" if nothing is."""
    at = depth = 0
    while at < len(pattern):
        c = pattern[at]
        if c == "\\":
            if at + 1 == len(pattern):
                return "it ends behind a backslash"
            at += 1
        elif c == "[":
            end, words = _bracket(pattern, at)
            if words:
                return words
            at = end
        elif c == "(":
            depth += 1
        elif c == ")":
            depth -= 1
            if depth < 0:
                return "a ')' has no '('"
        elif c == "{" and _empty_range(pattern[at + 1 : pattern.find("}", at)]):
            return "its repetition ends below where it begins"
        at += 1
    return "a '(' is not closed" if depth else ""


def _empty_range(text: str) -> bool:
    low, comma, high = text.partition(",")
    return bool(comma) and low.isdigit() and high.isdigit() and int(low) > int(high)


def _bracket(pattern: str, at: int) -> tuple[int, str]:
    """Where the brackets that open at a place close, and what is wrong with them."""
    at += 1
    if pattern[at : at + 1] == "^":
        at += 1
    start = at
    while at < len(pattern):
        if pattern[at] == "]" and at > start:
            return at, ""
        if pattern.startswith("[:", at):
            end = pattern.find(":]", at)
            name = pattern[at + 2 : end]
            if end > 0 and name.isalpha():
                if name not in _CLASSES:
                    return at, f"there are no characters [:{name}:]"
                at = end + 1
        elif (
            pattern[at + 1 : at + 2] == "-"
            and pattern[at + 2 : at + 3] not in ("]", "")
            and pattern[at] > pattern[at + 2]
        ):
            return at, f"its range {pattern[at : at + 3]} is empty"
        elif pattern[at + 1 : at + 2] == "-" and pattern[at + 2 : at + 3] not in ("]", "", "["):
            at += 2
        at += 1
    return at, "a '[' is not closed"
