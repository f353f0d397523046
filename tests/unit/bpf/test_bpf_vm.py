"""The interpreter: memory, atomics, functions, tail calls, and the faults that stand for the verifier."""

import struct

import pytest

from pystap.bpf import insn as I
from pystap.bpf.asm import Asm
from pystap.bpf.vm.machine import Vm, VmFault, World, make_map

MAX64 = (1 << 64) - 1


def machine(build, maps=None, world=None, **named):
    a = Asm()
    build(a)
    return Vm({"p": a.build()}, maps, world, **named)


def run(build, ctx=b"", maps=None, world=None, **named):
    return machine(build, maps, world, **named).run("p", ctx)


def fault(build, match, **named):
    with pytest.raises(VmFault, match=match) as caught:
        run(build, **named)
    return caught.value


# -- memory


@pytest.mark.parametrize(
    ("size", "value"), [(1, 0x88), (2, 0x7788), (4, 0x55667788), (8, 0x1122334455667788)]
)
def test_stack_loads_and_stores(size, value):
    def build(a):
        a.load(1, 0x1122334455667788)
        a.st_imm(8, 10, -8, -1)
        a.stx(size, 10, -8, 1)
        a.ldx(size, 0, 10, -8)
        a.exit()

    assert run(build) == value


def test_a_store_leaves_its_neighbours():
    def build(a):
        a.load(1, 0x1122334455667788)
        a.stx(8, 10, -8, 1)
        a.st_imm(2, 10, -6, 0x3344)
        a.ldx(8, 0, 10, -8)
        a.exit()

    assert run(build) == 0x1122334433447788


def test_sign_extending_loads():
    def build(a, size):
        a.load(1, 0x00000000FFFEFDFC)
        a.stx(8, 10, -8, 1)
        a.ldxsx(size, 0, 10, -8)
        a.exit()

    assert run(lambda a: build(a, 1)) == -4 & MAX64
    assert run(lambda a: build(a, 2)) == 0xFFFFFFFFFFFFFDFC
    assert run(lambda a: build(a, 4)) == 0xFFFFFFFFFFFEFDFC


def test_ctx():
    def build(a):
        a.ldx(4, 0, 1, 4)
        a.exit()

    assert run(build, struct.pack("<II", 1, 2)) == 2


def test_ctx_can_be_written_only_if_it_may():
    def build(a):
        a.st_imm(4, 1, 0, 9)
        a.ret(0)

    ctx = bytearray(4)
    run(build, ctx)
    assert ctx == b"\x09\0\0\0"
    fault(build, "ctx is read-only", ctx=bytes(4))


@pytest.mark.parametrize(("off", "size"), [(0, 1), (-4, 8), (-513, 1), (-520, 8), (8, 8)])
def test_outside_of_the_stack(off, size):
    def build(a):
        a.mov_imm(0, 0)
        a.mov_imm(2, 0)
        a.stx(size, 10, off, 2)
        a.exit()

    error = fault(build, "the stack of frame 0, which has 512")
    assert (error.program, error.pc) == ("p", 2)
    assert f"(r10 {off:+d})" in str(error)


def test_a_fault_has_the_tag():
    a = Asm()
    a.mov_imm(0, 0)
    a.tag = "script.stp:7"
    a.ldx(8, 1, 10, 0)
    with pytest.raises(
        VmFault, match=r"p, instruction 1 .*from 'script.stp:7'.*read of 8 bytes at offset 512"
    ):
        Vm({"p": a.build()}).run("p")


def test_misaligned_stack_access():
    fault(lambda a: (a.st_imm(8, 10, -12, 0), a.ret(0)), "misaligned")


def test_fresh_stack_has_a_pattern():
    def build(a):
        a.ldx(8, 0, 10, -512)
        a.exit()

    assert run(build) == 0xA5A5A5A5A5A5A5A5


