"""BPF maps as Python objects, for the interpreter and the tests that look into them.

The program's side (`lookup`, `update`, `delete`) works on regions and errno values
as the kernel's helpers do; the user's side (`get`, `set`, `remove`, `items`) on
bytes. A key may be given as a number; it becomes a little-endian key.
"""

from __future__ import annotations

from .world import POISON, Region

ENOENT, E2BIG, EBUSY, EEXIST, EINVAL = -2, -7, -16, -17, -22
ANY, NOEXIST, EXIST = 0, 1, 2


class VmMap:
    """A map of any type. What a type doesn't have is -EINVAL, or TypeError on the user's side."""

    percpu = False
    lru = False
    lifo = False

    def __init__(
        self, key_size: int, value_size: int, max_entries: int, name: str = "map", cpus: int = 2
    ) -> None:
        self.key_size = key_size
        self.value_size = value_size
        self.max_entries = max_entries
        self.name = name
        self.cpus = cpus
        # What the program holds when it holds the map: an address without memory.
        self.handle = Region(bytearray(), f"map {name}")
        self._setup()

    def _setup(self) -> None:
        """Make what this type of map needs."""

    # -- the program's side

    def lookup(self, key: bytes, cpu: int) -> Region | None:
        """Return the value's memory on a CPU, or None."""
        return None

    def update(self, key: bytes, value: bytes, flags: int, cpu: int) -> int:
        """Set a value on a CPU; returns 0 or a negative errno."""
        return EINVAL

    def replaced(self, key: bytes) -> list[Region]:
        """Return the memory that an update of a key takes out of the map."""
        return []

    def delete(self, key: bytes) -> tuple[int, list[Region]]:
        """Remove a key; returns (0 or errno, the memory that is no longer the map's)."""
        return EINVAL, []

    def keys(self) -> list[bytes]:
        """Return the keys, in the order that callbacks see them."""
        raise TypeError(f"{self.name}: this type of map has no keys")

    # -- the user's side

    def key(self, key: bytes | int) -> bytes:
        """Return a key's bytes."""
        return key.to_bytes(self.key_size, "little") if isinstance(key, int) else key

    def get(self, key: bytes | int, cpu: int = 0) -> bytes | None:
        """Return a value (of one CPU)."""
        region = self.lookup(self.key(key), cpu)
        return None if region is None else bytes(region.data)

    def get_all(self, key: bytes | int) -> list[bytes]:
        """Return the values of all CPUs."""
        found = [self.get(key, cpu) for cpu in range(self.cpus)]
        return [value for value in found if value is not None]

    def set(self, key: bytes | int, value: bytes, cpu: int = 0) -> None:
        """Set a value (of one CPU)."""
        status = self.update(self.key(key), value, ANY, cpu)
        if status:
            raise ValueError(f"{self.name}: errno {-status}")

    def remove(self, key: bytes | int) -> bool:
        """Remove a key; tells whether it was there."""
        return self.delete(self.key(key))[0] == 0

    def items(self, cpu: int = 0) -> dict[bytes, bytes]:
        """Return all keys with their values (of one CPU)."""
        pairs = [(key, self.get(key, cpu)) for key in self.keys()]
        return {key: value for key, value in pairs if value is not None}


class ArrayMap(VmMap):
    """array, percpu_array: every element exists, made when first touched."""

    def _setup(self) -> None:
        self._cells: dict[tuple[int, int], Region] = {}

    def lookup(self, key: bytes, cpu: int) -> Region | None:
        index = int.from_bytes(key, "little")
        if index >= self.max_entries:
            return None
        at = index, cpu if self.percpu else 0
        cell = self._cells.get(at)
        if cell is None:
            where = f"element {index} of {self.name}" + (f" on CPU {cpu}" if self.percpu else "")
            cell = self._cells[at] = Region(bytearray(self.value_size), where)
        return cell

    def update(self, key: bytes, value: bytes, flags: int, cpu: int) -> int:
        if flags > EXIST:
            return EINVAL
        cell = self.lookup(key, cpu)
        if cell is None:
            return E2BIG
        if flags == NOEXIST:
            return EEXIST
        cell.data[:] = value
        return 0

    def keys(self) -> list[bytes]:
        return [self.key(index) for index in range(self.max_entries)]


