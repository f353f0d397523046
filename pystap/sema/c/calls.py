"""Calls in C: what SystemTap's runtime and the kernel offer, and functions in C, which are written in place."""

from __future__ import annotations

from ...btf import types as t
from ...diag import did_you_mean
from ...ir.nodes import I64, STR, Const, Label, Local, Scope, Stmt, Text
from ...ir.ops import Load
from .access import words
from .fold import constant
from .strings import STRINGS, formatted
from .types import INT, LONG, TEXT, UINT, ULONG, USHORT, MadePtr
from .values import Value, Variable, many

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .library import CFunction
    from .lower import Lower

    Node = Any

_ZERO = Value(INT, Const(0))


def arguments(node: Node) -> list[Node]:
    """Return the arguments of a call."""
    return list(node.args.exprs) if node.args is not None else []


def expect(c: Lower, node: Node, count: int) -> list[Node]:
    """Return the arguments, which must be so many."""
    args = arguments(node)
    if len(args) != count:
        words_ = f"{words(node)} takes {count} argument{'' if count == 1 else 's'}, {len(args)} given"
        raise c.error("E210", words_, node)
    return args


def call(c: Lower, node: Node, used: bool) -> Value:
    """`f(a, b)`."""
    if node.name.__class__.__name__ != "ID":
        raise c.refuse("a call through a pointer", node)
    name = node.name.name
    function = c.library.functions.get(name)
    if function is None:
        known = _CALLS.get(name) or STRINGS.get(name)
        if known is not None:
            return known(c, node)
        plain = _BUILTINS.get(name)
        if plain is not None:
            word, type = plain
            expect(c, node, 0)
            return Value(type, c.b.op("call", (), word))
        if name in _NOTHING:
            return _ZERO
        function = c.library.function(name)
    if function is None:
        raise _unknown(c, name, node)
    return _inline(c, name, function, node)


def _unknown(c: Lower, name: str, node: Node) -> Exception:
    from .helpers import HELPERS

    if c.types.btf.find_func(name) is not None or name in (
        "printk",
        "pr_info",
        "memcpy",
        "memset",
        "kmalloc",
    ):
        hint = "STAP_PRINTF(format, ...) prints" if name in ("printk", "pr_info") else ""
        return c.refuse(
            f"calling the kernel's function '{name}'",
            node,
            *([hint] if hint else ["read its data structures instead"]),
        )
    near = did_you_mean(name, (*c.library.functions, *_CALLS, *STRINGS, *_BUILTINS, *HELPERS))
    hints = (f"did you mean '{near}'?",) if near else ("define it: static inline long f(...) { ... }",)
    return c.error("E209", f"unknown function '{name}' in C code", node, *hints)


# ---------------------------------------------------------------------- functions in C


def _inline(c: Lower, name: str, function: CFunction, node: Node) -> Value:
    """Write a function of the script's C code, or of the kernel's headers, in place."""
    if name in c.inside:
        raise c.refuse(f"'{name}' calling itself", node)
    decl = function.node.decl.type
    before_tree, b = c.tree, c.b
    params = [p for p in (decl.args.params if decl.args is not None else []) if not _is_void(p)]
    given = arguments(node)
    if len(given) != len(params):
        count = len(params)
        raise c.error(
            "E210", f"'{name}' takes {count} argument{'' if count == 1 else 's'}, {len(given)} given", node
        )
    values = [c.expr(a) for a in given]
    scope: dict[str, Variable] = {}
    c.tree = function.tree
    types = [c.types.of(p.type, c.span(p)) for p in params]
    result_type = c.types.of(decl.type, c.span(function.node.decl))
    c.tree = before_tree
    for param, type, value, arg in zip(params, types, values, given, strict=True):
        if value.is_text:
            local = Local(param.name, STR)
            b.mov(local, c.text_of(value, arg))
            scope[param.name] = Variable(local, TEXT)
        else:
            operand, source = c.scalar(value, arg)
            variable = scope[param.name] = Variable(Local(param.name, I64), _decayed(c, type))
            c.assign(variable, operand, source, arg)
    return _written(c, name, function, scope, result_type)


def _is_void(param: Node) -> bool:
    return param.__class__.__name__ == "Typename" and param.name is None


def _decayed(c: Lower, type: t.Type) -> t.Type:
    here = c.types.resolve(type)
    return MadePtr(here.type) if isinstance(here, t.Array) else type


