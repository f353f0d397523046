"""Clocks, and how fast the kernel's tick goes.

Programs stamp with `bpf_ktime_get_ns`, which is CLOCK_MONOTONIC; `realtime_offset` turns that into
the time of day, `boot_offset` into the time since boot with suspends.
"""

from __future__ import annotations

import time

from .target import config

_MONOTONIC = time.CLOCK_MONOTONIC


def monotonic_ns() -> int:
    """CLOCK_MONOTONIC: what programs stamp with."""
    return time.clock_gettime_ns(_MONOTONIC)


def realtime_ns() -> int:
    """CLOCK_REALTIME: nanoseconds since the epoch."""
    return time.time_ns()


def _offset(clock: int) -> int:
    """`clock` minus CLOCK_MONOTONIC: the best of a few readings, each between two others."""
    read = time.clock_gettime_ns
    best, result = 1 << 62, 0
    for _ in range(5):
        before = read(_MONOTONIC)
        there = read(clock)
        after = read(_MONOTONIC)
        if after - before < best:
            best, result = after - before, there - (before + after) // 2
    return result


def realtime_offset() -> int:
    """Nanoseconds to add to CLOCK_MONOTONIC for CLOCK_REALTIME, as of now (the time of day may be set)."""
    return _offset(time.CLOCK_REALTIME)


def boot_offset() -> int:
    """Nanoseconds to add to CLOCK_MONOTONIC for CLOCK_BOOTTIME, as of now."""
    return _offset(time.CLOCK_BOOTTIME)


def tick_rate() -> tuple[int, bool]:
    """(the kernel's HZ, whether it is known): from the kernel's config, else the usual 250."""
    text = config("CONFIG_HZ")
    return (int(text), True) if text.isdigit() else (250, False)