def test_kernel_memory():
    world = World()
    kept = world.add_kernel(0xFFFF888000001000, struct.pack("<QQ", 0xFFFF888000002000, 7))
    world.add_kernel(0xFFFF888000001010, b"\x01\x02\x03\x04")

    def build(a, off, size=8):
        a.ldx(8, 1, 1, 0)
        a.ldx(size, 0, 1, off)
        a.exit()

    ctx = struct.pack("<Q", 0xFFFF888000001000)
    assert run(lambda a: build(a, 8), ctx, world=world) == 7
    # Across two ranges that touch; then partly, and fully, outside: 0, as from a bad pointer.
    assert run(lambda a: build(a, 14, 4), ctx, world=world) == 0x02010000
    assert run(lambda a: build(a, 14), ctx, world=world) == 0
    assert run(lambda a: build(a, 4096), ctx, world=world) == 0
    kept[8] = 9
    assert run(lambda a: build(a, 8), ctx, world=world) == 9
    world.lenient_loads = False
    fault(lambda a: build(a, 4096), "isn't the program's memory", ctx=ctx, world=world)


def test_kernel_memory_cannot_be_written():
    world = World()
    world.add_kernel(0xFFFF888000001000, bytes(8))
    fault(
        lambda a: (a.load(1, 0xFFFF888000001000), a.st_imm(8, 1, 0, 0), a.ret(0)),
        "write of 8 bytes",
        world=world,
    )


def test_memory_given_twice():
    world = World()
    world.add_kernel(0x1000, bytes(16))
    with pytest.raises(ValueError, match="given twice"):
        world.add_kernel(0x100F, bytes(1))
    with pytest.raises(ValueError, match="given twice"):
        world.add_kernel(0xFFF, bytes(2))


# -- what was never set


@pytest.mark.parametrize(
    "insn",
    [
        I.alu_imm(I.ADD, 3, 1), I.alu(I.ADD, 0, 3), I.mov(0, 3), I.mov32(0, 3), I.neg(3), I.to_be(3, 16),
        I.movsx(0, 3, 8), I.ldx(8, 0, 3), I.stx(8, 10, -8, 3), I.stx(8, 3, 0, 0), I.atomic(I.A_ADD, 8, 10, -8, 3),
        I.jump_imm(I.JEQ, 3, 0, 0), I.jump32_imm(I.JGT, 3, 0, 0), I.jump(I.JNE, 0, 3, 0),
    ],
)  # fmt: skip
def test_registers_that_were_never_set(insn):
    def build(a):
        a.mov_imm(0, 0)
        a.emit(insn)
        a.exit()

    fault(build, "r3 was never set")


def test_other_registers_that_were_never_set():
    fault(lambda a: a.exit(), "returns without having set r0")
    fault(lambda a: (a.call("ktime_get_ns"), a.mov(0, 1), a.exit()), "r1 was never set")
    fault(lambda a: (a.mov_imm(1, 0), a.call("map_lookup_elem")), "helper bpf_map_lookup_elem reads r2")
    # cmpxchg compares with r0
    fault(lambda a: (a.mov_imm(2, 0), a.atomic(I.A_CMPXCHG, 8, 10, -8, 2), a.exit()), "r0 was never set")


def test_running_off_the_end():
    fault(lambda a: a.mov_imm(0, 0), "runs past its end")
    fault(lambda a: a.emit(I.goto(5)), "jump out of the program")
    fault(lambda a: (a.emit(I.goto(1)), a.load(1, 1 << 40), a.ret(0)), "middle of a 64-bit load")


def test_endless_loops_end():
    def build(a):
        a.label("x")
        a.goto("x")

    fault(build, "more than 1000 instructions", budget=1000)


def test_counting():
    vm = machine(lambda a: (a.mov_imm(0, 1), a.add_imm(0, 1), a.exit()))
    assert vm.run("p") == 2
    assert vm.executed == 3


