"""What the kernel tests share: programs, workloads, and the check that nothing stays behind."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import rawbtf

from pystap.bpf import consts_gen as abi
from pystap.bpf import insn as I
from pystap.bpf.asm import Asm
from pystap.bpf.object import link
from pystap.kernel import objects, prog

GETPPID = {"x86_64": 110, "aarch64": 173}[platform.machine()]
SYSCALL_ID_IN_REGS = {"x86_64": 15 * 8}.get(platform.machine(), 0)  # pt_regs.orig_ax

need_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it loads programs")
libc = ctypes.CDLL(None)


def assemble(write: Callable[[Asm], None], maps: dict[str, int] | None = None, **named: object) -> bytes:
    asm = Asm()
    write(asm)
    return I.encode(link(asm.build(), maps or {}, **named))  # type: ignore[arg-type]


def count_into(asm: Asm, offset: int = 0) -> None:
    """The array element `count` += 1, at an offset; changes r1 and r2."""
    asm.ld_map_value(I.R1, "count", offset)
    asm.mov_imm(I.R2, 1)
    asm.atomic(I.A_ADD, 8, I.R1, 0, I.R2)


def only_own(asm: Asm, skip: str, pid: int | None = None) -> None:
    """Goto `skip` unless the process is this one; keeps r6 on."""
    asm.call("get_current_pid_tgid")
    asm.alu_imm(I.RSH, I.R0, 32)
    asm.jump_imm(I.JNE, I.R0, os.getpid() if pid is None else pid, skip)


def counting(asm: Asm) -> None:
    """Counts runs of this process."""
    only_own(asm, "out")
    count_into(asm)
    asm.label("out")
    asm.ret(0)


def sys_enter(asm: Asm, body: Callable[[Asm], None], number: int = GETPPID) -> None:
    """For sys_enter, raw or typed: runs `body` when this process calls `number`; r6 is the context."""
    asm.mov(I.R6, I.R1)
    asm.ldx(8, I.R1, I.R6, 8)
    asm.jump_imm(I.JNE, I.R1, number, "out")
    only_own(asm, "out")
    body(asm)
    asm.label("out")
    asm.ret(0)


def getppid(times: int) -> None:
    for _ in range(times):
        libc.getppid()


def read_count(array: object) -> int:
    value = array.lookup(bytes(4))  # type: ignore[attr-defined]
    assert value is not None
    return int.from_bytes(value[:8], "little")


_types: list[rawbtf.Types] = []


def btf_id(kind: int, name: str) -> int:
    if not _types:
        _types.append(rawbtf.Types())
    return rawbtf.type_id(_types[0], kind, name)


def struct_offsets(name: str) -> dict[str, int]:
    if not _types:
        _types.append(rawbtf.Types())
    return rawbtf.read_offsets(_types[0], name)


TYPEDEF, FUNC = 8, 12


def load_tp_btf(insns: bytes, tracepoint: str) -> int:
    return prog.load_program(
        abi.BPF_PROG_TYPE_TRACING,
        insns,
        expected_attach_type=abi.BPF_TRACE_RAW_TP,
        attach_btf_id=btf_id(TYPEDEF, "btf_trace_" + tracepoint),
        name="tp_" + tracepoint,
    )


def own_objects() -> tuple[int, int]:
    """How many descriptors of programs and links this process has."""
    found = [0, 0]
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue
        if target.startswith("anon_inode:bpf"):
            found[0] += 1
        elif target.startswith("anon_inode:[perf_event]"):
            found[1] += 1
    return found[0], found[1]


@contextmanager
def nothing_left(names: tuple[str, ...]) -> Iterator[None]:
    """No program by one of these names is loaded before or after, and no descriptor stays open."""
    before = own_objects()
    yield
    assert own_objects() == before
    import time

    for _ in range(50):  # the kernel frees programs after a grace period
        left = loaded(names)
        if not left:
            return
        time.sleep(0.02)
    raise AssertionError(f"left behind: {left}")


def loaded(names: tuple[str, ...]) -> list[str]:
    found = []
    for one in objects.prog_ids():
        try:
            fd = objects.prog_fd(one)
        except OSError:
            continue
        name = objects.ProgInfo(fd).name
        os.close(fd)
        if name in names:
            found.append(name)
    return found
