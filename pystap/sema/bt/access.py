"""Members, elements, pointers and casts: places in memory, loaded when their value is used."""

from __future__ import annotations

from ...btf import BtfError, FieldError, type_name
from ...btf import types as bt
from ...btf.layout import field_path, sizeof
from ...diag import did_you_mean
from ...ir.nodes import BUF, I64, Const
from ...lang.bt import ast
from ..build import wrap
from . import ctypes_, types
from .body import error, later
from .types import UINT64, T, is_number, name
from .values import BYTES, UNKNOWN, Mem, Val, number, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...source import Span
    from ..build import Operand
    from .body import Body


def member(body: Body, e: ast.Member) -> Val:
    """`base.name`, `base->name`; `args.name` and `ctx->name` are the event's."""
    base = e.base
    where = e.name_span or e.span
    if (
        isinstance(base, (ast.Identifier, ast.Call))
        and base.name == "args"
        and body.scope.bound("args") is None
    ):
        return body.point.argument(body, e.name, where)
    whole = base.operand if isinstance(base, ast.Cast) else base
    if (
        isinstance(whole, (ast.Identifier, ast.Call))
        and whole.name == "ctx"
        and body.scope.bound("ctx") is None
    ):
        return body.point.context(e.name, where)(body)
    value = body.value(base)
    type = value.type
    if type.kind == "none":
        return UNKNOWN
    if type.kind == "tuple":
        if e.name not in type.names:
            raise error("E231", f"{name(type)} has no field '{e.name}'", where)
        return element_of(body, value, type.names.index(e.name))
    if type.kind == "ptr":
        return field(body, pointed(body, value, e), e, where)
    if type.kind != "record":
        hint = (
            f"cast it to a struct first: ((struct name *){base.span.text})->{e.name}"
            if is_number(type)
            else ""
        )
        raise error("E231", f"{name(type)} has no members", where, hint)
    return field(body, value, e, where)


def pointed(body: Body, value: Val, e: ast.Expr) -> Val:
    """Return what a pointer points to, as a place."""
    type = value.type
    if type.ctype is None:
        raise error(
            "E231", "a void pointer can't be followed", e.span, "cast it: ((struct name *)pointer)->member"
        )
    base = body.ops(value)[0]
    target = types.of_ctype(body.unit.btf, type.ctype, type.space)
    here = body.unit.btf.resolve(type.ctype)
    struct = struct_of(body, here)
    source = e.base if isinstance(e, ast.Member) else e
    what = value.mem.what if value.mem is not None else source.span.text[:60]
    return Val(target, None, Mem(base, 0, struct, type.space, what))


def struct_of(body: Body, type: bt.Type) -> str:
    """Return the name of a struct of the kernel's, "" for other types: the name is for direct loads."""
    return type.name if isinstance(type, bt.Struct) and type.btf is body.unit.target.btf else ""


def field(body: Body, value: Val, e: ast.Member, where: Span) -> Val:
    """Return a member of a struct that lies in memory."""
    mem = value.mem
    holder = value.type.ctype
    if value.type.kind != "record":
        words = f"'{name(value.type)}' has no members"
        raise error("E231", words, where)
    if mem is None:
        mem = Mem(body.ops(value)[0], 0, "", BYTES, e.base.span.text[:60])
    try:
        found = field_path(body.unit.btf, holder, (e.name,))
    except FieldError as failed:
        near = did_you_mean(e.name, failed.candidates)
        words = f"'{type_name(holder)}' has no member '{e.name}'"
        if not failed.candidates:
            words = f"{words}: its definition isn't in the kernel's BTF"
        raise error("E231", words, where, f"did you mean '{near}'?" if near else "") from None
    type = types.of_ctype(body.unit.btf, found.type, "kernel" if mem.space == BYTES else mem.space)
    bits = (found.bit_shift, found.bit_size, found.size) if found.bit_size else None
    what = f"{mem.what}->{e.name}" if len(mem.what) < 60 else e.name
    return Val(type, None, Mem(mem.base, mem.off + found.offsets[0], mem.struct, mem.space, what, bits))


def element_of(body: Body, value: Val, index: int) -> Val:
    """Return an element of a tuple."""
    at = sum(len(types.parts(t)) for t in value.type.elems[:index])
    type = value.type.elems[index]
    ops = body.ops(value)[at : at + len(types.parts(type))]
    return Val(type, list(ops))


