"""The interpreter against the kernel: the same programs, the same inputs, through BPF_PROG_TEST_RUN.

Programs are of type `syscall`: their context is plain memory that they may write.
bpf(2) is called by a few lines of this test's own, so that nothing else needs to work.
"""

from __future__ import annotations

import ctypes
import os
import struct
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pystap.bpf import insn as I
from pystap.bpf.asm import Asm
from pystap.bpf.btfinfo import ProgramBtf
from pystap.bpf.consts_gen import (
    BPF_F_RDONLY_PROG,
    BPF_MAP_TYPE_ARRAY,
    BPF_MAP_TYPE_PROG_ARRAY,
    BPF_MAP_TYPE_RINGBUF,
)
from pystap.bpf.object import Code, link
from pystap.bpf.vm.machine import Vm, World, make_map

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="bpf(2) needs root")

M64 = (1 << 64) - 1
MAP_CREATE, MAP_LOOKUP, MAP_UPDATE, PROG_LOAD, TEST_RUN, BTF_LOAD, MAP_FREEZE = 0, 1, 2, 5, 10, 18, 22
TYPE_SOCKET_FILTER, TYPE_SYSCALL, SLEEPABLE = 1, 31, 16
_libc = ctypes.CDLL(None, use_errno=True)


def bpf(command: int, attr: bytes) -> int:
    buffer = ctypes.create_string_buffer(attr, 152)
    result = _libc.syscall(321, command, buffer, len(buffer))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


