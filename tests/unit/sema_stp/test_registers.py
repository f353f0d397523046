"""Registers, arguments by number, returned values: where there are some, and the words where there are none."""

from __future__ import annotations

import pytest

from .test_entry import BOTH, KPROBES, bodies, compiled

FUNCTION = 'probe kernel.function("tcp_set_state") '
RETURN = 'probe kernel.function("tcp_v4_connect").return '


def test_registers_of_a_kprobe() -> None:
    text = bodies(
        FUNCTION
        + '{ printf("%d %d %d %d", register("rdi"), register("di"), register("eax"), u_register("eax")) }'
    )
    found = text["kprobe"]
    assert found.count('register "rdi"') == 2 and found.count("sext 32") == 1
    assert "printf" in bodies(FUNCTION + "{ print_regs() println(registers_valid()) }")["kprobe"]


def test_arguments_by_number() -> None:
    for features in (KPROBES, BOTH):
        text = bodies(FUNCTION + '{ printf("%p %d %u", pointer_arg(1), int_arg(2), uint_arg(2)) }', features)
        (found,) = text.values()
        assert "ctx_arg (0, True)" in found and "sext 32" in found and "zext 32" in found
    found = bodies("probe nd_syscall.read { println(ulong_arg(3)) }", ())["sys_enter"]
    assert "sys_arg 2" in found


def test_what_was_returned() -> None:
    for features in (KPROBES, BOTH):
        (found,) = bodies(RETURN + "{ println(returnval()) }", features).values()
        assert "sext 32" in found
    assert "sys_ret" in bodies("probe nd_syscall.read.return { println(returnstr(1)) }", ())["sys_exit"]


def test_arguments_at_the_return_are_those_of_the_entry() -> None:
    found = bodies(RETURN + "{ println(@entry(int_arg(3))) }")
    assert "ctx_arg (2, False)" in found["kprobe"] and "ctx_arg" not in found["kretprobe"]


@pytest.mark.parametrize(
    "text, words",
    [
        (
            'probe kernel.trace("sched_switch") { println(register("rdi")) }',
            "tracepoint sched_switch has no registers",
        ),
        ('probe kernel.trace("sched_switch") { println(int_arg(1)) }', "has no arguments by number"),
        ('probe begin { println(register("rdi")) }', "begin probe has no registers"),
        ("probe begin { print_regs() }", "print_regs(): begin probe has no registers"),
        ("probe begin { println(returnval()) }", "returns nothing"),
        (FUNCTION + '{ println(register("rdx1")) }', "there is no register 'rdx1'"),
        (FUNCTION + "{ println(int_arg(3)) }", "this function has 2 arguments"),
        (FUNCTION + "{ println(int_arg(0)) }", "this function has 2 arguments"),
        (FUNCTION + "{ println(int_arg(pid())) }", "has to be a constant"),
        (FUNCTION + "{ println(returnval()) }", "returns nothing"),
        (RETURN + "{ println(int_arg(1)) }", "a return has no arguments any more"),
        ("probe nd_syscall.read { println(int_arg(7)) }", "arguments 1 to 6"),
    ],
)
def test_refusals(text: str, words: str) -> None:
    made, bag = compiled(text)
    assert made is None
    assert [d.code for d in bag.errors] == ["E240"]
    assert words in bag.errors[0].message


def test_fentry_has_no_registers() -> None:
    made, bag = compiled(FUNCTION + '{ println(register("rdi")) }', BOTH)
    assert made is None and "has no registers" in bag.errors[0].message
    assert "--attach=kprobe" in bag.errors[0].hints[0]
