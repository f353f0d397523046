"""An eBPF interpreter: runs programs in a `World`, and faults where the verifier would refuse.

It is the oracle for generated code, so it is strict: registers and memory that
the program never set, accesses outside of exactly one region, misaligned stack
accesses, records left open, unknown helpers are `VmFault`s with the instruction.
It doesn't prove anything: it sees only the path that is taken. Fresh stack and
record memory is filled with a pattern, so that a result that depends on it shows.

    vm = Vm({"main": code}, {"counts": make_map("hash", 4, 8, 100)}, World(pid=7))
    vm.run("main", ctx)            # r0
    vm.maps["counts"].items()
"""

from __future__ import annotations

from ..disasm import disasm
from ..insn import CALL_OP, STACK_SIZE
from ..object import R_KFUNC, R_MAP, Code
from .decode import TAIL, decode
from .helpers import HELPER_FN
from .kfuncs import KFUNC_FN
from .maps import MapOfMaps, ProgArray, make_map
from .world import POISON, VM_HIGH, VM_LOW, Region, VmFault, World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ...program import Program
    from ..insn import Insn
    from .decode import Op
    from .maps import RingBuf, VmMap

MAX_FRAMES = 8
MAX_TAIL_CALLS = 33
MAY_GOTO_LIMIT = 1 << 23
_FUNC_BASE = 0xB000000000000000
_NO_REGS: list[Any] = [None] * 11

__all__ = ["Vm", "VmFault", "World", "from_program", "make_map"]


