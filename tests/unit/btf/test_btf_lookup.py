"""Names: every one is found, as a plain search would find it."""

from __future__ import annotations

import pytest
from btf_tools import build, type_specs
from hypothesis import given, settings

from pystap.btf import Btf, BtfError, pointer_tags, resolve, scan, type_name
from pystap.btf import kinds as k
from pystap.btf import types as t
from pystap.btf.build import build_index
from pystap.btf.index import BtfIndex
from pystap.btf.write import BtfWriter


def plainly(btf: Btf) -> dict[tuple[int, str], list[int]]:
    """Find all names by looking at each type."""
    out: dict[tuple[int, str], list[int]] = {}
    for id in range(1, btf.end_id):
        type = btf.type(id)
        group = k.GROUP_OF.get(type.kind)
        if group is not None and type.name:
            out.setdefault((group, type.name), []).append(id)
    return out


@pytest.fixture(params=["scanned", "indexed"])
def kernel(request, kernel_bytes, monkeypatch) -> Btf:
    """The kernel with each way of finding names."""
    monkeypatch.setattr(scan, "PATIENCE", 1 << 30)
    return Btf(kernel_bytes) if request.param == "scanned" else indexed(kernel_bytes)


def indexed(data: bytes) -> Btf:
    return Btf(data, BtfIndex(build_index(Btf(data))))


def check_all(btf: Btf) -> None:
    names = plainly(btf)
    for (group, name), ids in names.items():
        assert [found.id for found in btf.find_all(group, name)] == ids
    for group in range(k.G_ENUMERATOR):
        assert btf.names(group) == sorted(name for of, name in names if of == group)


def test_every_name_of_the_kernel_is_found(kernel):
    check_all(kernel)
    assert len(plainly(kernel)) > 800


@settings(deadline=None)
@given(type_specs(most=40))
def test_every_name_of_any_blob_is_found(specs):
    data = build(specs)
    check_all(Btf(data))
    check_all(indexed(data))


def test_every_enumerator_is_found(kernel):
    enums = [kernel.type(id) for id in range(1, kernel.end_id)]
    known = {name: value for e in enums if isinstance(e, t.Enum) for name, value in e.values}
    assert len(known) > 300
    for name, value in known.items():
        found = kernel.find_enumerator(name)
        assert found is not None
        assert found[0] == value == found[1].value(name)
    assert kernel.names(k.G_ENUMERATOR) == sorted(known)


@pytest.mark.parametrize("name", ["", "nope", "sk_buf", "sk_buff2", "sk_buff\0", "\ud800", "int "])
def test_names_that_are_not_there(kernel, name):
    finds = [kernel.find_struct, kernel.find_union, kernel.find_enum, kernel.find_typedef, kernel.find_func]
    finds += [kernel.find_var, kernel.find_datasec, kernel.find_scalar, kernel.find_enumerator]
    assert [find(name) for find in [*finds, kernel.find_tracepoint]] == [None] * 10


def test_a_name_is_found_in_its_own_group_only(kernel):
    assert isinstance(kernel.find_struct("sock"), t.Struct)
    assert kernel.find_union("sock") is None
    assert kernel.find_func("sock") is None
    assert isinstance(kernel.find_enum("skb_drop_reason"), t.Enum)
    assert kernel.find_struct("skb_drop_reason") is None


def test_known_enumerators(kernel):
    assert [kernel.find_enumerator(n)[0] for n in ("TCP_ESTABLISHED", "TCP_SYN_SENT", "TCP_LISTEN")] == [
        1,
        2,
        10,
    ]
    assert kernel.find_enumerator("IPPROTO_TCP")[0] == 6


def test_tracepoints_have_typed_named_parameters(kernel):
    found = kernel.find_tracepoint("inet_sock_set_state")
    assert [(p.name, str(resolve(p.type))) for p in found.params][1:] == [
        ("oldstate", str(kernel.find_scalar("int"))),
        ("newstate", str(kernel.find_scalar("int"))),
    ]
    first = found.params[0]
    assert first.name == "sk"
    assert resolve(kernel.resolve(first.type).type) is kernel.find_struct("sock")
    assert type_name(first.type) == "const struct sock *"


def test_a_tracepoint_without_named_functions():
    writer = BtfWriter()
    proto = writer.add_func_proto(0, [("", 2), ("", 3)])
    pointer = writer.add_ptr(0)
    number = writer.add_int("int", 4)
    writer.add_typedef("btf_trace_some", writer.add_ptr(proto))
    writer.add_typedef("btf_trace_odd", number)
    btf = Btf(writer.to_bytes())
    assert (pointer, number) == (2, 3)
    found = btf.find_tracepoint("some")
    assert [(p.name, p.type) for p in found.params] == [("", btf.type(3))]
    assert btf.find_tracepoint("odd") is None


def test_listing_by_pattern(kernel):
    switches = kernel.tracepoints("sched_switch")
    assert switches == ["sched_switch"]
    some = kernel.tracepoints("sched_process_*")
    assert "sched_process_exec" in some
    assert all(name.startswith("sched_process_") for name in some)
    assert kernel.tracepoints("*_switch") == ["sched_switch"]
    assert kernel.tracepoints("net_dev_??????xmit") == ["net_dev_start_xmit"]
    assert kernel.tracepoints("s[xc]hed_switch") == ["sched_switch"]
    assert kernel.tracepoints("nothing*") == []
    assert len(kernel.tracepoints()) == len(
        [n for n in kernel.names(k.G_TYPEDEF) if n.startswith("btf_trace_")]
    )
    assert kernel.names(k.G_FUNC, "tcp_v4_r*") == ["tcp_v4_rcv"]
    assert kernel.names(k.G_FUNC, "tcp_v4") == []


def test_resolve_strips_names_and_qualifiers_only():
    writer = BtfWriter()
    number = writer.add_int("int", 4)
    tagged = writer.add_type_tag("user", writer.add_qualified(k.CONST, number))
    name = writer.add_typedef("name", writer.add_qualified(k.VOLATILE, tagged))
    pointer = writer.add_ptr(tagged)
    btf = Btf(writer.to_bytes())
    assert resolve(btf.type(name)) is btf.type(number)
    assert resolve(btf.type(pointer)) is btf.type(pointer)
    assert pointer_tags(btf.type(pointer)) == ("user",)
    assert pointer_tags(btf.type(number)) == ()


def test_resolve_completes_forward_declarations():
    writer = BtfWriter()
    forward = writer.add_fwd("s")
    other = writer.add_fwd("s", is_union=True)
    whole = writer.add_struct("s", 0, [])
    btf = Btf(writer.to_bytes())
    assert btf.resolve(btf.type(forward)) is btf.type(whole)
    assert btf.resolve(btf.type(other)) is btf.type(other)


def test_a_typedef_of_itself_is_an_error():
    writer = BtfWriter()
    writer.add_typedef("a", 2)
    writer.add_typedef("b", 1)
    btf = Btf(writer.to_bytes())
    with pytest.raises(BtfError, match="refers to itself"):
        resolve(btf.type(1))
