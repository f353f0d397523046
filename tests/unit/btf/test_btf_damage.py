"""Damaged blobs and indexes: BtfError or an answer, never another exception and never a hang."""

from __future__ import annotations

import random

from btf_tools import build, type_specs, use_all
from hypothesis import given, settings
from hypothesis import strategies as st

from pystap.btf import Btf, BtfError
from pystap.btf.build import build_index
from pystap.btf.extract import extract
from pystap.btf.index import BtfIndex

FLIPS = st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(1, 255)), min_size=1, max_size=6)


def flipped(data: bytes, flips) -> bytes:
    out = bytearray(data)
    for at, mask in flips:
        out[at % len(out)] ^= mask
    return bytes(out)


@settings(deadline=None)
@given(type_specs(), FLIPS)
def test_flipped_bytes_of_a_blob(specs, flips):
    try:
        btf = Btf(flipped(build(specs), flips))
    except BtfError:
        return
    use_all(btf)


@settings(deadline=None)
@given(type_specs(), FLIPS)
def test_flipped_bytes_of_an_index(specs, flips):
    data = build(specs)
    try:
        index = BtfIndex(flipped(build_index(Btf(data)), flips))
    except BtfError:
        return
    use_all(Btf(data, index))


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200))
def test_noise_is_no_index(noise):
    specs = [("add_int", ("int", 4, 0)), ("add_struct", ("s", 4, [("a", 1, 0, 0)]))]
    data = build(specs)
    for content in (noise, build_index(Btf(data))[: len(noise)]):
        try:
            index = BtfIndex(content)
        except BtfError:
            continue
        use_all(Btf(data, index))


@settings(deadline=None)
@given(type_specs(), st.integers(0, 400))
def test_cut_blobs(specs, length):
    data = build(specs)[:length]
    try:
        btf = Btf(data)
    except BtfError:
        return
    use_all(btf)


def test_many_damaged_kernels(kernel_bytes):
    chance = random.Random(1)
    refused = 0
    for _ in range(6):
        flips = [(chance.randrange(len(kernel_bytes)), chance.randrange(1, 256)) for _ in range(40)]
        try:
            btf = Btf(flipped(kernel_bytes, flips))
            refused += use_all(btf) > 0
            extract(btf, [btf.type(id) for id in range(1, 50)])
        except BtfError:
            refused += 1
    assert refused
