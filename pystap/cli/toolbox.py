"""The ready-made tools, `pystap NAME`: scripts in pystap/tools, described by the comment that they begin with.

The first line of the comment says what the tool does; the lines after it, up to the first line of script, are its usage.
"""

from __future__ import annotations

import os

FOLDER = os.path.join(os.path.dirname(os.path.dirname(__file__)), "tools")
SUFFIXES = (".stp", ".bt")


def tool(word: str) -> str | None:
    """Return the path of the tool that a word names, or None; a file of that name goes before a tool."""
    if not word.isidentifier() or os.path.isfile(word):
        return None
    for suffix in SUFFIXES:
        path = os.path.join(FOLDER, word + suffix)
        if os.path.isfile(path):
            return path
    return None


def names() -> list[str]:
    """Return the names of the tools."""
    try:
        files = os.listdir(FOLDER)
    except OSError:
        return []
    return sorted(name.rpartition(".")[0] for name in files if name.endswith(SUFFIXES))


def comment(path: str) -> list[str]:
    """Return the lines of the comment that a script begins with."""
    lines = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("#!"):
                continue
            if not line.startswith(("#", "//")):
                break
            lines.append(line.lstrip("#/").strip())
    return lines


def summary(name: str) -> str:
    """Return what a tool does, in one line."""
    path = tool(name)
    lines = comment(path) if path is not None else []
    return lines[0].rstrip(".") if lines else ""


def usage(name: str, path: str) -> str:
    """Return the text of `pystap NAME --help`."""
    first, *rest = comment(path) or [""]
    lines = "\n".join(rest).strip("\n")
    return (
        f"pystap {name}: {first}\n"
        + (f"\n{lines}\n" if lines else "")
        + "\nOptions are those of pystap --help.\n"
    )
