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
from pystap.sema.bt import analyse as analyse_bt
from pystap.sema.stp import analyse
from pystap.sema.stp.macros import MACROS
from pystap.sema.target import Target
from pystap.source import Source
from tests.unit.sema_stp.tools import BTF

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
    from pystap.staging.early import mark_early_calls

    made, _ = compiled(f'probe kernel.function("{name}").return {{ printf("%d", pid()) }}', kernel(MANY))
    assert made is not None
    mark_early_calls(made)
    assert [h.event.args["when"] for h in made.handlers] == ["early", "starting", "early"]
    first, entry, last = (h.event for h in made.handlers)
    assert (first.kind, first.name, first.args) == (last.kind, last.name, last.args)
    assert entry.kind == {"kretprobe": "kprobe", "fexit": "fentry"}[first.kind]
    assert entry.args.get("functions") == first.args.get("functions")
    assert made.globals[-1].internal
