"""The helpers' table and constants against the running kernel's BTF, by a reader of this test's own."""

import struct
from pathlib import Path

import pytest

from pystap.bpf import consts_gen, helpers

BTF = Path("/sys/kernel/btf/vmlinux")
TAILS = {1: (4, 0), 3: (12, 0), 4: (0, 12), 5: (0, 12), 6: (0, 8), 13: (0, 8), 14: (4, 0), 15: (0, 12)}
TAILS |= {17: (4, 0), 19: (0, 12)}


@pytest.fixture(scope="module")
def enums():
    """{member: value} of every enum whose member names look like bpf's or perf's."""
    if not BTF.exists():
        pytest.skip("this kernel has no BTF")
    data = BTF.read_bytes()
    hdr, type_off, type_len, str_off, _ = struct.unpack_from("<IIIII", data, 4)
    strings = hdr + str_off
    at, end = hdr + type_off, hdr + type_off + type_len
    members = {}
    while at < end:
        _, info, _ = struct.unpack_from("<III", data, at)
        kind, vlen = info >> 24 & 31, info & 0xFFFF
        fixed, each = TAILS.get(kind, (0, 0))
        at += 12
        if kind == 6:
            for i in range(vlen):
                name, value = struct.unpack_from("<Ii", data, at + 8 * i)
                start = strings + name
                if data[start : start + 3] in (b"BPF", b"PER", b"BTF"):
                    members.setdefault(data[start : data.index(b"\0", start)].decode(), value)
        at += fixed + each * vlen
    return members


def test_helper_ids(enums):
    live = {n.removeprefix("BPF_FUNC_"): v for n, v in enums.items() if n.startswith("BPF_FUNC_")}
    live.pop("unspec")
    known = helpers.HELPER_ID
    # An older kernel knows fewer; no kernel numbers one differently.
    assert len(live) > 150
    assert {n: known.get(n) for n in live} == live


def test_constants(enums):
    ours = {n: v for n, v in vars(consts_gen).items() if n.isupper() and v < 1 << 31}
    both = [n for n in ours if n in enums]
    # Names that count members grow with the kernel.
    fixed = [n for n in both if not n.endswith(("_MAX", "_KINDS"))]
    assert len(fixed) > 300
    assert {n: ours[n] for n in fixed} == {n: enums[n] for n in fixed}


def test_signatures():
    assert helpers.signature("map_update_elem") == (("map", "key", "value", "int"), "int")
    assert helpers.signature("probe_read_kernel") == (("out", "size", "addr"), "int")
    assert helpers.signature("ringbuf_reserve") == (("map", "const", "int"), "ptr")
    assert helpers.signature("ringbuf_submit") == (("record", "int"), "void")
    assert helpers.signature("loop") == (("int", "func", "any", "int"), "int")
    assert helpers.arg_count("trace_printk") == 5
    assert helpers.arg_count("ktime_get_ns") == 0
    assert helpers.arg_count("snprintf") == 5


def test_names():
    assert helpers.helper_name(helpers.HELPER_ID["map_lookup_elem"]) == "map_lookup_elem"
    assert helpers.helper_name(0) is None
    assert helpers.helper_name(100000) is None
    assert sorted(helpers.HELPER_ID.values()) == list(range(1, len(helpers.HELPER_ID) + 1))
