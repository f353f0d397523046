"""Line tables: which address comes from which line.

`LineTable(unit)` has the rows of one unit, sequence by sequence, and the names of its files as paths below the kernel's
source folder.
"""

from __future__ import annotations

from . import forms as f
from .dies import COMP_DIR, NAME, STMT_LIST
from .errors import DebugInfoError
from .operations import leb128

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .dies import Unit

# Standard operations.
(
    COPY,
    ADVANCE_PC,
    ADVANCE_LINE,
    SET_FILE,
    SET_COLUMN,
    NEGATE_STMT,
    SET_BLOCK,
    CONST_ADD_PC,
    FIXED_ADVANCE_PC,
) = range(1, 10)
END_SEQUENCE, SET_ADDRESS = 1, 2  # extended ones
PATH, FOLDER = 1, 2  # what a name of version 5 has


class Row:
    """From `start` up to `end` the code comes from `line` of file number `file`; `stmt`: a good place to stop."""

    __slots__ = ("end", "file", "line", "start", "stmt")

    def __init__(self, start: int, file: int, line: int, stmt: bool) -> None:
        self.start = start
        self.end = start
        self.file = file
        self.line = line
        self.stmt = stmt


class LineTable:
    """files: number -> path; rows: in the order of addresses within a sequence."""

    __slots__ = ("_program", "_rows", "files")

    def __init__(self, unit: Unit) -> None:
        at = unit.top.get(STMT_LIST)
        self._program = _Program(unit, at) if at is not None else None
        self.files: dict[int, str] = self._program.files() if self._program is not None else {}
        self._rows: list[Row] | None = None

    @property
    def rows(self) -> list[Row]:
        """The rows; running the program is what takes the time."""
        if self._rows is None:
            self._rows = self._program.run() if self._program is not None else []
        return self._rows


def same_file(path: str, wanted: str) -> bool:
    """Say whether a script means this file: the end of its path at a folder, or a pattern."""
    if path == wanted or path.endswith("/" + wanted):
        return True
    if "*" in wanted or "?" in wanted or "[" in wanted:
        from fnmatch import fnmatchcase

        return fnmatchcase(path, wanted) or fnmatchcase(path, "*/" + wanted)
    return False


def source_path(path: str, folder: str = "") -> str:
    """Return a path as it is below the kernel's source folder, where that can be told."""
    if folder and path.startswith(folder + "/"):
        path = path[len(folder) + 1 :]
    out: list[str] = []
    for word in path.split("/"):
        if word == ".." and out and out[-1] != "..":
            out.pop()
        elif word not in ("", "."):
            out.append(word)
    while out and out[0] == "..":
        del out[0]
    return ("/" if path.startswith("/") else "") + "/".join(out)


