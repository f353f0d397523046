"""Maps through the helpers, as programs see them, and from the user's side."""

import struct

import pytest

from pystap.bpf import insn as I
from pystap.bpf.asm import Asm
from pystap.bpf.vm.machine import Vm, VmFault, World, make_map

MAX64 = (1 << 64) - 1
ENOENT, E2BIG, EEXIST, EINVAL = (-n & MAX64 for n in (2, 7, 17, 22))


def u64(value):
    return struct.pack("<Q", value)


def machine(m, build, world=None):
    a = Asm()
    build(a)
    return Vm({"p": a.build()}, {"m": m}, world)


def key_value(a, key, value=0):
    """r1 = the map, r2 = a key on the stack, r3 = a value on the stack."""
    a.st_imm(4, 10, -4, key)
    a.st_imm(8, 10, -16, value)
    a.ld_map(1, "m")
    a.mov(2, 10)
    a.add_imm(2, -4)
    a.mov(3, 10)
    a.add_imm(3, -16)


def update(m, key, value, flags=0, world=None):
    def build(a):
        key_value(a, key, value)
        a.mov_imm(4, flags)
        a.call("map_update_elem")
        a.exit()

    return machine(m, build, world).run("p")


def delete(m, key):
    return machine(m, lambda a: (key_value(a, key), a.call("map_delete_elem"), a.exit())).run("p")


def lookup(m, key, world=None, default=77):
    """The 8 bytes of the value, or the default."""

    def build(a):
        key_value(a, key)
        a.call("map_lookup_elem")
        a.jump_imm(I.JEQ, 0, 0, "none")
        a.ldx(8, 0, 0, 0)
        a.exit()
        a.label("none")
        a.ret(default)

    return machine(m, build, world).run("p")


def test_array():
    m = make_map("array", 4, 8, 3)
    assert [lookup(m, i) for i in (0, 2, 3)] == [0, 0, 77]
    assert update(m, 2, 5) == 0
    assert lookup(m, 2) == 5
    assert update(m, 3, 5) == E2BIG
    assert update(m, 0, 5, flags=1) == EEXIST
    assert update(m, 0, 5, flags=2) == 0
    assert delete(m, 0) == EINVAL
    assert list(m.items().values()) == [u64(5), u64(0), u64(5)]
    m.set(1, u64(9))
    assert lookup(m, 1) == 9


@pytest.mark.parametrize("kind", ["hash", "lru_hash", "percpu_hash", "lru_percpu_hash"])
def test_hash(kind):
    m = make_map(kind, 4, 8, 10)
    assert lookup(m, 1) == 77
    assert update(m, 1, 5, flags=2) == ENOENT
    assert update(m, 1, 5, flags=1) == 0
    assert update(m, 1, 6, flags=1) == EEXIST
    assert update(m, 1, 6, flags=3) == EINVAL
    assert lookup(m, 1) == 5
    assert update(m, 1, 6) == 0
    assert lookup(m, 1) == 6
    assert delete(m, 1) == 0
    assert delete(m, 1) == ENOENT
    assert lookup(m, 1) == 77
    m.set(9, u64(3))
    assert m.items() == {b"\x09\0\0\0": u64(3)}
    assert m.get(9) == u64(3)
    assert m.get(8) is None
    assert m.remove(9)
    assert not m.remove(9)


def test_full_hash():
    m = make_map("hash", 4, 8, 2)
    assert [update(m, key, 1) for key in (1, 2, 3, 1)] == [0, 0, E2BIG, 0]
    with pytest.raises(ValueError, match="errno 7"):
        m.set(3, u64(0))


def test_full_lru_hash_drops_the_least_recently_used():
    m = make_map("lru_hash", 4, 8, 2)
    assert [update(m, key, key) for key in (1, 2)] == [0, 0]
    assert lookup(m, 1) == 1
    assert update(m, 3, 3) == 0
    assert sorted(m.items()) == [b"\x01\0\0\0", b"\x03\0\0\0"]


@pytest.mark.parametrize("kind", ["percpu_array", "percpu_hash"])
def test_per_cpu(kind):
    m = make_map(kind, 4, 8, 10, cpus=3)
    for cpu in (0, 2):
        assert update(m, 1, 10 + cpu, world=World(cpu=cpu, cpus=3)) == 0
    assert [lookup(m, 1, World(cpu=cpu, cpus=3)) for cpu in range(3)] == [10, 0, 12]
    assert m.get_all(1) == [u64(10), u64(0), u64(12)]

    def other(a):
        key_value(a, 1)
        a.mov_imm(3, 2)
        a.call("map_lookup_percpu_elem")
        a.ldx(8, 0, 0, 0)
        a.exit()

    assert machine(m, other, World(cpu=0, cpus=3)).run("p") == 12


