"""Functions of a pattern become one event; what the handler reads of them splits it."""

from __future__ import annotations

import pytest

from pystap.btf import Btf
from pystap.btf.kinds import G_FUNC
from pystap.diag import Bag
from pystap.ir.nodes import Module
from pystap.kernel.functions import Functions
from pystap.kernel.symbols import Kallsyms
from pystap.lang.bt.parser import parse as parse_bt
from pystap.lang.stp.parser import PreprocEnv, parse
from pystap.options import Options
from pystap.probes.functions.many import MOST
from pystap.sema.bt import analyse as analyse_bt
from pystap.sema.stp import analyse
from pystap.sema.stp.macros import MACROS
from pystap.sema.target import Target
from pystap.source import Source
from pystap.staging.early import mark_early_calls
from tests.unit.sema_stp.tools import BTF, body_text

NAMES = BTF.names(G_FUNC)
HAVE = frozenset({"fentry", "fexit", "kprobe", "kretprobe", "kprobe_multi"})


def table(names: list[str]) -> Kallsyms:
    lines = [f"{0xFFFFFFFF81000000 + 16 * n:016x} t {name}\n" for n, name in enumerate(["_stext", *names])]
    return Kallsyms("".join(lines).encode())


def kernel(names: list[str], features: frozenset[str] = HAVE, btf: Btf = BTF) -> Target:
    return Target(
        btf, release="6.18.0", features=features.__contains__, functions=Functions(table(names), loaded=())
    )


def compiled(text: str, target: Target, **options: object) -> tuple[Module | None, Bag]:
    bag = Bag()
    tree = parse(Source("t.stp", text), PreprocEnv(macros=MACROS), bag)
    return analyse(tree, target, Options(**options), bag), bag


def events(text: str, target: Target, **options: object) -> list[tuple[str, bool, list[str]]]:
    made, bag = compiled(text, target, **options)
    assert made is not None and not bag.errors, bag.items
    out = []
    for handler in made.handlers:
        args = handler.event.args or {}
        symbols = [symbol for _, _, _, symbol in args.get("functions", ())]
        out.append((handler.event.kind, bool(args.get("multi")), symbols or [handler.event.name]))
    return out


MANY = [f"plain_{c}" for c in "abcdef"]


def test_one_event_for_all() -> None:
    text = 'probe kernel.function("plain_*") { printf("%s %s %s", ppfunc(), pp(), $$name) }'
    assert events(text, kernel(MANY)) == [("kprobe", True, MANY)]
    assert events(text, kernel(MANY), attach="kprobe") == [("kprobe", False, MANY)]
    without = HAVE - {"kprobe_multi"}
    assert events(text, kernel(MANY, without)) == [("kprobe", False, MANY)]


def test_returns() -> None:
    text = 'probe kernel.function("plain_*").return { println(ppfunc()) }'
    assert events(text, kernel(MANY)) == [("kretprobe", True, MANY)]


def test_a_function_of_its_own_is_no_part_of_a_pattern() -> None:
    """Its handlers are of one event, in the order of the script (R14), whichever comes first."""
    one = 'probe kernel.function("plain_c").call { println(1) }'
    many = 'probe kernel.function("plain_*").call { printf("%s %s", ppfunc(), pp()) }'
    rest = [name for name in MANY if name != "plain_c"]
    single = ("kprobe", True, ["plain_c"])  # it has no types here
    assert events(f"{one} {many}", kernel(MANY)) == [single, ("kprobe", True, rest), single]
    assert events(f"{many} {one}", kernel(MANY)) == [("kprobe", True, rest), single, single]
    made, _ = compiled(f"{one} {many}", kernel(MANY))
    assert made is not None
    assert repr(made.handlers[0].event) == repr(made.handlers[2].event)
    assert 'plain_c\\").call' in body_text(made.handlers[2].body)
    by_kprobe = [("kprobe", False, ["plain_c"]), ("kprobe", False, rest), ("kprobe", False, ["plain_c"])]
    assert events(f"{one} {many}", kernel(MANY), attach="kprobe") == by_kprobe
    assert events(f"{one.replace('.call', '')} {many}", kernel(MANY)) == [
        single,
        ("kprobe", True, rest),
        single,
    ]
    # returns and calls are events of their own
    both = events(f"{one.replace('.call', '.return')} {many}", kernel(MANY))
    assert both == [("kretprobe", True, ["plain_c"]), ("kprobe", True, MANY)]


@pytest.mark.parametrize("name, others", [("tcp_close", []), ("ip_rcv", ["arp_rcv", "ipv6_rcv"])])
def test_its_parameters_do_not_matter(name: str, others: list[str]) -> None:
    """Also a pattern that is split by what its handler reads leaves it out."""
    one = f'probe kernel.function("{name}").call {{ println(1) }}'
    many = 'probe kernel.function("*").call { println($$parms) }'
    single = ("fentry", False, [name])
    found = events(f"{one} {many}", kernel(NAMES))
    assert found[0] == single and found.count(single) == 2
    of_pattern = [listed for kind, multi, listed in found if multi]
    assert not any(name in listed for listed in of_pattern)
    assert not others or others in of_pattern


