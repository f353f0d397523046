"""Line tables: which address comes from which line, as pyelftools runs their programs.

`LineTable(unit)` has the rows of one unit, sequence by sequence, and the names of its files as paths below the kernel's
source folder.
"""

from __future__ import annotations

from .dies import COMP_DIR, NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .dies import Unit

SET_ADDRESS, ADVANCE_PC, CONST_ADD_PC = 2, 2, 8  # the first is an extended operation


class Row:
    """From `start` up to `end` the code comes from `line` of file number `file`; `stmt`: a good place to stop; `view`: its
    number among the rows that start there."""

    __slots__ = ("end", "file", "line", "start", "stmt", "view")

    def __init__(self, start: int, file: int, line: int, stmt: bool, view: int) -> None:
        self.start = start
        self.end = start
        self.file = file
        self.line = line
        self.stmt = stmt
        self.view = view


class LineTable:
    """files: number -> path; rows: in the order of addresses within a sequence."""

    __slots__ = ("_program", "_rows", "files")

    def __init__(self, unit: Unit) -> None:
        self._program: Any = unit.elf.dwarf.line_program_for_CU(unit.cu)
        self.files = _files(self._program, unit) if self._program is not None else {}
        self._rows: list[Row] | None = None

    @property
    def rows(self) -> list[Row]:
        """The rows; running the program is what takes the time."""
        if self._rows is None:
            self._rows = _rows(self._program) if self._program is not None else []
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


def _files(program: Any, unit: Unit) -> dict[int, str]:
    """Return number -> path. Version 5 counts files and folders from 0, older ones from 1."""
    new = program.header["version"] >= 5
    own = unit.top.text(COMP_DIR)
    folders = [_text(folder) for folder in program.header["include_directory"]]
    if not new:
        folders.insert(0, own)
    names = [] if new else [source_path(unit.top.text(NAME), own)]
    for file in program.header["file_entry"]:
        name, folder = _text(file["name"]), file["dir_index"] or 0
        if not name.startswith("/") and folder < len(folders) and folders[folder]:
            name = f"{folders[folder]}/{name}"
        names.append(source_path(name, own))
    return dict(enumerate(names))


def _text(name: bytes | str | None) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name or ""


def _rows(program: Any) -> list[Row]:
    special = program.header["opcode_base"]
    out: list[Row] = []
    last: Row | None = None
    view = 0
    for entry in program.get_entries():
        if _moves(entry, special):
            view = 0
        state = entry.state
        if state is None:
            continue
        if last is not None:
            last.end = state.address
        last = None
        if state.end_sequence:
            view = 0
        else:
            last = Row(state.address, state.file, state.line, bool(state.is_stmt), view)
            view += 1
            out.append(last)
    return out


def _moves(entry: Any, special: int) -> bool:
    """Whether an operation goes to another address: a step of no bytes, and fixed_advance_pc, don't count."""
    if entry.is_extended:
        return bool(entry.command == SET_ADDRESS)
    if entry.command >= special:
        return bool(entry.args[1])
    return bool(entry.command == CONST_ADD_PC or (entry.command == ADVANCE_PC and entry.args[0]))