def test_may_goto_goes_when_the_budget_is_used_up():
    def build(a):
        a.mov_imm(0, 0)
        a.label("again")
        a.may_goto("out")
        a.add_imm(0, 1)
        a.goto("again")
        a.label("out")
        a.exit()

    vm = machine(build)
    vm._may_goto_limit = 100
    assert vm.run("p") == 100


# -- atomics


@pytest.mark.parametrize(
    ("op", "fetch", "memory", "register"),
    [
        (I.A_ADD, False, 0xF0 + 0x3C, 0x3C),
        (I.A_OR, False, 0xFC, 0x3C),
        (I.A_AND, False, 0x30, 0x3C),
        (I.A_XOR, False, 0xCC, 0x3C),
        (I.A_ADD, True, 0xF0 + 0x3C, 0xF0),
        (I.A_OR, True, 0xFC, 0xF0),
        (I.A_AND, True, 0x30, 0xF0),
        (I.A_XOR, True, 0xCC, 0xF0),
        (I.A_XCHG, False, 0x3C, 0xF0),
    ],
)
@pytest.mark.parametrize("size", [4, 8])
def test_atomics(op, fetch, memory, register, size):
    def build(a):
        a.load(1, 0x55 << 56 | 0xF0)
        a.stx(8, 10, -8, 1)
        a.load(2, 0x3C)
        a.atomic(op, size, 10, -8, 2, fetch)
        a.ldx(size, 0, 10, -8)
        a.alu_imm(I.LSH, 2, 16)
        a.alu(I.OR, 0, 2)
        a.exit()

    high = 0x55 << 56 if size == 8 and op != I.A_XCHG and op != I.A_AND else 0
    old = 0x55 << 56 if size == 8 and (fetch or op == I.A_XCHG) else 0
    assert run(build) == high | memory | (register | old) << 16 & MAX64


@pytest.mark.parametrize(("expected", "memory"), [(5, 9), (6, 5)])
def test_compare_and_exchange(expected, memory):
    def build(a):
        a.st_imm(8, 10, -8, 5)
        a.mov_imm(0, expected)
        a.mov_imm(2, 9)
        a.atomic(I.A_CMPXCHG, 8, 10, -8, 2)
        a.ldx(8, 1, 10, -8)
        a.alu_imm(I.LSH, 0, 8)
        a.alu(I.OR, 0, 1)
        a.exit()

    assert run(build) == 5 << 8 | memory


def test_32_bit_compare_and_exchange_looks_at_the_low_half():
    def build(a):
        a.st_imm(8, 10, -8, 5)
        a.load(0, 7 << 32 | 5)
        a.mov_imm(2, 9)
        a.atomic(I.A_CMPXCHG, 4, 10, -8, 2)
        a.exit()

    assert run(build) == 5


def test_acquire_and_release():
    def build(a):
        a.mov_imm(1, 77)
        a.emit(I.store_release(8, 10, -8, 1))
        a.emit(I.load_acquire(8, 0, 10, -8))
        a.exit()

    assert run(build) == 77


def test_misaligned_atomics():
    maps = {"m": make_map("array", 4, 16, 1)}

    def build(a):
        a.ld_map_value(1, "m", 4)
        a.mov_imm(2, 1)
        a.atomic(I.A_ADD, 8, 1, 0, 2)
        a.ret(0)

    fault(build, "misaligned", maps=maps)


# -- functions


def test_a_function_has_its_own_frame_and_keeps_r6_to_r9():
    def build(a):
        a.st_imm(8, 10, -8, 1)
        a.mov_imm(6, 60)
        a.mov_imm(1, 5)
        a.mov(2, 10)
        a.call_sub("callee")
        a.ldx(8, 1, 10, -8)
        a.add(0, 1)
        a.add(0, 6)
        a.exit()
        a.func("callee")
        a.st_imm(8, 10, -8, 100)
        a.mov_imm(6, 7)
        a.mov(0, 1)
        a.add(0, 6)
        a.st_imm(8, 2, -8, 1000)
        a.exit()

    assert run(build) == 5 + 7 + 1000 + 60


