"""Functions by their source file: what the index of the package, or installed debug information, says of them.

    of_file(wanted, env, functions)         those of the functions that a pattern found which are in the named files
    check(wanted, env, name)                notes on one function of a named file; CompileError if it is elsewhere
    point(wanted, env, function)            what pp() gives at a function: SystemTap's form, with file and line
    text(function, place, module, suffix)   the form itself

The line is known where debug information is installed; without it there is the file alone, and where that isn't known
(a driver, a newer kernel's function, a name that several files have) there is the name alone.
"""

from __future__ import annotations

from ... import codeindex
from ...debuginfo import DebugInfoError
from ...diag import did_you_mean, fail
from ..base import Env, has_glob

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from . import Wanted
    from .names import Function, Notes

_FAR = 8  # symbols around one that are looked at


def of_file(wanted: Wanted, env: Env, functions: Sequence[Function]) -> list[Function]:
    """Return the functions that are in the source files which the probe point names."""
    files = codeindex.match_files(wanted.file)
    if not files:
        raise unknown_file(wanted)
    owners: dict[str, set[str]] = {}
    for name, module in codeindex.functions_of(wanted.file, env.target.release):
        owners.setdefault(name, set()).add(module)
    found = [f for f in functions if f.name in owners and _of(env, f.module, owners[f.name])]
    found = [f for f in found if _is_there(env, f, files)]
    if not found:
        modules = sorted(set().union(*owners.values()) - {""})
        if modules and "" not in set().union(*owners.values()) and wanted.module not in modules:
            words = f"'{wanted.file}' is part of the module '{modules[0]}'"
            there = f'module("{modules[0]}").function("{wanted.part.arg}")'
            if not _built_in(env, modules[0]):
                raise fail("E304", words, wanted.part.span, f"there is {there}")
    return found


def _of(env: Env, module: str, owners: set[str]) -> bool:
    """Whether a function of a module ("": the kernel) can be one that the index has in these; a module may be built in."""
    if module in owners:
        return True
    if module:
        return owners == {""}
    return any(_built_in(env, owner) for owner in owners)


def _is_there(env: Env, function: Function, files: Sequence[str]) -> bool:
    """Whether a function whose name several files have can be the one in these, by what lies around it in the code."""
    places = set(codeindex.files_of(function.name, function.module, env.target.release))
    known = env.target.functions
    if len(places) < 2 or known is None or known.table is None:
        return True
    addresses = known.table.addresses(function.symbol)
    return not addresses or any(_around(env, known.table, one, places) in ("", *files) for one in addresses)


def _around(env: Env, table: Any, address: int, places: set[str]) -> str:
    """Return the one of the files that the code at an address is of, "" where that can't be told.

    The functions of a file lie together: it is the file of the nearest function before or behind that only one file has.
    """
    found = set()
    for step in (-1, 1):
        at = table.lookup(address)
        for _ in range(_FAR):
            where = (
                (at.address - 1 if step < 0 else at.address + at.size) if at is not None and at.size else 0
            )
            at = table.lookup(where) if where else None
            if at is None:
                break
            files = codeindex.files_of(codeindex.base_name(at.name), at.module, env.target.release)
            if len(files) == 1:
                found.add(files[0])
                break
    mine = found & places
    return mine.pop() if len(mine) == 1 else ""


def _built_in(env: Env, module: str) -> bool:
    known = env.target.functions
    return known is None or bool(known.built_in(module))


def unknown_file(wanted: Wanted) -> Exception:
    """Return the error for a file that the index doesn't have."""
    near = did_you_mean(wanted.file, codeindex.known_files(wanted.file))
    if wanted.file.endswith(".h"):
        hint = "headers are left out: name the function alone"
    else:
        hint = f"did you mean '{near}'?" if near else "name the function alone, or a pattern of names"
    return fail("E304", f"no source file '{wanted.file}' is known", wanted.part.span, hint)


def check(wanted: Wanted, env: Env, name: str) -> Notes:
    """Return notes on `name@file`; CompileError where the function is in another file."""
    places = _files(env, name, wanted.module)
    if not places:
        words = f"it isn't known which source file '{name}' is in: it is probed whether or not that is '{wanted.file}'"
        return (("W302", words, ""),)
    here = set(codeindex.match_files(wanted.file))
    if not here.intersection(places):
        where = " and ".join(places)
        words = f"'{name}' is in {where}, not in '{wanted.file}'"
        raise fail("E304", words, wanted.part.span, f'write function("{name}@{places[0]}")')
    now = codeindex.files_of(name, wanted.module, env.target.release)
    others = [file for file in now if file not in here]
    if others and here.intersection(now):
        words = f"functions '{name}' of other files are probed too: they are told apart by nothing but their address"
        return (("W302", words, f"there is one in {' and '.join(others)}"),)
    return ()


# -------------------------------------------------------------------- pp()


def place(env: Env, name: str, module: str, pattern: str = "", line: bool = True) -> str:
    """Return file:line of a function, its file where the line isn't known or wanted, or ""."""
    known = _written(env, name, module) if line else None
    if known is not None and (not pattern or matches(known[0], pattern)):
        return f"{known[0]}:{known[1]}"
    files = _files(env, name, module, env.target.release)
    if len(files) > 1 and pattern:
        files = tuple(file for file in files if matches(file, pattern))
    if not files and pattern and not has_glob(pattern):
        return pattern
    return files[0] if len(files) == 1 else ""


def _files(env: Env, name: str, module: str, release: str = "") -> tuple[str, ...]:
    """Return the files of a function; of another name of its code where this one isn't known."""
    found = codeindex.files_of(name, module, release)
    if found:
        return found
    from .names import Function, first_name

    other = first_name(env, Function(module, name, name))
    return codeindex.files_of(other, module, release) if other else ()


def _written(env: Env, name: str, module: str) -> tuple[str, int] | None:
    if env.target.debuginfo is None:
        return None
    try:
        info = env.target.debuginfo(module)
        return info.function_line(name) if info is not None else None
    except DebugInfoError:
        return None


def matches(file: str, pattern: str) -> bool:
    """Whether a file is one of those that a probe point names."""
    from fnmatch import fnmatchcase

    return fnmatchcase(f"/{file}", f"*/{pattern.lstrip('/')}")


def point(wanted: Wanted, env: Env, name: str, module: str, line: bool = True) -> str:
    """Return what pp() gives at a function."""
    if not wanted.text.startswith(("kernel.", "module(")):
        return wanted.text_of(name)  # kprobe.function: as it was written
    return text(name, place(env, name, module, wanted.file, line), module, wanted.suffix())


def text(name: str, where: str, module: str, suffix: str) -> str:
    """Return a probe point of one function, as SystemTap shows it."""
    owner = f'module("{module}")' if module else "kernel"
    return f'{owner}.function("{name}{"@" if where else ""}{where}"){suffix}'
