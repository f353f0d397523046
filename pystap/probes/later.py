"""Probe kinds whose words are known and whose events are not made yet."""

from __future__ import annotations

from ..diag import fail
from .base import Env, Resolved, point_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .base import Part


def resolve(parts: Sequence[Part], env: Env) -> list[Resolved]:
    """Refuse, with the place and the words."""
    raise fail("E401", f"not supported yet: '{parts[0].name}' probes ({point_text(parts)})", parts[0].span)
