"""Probe kinds that the library has for itself: objects that are there, calls of sockets."""

from __future__ import annotations

import pytest

from pystap.probes.standins.sockets import CALLS, RECEIVING, SENDING
from pystap.probes.syscall_numbers import X86_64

from .tools import attempt, module


@pytest.mark.parametrize(
    ("point", "code", "words"),
    [
        ("__iter", "E302", 'needs a kind of object: __iter("task_file")'),
        ('__iter("no_such")', "E303", "this kernel has no iterator 'no_such'"),
        ('__iter("task").return', "E301", "'return' can't follow"),
        ("__socket_calls(3)", "E302", 'takes names: __socket_calls("accept accept4")'),
        ("__socket_calls.entry", "E301", "'entry' can't follow"),
    ],
)
def test_mistakes(point: str, code: str, words: str) -> None:
    made, bag = attempt(f"probe {point} {{ println(1) }}")
    assert made is None and [d.code for d in bag.errors] == [code]
    assert words in bag.errors[0].message


def test_calls_of_sockets_are_one_event() -> None:
    (handler,) = module("probe __socket_calls { println($nr + $arg1) }").handlers
    every = {X86_64[name] for name in (*CALLS, *RECEIVING, *SENDING) if name in X86_64}
    assert handler.event.kind == "sys_enter" and set(handler.event.args["numbers"]) == every


def test_some_of_them() -> None:
    made = module('probe __socket_calls("accept accept4").return { println($return) }')
    numbers = [h.event.args["numbers"] for h in made.handlers if h.event.kind == "sys_exit"]
    assert numbers == [[X86_64["accept"], X86_64["accept4"]]]
