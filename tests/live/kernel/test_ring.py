"""Rings that programs write."""

from __future__ import annotations

import os
import select
import struct
import threading

from kernel_kit import assemble, getppid, need_root, nothing_left, only_own, sys_enter

from pystap.bpf import consts_gen as abi
from pystap.bpf import insn as I
from pystap.bpf.asm import Asm
from pystap.kernel import prog
from pystap.kernel.attach.raw_tracepoint import attach_raw_tracepoint
from pystap.kernel.cpus import online_cpus, possible_cpus
from pystap.kernel.maps import create_map
from pystap.kernel.ring import RingMap

pytestmark = need_root


def take_number(asm: Asm) -> None:
    """r8 = the next number of the array `count`."""
    asm.ld_map_value(I.R1, "count")
    asm.mov_imm(I.R8, 1)
    asm.atomic(I.A_ADD, 8, I.R1, 0, I.R8, fetch=True)


def numbered(asm: Asm) -> None:
    """A record of 24 bytes: number, tag, zeros; every 5th is discarded; without room `count`+8 grows."""
    asm.ld_map(I.R1, "ring")
    asm.mov_imm(I.R2, 24)
    asm.mov_imm(I.R3, 0)
    asm.call("ringbuf_reserve")
    asm.jump_imm(I.JEQ, I.R0, 0, "full")
    asm.mov(I.R7, I.R0)
    take_number(asm)
    asm.stx(8, I.R7, 0, I.R8)
    asm.st_imm(8, I.R7, 8, 77)
    asm.st_imm(8, I.R7, 16, 0)
    asm.mov(I.R1, I.R7)
    asm.mov_imm(I.R2, 0)
    asm.mov(I.R9, I.R8)
    asm.alu_imm(I.MOD, I.R9, 5)
    asm.jump_imm(I.JEQ, I.R9, 4, "drop")
    asm.call("ringbuf_submit")
    asm.goto("out")
    asm.label("drop")
    asm.call("ringbuf_discard")
    asm.goto("out")
    asm.label("full")
    asm.ld_map_value(I.R1, "count", 8)
    asm.mov_imm(I.R2, 1)
    asm.atomic(I.A_ADD, 8, I.R1, 0, I.R2)


def test_ten_thousand_records_in_order() -> None:
    with nothing_left(("kit_ring",)):
        ring = RingMap(1 << 20)
        count = create_map(abi.BPF_MAP_TYPE_ARRAY, 4, 16, 1)
        code = assemble(lambda a: sys_enter(a, numbered), {"count": count.fd, "ring": ring.map.fd})
        fd = prog.load_program(abi.BPF_PROG_TYPE_RAW_TRACEPOINT, code, name="kit_ring")
        attached = attach_raw_tracepoint(fd, "sys_enter")
        getppid(10_000)
        attached.close()
        assert ring.ring.snapshot() == 10_000 * 32
        got = [
            (seq, tag, discarded)
            for view, _, _, _, discarded in ring.ring.runs(8)
            for seq, tag in struct.iter_unpack("<8xQQ8x", view)
        ]
        assert got == [(i, 77, i % 5 == 4) for i in range(10_000)]
        ring.ring.advance()
        assert ring.ring.pending() == 0
        ring.close()
        count.close()
        os.close(fd)


def test_full_ring_refuses_and_goes_on_after_advance() -> None:
    ring = RingMap(4096)
    count = create_map(abi.BPF_MAP_TYPE_ARRAY, 4, 16, 1)
    code = assemble(lambda a: sys_enter(a, numbered), {"count": count.fd, "ring": ring.map.fd})
    fd = prog.load_program(abi.BPF_PROG_TYPE_RAW_TRACEPOINT, code)
    attached = attach_raw_tracepoint(fd, "sys_enter")
    seen = []
    for _ in range(20):  # five times around
        getppid(40)
        ring.ring.snapshot()
        seen.extend(int.from_bytes(view[:8], "little") for view, _ in ring.ring.records())
        ring.ring.advance()
    assert seen == list(range(800))
    getppid(200)
    attached.close()
    ring.ring.snapshot()
    room = len(list(ring.ring.records()))
    raw = count.lookup(bytes(4))
    assert raw is not None
    taken, refused = struct.unpack("<QQ", raw)
    assert (taken, room + refused) == (800 + room, 200)
    assert 0 < room <= 4096 // 32
    ring.close()
    count.close()
    os.close(fd)


