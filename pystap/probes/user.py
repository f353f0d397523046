"""begin, end, error, never: handlers without kernel context."""

from __future__ import annotations

from ..diag import fail
from ..ir.nodes import Event
from .base import Context, Env, Resolved, bare, point_text, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .base import Part

LISTING = ("begin", "begin(number)", "end", "end(number)", "error", "error(number)", "never")


def resolve(parts: Sequence[Part], env: Env) -> list[Resolved]:
    """`(begin | end | error) [ (order) ] | never`."""
    first = parts[0]
    if len(parts) > 1:
        raise unknown(parts, (), 1)
    context = Context(f"{first.name} probe")
    text = point_text(parts)
    if first.name == "never":
        bare(first)
        return [Resolved(Event("never"), text, context, "never")]
    if first.arg is not None and not isinstance(first.arg, int):
        raise fail("E302", f"the order of '{first.name}' is a number", first.span)
    return [Resolved(Event(first.name, "", {"order": first.arg or 0}), text, context, first.name)]
