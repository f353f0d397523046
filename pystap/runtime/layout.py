"""Keys and values as they lie in kernel maps, to and from script values."""

from __future__ import annotations

from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ..program import Field, GlobalSpec, Part
    from .decode import Strings


def packing(parts: Iterable[Part | Field], size: int, start: int = 0) -> str:
    """struct's format, but for the order of bytes, of what lies from `start` on in something `size` bytes long."""
    out = []
    at = start
    for part in parts:
        if part.offset > at:
            out.append(f"{part.offset - at}x")
        out.append("q" if part.type == "i64" else f"{part.size}s")
        at = part.offset + (8 if part.type == "i64" else part.size)
    if size > at:
        out.append(f"{size - at}x")
    return "".join(out)


def key_decoder(
    spec: GlobalSpec, namespace: dict[str, Any], strings: Strings
) -> Callable[[tuple[Any, ...]], Any] | None:
    """What turns the raw parts of a key into the script's key; None if they are it (a tuple of integers)."""
    pieces: list[str] = []
    at = 0
    while at < len(spec.key):
        part = spec.key[at]
        words = part.words if part.render else 1
        raw = [
            f"S[t[{i}]]" if p.type == "str" else f"t[{i}]"
            for i, p in enumerate(spec.key[at : at + words], at)
        ]
        pieces.append(f"{part.render}({', '.join(raw)})" if part.render else raw[0])
        at += words
    if len(pieces) > 1 and pieces == [f"t[{i}]" for i in range(len(pieces))]:
        return None
    body = pieces[0] if len(pieces) == 1 else f"({', '.join(pieces)})"
    renders = {p.render: namespace[p.render] for p in spec.key if p.render}
    return eval(f"lambda t: {body}", {"S": strings, **renders})  # type: ignore[no-any-return]


class KeyPacker:
    """Script keys to the bytes of a map's key."""

    __slots__ = ("_kinds", "_shape")

    def __init__(self, spec: GlobalSpec) -> None:
        self._shape = Struct("<" + packing(spec.key, spec.key_size))
        self._kinds = [(p.type, p.size) for p in spec.key]

    def pack(self, key: Any) -> bytes | None:
        """The bytes; None for a key that the map can't hold, because a string is longer than its room."""
        values = key if isinstance(key, tuple) else (key,)
        raw = []
        for (kind, size), value in zip(self._kinds, values, strict=True):
            if kind == "str":
                if len(value) >= size:
                    return None
                value = value.encode("latin-1")
            raw.append(value)
        return self._shape.pack(*raw)
