"""A `Door` whose kernel is the interpreter: the whole runtime runs on the maps and rings of `pystap/bpf/vm`."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from pystap.backend.ebpf.btf_target import Answers
from pystap.bpf.vm.machine import Vm, World, from_program, make_map
from pystap.bpf.vm.maps import MapOfMaps, RingBuf, VmMap
from pystap.btf import Btf
from pystap.kernel.cpus import possible_cpus
from pystap.program import Program
from pystap.runtime.calls import KernelCalls
from pystap.runtime.door import Door

from .scripts import IN_PROCESS, SOMEWHERE

CPUS = len(possible_cpus())
BTF = Btf((Path(__file__).parents[1] / "fixtures" / "kernel.btf").read_bytes())
ANSWERS = Answers(BTF)
TASK, CRED, PARENT, REGS = (0xFFFF888000001000 + n * 0x10000 for n in range(4))
MEMORY = bytes(range(1, 40)) + b"\0" + bytes(24)
_REGISTERS = {"rdi": 112, "rsi": 104, "rdx": 96, "r10": 56, "r8": 72, "r9": 64, "orig_rax": 120}
_ARGS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")
M64 = (1 << 64) - 1


class MapView:
    """A map of the interpreter with the methods of `kernel.maps.Map`."""

    def __init__(self, inner: VmMap) -> None:
        self.inner = inner
        self.key_size, self.value_size = inner.key_size, inner.value_size
        self.stride = (inner.value_size + 7) & ~7
        self.slot_size = self.stride * CPUS if inner.percpu else inner.value_size

    def lookup(self, key: bytes) -> bytes | None:
        if self.inner.lookup(key, 0) is None:
            return None
        if not self.inner.percpu:
            return self.inner.get(key)
        return b"".join(v.ljust(self.stride, b"\0") for v in self.inner.get_all(key))

    def update(self, key: bytes, value: bytes) -> None:
        status = 0
        for cpu in range(CPUS if self.inner.percpu else 1):
            part = value[cpu * self.stride :][: self.value_size]
            status = status or self.inner.update(key, part, 0, cpu)
        if status:
            raise OSError(-status, "update")

    def update_cpus(self, key: bytes, values: list[bytes]) -> None:
        self.update(key, b"".join(v.ljust(self.stride, b"\0") for v in values))

    def update_batch(self, keys: bytes, values: bytes) -> None:
        for i in range(len(keys) // self.key_size):
            key = keys[i * self.key_size : (i + 1) * self.key_size]
            self.update(key, values[i * self.slot_size : (i + 1) * self.slot_size])

    def cpu_values(self, raw: bytes) -> list[bytes]:
        return [raw[at : at + self.value_size] for at in range(0, len(raw), self.stride)]

    def delete(self, key: bytes) -> bool:
        return self.inner.remove(key)

    def clear(self) -> None:
        for key in list(self.inner.keys()):
            self.inner.remove(key)

    def batches(self, delete: bool = False) -> Any:
        items = [(key, self.lookup(key) or b"") for key in list(self.inner.keys())]
        if delete:
            self.clear()
        for at in range(0, len(items), 7):
            some = items[at : at + 7]
            keys, values = b"".join(k for k, _ in some), b"".join(v for _, v in some)
            yield memoryview(keys), memoryview(values), len(some)

    def close(self) -> None:
        pass


class Calls(KernelCalls):
    """Kernel calls that read the interpreter's memory: late reads, which find here what was there at the event."""

    def __init__(self, world: World) -> None:
        super().__init__(Door(BTF))
        self.memory = world.memory

    def read(self, address: int, size: int, user: bool = False) -> bytes | None:
        space = self.memory.user if user else self.memory.kernel
        found: bytes | None = space.read(address & M64, size)
        return found

    def read_str(self, address: int, size: int, user: bool = False) -> str | None:
        space = self.memory.user if user else self.memory.kernel
        found = space.read_str(address & M64, size - 1)
        return None if found is None else found.split(b"\0", 1)[0].decode("latin-1")


class RingView:
    """A ring of the interpreter as `kernel.ring.Ring`."""

    fd = -1

    def __init__(self, inner: RingBuf) -> None:
        self.inner = inner

    def snapshot(self) -> None:
        pass

    def runs(self) -> Any:
        for record in self.inner.consume():
            data = struct.pack("<II", len(record), 0) + record
            yield memoryview(data), len(data), 1, len(record), False

    def advance(self) -> None:
        pass


