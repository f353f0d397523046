"""Helpers of the BTF tests: a full dump, a use of everything, random type graphs."""

from __future__ import annotations

from hypothesis import strategies as st

from pystap.btf import Btf, BtfError, declare, pointer_tags, resolve
from pystap.btf import kinds as k
from pystap.btf import types as t
from pystap.btf.layout import field_path, members, sizeof
from pystap.btf.write import BtfWriter


def dump(btf: Btf) -> list[tuple]:
    """Return every type as plain data, by id."""
    return [describe(btf.type(id)) for id in range(btf.first_id, btf.end_id)]


def describe(type: t.Type) -> tuple:
    """Return a type as plain data."""
    out: list = [type.kind, type.name]
    if isinstance(type, t.Composite):
        out += [type.size, [(m.name, m.type_id, m.bit_offset, m.bit_size) for m in type.members]]
    elif isinstance(type, t.Enum):
        out += [type.size, type.signed, list(type.values)]
    elif isinstance(type, t.FuncProto):
        out += [type.type_id, [(p.name, p.type_id) for p in type.params], type.variadic]
    elif isinstance(type, t.DataSec):
        out += [type.size, list(type.entries)]
    else:
        slots = ("size", "bits", "offset", "encoding", "type_id", "index_id", "count", "linkage")
        out += [getattr(type, slot) for slot in (*slots, "component", "is_union") if hasattr(type, slot)]
    return tuple(out)


def use_all(btf: Btf) -> int:
    """Call everything on everything; BtfError is allowed at each. Return how many of them there were."""
    errors = 0

    def run(call, *args):
        nonlocal errors
        try:
            return call(*args)
        except BtfError:
            errors += 1
            return None

    end = run(lambda: btf.end_id) or 0
    for id in range(min(end + 2, 3000)):
        type = run(btf.type, id)
        if type is None:
            continue
        for call in (describe, resolve, btf.resolve, sizeof, repr, pointer_tags):
            run(call, type)
        run(declare, type, "x")
        for member in (isinstance(type, t.Composite) and run(members, type)) or ():
            run(field_path, btf, type, [member.name])
            run(field_path, btf, type, [member.name, 0])
    for group in range(k.GROUPS):
        for name in (run(btf.names, group) or [])[:20]:
            run(lambda g, n: list(btf.find_all(g, n)), group, name)
            run(btf.find_enumerator, name)
    for name in run(btf.tracepoints) or []:
        run(btf.find_tracepoint, name)
    return errors


NAMES = st.sampled_from(["", "a", "b", "list", "long_name_of_something", "x1", "näme"])
U32 = st.integers(0, 0xFFFFFFFF)


@st.composite
def type_specs(draw, most: int = 12) -> list[tuple]:
    """Draw a list of (method, arguments): a random graph, with references in both directions."""
    count = draw(st.integers(1, most))
    ref = st.integers(0, count)
    named = NAMES.filter(bool)
    fields = st.lists(st.tuples(NAMES, ref, st.integers(0, 0xFFFFFF), st.integers(0, 64)), max_size=4)
    values = st.lists(st.tuples(named, st.integers(-(1 << 31), (1 << 31) - 1)), max_size=4)
    kinds = [
        st.tuples(st.just("add_int"), st.tuples(named, st.sampled_from([1, 2, 4, 8, 16]), st.integers(0, 7))),
        st.tuples(st.just("add_float"), st.tuples(named, st.sampled_from([4, 8]))),
        st.tuples(st.just("add_ptr"), st.tuples(ref)),
        st.tuples(st.just("add_array"), st.tuples(ref, ref, U32)),
        st.tuples(st.just("add_struct"), st.tuples(NAMES, U32, fields)),
        st.tuples(st.just("add_union"), st.tuples(NAMES, U32, fields)),
        st.tuples(st.just("add_enum"), st.tuples(NAMES, values, st.just(4), st.just(True))),
        st.tuples(
            st.just("add_enum64"),
            st.tuples(
                NAMES,
                st.lists(st.tuples(named, st.integers(0, (1 << 64) - 1)), max_size=4),
                st.just(8),
                st.just(False),
            ),
        ),
        st.tuples(st.just("add_fwd"), st.tuples(named, st.booleans())),
        st.tuples(st.just("add_typedef"), st.tuples(named, ref)),
        st.tuples(
            st.just("add_qualified"), st.tuples(st.sampled_from([k.CONST, k.VOLATILE, k.RESTRICT]), ref)
        ),
        st.tuples(st.just("add_type_tag"), st.tuples(named, ref)),
        st.tuples(st.just("add_decl_tag"), st.tuples(named, ref, st.integers(-1, 20))),
        st.tuples(
            st.just("add_func_proto"),
            st.tuples(ref, st.lists(st.tuples(named, st.integers(1, count)), max_size=4), st.booleans()),
        ),
        st.tuples(st.just("add_func"), st.tuples(named, ref, st.integers(0, 2))),
        st.tuples(st.just("add_var"), st.tuples(named, ref, st.integers(0, 2))),
        st.tuples(
            st.just("add_datasec"), st.tuples(named, U32, st.lists(st.tuples(ref, U32, U32), max_size=3))
        ),
    ]
    return [draw(st.one_of(kinds)) for _ in range(count)]


def build(specs: list[tuple]) -> bytes:
    """Return the BTF of drawn types."""
    writer = BtfWriter()
    for method, args in specs:
        getattr(writer, method)(*args)
    return writer.to_bytes()
