"""Turns instructions into Python closures for the interpreter.

`decode(vm, name, code)` returns one closure for each slot. A closure does its instruction on
the machine's registers and returns the slot to go on with, `DONE` after an exit
or `TAIL` after a tail call. Registers hold unsigned 64-bit numbers, or None when
the program never set them.
"""

from __future__ import annotations

from struct import Struct

from .. import insn as I
from ..helpers import arg_count, helper_name
from .alu import ALU32_FN, ALU64_FN, JUMP_FN, byte_swap, jump32, sign_extend
from .world import VmFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..insn import Insn
    from ..object import Code
    from .machine import Vm

    Op = Callable[[], int]

DONE, TAIL = -1, -2
M32 = I.M32
M64 = I.M64
_LOAD = {1: Struct("<B"), 2: Struct("<H"), 4: Struct("<I"), 8: Struct("<Q")}
_LOAD_SIGNED = {1: Struct("<b"), 2: Struct("<h"), 4: Struct("<i")}
_CLOBBERED: list[int | None] = [None] * 5


def decode(vm: Vm, name: str, code: Code) -> list[Op]:
    """Return the closures of a linked program, and one at the end that faults."""
    insns = code.insns
    ops: list[Op] = []
    for slot, insn in enumerate(insns):
        if insn[0] == 0 and slot and I.is_wide(insns[slot - 1]):
            ops.append(_fault("jump into the middle of a 64-bit load"))
            continue
        op = _BY_CLASS[insn[0] & 7](vm, ops, insns, slot, insn)
        ops.append(op if op is not None else _fault("unknown instruction"))
    ops.append(_fault(f"{name} runs past its end"))
    return ops


def _fault(message: str) -> Op:
    def op() -> int:
        raise VmFault(message)

    return op


# -- arithmetic ---------------------------------------------------------------


def _alu(vm: Vm, _ops: list[Op], _insns: list[Insn], slot: int, insn: Insn) -> Op | None:
    code, dst, src, off, imm = insn
    regs = vm.regs
    nxt = slot + 1
    wide = code & 7 == I.ALU64
    kind = code & 0xF0
    if kind == I.MOV:
        return _mov(vm, slot, insn, wide)
    if kind == I.NEG:
        mask = M64 if wide else M32

        def negate() -> int:
            regs[dst] = -regs[dst] & mask
            return nxt

        return negate
    if kind == I.END:
        return _end(vm, slot, insn, wide)
    fn = (ALU64_FN if wide else ALU32_FN).get(kind | off << 8)
    if fn is None:
        return None
    if code & I.X:

        def by_register() -> int:
            regs[dst] = fn(regs[dst], regs[src])
            return nxt

        return by_register
    value = imm & M64

    def by_constant() -> int:
        regs[dst] = fn(regs[dst], value)
        return nxt

    return by_constant


def _mov(vm: Vm, slot: int, insn: Insn, wide: bool) -> Op | None:
    code, dst, src, off, imm = insn
    regs = vm.regs
    nxt = slot + 1
    if not code & I.X:
        value = imm & (M64 if wide else M32)

        def constant() -> int:
            regs[dst] = value
            return nxt

        return constant
    if off:
        if off not in (8, 16, 32) or (off == 32 and not wide):
            return None
        bits = 64 if wide else 32

        def extend() -> int:
            regs[dst] = sign_extend(regs[src], off, bits)
            return nxt

        return extend
    if wide:

        def copy() -> int:
            value = regs[src]
            if value is None:
                raise VmFault(f"r{src} was never set")
            regs[dst] = value
            return nxt

        return copy

    def low_half() -> int:
        regs[dst] = regs[src] & M32
        return nxt

    return low_half


def _end(vm: Vm, slot: int, insn: Insn, wide: bool) -> Op | None:
    code, dst, _, _, bits = insn
    regs = vm.regs
    nxt = slot + 1
    if bits not in (16, 32, 64):
        return None
    if wide or code & I.TO_BE:

        def swap() -> int:
            regs[dst] = byte_swap(regs[dst], bits)
            return nxt

        return swap
    mask = (1 << bits) - 1

    def cut() -> int:
        regs[dst] = regs[dst] & mask
        return nxt

    return cut


# -- memory -------------------------------------------------------------------


