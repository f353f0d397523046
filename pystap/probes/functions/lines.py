"""Functions by a line of theirs: function("name@file:line"), which needs the kernel's debug information."""

from __future__ import annotations

from ...diag import fail
from ..base import Env, Resolved

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import Wanted


def resolve(wanted: Wanted, env: Env) -> list[Resolved]:
    """Return the events."""
    raise fail("E401", f"not supported yet: lines of functions ({wanted.text})", wanted.part.span)