def tuple_index(body: Body, e: ast.TupleIndex) -> Val:
    """`base.0`."""
    if isinstance(e.base, ast.Variable):
        from .expr import variable_as_is

        value = variable_as_is(body, e.base)
    else:
        value = body.value(e.base)
    if value.type.kind == "none":
        return UNKNOWN
    if value.type.kind != "tuple":
        raise error("E256", f".{e.index} needs a tuple, not {name(value.type)}", e.span)
    count = len(value.type.elems)
    if e.index >= count:
        raise error("E256", f"there is no element {e.index} in a tuple of {count}", e.span)
    if value.type.elems[e.index].kind == "stat":
        return value.element  # type: ignore[no-any-return]
    return element_of(body, value, e.index)


def index(body: Body, e: ast.Index) -> Val:
    """`base[index]` of an array, a pointer or a tuple."""
    value = body.value(e.base)
    type = value.type
    if type.kind == "none":
        return UNKNOWN
    if type.kind == "tuple":
        at = body.constant(e.index, "a tuple's index")
        return tuple_index(body, ast.TupleIndex(e.span, e.base, at))
    if type.kind == "array" and value.element is not None:
        at = body.constant(e.index, "this index")
        if not 0 <= at < type.ctype.count:
            raise error("E232", f"index {at} is outside of an array of {type.ctype.count}", e.index.span)
        return value.element(body, at)  # type: ignore[no-any-return]
    if type.kind == "array" and value.mem is None:
        value.mem = Mem(body.ops(value)[0], 0, "", BYTES, e.base.span.text[:60])
    if type.kind == "array" and value.mem is not None:
        return _element(body, value.mem, type.ctype.type, type.ctype.count, e)
    if type.kind == "ptr":
        if type.ctype is None:
            raise error("E232", "a void pointer has no elements", e.span, "cast it to a pointer to something")
        mem = Mem(body.ops(value)[0], 0, "", type.space, e.base.span.text[:60])
        return _element(body, mem, type.ctype, 0, e)
    if type.kind == "str" and value.mem is not None:
        char = body.unit.btf.find_scalar("char") or ctypes_.Made.integer(T("int", 1, True))
        return _element(body, value.mem, char, type.size, e)
    raise error("E232", f"{name(type)} has no elements", e.base.span)


def _element(body: Body, mem: Mem, element: bt.Type, count: int, e: ast.Index) -> Val:
    btf = body.unit.btf
    try:
        size = sizeof(btf.resolve(element))
    except BtfError:
        raise error("E232", f"the size of '{type_name(element)}' is not known", e.span) from None
    at, known = body.number_of(e.index, "an index")
    type = types.of_ctype(btf, element, "kernel" if mem.space == BYTES else mem.space)
    here = btf.resolve(element)
    what = f"{mem.what}[]"
    if isinstance(known.const, int):
        if count > 1 and not 0 <= known.const < count:
            raise error("E232", f"index {known.const} is outside of an array of {count}", e.index.span)
        # a member of an array of structs is read from the element: its own offset counts from there
        base, off = mem.base, wrap(mem.off + known.const * size)
        return Val(type, None, Mem(base, off, mem.struct, mem.space, what))
    scaled = at if size == 1 else body.b.op("mul", (at, Const(size)))
    if mem.space == BYTES:
        if type.kind not in ("int", "bool"):
            raise later("an index that isn't constant into such an array that isn't in memory", e.index.span)
        word = body.b.op("call", (mem.base, body.b.offset(scaled, mem.off), Const(size)), "buf_word", I64)
        return Val(type, [body.b.op("sext", (word,), 8 * size) if type.signed and size < 8 else word])
    base = body.b.op("add", (mem.base, scaled))
    if mem.off:
        base = body.b.offset(base, mem.off)
    return Val(type, None, Mem(base, 0, struct_of(body, here), mem.space, what))