def test_a_ring_for_each_cpu_and_one_epoll() -> None:
    """The program finds its CPU's ring in an array of maps; the sum over rings is exact."""
    rings = [RingMap(1 << 16) for _ in possible_cpus()]
    outer = create_map(
        abi.BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, len(rings), name="rings", inner_fd=rings[0].map.fd
    )
    for cpu, ring in enumerate(rings):
        outer.update(cpu.to_bytes(4, "little"), ring.map.fd.to_bytes(4, "little"))
    count = create_map(abi.BPF_MAP_TYPE_ARRAY, 4, 16, 1)

    def write(asm: Asm) -> None:
        asm.call("get_smp_processor_id")
        asm.stx(4, I.R10, -4, I.R0)
        asm.mov(I.R9, I.R0)
        asm.ld_map(I.R1, "outer")
        asm.mov(I.R2, I.R10)
        asm.add_imm(I.R2, -4)
        asm.call("map_lookup_elem")
        asm.jump_imm(I.JEQ, I.R0, 0, "out")
        asm.mov(I.R7, I.R0)
        take_number(asm)
        asm.stx(8, I.R10, -24, I.R8)
        asm.stx(8, I.R10, -16, I.R9)
        asm.mov(I.R1, I.R7)
        asm.mov(I.R2, I.R10)
        asm.add_imm(I.R2, -24)
        asm.mov_imm(I.R3, 16)
        asm.mov_imm(I.R4, 0)
        asm.call("ringbuf_output")

    code = assemble(lambda a: sys_enter(a, write), {"count": count.fd, "outer": outer.fd})
    fd = prog.load_program(abi.BPF_PROG_TYPE_RAW_TRACEPOINT, code)
    poller = select.epoll()
    for ring in rings:
        poller.register(ring.ring.fd, select.EPOLLIN)
    assert poller.poll(0) == []
    attached = attach_raw_tracepoint(fd, "sys_enter")

    def work(cpu: int) -> None:
        os.sched_setaffinity(0, {cpu})
        getppid(500)

    threads = [threading.Thread(target=work, args=(cpu,)) for cpu in online_cpus()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    attached.close()
    ready = [fd for fd, _ in poller.poll(1)]
    assert sorted(ready) == sorted(rings[cpu].map.fd for cpu in online_cpus())
    numbers = []
    for cpu, ring in enumerate(rings):
        ring.ring.snapshot()
        for view, discarded in ring.ring.records():
            number, where = struct.unpack("<QQ", view)
            assert where == cpu and not discarded
            numbers.append(number)
        ring.ring.advance()
    assert sorted(numbers) == list(range(500 * len(online_cpus())))
    assert poller.poll(0) == []
    poller.close()
    for ring in rings:
        ring.close()
    outer.close()
    count.close()
    os.close(fd)


def test_only_own_filters() -> None:
    """The filter of these tests itself: another process's calls don't count."""
    count = create_map(abi.BPF_MAP_TYPE_ARRAY, 4, 16, 1)

    def write(asm: Asm) -> None:
        only_own(asm, "out", pid=1)
        take_number(asm)
        asm.label("out")
        asm.ret(0)

    fd = prog.load_program(abi.BPF_PROG_TYPE_RAW_TRACEPOINT, assemble(write, {"count": count.fd}))
    prog.test_run(fd)
    assert count.lookup(bytes(4)) == bytes(16)
    os.close(fd)
    count.close()