def test_a_function_sees_only_its_arguments():
    def build(a):
        a.mov_imm(6, 1)
        a.call_sub("f")
        a.exit()
        a.func("f")
        a.mov(0, 6)
        a.exit()

    fault(build, "r6 was never set")


def test_a_frame_is_gone_after_its_function():
    def build(a):
        a.call_sub("f")
        a.ldx(8, 0, 0, -8)
        a.exit()
        a.func("f")
        a.st_imm(8, 10, -8, 1)
        a.mov(0, 10)
        a.exit()

    fault(build, "no longer valid")


def test_recursion_ends():
    def build(a):
        a.func("f")
        a.call_sub("f")
        a.exit()

    fault(build, "more than 8 functions deep")


def loop(a, count, body):
    a.mov_imm(1, count)
    a.ld_func(2, "body")
    a.mov(3, 10)
    a.add_imm(3, -8)
    a.mov_imm(4, 0)
    a.call("loop")
    a.ldx(8, 1, 10, -8)
    a.alu_imm(I.LSH, 1, 8)
    a.alu(I.OR, 0, 1)
    a.exit()
    a.func("body")
    body(a)


def summing(a):
    a.ldx(8, 3, 2, 0)
    a.add(3, 1)
    a.stx(8, 2, 0, 3)


def test_loop():
    def build(a):
        a.st_imm(8, 10, -8, 0)
        loop(a, 10, lambda a: (summing(a), a.ret(0)))

    assert run(build) == 45 << 8 | 10


def test_loop_stops():
    def body(a):
        summing(a)
        a.mov_imm(0, 0)
        a.jump_imm(I.JNE, 1, 3, "on")
        a.mov_imm(0, 1)
        a.label("on")
        a.exit()

    assert run(lambda a: (a.st_imm(8, 10, -8, 0), loop(a, 10, body))) == 6 << 8 | 4


def test_loop_limits():
    build = lambda count: lambda a: (a.st_imm(8, 10, -8, 0), loop(a, count, lambda a: a.ret(0)))  # noqa: E731
    assert run(build((1 << 23) + 1)) == -7 & 0xFFFFFFFF
    fault(
        lambda a: (a.load(1, 1 << 32), a.mov_imm(2, 0), a.mov_imm(3, 0), a.mov_imm(4, 0), a.call("loop")),
        "32 bits",
    )
    fault(build(1 << 20), "more than 5000 instructions", budget=5000)
    fault(lambda a: (a.st_imm(8, 10, -8, 0), loop(a, 3, lambda a: a.ret(2))), "a callback returned 0x2")


def test_tail_calls():
    first, second, other = Asm(), Asm(), Asm()
    for a, index in ((first, 3), (second, 9)):
        a.mov(6, 1)
        a.st_imm(8, 10, -8, 1)
        a.ld_map(2, "progs")
        a.mov_imm(3, index)
        a.call("tail_call")
        a.mov_imm(0, 11)
        a.exit()
    other.ldx(4, 0, 1, 0)
    other.exit()
    progs = make_map("prog_array", 4, 4, 8)
    progs.progs[3] = "other"
    vm = Vm({"first": first.build(), "second": second.build(), "other": other.build()}, {"progs": progs})
    assert vm.run("first", b"\x2a\0\0\0") == 42
    assert vm.run("second", b"\x2a\0\0\0") == 11


def test_33_tail_calls():
    a = Asm()
    a.mov(6, 1)
    a.ldx(4, 7, 6, 0)
    a.add_imm(7, 1)
    a.stx(4, 6, 0, 7)
    a.ld_map(2, "progs")
    a.mov_imm(3, 0)
    a.call("tail_call")
    a.ret(0)
    progs = make_map("prog_array", 4, 4, 1)
    progs.progs[0] = "p"
    ctx = bytearray(4)
    Vm({"p": a.build()}, {"progs": progs}).run("p", ctx)
    assert ctx[0] == 34


