"""Values shown by hints: what sema knows of their C types, as plain data.

A value is some flat parts (integers, strings, bytes); a hint says how many it takes and how they are shown:
"int" "uint" "bool" "ptr" "str" "inet" "none" "mac" "ksym" "usym" "cgroup_path", ("kstack", mode), ("ustack", mode),
("timestamp", format), ("buf", size), ("enum", "0=A;1=B"), ("array", count, hint, size, signed),
("record", ((name, offset, size, hint), ...)), ("bits", shift, width, signed), ("tuple", hints),
("named", ((name, hint), ...)), ("stat", kind, signed).
"""

from __future__ import annotations

from .formatting import hex_escaped, plain
from .numbers import MASK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .context import Context

_TWO = frozenset(("usym", "ustack"))
_INDENT = 8


def width(hint: Any) -> int:
    """How many parts a hint takes."""
    kind = hint[0] if isinstance(hint, tuple) else hint
    if kind in _TWO:
        return 2
    if kind == "tuple":
        return sum([width(h) for h in hint[1]])
    if kind == "named":
        return sum([width(h) for _, h in hint[1]])
    return 1


def blank(hint: Any) -> tuple[Any, ...]:
    """The parts of a value that nobody has assigned."""
    kind = hint[0] if isinstance(hint, tuple) else hint
    if kind in ("tuple", "named"):
        inner = hint[1] if kind == "tuple" else [h for _, h in hint[1]]
        return tuple([part for one in inner for part in blank(one)])
    if kind == "ustack":
        return (0, b"")
    if kind == "usym":
        return (0, 0)
    if kind in ("str", "inet"):
        return ("",)
    return (b"",) if kind in ("mac", "kstack", "buf", "array", "record") else (0,)


def enumerators(text: str) -> dict[int, str]:
    """The names by value of "0=A;1=B"."""
    found = {}
    for one in text.split(";"):
        value, _, name = one.partition("=")
        if name:
            found[int(value)] = name
    return found


class Display:
    """Shows the values of one run."""

    __slots__ = ("_context", "_enums", "indent")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._enums: dict[str, dict[int, str]] = {}
        self.indent = _INDENT  # of the frames of stacks

    # -- texts

    def text(self, parts: Sequence[Any], hint: Any) -> str:
        """The text of a value, whose parts are all given."""
        kind = hint[0] if isinstance(hint, tuple) else hint
        show = _SHOWN.get(kind)
        return show(self, parts, hint) if show is not None else plain(parts[0])

    def value(self, value: Any, hint: Any) -> str:
        """The text of one IR value: a tuple when the hint takes several parts, or is a tuple's."""
        if hint is None:
            return plain(value)
        return self.text(value if isinstance(value, tuple) else (value,), hint)

    def key(self, key: Any, hints: Sequence[Any]) -> list[str]:
        """The texts of a key's parts."""
        self.indent = _INDENT // 2
        try:
            return self.inner(key if isinstance(key, tuple) else (key,), hints)
        finally:
            self.indent = _INDENT

    def call(self, name: str, *args: Any) -> str:
        """The text of a builtin."""
        from .functions import body

        return str(body(name, self._context)(*args))

    def enum(self, value: int, text: str) -> str:
        """An enumerator's name, or the number."""
        known = self._enums.get(text)
        if known is None:
            known = self._enums[text] = enumerators(text)
        return known.get(value) or str(value)

    def inner(self, parts: Sequence[Any], hints: Sequence[Any]) -> list[str]:
        """The texts of several values in a row."""
        out, at = [], 0
        for hint in hints:
            count = width(hint)
            out.append(self.text(parts[at : at + count], hint))
            at += count
        return out

    # -- JSON

    def data(self, value: Any, hint: Any) -> Any:
        """The value as JSON's types."""
        kind = hint[0] if isinstance(hint, tuple) else hint
        if kind == "int" or hint is None:
            return value
        if kind == "uint":
            return value & MASK
        if kind == "bool":
            return bool(value)
        if kind == "tuple":
            return self._data_of(value, hint[1])
        if kind == "named":
            names = [n for n, _ in hint[1]]
            return dict(zip(names, self._data_of(value, [h for _, h in hint[1]]), strict=True))
        return self.value(value, hint)

    def _data_of(self, value: Any, hints: Sequence[Any]) -> list[Any]:
        """Several values in a row."""
        out, at = [], 0
        for one in hints:
            count = width(one)
            parts = value[at : at + count]
            flat = count == 1 and (not isinstance(one, tuple) or one[0] not in ("tuple", "named"))
            out.append(self.data(parts[0] if flat else parts, one))
            at += count
        return out


