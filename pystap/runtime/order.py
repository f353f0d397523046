"""What foreach needs beyond `sorted`: limits, with the same order of equal elements."""

from __future__ import annotations

from itertools import islice
from operator import itemgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

by_key = itemgetter(0)
by_value = itemgetter(1)


def first(elements: Iterable[Any], limit: int) -> list[Any]:
    """The first elements, none for a limit below 1."""
    return list(islice(elements, max(0, limit)))


def top(elements: list[Any], key: Callable[[Any], Any] | None, descending: bool, limit: int) -> list[Any]:
    """The first elements in sorted order."""
    if limit < 1:
        return []
    if limit * 8 < len(elements):
        from heapq import nlargest, nsmallest

        return (nlargest if descending else nsmallest)(limit, elements, key=key)
    return sorted(elements, key=key, reverse=descending)[:limit]
