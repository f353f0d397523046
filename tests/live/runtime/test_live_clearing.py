"""Parts of a per-CPU element are zeroed, and the others are not touched."""

from __future__ import annotations

from pystap.bpf import consts_gen as abi
from pystap.kernel.maps import create_map
from pystap.runtime.clearing import RangeClearer


def test_ranges_of_one_element_on_every_cpu() -> None:
    table = create_map(abi.BPF_MAP_TYPE_PERCPU_ARRAY, 4, 48, 2, 0, "t")
    keys = [bytes(4), (1).to_bytes(4, "little")]
    for key in keys:
        table.fill(key, b"\xff" * 48)
    clearer = RangeClearer(table, [(8, 8), (24, 16)])
    clearer.clear(0)
    wanted = b"\xff" * 8 + bytes(8) + b"\xff" * 8 + bytes(16) + b"\xff" * 8
    assert set(table.cpu_values(table.lookup(keys[0]) or b"")) == {wanted}
    assert set(table.cpu_values(table.lookup(keys[1]) or b"")) == {b"\xff" * 48}
    clearer.close()
    table.close()
