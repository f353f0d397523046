"""Which CPUs there may be, and which there are now."""

from __future__ import annotations

_FOLDER = "/sys/devices/system/cpu/"
_possible: tuple[int, ...] = ()


def parse_cpu_list(text: str) -> tuple[int, ...]:
    """The kernel's list form, `0-3,8,10-11`."""
    found: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first:
            found.extend(range(int(first), int(last or first) + 1))
    return tuple(found)


def _read(name: str) -> tuple[int, ...]:
    with open(_FOLDER + name, "rb") as file:
        return parse_cpu_list(file.read().decode())


def possible_cpus() -> tuple[int, ...]:
    """The CPUs that this boot may ever have; per-CPU map values have one slot for each."""
    global _possible
    if not _possible:
        _possible = _read("possible")
    return _possible


def online_cpus() -> tuple[int, ...]:
    """The CPUs that run now."""
    return _read("online")
