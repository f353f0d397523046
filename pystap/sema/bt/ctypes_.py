"""Type expressions of a script -> types; the script's own C definitions -> BTF on top of the kernel's."""

from __future__ import annotations

from ...btf import types as bt
from ...diag import did_you_mean
from ...lang.bt import ast
from ..paths import _SCALARS as WORDS
from . import types
from .types import NAMED, SCALARS, T

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .body import Body


def resolve(body: Body, node: ast.Type | ast.Expr) -> T:
    """Return the type that a type expression names."""
    from .body import error

    if isinstance(node, ast.NamedType):
        return named(body, node, node.name)
    if isinstance(node, ast.Identifier):
        return named(body, node, node.name)
    if isinstance(node, ast.RecordName):
        return types.of_ctype(body.unit.btf, record(body, node))
    if isinstance(node, ast.PointerType):
        return _pointer(body, node)
    if isinstance(node, ast.SizedType):
        size = body.constant(node.size, "a size")
        return types.INET if node.name == "inet" else T("str" if node.name == "string" else node.name, size)
    if isinstance(node, ast.ArrayType):
        return _array(body, node)
    if isinstance(node, ast.TupleType):
        return T("tuple", elems=tuple(resolve(body, e) for e in node.elements))
    if isinstance(node, ast.RecordType):
        names = tuple(word for word, _ in node.fields)
        return T("tuple", elems=tuple(resolve(body, e) for _, e in node.fields), names=names)
    if isinstance(node, ast.TypeofType):
        return type_of(body, node.of)
    raise error("E210", "this type can't stand here", node.span)


def type_of(body: Body, node: ast.Expr | ast.Type) -> T:
    """Return the type of an expression, which isn't run, or the type that is named."""
    if isinstance(node, ast.Type):
        return resolve(body, node)
    if isinstance(node, ast.Identifier) and is_type_name(body, node.name):
        return named(body, node, node.name)
    before = body.b.into([])
    value = body.value(node)
    body.b.into(before)
    return value.type


def is_type_name(body: Body, word: str) -> bool:
    """Whether a lone word is a type's name, and no variable's or builtin's."""
    from .builtins import BUILTINS

    if body.scope.bound(word) is not None or word in BUILTINS or word in body.unit.defines:
        return False
    return word in SCALARS or word in NAMED or body.unit.btf.find_typedef(word) is not None


def named(body: Body, node: ast.Type | ast.Expr, word: str) -> T:
    """Return the type of a name: bpftrace's, C's, a typedef, or a struct without its keyword."""
    from .body import error

    found = SCALARS.get(word) or NAMED.get(word)
    if found is not None:
        return found
    ctype = find(body.unit.btf, word)
    if ctype is None:
        known = (*SCALARS, *NAMED)
        near = did_you_mean(word, known)
        raise error("E210", f"unknown type '{word}'", node.span, f"did you mean '{near}'?" if near else "")
    return types.of_ctype(body.unit.btf, ctype)


def find(btf: Any, word: str) -> bt.Type | None:
    """Return the typedef, struct, union, enum or scalar of a bare name."""
    found: bt.Type | None = btf.find_typedef(word) or btf.find_struct(word) or btf.find_union(word)
    return found or btf.find_enum(word) or btf.find_scalar(WORDS.get(word, word))


def record(body: Body, node: ast.RecordName) -> bt.Type:
    """Return `struct x`, `union x` or `enum x`."""
    from .body import error

    btf = body.unit.btf
    found = btf.find_tagged(node.kind, node.name)
    if found is None:
        hint = ""
        other = find(btf, node.name)
        if other is not None:
            from ...btf import type_name

            hint = f"there is '{type_name(other)}'"
        elif (near := _near_struct(btf, node)) is not None:
            hint = f"did you mean '{node.kind} {near}'?"
        raise error("E210", f"unknown type '{node.kind} {node.name}'", node.span, hint)
    return found  # type: ignore[no-any-return]


def _near_struct(btf: Any, node: ast.RecordName) -> str | None:
    from ...btf.kinds import G_ENUM, G_STRUCT, G_UNION

    group = {"struct": G_STRUCT, "union": G_UNION, "enum": G_ENUM}[node.kind]
    return did_you_mean(node.name, btf.names(group, node.name[:1] + "*"))


def _pointer(body: Body, node: ast.PointerType) -> T:
    inner = c_type(body, node.to)
    return T("ptr", 8, False, inner)


def c_type(body: Body, node: ast.Type) -> bt.Type | None:
    """Return the C type of a type expression, None for void."""
    from .body import error, later

    btf = body.unit.btf
    if isinstance(node, ast.PointerType):
        inner = c_type(body, node.to)
        return Made.pointer(inner)
    if isinstance(node, ast.RecordName):
        return record(body, node)
    if isinstance(node, ast.NamedType):
        if node.name == "void":
            return None
        found = find(btf, node.name)
        if found is not None:
            return found
        type = named(body, node, node.name)
        if type.kind in ("int", "bool"):
            return Made.integer(type)
        raise error("E210", f"there are no pointers to {types.name(type)}", node.span)
    if isinstance(node, ast.ArrayType):
        element = c_type(body, node.of)
        if element is None:
            raise error("E210", "there are no arrays of void", node.span)
        count = 0 if node.size is None else body.constant(node.size, "an array's size")
        return Made.array(element, count)
    raise later("pointers to this type", node.span)


def _array(body: Body, node: ast.ArrayType) -> T:
    from .body import error

    element = c_type(body, node.of)
    if element is None:
        raise error("E210", "there are no arrays of void", node.span)
    count = 0 if node.size is None else body.constant(node.size, "an array's size")
    return types.of_ctype(body.unit.btf, Made.array(element, count))


class Made:
    """C types that BTF doesn't have, made on the spot. They have no id (0)."""

    @staticmethod
    def pointer(inner: bt.Type | None) -> bt.Type:
        """`inner *`."""
        return _Pointer(inner)

    @staticmethod
    def integer(type: T) -> bt.Type:
        """A plain integer."""
        word = (1 if type.signed else 0) | (4 if type.kind == "bool" else 0)
        made = bt.Int(None, 0, types.name(type), type.size, word << 24 | 8 * type.size)  # type: ignore[arg-type]
        return made

    @staticmethod
    def array(element: bt.Type, count: int) -> bt.Type:
        """`element[count]`."""
        return _Array(element, count)


class _Pointer(bt.Ptr):
    __slots__ = ("_inner",)

    def __init__(self, inner: bt.Type | None) -> None:
        super().__init__(None, 0, "", 0)  # type: ignore[arg-type]
        self._inner = inner

    @property
    def type(self) -> bt.Type:
        return self._inner if self._inner is not None else _VOID


class _Array(bt.Array):
    __slots__ = ("_inner",)

    def __init__(self, inner: bt.Type, count: int) -> None:
        super().__init__(None, 0, "", 0, 0, count)  # type: ignore[arg-type]
        self._inner = inner

    @property
    def type(self) -> bt.Type:
        return self._inner


_VOID = bt.Void(None, 0, "void")  # type: ignore[arg-type]