def test_what_a_tail_called_program_sees():
    second = Asm()
    second.mov(0, 6)
    second.exit()
    progs = make_map("prog_array", 4, 4, 1)
    progs.progs[0] = "second"
    a = Asm()
    a.mov_imm(6, 1)
    a.ld_map(2, "progs")
    a.mov_imm(3, 0)
    a.call("tail_call")
    a.ret(0)
    vm = Vm({"p": a.build(), "second": second.build()}, {"progs": progs})
    with pytest.raises(VmFault, match=r"second, instruction 0 .*r6 was never set"):
        vm.run("p")


# -- calls


def test_unknown_helpers_are_named():
    fault(lambda a: (a.call("skb_store_bytes"), a.exit()), "bpf_skb_store_bytes is not supported")
    fault(lambda a: (a.call(9999), a.exit()), "no helper 9999")
    fault(lambda a: (a.call_kfunc("bpf_task_from_pid"), a.exit()), "bpf_task_from_pid is not supported")


def test_kfuncs():
    def build(a):
        a.ldx(8, 1, 1, 0)
        a.mov_imm(2, 55)
        a.call_kfunc("bpf_rdonly_cast")
        a.ldx(4, 1, 0, 4)
        a.call_kfunc("double")
        a.exit()

    world = World()
    world.add_kernel(0xFFFF888000001000, struct.pack("<II", 1, 21))
    double = {"double": (lambda vm, x: 2 * x, 1)}
    assert run(build, struct.pack("<Q", 0xFFFF888000001000), world=world, kfuncs=double) == 42


def test_number_iterator():
    def build(a):
        a.mov_imm(6, 0)
        a.mov(1, 10)
        a.add_imm(1, -8)
        a.mov_imm(2, 5)
        a.mov_imm(3, 9)
        a.call_kfunc("bpf_iter_num_new")
        a.label("next")
        a.mov(1, 10)
        a.add_imm(1, -8)
        a.call_kfunc("bpf_iter_num_next")
        a.jump_imm(I.JEQ, 0, 0, "done")
        a.ldx(4, 1, 0, 0)
        a.add(6, 1)
        a.goto("next")
        a.label("done")
        a.mov(1, 10)
        a.add_imm(1, -8)
        a.call_kfunc("bpf_iter_num_destroy")
        a.mov(0, 6)
        a.exit()

    assert run(build) == 5 + 6 + 7 + 8


def test_linked_programs_name_maps_by_descriptor():
    m = make_map("array", 4, 8, 1, name="m")
    code = [*I.ld_map_value(1, 5, 0), I.st_imm(8, 1, 0, 3), *I.ld_map_fd(2, 5), *I.ld_map_fd(3, 6), I.exit_()]
    with pytest.raises(VmFault, match="descriptor 6 was not given"):
        Vm({"p": code}, fds={5: m}).run("p")
    assert m.get(0) == struct.pack("<Q", 3)


def test_a_program_within_a_program():
    """As when an interrupt's probe fires in the middle of another program."""
    inner, outer = Asm(), Asm()
    inner.st_imm(8, 10, -8, 99)
    inner.ret(5)
    outer.st_imm(8, 10, -8, 7)
    outer.mov_imm(6, 30)
    outer.call_kfunc("interrupt")
    outer.ldx(8, 1, 10, -8)
    outer.add(0, 1)
    outer.add(0, 6)
    outer.exit()
    vm = Vm(
        {"outer": outer.build(), "inner": inner.build()},
        kfuncs={"interrupt": (lambda vm: vm.run("inner"), 0)},
    )
    assert vm.run("outer") == 5 + 7 + 30
    assert vm.executed == 8 + 2
