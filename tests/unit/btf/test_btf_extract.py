"""Writing BTF, and taking a small part out of a large one."""

from __future__ import annotations

import pytest
from btf_tools import describe, dump

from pystap.btf import Btf, BtfError, type_name
from pystap.btf import kinds as k
from pystap.btf import types as t
from pystap.btf.extract import extract
from pystap.btf.layout import field_path, members
from pystap.btf.write import BtfWriter


def large() -> Btf:
    writer = BtfWriter()
    number = writer.add_int("int", 4)
    inner = writer.add_struct("inner", 4, [("n", number, 0, 0)])
    far = writer.add_struct("far", 4, [("n", number, 0, 0)])
    const_far = writer.add_qualified(k.CONST, far)
    alias = writer.add_typedef("far_t", const_far)
    p_alias = writer.add_ptr(alias)
    both = writer.add_struct("both", 4, [("n", number, 0, 0)])
    p_both = writer.add_ptr(both)
    unnamed = writer.add_struct("", 4, [("n", number, 0, 0)])
    p_unnamed = writer.add_ptr(unnamed)
    apart = writer.add_union("apart", 4, [("n", number, 0, 0)])
    proto = writer.add_func_proto(0, [("u", writer.add_ptr(apart))])
    p_proto = writer.add_ptr(writer.next_id - 1)
    self_pointer = writer.add_ptr(writer.next_id + 1)
    fields = [inner, p_alias, both, p_both, p_unnamed, p_proto, self_pointer]
    writer.add_struct("root", 56, [(f"f{i}", id, 64 * i, 0) for i, id in enumerate(fields)])
    assert proto
    writer.add_struct("other", 0, [])
    return Btf(writer.to_bytes())


def test_what_is_behind_pointers_becomes_a_forward_declaration():
    btf = large()
    small = Btf(extract(btf, [btf.find_struct("root")]))
    assert small.names(k.G_STRUCT) == ["both", "inner", "root"]
    assert small.names(k.G_FWD) == ["apart", "far"]
    assert next(small.find_all(k.G_FWD, "apart")).is_union
    root = small.find_struct("root")
    spelled = [type_name(m.type) for m in root.members]
    assert spelled == [type_name(m.type) for m in btf.find_struct("root").members]
    assert spelled == [
        "struct inner",
        "far_t *",
        "struct both",
        "struct both *",
        "struct {...} *",
        "void (*)(union apart *u)",
        "struct root *",
    ]
    assert field_path(small, root, ["f4", "n"]).offsets == (32, 0)
    assert field_path(small, root, ["f6", "f2", "n"]).offsets == (48, 16)


def test_what_is_wanted_stays_whole():
    btf = large()
    small = Btf(extract(btf, [btf.find_struct("root"), btf.find_struct("far")]))
    assert field_path(small, small.find_struct("root"), ["f1", "n"]).offsets == (8, 0)


def test_extracting_all_is_a_copy(kernel, kernel_bytes):
    roots = [kernel.type(id) for id in range(1, kernel.end_id)]
    assert dump(Btf(extract(kernel, roots))) == dump(kernel)


def test_extracting_keeps_every_member(kernel):
    names = ["sk_buff", "task_struct"]
    small = Btf(extract(kernel, [kernel.find_struct(name) for name in names]))
    for name in names:
        ours, theirs = small.find_struct(name), kernel.find_struct(name)
        assert [(m.name, m.bit_offset, m.bit_size, type_name(m.type)) for m in members(ours)] == [
            (m.name, m.bit_offset, m.bit_size, type_name(m.type)) for m in members(theirs)
        ]
    assert small.end_id < kernel.end_id
    assert small.find_struct("net_device") is None


def test_every_kind_is_copied():
    writer = BtfWriter()
    number = writer.add_int("int", 4, k.SIGNED)
    writer.add_float("double", 8)
    writer.add_enum("e", [("A", -1)], signed=True)
    writer.add_enum64("w", [("B", 1 << 40)])
    variable = writer.add_var("v", number, 1)
    writer.add_datasec(".data", 4, [(variable, 0, 4)])
    writer.add_decl_tag("tag", variable)
    writer.add_type_tag("user", number)
    writer.add_func("f", writer.add_func_proto(number, [("a", number)], variadic=True), 1)
    writer.add_fwd("x", True)
    writer.add_array(number, number, 4)
    writer.add_qualified(k.RESTRICT, writer.add_ptr(number))
    btf = Btf(writer.to_bytes())
    assert {btf.type(id).kind for id in range(1, btf.end_id)} >= set(range(1, 20)) - {4, 5, 8, 9, 10}
    assert dump(Btf(extract(btf, [btf.type(id) for id in range(1, btf.end_id)]))) == dump(btf)


def test_strings_are_stored_once():
    writer = BtfWriter()
    writer.add_struct("same", 0, [])
    before = len(writer.to_bytes())
    writer.add_union("same", 0, [])
    assert len(writer.to_bytes()) == before + 12


@pytest.mark.parametrize(
    "write",
    [
        lambda w: w.add_int("a\0b", 4),
        lambda w: w.add_struct("s", 0, [("a", 0, 0, 0)] * 65536),
        lambda w: w.add_struct("s", 0, [("a", 0, 1 << 24, 3)]),
        lambda w: w.add(k.STRUCT, "s", 0, (1, 2), count=1),
        lambda w: w.add(k.STRUCT, "s", 0, count=-1),
        lambda w: w.add(25, "s", 0),
    ],
)
def test_what_cant_be_written(write):
    with pytest.raises(BtfError):
        write(BtfWriter())


def test_the_fixture_has_what_scripts_use(kernel):
    for name in ("task_struct", "sk_buff", "sock", "net_device", "iphdr", "bio", "request", "file", "inode"):
        assert isinstance(kernel.find_struct(name), t.Struct), name
    for name in ("sys_enter", "kfree_skb", "inet_sock_set_state", "sched_switch", "block_bio_complete"):
        params = kernel.find_tracepoint(name).params
        assert params, name
        assert all(p.name for p in params), name
    assert describe(kernel.find_struct("trace_event_raw_sys_enter"))[3][1][0] == "id"
