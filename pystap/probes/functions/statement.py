"""kernel.statement and module("m").statement: a place in a function, by its line or by its address."""

from __future__ import annotations

from ...diag import fail
from ..base import Env, Resolved, point_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..base import Part


def resolve(parts: Sequence[Part], env: Env, module: str) -> list[Resolved]:
    """Return the events of `(kernel | module("m")) . statement ("name@file:line" | address) { . suffix }`."""
    raise fail("E401", f"not supported yet: 'statement' probes ({point_text(parts)})", parts[1].span)
