"""Structs in registers: their members are parts of words; and what functions of the script may read of an event."""

from __future__ import annotations

import pytest

from pystap.opt import optimise

from .test_entry import BOTH, KPROBES, bodies, compiled
from .tools import errors, module

POINT = 'probe kernel.function("tcp_setsockopt").call'


@pytest.mark.parametrize("features", [KPROBES, BOTH])
def test_members(features: tuple[str, ...]) -> None:
    """`sockptr_t optval` is a pointer, and a bit in the second word; `optlen` comes behind both."""
    (body,) = bodies(
        POINT + " { println($optval->user) println($optval->is_kernel) println($optlen) }", features
    ).values()
    assert "ctx_arg (3, False)" in body and "ctx_arg (4, False)" in body and "ctx_arg (5, False)" in body
    assert "and" in body or "zext 1" in body


def test_text() -> None:
    (body,) = bodies(POINT + " { println($optval$) println($$parms) }").values()
    assert "{.kernel=%#x, .user=%#x, .is_kernel=%u}" in body
    assert "optval=%s" in body and '"{...}"' in body


@pytest.mark.parametrize(
    "expression, code",
    [("&$optval", "E233"), ("$optval->nothing", "E231"), ("&$optval->user", "E233"), ("$optval[1]", "E231")],
)
def test_mistakes(expression: str, code: str) -> None:
    made, bag = compiled(f"{POINT} {{ println({expression}) }}")
    assert made is None and [d.code for d in bag.errors] == [code], bag.items


def test_functions_that_read_the_event_are_inlined_and_gone() -> None:
    made = module('function f() { return $prev->pid } probe kernel.trace("sched_switch") { println(f()) }')
    assert made.functions
    optimise(made)
    assert not made.functions


def test_a_function_that_calls_itself_reads_nothing_of_the_event() -> None:
    text = "function f(n) { if (n) return f(n - 1); return $prev->pid }"
    assert errors(text + ' probe kernel.trace("sched_switch") { println(f(2)) }') == [("E230", "$prev->pid")]


def test_registers_by_number() -> None:
    assert errors('probe kernel.trace("sched_switch") { println(@uregister(17)) }') == [("E240", "17")]
    assert errors("probe begin { println(@uregister(1)) }") == [("E240", "@uregister(1)")]
    made = module('probe kernel.trace("sched_switch") { println(@uregister(7)) }')
    assert len(made.handlers) == 1