class _Program:
    """The line number program of a unit."""

    def __init__(self, unit: Unit, at: int) -> None:
        self.unit = unit
        data = unit.elf.data(".debug_line")
        length = int.from_bytes(data.read(at, at + 4), "little")
        self.raw = raw = data.read(at, min(at + 4 + length, data.size))
        if len(raw) < 4 + length or length < _LEAST:
            raise DebugInfoError(f"a line table of {unit.elf.path} is cut off")
        self.version = int.from_bytes(raw[4:6], "little")
        if not 2 <= self.version <= 5:
            raise DebugInfoError(f"{unit.elf.path} has lines of version {self.version}, which can't be read")
        at = 8 if self.version >= 5 else 6  # there, sizes of addresses and segments stand before it
        self.first = at + 4 + int.from_bytes(raw[at : at + 4], "little")
        at += 4
        self.unit_bytes = raw[at]
        at += 1 if self.version < 4 else 2
        self.stmt = raw[at] != 0
        self.line_base = int.from_bytes(raw[at + 1 : at + 2], "little", signed=True)
        self.line_range = raw[at + 2] or 1
        self.special = raw[at + 3]
        at += 4
        self.operands = (0, *raw[at : at + self.special - 1])
        self.names = at + self.special - 1

    # -- files

    def files(self) -> dict[int, str]:
        """Return number -> path. Version 5 counts files and folders from 0, older ones from 1."""
        own = self.unit.top.text(COMP_DIR)
        at = self.names
        if self.version >= 5:
            folders, at = self._named(at)
            files, at = self._named(at)
            names = []
        else:
            found, at = self._strings(at)
            folders = [(own, 0), *((name, 0) for name in found)]
            files, at = self._old_files(at)
            names = [source_path(self.unit.top.text(NAME), own)]
        for name, folder in files:
            if not name.startswith("/") and folder < len(folders) and folders[folder][0]:
                name = f"{folders[folder][0]}/{name}"
            names.append(source_path(name, own))
        return dict(enumerate(names))

    def _named(self, at: int) -> tuple[list[tuple[str, int]], int]:
        """Read a list of names of version 5: (name, number of its folder)."""
        raw = self.raw
        kinds = []
        count, at = raw[at], at + 1
        for _ in range(count):
            kind, at = leb128(raw, at, False)
            form, at = leb128(raw, at, False)
            kinds.append((kind, form, 0))
        shape = f.Shape(0, False, kinds)
        count, at = leb128(raw, at, False)
        out = []
        for _ in range(count):
            values, at = shape.read(raw, at)
            name = self.unit.string(values[PATH]) if PATH in values else b""
            folder: Any = values[FOLDER][1] if FOLDER in values else 0
            out.append((name.decode("utf-8", "replace"), folder))
        return out, at

    def _strings(self, at: int) -> tuple[list[str], int]:
        out = []
        while self.raw[at]:
            end = self.raw.index(b"\0", at)
            out.append(self.raw[at:end].decode("utf-8", "replace"))
            at = end + 1
        return out, at + 1

    def _old_files(self, at: int) -> tuple[list[tuple[str, int]], int]:
        raw = self.raw
        out = []
        while raw[at]:
            end = raw.index(b"\0", at)
            folder, behind = leb128(raw, end + 1, False)
            _, behind = leb128(raw, behind, False)
            _, behind = leb128(raw, behind, False)
            out.append((raw[at:end].decode("utf-8", "replace"), folder))
            at = behind
        return out, at + 1

    # -- rows

    def run(self) -> list[Row]:
        """Return the rows. One loop, as tables have tens of thousands of them."""
        raw, at, end = self.raw, self.first, len(self.raw)
        special, base, width, step = self.special, self.line_base, self.line_range, self.unit_bytes
        const_add = (255 - special) // width * step
        out: list[Row] = []
        last: Row | None = None
        address, file, line, stmt = 0, 1, 1, self.stmt
        while at < end:
            code = raw[at]
            at += 1
            if code >= special:
                code -= special
                address += code // width * step
                line += base + code % width
            elif code == COPY:
                pass
            elif code == ADVANCE_LINE:
                more, at = leb128(raw, at, True)
                line += more
                continue
            elif code == ADVANCE_PC:
                more, at = leb128(raw, at, False)
                address += more * step
                continue
            elif code == SET_FILE:
                file, at = leb128(raw, at, False)
                continue
            elif code == NEGATE_STMT:
                stmt = not stmt
                continue
            elif code == CONST_ADD_PC:
                address += const_add
                continue
            elif code == FIXED_ADVANCE_PC:
                address += int.from_bytes(raw[at : at + 2], "little")
                at += 2
                continue
            elif code == 0:
                size, at = leb128(raw, at, False)
                kind = raw[at] if size else 0
                if kind == SET_ADDRESS:
                    address = int.from_bytes(raw[at + 1 : at + size], "little")
                at += size
                if kind == END_SEQUENCE:
                    if last is not None:
                        last.end = address
                    last = None
                    address, file, line, stmt = 0, 1, 1, self.stmt
                continue
            else:  # columns, blocks, and what this version doesn't know
                for _ in range(self.operands[code]):
                    _, at = leb128(raw, at, False)
                continue
            if last is not None:
                last.end = address
            last = Row(address, file, line, stmt)
            out.append(last)
        return out


_LEAST = 16
