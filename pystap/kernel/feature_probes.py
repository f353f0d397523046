"""One small experiment for each feature: returns if the kernel can do it, raises what it said if not."""

from __future__ import annotations

import os

from ..bpf import consts_gen as abi
from ..bpf import insn as I
from . import prog
from .attach import iter as iterators
from .attach import kprobe, perf, raw_tracepoint, tracepoint_btf, tracepoint_perf, tracing, uprobe
from .attach.base import link_create
from .maps import create_map
from .ring import Ring
from .sys import KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..bpf.insn import Insn
    from ..btf import Btf
    from .attach.base import Attachment

    Probe = Callable[[Btf | None], None]

_RETURN_0 = (I.mov_imm(I.R0, 0), I.exit_())
# Functions and tracepoints that hardly ever run, to attach to for a moment.
_QUIET_FUNCTIONS = ("bpf_fentry_test1", "ksys_sync")
_WIDE_FUNCTIONS = ("ip6_xmit", "do_mmap")  # of seven arguments
_QUIET_TRACEPOINTS = ("sched_process_hang", "module_load", "sched_process_exec")
_QUIET_EVENTS = (("sched", "sched_process_exec"), ("syscalls", "sys_enter_reboot"))
_SOME_FILE = "/bin/sh"


class Lacks(Exception):
    """A feature is missing, in words of ours."""


def _load(
    prog_type: int,
    insns: Iterable[Insn] = _RETURN_0,
    expected_attach_type: int = 0,
    attach_btf_id: int = 0,
    flags: int = 0,
) -> int:
    return prog.load_program(
        prog_type,
        I.encode(insns),
        name="probe",
        expected_attach_type=expected_attach_type,
        attach_btf_id=attach_btf_id,
        flags=flags,
    )


def _close_after(fd: int, attach: Callable[[int], Attachment]) -> None:
    try:
        attach(fd).close()
    finally:
        os.close(fd)


# -- BTF ids


def _btf(btf: Btf | None) -> Btf:
    if btf is None:
        raise Lacks("there is no BTF to find it in")
    return btf


def _func_id(btf: Btf | None, *names: str) -> tuple[int, str]:
    for name in names:
        found = _btf(btf).find_func(name)
        if found:
            return found.id, name
    raise Lacks(f"this kernel's BTF has no function {' or '.join(names)}")


# -- tracepoints


def _raw_tracepoint(btf: Btf | None) -> None:
    fd = _load(abi.BPF_PROG_TYPE_RAW_TRACEPOINT)
    _close_after(fd, lambda fd: raw_tracepoint.attach_raw_tracepoint(fd, "sched_process_exec"))


def _tp_btf(btf: Btf | None) -> None:
    for name in _QUIET_TRACEPOINTS:
        found = _btf(btf).find_typedef("btf_trace_" + name)
        if found:
            fd = _load(
                abi.BPF_PROG_TYPE_TRACING, expected_attach_type=abi.BPF_TRACE_RAW_TP, attach_btf_id=found.id
            )
            _close_after(fd, lambda fd, name=name: tracepoint_btf.attach_tracepoint_btf(fd, name))  # type: ignore[misc]
            return
    raise Lacks("this kernel's BTF has no tracepoints")


def _tracefs(btf: Btf | None) -> None:
    tracepoint_perf.list_tracefs("events")


def _tracepoint_perf(btf: Btf | None) -> None:
    fd = _load(abi.BPF_PROG_TYPE_TRACEPOINT)
    last: KernelError | None = None
    try:
        for subsystem, name in _QUIET_EVENTS:
            try:
                tracepoint_perf.attach_tracepoint_perf(fd, subsystem, name).close()
                return
            except KernelError as error:
                last = error
    finally:
        os.close(fd)
    assert last
    raise last


# -- functions


def _trampoline(btf: Btf | None, attach_type: int, functions: tuple[str, ...] = _QUIET_FUNCTIONS) -> None:
    target, name = _func_id(btf, *functions)
    fd = _load(abi.BPF_PROG_TYPE_TRACING, expected_attach_type=attach_type, attach_btf_id=target)
    _close_after(fd, lambda fd: tracing.attach_tracing(fd, name, attach_type=attach_type))


def _fentry(btf: Btf | None) -> None:
    _trampoline(btf, abi.BPF_TRACE_FENTRY)


def _fexit(btf: Btf | None) -> None:
    _trampoline(btf, abi.BPF_TRACE_FEXIT)


