"""Kernel calls: reads of the kernel that a user handler makes, each a small program run there and then.

Memory is read by BPF_PROG_TYPE_SYSCALL programs, which run in this process; what they find lies in a mapped
array: a word of status, then the bytes. They are loaded when first needed.
"""

from __future__ import annotations

import os
from struct import Struct

from .errors import ScriptError
from .formatting import harmless
from .numbers import MASK, wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mmap import mmap

    from ..bpf.asm import Asm
    from ..kernel.maps import Map
    from .door import Door

ROOM = 4096
_LONGEST_WALK = 1 << 16
_ARGS = Struct("<QQ")
_STATUS = Struct("<q")
_READERS = {
    (False, False): "probe_read_kernel",
    (True, False): "probe_read_kernel_str",
    (False, True): "probe_read_user",
    (True, True): "probe_read_user_str",
}


class KernelCalls:
    """The programs of one run."""

    __slots__ = ("_door", "_fds", "_map", "_memory", "terminal")

    def __init__(self, door: Door, terminal: bool = False) -> None:
        self._door = door
        self._fds: dict[str, int] = {}
        self._map: Map | None = None
        self._memory: mmap | None = None
        self.terminal = terminal

    def close(self) -> None:
        """Free the programs and the map."""
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()
        if self._memory is not None:
            self._memory.close()
            self._memory = None
        if self._map is not None:
            self._map.close()
            self._map = None

    # -- running

    def _room(self) -> mmap:
        if self._memory is None:
            from ..bpf import consts_gen as abi
            from ..kernel.maps import create_map

            flags = abi.BPF_F_MMAPABLE
            self._map = create_map(abi.BPF_MAP_TYPE_ARRAY, 4, 8 + ROOM, 1, flags, "calls")
            self._memory = self._map.mmap()
        return self._memory

    def _run(self, name: str, a: int = 0, b: int = 0) -> int:
        """Run the program of a name and return its status."""
        from ..kernel.prog import test_run

        fd = self._fds.get(name)
        if fd is None:
            fd = self._fds[name] = self._load(name)
        test_run(fd, _ARGS.pack(a & MASK, b))
        status: int = _STATUS.unpack_from(self._room())[0]
        return status

    def _load(self, name: str) -> int:
        from ..bpf import consts_gen as abi
        from ..bpf.asm import Asm
        from ..bpf.insn import encode
        from ..bpf.object import link
        from ..kernel.prog import F_SLEEPABLE, load_program

        self._room()
        assert self._map is not None
        asm = Asm()
        kfuncs: dict[str, tuple[int, int]] = {}
        if name == "pid2task":
            btf = self._door.btf
            for one in ("bpf_task_from_pid", "bpf_task_release"):
                found = btf.find_func(one) if btf is not None else None
                if found is None:
                    raise OSError(2, "no such kernel function", one)
                kfuncs[one] = (found.id, 0)
            _pid2task(asm)
        elif name in _READERS.values():
            _reader(asm, name)
        else:
            asm.call(name)
            _status(asm)
        return load_program(
            abi.BPF_PROG_TYPE_SYSCALL,
            encode(link(asm.build(), {"calls": self._map.fd}, kfuncs)),
            name=name,
            flags=F_SLEEPABLE,
        )

    # -- memory

    def read(self, address: int, size: int, user: bool = False) -> bytes | None:
        """Bytes at an address; None if they can't be read."""
        out = []
        while size > 0:
            part = min(size, ROOM)
            if self._run(_READERS[False, user], address, part) < 0:
                return None
            out.append(self._room()[8 : 8 + part])
            address += part
            size -= part
        return b"".join(out)

    def read_str(self, address: int, size: int, user: bool = False) -> str | None:
        """The string at an address, cut to `size` bytes with its NUL; None if it can't be read."""
        count = self._run(_READERS[True, user], address, min(size, ROOM))
        if count < 0:
            return None
        text = self._room()[8 : 8 + max(0, count - 1)].decode("latin-1")
        return harmless(text) if self.terminal else text

    def read_for_format(self, address: int, size: int, user: bool) -> bytes:
        """What %m and %M print."""
        data = self.read(address, size, user)
        if data is None:
            raise _fault(address, "")
        return data

    # what generated code calls

    def load(self, address: int, size: int, signed: bool, zero: bool, user: bool, place: str) -> int:
        """An integer at an address."""
        data = self.read(address & MASK, size, user)
        if data is None:
            if zero:
                return 0
            raise _fault(address, place)
        value = int.from_bytes(data, "little", signed=signed)
        return wrap(value) if size == 8 else value

    def load_str(self, address: int, size: int, zero: bool, user: bool, place: str) -> str:
        """A string at an address."""
        text = self.read_str(address & MASK, size, user)
        if text is None:
            if zero:
                return ""
            raise _fault(address, place)
        return text

    def load_buf(self, address: int, size: int, zero: bool, user: bool, place: str) -> bytes:
        """Bytes at an address."""
        data = self.read(address & MASK, size, user)
        if data is None:
            if zero:
                return bytes(size)
            raise _fault(address, place)
        return data

    # -- others

    def current_task(self) -> int:
        """The address of this process's task."""
        return self._run("get_current_task")

    def pid2task(self, pid: int) -> int:
        """The address of a task by its pid; 0 if there is none."""
        pid &= 0xFFFFFFFF
        try:
            found = self._run("pid2task", pid)
        except OSError:  # kfuncs and this kind of program don't go together on this kernel
            found = 0
        return found or wrap(self._walk(pid))

    def _walk(self, pid: int) -> int:
        """Look for a process in the kernel's list of them, from this process's place in it on.

        For kernels without the kfunc, and for processes that it doesn't give out.
        """
        btf = self._door.btf
        task = btf.find_struct("task_struct") if btf is not None else None
        if btf is None or task is None:
            raise ScriptError("this kernel has no way to find a task by its pid")
        from ..btf.layout import field_path

        link_at = field_path(btf, task, ["tasks", "next"]).offsets[-1]
        pid_at = field_path(btf, task, ["pid"]).offsets[-1]
        leader_at = field_path(btf, task, ["group_leader"]).offsets[-1]
        start = self._word(self.current_task() + leader_at)
        at = start
        for _ in range(_LONGEST_WALK):
            number = self.read(at + pid_at, 4) if at else None
            if number is None:
                return 0
            if int.from_bytes(number, "little") == pid:
                return at
            at = self._word(at + link_at) - link_at
            if at == start:
                return 0
        return 0

    def _word(self, address: int) -> int:
        data = self.read(address & MASK, 8)
        return int.from_bytes(data, "little") if data is not None else 0

    def jiffies(self) -> int:
        """The kernel's tick count."""
        return self._run("jiffies64")

    def cpu(self) -> int:
        """The CPU that this process runs on."""
        return self._run("get_smp_processor_id")

    def cgroup_id(self) -> int:
        """The id of this process's cgroup."""
        return self._run("get_current_cgroup_id")