def _written(c: Lower, name: str, function: CFunction, scope: dict[str, Variable], type: t.Type) -> Value:
    """Write the body with `scope` as its parameters; return the value."""
    from .texts import assigned_texts, returns_text

    b = c.b
    params = {n: v.local for n, v in scope.items()}
    saved = (c.tree, c.scopes, c.return_, c.break_, c.continue_, c.inside, c.result, c.texts, b.span)
    c.tree = function.tree
    c.texts = assigned_texts(function.node.body, params) | {n for n, v in scope.items() if v.text}
    c.scopes = [scope]
    c.return_ = Label(name)
    c.break_ = c.continue_ = None
    c.inside = (*c.inside, name)
    nothing = isinstance(c.types.resolve(type), t.Void)
    text = not nothing and returns_text(function.node.body, params, frozenset(c.texts))
    c.result = None if nothing else Variable(Local(name, STR if text else I64), TEXT if text else type)
    result = c.result
    if result is not None:
        b.mov(result.local, Text("") if text else Const(0))
    body: list[Stmt] = []
    b.out.append(Scope(c.return_, body, b.span))
    before = b.into(body)
    c.stmt(function.node.body)
    b.into(before)
    c.tree, c.scopes, c.return_, c.break_, c.continue_, c.inside, c.result, c.texts, b.span = saved
    return _ZERO if result is None else Value(result.type, result.local)


# ---------------------------------------------------------------------- the runtime's own


def _kread(c: Lower, node: Node) -> Value:
    """`kread(&x->y)`, `kread(p)`."""
    return _read(c, expect(c, node, 1)[0])


def _read(c: Lower, arg: Node) -> Value:
    if arg.__class__.__name__ == "UnaryOp" and arg.op == "&":
        value = c.expr(arg.expr)
        if value.walk is None:
            raise c.refuse("kread of a variable", arg)
    else:
        from .access import pointed

        value = pointed(c, _Pointed(arg))
    operand, type = c.scalar(value, arg)
    return Value(type, operand)


class _Pointed:
    """`*expr`, for `pointed`."""

    def __init__(self, expr: Node) -> None:
        self.expr = expr
        self.coord = expr.coord
        self.op = "*"


def _deref(c: Lower, node: Node) -> Value:
    """`kderef(size, address)`, `uderef(size, address)`."""
    size_node, where = expect(c, node, 2)
    size, _ = c.scalar(c.expr(size_node), size_node)
    if not isinstance(size, Const) or size.value not in (1, 2, 4, 8):
        raise c.error("E218", f"{words(node)} reads 1, 2, 4 or 8 bytes", size_node)
    at, _ = c.scalar(c.expr(where), where)
    space = "user" if node.name.name.startswith("u") else "kernel"
    load = Load(0, size.value, False, "error", "", space, words(where))
    return Value(ULONG, c.b.op("load", (at,), load))


def _uread(c: Lower, node: Node) -> Value:
    """`uread(p)`."""
    (arg,) = expect(c, node, 1)
    at, type = c.scalar(c.expr(arg), arg)
    pointee = c.types.pointee(type)
    integer = None if pointee is None else c.types.integer(pointee)
    if pointee is not None and c.types.is_pointer(pointee):
        integer = (8, False)
    if pointee is None or integer is None:
        raise c.error("E232", "uread needs a pointer to a number", arg)
    load = Load(0, integer[0], integer[1], "error", "", "user", words(arg))
    return Value(pointee, c.b.op("load", (at,), load))


def _return(c: Lower, node: Node) -> Value:
    """`STAP_RETURN(value)`, `STAP_RETURN()`."""
    args = arguments(node)
    if args:
        (arg,) = expect(c, node, 1)
        result = c.retvalue(node)
        value = c.expr(arg)
        if result.text:
            c.b.mov(result.local, c.text_of(value, arg))
        else:
            c.assign(result, *c.scalar(value, arg), arg)
    if c.inside:
        raise c.refuse("STAP_RETURN in a function in C", node, "return value;")
    c.b.leave(c.return_)
    return _ZERO


def _error(c: Lower, node: Node) -> Value:
    """`STAP_ERROR(format, ...)`."""
    c.b.do("raise", (formatted(c, node, 0),))
    return _ZERO


def _printf(c: Lower, node: Node) -> Value:
    """`STAP_PRINTF(format, ...)`."""
    formatted(c, node, 0, "printf")
    return _ZERO