class VmDoor(Door):
    """Programs run when the test says so: `enter`, `leave`, `tracepoint`."""

    def __init__(self, world: World) -> None:
        super().__init__(BTF)
        self.world = world
        self.vm: Vm | None = None
        self.ran = 0

    def make_maps(self, program: Program) -> None:
        if not program.progs:
            return super().make_maps(program)
        self.vm = from_program(program, self.world)
        for spec in program.maps:
            made = self.vm.maps[spec.name]
            if isinstance(made, MapOfMaps):
                for cpu in range(CPUS):
                    ring = make_map("ringbuf", 0, 0, spec.inner.max_entries, name="ring", cpus=CPUS)
                    made.put(cpu, ring)
                    self.rings.append(RingView(ring))  # type: ignore[arg-type]
            else:
                self.maps[spec.name] = MapView(made)  # type: ignore[assignment]
        block = self.vm.maps["ctl"].lookup(bytes(4), 0)
        assert block is not None
        self._use(block.data)
        return None

    def block(self, name: str) -> memoryview:
        assert self.vm is not None
        element = self.vm.maps[name].lookup(bytes(4), 0)
        assert element is not None
        return memoryview(element.data)

    def load(self, program: Program) -> None:
        self.progs = program.progs
        self.loaded = [object() for _ in program.progs]  # type: ignore[misc]

    def attach(self) -> list[str]:
        return []

    def set_clock(self) -> None:
        pass

    def kernel_misses(self) -> tuple[int, int]:
        return 0, 0

    def close(self) -> None:
        self.loaded, self.rings, self.maps = [], [], {}

    def fire(self, kind: str, target: str, *words: int) -> None:
        """Run the programs at an event."""
        for prog in self.progs:
            if prog.kind == kind and target in (prog.target, "*"):
                assert self.vm is not None
                self.vm.run(prog.name, struct.pack(f"<{len(words)}Q", *[w & M64 for w in words]))
                self.ran += 1

    def system_call(self, number: int, args: tuple[int, ...], result: int | None = None) -> None:
        """Let the current task enter a system call (or leave it, with a result)."""
        for name, value in zip(_ARGS, (*args, *[0] * 6), strict=False):
            struct.pack_into("<Q", self.world.registers, _REGISTERS[name], value & M64)
        struct.pack_into("<Q", self.world.registers, _REGISTERS["orig_rax"], number)
        if result is None:
            self.fire("sys_enter", "*", REGS, number)
        else:
            self.fire("sys_exit", "*", REGS, result)


class TaskWorld(World):
    """A world with a current task as the fixture's kernel lays it out."""

    def __init__(self) -> None:
        super().__init__(cpus=CPUS)
        self._task = self.add_kernel(TASK, bytes(BTF_SIZES["task_struct"]))
        parent = self.add_kernel(PARENT, bytes(BTF_SIZES["task_struct"]))
        cred = self.add_kernel(CRED, bytes(BTF_SIZES["cred"]))
        self.registers = self.add_kernel(REGS, bytes(168))
        self.add_kernel(SOMEWHERE, MEMORY)
        self.add_kernel(IN_PROCESS, MEMORY)  # for the evaluator, which knows one memory
        self.add_user(IN_PROCESS, MEMORY)
        self.task = TASK
        self._put(parent, "task_struct", "tgid", 77)
        self._put(parent, "task_struct", "pid", 77)
        for field, value in (("uid.val", 1001), ("euid.val", 1002), ("gid.val", 1003), ("egid.val", 1004)):
            self._put(cred, "cred", field, value)
        for field, value in (("real_parent", PARENT), ("cred", CRED)):
            self._put(self._task, "task_struct", field, value)
        self.uid, self.gid = 1001, 1003
        self.become(1000, 1000, b"test", 0)

    @staticmethod
    def _put(data: bytearray, struct_name: str, field: str, value: int) -> None:
        found = ANSWERS.offset(struct_name, field)
        if found is not None:
            data[found[0] : found[0] + found[1]] = value.to_bytes(found[1], "little")

    def become(self, pid: int, tid: int, comm: bytes, cpu: int) -> None:
        """Make another thread the current one."""
        self.pid, self.tid, self.comm, self.cpu = pid, tid, comm, cpu
        self._put(self._task, "task_struct", "tgid", pid)
        self._put(self._task, "task_struct", "pid", tid)
        found = ANSWERS.offset("task_struct", "comm")
        assert found is not None
        self._task[found[0] : found[0] + found[1]] = comm.ljust(found[1], b"\0")


BTF_SIZES = {name: BTF.find_struct(name).size for name in ("task_struct", "cred")}  # type: ignore[union-attr]
