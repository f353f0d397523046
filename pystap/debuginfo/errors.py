"""What can be wrong with debug information."""

from __future__ import annotations

NO_VIEW = -1  # no certain one of the lines that begin at an address


class DebugInfoError(Exception):
    """The file can't be read as debug information; the text says why."""


class LibraryMissing(DebugInfoError):
    """pyelftools isn't installed."""


HOW = "install it: python3-pyelftools (Debian, Ubuntu, Fedora), or pip install pyelftools"