def _print(c: Lower, node: Node) -> Value:
    """`_stp_print(text)`."""
    from ...ir.format import Directive, Format

    (arg,) = expect(c, node, 1)
    c.b.do("printf", (c.text_of(c.expr(arg), arg),), Format((Directive("s"),)))
    return _ZERO


def _warn(c: Lower, node: Node) -> Value:
    """`_stp_warn(format, ...)`."""
    c.b.do("warn", (formatted(c, node, 0),))
    return _ZERO


def _offsetof(c: Lower, node: Node) -> Value:
    """`offsetof(type, member)`."""
    from ...btf import FieldError
    from ...btf.layout import offsetof

    type_node, where = expect(c, node, 2)
    type = c.types.resolve(c.types.of(type_node, c.span(type_node)))
    path: list[str | int] = []
    while where.__class__.__name__ != "ID":
        if where.__class__.__name__ == "StructRef" and where.type == ".":
            path.append(where.field.name)
        elif where.__class__.__name__ == "ArrayRef":
            path.append(constant(c.library, where.subscript, c.tree))
        else:
            raise c.refuse("this member in offsetof", where)
        where = where.name
    path.append(where.name)
    try:
        return Value(ULONG, Const(offsetof(c.types.btf, type, path[::-1])))
    except FieldError as error:
        near = did_you_mean(str(error.element), error.candidates)
        raise c.error("E231", str(error), node, *([f"did you mean '{near}'?"] if near else [])) from None


def _swap(bits: int, type: t.Type) -> Callable[[Lower, Node], Value]:
    def write(c: Lower, node: Node) -> Value:
        (arg,) = expect(c, node, 1)
        operand, source = c.scalar(c.expr(arg), arg)
        operand = c.convert(operand, source, type)
        return Value(type, c.b.op("call", (operand,), f"bswap{bits}"))

    return write


def _same(type: t.Type) -> Callable[[Lower, Node], Value]:
    def write(c: Lower, node: Node) -> Value:
        (arg,) = expect(c, node, 1)
        operand, source = c.scalar(c.expr(arg), arg)
        return Value(type, c.convert(operand, source, type))

    return write


_CALLS: dict[str, Callable[[Lower, Node], Value]] = {
    "kread": _kread,
    "kderef": _deref,
    "deref": _deref,
    "uderef": _deref,
    "uread": _uread,
    "offsetof": _offsetof,
    "STAP_RETURN": _return,
    "STAP_ERROR": _error,
    **dict.fromkeys(("STAP_PRINTF", "_stp_printf"), _printf),
    "_stp_print": _print,
    **dict.fromkeys(("_stp_warn", "_stp_error", "_stp_dbug"), _warn),
    **many("htons ntohs cpu_to_be16 be16_to_cpu __cpu_to_be16 swab16 __swab16", _swap(16, USHORT)),
    **many("htonl ntohl cpu_to_be32 be32_to_cpu __cpu_to_be32 swab32 __swab32", _swap(32, UINT)),
    **many("cpu_to_be64 be64_to_cpu swab64 __swab64", _swap(64, ULONG)),
    **many("cpu_to_le16 le16_to_cpu", _same(USHORT)),
    **many("cpu_to_le32 le32_to_cpu", _same(UINT)),
    **many("cpu_to_le64 le64_to_cpu", _same(ULONG)),
}

_BUILTINS: dict[str, tuple[str, t.Type]] = {
    **many("ktime_get_ns ktime_get ktime_get_mono_fast_ns", ("ktime_ns", LONG)),
    **many("ktime_get_real_ns ktime_get_real", ("realtime_ns", LONG)),
    **many("ktime_get_boottime_ns ktime_get_boottime ktime_get_boot_fast_ns", ("boottime_ns", LONG)),
    **many("get_cycles rdtsc", ("cycles", ULONG)),
    "get_jiffies_64": ("jiffies", ULONG),
    **many("smp_processor_id raw_smp_processor_id get_cpu", ("cpu", INT)),
    **many("get_random_u32 prandom_u32 random32", ("random_u32", UINT)),
}
# What has no meaning in a program that runs under RCU, cannot be preempted by itself and holds no locks.
_NOTHING = many(
    "CATCH_DEREF_FAULT rcu_read_lock rcu_read_unlock rcu_read_lock_bh rcu_read_unlock_bh preempt_disable "
    "preempt_enable put_cpu might_sleep barrier assert_is_myproc",
    None,
)
