"""Reads the part of TOML that the tools' description files use: tomllib costs 10 ms to import.

    [a.b]   key = "text"   key = 12   key = true   key = ["a", 1]   key = "..."

Keys are bare words; a list stands on one line; comments have lines of their own. Whatever it takes, it takes as tomllib
does; a mistake is a ValueError.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}


def read(text: str) -> dict[str, Any]:
    """Return the tables of a text."""
    root: dict[str, Any] = {}
    table = root
    lines = iter(text.split("\n"))
    for line in lines:
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            table = root
            for part in line[1:-1].split("."):
                table = table.setdefault(part, {})
            continue
        key, equals, value = line.partition("=")
        if not equals:
            raise ValueError(f"not TOML, or not the part of it that is read here: {line}")
        value = value.strip()
        if value.startswith('"""'):
            whole = value[3:]
            while not whole.endswith('"""'):
                whole += "\n" + next(lines)
            table[key.strip()] = _unescaped(whole[:-3].removeprefix("\n"))
        else:
            found, at = _value(value, 0)
            if value[at:].strip():
                raise ValueError(f"not expected here: {value[at:]}")
            table[key.strip()] = found
    return root


def _value(text: str, at: int) -> tuple[Any, int]:
    """Return the value that begins at a place, and where it ends."""
    if text[at] == '"':
        end = at + 1
        while text[end] != '"':
            end += 2 if text[end] == "\\" else 1
        return _unescaped(text[at + 1 : end]), end + 1
    if text[at] == "[":
        return _list(text, at + 1)
    end = at
    while end < len(text) and text[end] not in ",] ":
        end += 1
    word = text[at:end]
    if word in ("true", "false"):
        return word == "true", end
    return int(word), end


def _list(text: str, at: int) -> tuple[list[Any], int]:
    found: list[Any] = []
    while True:
        while text[at] in ", ":
            at += 1
        if text[at] == "]":
            return found, at + 1
        value, at = _value(text, at)
        found.append(value)


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    out = ""
    letters = iter(text)
    for letter in letters:
        out += _ESCAPES[next(letters)] if letter == "\\" else letter
    return out
