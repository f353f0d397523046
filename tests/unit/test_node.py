"""Slotted nodes: fields, defaults, inheritance, and that every class of the project can be made."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import pystap
from pystap.node import Node, _constructor


class Point(Node):
    x: int
    y: int = 2


class Named(Point):
    name: str = "p"


def test_fields_in_order_and_defaults() -> None:
    assert repr(Named(1)) == "Named(x=1, y=2, name='p')"
    assert dict(Named(1, name="q").items()) == {"x": 1, "y": 2, "name": "q"}
    assert repr(Named(1).replace(y=5)) == "Named(x=1, y=5, name='p')"


def test_mistakes_are_type_errors() -> None:
    for wrong in (lambda: Point(), lambda: Point(1, 2, 3), lambda: Point(1, z=2)):
        with pytest.raises(TypeError):
            wrong()


def test_no_dict_and_identity() -> None:
    with pytest.raises(AttributeError):
        Point(1).other = 3  # type: ignore[attr-defined]
    assert Point(1) != Point(1)


def test_every_class_has_a_constructor() -> None:
    for module in pkgutil.walk_packages(pystap.__path__, "pystap."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    pending: list[type] = [Node]
    while pending:
        cls = pending.pop()
        pending += cls.__subclasses__()
        if "__init__" in vars(cls) and cls.__module__.startswith("pystap."):
            _constructor(cls)  # type: ignore[arg-type]
