"""The files of -I: a user's own tapset, in `unit.added`. What a script names of a file brings the whole file in.

A name is looked for there before it is in the tapset that comes along. Globals are shared between these files and the
script, but for private ones. A file with mistakes is left out, with a warning, as only those that need it miss it.
"""

from __future__ import annotations

from ...diag import Bag, CompileError
from ...lang.stp import ast
from ...lang.stp.parser import PreprocEnv, parse
from ...source import Source
from .collect import collect_file
from .macros import MACROS, with_files
from .symbols import FileScope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .unit import Unit


class Added:
    """The files, in the order in which they are searched."""

    __slots__ = ("scopes",)

    def __init__(self) -> None:
        self.scopes: list[FileScope] = []

    def function_scope(self, unit: Unit, name: str) -> FileScope | None:
        """Return the scope of the first file that has functions of that name, which is in use now; or None."""
        for scope in self.scopes:
            if any(not f.private for f in scope.functions.get(name, ())):
                return use(unit, scope)
        return None

    def names(self) -> Iterator[str]:
        """Yield the names of aliases."""
        for scope in self.scopes:
            for name, _ in scope.aliases:
                yield ".".join(c.name for c in name.components)


def run(unit: Unit) -> None:
    """Read the files, and bring in those whose globals the script names."""
    for path, text in unit.options.tapsets:
        if not path.endswith(".stpm"):
            _add(unit, path, text)
    for scope in unit.added.scopes:
        if _share(unit.scope, scope):
            use(unit, scope)


def _add(unit: Unit, path: str, text: str) -> None:
    bag = Bag()
    target = unit.target
    macros = with_files(unit.options.tapsets) if unit.options.tapsets else MACROS
    env = PreprocEnv(kernel_v=target.release or "0", arch=target.arch, config=target.config, macros=macros)
    scope = FileScope(parse(Source(path, text), env, bag, library=True), True)
    scope.user = True
    collect_file(scope, bag)
    if scope.file.embedded and not bag.errors:
        from .embedded import library

        try:
            library(unit, scope)
        except CompileError as error:
            bag.add(error.diagnostic)
    if bag.errors:
        first = bag.errors[0]
        unit.bag.warn("W308", f"{path} is left out, for it has mistakes: {first.message}", first.span)
        return
    unit.added.scopes.append(scope)


def use(unit: Unit, scope: FileScope) -> FileScope:
    """Bring a file in, if it isn't: with its probes, and the globals that it names of the script's and of others."""
    path = scope.file.source.name
    if path not in unit.library:
        unit.library[path] = scope
        for other in (unit.scope, *unit.added.scopes):
            if other is not scope and _share(scope, other) and other is not unit.scope:
                use(unit, other)
    return scope


def _share(into: FileScope, other: FileScope) -> bool:
    """Let a file's code mean another's globals by their names; say whether it names any."""
    wanted = {g.name for g in other.file.globals if not g.private and g.name not in into.globals}
    if not wanted:
        return False
    named = {n.name for decl in into.file.decls for n in ast.walk(decl) if isinstance(n, ast.Name)} & wanted
    for name in named:
        into.globals[name] = other.globals[name]
    return bool(named)