class HashMap(VmMap):
    """hash, percpu_hash and the LRU forms. Full: -E2BIG, or the least recently used key goes."""

    def _setup(self) -> None:
        self._cells: dict[bytes, list[Region]] = {}

    def lookup(self, key: bytes, cpu: int) -> Region | None:
        cells = self._cells.get(key)
        if cells is None:
            return None
        if self.lru:
            self._cells[key] = self._cells.pop(key)
        return cells[cpu if self.percpu else 0]

    def update(self, key: bytes, value: bytes, flags: int, cpu: int) -> int:
        if flags > EXIST:
            return EINVAL
        cells = self._cells.get(key)
        if cells is None:
            if flags == EXIST:
                return ENOENT
            if len(self._cells) >= self.max_entries:
                if not self.lru:
                    return E2BIG
                del self._cells[next(iter(self._cells))]
            count = self.cpus if self.percpu else 1
            cells = [Region(bytearray(self.value_size), f"value of {self.name}") for _ in range(count)]
            self._cells[key] = cells
        elif flags == NOEXIST:
            return EEXIST
        elif not self.percpu:
            # A new element takes the place of the old one, whose memory programs may still look at.
            cells = self._cells[key] = [Region(bytearray(self.value_size), f"value of {self.name}")]
        cells[cpu if self.percpu else 0].data[:] = value
        return 0

    def replaced(self, key: bytes) -> list[Region]:
        if key in self._cells:
            return [] if self.percpu else self._cells[key]
        full = self.lru and len(self._cells) >= self.max_entries
        return self._cells[next(iter(self._cells))] if full else []

    def delete(self, key: bytes) -> tuple[int, list[Region]]:
        cells = self._cells.pop(key, None)
        return (ENOENT, []) if cells is None else (0, cells)

    def keys(self) -> list[bytes]:
        return list(self._cells)

    def get(self, key: bytes | int, cpu: int = 0) -> bytes | None:
        cells = self._cells.get(self.key(key))  # not `lookup`: looking from outside is no use of an LRU key
        return None if cells is None else bytes(cells[cpu if self.percpu else 0].data)


class ProgArray(VmMap):
    """prog_array: `progs` maps indexes to names of programs."""

    def _setup(self) -> None:
        self.progs: dict[int, str] = {}


class MapOfMaps(VmMap):
    """array_of_maps, hash_of_maps: `inner` maps keys to maps."""

    def _setup(self) -> None:
        self.inner: dict[bytes, VmMap] = {}

    def put(self, key: bytes | int, inner: VmMap) -> None:
        """Set an inner map."""
        self.inner[self.key(key)] = inner

    def keys(self) -> list[bytes]:
        return list(self.inner)


