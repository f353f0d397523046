"""Probe kinds whose words are known and whose events are not made yet, or never will be."""

from __future__ import annotations

from ..diag import fail
from .base import Env, Resolved, point_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .base import Part


_PROCFS = ("procfs", "json_data", "prometheus")


def resolve(parts: Sequence[Part], env: Env) -> list[Resolved]:
    """Refuse, with the place and the words."""
    if parts[0].name in _PROCFS:
        words = f"'{point_text(parts)}' can't be done here: a file in /proc takes a kernel module, and a pipe in its"
        raise fail(
            "E406",
            f"{words} place would not answer each reader, nor keep two writers' texts apart",
            parts[0].span,
            "print from a timer (-f json for programs that read it); what a script is told comes by $1 or -G",
        )
    raise fail("E401", f"not supported yet: '{parts[0].name}' probes ({point_text(parts)})", parts[0].span)
