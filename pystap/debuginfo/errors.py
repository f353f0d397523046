"""What can be wrong with debug information."""

from __future__ import annotations


class DebugInfoError(Exception):
    """The file can't be read as debug information; the text says why."""
