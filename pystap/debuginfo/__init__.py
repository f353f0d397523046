"""What the DWARF of the kernel and of its modules says: lines, inlined functions, where variables are.

Pure: it reads files that it is given. Needs pyelftools, which is imported where it is used.
"""

from __future__ import annotations


class DebugInfo:
    """The debug information of one object: the kernel, or a module."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path
