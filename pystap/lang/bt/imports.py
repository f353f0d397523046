"""`import "x.bt"`, `import "x.h"`, `import "folder"`: what the files declare becomes the script's, before its own.

    together(tree, params, bag) -> Program     without imports; mistakes are in the bag, at their place

Paths count from the folder of the file that they stand in (of a script without a file: from the current one). A file is
taken once, however often it is imported. Files that anybody may write to are not: nor are those in such folders.
"""

from __future__ import annotations

import os
import stat

from ...diag import CompileError, fail
from ...source import Source
from . import ast
from .parser import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...diag import Bag

SUFFIXES = (".bt", ".h")
LARGEST = 1 << 24
_DEEPEST = 32


def together(tree: ast.Program, params: list[str], bag: Bag) -> ast.Program:
    """Return the program with what it imports."""
    if not tree.imports:
        return tree
    parts: list[ast.Program] = []
    _gather(tree, params, bag, parts, set(), 0)
    records = [part.c for part in parts]
    c = ast.CPart(
        tree.c.span,
        tuple(one for part in records for one in part.includes),
        tuple(one for part in records for one in part.defines),
        tuple(one for part in records for one in part.types),
    )
    config = tuple(entry for part in parts for entry in part.config)
    declarations = tuple(one for part in parts for one in part.declarations)
    return ast.Program(tree.span, c, config, (), declarations)


def _gather(
    tree: ast.Program, params: list[str], bag: Bag, parts: list[ast.Program], seen: set[str], depth: int
) -> None:
    """Append what a program imports, then itself."""
    for item in tree.imports:
        try:
            if depth >= _DEEPEST:
                raise fail("E125", "files import one another too deeply", item.span)
            for path in _files(item):
                real = os.path.realpath(path)
                if real in seen:
                    continue
                seen.add(real)
                part = parse(Source(path, _text(path, item)), params, bag)
                _gather(part, params, bag, parts, seen, depth + 1)
        except CompileError as error:
            bag.add(error.diagnostic)
    parts.append(tree)


def _files(item: ast.Import) -> list[str]:
    """Return the files that an import means."""
    path = item.path
    holder = item.span.source.name
    if not os.path.isabs(path) and not holder.startswith("<"):
        path = os.path.join(os.path.dirname(holder), path)
    if os.path.isdir(path):
        _safe(path, item)
        found = sorted(name for name in os.listdir(path) if name.endswith(SUFFIXES))
        if not found:
            raise fail("E125", f"{path} has no file to import", item.span, "they end in .bt or .h")
        return [os.path.join(path, name) for name in found]
    if path.endswith(".c"):
        raise fail(
            "E401", "not supported yet: imports of C programs", item.span, "there is no C compiler here"
        )
    if not path.endswith(SUFFIXES):
        raise fail("E125", f"can't import {path}", item.span, 'the form is import "x.bt", "x.h" or "folder"')
    return [path]


def _safe(path: str, item: ast.Import) -> None:
    """Refuse what anybody could have written."""
    for place in (path, os.path.dirname(os.path.abspath(path))):
        try:
            mode = os.stat(place).st_mode
        except OSError as error:
            raise fail("E125", f"can't import {path}: {error.strerror}", item.span) from None
        if mode & stat.S_IWOTH:
            words = f"can't import {path}: anybody may write to {'it' if place == path else 'its folder'}"
            raise fail("E125", words, item.span)


def _text(path: str, item: ast.Import) -> str:
    _safe(path, item)
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise fail("E125", f"can't import {path}: {error.strerror}", item.span) from None
    if len(data) > LARGEST:
        raise fail("E125", f"{path} is too large to import", item.span)
    return data.decode("utf-8", "surrogateescape")
