"""Line tables (.debug_line) of DWARF 4 and 5: which address comes from which line.

`table(elf, at, unit)` gives the rows of one unit, sequence by sequence, and the names of its files as paths below the
kernel's source folder.
"""

from __future__ import annotations

from struct import unpack_from

from .dies import COMP_DIR, NAME, sleb, uleb
from .elf import DebugInfoError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .dies import Unit
    from .elf import Elf

# Standard opcodes, and extended ones.
COPY, ADVANCE_PC, ADVANCE_LINE, SET_FILE, SET_COLUMN, NEGATE, BASIC_BLOCK, CONST_ADD, FIXED_ADVANCE = range(
    1, 10
)
END_SEQUENCE, SET_ADDRESS = 1, 2
CONTENT_PATH, CONTENT_DIRECTORY = 1, 2


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

    __slots__ = ("files", "rows")

    def __init__(self, files: dict[int, str], rows: list[Row]) -> None:
        self.files = files
        self.rows = rows

    def numbers(self, file: str) -> set[int]:
        """Return the numbers of the files that a path, or the end of one, names."""
        return {n for n, path in self.files.items() if same_file(path, file)}


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


class _Header:
    """The head of a unit's line program."""

    def __init__(self, elf: Elf, at: int, unit: Unit) -> None:
        self.elf = elf
        self.view = view = elf.data(".debug_line").view
        self.folder = unit.top.text(COMP_DIR)
        length, self.version = unpack_from("<IH", view, at)
        self.end = at + 4 + length
        if not 2 <= self.version <= 5:
            raise DebugInfoError(f"{elf.path} has a line table of version {self.version}")
        at += 6
        if self.version == 5:
            at += 2  # sizes of addresses and of segment selectors
        (skip,) = unpack_from("<I", view, at)
        at += 4
        self.program = at + skip
        self.step = view[at]
        at += 2 if self.version >= 4 else 1  # operations of an instruction: 1
        self.stmt = bool(view[at])
        (self.base,) = unpack_from("<b", view, at + 1)
        self.range, self.opcodes = view[at + 2], view[at + 3]
        self.lengths = list(view[at + 4 : at + 3 + self.opcodes])
        at += 3 + self.opcodes
        self.files = self._new(at, unit) if self.version == 5 else self._old(at, unit)

    def _old(self, at: int, unit: Unit) -> dict[int, str]:
        folders = [self.folder]
        data = self.elf.data(".debug_line")
        while self.view[at]:
            end = data.find(b"\0", at)
            folders.append(data.text(at))
            at = end + 1
        at += 1
        files = {0: source_path(unit.top.text(NAME), self.folder)}
        while self.view[at]:
            end = data.find(b"\0", at)
            name = data.text(at)
            folder, at = uleb(self.view, end + 1)
            _, at = uleb(self.view, at)
            _, at = uleb(self.view, at)
            files[len(files)] = self._path(folders[folder] if folder < len(folders) else "", name)
        return files

    def _new(self, at: int, unit: Unit) -> dict[int, str]:
        folders, at = self._names(at, unit)
        files, at = self._names(at, unit)
        names = [name for name, _ in folders]
        return {n: self._path(names[f] if f < len(names) else "", name) for n, (name, f) in enumerate(files)}

    def _names(self, at: int, unit: Unit) -> tuple[list[tuple[str, int]], int]:
        count = self.view[at]
        at += 1
        shape = []
        for _ in range(count):
            kind, at = uleb(self.view, at)
            form, at = uleb(self.view, at)
            shape.append((kind, form))
        rows, at = uleb(self.view, at)
        out = []
        for _ in range(rows):
            name, folder = "", 0
            for kind, form in shape:
                if form == 0x08:
                    data = self.elf.data(".debug_line")
                    value: object = bytes(self.view[at : data.find(b"\0", at)])
                    at = data.find(b"\0", at) + 1
                else:
                    value, at = unit.value_of(form, self.view, at)
                if kind == CONTENT_PATH:
                    name = unit.string(form, value)
                elif kind == CONTENT_DIRECTORY:
                    assert isinstance(value, int)
                    folder = value
            out.append((name, folder))
        return out, at

    def _path(self, folder: str, name: str) -> str:
        if not name.startswith("/"):
            name = f"{folder}/{name}" if folder else name
        return source_path(name, self.folder)


def table(elf: Elf, at: int, unit: Unit) -> LineTable:
    """Run a unit's line program."""
    head = _Header(elf, at, unit)
    rows: list[Row] = []
    at = head.program
    while at < head.end:
        at = _sequence(head, at, rows)
    return LineTable(head.files, rows)


def _sequence(head: _Header, at: int, rows: list[Row]) -> int:
    """Run the program up to the end of a sequence."""
    view, first = head.view, head.opcodes
    pc, file, line, stmt = 0, 1, 1, head.stmt
    last: Row | None = None
    while at < head.end:
        op = view[at]
        at += 1
        if op >= first:
            pc += (op - first) // head.range * head.step
            line += head.base + (op - first) % head.range
        elif op == ADVANCE_PC:
            n, at = uleb(view, at)
            pc += n * head.step
            continue
        elif op == ADVANCE_LINE:
            n, at = sleb(view, at)
            line += n
            continue
        elif op == SET_FILE:
            file, at = uleb(view, at)
            continue
        elif op == NEGATE:
            stmt = not stmt
            continue
        elif op == CONST_ADD:
            pc += (255 - first) // head.range * head.step
            continue
        elif op == FIXED_ADVANCE:
            pc += unpack_from("<H", view, at)[0]
            at += 2
            continue
        elif op == 0:
            size, at = uleb(view, at)
            kind = view[at]
            if kind == SET_ADDRESS:
                pc = int.from_bytes(view[at + 1 : at + size], "little")
            at += size
            if kind == END_SEQUENCE:
                if last is not None:
                    last.end = pc
                return at
            continue
        elif op != COPY:
            for _ in range(head.lengths[op - 1]):
                _, at = uleb(view, at)
            continue
        if last is not None:
            last.end = pc
        last = Row(pc, file, line, stmt)
        rows.append(last)
    return at
