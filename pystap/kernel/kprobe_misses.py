"""How often a kprobe's handler was left out, on kernels (before 6.7) whose links don't tell: read where the kernel keeps it.

A program that is run here and now (BPF_PROG_TEST_RUN) goes from a descriptor of this process to the kprobe behind it.
"""

from __future__ import annotations

from struct import Struct

from ..bpf import consts_gen as abi
from ..bpf import insn as I
from ..bpf.asm import Asm
from ..bpf.insn import encode
from ..bpf.object import link
from ..btf.errors import BtfError
from ..btf.layout import offsetof
from .prog import load_program, test_run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..btf import Btf

_ARGS = Struct("<Q")
_FD = -8  # where they are on the stack: the array's index in bytes,
_READ = -16  # what was read last,
_KPROBE = -24  # and the kprobe


class KprobeMisses:
    """`misses = KprobeMisses(btf); misses(link_fd)`: calls that a kprobe or kretprobe of this process has missed.

    Of a kretprobe also the returns for which it had no room (struct kprobe and kretprobe, `nmissed`). Raises BtfError
    where the kernel's types don't lead there, KernelError where the program can't be loaded.
    """

    def __init__(self, btf: Btf) -> None:
        self._fd = load_program(
            abi.BPF_PROG_TYPE_RAW_TRACEPOINT, encode(link(_program(btf).build(), {}, None, {})), name="misses"
        )

    def __call__(self, fd: int) -> int | None:
        """Return the number (its low 32 bits), None if something isn't where it should be."""
        found = test_run(self._fd, _ARGS.pack(fd))[0]
        return None if found == _NOT_FOUND else found

    def close(self) -> None:
        """Unload the program."""
        import os

        os.close(self._fd)


_NOT_FOUND = (1 << 32) - 1


def _program(btf: Btf) -> Asm:
    def at(struct: str, *path: str) -> int:
        found = btf.find_struct(struct)
        if found is None:
            raise BtfError(f"this kernel's BTF has no struct {struct}")
        return offsetof(btf, found, path)

    def follow(offset: int, size: int = 8) -> None:
        """r6 = what lies `offset` behind r6."""
        asm.mov(I.R1, I.R10)
        asm.add_imm(I.R1, _READ)
        asm.mov_imm(I.R2, size)
        asm.mov(I.R3, I.R6)
        asm.add_imm(I.R3, offset)
        asm.call("probe_read_kernel")
        asm.jump_imm(I.JNE, I.R0, 0, "lost")
        asm.ldx(size, I.R6, I.R10, _READ)

    asm = Asm()
    asm.ldx(8, I.R6, I.R1, 0)
    asm.alu_imm(I.LSH, I.R6, 3)
    asm.stx(8, I.R10, _FD, I.R6)
    asm.call("get_current_task")
    asm.mov(I.R6, I.R0)
    follow(at("task_struct", "files"))
    follow(at("files_struct", "fdt"))
    follow(at("fdtable", "fd"))
    asm.ldx(8, I.R1, I.R10, _FD)
    asm.add(I.R6, I.R1)
    follow(0)
    follow(at("file", "private_data"))
    follow(at("bpf_perf_link", "perf_file"))
    follow(at("file", "private_data"))
    follow(at("perf_event", "tp_event"))
    # a trace_probe_event's call; its probes are a list of trace_probes, parts of trace_kprobes
    follow(at("trace_probe_event", "probes", "next") - at("trace_probe_event", "call"))
    asm.add_imm(I.R6, -at("trace_probe", "list") - at("trace_kprobe", "tp"))
    asm.stx(8, I.R10, _KPROBE, I.R6)
    follow(at("trace_kprobe", "rp", "kp", "nmissed"))
    asm.mov(I.R7, I.R6)
    asm.ldx(8, I.R6, I.R10, _KPROBE)
    follow(at("trace_kprobe", "rp", "nmissed"), 4)
    asm.mov(I.R0, I.R6)
    asm.add(I.R0, I.R7)
    asm.exit()
    asm.label("lost")
    asm.mov_imm(I.R0, -1)
    asm.exit()
    return asm
