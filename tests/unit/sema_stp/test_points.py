"""Probe points: aliases, wildcards, optional and sufficient ones, and which blocks run."""

from __future__ import annotations

import pytest

from .tools import attempt, body_text, module, warnings


def events(text: str) -> list[tuple[str, str]]:
    """Return (kind, name) of the handlers of a script."""
    return [(h.event.kind, h.event.name) for h in module(text).handlers]


def printed(text: str) -> str:
    """Return the texts that the only handler prints, in order."""
    made = module(text)
    assert len(made.handlers) == 1
    return "".join(
        line.split('"')[1] for line in body_text(made.handlers[0].body).split("\n") if "printf" in line
    )


def test_alias_blocks_stand_in_order() -> None:
    assert printed('probe a = begin { print("p") } probe a { print("h") }') == "ph"
    assert printed('probe a += begin { print("e") } probe a { print("h") }') == "he"
    assert printed('probe a = begin { print("p") }, { print("e") } probe a { print("h") }') == "phe"
    nested = 'probe a = begin { print("1") }, { print("6") } probe b = a { print("2") }, { print("5") }'
    assert printed(nested + ' probe b { print("3") print("4") }') == "123456"


def test_alias_variables_are_the_handlers() -> None:
    made = module("probe a = begin { x = 5 unread = 6 } probe a { println(x) }")
    assert "x = 5" in body_text(made.handlers[0].body)


def test_suffix_goes_through_an_alias() -> None:
    assert events("probe a = syscall { } probe a.read.return { }") == [("sys_exit", "read")]


def test_several_points_and_names() -> None:
    assert events("probe a = b = begin, end { } probe b, a { }") == [
        *(("begin", ""), ("end", ""), ("begin", ""), ("end", ""))
    ]


def test_wildcards_over_aliases() -> None:
    text = "probe m.one = begin { } probe m.two = end { } probe n.one = error { } probe m.* { }"
    assert events(text) == [("begin", ""), ("end", "")]
    assert events(text.replace("m.* {", "*.one {")) == [("begin", ""), ("error", "")]
    assert events(text.replace("m.* {", "m.** {")) == [("begin", ""), ("end", "")]
    assert len(events("probe netdev.tr* { }")) == 1


def test_wildcard_tracepoints() -> None:
    names = [n for _, n in events('probe kernel.trace("sched_process_*") { }')]
    assert names == [f"sched_process_{w}" for w in ("exec", "exit", "fork", "free", "wait")]


def test_optional_and_sufficient() -> None:
    assert events('probe kernel.trace("no")?, begin { }') == [("begin", "")]
    assert events('probe kernel.trace("no")!, kernel.trace("kfree")!, kernel.trace("kmalloc") { }') == [
        ("tp_btf", "kfree")
    ]
    assert events('probe a = kernel.trace("no")!, kernel.trace("kfree") { } probe a { }') == [
        ("tp_btf", "kfree")
    ]
    # what is only not supported yet is not left out in silence
    assert warnings("probe kernel.data(4096).write?, begin { }") == [("W304", "data(4096)")]


def test_the_scripts_alias_hides_the_library() -> None:
    assert events("probe netdev.transmit = begin { } probe netdev.transmit { }") == [("begin", "")]


def test_orders_and_intervals() -> None:
    made = module(
        "probe begin(-3), end(4), timer.ms(5).randomize(2), timer.hz(4), timer.jiffies(25), timer.profile { }"
    )
    assert [h.event.args for h in made.handlers] == [
        {"order": -3},
        {"order": 4},
        {"ns": 5_000_000, "randomize": 2_000_000},
        {"ns": 250_000_000, "randomize": 0},
        {"ns": 100_000_000, "randomize": 0},
        {"type": 1, "config": 0, "freq": 250},
    ]


def test_system_calls() -> None:
    made = module(
        "probe syscall.*, syscall.{read,write}, syscall.mkdir*, syscall.fstatat.return, syscall_any { }"
    )
    assert [(h.event.kind, h.event.args["numbers"]) for h in made.handlers] == [
        *(("sys_enter", None), ("sys_enter", [0]), ("sys_enter", [1]), ("sys_enter", [83, 258])),
        *(("sys_exit", [262]), ("sys_enter", None)),
    ]


def test_system_call_variables_are_made_when_read() -> None:
    made = module('probe syscall.read { printf("%s %d", name, fd) }')
    assert body_text(made.handlers[0].body).split("\n") == [
        *('name = "read"', "t1 = sys_arg 0", "fd = sext 32 t1", 'printf "%s %d" name fd')
    ]
    made = module("probe syscall.* { println(name) }")
    assert body_text(made.handlers[0].body).split("\n")[:2] == ["t1 = sys_nr", "name = call syscall_name t1"]
    made = module("probe syscall.read.return { println($return) println(retval) }")
    assert body_text(made.handlers[0].body).count("sys_ret") == 2
    assert module("probe syscall.* { }").handlers[0].body == []


def test_argstr_shows_the_arguments() -> None:
    body = body_text(module("probe syscall.kill { println(argstr) }").handlers[0].body)
    assert 'sprintf "%d, %s" pid sig_name' in body
    body = body_text(module("probe syscall.* { println(argstr) }").handlers[0].body)
    assert "argstr = call __syscall_argstr(" in body
    body = body_text(module("probe syscall.semop { println(argstr) }").handlers[0].body)
    assert body.count("%#x") == 6 and body.count("sys_arg") == 6


def test_stand_in() -> None:
    made = module(
        'probe kernel.function("tcp_set_state") { printf("%d", $state) }',
    )
    handler = made.handlers[0]
    assert (handler.event.kind, handler.event.name) == ("tp_btf", "inet_sock_set_state")
    assert handler.probe == 'kernel.function("tcp_set_state")'
    body = body_text(handler.body)
    assert "ctx_arg (2, False)" in body  # newstate
    assert "eq t2 6" in body  # TCP only


@pytest.mark.parametrize("text", ["", "global a", "function f() { }"])
def test_nothing_to_do(text: str) -> None:
    made, bag = attempt(text)
    assert made is None
    assert [d.code for d in bag.items] == ["E306"]
