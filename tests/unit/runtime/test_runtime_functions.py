"""The builtins' bodies in the user stage, and that every builtin has one."""

from __future__ import annotations

import os
import socket
import time

import pytest
from runtime_kit import context, program

from pystap.builtins import TABLE
from pystap.program import OWN_FRAMES
from pystap.runtime.door import Door
from pystap.runtime.errors import ScriptError
from pystap.runtime.functions import MODULES, body
from pystap.runtime.functions.matching import translate

CONTEXT = context(Door(), program(""))
BT = context(Door(), program("", lang="bt"))


def call(name: str, *args: object) -> object:
    """A body's result."""
    return body(name, CONTEXT)(*args)


def test_every_builtin_has_a_body() -> None:
    assert set(TABLE) <= set(MODULES)
    for name in MODULES:
        assert callable(body(name, CONTEXT)), name


def test_bodies_take_the_operands_that_the_table_says() -> None:
    for name, entry in TABLE.items():
        if "*" in entry.args or name == "strlen":
            continue
        function = body(name, CONTEXT)
        code = getattr(function, "__code__", None)
        if code is None:
            continue
        wanted = len(entry.args) + ("fault" in entry.effects)
        own = 1 if hasattr(function, "__self__") else 0
        assert code.co_argcount - own == wanted, name


@pytest.mark.parametrize(
    ("name", "args", "result"),
    [
        ("strlen", ("abc",), 3),
        ("substr", ("abcdef", 1, 3), "bcd"),
        ("substr", ("abc", 1, 100), "bc"),
        ("substr", ("abc", -1, 2), ""),
        ("substr", ("abc", 5, 2), ""),
        ("substr", ("abc", 0, -1), ""),
        ("stringat", ("abc", 1, ""), 98),
        ("isinstr", ("abc", "bc"), 1),
        ("isinstr", ("abc", "cb"), 0),
        ("isinstr", ("abc", ""), 1),
        ("str_find", ("abc", "c"), 2),
        ("str_find", ("abc", "x"), -1),
        ("str_replace", ("aXbX", "X", "yz"), "ayzbyz"),
        ("str_replace", ("abc", "", "x"), "abc"),
        ("toupper", ("aZ\xe4",), "AZ\xe4"),
        ("tolower", ("aZ\xc4",), "az\xc4"),
        ("text_str", ('a"\n\x01',), 'a\\"\\n\\001'),
        ("text_strn", ("abcdef", 3, 0), "abc..."),
        ("text_strn", ("abcdef", 3, 1), '"abc"...'),
        ("text_strn", ("abc", 0, 1), '"abc"'),
        ("text_strn", ("abc", 3, 0), "abc"),
        ("buf_str", (b"ab\0cd",), "ab"),
        ("text_of_int", (-5,), "-5"),
        ("bswap16", (0x1234,), 0x3412),
        ("bswap32", (0x12345678,), 0x78563412),
        ("bswap64", (0x80,), -(1 << 63)),
        ("ip4_text", (0x0100007F,), "127.0.0.1"),
        ("ip4_text", (-1,), "255.255.255.255"),
        ("ip6_text", (bytes(15) + b"\1",), "::1"),
        ("ip6_text", (socket.inet_pton(socket.AF_INET6, "fe80::1:2"),), "fe80::1:2"),
        ("mac_text", (bytes.fromhex("0011aaBBcc05"),), "00:11:aa:bb:cc:05"),
        ("errno_name", (2,), "ENOENT"),
        ("errno_name", (11,), "EAGAIN"),
        ("errno_name", (95,), "EOPNOTSUPP"),
        ("errno_name", (512,), "ERESTARTSYS"),
        ("errno_name", (3333,), "E#3333"),
        ("errno_str", (2,), "No such file or directory"),
        ("signal_name", (9,), "SIGKILL"),
        ("signal_name", (31,), "SIGSYS"),
        ("signal_name", (34,), "SIGRTMIN+2"),
        ("user_name", (0,), "root"),
        ("user_name", (4000000000,), "4000000000"),
        ("ctime", (0,), "Thu Jan  1 00:00:00 1970"),
        ("ctime", (741476948,), "Wed Jun 30 21:49:08 1993"),
        ("ctime", (-1,), "Wed Dec 31 23:59:59 1969"),
        ("is_return", (), 0),
        ("user_mode", (), 0),
    ],
)
def test_pure_bodies(name: str, args: tuple[object, ...], result: object) -> None:
    assert call(name, *args) == result


