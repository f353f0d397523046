"""What a run lost, in exact words."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context


def losses(context: Context, errors: int) -> list[str]:
    """Lines for standard error: skipped runs by reason, and the globals that may be inexact for it."""
    door = context.door
    ring, other = door.skipped()
    missed, returns = door.missed()
    lines = []
    if ring:
        lines.append(
            f"WARNING: {_runs(ring)} skipped: ring full (a larger buffer or fewer events would help)\n"
        )
    if other:
        lines.append(f"WARNING: {_runs(other)} skipped: no scratch memory or lock was free\n")
    if missed:
        lines.append(f"WARNING: {_runs(missed)} skipped: another program was running on that CPU\n")
    if returns:
        lines.append(
            f"WARNING: {_runs(returns)} at returns skipped: too many calls that hadn't returned yet,"
            " or another program was running on that CPU\n"
        )
    skipped = ring + other + missed + returns
    if skipped and context.sink.structured:
        context.sink.event("lost_events", {"events": skipped})
    if skipped:
        names = _inexact(context)
        if names:
            lines.append(f"WARNING: inexact for that: {', '.join(names)}\n")
    for index, spec in context.specs.items():
        if spec.home != "user" and spec.keys and spec.full == "warn" and door.full(spec):
            context.map_full(index)
    if errors:
        lines.append(f"WARNING: Number of errors: {errors}, skipped probes: {skipped}\n")
    return lines


def _runs(count: int) -> str:
    return f"{count} run{'s' if count != 1 else ''}"


def _inexact(context: Context) -> list[str]:
    """The script's globals that event handlers touch; names of those that staging made have spaces."""
    from .env import names_of

    touched: set[str] = set()
    for record in context.program.records:
        function = context.namespace.get(record.function)
        if function is not None:
            touched |= names_of(function.__code__)
    found = [s.name for s in context.specs.values() if s.home != "user" or f"_g{s.index}" in touched]
    return [name for name in found if " " not in name]
