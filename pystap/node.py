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


def _first_init(self: Any, *args: Any, **named: Any) -> None:
    """Generate the class's constructor with its first object: plain stores are 5 times as fast as a loop."""
    cls: Any = type(self)
    cls.__init__ = _constructor(cls)
    cls.__init__(self, *args, **named)


def _constructor(cls: NodeMeta) -> Any:
    """Return `__init__` for a class, from its fields and defaults."""
    params = [
        "self",
        *(f"{field}=_defaults[{field!r}]" if field in cls._defaults else field for field in cls._fields),
    ]
    stores = [f" self.{field} = {field}" for field in cls._fields] or [" pass"]
    names: dict[str, Any] = {"_defaults": cls._defaults}
    exec(f"def __init__({', '.join(params)}):\n" + "\n".join(stores), names)
    return names["__init__"]


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
        ns.setdefault("__init__", _first_init)
        cls = super().__new__(mcs, name, bases, ns)
        cls._fields = fields + own
        cls._defaults = defaults
        return cls


class Node(metaclass=NodeMeta):
    """A value with named fields: `Node(field, ..., field=...)`."""

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