def dereference(body: Body, e: ast.Unary) -> Val:
    """`*pointer`."""
    value = body.value(e.operand)
    type = value.type
    if type.kind == "none":
        return UNKNOWN
    if type.kind == "int" and type.size == 8 and type.ctype is None and value.const is None:
        # an address without a type, as of kaddr(), is one of words
        mem = Mem(body.ops(value)[0], 0, "", body.point.space, e.operand.span.text[:60])
        return Val(T("int", 8, type.signed), None, mem)
    if type.kind != "ptr":
        hint = f"cast it first: *(uint64 *){e.operand.span.text}" if type.kind == "int" else ""
        raise error("E232", f"'*' needs a pointer, not {name(type)}", e.span, hint)
    return pointed(body, value, e)


def address_of(body: Body, e: ast.Unary) -> Val:
    """`&place`."""
    if isinstance(e.operand, (ast.Variable, ast.Map, ast.MapAccess)):
        raise later("the address of a variable or map", e.span)
    value = body.value(e.operand)
    if value.mem is None or value.mem.bits is not None or value.mem.space == BYTES:
        raise error("E233", "only what lies in memory has an address", e.span)
    return Val(T("ptr", 8, False, _target(value.type), space=value.mem.space), [address(body, value)])


def _target(type: T) -> bt.Type | None:
    if type.kind in ("int", "bool") and type.ctype is None:
        return ctypes_.Made.integer(type)
    if type.kind == "ptr":
        return ctypes_.Made.pointer(type.ctype)
    return type.ctype  # type: ignore[no-any-return]


def address(body: Body, value: Val) -> Operand:
    """Return the address of a value that lies in memory."""
    assert value.mem is not None
    return body.b.offset(value.mem.base, value.mem.off)


# ---- casts --------------------------------------------------------------------------------


def cast(body: Body, e: ast.Cast) -> Val:
    """`(type)value`."""
    target = ctypes_.resolve(body, e.type)
    value = body.coerced(body.value(e.operand))
    type = value.type
    if type.kind == "none":
        return Val(target, [Const(0)]) if len(types.parts(target)) == 1 and is_number(target) else UNKNOWN
    if target.kind in ("int", "bool"):
        return _to_number(body, target, value, e)
    if target.kind == "ptr":
        operand, _ = _address_like(body, value, e)
        return Val(target.replace(space=_space(body, type)), [operand])
    if target.kind == "record":
        # bpftrace's old form: (struct x)pointer is (struct x *)pointer
        if type.kind == "record":
            return value
        operand, _ = _address_like(body, value, e)
        return Val(T("ptr", 8, False, target.ctype, space=_space(body, type)), [operand])
    if target.kind == "array" and not target.ctype.count:
        target = _as_long(target, type)
    if target.kind == "array" and type.kind == "int":
        return _spread(body, target, value, e)
    if target.kind == "array" and type.kind == "str":
        return Val(
            target, [body.b.op("call", (body.ops(value)[0], Const(size_of(target))), "text_room", BUF)]
        )
    if target.kind == type.kind and types.merge(target, type) is not None:
        return Val(target, body.ops(value), value.mem, value.const)
    raise later(f"a cast of {name(type)} to {name(target)}", e.span)


