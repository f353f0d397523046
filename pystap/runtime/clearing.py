"""Zeroing parts of a per-CPU element while programs write other parts of it.

A map call can only write an element as a whole, and would undo what programs add meanwhile; so a small
program does it, one CPU's slot a run.
"""

from __future__ import annotations

import os
from struct import Struct

from ..kernel.cpus import possible_cpus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..kernel.maps import Map

_ARGS = Struct("<QQ")


class RangeClearer:
    """Zeroes byte ranges (offset, size; multiples of 8) of the elements of a per-CPU array."""

    __slots__ = ("_fd",)

    def __init__(self, table: Map, ranges: Iterable[tuple[int, int]]) -> None:
        from ..bpf import consts_gen as abi
        from ..bpf.asm import Asm
        from ..bpf.insn import JEQ, encode
        from ..bpf.object import link
        from ..kernel.prog import load_program

        asm = Asm()
        asm.ldx(8, 2, 1, 0)
        asm.stx(4, 10, -4, 2)
        asm.ldx(8, 3, 1, 8)
        asm.ld_map(1, "table")
        asm.mov(2, 10)
        asm.add_imm(2, -4)
        asm.call("map_lookup_percpu_elem")
        asm.jump_imm(JEQ, 0, 0, "none")
        for offset, size in ranges:
            for at in range(offset, offset + size, 8):
                asm.st_imm(8, 0, at, 0)
        asm.label("none")
        asm.ret(0)
        code = encode(link(asm.build(), {"table": table.fd}))
        self._fd = load_program(
            abi.BPF_PROG_TYPE_SYSCALL, code, name="clear", flags=1 << 4
        )  # BPF_F_SLEEPABLE

    def clear(self, element: int) -> None:
        """Zero the ranges of one element, on every CPU."""
        from ..kernel.prog import test_run

        for cpu in possible_cpus():
            test_run(self._fd, _ARGS.pack(element, cpu))

    def close(self) -> None:
        """Free the program."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