def test_copies_go_with_their_function() -> None:
    text = 'probe kernel.function("f") { println(1) }'
    found = events(text, kernel(["f", "f.isra.0", "f.part.1", "f.cold", "ff"]))
    assert found == [("kprobe", True, ["f", "f.isra.0", "f.part.1"])]


def test_cookies_name_functions() -> None:
    made, _ = compiled('probe kernel.function("plain_*") { println(ppfunc()) }', kernel(MANY))
    assert made is not None
    listed = made.handlers[0].event.args["functions"]
    assert len({cookie & 0xFFFFFFFF for cookie, _, _, _ in listed}) == len(MANY)
    assert len({cookie >> 32 for cookie, _, _, _ in listed}) == 1


def test_bpftrace() -> None:
    bag = Bag()
    tree = parse_bt(Source("t.bt", "kprobe:plain_* { @[func, probe] = count(); }"), [], bag)
    made = analyse_bt(tree, kernel(MANY), Options(), bag)
    assert not bag.errors
    (handler,) = made.handlers
    assert handler.event.kind == "kprobe" and handler.event.args["multi"]
    assert [f[3] for f in handler.event.args["functions"]] == MANY


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ('kernel.function("plain_q")', "this kernel has no function 'plain_q'"),
        ('kernel.function("none_*")', "no function of this kernel matches"),
        ('module("m").function("f")', "this kernel has no module 'm'"),
        ('kernel.function("plain_*").exported', "is exported"),
    ],
)
def test_what_is_not_there(point: str, words: str) -> None:
    _, bag = compiled(f"probe {point} {{ println(1) }}", kernel(MANY))
    assert [d.code for d in bag.errors] == ["E304"]
    assert words in bag.errors[0].message


@pytest.mark.parametrize("name", ["plain_*", "plain_a"])
def test_returns_are_paired_with_marks_of_early_calls(name: str) -> None:
    made, _ = compiled(f'probe kernel.function("{name}").return {{ printf("%d", pid()) }}', kernel(MANY))
    assert made is not None
    mark_early_calls(made)
    assert [h.event.args["when"] for h in made.handlers] == ["early", "starting", "early"]
    first, entry, last = (h.event for h in made.handlers)
    assert (first.kind, first.name, first.args) == (last.kind, last.name, last.args)
    assert entry.kind == {"kretprobe": "kprobe", "fexit": "fentry"}[first.kind]
    assert entry.args.get("functions") == first.args.get("functions")
    assert made.globals[-1].internal


def taking(parameter: str) -> list[str]:
    """Names of kernel functions whose first parameter is called so."""
    found = []
    for name in NAMES:
        func = BTF.find_func(name)
        params = func.type.params if func is not None else ()
        if params and params[0].name == parameter:
            found.append(name)
    return found


def test_returns_that_read_parameters_are_grouped() -> None:
    """Functions with the same parameter are one program at the entry and one at the return, however many they are."""
    names = [n for n in taking("sk") if n.startswith(("tcp_", "inet_", "sk_", "sock_"))]
    assert len(names) > 8
    text = 'probe kernel.function("[a-z]*").return { printf("%p %s", $sk, ppfunc()) }'
    found = events(text, kernel(sorted(names)))
    kinds = [kind for kind, _, _ in found]
    assert sorted(n for kind, _, listed in found if kind == "kretprobe" for n in listed) == sorted(names)
    assert kinds.count("kretprobe") == kinds.count("kprobe") < len(names)


def test_parameters_of_many_returns_are_all_there() -> None:
    """$$parms is each function's own, also where the results are of one type."""
    names = [n for n in taking("sk") if n.startswith("tcp_")][:12]
    text = 'probe kernel.function("[a-z]*").return { printf("%s", $$parms) }'
    made, bag = compiled(text, kernel(sorted(names)))
    assert made is not None and not bag.errors, bag.items
    for handler in made.handlers:
        if handler.event.kind == "kprobe":
            assert "sk=" in body_text(handler.body)


def test_more_programs_than_there_can_be() -> None:
    target = kernel([f"many_{n}" for n in range(MOST + 1)])
    _, bag = compiled('probe kernel.function("many_*") { }', target, attach="fentry")
    assert [d.code for d in bag.errors] == ["E309"]
    assert f"{MOST + 1} functions match 'many_*'" in bag.errors[0].message


def test_early_calls_are_noted_by_the_handler_of_the_entries() -> None:
    """Where each function takes a kprobe of its own, one at each entry and one at each return is enough."""
    text = 'global n probe kernel.function("plain_*").call { n++ } probe kernel.function("plain_*").return { n++ }'
    for attach, entries in (("kprobe", {"early"}), ("kprobe_multi", {None, "starting"})):
        made, _ = compiled(text, kernel(MANY), attach=attach)
        assert made is not None
        mark_early_calls(made)
        found = [h.event for h in made.handlers if h.event.kind == "kprobe"]
        assert {event.args.get("when") for event in found} == entries
        assert len({repr(event) for event in found}) == len(entries)
