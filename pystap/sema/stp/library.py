"""The tapset, lazily: which file has a function or an alias, and the files that are needed, parsed."""

from __future__ import annotations

import os

from ...diag import Bag
from ...lang.stp.parser import PreprocEnv, parse
from ...source import Source
from ...tapset.index_gen import ALIASES, FILES, FUNCTIONS
from .collect import collect_file
from .macros import MACROS
from .symbols import FileScope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...lang.stp import ast
    from .unit import Unit

__all__ = ["ALIASES", "FUNCTIONS", "alias_scope", "function_scope", "load"]

_parsed: dict[tuple[int, str, str], ast.File] = {}


def directory() -> str:
    """Return the folder of the tapset."""
    return os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(__file__))), "tapset")


def load(unit: Unit, number: int) -> FileScope:
    """Return the scope of a file of the tapset; a mistake in one is a bug."""
    name = FILES[number]
    scope = unit.library.get(name)
    if scope is None:
        scope = unit.library[name] = FileScope(parse_file(number, unit), True)
        bag = Bag()
        collect_file(scope, bag)
        if bag.items:
            raise RuntimeError(f"tapset/{name}: {bag.items[0]!r}")
    return scope


def parse_file(number: int, unit: Unit) -> ast.File:
    """Return the tree of a file, parsed once for a kernel."""
    key = (number, unit.target.release, unit.target.arch)
    tree = _parsed.get(key)
    if tree is None:
        name = FILES[number]
        with open(os.path.join(directory(), name), encoding="utf-8") as stream:
            text = stream.read()
        bag = Bag()
        env = PreprocEnv(kernel_v=unit.target.release or "0", arch=unit.target.arch, macros=MACROS)
        tree = parse(Source(f"tapset/{name}", text), env, bag, library=True)
        if bag.items:
            raise RuntimeError(f"tapset/{name}: {bag.items[0]!r}")
        _parsed[key] = tree
    return tree


def function_scope(unit: Unit, name: str) -> FileScope | None:
    """Return the scope of the file that has functions of that name, or None."""
    found = unit.added.function_scope(unit, name)
    if found is not None:
        return found
    number = FUNCTIONS.get(name)
    return None if number is None else load(unit, number)


def alias_scope(unit: Unit, name: str) -> FileScope:
    """Return the scope of the file that has the alias of that (dotted) name."""
    return load(unit, ALIASES[name])
