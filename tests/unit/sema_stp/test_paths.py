"""Following kernel types: offsets, signs, bit fields and strings agree with the layout that BTF gives."""

from __future__ import annotations

import pytest

from pystap.btf import types as t
from pystap.btf.layout import field_path
from pystap.diag import CompileError
from pystap.ir.nodes import Local, Op
from pystap.sema.build import Builder
from pystap.sema.paths import Place, Walk, char_array, emit_value, parse_type
from pystap.source import NOWHERE

from .tools import BTF


def walked(struct: str, *path: str | int) -> tuple[Walk, list[Op], object]:
    """Walk from a pointer to a struct; return the walk, the operations and the value."""
    walk = Walk(BTF, BTF.find_struct(struct), "$x")
    indexes = []
    for step in path:
        if isinstance(step, str):
            walk.field(step, NOWHERE)
        else:
            walk.element(step, len(indexes), NOWHERE)
    builder = Builder()
    value = emit_value(builder, walk, Local("x", "i64"), [])
    return walk, builder.out, value  # type: ignore[return-value]


@pytest.mark.parametrize(
    "struct, path",
    [
        ("sk_buff", ("len",)),
        ("sk_buff", ("dev", "ifindex")),
        ("sock", ("__sk_common", "skc_family")),
        ("sock", ("__sk_common", "skc_dport")),
        ("task_struct", ("real_parent", "real_parent", "pid")),
        ("task_struct", ("cred", "uid", "val")),
        ("bio", ("bi_iter", "bi_sector")),
    ],
)
def test_scalars(struct: str, path: tuple[str, ...]) -> None:
    root = BTF.find_struct(struct)
    assert root is not None
    known = field_path(BTF, root, path)
    _, out, value = walked(struct, *path)
    loads = [op.attr for op in out]
    assert [op.name for op in out] == ["load"] * len(known.offsets)
    assert tuple(load.off for load in loads) == known.offsets
    assert [load.size for load in loads] == [8] * (len(loads) - 1) + [known.size]
    end = BTF.resolve(known.type)
    assert loads[-1].signed == (end.signed if isinstance(end, (t.Int, t.Enum)) else False)
    assert value is out[-1].dst
    assert loads[0].struct == struct
    assert loads[-1].what == "$x->" + "->".join(path)


def test_arrays_are_places() -> None:
    _, out, value = walked("sk_buff", "dev", "name")
    assert len(out) == 1 and isinstance(value, Place)
    assert (value.struct, char_array(BTF, value.type)) == ("net_device", 16)
    _, out, value = walked("net_device", "name", 3)
    assert [op.name for op in out] == ["load"]
    first = field_path(BTF, BTF.find_struct("net_device"), ("name",)).offsets[0]  # type: ignore[arg-type]
    assert (out[0].attr.off, out[0].attr.size) == (first + 3, 1)


def test_pointers_are_indexed_by_what_they_point_to() -> None:
    _, out, _ = walked("bio", "bi_io_vec", 2, "bv_len")
    size = BTF.find_struct("bio_vec").size  # type: ignore[union-attr]
    assert out[1].attr.off == 2 * size + 8


def test_an_index_of_the_run() -> None:
    walk = Walk(BTF, BTF.find_struct("bio"), "$x")
    walk.field("bi_io_vec", NOWHERE)
    walk.element(None, 0, NOWHERE)
    walk.field("bv_len", NOWHERE)
    builder = Builder()
    emit_value(builder, walk, Local("x", "i64"), [Local("i", "i64")])
    assert [op.name for op in builder.out] == ["load", "mul", "add", "load"]  # type: ignore[attr-defined]
    assert builder.out[-1].attr.off == 8 and builder.out[-1].attr.struct == ""  # type: ignore[attr-defined]


def bit_fields() -> list[tuple[str, str]]:
    """Return the named bit fields of some structs."""
    return [
        (struct, member.name)
        for struct in ("tcphdr", "iphdr", "task_struct", "sk_buff")
        for member in BTF.find_struct(struct).members  # type: ignore[union-attr]
        if member.bit_size and member.name
    ]


@pytest.mark.parametrize("struct, name", bit_fields())
def test_bit_fields(struct: str, name: str) -> None:
    """The loaded word, shifted and cut as the operations say, has the field's bits and no others."""
    root = BTF.find_struct(struct)
    assert root is not None
    member = root.member(name)
    assert member is not None
    _, out, _ = walked(struct, name)
    load = out[0].attr
    shift = next((op.args[1].value for op in out if op.name == "shr"), 0)  # type: ignore[union-attr]
    last = out[-1]
    width = last.attr if last.name == "sext" else last.args[1].value.bit_length()  # type: ignore[union-attr]
    assert 8 * load.off + shift == member.bit_offset
    assert width == member.bit_size
    assert shift + width <= 8 * load.size


@pytest.mark.parametrize(
    "steps, code",
    [
        (("nothing",), "E231"),
        (("len", "x"), "E231"),
        (("len", 1), "E232"),
        (("users", "refs", "counter", "x"), "E231"),
    ],
)
def test_wrong_ways(steps: tuple[str | int, ...], code: str) -> None:
    with pytest.raises(CompileError) as caught:
        walked("sk_buff", *steps)
    assert caught.value.diagnostic.code == code


@pytest.mark.parametrize(
    "text, name",
    [
        ("struct sk_buff", "sk_buff"),
        ("struct sk_buff *", "sk_buff"),
        ("sk_buff", "sk_buff"),
        ("const struct sk_buff*", "sk_buff"),
        ("struct  task_struct  * ", "task_struct"),
        ("enum skb_drop_reason", "skb_drop_reason"),
        ("u32", "u32"),
        ("unsigned long", "long unsigned int"),
        ("long", "long int"),
    ],
)
def test_type_names(text: str, name: str) -> None:
    found = parse_type(BTF, text)
    assert found is not None and found.name == name


@pytest.mark.parametrize("text", ["", "*", "struct", "struct nothing", "nothing", "union sk_buff"])
def test_unknown_type_names(text: str) -> None:
    assert parse_type(BTF, text) is None
