"""perf.*: samples of hardware and software counters, on every CPU."""

from __future__ import annotations

from ..diag import fail
from ..ir.nodes import Event
from .base import Context, Env, Resolved, number_of, point_text, unknown, wrong_argument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .base import Part

LISTING = ("perf.type(n).config(m)[.sample(n) | .hz(n)]",)
PERIOD = 1_000_000


def resolve(parts: Sequence[Part], env: Env) -> list[Resolved]:
    """`perf . type(N) . config(M) [ .sample(N) | .hz(N) ]`."""
    if len(parts) < 3 or parts[1].name != "type" or parts[2].name != "config":
        raise unknown(parts, ("type", "config"), min(1, len(parts) - 1))
    numbers: dict[str, int] = {}
    for part in parts[1:]:
        if part.name in ("process", "counter"):
            raise fail("E401", f"not supported yet: '{part.name}' of perf probes", part.span)
        if part.name not in ("type", "config", "sample", "hz"):
            raise unknown(parts, ("type", "config", "sample", "hz", "process", "counter"), parts.index(part))
        if part.name in numbers:
            raise wrong_argument(part, "stands here twice")
        numbers[part.name] = number_of(part, 0 if part.name in ("type", "config") else 1)
    args = {"type": numbers["type"], "config": numbers["config"]}
    if "hz" in numbers:
        args["freq"] = numbers["hz"]
    else:
        args["period"] = numbers.get("sample", PERIOD)
    text = point_text(parts)
    return [Resolved(Event("perf", text, args), text, Context("perf probe"), "perf")]
