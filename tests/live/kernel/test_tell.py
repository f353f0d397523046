"""What the live kernel tells: BTF, keys, symbols, clocks."""

from __future__ import annotations

import os
import random
import time

import pytest
from kernel_kit import need_root

from pystap.kernel import clock, symbols, target
from pystap.kernel.sys import KernelError


def test_btf_is_the_file() -> None:
    with open("/sys/kernel/btf/vmlinux", "rb") as file:
        assert bytes(target.vmlinux_btf()[:]) == file.read()
    with pytest.raises(KernelError) as caught:
        target.module_btf("no_such_module")
    assert "no_such_module" in str(caught.value)
    for module in [name for name in os.listdir("/sys/kernel/btf") if name != "vmlinux"][:1]:
        assert target.module_btf(module)[:2] == b"\x9f\xeb"


def test_keys() -> None:
    key = target.build_key()
    assert key == target.build_key()
    assert os.uname().release in key
    assert str(os.stat("/sys/kernel/btf/vmlinux").st_size) in key
    assert target.module_key("one") != target.module_key("two")
    assert len(target.build_id()) in (0, 32, 40)


@need_root
def test_addresses_against_every_symbol() -> None:
    """Each text symbol of the kernel is found at its address, and in its middle, and by its name."""
    table = symbols.read_kallsyms()
    with open("/proc/kallsyms", encoding="utf-8", errors="surrogateescape") as file:
        lines = [line.split() for line in file]
    kernel = [(int(one[0], 16), one[2]) for one in lines if len(one) == 3]
    first: dict[int, str] = {}
    for address, name in kernel:
        first.setdefault(address, name)
    low = next(address for address, name in kernel if name == "_stext")
    high = next(address for address, name in kernel if name == "_etext")
    addresses = sorted(address for address in first if low <= address < high)
    assert len(addresses) > 1000
    chosen = random.Random(1).sample(range(len(addresses) - 1), 1500)
    for i in (0, len(addresses) - 2, *chosen):
        address, size = addresses[i], addresses[i + 1] - addresses[i]
        for offset in {0, size // 2, size - 1}:
            found = table.lookup(address + offset)
            assert found is not None
            assert (found.name, found.address, found.offset, found.size) == (
                first[address],
                address,
                offset,
                size,
            )
    for i in chosen[:200]:
        name = first[addresses[i]]
        assert table.addresses(name) == [address for address, other in kernel if other == name]
    modules = [(int(one[0], 16), one[2], one[3][1:-1]) for one in lines if len(one) == 4]
    for address, name, _ in modules[:50]:
        found = table.lookup(address)
        assert found is not None
        assert found.module in {m for a, n, m in modules if a == address}
        assert address in table.addresses(name)
    for nothing in (0, 4096, low - 1, (1 << 64) - 1):
        assert table.lookup(nothing) is None
    assert table.addresses("no_such_symbol_at_all") == []
    assert table.address("no_such_symbol_at_all") is None


def test_small_table() -> None:
    text = (
        b"0000000000000000 A percpu_start\n0000000000000010 A cpu_info\n"
        b"ffff000000000000 T _stext\nffff000000000000 T first\nffff000000000100 t dup\nffff000000000140 t dup\n"
        b"ffff000000000200 T _etext\nffff000000000300 D data\nffff000000001000 T _sinittext\n"
        b"ffff000000001100 T _einittext\n"
        b"ffff900000000200 t late\t[mod]\nffff900000000100 t early\t[mod]\nffff900000000100 t alias\t[mod]\n"
        b"ffff800000000000 t bpf_prog_1_x\t[bpf]\n"
    )
    table = symbols.Kallsyms(text)

    def name(address: int) -> str | None:
        found = table.lookup(address)
        return repr(found) if found else None

    assert name(0x10) is None
    assert name(0xFFFF000000000001) == "<_stext+0x1/0x100>"
    assert name(0xFFFF00000000013F) == "<dup+0x3f/0x40>"
    assert name(0xFFFF0000000001FF) == "<dup+0xbf/0xc0>"
    assert name(0xFFFF000000000200) is None
    assert name(0xFFFF000000000310) is None
    assert name(0xFFFF000000001010) == "<_sinittext+0x10/0x100>"
    assert name(0xFFFF900000000180) == "<early+0x80/0x100 mod>"
    assert name(0xFFFF900000000210) == "<late+0x10/0x0 mod>"
    assert name(0xFFFF900000010210) is None
    assert name(0xFFFF800000000004) == "<bpf_prog_1_x+0x4/0x0 bpf>"
    assert table.addresses("dup") == [0xFFFF000000000100, 0xFFFF000000000140]
    assert table.addresses("early") == [0xFFFF900000000100]
    assert table.addresses("T first") == []
    assert table.addresses("irst") == []


def test_offset_of_the_time_of_day() -> None:
    before = time.time_ns()
    now = time.monotonic_ns() + clock.realtime_offset()
    after = time.time_ns()
    assert before - 10_000_000 <= now <= after + 10_000_000


def test_config() -> None:
    rate = target.config("CONFIG_HZ")
    if rate:
        assert target.config(f"CONFIG_HZ_{rate}") == "y"
    assert target.config("CONFIG_NO_SUCH_OPTION") == ""
