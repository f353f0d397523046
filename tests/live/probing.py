"""Whether this kernel can probe functions: some tests need it, some expect other words where it can."""

from __future__ import annotations

import re
from functools import cache

import pytest

from pystap.cli.live import live_target
from pystap.kernel.features import Features


@cache
def lacks(*features: str) -> str:
    """Return why this kernel lacks the first of the features that it lacks, "" when it has them all."""
    known = Features(live_target().btf)
    for name in features:
        has, why = known.has(name)
        if not has:
            return f"{name}: {why}"
    return ""


def functions() -> bool:
    """Say whether kernel functions can be probed one way or the other."""
    return not lacks("kprobe") or not lacks("fentry")


RUNGS = {"fentry": ("fentry", "fexit"), "kprobe": ("kprobe", "kretprobe"), "standin": ()}


def rung(request: pytest.FixtureRequest) -> str:
    """Return the option for a rung of the ladder, a fixture's parameter; skip where this kernel lacks it."""
    if why := lacks(*RUNGS[request.param]):
        pytest.skip(why)
    return f"--attach={request.param}"


def point(function: str, file: str, now: str = "") -> str:
    """Return an expression of what pp() gives at a function: `now` is its name today, where that is what is probed."""
    name = now if now and functions() else function
    return re.escape(f'kernel.function("{name}@{file}') + r'(?::\d+)?"\)'


def standins(err: str) -> bool:
    """Say whether there is one warning of stand-ins, if this kernel needs them, and none otherwise."""
    return err.count("W301") == (0 if functions() else 1)
