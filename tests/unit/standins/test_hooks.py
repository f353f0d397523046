"""Hooks of the network's filter by functions, where the kernel has no BPF programs at hooks."""

from __future__ import annotations

import pytest

from pystap.cli.live import live_target
from pystap.diag import CompileError
from pystap.probes.standins.hooks import WAYS
from tests.unit.functions.test_many import HAVE, compiled, kernel

try:
    BTF = live_target().btf  # the fixture's types are too few
except CompileError as error:
    pytest.skip(f"this kernel's types: {error}", allow_module_level=True)
if any(BTF.find_func(way.function) is None for ways in WAYS.values() for way in ways):
    pytest.skip("this kernel has other functions", allow_module_level=True)

PLACES = ("pre_routing", "local_in", "forward", "local_out", "post_routing")
NAMES = sorted({way.function for ways in WAYS.values() for way in ways})
READS = '{ printf("%s %s %s %d %d %d", indev_name, outdev_name, saddr, dport, syn, $skb->len) }'


@pytest.mark.parametrize("family", [2, 10])
@pytest.mark.parametrize("hook", range(5))
def test_each_hook(family: int, hook: int) -> None:
    text = f"probe netfilter.ipv{4 if family == 2 else 6}.{PLACES[hook]} {READS}"
    made, bag = compiled(text, kernel(NAMES, HAVE, BTF))
    assert made is not None and not bag.errors, bag.items
    ways = WAYS[family, hook]
    kinds = [("fexit" if way.returns else "fentry", way.function) for way in ways]
    assert [(h.event.kind, h.event.name) for h in made.handlers] == kinds
    (warned,) = [d for d in bag.items if d.code == "W301"]
    assert (
        "no BPF programs at netfilter hooks" in warned.message and f"'{ways[0].function}'" in warned.message
    )
    assert any("what differs: packets are seen" in hint for hint in warned.hints)


def test_by_kprobes() -> None:
    text = f"probe netfilter.ipv4.pre_routing, netfilter.ipv4.forward {READS}"
    made, bag = compiled(text, kernel(NAMES, frozenset({"kprobe", "kretprobe"}), BTF))
    assert made is not None and not bag.errors, bag.items
    assert [(h.event.kind, h.event.name) for h in made.handlers] == [
        ("kretprobe", "ip_rcv_core"),
        ("kprobe", "ip_forward"),
    ]


def test_switched_off_and_neither() -> None:
    text = "probe netfilter.ipv4.local_in { }"
    _, bag = compiled(text, kernel(NAMES, HAVE, BTF), standins=False)
    assert [d.code for d in bag.errors] == ["E304"] and "--no-standins" in bag.errors[0].message
    _, bag = compiled(text, kernel(NAMES, frozenset(), BTF))
    assert [d.code for d in bag.errors] == ["E309"]


def test_what_the_functions_have_beside_the_packet_is_not_there() -> None:
    _, bag = compiled("probe netfilter.ipv4.post_routing { println($net) }", kernel(NAMES, HAVE, BTF))
    assert bag.errors and "there is no '$net' in netfilter hook" in bag.errors[0].message
