"""Builtins that the kernel stage computes: the current task by plain loads, clocks, byte order, stacks."""

from __future__ import annotations

from ...bpf import insn as I
from ...diag import fail
from ...ir.nodes import Local, Op, Text
from ...program import CTL_REALTIME, CTL_STATE, STATE_RUNNING
from .arith import byteswap, widen
from .context import context, define_pointer
from .lower import Mem
from .strings import Words, may_be_words, room
from .texts import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .lower import Lower

COMM = 16
PIDTYPE_TGID, PIDTYPE_PGID, PIDTYPE_SID = 1, 2, 3
SIZEOF_UPID = 16  # a number and its namespace
_ENTRY = 16  # bytes of a function's beginning in which the call of a trampoline is
# Kinds of programs whose context is, or begins with, the registers.
REGISTER_KINDS = frozenset({"perf", "kprobe", "kretprobe"})
# pt_regs of x86-64, part of the kernel's interface (struct user_regs_struct).
_X86_ORDER = (
    *("r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi"),
    *("orig_rax", "rip", "cs", "rflags", "rsp", "ss"),
)
X86_REGS = {name: 8 * n for n, name in enumerate(_X86_ORDER)}


def task(lo: Lower) -> int:
    """A register with the current task as a typed pointer; one call for a whole run."""
    known = lo.facts.get("task")
    if known is None:
        lo.fn.call("get_current_task_btf", 0)
        known = lo.fn.result()
        lo.learn("task", known)
    return int(known)


def _walk(lo: Lower, *steps: tuple[str, str]) -> tuple[int, int, int, int] | None:
    """From the current task through pointers, (struct, field) each: (register, offset, size, label for NULL)."""
    if "direct" not in lo.target.features:
        return None
    places = [lo.target.offset(struct, path) for struct, path in steps]
    found = [place for place in places if place is not None]
    if len(found) < len(places):
        return None
    fn = lo.fn
    reg = task(lo)
    null = fn.new_label()
    for off, _ in found[:-1]:
        reg = fn.load(8, reg, off)
        fn.jumpi(I.JEQ, reg, 0, null)
    off, size = found[-1]
    return reg, off, size, null


def _field(*steps: tuple[str, str], signed: bool = True) -> Callable[[Lower, Op], bool]:
    """Code that reads a number that the current task leads to; 0 when a pointer on the way is NULL."""

    def read(lo: Lower, op: Op) -> bool:
        fn = lo.fn
        simple = len(steps) == 1
        value = lo.target_of(op.dst) if simple else fn.vreg()
        if not simple:
            fn.const(value, 0)
        place = _walk(lo, *steps)
        if place is None:
            return False
        reg, off, size, null = place
        fn.ldx(size, value, reg, off)
        if signed:
            widen(lo, value, 8 * size, True)
        fn.label(null)
        lo.done(op.dst, value)
        return True

    return read


_T = "task_struct"
_FIELDS: dict[str, Callable[[Lower, Op], bool]] = {
    "pid": _field((_T, "tgid")),
    "tid": _field((_T, "pid")),
    "ppid": _field((_T, "real_parent"), (_T, "tgid")),
    "uid": _field((_T, "cred"), ("cred", "uid.val"), signed=False),
    "euid": _field((_T, "cred"), ("cred", "euid.val"), signed=False),
    "gid": _field((_T, "cred"), ("cred", "gid.val"), signed=False),
    "egid": _field((_T, "cred"), ("cred", "egid.val"), signed=False),
}


def _halves(helper: str, high: bool) -> Callable[[Lower, Op], None]:
    """Code that takes one half of what a helper returns."""

    def read(lo: Lower, op: Op) -> None:
        fn = lo.fn
        fn.call(helper, 0)
        value = fn.result()
        if high:
            fn.alui(I.RSH, value, 32)
        else:
            fn.zext32(value)
        lo.done(op.dst, value)

    return read


_BY_HELPER: dict[str, Callable[[Lower, Op], None]] = {
    "pid": _halves("get_current_pid_tgid", True),
    "tid": _halves("get_current_pid_tgid", False),
    "uid": _halves("get_current_uid_gid", False),
    "gid": _halves("get_current_uid_gid", True),
}


def _plain(helper: str) -> Callable[[Lower, Op], None]:
    """Code that calls a helper without arguments."""

    def read(lo: Lower, op: Op) -> None:
        lo.fn.call(helper, 0)
        lo.done(op.dst, lo.fn.result())

    return read


