"""Each way to attach that any kernel with BTF and root has, with exact counts."""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kernel_kit import (
    FUNC,
    GETPPID,
    SYSCALL_ID_IN_REGS,
    assemble,
    btf_id,
    count_into,
    counting,
    getppid,
    load_tp_btf,
    need_root,
    nothing_left,
    only_own,
    read_count,
    struct_offsets,
    sys_enter,
)

from pystap.bpf import consts_gen as abi
from pystap.bpf import insn as I
from pystap.bpf.asm import Asm
from pystap.kernel import prog
from pystap.kernel.attach import iter as iterators
from pystap.kernel.attach import netfilter, perf, tracepoint_perf, uprobe
from pystap.kernel.attach.raw_tracepoint import attach_raw_tracepoint
from pystap.kernel.attach.tracepoint_btf import attach_tracepoint_btf
from pystap.kernel.maps import Map, create_map
from pystap.kernel.sys import KernelError

pytestmark = need_root


@pytest.fixture
def count() -> Iterator[Map]:
    with nothing_left(("kit_attach",)):
        array = create_map(abi.BPF_MAP_TYPE_ARRAY, 4, 16, 1, name="count")
        yield array
        array.close()


def load(kind: int, write: Callable[[Asm], None], count: Map, **options: int) -> int:
    return prog.load_program(kind, assemble(write, {"count": count.fd}), name="kit_attach", **options)


def test_tracepoint_btf(count: Map) -> None:
    def count_one(asm: Asm) -> None:
        count_into(asm)
        asm.ldx(8, I.R1, I.R6, 0)  # the typed argument is read directly
        asm.ldx(8, I.R2, I.R1, SYSCALL_ID_IN_REGS)
        asm.ld_map_value(I.R1, "count", 8)
        asm.stx(8, I.R1, 0, I.R2)

    code = assemble(lambda a: sys_enter(a, count_one), {"count": count.fd})
    fd = load_tp_btf(code, "sys_enter")
    attached = attach_tracepoint_btf(fd, "sys_enter")
    getppid(1000)
    attached.close()
    getppid(10)
    assert read_count(count) == 1000
    if SYSCALL_ID_IN_REGS:
        raw = count.lookup(bytes(4))
        assert raw is not None
        assert int.from_bytes(raw[8:], "little") == GETPPID
    os.close(fd)


def test_attachment_survives_its_programs_descriptor(count: Map) -> None:
    fds = [load(abi.BPF_PROG_TYPE_RAW_TRACEPOINT, lambda a: sys_enter(a, count_into), count) for _ in "12"]
    first, second = [
        attach_raw_tracepoint(fd, "sys_enter") for fd in fds
    ]  # older kernels take no program twice
    for fd in fds:
        os.close(fd)
    getppid(100)
    first.close()
    getppid(10)
    second.close()
    getppid(1)
    assert read_count(count) == 210


def test_unknown_tracepoint(count: Map) -> None:
    fd = load(abi.BPF_PROG_TYPE_RAW_TRACEPOINT, lambda a: a.ret(0), count)
    with pytest.raises(KernelError) as caught:
        attach_raw_tracepoint(fd, "no_such_tracepoint")
    assert "raw tracepoint no_such_tracepoint" in str(caught.value)
    with pytest.raises(KernelError):
        tracepoint_perf.attach_tracepoint_perf(fd, "syscalls", "sys_enter_nothing")
    os.close(fd)


def test_descriptors_are_not_inherited(count: Map) -> None:
    fd = load(abi.BPF_PROG_TYPE_RAW_TRACEPOINT, lambda a: a.ret(0), count)
    attached = attach_raw_tracepoint(fd, "sys_enter")
    assert not any(os.get_inheritable(one) for one in (fd, count.fd, *attached.fds))
    attached.close()
    os.close(fd)