def _ld(vm: Vm, _ops: list[Op], insns: list[Insn], slot: int, insn: Insn) -> Op | None:
    code, dst, src, _, imm = insn
    if code != I.LD_IMM64_OP:
        return _fault("packet loads (LD_ABS, LD_IND) are not supported")
    regs = vm.regs
    nxt = slot + 2
    high = insns[slot + 1][4] if slot + 1 < len(insns) else 0
    if src == I.PSEUDO_FUNC:
        value = vm.function_address(slot + imm + 1)
    elif src in (I.PSEUDO_MAP_FD, I.PSEUDO_MAP_VALUE):
        if imm not in vm.fds:
            return _fault(f"the map with descriptor {imm} was not given")
        return _map(vm, slot, insn, high)
    elif src:
        return _fault(f"64-bit load with pseudo source {src} is not supported")
    else:
        value = (imm & M32) | (high & M32) << 32

    def constant() -> int:
        regs[dst] = value
        return nxt

    return constant


def _map(vm: Vm, slot: int, insn: Insn, offset: int) -> Op:
    _, dst, src, _, fd = insn
    regs = vm.regs
    nxt = slot + 2
    found = vm.fds[fd]
    address = vm.map_address(found) if src == I.PSEUDO_MAP_FD else vm.value_address(found, offset)

    def constant() -> int:
        regs[dst] = address
        return nxt

    return constant


def _ldx(vm: Vm, _ops: list[Op], _insns: list[Insn], slot: int, insn: Insn) -> Op | None:
    code, dst, src, off, _ = insn
    mode = code & 0xE0
    size = I.SIZE_BYTES[code & 0x18]
    if mode == I.MEMSX:
        return _load_signed(vm, slot, insn, size) if size < 8 else None
    if mode != I.MEM:
        return None
    regs = vm.regs
    regions = vm.memory.regions
    unpack = _LOAD[size].unpack_from
    nxt = slot + 1
    last = size - 1

    def load() -> int:
        address = (regs[src] + off) & M64
        region = regions.get(address >> 32)
        if region is None:
            regs[dst] = vm.load_kernel(address, size)
            return nxt
        at = address & M32
        if at + size > region.size or (region.stack and at & last):
            raise VmFault(vm.bad_access(region, address, size, False))
        regs[dst] = unpack(region.data, at)[0]
        return nxt

    return load


def _load_signed(vm: Vm, slot: int, insn: Insn, size: int) -> Op:
    _, dst, src, off, _ = insn
    regs = vm.regs
    unpack = _LOAD_SIGNED[size].unpack_from
    nxt = slot + 1

    def load() -> int:
        address = (regs[src] + off) & M64
        region = vm.memory.regions.get(address >> 32)
        if region is None:
            regs[dst] = sign_extend(vm.load_kernel(address, size), size * 8)
            return nxt
        at = address & M32
        if at + size > region.size or (region.stack and at % size):
            raise VmFault(vm.bad_access(region, address, size, False))
        regs[dst] = unpack(region.data, at)[0] & M64
        return nxt

    return load


def _store(vm: Vm, _ops: list[Op], _insns: list[Insn], slot: int, insn: Insn) -> Op | None:
    code, dst, src, off, imm = insn
    is_constant = code & 7 == I.ST
    size = I.SIZE_BYTES[code & 0x18]
    if code & 0xE0 == I.ATOMIC and not is_constant:
        return _atomic(vm, slot, insn, size)
    if code & 0xE0 != I.MEM:
        return None
    regs = vm.regs
    regions = vm.memory.regions
    pack = _LOAD[size].pack_into
    nxt = slot + 1
    last = size - 1
    mask = (1 << size * 8) - 1
    value = imm & mask

    def store() -> int:
        address = (regs[dst] + off) & M64
        region = regions.get(address >> 32)
        at = address & M32
        if region is None or at + size > region.size or not region.writable or (region.stack and at & last):
            raise VmFault(vm.bad_access(region, address, size, True))
        pack(region.data, at, value if is_constant else regs[src] & mask)
        return nxt

    return store


