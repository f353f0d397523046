"""Values at the entry, in handlers of returns: which events there are, and what each of them does."""

from __future__ import annotations

import pytest

from pystap.diag import Bag
from pystap.ir.nodes import Module
from pystap.lang.stp.parser import PreprocEnv, parse
from pystap.options import Options
from pystap.sema.stp import analyse
from pystap.sema.stp.macros import MACROS
from pystap.sema.target import Target
from pystap.source import Source

from .tools import BTF, body_text, verify

KPROBES = ("kprobe", "kretprobe")
BOTH = (*KPROBES, "fentry", "fexit")
RETURN = 'probe kernel.function("tcp_set_state").return'


def compiled(text: str, features: tuple[str, ...] = KPROBES) -> tuple[Module | None, Bag]:
    """Compile for a kernel that can attach in these ways."""
    bag = Bag()
    tree = parse(Source("t.stp", text), PreprocEnv(macros=MACROS), bag)
    target = Target(BTF, release="6.18.0", features=lambda name: name in features)
    made = analyse(tree, target, Options(), bag)
    if made is not None:
        assert verify(made) == []
    return made, bag


def bodies(text: str, features: tuple[str, ...] = KPROBES) -> dict[str, str]:
    """Return the IR of each event's handler, by the event's kind."""
    made, bag = compiled(text, features)
    assert made is not None, bag.items
    return {h.event.kind: body_text(h.body) for h in made.handlers}


def test_a_kretprobe_gets_parameters_from_its_entry() -> None:
    found = bodies(RETURN + ' { printf("%d", $state) }')
    assert set(found) == {"kretprobe", "kprobe"}
    assert "ctx_arg (1, False)" in found["kprobe"] and "ctx_arg" not in found["kretprobe"]
    assert 'printf "%d" entry1' in found["kretprobe"]


def test_fexit_has_parameters_itself_and_members_from_the_entry() -> None:
    assert set(bodies(RETURN + ' { printf("%d %p", $state, $sk) }', BOTH)) == {"fexit"}
    found = bodies(RETURN + ' { printf("%d", $sk->__sk_common->skc_dport) }', BOTH)
    assert "load <u2 +12 sock>" in found["fentry"] and "load" not in found["fexit"]
    assert set(bodies(RETURN + " { p = $sk println(p->__sk_common->skc_dport) }", BOTH)) == {"fexit"}


@pytest.mark.parametrize("features", [KPROBES, BOTH])
def test_expressions_of_the_entry(features: tuple[str, ...]) -> None:
    found = bodies(RETURN + " { println(gettimeofday_us() - @entry(gettimeofday_us())) }", features)
    entry = found["fentry" if "fentry" in features else "kprobe"]
    back = found["fexit" if "fexit" in features else "kretprobe"]
    assert entry.count("realtime_ns") == back.count("realtime_ns") == 1
    # each call by its task and its place on the stack
    for text in (entry, back):
        assert "task_current" in text and "frame_address" in text


def test_one_value_for_one_expression() -> None:
    found = bodies(RETURN + " { println($state) println($state + @entry($state)) println(@entry(pid())) }")
    assert found["kprobe"].count("set entry value") == 2


def test_the_values_come_before_conditions() -> None:
    found = bodies(
        'global on probe kernel.function("tcp_set_state").return if (on) { println($state) } probe begin { on = 1 }'
    )
    text = found["kretprobe"]
    assert text.index("delete entry value") < text.index("get on")


def test_lists_of_parameters() -> None:
    found = bodies(RETURN + " { print($$parms) }")
    assert 'sprintf "sk=%#x state=%#x"' in found["kprobe"] and "print" in found["kretprobe"]
    assert 'sprintf "sk=%#x state=%#x"' in bodies(RETURN + " { print($$parms) }", BOTH)["fexit"]


def test_what_is_defined_at_the_entry() -> None:
    words = RETURN + " { println(@defined(%s)) }"
    for name, known in (
        ("$sk", 1),
        ("$sk->sk_type", 1),
        ("$sk->nothing", 0),
        ("$nothing", 0),
        ("$return", 0),
    ):
        assert f'printf "%d\\n" {known}' in bodies(words % name)["kretprobe"], name


def test_system_calls() -> None:
    found = bodies('probe syscall.read.return { printf("%d %d", @entry($fd), @entry(pid())) }', ())
    assert set(found) == {"sys_exit", "sys_enter"}
    # they don't nest
    assert "frame_address" not in found["sys_enter"] + found["sys_exit"]


def test_an_alias_of_the_script() -> None:
    text = 'probe a = kernel.function("tcp_set_state").return { old = $state } probe a { println(old) }'
    assert set(bodies(text)) == {"kretprobe", "kprobe"}


@pytest.mark.parametrize(
    "body, words",
    [
        ("probe begin { println(@entry(1)) }", "only the handler of a return"),
        ('probe kernel.function("tcp_set_state") { println(@entry($sk)) }', "only the handler of a return"),
        ("function f() { return @entry(1) } " + RETURN + " { println(f()) }", "its functions don't"),
        (RETURN + " { x = 1 println(@entry(x)) }", "it has no value at the entry"),
        (RETURN + " { println(@entry($nothing)) }", "there is no '$nothing'"),
        (RETURN + " { println($nothing) }", "there is no '$nothing'"),
    ],
)
def test_mistakes(body: str, words: str) -> None:
    made, bag = compiled(body)
    assert made is None
    assert any(words in d.message for d in bag.errors), bag.items


def test_two_handlers_of_one_return_have_values_of_their_own() -> None:
    made, bag = compiled(RETURN + " { println(@entry(pid())) } " + RETURN + " { println(@entry(tid())) }")
    assert made is not None, bag.items
    names = [g.name for g in made.globals]
    assert len(set(names)) == len(names) == 2
