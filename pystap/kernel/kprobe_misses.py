"""How often handlers of kprobes were left out, read where the kernel keeps it: of many at once, and before 6.7 of any.

A program that is run here and now (BPF_PROG_TEST_RUN) goes from descriptors of this process to the kprobes behind them.
"""

from __future__ import annotations

import os
from struct import Struct

from ..bpf import consts_gen as abi
from ..bpf import insn as I
from ..bpf.asm import Asm
from ..bpf.btfinfo import ProgramBtf
from ..bpf.insn import encode
from ..bpf.object import link
from ..btf.errors import BtfError
from ..btf.layout import offsetof
from .prog import load_btf, load_program, test_run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..btf import Btf

_ARGS = Struct("<QQ")
# On the main program's stack: the first descriptor, the sum.
_FIRST, _SUM = -16, -8
# On the stack of a turn: what was read last, the kprobe.
_READ, _KPROBE = -8, -16


class KprobeMisses:
    """`misses = KprobeMisses(btf); misses(fds)`: calls that kprobes and kretprobes of this process have missed.

    Of kretprobes also the returns for which they had no room (struct kprobe and kretprobe, `nmissed`). The descriptors
    are links of perf events. Raises BtfError where the kernel's types don't lead there, KernelError where the program
    can't be loaded.
    """

    def __init__(self, btf: Btf) -> None:
        code = _program(btf).build()
        types = ProgramBtf()
        funcs = [(0, types.add_main("main")), (code.funcs[1][1], types.add_func("turn", 2))]
        info = types.func_info(funcs)
        btf_fd = load_btf(types.to_bytes())
        try:
            self._fd = load_program(
                *(abi.BPF_PROG_TYPE_RAW_TRACEPOINT, encode(link(code, {}, {}))),
                name="misses",
                btf_fd=btf_fd,
                func_info=info,
            )
        finally:
            os.close(btf_fd)

    def __call__(self, fds: Iterable[int]) -> int:
        """Return the sum (its low 32 bits)."""
        return sum([test_run(self._fd, _ARGS.pack(first, count))[0] for first, count in _runs(fds)])

    def close(self) -> None:
        """Unload the program."""
        os.close(self._fd)


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """(first, count) of numbers that follow each other."""
    first = count = 0
    for number in sorted(numbers):
        if number != first + count:
            if count:
                yield first, count
            first, count = number, 0
        count += 1
    if count:
        yield first, count


def _program(btf: Btf) -> Asm:
    asm = Asm()
    asm.ldx(8, I.R2, I.R1, 0)
    asm.stx(8, I.R10, _FIRST, I.R2)
    asm.st_imm(8, I.R10, _SUM, 0)
    asm.ldx(8, I.R1, I.R1, 8)
    asm.ld_func(I.R2, "turn")
    asm.mov(I.R3, I.R10)
    asm.add_imm(I.R3, _FIRST)
    asm.mov_imm(I.R4, 0)
    asm.call("loop")
    asm.ldx(8, I.R0, I.R10, _SUM)
    asm.exit()
    _turn(asm, btf)
    return asm


def _turn(asm: Asm, btf: Btf) -> None:
    """Add what the kprobe behind one descriptor has missed: a callback of bpf_loop with its number and the main stack."""

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

    def add() -> None:
        """The sum += r6."""
        asm.ldx(8, I.R1, I.R8, _SUM - _FIRST)
        asm.add(I.R1, I.R6)
        asm.stx(8, I.R8, _SUM - _FIRST, I.R1)

    asm.func("turn")
    asm.mov(I.R7, I.R1)
    asm.mov(I.R8, I.R2)
    asm.ldx(8, I.R1, I.R8, 0)
    asm.add(I.R7, I.R1)
    asm.alu_imm(I.LSH, I.R7, 3)
    asm.call("get_current_task")
    asm.mov(I.R6, I.R0)
    follow(at("task_struct", "files"))
    follow(at("files_struct", "fdt"))
    follow(at("fdtable", "fd"))
    asm.add(I.R6, I.R7)
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
    add()
    asm.ldx(8, I.R6, I.R10, _KPROBE)
    follow(at("trace_kprobe", "rp", "nmissed"), 4)
    add()
    asm.label("lost")
    asm.mov_imm(I.R0, 0)
    asm.exit()
