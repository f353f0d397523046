"""The script's own structs, unions, enums and typedefs, laid out as C does and put as BTF on top of the kernel's.

After `define`, `unit.btf` finds them first; types that they mention and don't define are the kernel's.
"""

from __future__ import annotations

from ...btf import Btf
from ...btf import kinds as k
from ...btf import types as bt
from ...btf.layout import sizeof
from ...btf.write import BtfWriter
from ...diag import CompileError
from ...lang.bt import ast
from ...lang.bt.constants import evaluate
from .body import error, later
from .ctypes_ import find
from .types import SCALARS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .unit import Unit

    Laid = tuple[int, int, int]  # type id, size, alignment

POINTER = 8


def define(unit: Unit) -> None:
    """Take in the definitions of the C part."""
    maker = _Maker(unit)
    for item in unit.tree.c.types:
        try:
            maker.top(item)
        except CompileError as failed:
            unit.report(failed)
    data = maker.writer.to_bytes()
    unit.btf = Btf(data, None, unit.target.btf)
    for item in unit.tree.c.types:
        enum = item.type if isinstance(item, ast.CTypedef) else item
        if isinstance(enum, ast.CEnum):
            _enumerators(unit, enum, item.name)


def _enumerators(unit: Unit, enum: ast.CEnum, name: str) -> None:
    found = unit.btf.find_enum(enum.name or name)
    for word, value in enum.members:
        unit.enumerators[word] = (value, found)


