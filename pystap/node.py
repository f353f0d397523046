"""Slotted value classes without `dataclasses`: the base of AST, IR and plan nodes.

A class states its fields as annotations, in order; defaults are plain class
values. Defining one costs microseconds (a frozen dataclass costs 0.3 ms), which
is why the start path uses these. Equality is identity: two nodes with the same
fields at two places of a script are two nodes.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, dataclass_transform
else:

    def dataclass_transform(**_: object):  # typing's own costs 7 ms to import
        return lambda cls: cls


_MISSING = object()


@dataclass_transform(eq_default=False, kw_only_default=False)
class NodeMeta(type):
    """Turns annotations into `__slots__`, and gathers the fields of the bases."""

    _fields: tuple[str, ...]
    _defaults: dict[str, object]

    def __new__(mcs, name: str, bases: tuple[type, ...], ns: dict[str, Any]) -> NodeMeta:
        own = tuple(n for n in ns.get("__annotations__", ()) if not n.startswith("__"))
        fields: tuple[str, ...] = ()
        defaults: dict[str, object] = {}
        for base in bases:
            fields += getattr(base, "_fields", ())
            defaults.update(getattr(base, "_defaults", {}))
        for field in own:
            if field in ns:
                defaults[field] = ns.pop(field)
        ns["__slots__"] = own
        cls = super().__new__(mcs, name, bases, ns)
        cls._fields = fields + own
        cls._defaults = defaults
        return cls


class Node(metaclass=NodeMeta):
    """A value with named fields: `Node(field, ..., field=...)`."""

    def __init__(self, *args: Any, **named: Any) -> None:
        cls = type(self)
        fields = cls._fields
        if len(args) > len(fields):
            raise TypeError(f"{cls.__name__} takes {len(fields)} fields, got {len(args)}")
        for name, value in zip(fields, args, strict=False):
            setattr(self, name, value)
        if named or len(args) < len(fields):
            defaults = cls._defaults
            for name in fields[len(args) :]:
                value = named.pop(name, _MISSING)
                if value is _MISSING:
                    value = defaults.get(name, _MISSING)
                    if value is _MISSING:
                        raise TypeError(f"{cls.__name__} needs the field '{name}'")
                setattr(self, name, value)
            if named:
                raise TypeError(f"{cls.__name__} has no field '{next(iter(named))}'")

    def __repr__(self) -> str:
        inner = ", ".join(f"{n}={v!r}" for n, v in self.items() if n != "span")
        return f"{type(self).__name__}({inner})"

    def items(self) -> Iterator[tuple[str, Any]]:
        """Yield (field, value) in the order of definition."""
        for name in type(self)._fields:
            yield name, getattr(self, name)

    def replace(self, **changes: Any) -> Any:
        """Return a copy with some fields changed."""
        return type(self)(**{**dict(self.items()), **changes})
