"""Programs and maps on the live kernel."""

from __future__ import annotations

import os
import struct
import threading
import time

import pytest
from kernel_kit import (
    TYPEDEF,
    assemble,
    btf_id,
    count_into,
    getppid,
    need_root,
    nothing_left,
    read_count,
    struct_offsets,
    sys_enter,
)

from pystap.bpf import consts_gen as abi
from pystap.bpf import insn as I
from pystap.bpf.asm import Asm
from pystap.bpf.btfinfo import ProgramBtf
from pystap.bpf.object import link
from pystap.kernel import objects, prog
from pystap.kernel.attach.raw_tracepoint import attach_raw_tracepoint
from pystap.kernel.cpus import online_cpus, parse_cpu_list, possible_cpus
from pystap.kernel.maps import Map, create_map
from pystap.kernel.quiesce import wait_for_programs
from pystap.kernel.sys import KernelError

pytestmark = need_root


def key(number: int) -> bytes:
    return number.to_bytes(4, "little")


def value(number: int) -> bytes:
    return number.to_bytes(8, "little")


# what kernels before 6.6 don't have yet
NEWER = ("link_create.uprobe_multi.pid", "link_create.netfilter.flags")


def test_attribute_layouts_are_the_kernels() -> None:
    """Every struct format that packs attributes, against the offsets in BTF."""
    at = struct_offsets("bpf_attr")
    assert at["log_level"] == prog._LOG_AT
    for field, offset in (
        ("prog_flags", struct.calcsize("<IIQQIIQI")),
        ("prog_name", struct.calcsize("<IIQQIIQII")),
        ("expected_attach_type", struct.calcsize("<IIQQIIQII16sI")),
        ("func_info", struct.calcsize("<IIQQIIQII16sIIII")),
        ("line_info", struct.calcsize("<IIQQIIQII16sIIIIQII")),
        ("attach_btf_id", struct.calcsize("<IIQQIIQII16sIIIIQIIQI")),
        ("fd_array", struct.calcsize("<IIQQIIQII16sIIIIQIIQIIII")),
        ("map_name", struct.calcsize("<IIIIIII")),
        ("btf_fd", struct.calcsize("<IIIIIII16sI")),
        ("map_extra", struct.calcsize("<IIIIIII16sIIIII")),
        ("batch.count", 32),
        ("batch.map_fd", 36),
        ("test.ctx_in", 48),
        ("test.cpu", 68),
        ("link_create.kprobe_multi.syms", 24),
        ("link_create.tracing.cookie", 24),
        ("link_create.uprobe_multi.pid", 56),
        ("link_create.netfilter.flags", 28),
    ):
        assert at.get(field, offset if field in NEWER else None) == offset, field
    info = struct_offsets("bpf_prog_info")
    assert (info["xlated_prog_len"], info["name"], info["run_time_ns"]) == (20, 64, 192)
    perf = struct_offsets("perf_event_attr")
    assert (perf["config1"], perf["config2"], perf["sample_type"]) == (56, 64, 24)


def test_raw_tracepoint_counts_exactly() -> None:
    with nothing_left(("kit_count",)):
        count = create_map(abi.BPF_MAP_TYPE_ARRAY, 4, 8, 1, name="count")
        code = assemble(lambda a: sys_enter(a, count_into), {"count": count.fd})
        fd = prog.load_program(abi.BPF_PROG_TYPE_RAW_TRACEPOINT, code, name="kit_count")
        attached = attach_raw_tracepoint(fd, "sys_enter")
        getppid(1000)
        attached.close()
        attached.close()
        getppid(10)
        assert read_count(count) == 1000
        os.close(fd)
        count.close()


def test_program_statistics() -> None:
    count = create_map(abi.BPF_MAP_TYPE_ARRAY, 4, 8, 1)
    code = assemble(lambda a: sys_enter(a, count_into), {"count": count.fd})
    fd = prog.load_program(abi.BPF_PROG_TYPE_RAW_TRACEPOINT, code, name="kit_stats")
    stats = objects.enable_stats()
    attached = attach_raw_tracepoint(fd, "sys_enter")
    getppid(500)
    attached.close()
    info = objects.ProgInfo(fd)
    assert info.name == "kit_stats"
    assert info.id in objects.prog_ids()
    assert info.insns > 0
    assert info.run_cnt >= 500
    assert info.run_time_ns > info.run_cnt
    for one in (stats, fd):
        os.close(one)
    count.close()