class Vm:
    """A machine with programs, maps and a world. `executed` counts the instructions of the last run."""

    def __init__(
        self,
        programs: Mapping[str, Code | list[Insn]],
        maps: Mapping[str, VmMap] | None = None,
        world: World | None = None,
        *,
        kfuncs: Mapping[str, tuple[Callable[..., int], int]] | None = None,
        fds: Mapping[int, VmMap] | None = None,
        kfunc_names: Mapping[int, str] | None = None,
        budget: int = 1_000_000,
    ) -> None:
        """Take the programs by name (`maps` by the names in their relocations).

        Programs that are linked already name maps by `fds` and kfuncs by
        `kfunc_names` {BTF id: name}. `kfuncs` adds or replaces kernel functions:
        {name: (function(vm, *args) -> int, number of args)}.
        """
        self.world = world if world is not None else World()
        self.memory = self.world.memory
        self.maps = dict(maps or {})
        self.fds = dict(fds or {})
        self.kfunc_names = dict(kfunc_names or {})
        self.regs: list[Any] = list(_NO_REGS)
        self.budget = budget
        self.executed = 0
        self.reserved: dict[int, RingBuf] = {}
        self._kfuncs = {**KFUNC_FN, **(kfuncs or {})}
        self._by_address: dict[int, VmMap] = {}
        self._frames: list[Region] = []
        self._depth = 0
        self._left = budget
        self._tails = 0
        self._may_goto = 0
        self._may_goto_limit = MAY_GOTO_LIMIT
        self._tail_target = ""
        self._garbage: list[Region] = []
        self._codes = {name: p if isinstance(p, Code) else Code(p) for name, p in programs.items()}
        self._names = list(self._codes)
        self._ops: dict[str, list[Op]] = {}
        self._decoding = ""
        self._current = ""

    # -- running

    def run(self, program: str, ctx: bytes | bytearray = b"") -> int:
        """Run a program and return r0. A bytearray as ctx may be written by it, bytes may not."""
        data = ctx if isinstance(ctx, bytearray) else bytearray(ctx)
        region = Region(data, "ctx", writable=isinstance(ctx, bytearray))
        saved = list(self.regs), self._left, self._tails, self._may_goto, self._current
        nested = self._depth > 0
        if not nested:
            self._left = self.budget
        self._tails = self._may_goto = 0
        self.regs[:] = _NO_REGS
        self.regs[1] = self.memory.address(region)
        start = self._left
        try:
            self._current = program
            self.call(self.ops(program), 0)
            result = self.regs[0]
            if self.reserved and not nested:
                raise VmFault(
                    f"{program} ends with a reserved record that it neither submitted nor discarded"
                )
            assert isinstance(result, int)
            return result
        finally:
            self.executed = start - self._left
            self.memory.drop(region)
            if not nested:
                self._clean()
            regs, left, self._tails, self._may_goto, self._current = saved
            self.regs[:] = regs
            if nested:
                self._left = left - self.executed

    def _clean(self) -> None:
        for region in self._garbage:
            self.memory.drop(region)
        self._garbage.clear()
        self.reserved.clear()

    def ops(self, program: str) -> list[Op]:
        """Return a program's closures."""
        ops = self._ops.get(program)
        if ops is None:
            self._decoding = program
            code = self._codes[program]
            ops = self._ops[program] = decode(self, program, self._link(code))
        return ops

    def _link(self, code: Code) -> Code:
        if not code.relocs:
            return code
        insns = list(code.insns)
        for slot, kind, name, addend in code.relocs:
            op, dst, _, off, _ = insns[slot]
            if kind == R_KFUNC:
                number = -1 - len(self.kfunc_names)
                self.kfunc_names[number] = name
                insns[slot] = (op, dst, 2, off, number)
                continue
            if kind == R_MAP:
                value = self.map_address(self.maps[name])
            else:
                value = self.value_address(self.maps[name], addend)
            insns[slot] = (op, dst, 0, 0, value & 0xFFFFFFFF)
            insns[slot + 1] = (0, 0, 0, 0, value >> 32)
        return Code(insns, (), code.funcs, code.tags)

    def call(self, ops: list[Op], slot: int) -> None:
        """Run a function of the program in a frame of its own; r1 to r5 are set, r0 has the result."""
        regs = self.regs
        saved = regs[6:]
        current = self._current
        depth = self._depth
        if depth == MAX_FRAMES:
            raise VmFault(f"more than {MAX_FRAMES} functions deep")
        if depth == len(self._frames):
            self._frames.append(Region(bytearray(STACK_SIZE), f"the stack of frame {depth}", stack=True))
        frame = self._frames[depth]
        frame.data[:] = bytes([POISON]) * STACK_SIZE
        if frame.base:
            self.memory.restore(frame)
        regs[0] = None
        regs[6:] = [None] * 4 + [self.memory.address(frame) + STACK_SIZE]
        self._depth += 1
        try:
            self._execute(ops, slot)
        finally:
            self._depth = depth
            self._current = current
            self.memory.drop(frame)
            regs[6:] = saved

    def _execute(self, ops: list[Op], pc: int) -> None:
        limit = self._left
        count = 0
        try:
            for count in range(1, limit + 1):  # noqa: B007 - counts the instructions
                to = ops[pc]()
                if to >= 0:
                    pc = to
                elif to == TAIL:
                    self._current = self._tail_target
                    ops, pc = self.ops(self._current), 0
                else:
                    if self.regs[0] is None:
                        raise VmFault("returns without having set r0")
                    return
            raise VmFault(f"more than {self.budget} instructions")
        except VmFault as fault:
            self._locate(fault, pc)
            raise
        except TypeError as error:
            unset = self._unset(pc)
            if unset is None:
                raise
            raise unset from error
        finally:
            self._left -= count

    def _insn(self, pc: int) -> Insn:
        insns = self._codes[self._current].insns
        return insns[pc] if pc < len(insns) else (0, 0, 0, 0, 0)

    def _locate(self, fault: VmFault, pc: int) -> None:
        """Put the place into a fault that has none yet."""
        if fault.pc is None:
            code = self._codes[self._current]
            fault.program, fault.pc = self._current, pc
            fault.text = disasm(self._insn(pc), self._insn(pc + 1))
            fault.tag = code.tag(pc)

    def _unset(self, pc: int) -> VmFault | None:
        """Return the fault for a register that was never set, or None if the error was another."""
        op, dst, src, _, _ = self._insn(pc)
        unset = [r for r in (dst, src, 0) if r < 11 and self.regs[r] is None]
        if op == CALL_OP or not unset:
            return None
        fault = VmFault(f"r{unset[0]} was never set")
        self._locate(fault, pc)
        return fault

    # -- what instructions and helpers use

    def check_args(self, what: str, count: int) -> None:
        """Fault if one of the first argument registers was never set."""
        if None in self.regs[1 : 1 + count]:
            raise VmFault(f"{what} reads r{self.regs.index(None, 1)}, which was never set")

    def function_address(self, slot: int) -> int:
        """Return the pointer to a function of the program that is being decoded."""
        return _FUNC_BASE | self._names.index(self._decoding) << 32 | slot

    def callback(self, function: int, *args: int) -> int:
        """Call a function of a program from a helper; returns r0, which must be 0 or 1."""
        if function >> 56 != _FUNC_BASE >> 56:
            raise VmFault(f"{function:#x} is no function")
        regs = self.regs
        regs[1:6] = [*args, *[None] * (5 - len(args))]
        self.call(self.ops(self._names[(function - _FUNC_BASE) >> 32]), function & 0xFFFFFFFF)
        result = regs[0]
        if result not in (0, 1):
            raise VmFault(f"a callback returned {result:#x}, not 0 or 1")
        return int(result)

    def tail_call(self, array: int, index: int) -> bool:
        """Prepare the jump to another program; False if there is none at the index."""
        found = self.map_at(array)
        if not isinstance(found, ProgArray):
            raise VmFault(f"tail call with {found.name}, which is no prog_array")
        name = found.progs.get(index)
        if name is None or index >= found.max_entries or self._tails >= MAX_TAIL_CALLS:
            return False
        self._tails += 1
        self._tail_target = name
        self.regs[0] = None
        self.regs[2:10] = [None] * 8
        frame = self._frames[self._depth - 1]
        frame.data[:] = bytes([POISON]) * STACK_SIZE
        return True

    def may_goto(self) -> bool:
        """Tell whether the hidden loop budget is used up."""
        self._may_goto += 1
        return self._may_goto > self._may_goto_limit

    def helper(self, name: str) -> Callable[..., int] | None:
        """Return the Python body of a helper."""
        return HELPER_FN.get(name)

    def kfunc(self, number: int) -> tuple[Callable[..., int], int] | None:
        """Return the Python body of a kernel function, and how many arguments it takes."""
        return self._kfuncs.get(self.kfunc_names.get(number, ""))

    # -- maps

    def map_address(self, m: VmMap) -> int:
        """Return what a program holds when it holds the map."""
        address = self.memory.address(m.handle)
        self._by_address[address] = m
        return address

    def map_at(self, address: int) -> VmMap:
        """Return the map that a program holds."""
        found = self._by_address.get(address)
        if found is None:
            raise VmFault(f"{address:#x} is no map")
        return found

    def value_address(self, m: VmMap, offset: int) -> int:
        """Return the address of a byte of an array's element 0."""
        region = m.lookup(bytes(m.key_size), 0)
        if region is None:
            raise VmFault(f"map {m.name} has no element to point to")
        return self.memory.address(region) + offset

    # -- memory

    def load_kernel(self, address: int, size: int) -> int:
        """Return what a direct load outside of the program's memory gives."""
        if VM_LOW <= address < VM_HIGH:
            raise VmFault(self.memory.describe(address, size, False))
        data = self.memory.kernel.read(address, size)
        if data is None:
            if not self.world.lenient_loads:
                raise VmFault(self.memory.describe(address, size, False))
            return 0
        return int.from_bytes(data, "little")

    def bad_access(self, region: Region | None, address: int, size: int, write: bool) -> str:
        """Return what is wrong with an access."""
        if region is None or (address & 0xFFFFFFFF) + size > region.size:
            return self.memory.describe(address, size, write)
        if write and not region.writable:
            return f"{region.name} is read-only"
        at = address - region.base - (region.size if region.stack else 0)
        return f"access of {size} bytes to {region.name} at {at:+d} is misaligned"

    def read(self, address: int, size: int) -> bytes:
        """Read the program's own memory for a helper."""
        if not size:
            return b""
        region, at = self.memory.find(address, size)
        return bytes(region.data[at : at + size])

    def write(self, address: int, data: bytes) -> None:
        """Write the program's own memory for a helper."""
        if data:
            region, at = self.memory.find(address, len(data), write=True)
            region.data[at : at + len(data)] = data

    def read_text(self, address: int, limit: int = 512) -> bytes:
        """Read a NUL-terminated string of the program's own memory, without the NUL."""
        region, at = self.memory.find(address, 1)
        text, nul, _ = bytes(region.data[at : at + limit]).partition(b"\0")
        if not nul:
            raise VmFault(f"the string at offset {at} of {region.name} has no end")
        return text

    def discard(self, regions: list[Region]) -> None:
        """Forget memory of deleted elements when the run is over (as RCU would)."""
        self._garbage.extend(regions)


def from_program(program: Program, world: World | None = None) -> Vm:
    """Return a machine with the programs and maps of a compiled Program."""
    from ..object import from_prog

    world = world if world is not None else World()
    maps: dict[str, VmMap] = {}
    for spec in program.maps:
        made = maps[spec.name] = _make(spec, world.cpus)
        if isinstance(made, MapOfMaps) and spec.inner is not None:
            for index in range(spec.max_entries):
                made.put(index, _make(spec.inner, world.cpus))
    return Vm({prog.name: from_prog(prog) for prog in program.progs}, maps, world)


def _make(spec: Any, cpus: int) -> VmMap:
    return make_map(spec.type, spec.key_size, spec.value_size, spec.max_entries, name=spec.name, cpus=cpus)