@pytest.mark.parametrize(
    ("text", "base", "value"),
    [
        ("42", 10, 42),
        ("  -42abc", 10, -42),
        ("0x1F", 0, 31),
        ("0x1F", 16, 31),
        ("1f", 16, 31),
        ("017", 0, 15),
        ("017", 10, 17),
        ("0x", 16, 0),
        ("0xg", 0, 0),
        ("", 10, 0),
        ("z", 36, 35),
        ("+5", 10, 5),
        ("--5", 10, 0),
        ("9" * 30, 10, (1 << 63) - 1),
        ("-" + "9" * 30, 10, -(1 << 63)),
        ("5", 1, 0),
    ],
)
def test_strtol(text: str, base: int, value: int) -> None:
    assert call("strtol", text, base) == value


def test_network_order_is_the_machines_swapped_or_not() -> None:
    assert call("ntohs", 0x1234) == socket.ntohs(0x1234)
    assert call("htonl", 0x12345678) == socket.htonl(0x12345678)
    assert call("ntohll", call("htonll", -77)) == -77


def test_an_index_out_of_the_string_is_an_error() -> None:
    for position in (-1, 3):
        with pytest.raises(ScriptError) as info:
            call("stringat", "abc", position, "near x")
        assert info.value.place == "near x"


def test_strings_made_are_cut_to_a_strings_room() -> None:
    assert len(str(call("str_replace", "a" * 100, "a", "b" * 100))) == 511
    assert len(str(call("text_str", "\n" * 400))) == 511


@pytest.mark.parametrize(
    ("text", "pattern", "result"),
    [
        ("ip_output", "ip_.*", 1),
        ("xip", "^ip", 0),
        ("ip\n", "ip$", 0),
        ("abc", "a.c", 1),
        ("a\nc", "a.c", 1),
        ("file.c", r"\.c$", 1),
        ("filexc", r"\.c$", 0),
        ("aab", "^(a|b)+$", 1),
        ("x1", "[[:alpha:]][[:digit:]]", 1),
        ("]", "[]]", 1),
        ("a-b", "[a-]+b", 1),
        ("^", "[x^]", 1),
        ("aaa", "^a{2,3}$", 1),
        ("a{", "a{", 1),
        ("d", r"\d", 1),
        ("5", r"\d", 0),
        ("a", "a*?", 1),
        ("", "", 1),
    ],
)
def test_regular_expressions(text: str, pattern: str, result: int) -> None:
    assert call("str_match", text, pattern) == result


def test_matched_groups() -> None:
    assert call("str_match", "key=value", "([a-z]+)=([a-z]+)") == 1
    assert [call("matched", n, "here") for n in (0, 1, 2)] == ["key=value", "key", "value"]
    assert call("match_groups", "here") == 2
    with pytest.raises(ScriptError, match="no subexpression 3"):
        call("matched", 3, "here")
    assert call("str_match", "key", "=") == 0
    for name, args in (("matched", (0,)), ("match_groups", ())):
        with pytest.raises(ScriptError, match="matched nothing"):
            call(name, *args, "here")


def test_a_broken_expression_matches_itself() -> None:
    assert translate("a[") != ""
    assert call("str_match", "x(y", "(y") in (0, 1)


def test_tokenize_goes_on_with_an_empty_string() -> None:
    tokens = [call("tokenize", "  one,two ,, three", " ,")]
    tokens += [call("tokenize", "", " ,") for _ in range(3)]
    assert tokens == ["one", "two", "three", ""]
    assert call("tokenize", "new", ",") == "new"


def test_local_time_names_its_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "TST-2")
    time.tzset()
    try:
        assert call("tz_ctime", 0) == "Thu Jan  1 02:00:00 1970 TST"
        assert call("strftime", "%H:%M:%S.%f %%f", 1_234_567_000) == "02:00:01.234567 %f"
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_a_time_out_of_reach_is_an_error() -> None:
    for name in ("ctime", "tz_ctime"):
        for seconds in (1 << 62, 99999999999999, -99999999999999):
            with pytest.raises(ScriptError):
                call(name, seconds)
        assert len(str(call(name, 4102444800)).rpartition(" 2100")[0]) == 19


def test_clocks_go_on() -> None:
    for name in ("ktime_ns", "boottime_ns", "realtime_ns", "tai_ns", "cycles"):
        first, second = call(name), call(name)
        assert isinstance(first, int)
        assert isinstance(second, int)
        assert first <= second
    assert len({call("random_u32") for _ in range(50)}) > 10