def _memory(display: Display, data: bytes, hint: Any, signed: bool = False) -> str:
    """The text of a C value in memory."""
    if isinstance(hint, tuple) or hint == "str":
        if hint == "str":
            return data.split(b"\0", 1)[0].decode("latin-1")
        if hint[0] == "enum":
            return display.enum(int.from_bytes(data, "little", signed=True), hint[1])
        return display.text((data,), hint)
    number = int.from_bytes(data, "little", signed=signed or hint == "int")
    if hint == "bool":
        return "true" if number else "false"
    return f"{number:#x}" if hint == "ptr" else str(number)


def _array(display: Display, parts: Sequence[Any], hint: Any) -> str:
    _, count, inner, size, signed = hint
    data: bytes = parts[0]
    items = [_memory(display, data[i * size : (i + 1) * size], inner, signed) for i in range(count)]
    return f"[{','.join(items)}]"


def _record(display: Display, parts: Sequence[Any], hint: Any) -> str:
    data: bytes = parts[0]
    fields = []
    for name, offset, size, inner in hint[1]:
        fields.append(f".{name} = {_memory(display, data[offset : offset + size], inner)}")
    return f"{{ {', '.join(fields)} }}"


def _bits(display: Display, parts: Sequence[Any], hint: Any) -> str:
    _, shift, width, signed = hint
    number = int.from_bytes(parts[0], "little") >> shift & (1 << width) - 1
    return str(number - (1 << width) if signed and number >> width - 1 else number)


def _tuple(display: Display, parts: Sequence[Any], hint: Any) -> str:
    return f"({', '.join(display.inner(parts, hint[1]))})"


def _named(display: Display, parts: Sequence[Any], hint: Any) -> str:
    shown = display.inner(parts, [h for _, h in hint[1]])
    return f"{{ {', '.join([f'.{name} = {one}' for (name, _), one in zip(hint[1], shown, strict=True)])} }}"


def _raw(display: Display, parts: Sequence[Any], hint: Any) -> str:
    value = parts[0]
    return hex_escaped(value) if isinstance(value, bytes) else str(value)


_SHOWN: dict[str, Callable[[Display, Sequence[Any], Any], str]] = {
    "uint": lambda d, parts, hint: str(parts[0] & MASK),
    "bool": lambda d, parts, hint: "true" if parts[0] else "false",
    "ptr": lambda d, parts, hint: f"{parts[0] & MASK:#x}",
    "mac": lambda d, parts, hint: d.call("macaddr_text", parts[0]),
    "ksym": lambda d, parts, hint: d.call("ksym", parts[0]),
    "usym": lambda d, parts, hint: d.call("usym_text", *parts),
    "cgroup_path": lambda d, parts, hint: d.call("cgroup_path", parts[0]),
    "kstack": lambda d, parts, hint: d.call("kstack_text", parts[0], hint[1], d.indent),
    "ustack": lambda d, parts, hint: d.call("ustack_text", parts[1], parts[0], hint[1], d.indent),
    "timestamp": lambda d, parts, hint: d.call("strftime_boot", hint[1], parts[0]),
    "buf": _raw,
    "enum": lambda d, parts, hint: d.enum(parts[0], hint[1]),
    "array": _array,
    "record": _record,
    "bits": _bits,
    "tuple": _tuple,
    "named": _named,
}
