"""A small BTF of some types of a large one, for fixtures.

What is wanted is copied whole, with everything that it contains by value. Behind a pointer, a struct or union
that isn't wanted becomes a forward declaration, so that the rest of the kernel stays behind.
"""

from __future__ import annotations

from . import types as t
from .lookup import Btf
from .write import BtfWriter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def extract(btf: Btf, roots: Iterable[t.Type]) -> bytes:
    """Return the BTF of the root types and of what they need."""
    copy = _Extract(btf, list(roots))
    copy.run()
    return copy.writer.to_bytes()


class _Extract:
    """Two passes: which types come along and as what, then writing them under their new ids."""

    def __init__(self, btf: Btf, roots: list[t.Type]) -> None:
        self.btf = btf
        self.writer = BtfWriter()
        self.roots = roots
        self.whole = {root.id for root in roots}
        self.ids: dict[int, int] = {}  # old id -> new id
        self.order: list[t.Type] = []
        self.forward: set[int] = set()  # old ids that become forward declarations

    def run(self) -> None:
        """Collect, number and write."""
        self._collect()
        self.order.sort(key=lambda type: type.id)
        self.ids = {type.id: new for new, type in enumerate(self.order, 1)} | {0: 0}
        for type in self.order:
            self._write(type)

    def _collect(self) -> None:
        """Find all types to copy, and which of them only as forward declarations."""
        whole: set[int] = set()
        behind: set[int] = set()
        seen: set[tuple[int, bool]] = {(0, False), (0, True)}
        work = [(root.id, False) for root in self.roots]
        while work:
            item = id, pointer = work.pop()
            if item in seen:
                continue
            seen.add(item)
            type = self.btf.type(id)
            if pointer and isinstance(type, t.Composite) and type.name and id not in self.whole:
                behind.add(id)
            else:
                whole.add(id)
                door = self._is_door(type, pointer)
                work += [(ref, door) for ref in _refs(type)]
        self.forward = behind - whole
        self.order = [self.btf.type(id) for id in whole | behind]

    @staticmethod
    def _is_door(type: t.Type, pointer: bool) -> bool:
        """Whether structs that this type refers to lie behind a pointer (`pointer`: it does itself)."""
        if isinstance(type, (t.Ptr, t.FuncProto, t.Func)):
            return True
        return pointer and isinstance(type, (t.Typedef, t.Const, t.Volatile, t.Restrict, t.TypeTag))

    def _write(self, type: t.Type) -> None:
        writer = self.writer
        ids = self.ids
        if type.id in self.forward:
            writer.add_fwd(type.name, isinstance(type, t.Union))
        elif isinstance(type, t.Composite):
            fields = [(m.name, ids[m.type_id], m.bit_offset, m.bit_size) for m in type.members]
            (writer.add_struct if isinstance(type, t.Struct) else writer.add_union)(
                type.name, type.size, fields
            )
        elif isinstance(type, t.Enum):
            write = writer.add_enum64 if isinstance(type, t.Enum64) else writer.add_enum
            write(type.name, type.values, type.size, type.signed)
        elif isinstance(type, t.FuncProto):
            params = [(p.name, ids[p.type_id]) for p in type.params]
            writer.add_func_proto(ids[type.type_id], params, type.variadic)
        elif isinstance(type, t.DataSec):
            writer.add_datasec(type.name, type.size, [(ids[v], at, size) for v, at, size in type.entries])
        else:
            self._write_plain(type)

    def _write_plain(self, type: t.Type) -> None:
        writer = self.writer
        ids = self.ids
        if isinstance(type, t.Int):
            writer.add_int(type.name, type.size, type.encoding, type.bits, type.offset)
        elif isinstance(type, t.Float):
            writer.add_float(type.name, type.size)
        elif isinstance(type, t.Array):
            writer.add_array(ids[type.type_id], ids[type.index_id], type.count)
        elif isinstance(type, t.Fwd):
            writer.add_fwd(type.name, type.is_union)
        elif isinstance(type, t.Func):
            writer.add_func(type.name, ids[type.type_id], type.linkage)
        elif isinstance(type, t.Var):
            writer.add_var(type.name, ids[type.type_id], type.linkage)
        elif isinstance(type, t.DeclTag):
            writer.add_decl_tag(type.name, ids[type.type_id], type.component)
        else:
            assert isinstance(type, t.Ref)
            writer.add(type.kind, type.name, ids[type.type_id])


def _refs(type: t.Type) -> list[int]:
    """Return the ids that a type refers to."""
    if isinstance(type, t.Composite):
        return [m.type_id for m in type.members]
    if isinstance(type, t.FuncProto):
        return [type.type_id, *[p.type_id for p in type.params]]
    if isinstance(type, t.Array):
        return [type.type_id, type.index_id]
    if isinstance(type, t.DataSec):
        return [entry[0] for entry in type.entries]
    if isinstance(type, t.Ref):
        return [type.type_id]
    return []