def test_values_have_bounds():
    m = make_map("array", 4, 8, 3, name="counts")

    def build(a, off):
        key_value(a, 1)
        a.call("map_lookup_elem")
        a.st_imm(4, 0, off, 1)
        a.ret(0)

    machine(m, lambda a: build(a, 4)).run("p")
    assert m.get(1) == u64(1 << 32)
    for off in (5, 8, -4):
        with pytest.raises(VmFault, match=f"offset {off} of element 1 of counts, which has 8"):
            machine(m, lambda a, off=off: build(a, off)).run("p")


def test_a_deleted_value_may_be_read_until_the_run_ends():
    m = make_map("hash", 4, 8, 3)

    def build(a):
        key_value(a, 1, 42)
        a.mov_imm(4, 0)
        a.call("map_update_elem")
        key_value(a, 1)
        a.call("map_lookup_elem")
        a.mov(6, 0)
        key_value(a, 1)
        a.call("map_delete_elem")
        a.ldx(8, 0, 6, 0)
        a.exit()

    vm = machine(m, build)
    places = len(vm.memory.regions)
    assert vm.run("p") == 42
    assert vm.run("p") == 42
    assert len(vm.memory.regions) <= places + 1  # the map itself


def test_keys_and_values_must_be_the_programs():
    m = make_map("hash", 4, 8, 3)

    def build(a):
        a.ld_map(1, "m")
        a.mov(2, 10)
        a.add_imm(2, -2)
        a.call("map_lookup_elem")
        a.exit()

    with pytest.raises(VmFault, match="read of 4 bytes at offset 510 of the stack"):
        machine(m, build).run("p")
    with pytest.raises(VmFault, match="0x5 is no map"):
        machine(m, lambda a: (key_value(a, 0), a.mov_imm(1, 5), a.call("map_lookup_elem"), a.exit())).run("p")


def test_direct_values():
    m = make_map("array", 4, 32, 1)

    def build(a):
        a.ld_map_value(1, "m", 8)
        a.st_imm(8, 1, 8, 6)
        a.ret(0)

    machine(m, build).run("p")
    assert m.get(0) == bytes(16) + u64(6) + bytes(8)


def test_map_of_maps():
    outer = make_map("array_of_maps", 4, 4, 2)
    inner = make_map("hash", 4, 8, 4)
    inner.set(7, u64(70))
    outer.put(1, inner)

    def build(a, index):
        key_value(a, index)
        a.call("map_lookup_elem")
        a.jump_imm(I.JEQ, 0, 0, "none")
        a.mov(6, 0)
        key_value(a, 7)
        a.mov(1, 6)
        a.call("map_lookup_elem")
        a.ldx(8, 0, 0, 0)
        a.exit()
        a.label("none")
        a.ret(1)

    assert machine(outer, lambda a: build(a, 1)).run("p") == 70
    assert machine(outer, lambda a: build(a, 0)).run("p") == 1


def for_each(a, stop_at):
    a.st_imm(8, 10, -8, 0)
    a.ld_map(1, "m")
    a.ld_func(2, "each")
    a.mov(3, 10)
    a.add_imm(3, -8)
    a.mov_imm(4, 0)
    a.call("for_each_map_elem")
    a.ldx(8, 1, 10, -8)
    a.alu_imm(I.LSH, 1, 8)
    a.alu(I.OR, 0, 1)
    a.exit()
    a.func("each")
    a.ldx(4, 5, 2, 0)
    a.ldx(8, 3, 3, 0)
    a.add(3, 5)
    a.ldx(8, 2, 4, 0)
    a.add(2, 3)
    a.stx(8, 4, 0, 2)
    a.mov_imm(0, 0)
    a.jump_imm(I.JNE, 5, stop_at, "on")
    a.mov_imm(0, 1)
    a.label("on")
    a.exit()


@pytest.mark.parametrize("kind", ["array", "hash", "percpu_array", "percpu_hash"])
def test_for_each(kind):
    m = make_map(kind, 4, 8, 4)
    for key in range(4):
        m.set(key, u64(key * 10))
    assert machine(m, lambda a: for_each(a, 99)).run("p") == (6 + 60) << 8 | 4
    assert machine(m, lambda a: for_each(a, 2)).run("p") == (3 + 30) << 8 | 3


