"""eBPF instructions: numbers, constructors, encoding.

An instruction is the tuple `(op, dst, src, off, imm)`, one for each 8-byte slot,
so that an index into a list of them is the kernel's instruction offset. A 64-bit
load takes two slots: its constructors return two tuples. `off` and `imm` are
signed. Plain tuples, because the code generator makes thousands of them.

`needs_v4` tells the instructions that Linux 6.1 doesn't have (signed division,
sign-extending moves and loads, unconditional byte swap, the long jump).
"""

from __future__ import annotations

from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Insn = tuple[int, int, int, int, int]

# Registers
R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 = range(11)
FP = R10

# Classes
LD, LDX, ST, STX, ALU, JMP, JMP32, ALU64 = range(8)

# Access sizes and modes (classes LD to STX)
W, H, B, DW = 0x00, 0x08, 0x10, 0x18
IMM, ABS, IND, MEM, MEMSX, ATOMIC = 0x00, 0x20, 0x40, 0x60, 0x80, 0xC0
SIZE_CODE = {1: B, 2: H, 4: W, 8: DW}
SIZE_BYTES = {B: 1, H: 2, W: 4, DW: 8}

# Source of the second operand (classes ALU to ALU64)
K, X = 0x00, 0x08

# Arithmetic; SDIV and SMOD are DIV and MOD with off = 1
ADD, SUB, MUL, DIV, OR, AND, LSH, RSH, NEG, MOD, XOR, MOV, ARSH, END = range(0x00, 0xE0, 0x10)
SDIV, SMOD = DIV | 0x100, MOD | 0x100
TO_LE, TO_BE = 0x00, 0x08

# Jumps
JA, JEQ, JGT, JGE, JSET, JNE, JSGT, JSGE, CALL, EXIT, JLT, JLE, JSLT, JSLE, JCOND = range(0x00, 0xF0, 0x10)
# What a conditional jump becomes when it has to skip over its target; JSET has no opposite.
NEGATED = {JEQ: JNE, JNE: JEQ, JGT: JLE, JLE: JGT, JGE: JLT, JLT: JGE}
NEGATED |= {JSGT: JSLE, JSLE: JSGT, JSGE: JSLT, JSLT: JSGE}
# The same comparison with its operands exchanged.
SWAPPED = {JEQ: JEQ, JNE: JNE, JSET: JSET, JGT: JLT, JLT: JGT, JGE: JLE, JLE: JGE}
SWAPPED |= {JSGT: JSLT, JSLT: JSGT, JSGE: JSLE, JSLE: JSGE}

# Pseudo sources of the 64-bit load and of CALL
PSEUDO_MAP_FD, PSEUDO_MAP_VALUE, PSEUDO_BTF_ID, PSEUDO_FUNC = 1, 2, 3, 4
PSEUDO_MAP_IDX, PSEUDO_MAP_IDX_VALUE = 5, 6
PSEUDO_CALL, PSEUDO_KFUNC_CALL = 1, 2

# Atomic operations (imm of an ATOMIC store)
FETCH = 0x01
A_ADD, A_OR, A_AND, A_XOR = ADD, OR, AND, XOR
A_XCHG, A_CMPXCHG = 0xE0 | FETCH, 0xF0 | FETCH
A_LOAD_ACQ, A_STORE_REL = 0x100, 0x110  # from Linux 6.15

M32 = 0xFFFFFFFF
M64 = 0xFFFFFFFFFFFFFFFF
STACK_SIZE = 512

_SLOT = Struct("<BBhi")
_pack = _SLOT.pack

LD_IMM64_OP = LD | DW | IMM
CALL_OP = JMP | CALL
EXIT_OP = JMP | EXIT


def s32(value: int) -> int:
    """Return the low 32 bits of a number as a signed one."""
    value &= M32
    return value - 0x100000000 if value >= 0x80000000 else value


def s64(value: int) -> int:
    """Return the low 64 bits of a number as a signed one."""
    value &= M64
    return value - 0x10000000000000000 if value >= 0x8000000000000000 else value


def fits_imm(value: int) -> bool:
    """Tell whether a 64-bit value (of either sign) is what a sign-extended imm gives."""
    return -0x80000000 <= s64(value) <= 0x7FFFFFFF


# -- arithmetic ---------------------------------------------------------------


def alu(op: int, dst: int, src: int) -> Insn:
    """dst op= src, 64 bits. `op` may be SDIV or SMOD."""
    return (ALU64 | X | op & 0xFF, dst, src, op >> 8, 0)


