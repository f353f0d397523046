"""Indentation by depth of calls: SystemTap's thread_indent() and indent()."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..context import Context

PURE: dict[str, Callable[..., Any]] = {}
_ALL = -1


def bind(context: Context) -> dict[str, Callable[..., Any]]:
    """The bodies, with depth and start of each thread."""
    depths: dict[int, int] = {}
    starts: dict[int, int] = {}

    def line(key: int, words: str, delta: int, now: int) -> str:
        """Time since the outermost call in 6 places, words, and a blank for each level.

        A positive delta counts before, a negative one after, so that a call and its return stand alike.
        """
        depth = depths.get(key, 0)
        if not depth:
            starts[key] = now
        level = depth + delta if delta > 0 else depth
        depths[key] = depth + delta
        return f"{now - starts[key]:6d} {words}:{' ' * (level - 1)}"

    def thread_indent(delta: int, tid: int, comm: str, now: int) -> str:
        return line(tid, f"{comm}({tid})", delta, now)

    def indent(delta: int, now: int) -> str:
        return line(_ALL, "", delta, now)

    return {"thread_indent": thread_indent, "indent": indent}
