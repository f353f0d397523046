"""Records: bytes of a ring to calls of the generated functions.

A record is decoded to a tuple (sequence number, id of its RecordSpec, flags, raw fields...), so that tuples of all
rings sort by number. Strings become text only when their record is run.
"""

from __future__ import annotations

from struct import Struct

from ..program import REC_HEADER
from .formatting import harmless
from .layout import packing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from ..program import Program, RecordSpec

    Record = tuple[Any, ...]

_CACHED = 8192


class Strings(dict[bytes, str]):
    """Text of raw captured bytes: up to the first NUL; the same bytes mostly come again."""

    __slots__ = ("terminal",)

    def __init__(self, terminal: bool = False) -> None:
        super().__init__()
        self.terminal = terminal

    def __missing__(self, raw: bytes) -> str:
        text = raw.split(b"\0", 1)[0].decode("latin-1")
        if self.terminal:
            text = harmless(text)
        if len(self) >= _CACHED:
            self.clear()
        self[raw] = text
        return text


class Decoder:
    """Decodes rings. Records of one length are mostly of one shape, and then decoded in bulk."""

    __slots__ = ("_bulk", "_by_id", "_mixed")

    def __init__(self, records: Iterable[RecordSpec]) -> None:
        formats: dict[int, set[str]] = {}
        self._by_id: dict[int, Struct] = {}
        for spec in records:
            fields = packing(spec.fields, spec.size, REC_HEADER)
            formats.setdefault(spec.size, set()).add(fields)
            self._by_id[spec.id] = Struct("<" + fields)
        # for records of a length with one shape: a ring's 8 byte header, the record's, and the fields
        self._bulk = {size: Struct("<8xQII" + one) for size, (one, *rest) in formats.items() if not rest}
        self._mixed = {
            size: Struct(f"<8xQII{size - REC_HEADER}s") for size, some in formats.items() if len(some) > 1
        }

    def collect(self, ring: Any, into: list[Record]) -> None:
        """Append what lies in a ring up to its snapshot, and give the room back."""
        bulk, mixed = self._bulk, self._mixed
        for view, _stride, _count, length, discarded in ring.runs():
            if discarded:
                continue
            shape = bulk.get(length)
            if shape is not None:
                into += shape.iter_unpack(view)
            elif length in mixed:
                by_id = self._by_id
                for number, spec, flags, rest in mixed[length].iter_unpack(view):
                    into.append((number, spec, flags, *by_id[spec].unpack(rest)))
        ring.advance()


def make_runner(
    spec: RecordSpec,
    function: Callable[..., object],
    strings: Strings,
    exiting: list[int] | None,
    failed: Callable[[int], None] | None,
) -> Callable[[Iterable[Record]], None]:
    """What runs a function for each of some records of one spec.

    exiting: becomes not empty when the function calls exit(), None if it never does; failed: raises the
    error of a run that ended in one in the kernel stage, by the record's flags; None if none can.
    """
    names = [f"v{i}" for i in range(len(spec.fields))]
    args = [f"S[{n}]" if f.type == "str" else n for n, f in zip(names, spec.fields, strict=True)]
    lines = ["def run(batch):", f" for {', '.join(['_n', '_i', 'flags', *names])} in batch:"]
    if failed is not None:
        lines.append("  if flags & 1:")
        if spec.inside >= 0:  # in a loop, whose turns come before the error
            lines.append(
                f"   if v{spec.inside}: until_it_failed(function, ({', '.join(args)},), failed, flags)"
            )
        lines.append("   failed(flags)")
    lines.append(f"  function({', '.join(args)})")
    if exiting is not None:
        lines.append("  if exiting: return")
    scope: dict[str, Any] = {"function": function, "S": strings, "exiting": exiting, "failed": failed}
    scope["until_it_failed"] = until_it_failed
    exec("\n".join(lines), scope)
    return scope["run"]  # type: ignore[no-any-return]


def until_it_failed(
    function: Callable[..., object], args: tuple[Any, ...], failed: Callable[[int], None], flags: int
) -> None:
    """Run a function as far as the kernel stage got; an error of its own comes before the kernel's, which is forgotten."""
    from .errors import ScriptError
    from .turns import Exhausted

    try:
        function(*args)
    except Exhausted:
        pass
    except ScriptError as error:
        try:
            failed(flags)
        except ScriptError:
            pass
        raise error


class Dispatcher:
    """Runs decoded records, in order."""

    __slots__ = ("_batch", "_end", "_exiting", "_records", "_runner", "_runners")

    def __init__(
        self,
        program: Program,
        namespace: dict[str, Any],
        strings: Strings,
        exiting: list[int],
        failed: Callable[[int], None],
        can_exit: bool,
    ) -> None:
        self._exiting = exiting
        raises = failed if program.errors else None
        self._runners = {
            spec.id: make_runner(
                spec, namespace[spec.function], strings, exiting if can_exit else None, raises
            )
            for spec in program.records
        }
        self._batch: list[Record] = []
        self._end = 0  # where those of the batch begin that no runner has
        self._runner = next(iter(self._runners.values()))
        self._records: Iterator[Record] = iter(())  # what that runner has not run

    def take(self, batch: list[Record]) -> None:
        """Take a batch to run."""
        self._batch, self._end, self._records = batch, 0, iter(())
        if len(self._runners) == 1:
            self._end, self._records = len(batch), iter(batch)  # it has only this runner

    def run(self) -> None:
        """Run what is left of it. A script's error comes through: call again for what is behind; exit() ends it early."""
        runners, exiting, batch = self._runners, self._exiting, self._batch
        self._runner(self._records)
        count = len(batch)
        while self._end < count and not exiting:
            start = end = self._end
            number = batch[start][1]
            while end < count and batch[end][1] == number:
                end += 1
            self._end, self._records, self._runner = end, iter(batch[start:end]), runners[number]
            self._runner(self._records)
        self._batch = []


class Merger:
    """Puts records of all rings in the order of their numbers; what lies behind a gap waits."""

    __slots__ = ("held", "next")

    def __init__(self) -> None:
        self.next = 0  # the number of the next record to run
        self.held: list[Record] = []

    def take(self, new: list[Record], until: int | None = None, gaps: bool = False) -> list[Record]:
        """The records that can run now, with numbers below `until`; gaps: as if nothing were missing."""
        held = self.held
        if new:
            held += new
            held.sort()  # the first items are numbers that occur once: nothing behind them is compared
        if not held:
            return held
        if gaps or held[-1][0] - self.next + 1 == len(held):
            count = len(held)
        else:
            count = self._contiguous(held)
        if until is not None and count and held[count - 1][0] >= until:
            count = _before(held, until, count)
        if count == len(held):
            self.held = []
            ready = held
        else:
            ready = held[:count]
            del held[:count]
        if ready:
            self.next = ready[-1][0] + 1
        return ready

    def _contiguous(self, held: list[Record]) -> int:
        low, high, first = 0, len(held), self.next
        while low < high:
            middle = (low + high) // 2
            if held[middle][0] == first + middle:
                low = middle + 1
            else:
                high = middle
        return low


def _before(held: list[Record], until: int, count: int) -> int:
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if held[middle][0] < until:
            low = middle + 1
        else:
            high = middle
    return low