class _Maker:
    """Writes types one by one; `done` has what can be named: "struct x", "enum y", typedefs by bare name."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.base: Any = unit.target.btf
        self.writer = BtfWriter(self.base.end_id, self.base.string_end)
        self.done: dict[str, Laid] = {}
        self.forward: dict[str, int] = {}

    def top(self, item: ast.CRecord | ast.CEnum | ast.CTypedef) -> None:
        """Write one definition of the script's top level."""
        if not isinstance(item, ast.CTypedef):
            self._defined(item)
            return
        inner = item.type
        if isinstance(inner, (ast.CRecord, ast.CEnum)) and not inner.name:
            inner = inner.replace(name=item.name)
        type, size, align = self._type(inner, item.span)
        self.done[item.name] = (self.writer.add_typedef(item.name, type), size, align)

    def _defined(self, item: ast.CRecord | ast.CEnum) -> Laid:
        key = f"{item.kind if isinstance(item, ast.CRecord) else 'enum'} {item.name}"
        if item.name and key in self.done:
            raise error("E211", f"'{key}' is defined twice", item.span)
        made = self._enum(item) if isinstance(item, ast.CEnum) else self._record(item)
        if item.name:
            self.done[key] = made
        return made

    def _enum(self, item: ast.CEnum) -> Laid:
        low = min((v for _, v in item.members), default=0)
        high = max((v for _, v in item.members), default=0)
        wide = low < -(1 << 31) or high >= 1 << 32
        size = 8 if wide else 4
        if item.packed:
            size = next(n for n in (1, 2, 4, 8) if high < 1 << 8 * n and low >= -(1 << (8 * n - 1)))
        write = self.writer.add_enum64 if wide else self.writer.add_enum
        return write(item.name, item.members, size, low < 0), size, size

    def _record(self, item: ast.CRecord) -> Laid:
        fields: list[tuple[str, int, int, int]] = []
        at = end = 0  # in bits
        largest = 1
        union = item.kind == "union"
        for field in item.fields:
            type, size, align = self._type(field.type, field.span)
            if item.packed or field.packed:
                align = 1
            align = max(align, field.aligned or 1)
            if field.bits is None:
                at = 0 if union else _up(at, 8 * align)
                fields.append((field.name, type, at, 0))
                at += 8 * size
            else:
                at = self._bits(field, size, 0 if union else at, item.packed)
                if field.bits:
                    fields.append((field.name, type, at, field.bits))
                at += field.bits
            if field.bits != 0:
                largest = max(largest, align)
            end = max(end, at)
        largest = max(largest, item.aligned or 1)
        size = _up(_up(end, 8) // 8, 1 if item.packed and not item.aligned else largest)
        add = self.writer.add_union if union else self.writer.add_struct
        return add(item.name, size, fields), size, 1 if item.packed and not item.aligned else largest

    def _bits(self, field: ast.CField, size: int, at: int, packed: bool) -> int:
        """Return the bit at which a bit field begins: it doesn't cross its type's boundary."""
        unit = 8 * size
        assert field.bits is not None
        if field.bits > unit:
            raise error("E210", f"'{field.name}' has more bits than its type", field.span)
        if field.bits == 0:
            return _up(at, unit)
        if not packed and at // unit != (at + field.bits - 1) // unit:
            return _up(at, unit)
        return at

    # types of members

    def _type(self, node: ast.Type, span: Any) -> Laid:
        if isinstance(node, (ast.CRecord, ast.CEnum)):
            return self._defined(node)
        if isinstance(node, ast.PointerType):
            return self.writer.add_ptr(self._pointee(node.to)), POINTER, POINTER
        if isinstance(node, ast.ArrayType):
            return self._array(node, span)
        if isinstance(node, ast.RecordName):
            known = self.done.get(f"{node.kind} {node.name}")
            if known is not None:
                return known
            found = self.base.find_tagged(node.kind, node.name)
            if found is None:
                raise error("E210", f"unknown type '{node.kind} {node.name}'", node.span)
            return found.id, sizeof(found), _alignment(found)
        if isinstance(node, ast.NamedType):
            return self._named(node)
        raise later("this type in a struct", node.span)

    def _array(self, node: ast.ArrayType, span: Any) -> Laid:
        type, size, align = self._type(node.of, span)
        count = 0 if node.size is None else evaluate(node.size, self.unit.constants())
        if count is None or count < 0:
            raise error("E258", "an array's size has to be a constant number", node.span)
        return self.writer.add_array(type, self._int(), count), size * count, align

    def _int(self) -> int:
        found = self.base.find_scalar("int")
        return found.id if found is not None else self._scalar("int", 4, True)[0]

    def _named(self, node: ast.NamedType) -> Laid:
        word = node.name
        known = self.done.get(word)
        if known is not None:
            return known
        if word == "void":
            raise error("E210", "a member can't be void", node.span)
        found = find(self.base, word)
        if found is not None:
            return found.id, sizeof(found), _alignment(found)
        type = SCALARS.get(word)
        if type is None:
            raise error("E210", f"unknown type '{word}'", node.span)
        return self._scalar(word, type.size, type.signed)

    def _scalar(self, word: str, size: int, signed: bool) -> Laid:
        made = self.done[word] = (self.writer.add_int(word, size, k.SIGNED if signed else 0), size, size)
        return made

    def _pointee(self, node: ast.Type) -> int:
        """Return the id of what a pointer points to; it may be defined later."""
        if isinstance(node, ast.NamedType) and node.name == "void":
            return 0
        if isinstance(node, ast.PointerType):
            return self.writer.add_ptr(self._pointee(node.to))
        if isinstance(node, ast.RecordName):
            key = f"{node.kind} {node.name}"
            known = self.done.get(key)
            if known is not None:
                return known[0]
            found = self.base.find_tagged(node.kind, node.name)
            mine = any(isinstance(t, ast.CRecord) and t.name == node.name for t in self.unit.tree.c.types)
            if found is not None and not mine:
                return int(found.id)
            if key not in self.forward:
                self.forward[key] = self.writer.add_fwd(node.name, node.kind == "union")
            return self.forward[key]
        return self._type(node, node.span)[0]


def _up(value: int, to: int) -> int:
    return -(-value // to) * to


def _alignment(type: bt.Type) -> int:
    """Return the alignment of one of the kernel's types, as far as its members tell."""
    from ...btf import resolve

    here = resolve(type)
    if isinstance(here, bt.Composite):
        return max((_alignment(m.type) for m in here.members), default=1)
    if isinstance(here, bt.Array):
        return _alignment(here.type)
    return min(8, max(1, sizeof(here))) if not isinstance(here, (bt.Fwd, bt.Void)) else 1
