"""A door without a kernel: maps in memory, and rings that a test fills."""

from __future__ import annotations

import os
import struct
from typing import Any

from pystap.ir.nodes import Global
from pystap.kernel.cpus import possible_cpus
from pystap.options import Options
from pystap.program import (
    CTL_ERROR,
    CTL_EXIT,
    CTL_SEQ,
    CTL_STATE,
    REC_HEADER,
    STATE_ERROR,
    VERSION,
    ErrorSite,
    Field,
    GlobalSpec,
    Part,
    Program,
    RecordSpec,
    Timer,
)
from pystap.runtime.context import Context
from pystap.runtime.door import Door
from tests.kit.sink import ListSink

CPUS = len(possible_cpus())
SLOTS, STRIDE = 4, 64  # of collected scalars


class FakeMap:
    """The part of kernel.maps.Map that the runtime uses."""

    def __init__(self, key_size: int, value_size: int, percpu: bool = True, array: int = 0) -> None:
        self.key_size = key_size
        self.value_size = value_size
        self.stride = (value_size + 7) & ~7
        self.slot_size = self.stride * CPUS if percpu else value_size
        self.array = array
        self.data: dict[bytes, bytes] = {}
        if array:
            for i in range(array):
                self.data[i.to_bytes(4, "little")] = bytes(self.slot_size)

    def lookup(self, key: bytes) -> bytes | None:
        return self.data.get(key)

    def update(self, key: bytes, value: bytes) -> None:
        assert len(key) == self.key_size
        assert len(value) == self.slot_size
        self.data[key] = value

    def update_cpus(self, key: bytes, values: list[bytes]) -> None:
        self.update(key, b"".join(v.ljust(self.stride, b"\0") for v in values))

    def update_batch(self, keys: bytes, values: bytes) -> None:
        for i in range(len(keys) // self.key_size):
            key = keys[i * self.key_size : (i + 1) * self.key_size]
            self.update(key, values[i * self.slot_size : (i + 1) * self.slot_size])

    def cpu_values(self, raw: bytes) -> list[bytes]:
        return [raw[at : at + self.value_size] for at in range(0, len(raw), self.stride)]

    def delete(self, key: bytes) -> bool:
        return self.data.pop(key, None) is not None

    def clear(self) -> None:
        self.data.clear()

    def batches(self, delete: bool = False) -> Any:
        items = list(self.data.items())
        if delete:
            self.data.clear()
        for at in range(0, len(items), 3):
            some = items[at : at + 3]
            yield (
                memoryview(b"".join(k for k, _ in some)),
                memoryview(b"".join(v for _, v in some)),
                len(some),
            )

    def put(self, key: bytes, *cpus: bytes) -> None:
        """Set the slots of the first CPUs."""
        raw = b"".join(v.ljust(self.stride, b"\0") for v in cpus)
        self.data[key] = raw.ljust(self.slot_size, b"\0")


class FakeSlots:
    """The mapped array of collected scalars: slots of CPUs and generations, as GlobalSpec has it."""

    def __init__(self, stride: int = STRIDE) -> None:
        self.stride = stride
        self.memory = bytearray(2 * SLOTS * stride)

    def put(self, generation: int, *cpus: bytes) -> None:
        """Set the slots of the first CPUs."""
        for cpu, value in enumerate(cpus):
            at = (2 * cpu + generation) * self.stride
            self.memory[at : at + len(value)] = value

    def slot(self, generation: int, cpu: int = 0) -> bytes:
        """What lies in a slot."""
        at = (2 * cpu + generation) * self.stride
        return bytes(self.memory[at : at + self.stride])


class FakeRing:
    """Records that were put, given out in runs as kernel.ring.Ring does."""

    def __init__(self) -> None:
        self.fd, self.write = os.pipe2(os.O_NONBLOCK)
        self.queue: list[bytes] = []
        self.seen = 0

    def snapshot(self) -> None:
        self.seen = len(self.queue)

    def runs(self) -> Any:
        taken, self.queue = self.queue[: self.seen], self.queue[self.seen :]
        at = 0
        while at < len(taken):
            end = at
            while end < len(taken) and len(taken[end]) == len(taken[at]):
                end += 1
            view = b"".join(struct.pack("<II", len(r), 0) + r for r in taken[at:end])
            yield memoryview(view), len(taken[at]) + 8, end - at, len(taken[at]), False
            at = end

    def advance(self) -> None:
        try:
            os.read(self.fd, 65536)
        except BlockingIOError:
            pass


class FakeDoor(Door):
    """A Door whose maps and rings the test makes."""

    def __init__(self, rings: int = 1, maps: dict[str, Any] | None = None) -> None:
        super().__init__(None)
        self.given = maps or {}
        self.rings = [FakeRing() for _ in range(rings)]  # type: ignore[misc]
        self.flips = 0
        self.loaded = [object()]  # type: ignore[list-item]
        self.on_go: Any = None
        self.attached = 0
        self.detached = 0
        self.quiesced = 0
        self.lost = (0, 0)
        self.closed = False

    def make_maps(self, program: Program) -> None:
        self.maps = dict(self.given)

    def block(self, name: str) -> memoryview:
        return memoryview(self.given[name].memory)

    def load(self, program: Program) -> None:
        pass

    def attach(self) -> list[str]:
        self.attached += 1
        return []

    def detach(self) -> None:
        self.detached += 1

    def go(self) -> None:
        super().go()
        if self.on_go is not None:
            self.on_go()

    def set_clock(self) -> None:
        pass

    def quiesce(self) -> None:
        self.quiesced += 1

    def flip(self) -> int:
        self.flips += 1
        return super().flip()

    def skipped(self) -> tuple[int, int]:
        return self.lost

    def kernel_misses(self) -> tuple[int, int]:
        return 0, 0

    def close(self) -> None:
        self.closed = True
        for ring in self.rings:
            os.close(ring.fd)
            os.close(ring.write)
        self.rings = []
        self.loaded = []

    # -- what programs would do

    def record(
        self, cpu: int, spec: RecordSpec, *values: int | str | bytes, number: int | None = None
    ) -> None:
        """Put a record in a CPU's ring; without a number, the next one."""
        if number is None:
            number = self.words[CTL_SEQ >> 3]
            self.words[CTL_SEQ >> 3] = number + 1
        raw = bytearray(spec.size)
        struct.pack_into("<QII", raw, 0, number, spec.id, 0)
        for field, value in zip(spec.fields, values, strict=True):
            if isinstance(value, int):
                struct.pack_into("<q", raw, field.offset, value)
            else:
                data = value.encode("latin-1") + b"\0" if isinstance(value, str) else value
                raw[field.offset : field.offset + len(data)] = data
        self.rings[cpu].queue.append(bytes(raw))
        os.write(self.rings[cpu].write, b"x")

    def flag_error(self, cpu: int, site: int) -> None:
        """Mark the last record of a CPU as a run that ended in an error."""
        raw = bytearray(self.rings[cpu].queue[-1])
        raw[12] = 1
        self.rings[cpu].queue[-1] = bytes(raw)
        self.raise_error(site)

    def raise_error(self, site: int, argument: int = 0) -> None:
        """As a program that fails does."""
        self.words[CTL_ERROR >> 3] = site + 1
        self.words[(CTL_ERROR >> 3) + 1] = argument
        self.control[CTL_STATE : CTL_STATE + 4] = STATE_ERROR.to_bytes(4, "little")

    def exit_in_kernel(self, code: int) -> None:
        """As exit() in an event handler does."""
        self.words[CTL_EXIT >> 3] = code + 1
        self.stop()


def record_spec(id: int, function: str, *types: str, size: int = 16) -> RecordSpec:
    """A RecordSpec of fields one after the other."""
    fields, at = [], REC_HEADER
    for type in types:
        fields.append(Field(at, type, 8 if type == "i64" else size))
        at += 8 if type == "i64" else size
    return RecordSpec(id, at, tuple(fields), function, 0)


def program(source: str, records: tuple[RecordSpec, ...] = (), lang: str = "stp", **more: Any) -> Program:
    """A Program around generated text that the test wrote."""
    fields: dict[str, Any] = {
        "version": VERSION,
        "lang": lang,
        "maps": (),
        "progs": (),
        "globals": (),
        "records": records,
        "errors": (ErrorSite("it broke at %#x", "near here"),),
        "source": source + "\n_SYNC = {**globals().get('_SYNC', {})}\n",
        "begin": (),
        "end": (),
        "error": (),
        "timers": (),
        "signals": (),
        "options": None,
    }
    fields.update(more)
    return Program(**fields)


def timer(seconds: float, function: str, randomize: int = 0) -> Timer:
    """A timer."""
    return Timer(int(seconds * 1e9), randomize, function)


def glob(
    name: str, index: int, home: str, keys: tuple[str, ...] = (), value: str = "i64", **more: Any
) -> GlobalSpec:
    """A GlobalSpec; key parts of integers and 16 byte strings follow from `keys`."""
    base = Global(name, keys, value)
    parts, at = [], 0
    for kind in keys:
        size = 8 if kind == "i64" else 16
        parts.append(Part(at, kind, size))
        at += size
    fields: dict[str, Any] = {
        "name": name,
        "index": index,
        "home": home,
        "map": "",
        "offset": 0,
        "keys": keys,
        "key": tuple(parts),
        "key_size": at,
        "value": value,
        "value_size": 8,
        "stat_fields": (),
        "capacity": base.capacity,
        "wrap": False,
        "full": "error",
        "initial": None,
        "hist_log": None,
        "linear": None,
        "signed": True,
        "stat_kind": "stat" if value == "stat" else "",
        "display": "",
        "fmt": None,
        "cpus": SLOTS,
        "stride": STRIDE,
    }
    return GlobalSpec(**(fields | more))


def context(door: Door, prog: Program, **options: Any) -> Context:
    """A Context with a ListSink."""
    return Context(prog, door, ListSink(), Options(**options))