def test_verifier_error_has_the_log() -> None:
    def bad(asm: Asm) -> None:
        asm.ldx(8, I.R0, I.R5, 0)
        asm.exit()

    with pytest.raises(prog.VerifierError) as caught:
        prog.load_program(abi.BPF_PROG_TYPE_RAW_TRACEPOINT, assemble(bad), name="bad")
    assert "R5 !read_ok" in caught.value.log
    assert "loading program bad" in str(caught.value)
    with pytest.raises(KernelError) as plain:
        prog.load_program(abi.BPF_PROG_TYPE_RAW_TRACEPOINT, assemble(bad), log=False)
    assert not isinstance(plain.value, prog.VerifierError)


def test_long_verifier_log_grows() -> None:
    def long(asm: Asm) -> None:
        for i in range(8000):
            asm.mov_imm(I.R3, i)
        asm.mov(I.R0, I.R5)
        asm.exit()

    with pytest.raises(prog.VerifierError) as caught:
        prog.load_program(abi.BPF_PROG_TYPE_RAW_TRACEPOINT, assemble(long), log_level=2)
    assert "R5 !read_ok" in caught.value.log
    assert len(caught.value.log) > prog._LOG_FIRST


def test_log_of_a_good_program() -> None:
    logs: list[str] = []
    fd = prog.load_program(
        abi.BPF_PROG_TYPE_RAW_TRACEPOINT, assemble(lambda a: a.ret(0)), log_level=4, log_to=logs
    )
    os.close(fd)
    assert "processed 2 insns" in logs[0]


def test_refused_without_a_word_is_a_kernel_error() -> None:
    with pytest.raises(KernelError) as caught:
        prog.load_program(9999, assemble(lambda a: a.ret(0)))
    assert not isinstance(caught.value, prog.VerifierError)


def test_run_raw_tracepoint_on_a_cpu() -> None:
    def write(asm: Asm) -> None:
        asm.ldx(8, I.R6, I.R1, 0)
        asm.call("get_smp_processor_id")
        asm.add(I.R0, I.R6)
        asm.exit()

    fd = prog.load_program(abi.BPF_PROG_TYPE_RAW_TRACEPOINT, assemble(write))
    for cpu in online_cpus():
        assert prog.test_run(fd, struct.pack("<Q", 1000), cpu=cpu)[0] == 1000 + cpu
    os.close(fd)


def test_run_syscall_program_changes_its_context() -> None:
    def write(asm: Asm) -> None:
        asm.mov(I.R6, I.R1)
        asm.ldx(8, I.R1, I.R6, 0)
        asm.alu_imm(I.MUL, I.R1, 3)
        asm.stx(8, I.R6, 8, I.R1)
        asm.call("get_current_pid_tgid")
        asm.stx(8, I.R6, 16, I.R0)
        asm.ret(7)

    fd = prog.load_program(abi.BPF_PROG_TYPE_SYSCALL, assemble(write), flags=prog.F_SLEEPABLE)
    result, ctx = prog.test_run(fd, struct.pack("<QQQ", 14, 0, 0))
    os.close(fd)
    assert result == 7
    assert struct.unpack("<QQQ", ctx)[1] == 42
    assert struct.unpack("<QQQ", ctx)[2] >> 32 == os.getpid()


def test_btf_refused() -> None:
    with pytest.raises(prog.VerifierError):
        prog.load_btf(b"\x9f\xeb\x01\x00" + bytes(20))


def test_array() -> None:
    array = create_map(abi.BPF_MAP_TYPE_ARRAY, 4, 8, 4, name="an array!")
    array.update(key(2), value(7))
    assert array.lookup(key(2)) == value(7)
    assert array.lookup(key(4)) is None
    assert list(array.keys()) == [key(i) for i in range(4)]
    assert dict(array.items()) == {key(0): value(0), key(1): value(0), key(2): value(7), key(3): value(0)}
    with pytest.raises(ValueError):
        array.update(key(1), b"short")
    with pytest.raises(ValueError):
        array.lookup(b"k")
    with pytest.raises(KernelError):
        array.update(key(1), value(1), abi.BPF_NOEXIST)
    array.clear()
    assert array.lookup(key(2)) == value(0)
    array.close()
    array.close()


