"""Reading the kernel maps of delta globals: what programs have collected, by CPU, since the last time.

An element's slots of all CPUs are added up. min and max of a slot count only where the slot has a count.
Two raw keys may be one key of the script (a rendered one): their values are added up too.
"""

from __future__ import annotations

from struct import Struct

from ..types.stat import load_max, load_min
from .layout import key_decoder, packing
from .numbers import wrap
from .stat import LARGEST, SMALLEST, stat_maker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from ..program import GlobalSpec
    from .decode import Strings
    from .door import Door

USED = 2
_SIGNED = frozenset(("count", "sum"))


class Collected:
    """What one element has collected, in a form that a Stat absorbs."""

    __slots__ = ("count", "linear", "log", "max", "min", "squares", "sum")

    def __init__(self) -> None:
        self.count = 0
        self.sum = 0
        self.min = LARGEST
        self.max = SMALLEST
        self.squares = 0
        self.log: Sequence[int] = ()
        self.linear: Sequence[int] = ()


class ValueShape:
    """How a value lies in its slot."""

    __slots__ = ("_fields", "_shape", "_signed", "_stat", "size")

    def __init__(self, spec: GlobalSpec) -> None:
        from ..types.hist import linear_buckets, log_buckets

        self._stat = spec.value == "stat"
        self._signed = spec.signed
        self.size = spec.value_size
        self._fields: list[tuple[str, int, int]] = []  # name, first place in the unpacked tuple, how many
        out, at, place = ["<"], 0, 0
        for name, offset in sorted(spec.stat_fields, key=lambda f: f[1]):
            many = 1
            if name == "log":
                many = log_buckets(spec.hist_log or 0, spec.stat_kind)
            elif name == "linear" and spec.linear is not None:
                many = linear_buckets(*spec.linear, spec.stat_kind)
            letter = "q" if name in _SIGNED else "Q"
            out.append(f"{offset - at}x" if offset > at else "")
            out.append(f"{many}{letter}")
            self._fields.append((name, place, many))
            place += many
            at = offset + 8 * many
        self._shape = Struct("".join(out) if self._stat else "<q")

    def read(self, slots: Sequence[bytes | memoryview], at: int = 0) -> Any:
        """The sum of an element's slots: an integer or a Collected. at: where the value begins in each."""
        if not self._stat:
            unpack = self._shape.unpack_from
            return sum([unpack(slot, at)[0] for slot in slots])
        total = Collected()
        for slot in slots:
            self._add(total, self._shape.unpack_from(slot, at))
        return total

    def _add(self, total: Collected, values: tuple[int, ...]) -> None:
        if not any(values):
            return
        counted = 1
        for name, at, many in self._fields:
            value = values[at]
            if name == "count":
                if not value:
                    return
                counted = value
            elif name == "sum":
                total.sum += value
            elif name == "min":
                total.min = min(total.min, load_min(value, self._signed))
            elif name == "max":
                total.max = max(total.max, load_max(value, self._signed))
            elif name == "sumsq":
                total.squares += value
            elif name == "log":
                total.log = _added(total.log, values[at : at + many])
            else:
                total.linear = _added(total.linear, values[at : at + many])
        total.count += counted


def _added(old: Sequence[int], new: Sequence[int]) -> Sequence[int]:
    return [a + b for a, b in zip(old, new, strict=True)] if old else new