def _zext(helper: str) -> Callable[[Lower, Op], None]:
    def read(lo: Lower, op: Op) -> None:
        lo.fn.call(helper, 0)
        value = lo.fn.result()
        lo.fn.zext32(value)
        lo.done(op.dst, value)

    return read


def _realtime(lo: Lower, op: Op) -> None:
    fn = lo.fn
    fn.call("ktime_get_ns", 0)
    value = fn.result()
    base = fn.vreg()
    fn.ld_value(base, "ctl", CTL_REALTIME)
    fn.alu(I.ADD, value, fn.load(8, base, 0))
    lo.done(op.dst, value)


def _task_current(lo: Lower, op: Op) -> None:
    assert op.dst is not None
    define_pointer(lo, op.dst, task(lo), _T)


def _comm(lo: Lower, op: Op) -> None:
    _name(lo, op, (_T, "comm"))


def _parent_comm(lo: Lower, op: Op) -> None:
    _name(lo, op, (_T, "real_parent"), (_T, "comm"))


def _name(lo: Lower, op: Op, *steps: tuple[str, str]) -> None:
    """A command name: two words, which the kernel keeps filled up with NULs."""
    assert op.dst is not None
    fn = lo.fn
    words = [fn.vreg(), fn.vreg()]
    if len(steps) > 1:
        for word in words:
            fn.const(word, 0)
    place = _walk(lo, *steps)
    if place is None:
        if len(steps) > 1:
            raise lo.unfit("the parent's name can't be read on this kernel", op.span)
        _comm_helper(lo, op)
        return
    reg, off, _, null = place
    for number, word in enumerate(words):
        fn.ldx(8, word, reg, off + 8 * number)
    fn.label(null)
    if may_be_words(lo, op.dst):
        lo.words[op.dst] = Words(words, True)  # type: ignore[assignment]
        return
    keep(lo, Words(words, True), room(lo, op.dst, op.span))


def _comm_helper(lo: Lower, op: Op) -> None:
    assert op.dst is not None
    fn = lo.fn
    to = room(lo, op.dst, op.span)
    if to.cap < COMM:
        raise lo.unfit("a command name needs 16 bytes", op.span)
    fn.addr(I.R1, to.base, to.off)
    fn.const(I.R2, COMM)
    fn.call("get_current_comm", 2)
    if to.padded and to.cap > COMM:
        from .strings import zero

        zero(lo, to, COMM)


def _stack(user: bool) -> Callable[[Lower, Op], None]:
    def read(lo: Lower, op: Op) -> None:
        assert op.dst is not None
        fn = lo.fn
        to: Mem = room(lo, op.dst, op.span)
        fn.mov(I.R1, context(lo))
        fn.addr(I.R2, to.base, to.off)
        fn.const(I.R3, to.cap & ~7)
        # the first frame is this program's own, but for interrupts (BPF_F_SKIP_FIELD_MASK)
        fn.const(I.R4, 0x100 if user else 0 if lo.kind in REGISTER_KINDS else 1)
        fn.call("get_stack", 4)
        if not user and lo.kind in ("fentry", "fexit"):
            _begin_with_function(lo, to)

    return read


def _begin_with_function(lo: Lower, to: Mem) -> None:
    """Put the function that a trampoline is of before a stack that begins with its caller.

    A trampoline is called at the function's beginning, and that is the first frame; newer kernels jump there, where the
    function's return is waited for too.
    """
    fn = lo.fn
    whole, size = fn.new_label(), to.cap & ~7
    fn.mov(I.R1, context(lo))
    fn.call("get_func_ip", 1)
    own = fn.result()
    for frame in range(0, min(size, 16), 8):  # the first one may be the trampoline itself
        into = fn.load(8, to.base, to.off + frame)
        fn.alu(I.SUB, into, own)
        fn.jumpi(I.JLE, into, _ENTRY, whole)
    if size > 8:
        fn.mov(I.R1, context(lo))
        fn.addr(I.R2, to.base, to.off + 8)
        fn.const(I.R3, size - 8)
        fn.const(I.R4, 1)
        fn.call("get_stack", 4)
    fn.stx(8, to.base, to.off, own)
    fn.label(whole)


def _swap(bits: int) -> Callable[[Lower, Op], None]:
    return lambda lo, op: byteswap(lo, op, bits)