@pytest.mark.parametrize("flags", [0, abi.BPF_F_NO_PREALLOC])
def test_hash_batches(flags: int) -> None:
    table = create_map(abi.BPF_MAP_TYPE_HASH, 4, 8, 200_000, flags)
    wanted = {key(i): value(i * i) for i in range(150_000)}
    table.update_batch(b"".join(wanted), b"".join(wanted.values()))
    assert dict(table.items()) == wanted
    chunks = list(table.batches())
    assert sum(count for _, _, count in chunks) == 150_000
    assert table.lookup(key(3)) == value(9)
    assert table.delete(key(3)) and not table.delete(key(3))
    assert table.lookup(key(3)) is None
    with pytest.raises(KernelError):
        table.update(key(5), value(1), abi.BPF_NOEXIST)
    taken = dict(table.items(delete=True))
    assert len(taken) == 149_999
    assert table.next_key(None) is None
    table.update(key(1), value(1))
    table.clear()
    assert list(table.items()) == []
    table.close()


def test_batch_room_grows_for_full_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    from pystap.kernel import maps

    monkeypatch.setattr(maps, "_BATCH_BYTES", 12)  # room for one element: buckets of two don't fit
    table = create_map(abi.BPF_MAP_TYPE_HASH, 4, 8, 64)
    for i in range(64):
        table.update(key(i), value(i))
    assert dict(table.items()) == {key(i): value(i) for i in range(64)}
    table.close()


def test_map_without_batches_falls_back() -> None:
    trie = create_map(abi.BPF_MAP_TYPE_STACK_TRACE, 4, 8 * 8, 16)
    assert list(trie.items()) == []
    outer_in = create_map(abi.BPF_MAP_TYPE_ARRAY, 4, 8, 1)
    outer = create_map(abi.BPF_MAP_TYPE_HASH_OF_MAPS, 4, 4, 8, inner_fd=outer_in.fd)
    outer.update(key(5), key(outer_in.fd))
    assert [k for k, _ in outer.items()] == [key(5)]
    outer.clear()
    assert list(outer.keys()) == []
    for one in (trie, outer, outer_in):
        one.close()


def test_single_element_fallback_agrees() -> None:
    table = create_map(abi.BPF_MAP_TYPE_HASH, 4, 8, 64)
    for i in range(64):
        table.update(key(i), value(i))
    one_by_one = {bytes(k): bytes(v) for k, v, _ in table._single_batches(delete=True)}
    assert one_by_one == {key(i): value(i) for i in range(64)}
    assert table.next_key(None) is None
    table.close()


@pytest.mark.parametrize("kind", [abi.BPF_MAP_TYPE_PERCPU_ARRAY, abi.BPF_MAP_TYPE_PERCPU_HASH])
def test_percpu(kind: int) -> None:
    cpus = len(possible_cpus())
    percpu = create_map(kind, 4, 12, 8)
    assert percpu.stride == 16
    assert percpu.slot_size == 16 * cpus
    values = [bytes([i + 1]) * 12 for i in range(cpus)]
    percpu.update_cpus(key(3), values)
    raw = percpu.lookup(key(3))
    assert raw is not None and percpu.cpu_values(raw) == values
    percpu.fill(key(4), b"x" * 12)
    found = {k: percpu.cpu_values(v) for k, v in percpu.items() if any(v)}
    assert found == {key(3): values, key(4): [b"x" * 12] * cpus}
    percpu.clear()
    assert not any(any(v) for _, v in percpu.items())
    percpu.close()


def test_percpu_counts_where_programs_ran() -> None:
    percpu = create_map(abi.BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 1)

    def write(asm: Asm) -> None:
        asm.st_imm(4, I.R10, -4, 0)
        asm.ld_map(I.R1, "cells")
        asm.mov(I.R2, I.R10)
        asm.add_imm(I.R2, -4)
        asm.call("map_lookup_elem")
        asm.jump_imm(I.JEQ, I.R0, 0, "out")
        asm.ldx(8, I.R1, I.R0, 0)
        asm.add_imm(I.R1, 1)
        asm.stx(8, I.R0, 0, I.R1)
        asm.label("out")
        asm.ret(0)

    fd = prog.load_program(abi.BPF_PROG_TYPE_RAW_TRACEPOINT, assemble(write, {"cells": percpu.fd}))
    for cpu in online_cpus():
        for _ in range(cpu + 3):
            prog.test_run(fd, cpu=cpu)
    raw = percpu.lookup(key(0))
    assert raw is not None
    counts = [int.from_bytes(one, "little") for one in percpu.cpu_values(raw)]
    online = online_cpus()
    assert counts == [cpu + 3 if cpu in online else 0 for cpu in possible_cpus()]
    os.close(fd)
    percpu.close()


