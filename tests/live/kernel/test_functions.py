"""Kernel functions by trampoline and kprobe, where the kernel can: otherwise skipped, with its reason."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator

import pytest
from kernel_kit import (
    FUNC,
    assemble,
    btf_id,
    count_into,
    counting,
    getppid,
    libc,
    need_root,
    nothing_left,
    only_own,
    read_count,
)

from pystap.bpf import consts_gen as abi
from pystap.bpf import insn as I
from pystap.bpf.asm import Asm
from pystap.btf import Btf
from pystap.kernel import prog, symbols, target
from pystap.kernel.attach import kprobe, tracing
from pystap.kernel.features import Features
from pystap.kernel.maps import Map, create_map

pytestmark = need_root

PREFIX = {"x86_64": "__x64_sys_", "aarch64": "__arm64_sys_"}[platform.machine()]
GETPPID, GETUID = PREFIX + "getppid", PREFIX + "getuid"
RETURN_VALUE = {"x86_64": 80, "aarch64": 0}[platform.machine()]  # in pt_regs


def need(feature: str) -> None:
    works, reason = Features(Btf(target.vmlinux_btf())).has(feature)
    if not works:
        pytest.skip(reason)


@pytest.fixture
def count() -> Iterator[Map]:
    with nothing_left(("kit_function",)):
        array = create_map(abi.BPF_MAP_TYPE_ARRAY, 4, 16, 1, name="count")
        yield array
        array.close()


def load(
    write: Callable[[Asm], None], count: Map, kind: int = abi.BPF_PROG_TYPE_KPROBE, **options: int
) -> int:
    return prog.load_program(kind, assemble(write, {"count": count.fd}), name="kit_function", **options)


def typed(name: str) -> int:
    """The number of a function's type, which some kernels leave out for system calls."""
    try:
        return btf_id(FUNC, name)
    except KeyError:
        pytest.skip(f"{name}: this kernel's BTF has no such function")


def keep_result(offset: int) -> Callable[[Asm], None]:
    """Counts, and keeps the word at an offset of the context (in the second word)."""

    def write(asm: Asm) -> None:
        asm.mov(I.R6, I.R1)
        counting_part(asm)
        asm.ldx(8, I.R2, I.R6, offset)
        asm.ld_map_value(I.R1, "count", 8)
        asm.stx(8, I.R1, 0, I.R2)
        asm.label("out")
        asm.ret(0)

    return write


def counting_part(asm: Asm) -> None:
    only_own(asm, "out")
    count_into(asm)


def second_word(count: Map) -> int:
    raw = count.lookup(bytes(4))
    assert raw is not None
    return int.from_bytes(raw[8:], "little")


def test_fentry(count: Map) -> None:
    need("fentry")
    fd = load(
        *(counting, count, abi.BPF_PROG_TYPE_TRACING),
        expected_attach_type=abi.BPF_TRACE_FENTRY,
        attach_btf_id=typed(GETPPID),
    )
    attached = tracing.attach_tracing(fd, GETPPID)
    getppid(1000)
    attached.close()
    getppid(10)
    assert read_count(count) == 1000
    os.close(fd)


def test_fexit_has_the_return_value(count: Map) -> None:
    need("fexit")
    fd = load(
        *(keep_result(8), count, abi.BPF_PROG_TYPE_TRACING),  # one argument, then the result
        expected_attach_type=abi.BPF_TRACE_FEXIT,
        attach_btf_id=typed(GETPPID),
    )
    attached = tracing.attach_tracing(fd, GETPPID, attach_type=abi.BPF_TRACE_FEXIT)
    getppid(1000)
    attached.close()
    assert read_count(count) == 1000
    assert second_word(count) == os.getppid()
    os.close(fd)


def test_fentry_cookie(count: Map) -> None:
    need("fentry")

    def write(asm: Asm) -> None:
        asm.call("get_attach_cookie")
        asm.mov(I.R6, I.R0)
        counting_part(asm)
        asm.ld_map_value(I.R1, "count", 8)
        asm.stx(8, I.R1, 0, I.R6)
        asm.label("out")
        asm.ret(0)

    fd = load(
        *(write, count, abi.BPF_PROG_TYPE_TRACING),
        expected_attach_type=abi.BPF_TRACE_FENTRY,
        attach_btf_id=typed(GETPPID),
    )
    attached = tracing.attach_tracing(fd, GETPPID, cookie=4711)
    getppid(3)
    attached.close()
    assert (read_count(count), second_word(count)) == (3, 4711)
    os.close(fd)


@pytest.mark.parametrize("way", ["name", "address", "offset"])
def test_kprobe(count: Map, way: str) -> None:
    need("kprobe")
    fd = load(counting, count)
    address = symbols.kallsyms().address(GETPPID)
    assert address
    if way == "name":
        attached = kprobe.attach_kprobe(fd, GETPPID)
    elif way == "address":
        attached = kprobe.attach_kprobe(fd, addr=address)
    else:
        attached = kprobe.attach_kprobe(fd, GETPPID, offset=0)
    getppid(1000)
    attached.close()
    getppid(10)
    assert read_count(count) == 1000
    os.close(fd)


def test_kretprobe_has_the_return_value(count: Map) -> None:
    need("kretprobe")
    fd = load(keep_result(RETURN_VALUE), count)
    attached = kprobe.attach_kprobe(fd, GETPPID, ret=True)
    getppid(1000)
    attached.close()
    assert read_count(count) == 1000
    assert second_word(count) == os.getppid()
    os.close(fd)


@pytest.mark.parametrize("ret", [False, True])
@pytest.mark.parametrize("by", ["names", "addresses"])
def test_kprobe_multi(count: Map, ret: bool, by: str) -> None:
    need("kprobe_multi")
    fd = load(counting, count, expected_attach_type=abi.BPF_TRACE_KPROBE_MULTI)
    names = [GETPPID, GETUID]
    if by == "names":
        attached = kprobe.attach_kprobe_multi(fd, names, ret=ret)
    else:
        table = symbols.kallsyms()
        attached = kprobe.attach_kprobe_multi(fd, addrs=[table.address(one) or 0 for one in names], ret=ret)
    getppid(1000)
    for _ in range(50):
        libc.getuid()
    attached.close()
    getppid(10)
    assert read_count(count) == 1050
    os.close(fd)


def test_kprobe_multi_cookies_tell_the_functions_apart(count: Map) -> None:
    need("kprobe_multi")

    def write(asm: Asm) -> None:
        asm.mov(I.R6, I.R1)
        asm.call("get_current_pid_tgid")
        asm.alu_imm(I.RSH, I.R0, 32)
        asm.jump_imm(I.JNE, I.R0, os.getpid(), "out")
        asm.mov(I.R1, I.R6)
        asm.call("get_attach_cookie")
        asm.ld_map_value(I.R1, "count")
        asm.atomic(I.A_ADD, 8, I.R1, 0, I.R0)
        asm.label("out")
        asm.ret(0)

    fd = load(write, count, expected_attach_type=abi.BPF_TRACE_KPROBE_MULTI)
    attached = kprobe.attach_kprobe_multi(fd, [GETUID, GETPPID], cookies=[1000, 1])
    getppid(7)
    for _ in range(5):
        libc.getuid()
    attached.close()
    assert read_count(count) == 5007
    os.close(fd)