def _fentry_wide(btf: Btf | None) -> None:
    _trampoline(btf, abi.BPF_TRACE_FENTRY, _WIDE_FUNCTIONS)


def _kprobe(btf: Btf | None) -> None:
    fd = _load(abi.BPF_PROG_TYPE_KPROBE)
    _close_after(fd, lambda fd: kprobe.attach_kprobe(fd, _QUIET_FUNCTIONS[0]))


def _kretprobe(btf: Btf | None) -> None:
    fd = _load(abi.BPF_PROG_TYPE_KPROBE)
    _close_after(fd, lambda fd: kprobe.attach_kprobe(fd, _QUIET_FUNCTIONS[0], ret=True))


def _kprobe_multi(btf: Btf | None) -> None:
    fd = _load(abi.BPF_PROG_TYPE_KPROBE, expected_attach_type=abi.BPF_TRACE_KPROBE_MULTI)
    _close_after(fd, lambda fd: kprobe.attach_kprobe_multi(fd, _QUIET_FUNCTIONS[:1]))


def _uprobe(btf: Btf | None) -> None:
    fd = _load(abi.BPF_PROG_TYPE_KPROBE)
    _close_after(fd, lambda fd: uprobe.attach_uprobe(fd, _SOME_FILE, 64, pid=os.getpid()))


def _uretprobe(btf: Btf | None) -> None:
    fd = _load(abi.BPF_PROG_TYPE_KPROBE)
    _close_after(fd, lambda fd: uprobe.attach_uprobe(fd, _SOME_FILE, 64, ret=True, pid=os.getpid()))


def _uprobe_multi(btf: Btf | None) -> None:
    fd = _load(abi.BPF_PROG_TYPE_KPROBE, expected_attach_type=abi.BPF_TRACE_UPROBE_MULTI)
    _close_after(fd, lambda fd: uprobe.attach_uprobe_multi(fd, _SOME_FILE, [64], pid=os.getpid()))


# -- other events


def _perf_clock(btf: Btf | None) -> None:
    _perf(abi.PERF_TYPE_SOFTWARE, abi.PERF_COUNT_SW_CPU_CLOCK)


def _perf_hardware(btf: Btf | None) -> None:
    _perf(abi.PERF_TYPE_HARDWARE, abi.PERF_COUNT_HW_CPU_CYCLES)


def _perf(event_type: int, config: int) -> None:
    fd = _load(abi.BPF_PROG_TYPE_PERF_EVENT)
    _close_after(fd, lambda fd: perf.attach_perf(fd, event_type, config, frequency=1, pid=os.getpid()))


def _iterator(btf: Btf | None) -> None:
    target, _ = _func_id(btf, "bpf_iter_task")
    fd = _load(abi.BPF_PROG_TYPE_TRACING, expected_attach_type=abi.BPF_TRACE_ITER, attach_btf_id=target)
    _close_after(fd, lambda fd: iterators.attach_iter(fd, "task"))


def _netfilter(btf: Btf | None) -> None:
    """Loads, and asks for a protocol family that there isn't: a kernel with netfilter links says just that."""
    fd = _load(abi.BPF_PROG_TYPE_NETFILTER, expected_attach_type=abi.BPF_NETFILTER)
    try:
        link = link_create(
            fd, 0, abi.BPF_NETFILTER, "a netfilter hook", (255).to_bytes(4, "little") + bytes(12)
        )
        os.close(link)
    except KernelError as error:
        if error.errno != 97:  # EAFNOSUPPORT
            raise
    finally:
        os.close(fd)


# -- maps


def _ringbuf(btf: Btf | None) -> None:
    from mmap import PAGESIZE

    one = create_map(abi.BPF_MAP_TYPE_RINGBUF, 0, 0, PAGESIZE, name="probe")
    try:
        Ring(one.fd, PAGESIZE).close()
    finally:
        one.close()


def _ring_array(btf: Btf | None) -> None:
    from mmap import PAGESIZE

    inner = create_map(abi.BPF_MAP_TYPE_RINGBUF, 0, 0, PAGESIZE, name="probe")
    try:
        outer = create_map(abi.BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 1, name="probe", inner_fd=inner.fd)
        try:
            outer.update(bytes(4), inner.fd.to_bytes(4, "little"))
        finally:
            outer.close()
    finally:
        inner.close()


def _batch(btf: Btf | None) -> None:
    """Batch reads of a per-CPU hash, which `Map.batches` would quietly replace by single ones."""
    table = create_map(abi.BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 4, name="probe")
    try:
        if not table.knows_batches():
            raise Lacks("this kernel reads maps one element at a time")
    finally:
        table.close()