def test_tracepoint_perf_without_a_mounted_tracefs(count: Map, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event's number comes from a mount of our own, and the machine's mounts stay as they were."""
    with open("/proc/self/mounts", encoding="utf-8") as file:
        mounts = file.read()
    monkeypatch.setattr(tracepoint_perf, "_MOUNTS", ())
    monkeypatch.setattr(tracepoint_perf, "_tracefs", -1)
    fd = load(abi.BPF_PROG_TYPE_TRACEPOINT, counting, count)
    attached = tracepoint_perf.attach_tracepoint_perf(fd, "syscalls", "sys_enter_getppid")
    getppid(1000)
    attached.close()
    getppid(10)
    assert read_count(count) == 1000
    os.close(fd)
    with open("/proc/self/mounts", encoding="utf-8") as file:
        assert file.read() == mounts
    assert "sys_enter_getppid" in tracepoint_perf.list_tracefs("events/syscalls")
    assert "field:" in tracepoint_perf.read_tracefs("events/syscalls/sys_enter_getppid/format")
    os.close(tracepoint_perf.tracefs_fd())


def test_perf_clock_on_all_cpus(count: Map) -> None:
    fd = load(abi.BPF_PROG_TYPE_PERF_EVENT, counting, count)
    attached = perf.attach_perf(fd, abi.PERF_TYPE_SOFTWARE, abi.PERF_COUNT_SW_CPU_CLOCK, frequency=997)
    deadline = time.monotonic() + 20
    while read_count(count) < 20 and time.monotonic() < deadline:
        pass  # this process is what the clock samples
    attached.close()
    assert read_count(count) >= 20
    os.close(fd)


def test_perf_of_one_task_counts_every_event(count: Map) -> None:
    """Page faults with period 1: at least one for each fresh page, no more than the task's own count."""
    fd = load(abi.BPF_PROG_TYPE_PERF_EVENT, counting, count)
    memory = mmap.mmap(-1, 1000 * mmap.PAGESIZE)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    attached = perf.attach_perf(
        fd, abi.PERF_TYPE_SOFTWARE, abi.PERF_COUNT_SW_PAGE_FAULTS, period=1, pid=os.getpid()
    )
    for page in range(1000):
        memory[page * mmap.PAGESIZE] = 1
    attached.close()
    after = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    assert 1000 <= read_count(count) <= after - before
    os.close(fd)


def test_perf_refusal_leaves_nothing_open(count: Map) -> None:
    wrong = load(abi.BPF_PROG_TYPE_RAW_TRACEPOINT, lambda a: a.ret(0), count)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(KernelError):
        perf.attach_perf(wrong, abi.PERF_TYPE_SOFTWARE, abi.PERF_COUNT_SW_CPU_CLOCK, frequency=99)
    with pytest.raises(KernelError):
        perf.attach_perf(wrong, 4711, 0, period=1)
    assert os.listdir("/proc/self/fd") == before
    os.close(wrong)


# -- functions of user space

libc = ctypes.CDLL(None)
libc.labs.restype = ctypes.c_long


def place_of(function: object) -> tuple[str, int]:
    """(file, offset in the file) of a C function of this process, from its address and the mappings."""
    address = ctypes.cast(function, ctypes.c_void_p).value or 0  # type: ignore[arg-type]
    with open("/proc/self/maps", encoding="utf-8") as file:
        for line in file:
            span, _, offset, _, _, *path = line.split()
            start, end = (int(part, 16) for part in span.split("-"))
            if start <= address < end:
                return path[0], address - start + int(offset, 16)
    raise AssertionError("not mapped")


def call_labs(times: int) -> None:
    for number in range(times):
        assert libc.labs(-number) == number


def return_sum(asm: Asm) -> None:
    """Counts returns, and adds up what they return (x86_64: rax)."""
    asm.mov(I.R6, I.R1)
    only_own(asm, "out")
    count_into(asm)
    asm.ldx(8, I.R2, I.R6, 80)
    asm.ld_map_value(I.R1, "count", 8)
    asm.atomic(I.A_ADD, 8, I.R1, 0, I.R2)
    asm.label("out")
    asm.ret(0)


@pytest.mark.parametrize("pid", [-1, "own"])
def test_uprobe(count: Map, pid: int | str) -> None:
    path, offset = place_of(libc.labs)
    fd = load(abi.BPF_PROG_TYPE_KPROBE, counting, count)
    attached = uprobe.attach_uprobe(fd, path, offset, pid=os.getpid() if pid == "own" else -1)
    call_labs(300)
    attached.close()
    call_labs(10)
    assert read_count(count) == 300
    os.close(fd)


def test_uretprobe_sees_return_values(count: Map) -> None:
    path, offset = place_of(libc.labs)
    fd = load(abi.BPF_PROG_TYPE_KPROBE, return_sum, count)
    attached = uprobe.attach_uprobe(fd, path, offset, ret=True)
    call_labs(300)
    attached.close()
    raw = count.lookup(bytes(4))
    assert raw is not None
    calls, total = struct.unpack("<QQ", raw)
    assert calls == 300
    if SYSCALL_ID_IN_REGS:
        assert total == sum(range(300))
    os.close(fd)


@pytest.mark.parametrize("ret", [False, True])
def test_uprobe_multi(count: Map, ret: bool) -> None:
    path, offset = place_of(libc.labs)
    other_path, other = place_of(libc.getppid)
    assert other_path == path
    fd = load(abi.BPF_PROG_TYPE_KPROBE, counting, count, expected_attach_type=abi.BPF_TRACE_UPROBE_MULTI)
    try:
        attached = uprobe.attach_uprobe_multi(fd, path, [offset, other], ret=ret)
    except KernelError as error:
        os.close(fd)
        pytest.skip(f"this kernel: {error}")
    call_labs(30)
    getppid(7)
    attached.close()
    call_labs(3)
    assert read_count(count) == 37
    os.close(fd)


def test_uprobe_cookie(count: Map) -> None:
    path, offset = place_of(libc.labs)

    def write(asm: Asm) -> None:
        asm.call("get_attach_cookie")
        asm.ld_map_value(I.R1, "count")
        asm.atomic(I.A_ADD, 8, I.R1, 0, I.R0)
        asm.ret(0)

    fd = load(abi.BPF_PROG_TYPE_KPROBE, write, count)
    attached = uprobe.attach_uprobe(fd, path, offset, pid=os.getpid(), cookie=0x1_0000_0001)
    call_labs(5)
    attached.close()
    assert read_count(count) == 5 * 0x1_0000_0001
    os.close(fd)


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc for a library with a counter")
def test_uprobe_counts_its_reference_counter(count: Map, tmp_path: Path) -> None:
    """What a USDT probe tests before it fires: the kernel keeps it above 0 while we are attached."""
    source = (
        'volatile unsigned short gate; __attribute__((noinline)) void fire(void) { __asm__ volatile(""); }'
    )
    (tmp_path / "usdt.c").write_text(source, encoding="ascii")
    library = str(tmp_path / "usdt.so")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, str(tmp_path / "usdt.c")], check=True)
    loaded = ctypes.CDLL(library)
    gate = ctypes.c_ushort.in_dll(loaded, "gate")
    gate.value = 0  # its page is now this process's own
    path, offset = place_of(loaded.fire)
    gate_path, gate_offset = place_of(ctypes.pointer(gate))
    assert path == gate_path == library
    fd = load(abi.BPF_PROG_TYPE_KPROBE, counting, count)
    attached = uprobe.attach_uprobe(fd, path, offset, ref_ctr_offset=gate_offset)
    assert gate.value == 1
    loaded.fire()
    attached.close()
    assert gate.value == 0
    assert read_count(count) == 1
    os.close(fd)