def alu_imm(op: int, dst: int, imm: int) -> Insn:
    """dst op= imm, 64 bits, imm sign-extended."""
    return (ALU64 | K | op & 0xFF, dst, 0, op >> 8, imm)


def alu32(op: int, dst: int, src: int) -> Insn:
    """dst op= src on the low halves; the upper half of dst becomes 0."""
    return (ALU | X | op & 0xFF, dst, src, op >> 8, 0)


def alu32_imm(op: int, dst: int, imm: int) -> Insn:
    """dst op= imm on the low half; the upper half of dst becomes 0."""
    return (ALU | K | op & 0xFF, dst, 0, op >> 8, imm)


def mov(dst: int, src: int) -> Insn:
    """dst = src."""
    return (ALU64 | X | MOV, dst, src, 0, 0)


def mov_imm(dst: int, imm: int) -> Insn:
    """dst = imm, sign-extended."""
    return (ALU64 | K | MOV, dst, 0, 0, imm)


def mov32(dst: int, src: int) -> Insn:
    """dst = (u32)src."""
    return (ALU | X | MOV, dst, src, 0, 0)


def mov32_imm(dst: int, imm: int) -> Insn:
    """dst = (u32)imm."""
    return (ALU | K | MOV, dst, 0, 0, imm)


def movsx(dst: int, src: int, bits: int) -> Insn:
    """dst = the low 8, 16 or 32 bits of src, sign-extended to 64. v4."""
    return (ALU64 | X | MOV, dst, src, bits, 0)


def movsx32(dst: int, src: int, bits: int) -> Insn:
    """dst = the low 8 or 16 bits of src, sign-extended to 32. v4."""
    return (ALU | X | MOV, dst, src, bits, 0)


def neg(dst: int) -> Insn:
    """dst = -dst."""
    return (ALU64 | NEG, dst, 0, 0, 0)


def neg32(dst: int) -> Insn:
    """dst = (u32)-dst."""
    return (ALU | NEG, dst, 0, 0, 0)


def to_be(dst: int, bits: int) -> Insn:
    """dst = htobe16/32/64(dst), upper bits 0."""
    return (ALU | END | TO_BE, dst, 0, 0, bits)


def to_le(dst: int, bits: int) -> Insn:
    """dst = htole16/32/64(dst), upper bits 0."""
    return (ALU | END | TO_LE, dst, 0, 0, bits)


def bswap(dst: int, bits: int) -> Insn:
    """dst = bswap16/32/64(dst), upper bits 0. v4."""
    return (ALU64 | END, dst, 0, 0, bits)


# -- memory -------------------------------------------------------------------


def ldx(size: int, dst: int, src: int, off: int = 0) -> Insn:
    """dst = *(size bytes)(src + off), zero-extended."""
    return (LDX | MEM | SIZE_CODE[size], dst, src, off, 0)


def ldxsx(size: int, dst: int, src: int, off: int = 0) -> Insn:
    """dst = *(size bytes)(src + off), sign-extended; size 1, 2 or 4. v4."""
    return (LDX | MEMSX | SIZE_CODE[size], dst, src, off, 0)


def stx(size: int, dst: int, off: int, src: int) -> Insn:
    """*(size bytes)(dst + off) = src."""
    return (STX | MEM | SIZE_CODE[size], dst, src, off, 0)


def st_imm(size: int, dst: int, off: int, imm: int) -> Insn:
    """*(size bytes)(dst + off) = imm, sign-extended."""
    return (ST | MEM | SIZE_CODE[size], dst, 0, off, imm)


def atomic(op: int, size: int, dst: int, off: int, src: int, fetch: bool = False) -> Insn:
    """*(size)(dst + off) op= src atomically; with `fetch` (and by XCHG) src gets the old value.

    `op` is A_ADD, A_OR, A_AND, A_XOR, A_XCHG or A_CMPXCHG (compares with R0, which
    gets the old value); size 4 or 8.
    """
    return (STX | ATOMIC | SIZE_CODE[size], dst, src, off, op | fetch)


def load_acquire(size: int, dst: int, src: int, off: int = 0) -> Insn:
    """dst = *(size)(src + off) with acquire order. From Linux 6.15."""
    return (STX | ATOMIC | SIZE_CODE[size], dst, src, off, A_LOAD_ACQ)


def store_release(size: int, dst: int, off: int, src: int) -> Insn:
    """*(size)(dst + off) = src with release order. From Linux 6.15."""
    return (STX | ATOMIC | SIZE_CODE[size], dst, src, off, A_STORE_REL)