def _user_mode(lo: Lower, op: Op) -> None:
    """Whether the interrupted code was user code: its code segment's privilege."""
    fn = lo.fn
    dst = lo.target_of(op.dst)
    if lo.kind in REGISTER_KINDS and lo.target.arch == "x86_64":
        fn.ldx(8, dst, context(lo), X86_REGS["cs"])
        fn.alui(I.AND, dst, 3)
        zero_, one = fn.new_label(), fn.new_label()
        fn.jumpi(I.JEQ, dst, 0, zero_)
        fn.const(dst, 1)
        fn.goto(one)
        fn.label(zero_)
        fn.const(dst, 0)
        fn.label(one)
    else:
        fn.const(dst, 1 if lo.kind in ("sys_enter", "sys_exit") else 0)
    lo.done(op.dst, dst)


def _is_return(lo: Lower, op: Op) -> None:
    args = lo.kp.event.args
    ret = lo.kind == "sys_exit" or (isinstance(args, dict) and bool(args.get("ret")))
    lo.done(op.dst, lo.fn.imm(int(ret)))


def _group(position: int) -> Callable[[Lower, Op], None]:
    """A number of the task's process group or session: signal->pids[position]->numbers[0].nr."""

    def read(lo: Lower, op: Op) -> None:
        fn = lo.fn
        pids, numbers = lo.target.offset("signal_struct", "pids"), lo.target.offset("pid", "numbers")
        value = fn.imm(0)
        place = _walk(lo, (_T, "signal"), ("signal_struct", "pids"))
        if place is None or pids is None or numbers is None:
            raise lo.unfit(f"{op.attr}() can't be read on this kernel", op.span)
        reg, off, _, null = place
        pid = fn.load(8, reg, off + 8 * position)
        fn.jumpi(I.JEQ, pid, 0, null)
        fn.ldx(4, value, pid, numbers[0])
        widen(lo, value, 32, True)
        fn.label(null)
        lo.done(op.dst, value)

    return read


def _ns_pid(lo: Lower, op: Op) -> None:
    """The process's number in its own namespace: the last of its pid's numbers."""
    fn = lo.fn
    target = lo.target
    numbers, level = target.offset("pid", "numbers"), target.offset("pid", "level")
    value = fn.imm(0)
    place = _walk(lo, (_T, "signal"), ("signal_struct", "pids"))
    if place is None or numbers is None or level is None:
        raise lo.unfit("ns_pid() can't be read on this kernel", op.span)
    reg, off, _, null = place
    pid = fn.load(8, reg, off + 8 * PIDTYPE_TGID)
    fn.jumpi(I.JEQ, pid, 0, null)
    depth = fn.load(level[1], pid, level[0])
    fn.alui(I.LSH, depth, SIZEOF_UPID.bit_length() - 1)
    address = fn.copy(pid)
    fn.forget(address)
    fn.alu(I.ADD, address, depth)
    fn.alui(I.ADD, address, numbers[0])
    at = fn.frame.take(8, op.span)
    fn.addr(I.R1, I.FP, at)
    fn.const(I.R2, 4)
    fn.mov(I.R3, address)
    fn.call("probe_read_kernel", 3)
    fn.ldx(4, value, I.FP, at)
    fn.frame.give(at, 8)
    fn.label(null)
    lo.done(op.dst, value)


def _register(lo: Lower, op: Op) -> None:
    """A register of the interrupted code, by its name with or without the first letter."""
    name = op.args[0]
    text = name.value if isinstance(name, Text) else ""
    if lo.kind not in REGISTER_KINDS or lo.target.arch != "x86_64":
        raise lo.unfit("there are no registers here", op.span)
    known = next((n for n in (text, f"r{text}", f"r{text[1:]}") if n in X86_REGS), None)
    if known is None:
        raise lo.unfit(f"there is no register '{text}'", op.span)
    dst = lo.target_of(op.dst)
    lo.fn.ldx(8, dst, context(lo), X86_REGS[known])
    if text[:1] == "e":
        lo.fn.zext32(dst)
    lo.done(op.dst, dst)


def _user_registers(lo: Lower, op: Op) -> None:
    fn = lo.fn
    fn.mov(I.R1, task(lo))
    fn.call("task_pt_regs", 1)
    place = fn.result()
    fn.forget(place)
    lo.done(op.dst, place)


def _probe_number(lo: Lower, op: Op) -> None:
    """The cookie that the event was attached with."""
    fn = lo.fn
    fn.mov(I.R1, context(lo))
    fn.call("get_attach_cookie", 1)
    lo.done(op.dst, fn.result())


