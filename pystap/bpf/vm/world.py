"""What a program sees around it when the interpreter runs it: memory, clock, task, CPU.

Memory that programs own (stack, map values, records) lies in `Region`s at made-up
addresses 4 GiB apart, so that every access is checked against exactly one region.
Kernel and user memory is given as bytes at real-looking addresses. Reading
outside of what was given is -EFAULT for the probe_read helpers.
"""

from __future__ import annotations

from bisect import bisect_right

from ..insn import M64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# Regions lie at (_FIRST + n) << 32; no kernel or user address looks like that.
_FIRST = 0xC0000000
VM_LOW = _FIRST << 32
VM_HIGH = 0xD0000000 << 32
POISON = 0xA5


class VmFault(Exception):
    """A program did what the verifier would have refused, or ran out of its budget."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.program: str | None = None
        self.pc: int | None = None
        self.text = ""
        self.tag: object = None

    def __str__(self) -> str:
        if self.pc is None:
            return self.message
        where = f"{self.program}, instruction {self.pc} ({self.text})"
        return (
            f"{where}, from {self.tag!r}: {self.message}"
            if self.tag is not None
            else f"{where}: {self.message}"
        )


class Region:
    """Memory of the program's own. `base` is its address once it was placed."""

    __slots__ = ("base", "data", "name", "size", "stack", "writable")

    def __init__(self, data: bytearray, name: str, writable: bool = True, stack: bool = False) -> None:
        self.data = data
        self.size = len(data)
        self.name = name
        self.writable = writable
        self.stack = stack
        self.base = 0