def ld_imm64(dst: int, value: int, src: int = 0, high: int | None = None) -> tuple[Insn, Insn]:
    """dst = a 64-bit constant, or what the pseudo source `src` says; `high` sets the second slot's imm."""
    low = s32(value)
    return (LD_IMM64_OP, dst, src, 0, low), (0, 0, 0, 0, s32(value >> 32) if high is None else high)


def ld_map_fd(dst: int, fd: int) -> tuple[Insn, Insn]:
    """dst = the map with the file descriptor `fd`."""
    return ld_imm64(dst, fd, PSEUDO_MAP_FD, 0)


def ld_map_value(dst: int, fd: int, offset: int = 0) -> tuple[Insn, Insn]:
    """dst = address of byte `offset` of the only value of an array map."""
    return ld_imm64(dst, fd, PSEUDO_MAP_VALUE, offset)


def ld_func(dst: int, distance: int) -> tuple[Insn, Insn]:
    """dst = the function `distance` slots after the next instruction's own first slot (a callback)."""
    return ld_imm64(dst, distance, PSEUDO_FUNC, 0)


def load_const(dst: int, value: int) -> tuple[Insn, ...]:
    """dst = value (64 bits, either sign), in as few slots as possible."""
    signed = s64(value)
    if -0x80000000 <= signed <= 0x7FFFFFFF:
        return ((ALU64 | K | MOV, dst, 0, 0, signed),)
    if 0 <= signed <= M32:
        return ((ALU | K | MOV, dst, 0, 0, s32(signed)),)
    return ld_imm64(dst, value)


# -- jumps and calls ----------------------------------------------------------


def jump(op: int, dst: int, src: int, off: int) -> Insn:
    """If dst op src: goto the slot `off` after the next one."""
    return (JMP | X | op, dst, src, off, 0)


def jump_imm(op: int, dst: int, imm: int, off: int) -> Insn:
    """If dst op imm (sign-extended): goto."""
    return (JMP | K | op, dst, 0, off, imm)


def jump32(op: int, dst: int, src: int, off: int) -> Insn:
    """If (u32)dst op (u32)src: goto."""
    return (JMP32 | X | op, dst, src, off, 0)


def jump32_imm(op: int, dst: int, imm: int, off: int) -> Insn:
    """If (u32)dst op imm: goto."""
    return (JMP32 | K | op, dst, 0, off, imm)


def goto(off: int) -> Insn:
    """Goto the slot `off` after the next one."""
    return (JMP | JA, 0, 0, off, 0)


def gotol(off: int) -> Insn:
    """Goto with a 32-bit distance. v4."""
    return (JMP32 | JA, 0, 0, 0, off)


def may_goto(off: int) -> Insn:
    """Goto when the kernel's hidden loop budget is used up. From Linux 6.10."""
    return (JMP | JCOND, 0, 0, off, 0)


def call(helper: int) -> Insn:
    """r0 = helper(r1..r5)."""
    return (CALL_OP, 0, 0, 0, helper)


def call_kfunc(btf_id: int, module: int = 0) -> Insn:
    """r0 = kfunc(r1..r5); `module` is an index into the load's fd_array, 0 for vmlinux."""
    return (CALL_OP, 0, PSEUDO_KFUNC_CALL, module, btf_id)


def call_sub(distance: int) -> Insn:
    """r0 = the function `distance` slots after the next one."""
    return (CALL_OP, 0, PSEUDO_CALL, 0, distance)


def exit_() -> Insn:
    """Return r0."""
    return (EXIT_OP, 0, 0, 0, 0)


# -- the whole ----------------------------------------------------------------


def encode(insns: Iterable[Insn]) -> bytes:
    """Return the bytes that BPF_PROG_LOAD takes. A field out of range is a bug: struct.error."""
    return b"".join([_pack(op, dst | src << 4, off, imm) for op, dst, src, off, imm in insns])


def decode(data: bytes) -> list[Insn]:
    """Return the instructions of a program's bytes."""
    return [(op, regs & 15, regs >> 4, off, imm) for op, regs, off, imm in _SLOT.iter_unpack(data)]


def is_wide(insn: Insn) -> bool:
    """Tell whether this is the first slot of a 64-bit load."""
    return insn[0] == LD_IMM64_OP


def needs_v4(insn: Insn) -> bool:
    """Tell whether an instruction is of cpu version 4, which Linux 6.1 refuses."""
    op, _, _, off, _ = insn
    cls = op & 7
    if cls in (ALU64, ALU):
        code = op & 0xF0
        if code in (DIV, MOD, MOV):
            return off != 0
        return code == END and cls == ALU64
    if cls == LDX:
        return op & 0xE0 == MEMSX
    return op == JMP32 | JA