def test_task_storage():
    m = make_map("task_storage", 4, 8, 1)

    def build(a, flags):
        a.call("get_current_task_btf")
        a.ld_map(1, "m")
        a.mov(2, 0)
        a.mov_imm(3, 0)
        a.mov_imm(4, flags)
        a.call("task_storage_get")
        a.jump_imm(I.JEQ, 0, 0, "none")
        a.ldx(8, 1, 0, 0)
        a.add_imm(1, 1)
        a.stx(8, 0, 0, 1)
        a.mov(0, 1)
        a.exit()
        a.label("none")
        a.ret(99)

    world = World()
    assert machine(m, lambda a: build(a, 0), world).run("p") == 99
    assert machine(m, lambda a: build(a, 1), world).run("p") == 1
    assert machine(m, lambda a: build(a, 0), world).run("p") == 2
    world.task += 4096
    assert machine(m, lambda a: build(a, 1), world).run("p") == 1
    assert len(m.values) == 2

    def remove(a):
        a.call("get_current_task_btf")
        a.ld_map(1, "m")
        a.mov(2, 0)
        a.call("task_storage_delete")
        a.exit()

    assert [machine(m, remove, world).run("p") for _ in range(2)] == [0, ENOENT]


@pytest.mark.parametrize(("kind", "order"), [("queue", [1, 2]), ("stack", [2, 1])])
def test_queue_and_stack(kind, order):
    m = make_map(kind, 0, 8, 2)

    def push(a, value, flags):
        a.st_imm(8, 10, -8, value)
        a.ld_map(1, "m")
        a.mov(2, 10)
        a.add_imm(2, -8)
        a.mov_imm(3, flags)
        a.call("map_push_elem")
        a.exit()

    def take(a, how):
        a.ld_map(1, "m")
        a.mov(2, 10)
        a.add_imm(2, -8)
        a.call(how)
        a.jump_imm(I.JNE, 0, 0, "none")
        a.ldx(8, 0, 10, -8)
        a.label("none")
        a.exit()

    def run(build, *args):
        return machine(m, lambda a: build(a, *args)).run("p")

    assert [run(push, value, 0) for value in (1, 2, 3)] == [0, 0, E2BIG]
    assert run(take, "map_peek_elem") == order[0]
    assert [run(take, "map_pop_elem") for _ in range(3)] == [*order, ENOENT]
    assert [run(push, value, 2) for value in (1, 2, 3)] == [0, 0, 0]
    assert m.values == [u64(2), u64(3)]


# -- ring buffer


def reserve(a, size=16):
    a.ld_map(1, "m")
    a.mov_imm(2, size)
    a.mov_imm(3, 0)
    a.call("ringbuf_reserve")


def record(a, value=5, finish="ringbuf_submit"):
    reserve(a)
    a.jump_imm(I.JEQ, 0, 0, "full")
    a.mov(6, 0)
    a.st_imm(8, 0, 0, value)
    a.st_imm(8, 0, 8, value + 1)
    a.mov(1, 0)
    a.mov_imm(2, 0)
    a.call(finish)
    a.ret(0)
    a.label("full")
    a.ret(1)


def test_ring_buffer():
    ring = make_map("ringbuf", 0, 0, 4096)
    vm = machine(ring, record)
    assert [vm.run("p") for _ in range(3)] == [0, 0, 0]
    assert ring.pending() == 3 * 24
    assert ring.consume() == [u64(5) + u64(6)] * 3
    assert ring.consume() == []
    assert ring.pending() == 0
    assert machine(ring, lambda a: record(a, finish="ringbuf_discard")).run("p") == 0
    assert ring.pending() == 24
    assert ring.consume() == []


def test_full_ring():
    ring = make_map("ringbuf", 0, 0, 64)
    vm = machine(ring, record)
    assert [vm.run("p") for _ in range(3)] == [0, 0, 1]
    assert len(ring.consume()) == 2
    assert vm.run("p") == 0


def test_fresh_records_have_a_pattern():
    ring = make_map("ringbuf", 0, 0, 4096)

    def build(a):
        reserve(a, 8)
        a.mov(1, 0)
        a.mov_imm(2, 0)
        a.call("ringbuf_submit")
        a.ret(0)

    machine(ring, build).run("p")
    assert ring.consume() == [b"\xa5" * 8]


