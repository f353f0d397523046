"""profile, software, hardware: perf events on every CPU, as bpftrace names them."""

from __future__ import annotations

from ..diag import did_you_mean, fail
from ..ir.nodes import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from ..source import Span

    class Attach(Protocol):
        """What of an attach point matters here."""

        provider: str
        func: str
        unit: str
        count: int

        @property
        def nanoseconds(self) -> int: ...


HARDWARE, SOFTWARE = 0, 1
CPU_CLOCK = 0

# name -> (config, samples every so many when the script doesn't say)
SOFTWARE_EVENTS: dict[str, tuple[int, int]] = {
    "cpu-clock": (0, 1_000_000),
    "cpu": (0, 1_000_000),
    "task-clock": (1, 1_000_000),
    "page-faults": (2, 100),
    "faults": (2, 100),
    "context-switches": (3, 1000),
    "cs": (3, 1000),
    "cpu-migrations": (4, 1),
    "minor-faults": (5, 100),
    "major-faults": (6, 1),
    "alignment-faults": (7, 1),
    "emulation-faults": (8, 1),
    "dummy": (9, 1),
    "bpf-output": (10, 1),
}
HARDWARE_EVENTS: dict[str, tuple[int, int]] = {
    "cpu-cycles": (0, 1_000_000),
    "cycles": (0, 1_000_000),
    "instructions": (1, 1_000_000),
    "cache-references": (2, 1_000_000),
    "cache-misses": (3, 1_000_000),
    "branch-instructions": (4, 100_000),
    "branches": (4, 100_000),
    "branch-misses": (5, 100_000),
    "bus-cycles": (6, 100_000),
    "frontend-stalls": (7, 1_000_000),
    "backend-stalls": (8, 1_000_000),
    "ref-cycles": (9, 1_000_000),
}


def event(attach: Attach, span: Span) -> Event:
    """Return the event of a profile, software or hardware probe."""
    if attach.provider == "profile":
        args = {"type": SOFTWARE, "config": CPU_CLOCK}
        if attach.unit == "hz":
            args["freq"] = attach.count
        else:
            args["period"] = attach.nanoseconds
        return Event("perf", "cpu-clock", args)
    table = SOFTWARE_EVENTS if attach.provider == "software" else HARDWARE_EVENTS
    found = table.get(attach.func)
    if found is None:
        near = did_you_mean(attach.func, table)
        hint = f"did you mean '{near}'?" if near else "there are " + ", ".join(table)
        raise fail("E302", f"there is no {attach.provider} event '{attach.func}'", span, hint)
    config, period = found
    kind = SOFTWARE if attach.provider == "software" else HARDWARE
    return Event("perf", attach.func, {"type": kind, "config": config, "period": attach.count or period})
