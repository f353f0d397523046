"""The rows that a tool printed, as dictionaries: of its JSON, and of its tables by the places of their headings."""

from __future__ import annotations

import json
from typing import Any

Row = dict[str, Any]


def objects(out: str) -> list[Row]:
    """Return the rows of `-f json`."""
    return [json.loads(line) for line in out.splitlines()]


def table(out: str, names: list[str]) -> list[dict[str, str]]:
    """Return the rows of a text, a word for each name; the last takes what is left."""
    found = []
    for line in out.splitlines():
        words = line.split(None, len(names) - 1)
        if len(words) == len(names) and words[0] != names[0]:
            found.append(dict(zip(names, [word.rstrip() for word in words], strict=True)))
    return found