def _mmap_array(btf: Btf | None) -> None:
    array = create_map(abi.BPF_MAP_TYPE_ARRAY, 4, 8, 1, abi.BPF_F_MMAPABLE, "probe")
    try:
        array.mmap().close()
    finally:
        array.close()


def _task_storage(btf: Btf | None) -> None:
    from ..bpf.btfinfo import ProgramBtf

    types = ProgramBtf()
    key, value = types.add_int(), types.add_bytes("slot", 8)
    btf_fd = prog.load_btf(types.to_bytes())
    try:
        create_map(
            *(abi.BPF_MAP_TYPE_TASK_STORAGE, 4, 8, 0, abi.BPF_F_NO_PREALLOC, "probe"),
            btf_fd=btf_fd,
            btf_key_type_id=key,
            btf_value_type_id=value,
        ).close()
    finally:
        os.close(btf_fd)


# -- what programs may do


def _bpf_loop(btf: Btf | None) -> None:
    from ..bpf.asm import Asm
    from ..bpf.btfinfo import ProgramBtf

    asm = Asm()
    asm.mov_imm(I.R1, 10)
    asm.ld_func(I.R2, "body")
    asm.mov_imm(I.R3, 0)
    asm.mov_imm(I.R4, 0)
    asm.call("loop")
    asm.ret(0)
    asm.func("body")
    asm.ret(0)
    code = asm.build()
    types = ProgramBtf()
    funcs = [(0, types.add_main("main")), (code.funcs[1][1], types.add_func("body", 2))]
    info = types.func_info(funcs)
    btf_fd = prog.load_btf(types.to_bytes())
    try:
        insns = I.encode(code.insns)
        os.close(
            prog.load_program(
                abi.BPF_PROG_TYPE_RAW_TRACEPOINT, insns, name="probe", btf_fd=btf_fd, func_info=info
            )
        )
    finally:
        os.close(btf_fd)


def _rdonly_cast(btf: Btf | None) -> None:
    """The kfunc that gives any address a type, called from an untyped program."""
    cast, _ = _func_id(btf, "bpf_rdonly_cast")
    task = _btf(btf).find_struct("task_struct")
    assert task
    os.close(
        _load(
            abi.BPF_PROG_TYPE_RAW_TRACEPOINT,
            (
                I.ldx(8, I.R1, I.R1, 0),
                I.mov_imm(I.R2, task.id),
                I.call_kfunc(cast),
                I.ldx(8, I.R1, I.R0, 0),
                *_RETURN_0,
            ),
        )
    )


def _insn_v4(btf: Btf | None) -> None:
    insns = (I.mov_imm(I.R1, 1), I.movsx(I.R0, I.R1, 8), *_RETURN_0)
    os.close(_load(abi.BPF_PROG_TYPE_RAW_TRACEPOINT, insns))


def _may_goto(btf: Btf | None) -> None:
    os.close(_load(abi.BPF_PROG_TYPE_RAW_TRACEPOINT, (I.may_goto(1), I.goto(-2), *_RETURN_0)))


def _kernel_call(btf: Btf | None) -> None:
    fd = _load(abi.BPF_PROG_TYPE_SYSCALL, flags=prog.F_SLEEPABLE)
    try:
        prog.test_run(fd, bytes(8))
    finally:
        os.close(fd)


PROBES: dict[str, Probe] = {
    "raw_tracepoint": _raw_tracepoint,
    "tp_btf": _tp_btf,
    "tracefs": _tracefs,
    "tracepoint_perf": _tracepoint_perf,
    "fentry": _fentry,
    "fexit": _fexit,
    "fentry_wide": _fentry_wide,
    "kprobe": _kprobe,
    "kretprobe": _kretprobe,
    "kprobe_multi": _kprobe_multi,
    "uprobe": _uprobe,
    "uretprobe": _uretprobe,
    "uprobe_multi": _uprobe_multi,
    "perf_clock": _perf_clock,
    "perf_hardware": _perf_hardware,
    "iterator": _iterator,
    "netfilter": _netfilter,
    "ringbuf": _ringbuf,
    "ring_array": _ring_array,
    "batch": _batch,
    "mmap_array": _mmap_array,
    "task_storage": _task_storage,
    "bpf_loop": _bpf_loop,
    "rdonly_cast": _rdonly_cast,
    "insn_v4": _insn_v4,
    "may_goto": _may_goto,
    "kernel_call": _kernel_call,
}
