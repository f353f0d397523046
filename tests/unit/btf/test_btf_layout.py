"""Offsets, sizes and bit fields, against ctypes and against headers that never change."""

from __future__ import annotations

import ctypes
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystap.btf import Btf, BtfError, FieldError, type_name
from pystap.btf.layout import field_path, find_member, members, offsetof, sizeof
from pystap.btf.write import BtfWriter

SCALARS = {
    "unsigned char": ctypes.c_uint8,
    "short unsigned int": ctypes.c_uint16,
    "unsigned int": ctypes.c_uint32,
    "long unsigned int": ctypes.c_uint64,
}


@pytest.mark.parametrize(
    ("struct", "path", "offset", "size"),
    [
        ("iphdr", ["protocol"], 9, 1),
        ("iphdr", ["saddr"], 12, 4),
        ("iphdr", ["addrs", "daddr"], 16, 4),
        ("tcphdr", ["dest"], 2, 2),
        ("tcphdr", ["seq"], 4, 4),
        ("udphdr", ["len"], 4, 2),
        ("ipv6hdr", ["saddr"], 8, 16),
        ("ipv6hdr", ["daddr", "in6_u", "u6_addr8", 3], 27, 1),
        ("icmphdr", ["un", "echo", "sequence"], 6, 2),
        ("sock_common", ["skc_daddr"], 0, 4),
        ("sock_common", ["skc_rcv_saddr"], 4, 4),
        ("qstr", ["len"], 4, 4),
        ("sockaddr_in", ["sin_addr", "s_addr"], 4, 4),
        ("list_head", ["prev"], 8, 8),
        ("new_utsname", ["nodename"], 65, 65),
        ("pt_regs", ["r14"], 8, 8),
    ],
)
def test_known_places(kernel, struct, path, offset, size):
    found = field_path(kernel, kernel.find_struct(struct), path)
    assert (found.offsets, found.size, found.bit_size) == ((offset,), size, 0)
    assert offsetof(kernel, kernel.find_struct(struct), path) == offset


@pytest.mark.parametrize(
    ("struct", "field", "byte", "value"),
    [
        ("iphdr", "version", 0x45, 4),
        ("iphdr", "ihl", 0x45, 5),
        ("tcphdr", "doff", 0x50, 5),
        ("tcphdr", "syn", 0x02, 1),
        ("tcphdr", "ack", 0x10, 1),
        ("tcphdr", "fin", 0x02, 0),
    ],
)
@pytest.mark.skipif(sys.byteorder != "little", reason="the fixture is little-endian")
def test_known_bit_fields(kernel, struct, field, byte, value):
    path = field_path(kernel, kernel.find_struct(struct), [field])
    assert path.size == 1
    assert byte >> path.bit_shift & (1 << path.bit_size) - 1 == value


def test_sizes_of_headers(kernel):
    sizes = [
        sizeof(kernel.find_struct(n)) for n in ("iphdr", "ipv6hdr", "tcphdr", "udphdr", "icmphdr", "ethhdr")
    ]
    assert sizes == [20, 40, 20, 8, 8, 14]
    assert sizeof(kernel.find_typedef("u64")) == 8
    assert sizeof(kernel.find_typedef("pid_t")) == 4