class Kernel:
    """Loads programs and runs them; closes everything at the end of a `with`."""

    def __init__(self) -> None:
        self.fds: list[int] = []
        self.maps: dict[str, int] = {}
        self.log = ""

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *_: object) -> None:
        for fd in self.fds:
            os.close(fd)

    def map(self, name: str, kind: int, key: int, value: int, entries: int, flags: int = 0) -> int:
        fd = bpf(MAP_CREATE, struct.pack("<5I", kind, key, value, entries, flags))
        self.fds.append(fd)
        self.maps[name] = fd
        return fd

    def put(self, fd: int, key: bytes, value: bytes) -> None:
        k, v = ctypes.create_string_buffer(key), ctypes.create_string_buffer(value)
        bpf(MAP_UPDATE, struct.pack("<IIQQQ", fd, 0, ctypes.addressof(k), ctypes.addressof(v), 0))

    def get(self, fd: int, key: bytes, size: int) -> bytes:
        k, v = ctypes.create_string_buffer(key), ctypes.create_string_buffer(size)
        bpf(MAP_LOOKUP, struct.pack("<IIQQQ", fd, 0, ctypes.addressof(k), ctypes.addressof(v), 0))
        return v.raw

    def constant(self, name: str, data: bytes) -> None:
        fd = self.map(name, BPF_MAP_TYPE_ARRAY, 4, len(data), 1, BPF_F_RDONLY_PROG)
        self.put(fd, bytes(4), data)
        bpf(MAP_FREEZE, struct.pack("<I", fd))

    def load(
        self,
        code: Code,
        btf: ProgramBtf | None = None,
        funcs: bytes = b"",
        lines: bytes = b"",
        kind: int = TYPE_SYSCALL,
    ) -> int:
        insns = I.encode(link(code, self.maps))
        text, licence = ctypes.create_string_buffer(insns), ctypes.create_string_buffer(b"GPL")
        log = ctypes.create_string_buffer(1 << 20)
        funcs_buf, lines_buf = ctypes.create_string_buffer(funcs), ctypes.create_string_buffer(lines)
        flags = SLEEPABLE if kind == TYPE_SYSCALL else 0
        btf_fd = self.btf(btf) if btf is not None else 0
        head = struct.pack("<IIQQ", kind, len(insns) // 8, ctypes.addressof(text), ctypes.addressof(licence))
        head += struct.pack("<IIQII16sII", 1, len(log), ctypes.addressof(log), 0, flags, b"vmtest", 0, 0)
        if btf is not None:
            head += struct.pack("<IIQI", btf_fd, 8, ctypes.addressof(funcs_buf), len(funcs) // 8)
            head += struct.pack("<IQI", 16, ctypes.addressof(lines_buf), len(lines) // 16)
        try:
            fd = bpf(PROG_LOAD, head)
        except OSError as error:
            self.log = log.value.decode()
            raise AssertionError(f"{error}\n{self.log}") from None
        self.fds.append(fd)
        return fd

    def btf(self, btf: ProgramBtf) -> int:
        blob = btf.to_bytes()
        buffer = ctypes.create_string_buffer(blob)
        fd = bpf(BTF_LOAD, struct.pack("<QQII", ctypes.addressof(buffer), 0, len(blob), 0))
        self.fds.append(fd)
        return fd

    def run(self, fd: int, ctx: bytes) -> bytes:
        """Return the context after the run."""
        buffer = ctypes.create_string_buffer(ctx, len(ctx))
        attr = struct.pack("<IIIIQQIIII", fd, 0, 0, 0, 0, 0, 0, 0, len(ctx), 0) + struct.pack(
            "<Q", ctypes.addressof(buffer)
        )
        bpf(TEST_RUN, attr)
        return buffer.raw

    def run_packet(self, fd: int) -> None:
        """Run a socket filter on an empty packet."""
        packet = ctypes.create_string_buffer(64)
        bpf(TEST_RUN, struct.pack("<IIIIQ", fd, 0, len(packet), 0, ctypes.addressof(packet)))


def compare(code, ctx: bytes, maps=None, kernel: Kernel | None = None) -> bytes:
    """Run a program in both; their contexts must be equal afterwards."""
    ours = bytearray(ctx)
    Vm({"p": code}, maps).run("p", ours)
    with kernel or Kernel() as k:
        theirs = k.run(k.load(code), ctx)
    assert bytes(ours) == theirs
    return theirs


# -- arithmetic, jumps, memory

OPS = [I.ADD, I.SUB, I.MUL, I.DIV, I.SDIV, I.MOD, I.SMOD, I.OR, I.AND, I.XOR, I.LSH, I.RSH, I.ARSH]
SHIFTS = (I.LSH, I.RSH, I.ARSH)
word = st.one_of(
    st.integers(0, M64),
    st.sampled_from([0, 1, 2, 31, 32, 63, 64, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 32, 1 << 63, M64]),
)
reg = st.integers(6, 9)
imm = st.integers(-(1 << 31), (1 << 31) - 1)


@st.composite
def arithmetic(draw):
    dst, src, op, wide = draw(reg), draw(reg), draw(st.sampled_from(OPS)), draw(st.booleans())
    form = draw(st.integers(0, 5))
    if form == 0:
        bits = draw(st.sampled_from([16, 32, 64]))
        return [draw(st.sampled_from([I.to_be, I.to_le, I.bswap]))(dst, bits)]
    if form == 1:
        wide_extend = [I.movsx(dst, src, draw(st.sampled_from([8, 16, 32])))]
        return wide_extend if wide else [I.movsx32(dst, src, draw(st.sampled_from([8, 16])))]
    if form == 2:
        return [draw(st.sampled_from([I.neg, I.neg32]))(dst), I.mov32(draw(reg), src)]
    if form == 3:
        value = draw(imm)
        if op in SHIFTS:
            value &= 63 if wide else 31
        elif op in (I.DIV, I.MOD, I.SDIV, I.SMOD):
            value = value or 1
        return [(I.alu_imm if wide else I.alu32_imm)(op, dst, value)]
    return [(I.alu if wide else I.alu32)(op, dst, src)]


JUMPS = [I.JEQ, I.JNE, I.JGT, I.JGE, I.JLT, I.JLE, I.JSGT, I.JSGE, I.JSLT, I.JSLE, I.JSET]


@st.composite
def conditional(draw):
    """A comparison that skips a piece of arithmetic."""
    body = draw(arithmetic()) + draw(arithmetic())
    op, dst, skip = draw(st.sampled_from(JUMPS)), draw(reg), len(body)
    if draw(st.booleans()):
        make = draw(st.sampled_from([I.jump_imm, I.jump32_imm]))
        return [make(op, dst, draw(imm), skip), *body]
    return [draw(st.sampled_from([I.jump, I.jump32]))(op, dst, draw(reg), skip), *body]


@st.composite
def memory(draw):
    """A store to one of four stack slots, and a load from inside of it."""
    slot = -8 * draw(st.integers(1, 4))
    form = draw(st.integers(0, 4))
    size = draw(st.sampled_from([1, 2, 4, 8]))
    inner = slot + size * draw(st.integers(0, 8 // size - 1))
    if form == 0:
        return [I.stx(size, 10, inner, draw(reg))]
    if form == 1:
        return [I.st_imm(size, 10, inner, draw(imm))]
    if form == 2:
        return [I.ldx(size, draw(reg), 10, inner)]
    if form == 3:
        size = draw(st.sampled_from([1, 2, 4]))
        return [I.ldxsx(size, draw(reg), 10, slot)]
    size = draw(st.sampled_from([4, 8]))
    op = draw(st.sampled_from([I.A_ADD, I.A_OR, I.A_AND, I.A_XOR, I.A_XCHG, I.A_CMPXCHG]))
    fetch = draw(st.booleans())
    return [I.mov(0, draw(reg)), I.atomic(op, size, 10, slot, draw(reg), fetch), I.mov(draw(reg), 0)]


def program(pieces) -> list[I.Insn]:
    """Load r6 to r9 and the stack from the context, run the pieces, store them back."""
    code = [I.stx(8, 10, -40, 1)]
    for i in range(4):
        code += [I.ldx(8, 6 + i, 1, 8 * i), I.stx(8, 10, -8 * (i + 1), 6 + i)]
    for piece in pieces:
        code += piece
    code.append(I.ldx(8, 1, 10, -40))
    for i in range(4):
        code += [I.stx(8, 1, 8 * i, 6 + i), I.ldx(8, 0, 10, -8 * (i + 1)), I.stx(8, 1, 32 + 8 * i, 0)]
    return [*code, I.mov_imm(0, 0), I.exit_()]


@cache
def has_v4() -> bool:
    """Whether this kernel takes instructions of cpu version 4 (6.1 doesn't)."""
    with Kernel() as k:
        try:
            k.load(Code([I.mov_imm(0, 0), I.movsx(0, 0, 8), I.exit_()]))
        except AssertionError:
            return False
        return True


def code_of(insns):
    a = Asm()
    a.extend(I.mov_imm(insn[1], 1) if I.needs_v4(insn) and not has_v4() else insn for insn in insns)
    return a.build()


pieces = st.lists(st.one_of(arithmetic(), conditional(), memory()), min_size=1, max_size=25)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(pieces, st.lists(st.tuples(word, word, word, word), min_size=1, max_size=4))
def test_random_programs(pieces, inputs):
    code = code_of(program(pieces))
    with Kernel() as k:
        fd = k.load(code)
        vm = Vm({"p": code})
        for values in inputs:
            ctx = struct.pack("<8Q", *values, 0, 0, 0, 0)
            ours = bytearray(ctx)
            vm.run("p", ours)
            assert bytes(ours) == k.run(fd, ctx)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("wide", [True, False])
def test_edges_of_every_operation(op, wide):
    edges = [0, 1, 2, 63, 64, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 63, (1 << 63) - 1, M64, M64 - 1]
    code = code_of(program([[(I.alu if wide else I.alu32)(op, 6, 7)]]))
    with Kernel() as k:
        fd = k.load(code)
        vm = Vm({"p": code})
        for a in edges:
            for b in edges:
                ctx = struct.pack("<8Q", a, b, 0, 0, 0, 0, 0, 0)
                ours = bytearray(ctx)
                vm.run("p", ours)
                assert bytes(ours) == k.run(fd, ctx), (a, b)


# -- functions, BTF, line info


def loop_program() -> Asm:
    """ctx[1] = result of bpf_loop(ctx[0]), ctx[2] = sum of i over iterations, stopping at i == 20."""
    a = Asm()
    a.func("main")
    a.mov(6, 1)
    a.st_imm(8, 10, -8, 0)
    a.ldx(4, 1, 6, 0)
    a.ld_func(2, "body")
    a.mov(3, 10)
    a.add_imm(3, -8)
    a.mov_imm(4, 0)
    a.call("loop")
    a.stx(8, 6, 8, 0)
    a.ldx(8, 1, 10, -8)
    a.stx(8, 6, 16, 1)
    a.ret(0)
    a.func("body")
    a.ldx(8, 3, 2, 0)
    a.add(3, 1)
    a.stx(8, 2, 0, 3)
    a.mov_imm(0, 0)
    a.jump_imm(I.JNE, 1, 20, "on")
    a.mov_imm(0, 1)
    a.label("on")
    a.exit()
    return a


@pytest.mark.parametrize("count", [0, 1, 10, 20, 21, 100, (1 << 23) + 1])
def test_loop_with_program_btf(count):
    code = loop_program().build()
    btf = ProgramBtf()
    ids = [(0, btf.add_main("main")), (code.funcs[1][1], btf.add_func("body", 2))]
    lines = btf.line_info([(0, "x.stp", "probe a", 1, 1), (code.funcs[1][1], "x.stp", "foreach (i)", 2, 3)])
    ctx = struct.pack("<3Q", count, 0, 0)
    ours = bytearray(ctx)
    Vm({"p": code}).run("p", ours)
    with Kernel() as k:
        assert k.run(k.load(code, btf, btf.func_info(ids), lines), ctx) == bytes(ours)


def test_the_verifier_names_the_scripts_line():
    a = Asm()
    a.mov_imm(0, 0)
    a.ldx(8, 1, 10, 8)
    a.exit()
    btf = ProgramBtf()
    funcs = btf.func_info([(0, btf.add_main("main"))])
    lines = btf.line_info([(0, "x.stp", "probe begin {", 3, 1), (1, "x.stp", "    print($bad->x)", 4, 11)])
    with Kernel() as k:
        with pytest.raises(AssertionError):
            k.load(a.build(), btf, funcs, lines)
        assert "print($bad->x)" in k.log
        assert "@ x.stp:4" in k.log or not has_v4()  # 6.1 shows the text only


def test_map_types_in_program_btf_are_accepted():
    btf = ProgramBtf()
    btf.add_int("int")
    btf.add_bytes("value", 40)
    btf.add_ptr(btf.add_struct("pair", 16, [("a", btf.add_int("u64", 8, False), 0), ("b", btf.add_int(), 8)]))
    with Kernel() as k:
        assert k.btf(btf) > 0


def test_functions_and_tail_calls():
    """out[0] *= 3 in a function, then a tail call to itself; out[1] = 1 when the calls are used up."""
    a = Asm()
    a.mov(6, 1)
    a.ld_map_value(7, "out")
    a.ldx(8, 1, 7, 0)
    a.mov_imm(2, 3)
    a.call_sub("triple")
    a.stx(8, 7, 0, 0)
    a.mov(1, 6)
    a.ld_map(2, "progs")
    a.mov_imm(3, 0)
    a.call("tail_call")
    a.ld_map_value(7, "out")
    a.st_imm(8, 7, 8, 1)
    a.ret(0)
    a.func("triple")
    a.mov(0, 1)
    a.alu(I.MUL, 0, 2)
    a.exit()
    code = a.build()
    start = struct.pack("<2Q", 1, 0)
    maps = {"progs": make_map("prog_array", 4, 4, 1), "out": make_map("array", 4, 16, 1)}
    maps["progs"].progs[0] = "p"
    maps["out"].set(0, start)
    Vm({"p": code}, maps).run("p")
    with Kernel() as k:
        array = k.map("progs", BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1)
        out = k.map("out", BPF_MAP_TYPE_ARRAY, 4, 16, 1)
        k.put(out, bytes(4), start)
        fd = k.load(code, kind=TYPE_SOCKET_FILTER)
        k.put(array, bytes(4), struct.pack("<I", fd))
        k.run_packet(fd)
        theirs = k.get(out, bytes(4), 16)
    assert maps["out"].get(0) == theirs == struct.pack("<2Q", pow(3, 34), 1)


# -- helpers


@pytest.mark.parametrize("size", [1, 8, 9, 16, 100, 1000, 2040, 2041, 4080, 4088, 4089])
def test_how_many_records_fit_a_ring(size):
    a = Asm()
    a.mov(6, 1)
    a.mov_imm(7, 0)
    for _ in range(300 if size < 10 else 40):
        a.ld_map(1, "ring")
        a.mov_imm(2, size)
        a.mov_imm(3, 0)
        a.call("ringbuf_reserve")
        a.jump_imm(I.JEQ, 0, 0, "full")
        a.mov(1, 0)
        a.mov_imm(2, 0)
        a.call("ringbuf_submit")
        a.add_imm(7, 1)
    a.label("full")
    a.stx(8, 6, 0, 7)
    a.ret(0)
    code = a.build()
    ours = bytearray(8)
    Vm({"p": code}, {"ring": make_map("ringbuf", 0, 0, 4096)}).run("p", ours)
    with Kernel() as k:
        k.map("ring", BPF_MAP_TYPE_RINGBUF, 0, 0, 4096)
        assert k.run(k.load(code), bytes(8)) == bytes(ours)


def snprintf(fmt: bytes, count: int, pointer: bool) -> Asm:
    """ctx: result, 64 bytes of text, up to three arguments; with `pointer` the first points to `data`."""
    a = Asm()
    a.mov(6, 1)
    for i in range(count):
        a.ldx(8, 1, 6, 72 + 8 * i)
        if pointer and i == 0:
            a.ld_map_value(1, "data")
        a.stx(8, 10, -24 + 8 * i, 1)
    a.mov(1, 6)
    a.ld_map_value(1, "out")
    a.mov_imm(2, 64)
    a.ld_map_value(3, "fmt")
    a.mov(4, 10)
    a.add_imm(4, -24)
    a.mov_imm(5, 8 * count)
    if not count:
        a.mov_imm(4, 0)
    a.call("snprintf")
    a.stx(8, 6, 0, 0)
    a.ld_map_value(2, "out")
    for i in range(8):
        a.ldx(8, 1, 2, 8 * i)
        a.stx(8, 6, 8 + 8 * i, 1)
    a.ret(0)
    return a


TEXT = b"hello\0" + bytes(10)
ADDRESS = bytes([192, 168, 3, 30]) + bytes(8) + bytes([0xFE, 0x80, 0, 1])


@pytest.mark.parametrize(
    ("fmt", "args", "data"),
    [
        (b"plain %%", [], None),
        (b"%d %u %x", [M64, M64, 0xABCD], None),
        (b"%ld %lu %lX", [M64, M64, 0xABCDEF0123], None),
        (b"%lld|%llu|%llx", [1 << 63, 1 << 63, 1 << 63], None),
        (b"%8d|%-8d|%08d", [42, 42, -42 & M64], None),
        (b"%+d|% d|%+lld", [5, 5, -5 & M64], None),
        (b"%-08d|%0-8d|", [5, 5], None),
        (b"%08x|%-8x|%8lx", [255, 255, M64], None),
        (b"%i %c%c", [7, 0x41, 0x142], None),
        (b"%3c|%-3c|", [0x41, 0x42], None),
        (b"%px-%px", [0x1234, M64], None),
        (b"<%s>", [0], TEXT),
        (b"<%8s>%d", [0, 5], TEXT),
        (b"<%-8s>%d", [0, 5], TEXT),
        (b"<%s>", [0], None),
        (b"%pI4 %d", [0, 7], ADDRESS),
        (b"%pi4", [0], ADDRESS),
        (b"%pI6", [0], ADDRESS),
        (b"%pi6,%d", [0, 7], ADDRESS),
        (b"%pI4xyz", [0], ADDRESS),
        (b"%20pI4|", [0], ADDRESS),
        (b"%pks|%d", [0, 5], TEXT),
        (b"0123456789012345678901234567890123456789012345678901234567890123456789%d", [5], None),
    ],
)
def test_snprintf(fmt, args, data):
    code = snprintf(fmt, len(args), data is not None).build()
    ctx = struct.pack("<Q64s3Q", 0, b"", *args, *[0] * (3 - len(args)))
    maps = {"out": make_map("array", 4, 64, 1), "fmt": make_map("array", 4, len(fmt) + 1, 1)}
    maps["fmt"].set(0, fmt + b"\0")
    maps["data"] = make_map("array", 4, 16, 1)
    maps["data"].set(0, data or bytes(16))
    ours = bytearray(ctx)
    Vm({"p": code}, maps, World()).run("p", ours)
    with Kernel() as k:
        k.map("out", BPF_MAP_TYPE_ARRAY, 4, 64, 1)
        k.constant("fmt", fmt + b"\0")
        k.constant("data", data or bytes(16))
        theirs = k.run(k.load(code), ctx)
    assert bytes(ours) == theirs


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"ping\0", b"ping\0"),
        (b"ping\0", b"pong\0"),
        (b"pings", b"ping\0"),
        (b"pingx", b"pings\0"),
        (b"\0abc\0", b"\0"),
    ],
)
def test_strncmp(one, other):
    a = Asm()
    a.mov(6, 1)
    a.ld_map_value(1, "one")
    a.mov_imm(2, 5)
    a.ld_map_value(3, "other")
    a.call("strncmp")
    a.stx(8, 6, 0, 0)
    a.ret(0)
    code = a.build()
    maps = {}
    with Kernel() as k:
        for name, text in (("one", one), ("other", other)):
            k.constant(name, text)
            maps[name] = make_map("array", 4, len(text), 1)
            maps[name].set(0, text)
        ours = bytearray(8)
        Vm({"p": code}, maps).run("p", ours)
        (theirs,) = struct.unpack("<q", k.run(k.load(code), bytes(8)))
    (mine,) = struct.unpack("<q", ours)
    # The kernel gives the difference of the two bytes; only the sign is promised.
    assert (mine > 0) - (mine < 0) == (theirs > 0) - (theirs < 0)


@pytest.mark.parametrize(
    "text",
    [
        b"42",
        b" 42x",
        b"-7",
        b"+7",
        b"0x1F",
        b"0x",
        b"0xg",
        b"017",
        b"08",
        b"abc",
        b"-",
        b" ",
        b"\t5",
        b"--5",
        b"9223372036854775807",
        b"9223372036854775808",
        b"-9223372036854775808",
        b"-9223372036854775809",
        b"1 2",
    ],
)
@pytest.mark.parametrize("base", [0, 8, 10, 16])
def test_strtol(text, base):
    a = Asm()
    a.mov(6, 1)
    a.st_imm(8, 10, -8, 0)
    a.ld_map_value(1, "text")
    a.mov_imm(2, len(text) + 1)
    a.mov_imm(3, base)
    a.mov(4, 10)
    a.add_imm(4, -8)
    a.call("strtol")
    a.stx(8, 6, 0, 0)
    a.ldx(8, 1, 10, -8)
    a.stx(8, 6, 8, 1)
    a.ret(0)
    code = a.build()
    m = make_map("array", 4, len(text) + 1, 1)
    m.set(0, text + b"\0")
    kernel = Kernel()
    kernel.constant("text", text + b"\0")
    compare(code, bytes(16), {"text": m}, kernel)