def test_indentation_counts_levels_by_thread() -> None:
    bodies = context(Door(), program(""))
    line = body("thread_indent", bodies)
    assert line(1, 5, "sh", 1000) == "     0 sh(5):"
    assert line(1, 5, "sh", 1250) == "   250 sh(5): "
    assert line(1, 7, "ls", 2000) == "     0 ls(7):"
    assert line(0, 5, "sh", 1300) == "   300 sh(5): "
    assert line(-1, 5, "sh", 1400) == "   400 sh(5): "
    assert line(-1, 5, "sh", 1500) == "   500 sh(5):"
    assert line(1, 5, "sh", 9000) == "     0 sh(5):"
    assert body("indent", bodies)(1, 5) == "     0 :"


def test_the_current_task_of_a_user_handler_is_the_tracer() -> None:
    assert call("pid") == os.getpid()
    assert call("ppid") == os.getppid()
    assert call("uid") == os.getuid()
    with open("/proc/self/comm", encoding="latin-1") as file:
        assert call("execname") == file.read().strip()
    with pytest.raises(ScriptError):
        call("register", "ax", "")


def test_system_calls_have_names() -> None:
    from pystap.runtime.functions.syscall_names_gen import NAMES

    x86, generic = NAMES["x86_64"], NAMES["generic"]
    assert (x86[0], x86[59], x86[231], x86[332], x86[424], x86[463]) == (
        *("read", "execve", "exit_group", "statx", "pidfd_send_signal", "setxattrat"),
    )
    assert (generic[63], generic[221], generic[79], generic[25], generic[222]) == (
        *("read", "execve", "newfstatat", "fcntl", "mmap"),
    )
    assert set(x86.values()) > {"openat2", "futex_waitv"}
    assert call("syscall_name", 100000) == "unknown_100000"


def test_stacks_as_text() -> None:
    frames = (0xFFFFFFFF81000010).to_bytes(8, "little") + bytes(8 * OWN_FRAMES)
    ctx = context(Door(), program(""))

    class Table:
        """One symbol."""

        def lookup(self, address: int) -> object:
            from pystap.kernel.symbols import Symbol

            return Symbol("work", address - 16, 16, 64, "") if address == 0xFFFFFFFF81000010 else None

        def address(self, name: str) -> int | None:
            return 0xFFFFFFFF81000000 if name == "work" else None

    ctx.symbols._table, ctx.symbols._tried = Table(), True  # type: ignore[assignment]
    assert body("symname", ctx)(0xFFFFFFFF81000010 - (1 << 64)) == "work"
    assert body("symname", ctx)(0x1234) == "0x1234"
    assert body("symdata", ctx)(0xFFFFFFFF81000010) == "work+0x10/0x40 [kernel]"
    stack = body("stack_text", ctx)
    assert stack(frames, "addresses") == "0xffffffff81000010"
    assert stack(frames, "lines") == " 0xffffffff81000010 : work+0x10/0x40 [kernel]\n"
    assert body("kstack_text", ctx)(frames, "bpftrace") == "\n        work+16\n"
    assert body("kstack_text", ctx)(frames, "bpftrace", 4) == "\n    work+16\n"
    assert body("kstack_text", ctx)(bytes(8), "bpftrace") == ""
    body("print_backtrace_text", ctx)(frames)
    assert ctx.sink.text == " 0xffffffff81000010 : work+0x10/0x40 [kernel]\n"  # type: ignore[attr-defined]
    assert body("kernel_addr", ctx)("work", "") == 0xFFFFFFFF81000000 - (1 << 64)
    with pytest.raises(ScriptError, match="no symbol"):
        body("kernel_addr", ctx)("nothing", "")


def test_a_command_runs_after_what_was_printed_before_it(tmp_path: object) -> None:
    path = f"{tmp_path}/out"
    from pystap.sinks.text import TextSink

    ctx = context(Door(), program("", lang="bt"))
    ctx.sink = TextSink(path)
    ctx.sink.emit("before\n")
    body("system", ctx)("echo during")
    ctx.sink.emit("after\n")
    ctx.sink.close()
    with open(path, encoding="latin-1") as file:
        assert file.read() == "before\nduring\nafter\n"


def test_letters_of_a_block_request() -> None:
    spec = "18=F|0=R;1=W;2=F;3=D;5=DE|17=F;19=A;11=S;12=M"
    rwbs = body("rwbs_text", context(Door(), program("")))
    assert [rwbs(flags, spec) for flags in (0, 1, 1 | 1 << 11, 5, 34, 1 | 1 << 18 | 1 << 17 | 1 << 12)] == (
        ["R", "W", "WS", "DE", "N", "FWFM"]
    )
