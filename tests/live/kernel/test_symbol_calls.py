"""The kernel's own answers about symbols, against its list of them."""

from __future__ import annotations

import random

import pytest
from kernel_kit import need_root, nothing_left

from pystap.kernel import symbol_calls, symbols
from pystap.kernel.sys import KernelError

pytestmark = need_root


def test_agrees_with_the_list() -> None:
    table = symbols.read_kallsyms()
    low, high = table.address("_stext"), table.address("_etext")
    assert low and high
    names = names_by_address()
    with nothing_left(("symbols",)):
        calls = symbol_calls.SymbolCalls()
        pick = random.Random(7)
        for address in (low, high - 1, *(pick.randrange(low, high) for _ in range(2000))):
            ours, kernels = table.lookup(address), calls.lookup(address)
            assert ours is not None and kernels is not None
            assert (ours.address, ours.offset, ours.size) == (kernels.address, kernels.offset, kernels.size)
            assert {ours.name, kernels.name} <= names[ours.address]
        for nothing in (0, 4096, (1 << 64) - 1):
            assert calls.lookup(nothing) is None
        for name in ("schedule", "do_exit", "tcp_sendmsg", "no_such_symbol_at_all", "", "x" * 600):
            assert calls.address(name) == (table.address(name) if name else None)
        calls.close()


def names_by_address() -> dict[int, set[str]]:
    """All names of each address: the linker may have left several."""
    found: dict[int, set[str]] = {}
    with open("/proc/kallsyms", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            address, _, name = line.split()[:3]
            found.setdefault(int(address, 16), set()).add(name)
    return found


def test_parsing() -> None:
    found = symbol_calls.parse_symbol("a.b+c+0x10/0x40 [mod]", 0x1010)
    assert found is not None
    assert repr(found) == "<a.b+c+0x10/0x40 mod>"
    assert found.address == 0x1000
    assert symbol_calls.parse_symbol("0xffff", 0xFFFF) is None


def test_falls_back_to_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    ways = [symbol_calls.KernelSymbols()]

    def refuse(self: object) -> None:
        raise KernelError(22, "no")

    monkeypatch.setattr(symbol_calls.SymbolCalls, "__init__", refuse)
    ways.append(symbol_calls.KernelSymbols())
    address = ways[0].address("schedule")
    assert address
    seen = []
    for way in ways:
        found = way.lookup(address + 4)
        assert found is not None and found is way.lookup(address + 4)
        seen.append((found.name, found.offset, way.address("schedule")))
        way.close()
    assert seen[0] == seen[1] == ("schedule", 4, address)
