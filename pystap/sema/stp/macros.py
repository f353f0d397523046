"""The tapset's macros (`tapset/macros.stpm`), read when a script uses one that it doesn't define."""

from __future__ import annotations

import os

from ...diag import Bag
from ...lang.stp.parser import parse_macros
from ...source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...lang.stp.preprocess import Macro


class _Macros:
    """A mapping that reads the file on first use."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: dict[str, Macro] | None = None

    def _all(self) -> dict[str, Macro]:
        if self.found is None:
            folder = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
            path = os.path.join(folder, "tapset", "macros.stpm")
            with open(path, encoding="utf-8") as stream:
                source = Source("tapset/macros.stpm", stream.read())
            bag = Bag()
            self.found = parse_macros(source, bag)
            if bag.items:
                raise RuntimeError(f"{path}: {bag.items[0]!r}")
        return self.found

    def get(self, name: str) -> Macro | None:
        """Return the macro of that name, or None."""
        return self._all().get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())


MACROS: Mapping[str, Macro] = _Macros()  # type: ignore[assignment]
"""For PreprocEnv.macros."""


def with_macros(text: str) -> Mapping[str, Macro]:
    """Return the tapset's macros and those that a text defines; a mistake in it is a bug."""
    bag = Bag()
    found = {**{name: _macro(name) for name in MACROS}, **parse_macros(Source("<macros>", text), bag)}
    if bag.items:
        raise RuntimeError(f"{bag.items[0]!r}")
    return found


def with_files(
    files: tuple[tuple[str, str], ...], more: Mapping[str, Macro] | None = None
) -> Mapping[str, Macro]:
    """Return these macros (the tapset's, if none), and those of the files that hold some; a file's mistakes leave it out."""
    found: dict[str, Macro] | None = None
    for path, text in reversed(files):  # the first one counts
        if path.endswith(".stpm"):
            bag = Bag()
            made = parse_macros(Source(path, text), bag)
            if found is None:
                known = more or MACROS
                found = {name: macro for name in known if (macro := known.get(name)) is not None}
            if not bag.errors:
                found |= made
    return found or more or MACROS


def _macro(name: str) -> Macro:
    macro = MACROS.get(name)
    assert macro is not None
    return macro
