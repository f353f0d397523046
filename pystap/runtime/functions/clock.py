"""Clocks, random numbers, and times as text."""

from __future__ import annotations

import time
from os import urandom

from ..errors import ScriptError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..context import Context

_read = time.clock_gettime_ns
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def ktime_ns() -> int:
    """CLOCK_MONOTONIC."""
    return _read(time.CLOCK_MONOTONIC)


def boottime_ns() -> int:
    """CLOCK_BOOTTIME."""
    return _read(time.CLOCK_BOOTTIME)


def tai_ns() -> int:
    """CLOCK_TAI."""
    return _read(time.CLOCK_TAI)


def random_u32() -> int:
    """32 random bits."""
    return int.from_bytes(urandom(4), "little")


def _stamp(t: time.struct_time) -> str:
    """The 24 characters of a time; ValueError where they don't suffice."""
    if not 1000 <= t.tm_year <= 9999:
        raise ValueError
    return (
        f"{_DAYS[t.tm_wday]} {_MONTHS[t.tm_mon - 1]} {t.tm_mday:2d} "
        f"{t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d} {t.tm_year:4d}"
    )


def ctime(seconds: int) -> str:
    """`Wed Jun 30 21:49:08 1993`, in UTC."""
    try:
        return _stamp(time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        raise ScriptError(f"time {seconds} is too far from now") from None


def tz_ctime(seconds: int) -> str:
    """The same in local time, with the zone's name."""
    try:
        local = time.localtime(seconds)
        return f"{_stamp(local)} {local.tm_zone}"
    except (OverflowError, ValueError, OSError):
        raise ScriptError(f"time {seconds} is too far from now") from None


def tz_gmtoff() -> int:
    """Seconds that local time lies west of UTC."""
    return -time.localtime().tm_gmtoff


def tz_name() -> str:
    """The local zone, as `tz_ctime` names it."""
    return time.localtime().tm_zone


def strftime(form: str, ns: int) -> str:
    """C's strftime in local time; `%f` is microseconds."""
    if "%f" in form:
        form = form.replace("%%", "%%\0").replace("%f", f"{ns // 1000 % 1000000:06d}").replace("%%\0", "%%")
    try:
        return time.strftime(form, time.localtime(ns // 1_000_000_000)).encode("utf-8").decode("latin-1")
    except (OverflowError, ValueError, OSError):
        return ""


PURE: dict[str, Callable[..., Any]] = {
    "ktime_ns": ktime_ns,
    "boottime_ns": boottime_ns,
    "realtime_ns": time.time_ns,
    "tai_ns": tai_ns,
    "cycles": ktime_ns,  # a user process has no cycle counter that is the kernel's
    "random_u32": random_u32,
    "ctime": ctime,
    "tz_ctime": tz_ctime,
    "strftime": strftime,
    "tz_gmtoff": tz_gmtoff,
    "tz_name": tz_name,
}


def bind(context: Context) -> dict[str, Callable[..., Any]]:
    """Those that ask the kernel."""

    def jiffies() -> int:
        return context.calls.jiffies()

    def strftime_boot(form: str, ns: int) -> str:
        return strftime(form, ns + time.time_ns() - boottime_ns())

    return {"jiffies": jiffies, "strftime_boot": strftime_boot}