# -- iterators and netfilter


def seq_write(asm: Asm, size: int) -> None:
    """bpf_seq_write of the `size` bytes below the frame pointer; r6 is the context."""
    asm.ldx(8, I.R1, I.R6, 0)
    asm.ldx(8, I.R1, I.R1, 0)
    asm.mov(I.R2, I.R10)
    asm.add_imm(I.R2, -size)
    asm.mov_imm(I.R3, size)
    asm.call("seq_write")


def test_iterator_over_tasks(count: Map) -> None:
    task = struct_offsets("task_struct")

    def write(asm: Asm) -> None:
        asm.mov(I.R6, I.R1)
        asm.ldx(8, I.R7, I.R6, 8)
        asm.jump_imm(I.JEQ, I.R7, 0, "out")
        asm.ldx(4, I.R1, I.R7, task["tgid"])
        asm.stx(4, I.R10, -8, I.R1)
        asm.ldx(4, I.R1, I.R7, task["pid"])
        asm.stx(4, I.R10, -4, I.R1)
        seq_write(asm, 8)
        asm.label("out")
        asm.ret(0)

    target = btf_id(FUNC, "bpf_iter_task")
    options = {"expected_attach_type": abi.BPF_TRACE_ITER, "attach_btf_id": target}
    fd = load(abi.BPF_PROG_TYPE_TRACING, write, count, **options)
    everything = iterators.attach_iter(fd, "task")
    go = threading.Event()
    thread = threading.Thread(target=go.wait)
    thread.start()
    seen = list(struct.iter_unpack("<II", everything.read()))
    go.set()
    thread.join()
    assert {(os.getpid(), os.getpid()), (os.getpid(), thread.native_id)} <= set(seen)
    assert os.getppid() in {tgid for tgid, _ in seen}
    assert len(set(seen)) == len(seen)
    assert next(struct.iter_unpack("<II", everything.read())) == seen[0]  # a second pass
    everything.close()
    one = iterators.attach_iter(fd, "task", tid=os.getpid())
    assert list(struct.iter_unpack("<II", one.read())) == [(os.getpid(), os.getpid())]
    one.close()
    os.close(fd)