def test_pointers_are_followed(kernel):
    skb = kernel.find_struct("sk_buff")
    device = kernel.find_struct("net_device")
    to_device = skb and find_member(skb, "dev").bit_offset // 8
    path = field_path(kernel, skb, ["dev", "name"])
    assert path.offsets == (to_device, find_member(device, "name").bit_offset // 8)
    assert (type_name(path.type), path.size) == ("char[16]", 16)
    assert [(s.element, s.deref, s.parent) for s in path.steps] == [
        ("dev", False, skb),
        ("name", True, device),
    ]
    third = field_path(kernel, skb, ["dev", "name", 3])
    assert third.offsets[1] == path.offsets[1] + 3


def test_a_pointer_as_root_is_the_struct_s_address(kernel):
    skb = kernel.find_tracepoint("net_dev_queue").params[0].type
    assert type_name(skb) == "struct sk_buff *"
    of_pointer = field_path(kernel, skb, ["dev", "ifindex"])
    of_struct = field_path(kernel, kernel.find_struct("sk_buff"), ["dev", "ifindex"])
    assert of_pointer.offsets == of_struct.offsets
    assert [s.deref for s in of_pointer.steps] == [False, True]


def test_an_empty_path_is_the_root(kernel):
    path = field_path(kernel, kernel.find_struct("iphdr"), [])
    assert (path.offsets, path.steps, path.size) == ((0,), (), 20)


def test_fields_of_anonymous_members(kernel):
    sock = kernel.find_struct("sock")
    names = [m.name for m in members(kernel.find_struct("sock_common"))]
    assert {"skc_daddr", "skc_rcv_saddr", "skc_dport", "skc_num", "skc_family"} <= set(names)
    assert "" not in names
    dport = field_path(kernel, sock, ["__sk_common", "skc_dport"])
    num = field_path(kernel, sock, ["__sk_common", "skc_num"])
    assert num.offsets[0] == dport.offsets[0] + 2


def test_indexes():
    writer = BtfWriter()
    number = writer.add_int("int", 4)
    row = writer.add_array(number, number, 3)
    table = writer.add_array(row, number, 2)
    flexible = writer.add_array(number, number, 0)
    pointer = writer.add_ptr(number)
    unknown = writer.add_ptr(writer.next_id + 1)
    writer.add_fwd("elsewhere")
    fields = [
        ("table", table, 0, 0),
        ("p", pointer, 192, 0),
        ("u", unknown, 256, 0),
        ("rest", flexible, 320, 0),
    ]
    root = writer.add_struct("s", 40, fields)
    btf = Btf(writer.to_bytes())
    s = btf.type(root)

    def at(*path):
        return field_path(btf, s, path).offsets

    assert at("table", 1, 2) == (20,)
    assert at("p", 5) == (24, 20)
    assert at("rest", 9) == (76,)
    assert at("u", 0) == (32, 0)
    assert sizeof(btf.type(table)) == 24
    for path, message in [
        (("table", 2), "index 2 is outside 'int\\[2\\]\\[3\\]'"),
        (("table", -1), "outside"),
        (("u", 1), "size of 'struct elsewhere' is not known"),
        (("table", 0, 0, 0), "'int' is not an array or pointer"),
    ]:
        with pytest.raises(FieldError, match=message):
            at(*path)


def test_what_a_wrong_field_says(kernel):
    skb = kernel.find_struct("sk_buff")
    with pytest.raises(FieldError, match="'struct net_device' has no member 'nam'") as caught:
        field_path(kernel, skb, ["dev", "nam"])
    error = caught.value
    assert (error.element, error.position, error.parent) == ("nam", 1, kernel.find_struct("net_device"))
    assert "name" in error.candidates
    with pytest.raises(FieldError, match="'unsigned int' is not a struct or union"):
        field_path(kernel, skb, ["len", "x"])
    with pytest.raises(FieldError, match="is a bit field"):
        field_path(kernel, kernel.find_struct("iphdr"), ["version", "x"])
    with pytest.raises(FieldError, match="not defined in this kernel's BTF"):
        field_path(kernel, skb, ["dev", "ethtool_ops", "begin"])
    with pytest.raises(FieldError, match="'name' lies behind a pointer"):
        offsetof(kernel, skb, ["dev", "name"])
    with pytest.raises(FieldError, match="has no member ''"):
        field_path(kernel, kernel.find_struct("sock_common"), [""])


def test_what_has_no_size(kernel):
    for type in (kernel.type(0), kernel.find_func("tcp_v4_rcv"), kernel.find_func("tcp_v4_rcv").type):
        with pytest.raises(BtfError, match="has no size"):
            sizeof(type)


def test_old_style_bit_fields():
    writer = BtfWriter()
    three = writer.add_int("unsigned int", 4, bits=3, offset=2)
    root = writer.add_struct("s", 4, [("f", three, 8, 0)])
    btf = Btf(writer.to_bytes())
    path = field_path(btf, btf.type(root), ["f"])
    assert (path.offsets, path.size, path.bit_shift, path.bit_size) == ((1,), 1, 2, 3)


def test_a_packed_bit_field_may_cross_every_boundary():
    writer = BtfWriter()
    wide = writer.add_int("long unsigned int", 8)
    root = writer.add_struct("s", 16, [("a", wide, 33, 40), ("b", wide, 31, 64)])
    btf = Btf(writer.to_bytes())
    path = field_path(btf, btf.type(root), ["a"])
    assert (path.offsets, path.size, path.bit_shift, path.bit_size) == ((4,), 8, 1, 40)
    with pytest.raises(BtfError, match="can't be loaded at once"):
        field_path(btf, btf.type(root), ["b"])


@st.composite
def structs(draw) -> list[tuple[str, int]]:
    """Draw fields: (C type, bit field width or 0, array length or 0)."""
    out = []
    of_bits = draw(st.sampled_from(list(SCALARS)))  # ctypes is wrong about neighbours of several types
    for _ in range(draw(st.integers(1, 12))):
        name = draw(st.sampled_from(list(SCALARS)))
        bits = draw(st.integers(0, 8 * ctypes.sizeof(SCALARS[name]))) if name == of_bits else 0
        out.append((name, bits, 0 if bits else draw(st.integers(0, 3))))
    return out


def mirror(fields) -> tuple[type[ctypes.Structure], Btf, int]:
    """Return the ctypes class of drawn fields, and its BTF."""
    parts = []
    for i, (name, bits, length) in enumerate(fields):
        scalar = SCALARS[name]
        parts.append((f"f{i}", scalar, bits) if bits else (f"f{i}", scalar * length if length else scalar))
    shape = type("Shape", (ctypes.Structure,), {"_fields_": parts})
    writer = BtfWriter()
    ids = {name: writer.add_int(name, ctypes.sizeof(scalar)) for name, scalar in SCALARS.items()}
    out = []
    for i, (name, bits, length) in enumerate(fields):
        place = getattr(shape, f"f{i}")
        type_id = writer.add_array(ids[name], ids["unsigned int"], length) if length else ids[name]
        start = 8 * place.offset + (place.size & 0xFFFF if bits else 0)
        out.append((f"f{i}", type_id, start, bits))
    root = writer.add_struct("shape", ctypes.sizeof(shape), out)
    return shape, Btf(writer.to_bytes()), root


@pytest.mark.skipif(sys.byteorder != "little", reason="ctypes' bit offsets are spelled otherwise")
@settings(deadline=None)
@given(structs(), st.data())
def test_values_are_read_as_ctypes_wrote_them(fields, data):
    shape, btf, root = mirror(fields)
    value = shape()
    expected = []
    for i, (name, bits, length) in enumerate(fields):
        width = bits or 8 * ctypes.sizeof(SCALARS[name])
        number = data.draw(st.integers(0, (1 << width) - 1))
        expected.append(number)
        if length:
            getattr(value, f"f{i}")[length - 1] = number
        else:
            setattr(value, f"f{i}", number)
    raw = bytes(value)
    for i, (_, _, length) in enumerate(fields):
        path = field_path(btf, btf.type(root), [f"f{i}", length - 1] if length else [f"f{i}"])
        (at,) = path.offsets
        assert at + path.size <= len(raw)
        loaded = int.from_bytes(raw[at : at + path.size], "little") >> path.bit_shift
        if path.bit_size:
            loaded &= (1 << path.bit_size) - 1
        assert loaded == expected[i]
