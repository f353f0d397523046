"""Single types of every kind, and what isn't BTF."""

from __future__ import annotations

import mmap
import struct

import pytest
from btf_tools import build, describe, dump, type_specs
from hypothesis import given, settings

from pystap.btf import Btf, BtfError
from pystap.btf import kinds as k
from pystap.btf import types as t
from pystap.btf.write import BtfWriter


def expected(method: str, args: tuple) -> tuple:
    """Say what `describe` must give for what was written."""
    kind = {"add_qualified": args[0]}.get(method) or k.NAMES.index(method[4:])
    if method == "add_int":
        name, size, encoding = args
        return (kind, name, size, 8 * size, 0, encoding)
    if method in ("add_struct", "add_union"):
        return (kind, args[0], args[1], args[2])
    if method in ("add_enum", "add_enum64"):
        name, values, size, signed = args
        return (kind, name, size, signed, values)
    if method == "add_array":
        return (kind, "", *args)
    if method == "add_func_proto":
        return (kind, "", *args)
    if method in ("add_ptr", "add_qualified"):
        return (kind, "", args[-1])
    return (kind, *args)


@settings(deadline=None)
@given(type_specs())
def test_what_is_written_is_read(specs):
    btf = Btf(build(specs))
    assert btf.end_id == len(specs) + 1
    assert dump(btf) == [expected(method, args) for method, args in specs]


def test_types_are_parsed_once_and_compare_by_identity():
    writer = BtfWriter()
    number = writer.add_int("int", 4, k.SIGNED)
    writer.add_ptr(number)
    btf = Btf(writer.to_bytes())
    pointer = btf.type(2)
    assert isinstance(pointer, t.Ptr)
    assert pointer.type is btf.type(1)
    assert btf.type(0).name == "void"


def test_int_properties():
    writer = BtfWriter()
    writer.add_int("_Bool", 1, k.BOOL)
    writer.add_int("char", 1, k.SIGNED)
    writer.add_int("unsigned int", 4)
    btf = Btf(writer.to_bytes())
    assert [(x.is_bool, x.is_char, x.signed) for x in map(btf.type, (1, 2, 3))] == [
        (True, False, False),
        (False, True, True),
        (False, False, False),
    ]


def test_enum_values_by_name_and_number():
    writer = BtfWriter()
    writer.add_enum("plain", [("A", 1), ("B", 0xFFFFFFFF)])
    writer.add_enum("minus", [("C", -1)], signed=True)
    writer.add_enum64("wide", [("D", -2)], signed=True)
    btf = Btf(writer.to_bytes())
    assert btf.type(1).value("B") == 0xFFFFFFFF
    assert btf.type(1).value("Z") is None
    assert btf.type(2).value("C") == -1
    assert btf.type(3).value("D") == -2


def test_a_split_blob_refers_to_its_base():
    writer = BtfWriter()
    writer.add_int("int", 4)
    base = Btf(writer.to_bytes())
    part = BtfWriter(base.end_id, base.string_end)
    own = part.add_struct("local", 4, [("field", 1, 0, 0)])
    module = Btf(part.to_bytes(), None, base)
    found = module.find_struct("local")
    assert found is not None
    assert found.id == own == 2
    assert found.members[0].type is base.type(1)
    assert module.find_scalar("int") is base.type(1)
    assert base.find_struct("local") is None
    assert module.names(k.G_STRUCT) == ["local"]
    assert module.names(k.G_SCALAR, "in*") == ["int"]
    assert module.type(0) is base.type(0)


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview, lambda b: memoryview(bytearray(b))])
def test_any_kind_of_buffer(kernel_bytes, kernel, wrap):
    assert Btf(wrap(kernel_bytes)).find_struct("sock").id == kernel.find_struct("sock").id


def test_a_mapped_file(kernel_bytes, kernel, tmp_path):
    path = tmp_path / "btf"
    path.write_bytes(kernel_bytes)
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    for data in (mapped, memoryview(mapped)):
        btf = Btf(data)
        assert btf.raw is mapped
        assert describe(btf.find_struct("sock")) == describe(kernel.find_struct("sock"))


def header(magic=0xEB9F, version=1, size=24, type_len=0, str_len=1):
    return struct.pack("=HBBIIIII", magic, version, 0, size, 0, type_len, type_len, str_len)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "too short"),
        (header()[:20], "too short"),
        (header(magic=0x1234) + b"\0", "wrong magic"),
        (header(magic=0x9FEB) + b"\0", "other byte order"),
        (header(version=2) + b"\0", "version 2"),
        (header(size=8) + b"\0", "version 1"),
        (header(), "cut off"),
        (header(type_len=3) + b"\0\0\0\0", "cut off"),
    ],
)
def test_what_is_not_btf(data, message):
    with pytest.raises(BtfError, match=message):
        Btf(data)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([0, 31 << 24, 0], "unknown BTF kind 31"),
        ([0, 0, 0], "unknown BTF kind 0"),
        ([0, k.STRUCT << 24 | 2, 0, 0, 0, 0], "cut off"),
        ([0], "cut off"),
    ],
)
def test_bad_types(words, message):
    data = struct.pack(f"={len(words)}I", *words)
    btf = Btf(header(type_len=len(data)) + data + b"\0")
    with pytest.raises(BtfError, match=message):
        btf.type(1)


def test_an_empty_blob_has_only_void():
    btf = Btf(header() + b"\0")
    assert btf.end_id == 1
    assert btf.find_struct("a") is None
    for id in (1, -1, 1 << 40):
        with pytest.raises(BtfError, match="no BTF type"):
            btf.type(id)
