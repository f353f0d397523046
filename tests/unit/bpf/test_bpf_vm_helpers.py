"""The interpreter's other helpers, each in a world made for it."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystap.bpf import insn as I
from pystap.bpf.asm import Asm
from pystap.bpf.vm.machine import Vm, VmFault, World, make_map
from pystap.bpf.vm.printk import bprintf

MAX64 = (1 << 64) - 1
EFAULT, EINVAL, ERANGE, ENOENT = (-n & MAX64 for n in (14, 22, 34, 2))
BUF = 64  # bytes at the bottom of the array `m` that calls write to


class Bench:
    """Calls one helper; an argument that is bytes lies in memory of its own, OUT is the output buffer."""

    OUT = object()

    def __init__(self, world=None):
        self.world = world or World()
        self.out = b""

    def __call__(self, helper, *args):
        a = Asm()
        maps = {"out": make_map("array", 4, BUF, 1, name="out")}
        maps["out"].set(0, b"\xee" * BUF)
        for reg, arg in enumerate(args, 1):
            if arg is self.OUT:
                a.ld_map_value(reg, "out")
            elif isinstance(arg, bytes):
                name = f"arg{reg}"
                maps[name] = make_map("array", 4, max(len(arg), 1), 1, name=name)
                maps[name].set(0, arg or b"\0")
                a.ld_map_value(reg, name)
            else:
                a.load(reg, arg)
        a.call(helper)
        a.exit()
        result = Vm({"p": a.build()}, maps, self.world).run("p")
        self.out = maps["out"].get(0)
        return result


OUT = Bench.OUT


def test_who_and_where():
    call = Bench(World(cpu=1, pid=12, tid=34, comm=b"sshd"))
    call.world.uid, call.world.gid = 1000, 100
    assert call("get_current_pid_tgid") == 12 << 32 | 34
    assert call("get_current_uid_gid") == 100 << 32 | 1000
    assert call("get_smp_processor_id") == 1
    assert call("get_current_task") == call.world.task
    assert call("get_current_cgroup_id") == 1
    assert call("get_numa_node_id") == 0


@pytest.mark.parametrize(("size", "text"), [(16, b"sshd" + bytes(12)), (5, b"sshd\0"), (3, b"ss\0")])
def test_comm(size, text):
    call = Bench(World(comm=b"sshd"))
    assert call("get_current_comm", OUT, size) == 0
    assert call.out == text + b"\xee" * (BUF - size)


def test_clocks():
    call = Bench()
    call.world.clock, call.world.tick, call.world.boot_offset = 100, 1, 1000
    assert call("ktime_get_ns") == 101
    assert call("ktime_get_ns") == 102
    assert call("ktime_get_boot_ns") == 1103


def test_random_numbers_are_32_bit_and_repeatable():
    first, second = Bench(), Bench()
    numbers = [first("get_prandom_u32") for _ in range(5)]
    assert numbers == [second("get_prandom_u32") for _ in range(5)]
    assert len(set(numbers)) == 5
    assert all(n < 1 << 32 for n in numbers)


@pytest.mark.parametrize(("helper", "user"), [("probe_read_kernel", False), ("probe_read_user", True)])
def test_probe_read(helper, user):
    call = Bench()
    (call.world.add_user if user else call.world.add_kernel)(0x7F0000001000, b"0123456789")
    assert call(helper, OUT, 4, 0x7F0000001003) == 0
    assert call.out[:6] == b"3456\xee\xee"
    assert call(helper, OUT, 4, 0x7F0000001007) == EFAULT
    assert call.out[:6] == b"\0\0\0\0\xee\xee"
    assert call(helper, OUT, 0, 0) == 0
    assert call.out[:1] == b"\xee"
    assert call(helper, OUT, (1 << 32) + 4, 0x7F0000001000) == 0  # a size has 32 bits
    other = "probe_read_user" if not user else "probe_read_kernel"
    assert call(other, OUT, 4, 0x7F0000001003) == EFAULT


def test_probe_read_kernel_finds_the_programs_memory():
    call = Bench()
    assert call("probe_read_kernel", OUT, 4, b"abcd") == 0
    assert call.out[:4] == b"abcd"


def test_probe_reads_need_room():
    with pytest.raises(VmFault, match="write of 65 bytes"):
        Bench()("probe_read_kernel", OUT, BUF + 1, 0)
    call = Bench()
    call.world.add_kernel(0x1000, b"x\0")
    with pytest.raises(VmFault, match="write of 65 bytes"):
        call("probe_read_kernel_str", OUT, BUF + 1, 0x1000)


@pytest.mark.parametrize(
    ("helper", "user"), [("probe_read_kernel_str", False), ("probe_read_user_str", True)]
)
def test_probe_read_str(helper, user):
    call = Bench()
    (call.world.add_user if user else call.world.add_kernel)(0x1000, b"hello\0rest")
    assert call(helper, OUT, 16, 0x1000) == 6
    assert call.out[:7] == b"hello\0\xee"
    assert call(helper, OUT, 6, 0x1000) == 6
    assert call(helper, OUT, 4, 0x1000) == 4
    assert call.out[:5] == b"hel\0\xee"
    assert call(helper, OUT, 16, 0x1007) == EFAULT  # no NUL before the end
    assert call(helper, OUT, 4, 0x1007) == 4
    assert call(helper, OUT, 0, 0x1000) == 0


def test_probe_write_user():
    call = Bench()
    memory = call.world.add_user(0x1000, bytes(8))
    assert call("probe_write_user", 0x1002, b"ab", 2) == 0
    assert memory == b"\0\0ab\0\0\0\0"
    assert call("probe_write_user", 0x1007, b"ab", 2) == -1 & MAX64


def test_stacks():
    call = Bench()
    call.world.kernel_stack = [1, 2, 3]
    call.world.user_stack = [9]
    assert call("get_stack", 0, OUT, 64, 0) == 24
    assert call.out == struct.pack("<8Q", 1, 2, 3, 0, 0, 0, 0, 0)
    assert call("get_stack", 0, OUT, 16, 1) == 16
    assert call.out[:16] == struct.pack("<2Q", 2, 3)
    assert call("get_stack", 0, OUT, 16, 0x100) == 8
    assert call.out[:16] == struct.pack("<2Q", 9, 0)
    assert call("get_stack", 0, OUT, 12, 0) == EINVAL


def test_function_arguments():
    call = Bench()
    call.world.func_args, call.world.func_ret = [5, 6], -1
    call.world.func_ip, call.world.cookie = 0xFFFF1234, 77
    assert call("get_func_arg_cnt", 0) == 2
    assert call("get_func_arg", 0, 1, OUT) == 0
    assert call.out[:8] == struct.pack("<Q", 6)
    assert call("get_func_arg", 0, 2, OUT) == EINVAL
    assert call("get_func_ret", 0, OUT) == 0
    assert call.out[:8] == b"\xff" * 8
    assert call("get_func_ip", 0) == 0xFFFF1234
    assert call("get_attach_cookie", 0) == 77


def test_per_cpu_variables():
    call = Bench(World(cpu=1))
    call.world.percpu = {0x100: [0x1100, 0x2100]}
    assert [call("per_cpu_ptr", 0x100, cpu) for cpu in (0, 1, 2)] == [0x1100, 0x2100, 0]
    assert call("this_cpu_ptr", 0x100) == 0x2100


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [(b"ping\0", b"ping\0", 0), (b"ping\0", b"pong\0", -1), (b"b\0\0\0\0", b"a\0", 1), (b"pings", b"ping\0", 1),
     (b"pingx", b"pings\0", 1), (b"pings", b"pings and more\0", 0), (b"\0aaaa", b"\0", 0)],
)  # fmt: skip
def test_strncmp(one, other, expected):
    result = Bench()("strncmp", one, 5, other)
    assert (result > 0 and result >> 63 == 0) - (result >> 63) == expected


@pytest.mark.parametrize(
    ("text", "base", "used", "value"),
    [(b" 42x", 0, 3, 42), (b"-7", 10, 2, -7), (b"0x1F", 0, 4, 31), (b"1F", 16, 2, 31), (b"017", 0, 3, 15),
     (b"abc", 10, EINVAL, None), (b"", 10, EINVAL, None), (b"5", 7, EINVAL, None),
     (b"9223372036854775808", 10, ERANGE, None)],
)  # fmt: skip
def test_strtol(text, base, used, value):
    call = Bench()
    assert call("strtol", text, len(text), base, OUT) == used
    if value is not None:
        assert call.out[:8] == struct.pack("<q", value)


def test_strtoul():
    call = Bench()
    assert call("strtoul", b"18446744073709551615", 20, 0, OUT) == 20
    assert call.out[:8] == b"\xff" * 8
    assert call("strtoul", b"-1", 2, 0, OUT) == EINVAL


def test_symbols():
    call = Bench()
    call.world.symbols = {0xFFFFFFFF81000000: ("do_exit", 0x100)}
    assert call("kallsyms_lookup_name", b"do_exit\0", 8, 0, OUT) == 0
    assert call.out[:8] == struct.pack("<Q", 0xFFFFFFFF81000000)
    assert call("kallsyms_lookup_name", b"nothing\0", 8, 0, OUT) == ENOENT


def test_send_signal():
    call = Bench()
    call("send_signal", 9)
    assert call.world.signals == [9]


# -- text


def words(*values):
    return struct.pack(f"<{len(values)}Q", *[v & MAX64 for v in values])


def test_snprintf():
    call = Bench()
    data = words(-5, 255)
    assert call("snprintf", OUT, 64, b"%d 0x%04x\0", data, len(data)) == 10
    assert call.out[:11] == b"-5 0x00ff\0\xee"
    # Cut, and still the length of the whole.
    assert call("snprintf", OUT, 5, b"%d 0x%04x\0", data, len(data)) == 10
    assert call.out[:6] == b"-5 0\0\xee"
    assert call("snprintf", OUT, 64, b"%d %d %d\0", data, len(data)) == EINVAL
    assert call("snprintf", OUT, 64, b"%d\0", data, len(data)) == EINVAL
    with pytest.raises(VmFault, match="has no end"):
        call("snprintf", OUT, 64, b"%d", data, 8)


def render(fmt, *args, world=None):
    return bprintf(world or World(), fmt, [a & MAX64 for a in args])


@pytest.mark.parametrize(
    ("fmt", "args", "text"),
    [
        (b"plain", [], b"plain"),
        (b"100%%", [], b"100%"),
        (b"%d|%i", [-1, 1 << 31], b"-1|-2147483648"),
        (b"%ld|%lld", [-1, 1 << 40], b"-1|1099511627776"),
        (b"%u|%lu", [-1, -1], b"4294967295|18446744073709551615"),
        (b"%x|%X|%lx", [255, 255, -1], b"ff|FF|ffffffffffffffff"),
        (b"%5d|%-5d|%05d", [42, 42, -42], b"   42|42   |-0042"),
        (b"%+d|% d", [5, 5], b"+5| 5"),
        (b"%c%c", [0x41, 0x142], b"AB"),
        (b"%3c|", [0x41], b"  A|"),
        (b"%px %pK", [0xFFFF888000001000, 1], b"ffff888000001000 0000000000000001"),
        (b"%ps %pS", [0x5010, 0x5010], b"f f+0x10/0x20"),
        (b"%ps", [0x6000], b"0x6000"),
        (b"<%s>", [0x1000], b"<text>"),
        (b"<%6s|%-6s>", [0x1000, 0x1000], b"<  text|text  >"),
        (b"<%s>", [0x9999], b"<>"),
        (b"%pI4", [0x2000], b"127.0.0.1"),
        (b"%pi4", [0x2000], b"127.000.000.001"),
        (b"%pI6", [0x3000], b"fe80:0000:0000:0000:0000:0000:0000:0001"),
        (b"%pi6", [0x3000], b"fe800000000000000000000000000001"),
        (b"%pks %pus", [0x1000, 0x4000], b"text user"),
    ],
)
def test_formats(fmt, args, text):
    world = World()
    world.add_kernel(0x1000, b"text\0")
    world.add_kernel(0x2000, bytes([127, 0, 0, 1]))
    world.add_kernel(0x3000, bytes.fromhex("fe80" + "00" * 13 + "01"))
    world.add_user(0x4000, b"user\0")
    world.symbols[0x5000] = ("f", 0x20)
    assert render(fmt, *args, world=world) == text


@pytest.mark.parametrize(
    "fmt", [b"%", b"%f", b"%q", b"%o", b"%lllx", b"%.3d", b"%*d", b"%pZ", b"\x01", b"\xff"]
)
def test_formats_that_the_kernel_refuses(fmt):
    assert render(fmt, 1) == -22


@given(st.integers(0, MAX64), st.integers(0, 30), st.sampled_from(["", "0", "-", "+", " "]))
def test_numbers_as_python_prints_them(value, width, flag):
    signed = value - (1 << 64) if value >> 63 else value
    spec = f"%{flag}{width or ''}"
    assert render(f"{spec}lld".encode(), value) == (f"{spec}d" % signed).encode()
    if flag in ("", "0", "-"):
        assert render(f"{spec}llx".encode(), value) == (f"{spec}x" % value).encode()


def test_trace_printk():
    call = Bench()
    assert call("trace_printk", b"a %d %d\0", 8, 1, 2) == 5
    assert call("trace_printk", b"b\0", 2) == 1
    assert call.world.trace == [b"a 1 2", b"b"]
    data = words(1, 2, 3, 4)
    assert call("trace_vprintk", b"%d%d%d%d\0", 9, data, 32) == 4
    assert call.world.trace[-1] == b"1234"


def test_seq_output():
    call = Bench()
    assert call("seq_printf", 0, b"%d,\0", 4, words(7), 8) == 0
    assert call("seq_write", 0, b"xyz", 3) == 0
    assert call.world.seq == b"7,xyz"


# -- string kfuncs


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("bpf_strcmp", [b"abc\0", b"abd\0"], -1),
        ("bpf_strcmp", [b"abc\0", b"abc\0"], 0),
        ("bpf_strcmp", [b"b\0", b"a\0"], 1),
        ("bpf_strcmp", [b"b\0", 0x10], -14),
        ("bpf_strlen", [b"abc\0"], 3),
        ("bpf_strnlen", [b"abc\0", 2], 2),
        ("bpf_strchr", [b"abc\0", ord("c")], 2),
        ("bpf_strchr", [b"abc\0", ord("x")], -2),
        ("bpf_strstr", [b"abcd\0", b"cd\0"], 2),
        ("bpf_strstr", [b"abcd\0", b"x\0"], -2),
    ],
)
def test_string_kfuncs(name, args, expected):
    a = Asm()
    maps = {}
    for reg, arg in enumerate(args, 1):
        if isinstance(arg, bytes):
            maps[f"s{reg}"] = make_map("array", 4, len(arg), 1)
            maps[f"s{reg}"].set(0, arg)
            a.ld_map_value(reg, f"s{reg}")
        else:
            a.mov_imm(reg, arg)
    a.call_kfunc(name)
    a.exit()
    assert Vm({"p": a.build()}, maps).run("p") == expected & MAX64
    assert I.R0 == 0
