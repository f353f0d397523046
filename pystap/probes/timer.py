"""timer.*: intervals run in the user stage, timer.profile as perf events on every CPU."""

from __future__ import annotations

from ..ir.nodes import Event
from .base import Context, Env, Resolved, bare, number_of, point_text, unknown, wrong_argument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .base import Part

UNITS = {
    "s": 1_000_000_000,
    "sec": 1_000_000_000,
    "ms": 1_000_000,
    "msec": 1_000_000,
    "us": 1_000,
    "usec": 1_000,
    "ns": 1,
    "nsec": 1,
}
WORDS = (*UNITS, "hz", "jiffies", "profile")
LISTING = (
    *(f"timer.{unit}(number)[.randomize(number)]" for unit in UNITS),
    "timer.jiffies(number)[.randomize(number)]",
    "timer.hz(number)",
    "timer.profile",
    "timer.profile.tick",
    "timer.profile.freq.hz(number)",
)
PERF_TYPE_SOFTWARE, CPU_CLOCK = 1, 0


def resolve(parts: Sequence[Part], env: Env) -> list[Resolved]:
    """`timer . (unit(N) | jiffies(N)) [.randomize(M)] | timer.hz(N) | timer.profile[.tick | .freq.hz(N)]`."""
    bare(parts[0])
    if len(parts) < 2 or parts[1].name not in WORDS:
        raise unknown(parts, WORDS, min(1, len(parts) - 1))
    word = parts[1]
    text = point_text(parts)
    if word.name == "profile":
        return [_profile(parts, env, text)]
    if word.name == "hz":
        if len(parts) > 2:
            raise unknown(parts, (), 2)
        ns, randomize = max(1, 1_000_000_000 // number_of(word)), 0
    else:
        unit = UNITS.get(word.name) or 1_000_000_000 // env.target.hz
        ns = number_of(word) * unit
        randomize = _randomize(parts, env) * unit
    event = Event("timer", "", {"ns": ns, "randomize": min(randomize, ns)})
    return [Resolved(event, text, Context("timer probe"), "timer")]


def _randomize(parts: Sequence[Part], env: Env) -> int:
    if len(parts) == 2:
        return 0
    if parts[2].name != "randomize" or len(parts) > 3:
        raise unknown(parts, ("randomize",), 2 if parts[2].name != "randomize" else 3)
    most = number_of(parts[2], 0)
    if most > number_of(parts[1]):
        raise wrong_argument(parts[2], f"is no more than the timer's interval, {parts[1].arg}")
    return most


def _profile(parts: Sequence[Part], env: Env, text: str) -> Resolved:
    bare(parts[1])
    rest = [p.name for p in parts[2:]]
    freq = env.target.hz
    if rest == ["freq", "hz"]:
        freq = number_of(parts[3])
    elif rest not in ([], ["tick"]):
        raise unknown(parts, ("tick", "freq"), 2)
    event = Event("perf", "cpu-clock", {"type": PERF_TYPE_SOFTWARE, "config": CPU_CLOCK, "freq": freq})
    return Resolved(event, text, Context("profiling timer"), "timer")
