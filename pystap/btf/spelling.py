"""Types as C text: `type_name` ("struct sk_buff *") and `declare` ("char comm[16]")."""

from __future__ import annotations

from . import types as t

# Types may refer to themselves (a function that takes a function like itself): enough is enough.
_MOST_STEPS = 400

_WORDS: dict[type[t.Type], str] = {t.Const: "const", t.Volatile: "volatile", t.Restrict: "restrict"}


def type_name(type: t.Type) -> str:
    """Return a type's C spelling."""
    return declare(type, "")


def declare(type: t.Type, name: str) -> str:
    """Return the C declaration of `name` with that type."""
    return _declare(type, name, [_MOST_STEPS])


def _declare(type: t.Type, inner: str, budget: list[int]) -> str:
    """Grow a declarator outwards from `inner` until the base type is reached."""
    pending: list[str] = []  # qualifiers whose place depends on what they qualify
    while budget[0] > 0:
        budget[0] -= 1
        word = _WORDS.get(type.__class__)
        if word is not None:
            pending.append(word)
        elif isinstance(type, t.Ptr):
            words = " ".join(pending)
            pending = []
            inner = f"*{words}{' ' if words and inner else ''}{inner}"
        elif isinstance(type, t.Array):
            inner = f"{_bracket(inner)}[{type.count or ''}]"
        elif isinstance(type, t.FuncProto):
            inner = f"{_bracket(inner)}({_params(type, budget)})"
        elif not isinstance(type, t.TypeTag):
            return _join([*pending, base_name(type)], inner)
        type = type.type  # type: ignore[attr-defined]
    return _join(["..."], inner)


def _bracket(inner: str) -> str:
    return f"({inner})" if inner.startswith("*") else inner


def _join(words: list[str], inner: str) -> str:
    text = " ".join(words)
    if not inner:
        return text
    return f"{text}{inner}" if inner.startswith("[") else f"{text} {inner}"


def _params(proto: t.FuncProto, budget: list[int]) -> str:
    words = []
    for param in proto.params:
        words.append(_declare(param.type, param.name, budget))
        if budget[0] <= 0:
            break
    if proto.variadic:
        words.append("...")
    return ", ".join(words) or "void"


def base_name(type: t.Type) -> str:
    """Return the name of a type that isn't derived from another: "struct sock", "u64", "struct {...}"."""
    if isinstance(type, (t.Struct, t.Union, t.Enum, t.Fwd)):
        if isinstance(type, t.Enum):
            word = "enum"
        else:
            word = "union" if isinstance(type, t.Union) or getattr(type, "is_union", False) else "struct"
        return f"{word} {type.name or '{...}'}"
    return type.name