def test_iterator_over_a_map(count: Map) -> None:
    table = create_map(abi.BPF_MAP_TYPE_HASH, 4, 8, 5000)
    for i in range(5000):
        table.update(i.to_bytes(4, "little"), (3 * i).to_bytes(8, "little"))

    def write(asm: Asm) -> None:
        asm.mov(I.R6, I.R1)
        asm.ldx(8, I.R7, I.R6, 16)
        asm.jump_imm(I.JEQ, I.R7, 0, "out")
        asm.ldx(8, I.R8, I.R6, 24)
        asm.jump_imm(I.JEQ, I.R8, 0, "out")
        asm.ldx(4, I.R1, I.R7, 0)
        asm.stx(8, I.R10, -16, I.R1)
        asm.ldx(8, I.R1, I.R8, 0)
        asm.stx(8, I.R10, -8, I.R1)
        seq_write(asm, 16)
        asm.label("out")
        asm.ret(0)

    target = btf_id(FUNC, "bpf_iter_bpf_map_elem")
    options = {"expected_attach_type": abi.BPF_TRACE_ITER, "attach_btf_id": target}
    fd = load(abi.BPF_PROG_TYPE_TRACING, write, count, **options)
    attached = iterators.attach_iter(fd, "bpf_map_elem", map_fd=table.fd)
    assert dict(struct.iter_unpack("<QQ", attached.read())) == {i: 3 * i for i in range(5000)}
    attached.close()
    table.close()
    os.close(fd)


def in_own_network(work: Callable[[], bytes]) -> bytes:
    """Run `work` in a child with a network namespace of its own, loopback up."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            import fcntl

            assert libc.unshare(0x40000000) == 0  # CLONE_NEWNET
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                fcntl.ioctl(sock, 0x8914, struct.pack("16sh14x", b"lo", 0x49))  # SIOCSIFFLAGS: up, running
            os.write(write, work())
            os._exit(0)
        finally:
            os._exit(1)
    os.close(write)
    with open(read, "rb") as file:
        data = file.read()
    assert os.waitpid(pid, 0)[1] == 0
    return data


LOCAL_OUT = 3  # NF_INET_LOCAL_OUT


def test_netfilter_in_a_namespace(count: Map) -> None:
    def write(asm: Asm) -> None:
        count_into(asm)
        asm.ret(1)  # NF_ACCEPT

    try:
        fd = load(abi.BPF_PROG_TYPE_NETFILTER, write, count, expected_attach_type=abi.BPF_NETFILTER)
    except KernelError as error:
        pytest.skip(f"this kernel: {error}")

    def work() -> bytes:
        link = netfilter.link_here(fd, socket.AF_INET, LOCAL_OUT, 10)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            for _ in range(250):
                sock.sendto(b"x", sock.getsockname())
            os.close(link)
            for _ in range(5):
                sock.sendto(b"x", sock.getsockname())
        return b"done"

    assert in_own_network(work) == b"done"
    assert read_count(count) == 250
    os.close(fd)
