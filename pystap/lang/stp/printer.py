"""Syntax tree -> text."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .ast import ProbePoint


def point_text(point: ProbePoint) -> str:
    """Return the dotted form of a probe point, without suffixes."""
    out = []
    for part in point.components:
        arg = part.arg
        out.append(
            part.name
            if arg is None
            else f'{part.name}("{arg}")'
            if isinstance(arg, str)
            else f"{part.name}({arg})"
        )
    return ".".join(out)