def _fault(address: int, place: str) -> ScriptError:
    return ScriptError(f"read fault [man error::fault] at {address & MASK:#018x}", place)


def _status(asm: Asm) -> None:
    """r0 to the word of status; end."""
    asm.mov(6, 0)
    asm.ld_map_value(1, "calls")
    asm.stx(8, 1, 0, 6)
    asm.ret(0)


def _reader(asm: Asm, helper: str) -> None:
    """helper(room, min(size, ROOM), address)."""
    from ..bpf.insn import JLE

    asm.ldx(8, 3, 1, 0)
    asm.ldx(8, 2, 1, 8)
    asm.jump_imm(JLE, 2, ROOM, "fits")
    asm.mov_imm(2, ROOM)
    asm.label("fits")
    asm.ld_map_value(1, "calls", 8)
    asm.call(helper)
    _status(asm)


def _pid2task(asm: Asm) -> None:
    """The task's address, without keeping the task."""
    from ..bpf.insn import JEQ

    asm.ldx(8, 1, 1, 0)
    asm.call_kfunc("bpf_task_from_pid")
    asm.mov(6, 0)
    asm.ld_map_value(1, "calls")
    asm.stx(8, 1, 0, 6)
    asm.jump_imm(JEQ, 6, 0, "none")
    asm.mov(1, 6)
    asm.call_kfunc("bpf_task_release")
    asm.label("none")
    asm.ret(0)