def test_mmap_and_freeze() -> None:
    array = create_map(abi.BPF_MAP_TYPE_ARRAY, 4, 4096 + 8, 1, abi.BPF_F_MMAPABLE)
    memory = array.mmap()
    memory[4096:4104] = b"12345678"
    found = array.lookup(key(0))
    assert found is not None and found[4096:] == b"12345678"
    array.update(key(0), b"z" * 4104)
    assert memory[:3] == b"zzz"
    memory.close()
    rodata = create_map(abi.BPF_MAP_TYPE_ARRAY, 4, 8, 1, abi.BPF_F_RDONLY_PROG)
    rodata.update(key(0), value(5))
    rodata.freeze()
    with pytest.raises(KernelError):
        rodata.update(key(0), value(6))
    array.close()
    rodata.close()


def test_error_names_what_was_tried() -> None:
    with pytest.raises(KernelError) as caught:
        create_map(abi.BPF_MAP_TYPE_HASH, 0, 8, 1, name="nothing")
    assert "making map nothing" in str(caught.value)
    assert "EINVAL" in str(caught.value)


def test_cpu_lists() -> None:
    assert parse_cpu_list("0-2,5,8-9\n") == (0, 1, 2, 5, 8, 9)
    assert parse_cpu_list("0\n") == (0,)
    assert parse_cpu_list("\n") == ()
    assert set(online_cpus()) <= set(possible_cpus())


def slow_program(room: Map) -> int:
    """Started (word 0) = 1, then a long way through callbacks, then done (word 1) = 1."""
    asm = Asm()
    asm.ld_map_value(I.R1, "room")
    asm.st_imm(8, I.R1, 0, 1)
    asm.mov_imm(I.R1, 1 << 22)
    asm.ld_func(I.R2, "body")
    asm.mov_imm(I.R3, 0)
    asm.mov_imm(I.R4, 0)
    asm.call("loop")
    asm.ld_map_value(I.R1, "room")
    asm.st_imm(8, I.R1, 8, 1)
    asm.ret(0)
    asm.func("body")
    for _ in range(4):
        asm.call("get_current_pid_tgid")
    asm.ret(0)
    code = asm.build()
    types = ProgramBtf()
    body = (code.funcs[1][1], types.add_func("body", 2))
    info = types.func_info([(0, types.add_main("main")), body])
    btf = prog.load_btf(types.to_bytes())
    insns = I.encode(link(code, {"room": room.fd}))
    fd = prog.load_program(abi.BPF_PROG_TYPE_RAW_TRACEPOINT, insns, btf_fd=btf, func_info=info)
    os.close(btf)
    return fd


def seen_running(fd: int, words: memoryview) -> threading.Thread:
    """Run the slow program until it is seen between its two marks, which a busy machine may miss; return its thread."""
    for _ in range(100):
        words[0] = words[1] = 0
        runner = threading.Thread(target=prog.test_run, args=(fd,))
        runner.start()
        while not words[0]:
            time.sleep(0.0005)
        if not words[1]:
            return runner
        runner.join()
    pytest.fail("the program isn't slow enough to test anything")


def test_wait_for_programs_waits_for_a_running_one() -> None:
    room = create_map(abi.BPF_MAP_TYPE_ARRAY, 4, 16, 1, abi.BPF_F_MMAPABLE)
    memory = room.mmap()
    words = memoryview(memory)[:16].cast("Q")
    fd = slow_program(room)
    wait_for_programs()  # its maps are made
    runner = seen_running(fd, words)
    wait_for_programs()
    assert words[1] == 1
    runner.join()
    words.release()
    memory.close()
    os.close(fd)
    room.close()


def test_btf_ids_of_the_reader() -> None:
    assert btf_id(TYPEDEF, "btf_trace_sys_enter") > 0