def _atomic(vm: Vm, slot: int, insn: Insn, size: int) -> Op | None:
    _, dst, src, off, imm = insn
    if imm == I.A_LOAD_ACQ:
        return _ldx(vm, [], [], slot, (I.LDX | I.MEM | I.SIZE_CODE[size], dst, src, off, 0))
    if imm == I.A_STORE_REL:
        return _store(vm, [], [], slot, (I.STX | I.MEM | I.SIZE_CODE[size], dst, src, off, 0))
    fn = (ALU64_FN if size == 8 else ALU32_FN).get(imm & ~I.FETCH)
    exchange, compare = imm == I.A_XCHG, imm == I.A_CMPXCHG
    known = exchange or compare or imm & ~I.FETCH in (I.A_ADD, I.A_OR, I.A_AND, I.A_XOR)
    if size < 4 or not known:
        return None
    regs = vm.regs
    mask = (1 << size * 8) - 1
    codec = _LOAD[size]
    into = I.R0 if compare else src if imm & I.FETCH else None
    nxt = slot + 1

    def modify() -> int:
        address = (regs[dst] + off) & M64
        region = vm.memory.regions.get(address >> 32)
        at = address & M32
        if region is None or at + size > region.size or not region.writable or at % size:
            raise VmFault(vm.bad_access(region, address, size, True))
        old = codec.unpack_from(region.data, at)[0]
        operand = regs[src] & mask
        if compare:
            new = operand if old == regs[0] & mask else old
        elif fn is None:
            new = operand
        else:
            new = fn(old, operand)
        codec.pack_into(region.data, at, new)
        if into is not None:
            regs[into] = old
        return nxt

    return modify


# -- jumps and calls ----------------------------------------------------------


def _jmp(vm: Vm, ops: list[Op], insns: list[Insn], slot: int, insn: Insn) -> Op | None:
    code, dst, src, off, imm = insn
    wide = code & 7 == I.JMP
    kind = code & 0xF0
    nxt = slot + 1
    if wide and kind == I.CALL:
        return _call(vm, ops, slot, insn)
    if wide and kind == I.EXIT:
        return _exit
    target = nxt + (imm if code == I.JMP32 | I.JA else off)
    if not 0 <= target < len(insns):
        return _fault("jump out of the program")
    if kind == I.JA:
        return lambda: target
    if wide and kind == I.JCOND:
        return lambda: target if vm.may_goto() else nxt
    fn = JUMP_FN.get(kind)
    if fn is None:
        return None
    test = fn if wide else jump32(fn)
    regs = vm.regs
    if code & I.X:
        return lambda: target if test(regs[dst], regs[src]) else nxt
    value = imm & M64
    return lambda: target if test(regs[dst], value) else nxt


def _exit() -> int:
    return DONE


def _call(vm: Vm, ops: list[Op], slot: int, insn: Insn) -> Op | None:
    _, _, src, _, imm = insn
    regs = vm.regs
    nxt = slot + 1
    if src == I.PSEUDO_CALL:
        target = nxt + imm

        def call_function() -> int:
            vm.call(ops, target)
            regs[1:6] = _CLOBBERED
            return nxt

        return call_function
    if src == I.PSEUDO_KFUNC_CALL:
        return _call_python(vm, slot, f"kfunc {vm.kfunc_names.get(imm, imm)}", vm.kfunc(imm))
    name = helper_name(imm)
    if name == "tail_call":

        def tail_call() -> int:
            vm.check_args("tail_call", 3)
            if vm.tail_call(regs[2], regs[3] & M32):
                return TAIL
            regs[0] = None
            regs[1:6] = _CLOBBERED
            return nxt

        return tail_call
    if name is None:
        return _fault(f"there is no helper {imm}")
    fn = vm.helper(name)
    if fn is None:
        return _fault(f"helper bpf_{name} is not supported here")
    return _call_python(vm, slot, f"helper bpf_{name}", (fn, arg_count(name)))


def _call_python(vm: Vm, slot: int, what: str, target: tuple[Callable[..., int], int] | None) -> Op:
    if target is None:
        return _fault(f"{what} is not supported here")
    fn, count = target
    regs = vm.regs
    nxt = slot + 1
    variadic = what == "helper bpf_trace_printk"
    needed = 2 if variadic else count

    def call() -> int:
        vm.check_args(what, needed)
        result = fn(vm, *regs[1 : 1 + count])
        regs[0] = result & M64
        regs[1:6] = _CLOBBERED
        return nxt

    return call


_BY_CLASS: tuple[Callable[[Vm, list[Op], list[Insn], int, Insn], Op | None], ...] = (
    _ld, _ldx, _store, _store, _alu, _jmp, _jmp, _alu,
)  # fmt: skip
