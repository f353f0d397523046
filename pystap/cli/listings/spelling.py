"""Types as SystemTap's listings show them: "struct sk_buff*", "char const*", "u32"."""

from __future__ import annotations

from ...btf import types as t
from ...btf.spelling import base_name

_DEEPEST = 24


def type_text(type: t.Type, left: int = _DEEPEST) -> str:
    """Return a type's text."""
    if not left:
        return "..."
    if isinstance(type, t.Ptr):
        inner = type.type
        while isinstance(inner, t.TypeTag):
            inner = inner.type
        if isinstance(inner, t.FuncProto):
            return function_text(inner, "(*)", left - 1)
        return type_text(inner, left - 1) + "*"
    if isinstance(type, (t.Const, t.Volatile)):
        word = "const" if isinstance(type, t.Const) else "volatile"
        return f"{type_text(type.type, left - 1)} {word}"
    if isinstance(type, (t.TypeTag, t.Restrict)):
        return type_text(type.type, left - 1)
    if isinstance(type, t.Array):
        return f"{type_text(type.type, left - 1)}[{type.count}]"
    if isinstance(type, t.FuncProto):
        return function_text(type, "", left - 1)
    return base_name(type) or "void"


def function_text(proto: t.FuncProto, name: str, left: int) -> str:
    """Return the text of a function's type."""
    params = ", ".join(type_text(p.type, left) for p in proto.params)
    return f"{type_text(proto.type, left)} {name}({params}{', ...' if proto.variadic else ''})"
