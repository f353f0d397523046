"""Histogram buckets: which bucket a value falls in, and which values a bucket stands for.

The kernel stage's code, the interpreter's oracle and the user stage's texts all follow these functions.

SystemTap's @hist_log (kind "stat"): LOG_BUCKETS buckets around LOG_ZERO: bucket 64 holds 0, 64 + n the values
2^(n-1) .. 2^n - 1, and 64 - n their negatives.
bpftrace's hist(n, k): bucket 0 holds negative values, bucket v + 1 the values v < 2^k one by one, and each further
power of two is divided in 2^k equal parts.
Linear (both): bucket 0 holds what lies below low, the last what lies above; SystemTap's @hist_linear has one
bucket more than bpftrace's lhist, since its high end is still a bucket of its own.
"""

from __future__ import annotations

LOG_BUCKETS = 128
LOG_ZERO = 64


def log_buckets(bits: int, kind: str) -> int:
    """Return how many log buckets an aggregate of this kind has (kind as in ir.nodes.Stat)."""
    return LOG_BUCKETS if kind == "stat" else ((65 - bits) << bits) + 1


def log_bucket(value: int) -> int:
    """Return SystemTap's log bucket of a signed 64-bit value."""
    step = abs(value).bit_length()
    return LOG_ZERO + step if value >= 0 else max(0, LOG_ZERO - step)


def log_low(bucket: int) -> int:
    """Return the value that SystemTap prints for a log bucket: the one nearest to 0 in it."""
    if bucket == LOG_ZERO:
        return 0
    return 1 << (bucket - LOG_ZERO - 1) if bucket > LOG_ZERO else -(1 << (LOG_ZERO - bucket - 1))


def hist_bucket(value: int, bits: int) -> int:
    """Return bpftrace's bucket of a signed 64-bit value."""
    if value < 0:
        return 0
    mask = (1 << bits) - 1
    if value <= mask:
        return value + 1
    power = value.bit_length() - 1
    return ((power - bits + 1) << bits) + ((value >> (power - bits)) & mask) + 1


def hist_range(bucket: int, bits: int) -> tuple[int | None, int]:
    """Return (low, high), low <= values < high, of bpftrace's bucket; low is None for the negatives."""
    if bucket == 0:
        return None, 0
    index = bucket - 1
    if index < 1 << bits:
        return index, index + 1
    power = (index >> bits) + bits - 1
    width = 1 << (power - bits)
    low = (1 << power) + (index & ((1 << bits) - 1)) * width
    return low, low + width


def linear_buckets(low: int, high: int, step: int, kind: str) -> int:
    """Return how many linear buckets there are, with the two for what lies outside."""
    if kind == "stat":
        return -(-(high - low) // step) + 3
    return (high - low) // step + 2  # what is left of the range, if it isn't so many whole steps, is above


def linear_bucket(value: int, low: int, high: int, step: int, kind: str) -> int:
    """Return the linear bucket of a value."""
    if value < low:
        return 0
    last = linear_buckets(low, high, step, kind) - 1
    if kind != "stat" and value >= high:
        return last
    return min((value - low) // step + 1, last)