def _as_long(target: T, type: T) -> T:
    """Return the array type of `(int8[])value`: as many elements as the value has room for."""
    inner = target.ctype.type
    made: T = target.replace(ctype=ctypes_.Made.array(inner, max(1, size_of(type) // max(1, sizeof(inner)))))
    return made


def _spread(body: Body, target: T, value: Val, e: ast.Cast) -> Val:
    """A number's bytes as an array."""
    size = size_of(target)
    if size != value.type.size and value.const is None:
        words = f"{name(value.type)} has {value.type.size} bytes, and {name(target)} has {size}"
        raise error("E251", words, e.span)
    if not 1 <= size <= 8:
        raise error("E251", f"a number has at most 8 bytes, and {name(target)} has {size}", e.span)
    return Val(target, [body.b.op("call", (body.ops(value)[0], Const(size)), "word_bytes", BUF)])


def _space(body: Body, type: T) -> str:
    """Return the address space that a cast keeps, or that plain numbers mean at this probe."""
    return type.space if type.kind in ("ptr", "array", "record") else body.point.space


def _address_like(body: Body, value: Val, e: ast.Cast) -> tuple[Operand, T]:
    if value.type.kind in ("array", "record", "str") and value.mem is not None:
        return address(body, value), value.type
    if not is_number(value.type):
        raise error("E251", f"{name(value.type)} can't be cast to a pointer", e.span)
    return body.ops(value)[0], value.type


def _to_number(body: Body, target: T, value: Val, e: ast.Cast) -> Val:
    type = value.type
    if isinstance(value.const, bytes):
        from .arrays import known_word

        value = known_word(value) or value
        type = value.type
    if type.kind == "array" and value.mem is not None:
        # an array's bytes as one integer
        if size_of(type) > 8 or size_of(type) not in (1, 2, 4, 8):
            raise error("E251", f"{name(type)} doesn't fit an integer", e.span)
        whole = Val(T("int", size_of(type), False), None, value.mem)
        return _cut(body, target, Val(whole.type, body.ops(whole)), e)
    if type.kind == "str" and target.kind == "bool":
        return Val(target, [body.b.op("ne", (body.call("strlen", body.ops(value)[0]), Const(0)))])
    if not is_number(type):
        hint = "a string becomes a number only by a positional parameter" if type.kind == "str" else ""
        raise error("E251", f"{name(type)} can't be cast to {name(target)}", e.span, hint)
    return _cut(body, target, value, e)


def _cut(body: Body, target: T, value: Val, e: ast.Cast) -> Val:
    """Cut a number to a type's width."""
    if isinstance(value.const, int):
        return number(cut(value.const, target), target)
    operand = body.ops(value)[0]
    if target.kind == "bool":
        return Val(target, [body.b.op("ne", (operand, Const(0)))])
    type = value.type
    fits = type.size < target.size and (not type.signed or target.signed)
    if target.size < 8 and not (fits or (type.size == target.size and type.signed == target.signed)):
        operand = body.b.op("sext" if target.signed else "zext", (operand,), 8 * target.size)
    return Val(target, [operand])


def cut(value: int, type: T) -> int:
    """Return an integer cut to a type."""
    if type.kind == "bool":
        return int(value != 0)
    bits = 8 * type.size
    value &= (1 << bits) - 1
    if type.signed and value >> (bits - 1):
        value -= 1 << bits
    return value


def sizeof_(body: Body, e: ast.Sizeof) -> Val:
    """`sizeof(type or expression)`."""
    node = e.of
    if isinstance(node, ast.Integer) and not node.suffix:
        return number(types.literal_size(node.value), UINT64)
    type = ctypes_.type_of(body, node)
    if type.kind == "void":
        raise error("E210", "void has no size", e.span)
    return number(size_of(type), UINT64)


def offsetof(body: Body, e: ast.Offsetof) -> Val:
    """`offsetof(type, a.b.c)`."""
    node = e.of
    if isinstance(node, ast.Identifier) and not ctypes_.is_type_name(body, node.name):
        ctype = ctypes_.find(body.unit.btf, node.name)
        type = types.of_ctype(body.unit.btf, ctype) if ctype is not None else ctypes_.type_of(body, node)
    else:
        type = ctypes_.type_of(body, node)
    if type.kind == "ptr" and type.ctype is not None:
        type = types.of_ctype(body.unit.btf, type.ctype)
    if type.kind != "record":
        raise error("E231", f"{name(type)} has no members", e.span)
    try:
        found = field_path(body.unit.btf, type.ctype, e.path)
    except FieldError as failed:
        near = did_you_mean(str(failed.element), failed.candidates)
        raise error("E231", str(failed), e.span, f"did you mean '{near}'?" if near else "") from None
    if len(found.offsets) > 1:
        raise error("E231", "the way leads through a pointer", e.span)
    return number(found.offsets[0], UINT64)


def type_as_value(body: Body, node: ast.Type) -> Val:
    """A type where a value is wanted."""
    raise error("E210", "a type can't stand here", node.span)


TABLE: dict[Any, Any] = {
    ast.Member: member,
    ast.TupleIndex: tuple_index,
    ast.Index: index,
    ast.Cast: cast,
    ast.Sizeof: sizeof_,
    ast.Offsetof: offsetof,
    **dict.fromkeys(
        (
            *(ast.NamedType, ast.RecordName, ast.PointerType, ast.ArrayType, ast.SizedType),
            *(ast.TupleType, ast.RecordType, ast.TypeofType),
        ),
        type_as_value,
    ),
}