def test_records_must_be_finished():
    ring = make_map("ringbuf", 0, 0, 4096)
    with pytest.raises(VmFault, match="neither submitted nor discarded"):
        machine(ring, lambda a: (reserve(a), a.ret(0))).run("p")


def test_records_are_gone_when_finished():
    ring = make_map("ringbuf", 0, 0, 4096)

    def late(a):
        reserve(a)
        a.mov(6, 0)
        a.mov(1, 0)
        a.mov_imm(2, 0)
        a.call("ringbuf_submit")
        a.st_imm(8, 6, 0, 1)
        a.ret(0)

    with pytest.raises(VmFault, match="no longer valid"):
        machine(ring, late).run("p")

    def twice(a):
        reserve(a)
        a.mov(6, 0)
        for _ in range(2):
            a.mov(1, 6)
            a.mov_imm(2, 0)
            a.call("ringbuf_submit")
        a.ret(0)

    with pytest.raises(VmFault, match="no reserved record"):
        machine(ring, twice).run("p")

    def behind(a):
        reserve(a)
        a.st_imm(8, 0, 12, 1)
        a.ret(0)

    with pytest.raises(VmFault, match="offset 12 of record of map, which has 16"):
        machine(ring, behind).run("p")


def test_an_open_record_holds_back_those_behind_it():
    ring = make_map("ringbuf", 0, 0, 4096)
    seen = []

    def interrupt(vm):
        vm.run("q")
        seen.append(ring.consume())
        return 0

    outer, inner = Asm(), Asm()
    reserve(outer)
    outer.mov(6, 0)
    outer.st_imm(8, 0, 0, 1)
    outer.st_imm(8, 0, 8, 1)
    outer.call_kfunc("interrupt")
    outer.mov(1, 6)
    outer.mov_imm(2, 0)
    outer.call("ringbuf_submit")
    outer.ret(0)
    record(inner)
    vm = Vm({"p": outer.build(), "q": inner.build()}, {"m": ring}, kfuncs={"interrupt": (interrupt, 0)})
    vm.run("p")
    assert seen == [[]]
    assert ring.consume() == [u64(1) + u64(1), u64(5) + u64(6)]


def test_ringbuf_output_and_query():
    ring = make_map("ringbuf", 0, 0, 64)

    def build(a):
        a.st_imm(8, 10, -8, 3)
        a.ld_map(1, "m")
        a.mov(2, 10)
        a.add_imm(2, -8)
        a.mov_imm(3, 5)
        a.mov_imm(4, 0)
        a.call("ringbuf_output")
        a.exit()

    vm = machine(ring, build)
    assert [vm.run("p") for _ in range(4)] == [0, 0, 0, -11 & MAX64]

    def query(a, what):
        a.ld_map(1, "m")
        a.mov_imm(2, what)
        a.call("ringbuf_query")
        a.exit()

    assert [machine(ring, lambda a, w=w: query(a, w)).run("p") for w in range(4)] == [48, 64, 0, 48]
    assert ring.consume() == [b"\x03\0\0\0\0"] * 3
    assert [machine(ring, lambda a, w=w: query(a, w)).run("p") for w in range(4)] == [0, 64, 48, 48]


def test_perf_event_output():
    m = make_map("perf_event_array", 4, 4, 2)

    def build(a):
        a.st_imm(8, 10, -8, 3)
        a.ld_map(2, "m")
        a.load(3, 0xFFFFFFFF)
        a.mov(4, 10)
        a.add_imm(4, -8)
        a.mov_imm(5, 8)
        a.call("perf_event_output")
        a.exit()

    assert machine(m, build, World(cpu=1)).run("p", b"") == 0
    assert m.events == [(1, u64(3))]


def test_stack_ids():
    m = make_map("stack_trace", 4, 16, 2)
    world = World()
    world.kernel_stack = [0xA, 0xB, 0xC]
    world.user_stack = [0x1]

    def build(a, flags):
        a.ld_map(2, "m")
        a.mov_imm(3, flags)
        a.call("get_stackid")
        a.exit()

    def run(flags):
        return machine(m, lambda a: build(a, flags), world).run("p")

    first = run(0)
    assert run(0) == first
    assert m.get(first) == u64(0xA) + u64(0xB)
    user = run(0x100)
    assert user != first
    assert m.get(user) == u64(1) + u64(0)
    assert run(1) == EEXIST  # full
    assert run(0x1 << 20) == EINVAL
    world.kernel_stack = []
    assert run(0) == -14 & MAX64
