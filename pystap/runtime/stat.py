"""Aggregates in the user stage: what `<<<` collects and the kernel's counters are merged into.

Values are kept as natural numbers: of an unsigned aggregate 0 .. 2^64 - 1, of a signed one -2^63 .. 2^63 - 1.
Sums are exact here; they wrap to 64 bits when a script reads them.
"""

from __future__ import annotations

from ..types.hist import hist_bucket, linear_bucket, linear_buckets, log_bucket, log_buckets
from .errors import ScriptError
from .numbers import MASK, SIGN, wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..program import GlobalSpec
    from .delta import Collected

LARGEST = 1 << 64
SMALLEST = -(1 << 63)


class Stat:
    """Count, sum, least and greatest of the values."""

    __slots__ = ("count", "max", "min", "sum")

    def __init__(self) -> None:
        self.count = 0
        self.sum = 0
        self.min = LARGEST
        self.max = SMALLEST

    def push(self, value: int) -> None:
        """Take one value in."""
        self.count += 1
        self.sum += value
        if value < self.min:
            self.min = value
        if value > self.max:
            self.max = value

    def reset(self) -> None:
        """Forget everything."""
        self.__init__()  # type: ignore[misc]

    def absorb(self, other: Collected) -> None:
        """Take in what the kernel stage has collected."""
        self.count += other.count
        self.sum += other.sum
        if other.min < self.min:
            self.min = other.min
        if other.max > self.max:
            self.max = other.max

    @property
    def avg(self) -> int:
        """The mean, towards zero; 0 of nothing."""
        count = self.count
        if not count:
            return 0
        total = self.total
        return total // count if total >= 0 else -(-total // count)

    @property
    def total(self) -> int:
        """The sum as 64 bits hold it, with the sign that the values have."""
        return wrap(self.sum)

    @property
    def variance(self) -> int:
        """The sample variance; a Stat that has no squares knows none."""
        return 0

    @property
    def buckets_log(self) -> list[int]:
        """The log histogram, where one is kept."""
        return []

    @property
    def buckets_linear(self) -> list[int]:
        """The linear histogram, where one is kept."""
        return []


class FullStat(Stat):
    """With the sum of squares and the histograms that the global asks for. `spec` is set in a subclass."""

    __slots__ = ("linear", "log", "squares")

    spec: GlobalSpec

    def __init__(self) -> None:
        super().__init__()
        spec = self.spec
        self.squares = 0
        kind = spec.stat_kind
        self.log = [0] * log_buckets(spec.hist_log, kind) if spec.hist_log is not None else []
        self.linear = [0] * linear_buckets(*spec.linear, kind) if spec.linear is not None else []

    def push(self, value: int) -> None:
        """Take one value in."""
        spec = self.spec
        if not spec.signed:
            value &= MASK
        super().push(value)
        self.squares += value * value
        if self.log:
            if spec.stat_kind == "stat":
                self.log[log_bucket(value)] += 1
            else:
                self.log[hist_bucket(value, spec.hist_log or 0)] += 1
        if self.linear and spec.linear is not None:
            self.linear[linear_bucket(value, *spec.linear, spec.stat_kind)] += 1

    def absorb(self, other: Collected) -> None:
        """Take in what the kernel stage has collected."""
        super().absorb(other)
        self.squares += other.squares
        if other.log:
            self.log = [a + b for a, b in zip(self.log, other.log, strict=True)]
        if other.linear:
            self.linear = [a + b for a, b in zip(self.linear, other.linear, strict=True)]

    @property
    def total(self) -> int:
        """The sum as 64 bits hold it; one of numbers without a sign has none."""
        return wrap(self.sum) if self.spec.signed else self.sum & MASK

    @property
    def variance(self) -> int:
        """The sample variance, exact up to the last division."""
        count = self.count
        if count < 2:
            return 0
        return (self.squares * count - self.sum * self.sum) // (count * (count - 1))

    @property
    def buckets_log(self) -> list[int]:
        """The log histogram."""
        return self.log

    @property
    def buckets_linear(self) -> list[int]:
        """The linear histogram."""
        return self.linear


def stat_maker(spec: GlobalSpec) -> Callable[[], Stat]:
    """What makes the aggregates of a global."""
    fields = {name for name, _ in spec.stat_fields}
    plain = spec.signed and spec.hist_log is None and spec.linear is None and "sumsq" not in fields
    if plain and spec.stat_fields:
        return Stat
    return type("FullStat", (FullStat,), {"__slots__": (), "spec": spec})


def stat_or_0(stat: Stat | None, name: str, params: tuple[int, ...] = ()) -> int:
    """A statistic; 0 of an empty aggregate. params: the shift of @variance, which our exact variance needs not."""
    if stat is None or not stat.count:
        return 0
    value: int = getattr(stat, name)
    return value if -SIGN <= value < SIGN else wrap(value)


def stat_or_error(stat: Stat | None, name: str, place: str, params: tuple[int, ...] = ()) -> int:
    """SystemTap's extractors but @count and @sum: an empty aggregate has none."""
    if stat is None or not stat.count:
        raise ScriptError("empty aggregate", place)
    return stat_or_0(stat, name, params)


def hist_bucket_of(stat: Stat | None, kind: str, index: int, place: str) -> int:
    """SystemTap's @hist_log(..)[index] and @hist_linear(..)[index]."""
    if stat is None or not stat.count:
        raise ScriptError("empty aggregate", place)
    buckets = stat.buckets_log if kind == "log" else stat.buckets_linear
    if not 0 <= index < len(buckets):
        raise ScriptError("histogram index out of range", place)
    return buckets[index]
