"""fentry and fexit of many functions: programs are shared by those that have what the handler reads at the same place."""

from __future__ import annotations

from pystap.diag import Bag, render
from pystap.ir.nodes import Module
from pystap.lang.bt.parser import parse
from pystap.options import Options
from pystap.sema.bt import analyse
from pystap.source import Source
from tests.unit.functions.test_many import HAVE, NAMES, kernel

TCP = [name for name in NAMES if name.startswith("tcp_")]
GIVING = ["inet_recvmsg", "inet_sendmsg", "tcp_v4_rcv", "vfs_open", "vfs_read", "vfs_unlink", "vfs_write"]
ALL = HAVE | {"fentry_wide"}


def shared(
    text: str, features: frozenset[str] = ALL, names: list[str] = NAMES, **options: object
) -> list[tuple[str, int]]:
    """Return the kind of each event, and of how many functions it is."""
    bag = Bag()
    made = analyse(parse(Source("t.bt", text), [], bag), kernel(names, features), Options(**options), bag)
    assert isinstance(made, Module) and not bag.items, "".join(render(d) for d in bag.items)
    found = []
    for handler in made.handlers:
        args = handler.event.args or {}
        found.append((handler.event.kind, len(args.get("functions", "1"))))
    return found


def test_one_program_where_nothing_is_read() -> None:
    assert shared("fentry:tcp_* { @[func, probe] = count(); }") == [("kprobe", len(TCP))]
    assert shared("fexit:tcp_* { @[func, probe] = count(); }") == [("kretprobe", len(TCP))]


def test_few_functions_have_programs_of_their_own() -> None:
    assert shared("fentry:tcp_v* { @[func] = count(); }") == [("function", 1)] * 4
    assert shared("fentry:tcp_* { @[func] = count(); }", attach="fentry") == [("function", 1)] * len(TCP)


def test_arguments_that_differ_split() -> None:
    with_sk = sorted(shared("fentry:tcp_r*, fentry:tcp_s* { @[arg0] = count(); }"))
    assert with_sk == [("function", 1)] * 6  # three functions each
    everywhere = shared("fentry:tcp_* { @[arg0] = count(); }")
    # tcp_v4_rcv and tcp_v6_rcv have the packet there, all others the socket
    assert sorted(everywhere) == [("kprobe", 2), ("kprobe", len(TCP) - 2)]


def test_macros_and_functions_count() -> None:
    text = "macro first() { arg0 } fentry:tcp_* { @[first()] = count(); }"
    assert len(shared(text)) == 2


def test_results_that_differ_split() -> None:
    """vfs_read and vfs_write return ssize_t, the others int."""
    found = shared("fexit:* /retval == 0/ { @ = count(); }", names=GIVING)
    assert sorted(found) == [("kretprobe", 2), ("kretprobe", len(GIVING) - 2)]


def test_functions_that_return_nothing() -> None:
    bag = Bag()
    text = "fexit:tcp_* /retval == 0/ { @ = count(); }"
    analyse(parse(Source("t.bt", text), [], bag), kernel(TCP, ALL), Options(), bag)
    assert {d.code for d in bag.items} == {"E263"}
    assert "the function is void" in render(bag.items[0])


def test_arguments_at_the_return_need_fexit() -> None:
    found = shared("fexit:* { @[arg0, retval] = count(); }", names=GIVING)
    assert found == [("function", 1)] * len(GIVING)


def test_too_many_arguments_for_this_kernel() -> None:
    """tcp_setsockopt's optval takes two words: six in all; a kernel that can't take over more isn't asked to."""
    assert shared("fentry:tcp_setsockopt { @[args.optlen] = count(); }", HAVE) == [("function", 1)]


def test_more_than_max_probes() -> None:
    for text in ("fentry:* { @ = count(); }", "kprobe:* { @ = count(); }"):
        bag = Bag()
        tree = parse(Source("t.bt", f"config = {{ max_probes = 5 }} {text}"), [], bag)
        analyse(tree, kernel(NAMES, ALL), Options(), bag)
        assert [d.code for d in bag.items] == ["E309"] and "of max_probes" in bag.items[0].message


def test_cookies_need_a_program_for_each() -> None:
    sockets = [name for name in TCP if not name.endswith("_rcv")]
    assert shared("fentry:tcp_* { @[args.sk] = count(); }", names=sockets) == [("kprobe", len(sockets))]
    found = shared("fentry:tcp_* { @[socket_cookie(args.sk)] = count(); }", names=sockets)
    assert found == [("function", 1)] * len(sockets)