_SOCKETS = frozenset({"sock", "sock_common", "inet_sock", "tcp_sock", "udp_sock", "inet_connection_sock"})


def _socket_cookie(lo: Lower, op: Op) -> None:
    """The cookie of a socket that the verifier knows as one; 0 of none."""
    operand = op.args[0]
    known = lo.facts.get(operand) if isinstance(operand, Local) else None
    if known is None or known[1] not in _SOCKETS:
        raise lo.unfit("socket_cookie() needs a socket that the event itself has", op.span)
    fn = lo.fn
    dst = lo.target_of(op.dst)
    fn.const(dst, 0)
    none = fn.new_label()
    fn.jumpi(I.JEQ, int(known[0]), 0, none)
    fn.mov(I.R1, int(known[0]))
    fn.call("get_socket_cookie", 1)
    fn.mov(dst, I.R0)
    fn.label(none)
    lo.done(op.dst, dst)


# What a kretprobe's stack pointer is above a kprobe's at the same call's entry.
_RETURN_ABOVE = {"x86_64": 8, "aarch64": 0}


def _frame_address(lo: Lower, op: Op) -> None:
    """The stack pointer at a function's entry; for trampolines, where theirs lies."""
    fn = lo.fn
    dst = lo.target_of(op.dst)
    if lo.kind in ("kprobe", "kretprobe"):
        fn.ldx(8, dst, context(lo), {"x86_64": X86_REGS["rsp"], "aarch64": 248}[lo.target.arch])
        if lo.kind == "kretprobe":
            fn.alui(I.ADD, dst, -_RETURN_ABOVE[lo.target.arch])
    else:
        fn.mov(dst, context(lo))
        fn.forget(dst)
    lo.done(op.dst, dst)


def _is_running(lo: Lower, op: Op) -> None:
    fn = lo.fn
    base = fn.vreg()
    fn.ld_value(base, "ctl", CTL_STATE)
    state = fn.load(4, base, 0)
    dst = lo.target_of(op.dst)
    fn.const(dst, 0)
    no = fn.new_label()
    fn.jumpi(I.JNE, state, STATE_RUNNING, no)
    fn.const(dst, 1)
    fn.label(no)
    lo.done(op.dst, dst)


_CODE: dict[str, Callable[[Lower, Op], None]] = {
    "frame_address": _frame_address,
    "is_running": _is_running,
    "probe_number": _probe_number,
    "cpu": _zext("get_smp_processor_id"),
    "numa_node": _zext("get_numa_node_id"),
    "cgroup_id": _plain("get_current_cgroup_id"),
    "ktime_ns": _plain("ktime_get_ns"),
    "boottime_ns": _plain("ktime_get_boot_ns"),
    "tai_ns": _plain("ktime_get_tai_ns"),
    "jiffies": _plain("jiffies64"),
    "cycles": _plain("ktime_get_ns"),
    "random_u32": _zext("get_prandom_u32"),
    "realtime_ns": _realtime,
    "task_current": _task_current,
    "execname": _comm,
    "pexecname": _parent_comm,
    "kernel_stack": _stack(False),
    "user_stack": _stack(True),
    "user_mode": _user_mode,
    "is_return": _is_return,
    "pgrp": _group(PIDTYPE_PGID),
    "sid": _group(PIDTYPE_SID),
    "ns_pid": _ns_pid,
    "register": _register,
    "socket_cookie": _socket_cookie,
    "user_registers": _user_registers,
    **dict.fromkeys(("bswap16", "ntohs", "htons"), _swap(16)),
    **dict.fromkeys(("bswap32", "ntohl", "htonl"), _swap(32)),
    **dict.fromkeys(("bswap64", "ntohll", "htonll"), _swap(64)),
}


def call(lo: Lower, op: Op) -> None:
    """`call`: the builtin that attr names."""
    name = str(op.attr)
    field = _FIELDS.get(name)
    if field is not None and field(lo, op):
        return
    code = _BY_HELPER.get(name) if field is not None else _CODE.get(name)
    if code is None and field is not None and not lo.target.struct_id("task_struct"):
        words = f"{name}() needs the kernel's type information (BTF), which this kernel lacks"
        raise fail("E310", words, op.span, "'pystap doctor' says what there is without it")
    if code is None:
        raise lo.unfit(f"{name}() has no code in the kernel stage", op.span)
    code(lo, op)