class DeltaArray:
    """The hashes of an array, one a generation, and its front table."""

    __slots__ = ("_decode", "_front", "_front_value", "_keys", "_maps", "_new", "_value", "spec")

    def __init__(self, spec: GlobalSpec, door: Door, namespace: dict[str, Any], strings: Strings) -> None:
        self.spec = spec
        name = spec.map or spec.name
        self._maps = [door.map(f"{name}.{g}") for g in range(2 if spec.resets else 1)]
        self._front = door.map(f"{name}.front") if spec.front else None
        self._front_value = self._front.value_size - spec.value_size if self._front is not None else 0
        self._keys = Struct("<" + packing(spec.key, spec.key_size))
        self._decode = key_decoder(spec, namespace, strings)
        self._value = ValueShape(spec)
        self._new = stat_maker(spec) if spec.value == "stat" else None

    def merge(self, generation: int, elements: dict[Any, Any]) -> bool:
        """Take a closed generation into the script's elements, and empty it; whether all is within capacity."""
        self._take(self._hash(generation, True), elements)
        if self._front is not None:
            self._take(self._fronts(generation), elements)
            self._clear_front(generation)
        return self._fits(elements)

    def read(self, elements: dict[Any, Any]) -> bool:
        """Take all that there is into the (empty) elements; the maps go on collecting. As `merge`."""
        self._take(self._hash(0, False), elements)
        if self._front is not None:
            self._take(self._fronts(0), elements)
        return self._fits(elements)

    def _fits(self, elements: dict[Any, Any]) -> bool:
        return len(elements) <= self.spec.capacity or self.spec.wrap

    def _take(self, found: Iterator[tuple[Any, Any]], elements: dict[Any, Any]) -> None:
        new = self._new
        if new is None:
            get = elements.get
            for key, value in found:
                elements[key] = wrap(get(key, 0) + value)
            return
        for key, value in found:
            stat = elements.get(key)
            if stat is None:
                stat = elements[key] = new()
            stat.absorb(value)

    def _hash(self, generation: int, delete: bool) -> Iterator[tuple[Any, Any]]:
        table = self._maps[generation]
        decode, read = self._decode, self._value.read
        stride, slot_size = table.stride, table.slot_size
        simple = self._new is None and stride == 8
        words = slot_size >> 3
        for keys, values, _ in table.batches(delete=delete):
            raw_keys = self._keys.iter_unpack(keys)
            if simple:
                sums = map(sum, Struct(f"<{words}q").iter_unpack(values))
                if decode is None:
                    yield from zip(raw_keys, sums, strict=False)
                else:
                    yield from zip(map(decode, raw_keys), sums, strict=False)
                continue
            at = 0
            for raw in raw_keys:
                slots = [values[i : i + stride] for i in range(at, at + slot_size, stride)]
                yield raw if decode is None else decode(raw), read(slots)
                at += slot_size

    def _fronts(self, generation: int) -> Iterator[tuple[Any, Any]]:
        front = self._front
        assert front is not None
        decode, read, value_at = self._decode, self._value.read, self._front_value
        low, high = generation * self.spec.front, (generation + 1) * self.spec.front
        stride, slot_size = front.stride, front.slot_size
        for keys, values, count in front.batches():
            for i, number in enumerate(keys.cast("I") if len(keys) % 4 == 0 else ()):
                if i >= count or not low <= number < high:
                    continue
                for at in range(i * slot_size, (i + 1) * slot_size, stride):
                    if values[at] != USED:
                        continue
                    slot = values[at : at + stride]
                    raw = self._keys.unpack_from(slot, 8)
                    yield raw if decode is None else decode(raw), read((slot,), value_at)

    def _clear_front(self, generation: int) -> None:
        front = self._front
        assert front is not None
        slots = self.spec.front
        first = generation * slots
        keys = b"".join([i.to_bytes(4, "little") for i in range(first, first + slots)])
        front.update_batch(keys, bytes(slots * front.slot_size))


class DeltaScalars:
    """The scalars of the program, all in the mapped array "delta": a slot for each CPU and generation.

    Scalars that are never reset lie in the slots of generation 0, and are never cleared. Programs go on writing them, so
    they are read by whole words.
    """

    __slots__ = ("_bytes", "_cpus", "_resets", "_shapes", "_size", "_specs", "_stride", "_words")

    def __init__(self, specs: list[GlobalSpec], door: Door) -> None:
        self._bytes = door.block("delta")
        self._words = self._bytes.cast("q")
        self._specs = specs
        self._shapes = {spec.index: ValueShape(spec) for spec in specs}
        self._resets = [(s.offset, max(8, s.value_size)) for s in specs if s.resets]
        self._cpus, self._stride = specs[0].cpus, specs[0].stride
        self._size = max([s.offset + max(8, s.value_size) for s in specs])

    def collect(self, wanted: list[int], generation: int | None) -> Iterator[tuple[GlobalSpec, Any, bool]]:
        """(global, what was collected, whether that is all there ever was) of each scalar to be merged."""
        slots: dict[int, list[bytes]] = {}
        for spec in self._specs:
            if spec.resets:
                if generation is None:
                    continue
                number = generation
            elif spec.index in wanted:
                number = 0
            else:
                continue
            if number not in slots:
                slots[number] = self._read(number)
            yield spec, self._shapes[spec.index].read(slots[number], spec.offset), not spec.resets
        if generation is not None and self._resets:
            self._clear(generation)

    def _places(self, generation: int) -> range:
        """Where the slots of a generation begin."""
        return range(generation * self._stride, 2 * self._cpus * self._stride, 2 * self._stride)

    def _read(self, generation: int) -> list[bytes]:
        pack = Struct(f"<{self._size >> 3}q").pack
        words, size = self._words, self._size
        return [pack(*words[at >> 3 : at + size >> 3].tolist()) for at in self._places(generation)]

    def _clear(self, generation: int) -> None:
        view = self._bytes
        for at in self._places(generation):
            for offset, size in self._resets:
                view[at + offset : at + offset + size] = bytes(size)

    def close(self) -> None:
        """Let go of the mapping."""
        self._words.release()