class _Ranges:
    """Bytes at addresses: ranges in order, neighbours may touch, must not overlap."""

    __slots__ = ("_data", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._data: list[bytearray] = []

    def add(self, address: int, data: bytes) -> bytearray:
        at = bisect_right(self._starts, address)
        overlaps = at > 0 and self._starts[at - 1] + len(self._data[at - 1]) > address
        if overlaps or (at < len(self._starts) and address + len(data) > self._starts[at]):
            raise ValueError(f"memory at {address:#x} is given twice")
        kept = bytearray(data)
        self._starts.insert(at, address)
        self._data.insert(at, kept)
        return kept

    def read(self, address: int, size: int) -> bytes | None:
        """Return the bytes, or None if one of them was not given."""
        out = b""
        at = bisect_right(self._starts, address) - 1
        while len(out) < size:
            if not 0 <= at < len(self._starts):
                return None
            skip = address + len(out) - self._starts[at]
            part = self._data[at][skip : skip + size - len(out)]
            if skip < 0 or not part:
                return None
            out += part
            at += 1
        return out

    def write(self, address: int, data: bytes) -> bool:
        """Overwrite bytes inside of one range; False if they aren't."""
        at = bisect_right(self._starts, address) - 1
        skip = address - self._starts[at] if at >= 0 else -1
        if skip < 0 or skip + len(data) > len(self._data[at]):
            return False
        self._data[at][skip : skip + len(data)] = data
        return True

    def read_str(self, address: int, limit: int) -> bytes | None:
        """Return up to `limit` bytes before a NUL, or None if one of them was not given."""
        out = bytearray()
        while len(out) < limit:
            byte = self.read(address + len(out), 1)
            if byte is None:
                return None
            if byte == b"\0":
                break
            out += byte
        return bytes(out)


class Memory:
    """All memory of one world."""

    __slots__ = ("_next", "kernel", "regions", "user")

    def __init__(self) -> None:
        self.regions: dict[int, Region] = {}
        self.kernel = _Ranges()
        self.user = _Ranges()
        self._next = _FIRST

    def address(self, region: Region) -> int:
        """Return a region's address; gives it one at its first use."""
        base = region.base
        if base and self.regions.get(base >> 32) is region:
            return base
        region.base = base = self._next << 32
        self.regions[self._next] = region
        self._next += 1
        return base

    def drop(self, region: Region) -> None:
        """Make a region's address invalid."""
        self.regions.pop(region.base >> 32, None)

    def restore(self, region: Region) -> None:
        """Make a dropped region valid again at its old address."""
        self.regions[region.base >> 32] = region

    def find(self, address: int, size: int, write: bool = False) -> tuple[Region, int]:
        """Return (region, offset) of an access by the program. VmFault if it isn't all inside one region."""
        region = self.regions.get(address >> 32)
        at = address & 0xFFFFFFFF
        if region is None or at + size > region.size:
            raise VmFault(self.describe(address, size, write))
        if write and not region.writable:
            raise VmFault(f"{region.name} is read-only")
        return region, at

    def describe(self, address: int, size: int, write: bool) -> str:
        """Return what is wrong with an access."""
        what = "write" if write else "read"
        # What lies far behind a region is meant to lie before the next one.
        region = self.regions.get((address + 0x80000000) >> 32)
        if region is not None:
            at = address - region.base
            return f"{what} of {size} bytes at offset {at} of {region.name}, which has {region.size}"
        if VM_LOW <= address < VM_HIGH:
            return f"{what} of {size} bytes at {address:#x}, which is no longer valid"
        return f"{what} of {size} bytes at {address:#x}, which isn't the program's memory"

    def peek(self, address: int, size: int, user: bool = False) -> bytes | None:
        """Return what probe_read finds, or None for -EFAULT. Kernel reads find the regions too."""
        if user:
            return self.user.read(address, size)
        region = self.regions.get(address >> 32)
        if region is None:
            return self.kernel.read(address, size)
        at = address & 0xFFFFFFFF
        return bytes(region.data[at : at + size]) if at + size <= region.size else None

    def peek_str(self, address: int, limit: int, user: bool = False) -> bytes | None:
        """Return a string without its NUL, cut to `limit` bytes; None for -EFAULT."""
        if user:
            return self.user.read_str(address, limit)
        region = self.regions.get(address >> 32)
        if region is None:
            return self.kernel.read_str(address, limit)
        at = address & 0xFFFFFFFF
        found, nul, _ = bytes(region.data[at : at + limit]).partition(b"\0")
        return found if nul or len(found) == limit else None


class World:
    """Everything a test may set, and what programs left behind (`trace`, `seq`, `signals`).

    `clock` is the monotonic time in ns and moves by `tick` at each reading;
    `symbols` maps addresses to (name, size); stacks are lists of addresses,
    innermost first.
    """

    def __init__(
        self, *, cpu: int = 0, cpus: int = 2, pid: int = 1000, tid: int | None = None, comm: bytes = b"test"
    ) -> None:
        self.memory = Memory()
        self.cpu = cpu
        self.cpus = cpus
        self.pid = pid
        self.tid = pid if tid is None else tid
        self.uid = 0
        self.gid = 0
        self.comm = comm
        self.task = 0xFFFF888000001000
        self.clock = 1_000_000_000
        self.tick = 0
        self.boot_offset = 0
        self.tai_offset = 0
        self.cgroup_id = 1
        self.numa_node = 0
        self.registers = 0  # where the task's user registers are (task_pt_regs)
        self.func_ip = 0
        self.func_args: list[int] = []
        self.func_ret = 0
        self.cookie = 0
        self.kernel_stack: list[int] = []
        self.user_stack: list[int] = []
        self.symbols: dict[int, tuple[str, int]] = {}
        self.percpu: Mapping[int, list[int]] = {}
        self.random = 1
        self.trace: list[bytes] = []
        self.seq = bytearray()
        self.signals: list[int] = []
        # A direct load outside of known memory gives 0, as from a bad BTF pointer; False makes it a fault.
        self.lenient_loads = True

    def add_kernel(self, address: int, data: bytes) -> bytearray:
        """Give the kernel memory at an address; the result may be changed in place."""
        return self.memory.kernel.add(address, data)

    def add_user(self, address: int, data: bytes) -> bytearray:
        """Give the current task memory at an address."""
        return self.memory.user.add(address, data)

    def now(self) -> int:
        """Read the clock."""
        self.clock += self.tick
        return self.clock

    def next_random(self) -> int:
        """Return the next 32-bit number of a fixed sequence."""
        self.random = (self.random * 6364136223846793005 + 1442695040888963407) & M64
        return self.random >> 32

    def symbol(self, address: int, with_offset: bool) -> str:
        """Return how the kernel prints an address (%ps, %pS)."""
        for start, (name, size) in self.symbols.items():
            if start <= address < start + size:
                return f"{name}+{address - start:#x}/{size:#x}" if with_offset else name
        return f"{address:#x}"
