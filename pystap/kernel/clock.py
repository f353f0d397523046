"""Programs stamp with `bpf_ktime_get_ns`, which is CLOCK_MONOTONIC; `realtime_offset` turns that into the time of day."""

from __future__ import annotations

import time


def realtime_offset() -> int:
    """Nanoseconds to add to CLOCK_MONOTONIC for CLOCK_REALTIME, as of now (the time of day may be set).

    The best of a few readings, each between two of the other clock.
    """
    read = time.clock_gettime_ns
    best, result = 1 << 62, 0
    for _ in range(5):
        before = read(time.CLOCK_MONOTONIC)
        there = read(time.CLOCK_REALTIME)
        after = read(time.CLOCK_MONOTONIC)
        if after - before < best:
            best, result = after - before, there - (before + after) // 2
    return result