class RingBuf(VmMap):
    """ringbuf: records in order of reservation; `consume` takes those that may be read."""

    BUSY, READY, DISCARDED = range(3)

    def _setup(self) -> None:
        self._records: list[list[int | Region]] = []
        self._by_address: dict[int, list[int | Region]] = {}
        self.consumed = 0
        self.produced = 0

    @staticmethod
    def _footprint(size: int) -> int:
        return (size + 8 + 7) & ~7

    def reserve(self, size: int) -> Region | None:
        """Return a new record's memory, or None when the ring is full."""
        if size > 0x3FFFFFFF or self._footprint(size) > self.max_entries:
            return None
        if self.produced + self._footprint(size) - self.consumed > self.max_entries - 1:
            return None
        region = Region(bytearray([POISON]) * size, f"record of {self.name}")
        self._records.append([self.BUSY, region])
        self.produced += self._footprint(size)
        return region

    def finish(self, region: Region, discard: bool) -> bool:
        """Submit or discard a record; tells whether it was this ring's and open."""
        for record in reversed(self._records):
            if record[1] is region and record[0] == self.BUSY:
                record[0] = self.DISCARDED if discard else self.READY
                return True
        return False

    def pending(self) -> int:
        """Return the number of bytes that the consumer hasn't taken."""
        return self.produced - self.consumed

    def consume(self) -> list[bytes]:
        """Take the records up to the first that is still being written."""
        taken: list[bytes] = []
        while self._records and self._records[0][0] != self.BUSY:
            state, region = self._records.pop(0)
            assert isinstance(region, Region)
            self.consumed += self._footprint(region.size)
            if state == self.READY:
                taken.append(bytes(region.data))
        return taken


class StackTrace(VmMap):
    """stack_trace: `stacks` maps ids to lists of addresses."""

    def _setup(self) -> None:
        self.stacks: dict[int, list[int]] = {}

    def keys(self) -> list[bytes]:
        return [self.key(number) for number in self.stacks]

    def get(self, key: bytes | int, cpu: int = 0) -> bytes | None:
        frames = self.stacks.get(int.from_bytes(self.key(key), "little"))
        if frames is None:
            return None
        return b"".join(f.to_bytes(8, "little") for f in frames).ljust(self.value_size, b"\0")


class TaskStorage(VmMap):
    """task_storage, cgrp_storage: a value for each object, keyed by its address."""

    def _setup(self) -> None:
        self.values: dict[int, Region] = {}


class PerfEventArray(VmMap):
    """perf_event_array: `events` has (cpu, bytes) of what was sent."""

    def _setup(self) -> None:
        self.events: list[tuple[int, bytes]] = []


class QueueMap(VmMap):
    """queue, stack: `values` in order of pushing."""

    def _setup(self) -> None:
        self.values: list[bytes] = []

    def push(self, value: bytes, flags: int) -> int:
        """Add a value; with EXIST a full map loses its oldest."""
        if len(self.values) >= self.max_entries:
            if flags != EXIST:
                return E2BIG
            self.values.pop(0)
        self.values.append(value)
        return 0

    def peek(self, remove: bool) -> bytes | None:
        """Return the next value."""
        if not self.values:
            return None
        at = -1 if self.lifo else 0
        return self.values.pop(at) if remove else self.values[at]


class PercpuArrayMap(ArrayMap):
    """percpu_array."""

    percpu = True


class PercpuHashMap(HashMap):
    """percpu_hash."""

    percpu = True


class LruHashMap(HashMap):
    """lru_hash."""

    lru = True


class LruPercpuHashMap(HashMap):
    """lru_percpu_hash."""

    percpu = True
    lru = True


class StackMap(QueueMap):
    """stack."""

    lifo = True


_TYPES: dict[str, type[VmMap]] = {
    "array": ArrayMap,
    "percpu_array": PercpuArrayMap,
    "hash": HashMap,
    "percpu_hash": PercpuHashMap,
    "lru_hash": LruHashMap,
    "lru_percpu_hash": LruPercpuHashMap,
    "prog_array": ProgArray,
    "array_of_maps": MapOfMaps,
    "hash_of_maps": MapOfMaps,
    "ringbuf": RingBuf,
    "stack_trace": StackTrace,
    "task_storage": TaskStorage,
    "cgrp_storage": TaskStorage,
    "perf_event_array": PerfEventArray,
    "queue": QueueMap,
    "stack": StackMap,
}


def make_map(
    type: str, key_size: int, value_size: int, max_entries: int, *, name: str = "map", cpus: int = 2
) -> VmMap:
    """Make a map of a type named as in bpf_map_type, in lower case ("percpu_hash")."""
    return _TYPES[type](key_size, value_size, max_entries, name=name, cpus=cpus)
