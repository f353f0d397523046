"""The kernel's modules: which are loaded, which lie in files, and what a module's file says of its functions and types.

A module is called as the kernel calls it (`nf_conntrack`, with underscores). Files are read where modules.dep of the
running kernel says; plain, `.gz` and `.xz` ones. `.zst` ones need Python 3.14.
"""

from __future__ import annotations

import errno as _errno
import os
from struct import error as struct_error
from struct import unpack_from

from .sys import KernelError

_FOLDER = "/lib/modules"
_SUFFIXES = (".ko", ".ko.gz", ".ko.xz", ".ko.zst")
_FUNC = 2  # STT_FUNC
_SECTION = "<IIQQQQIIQQ"
_SYMBOL = "<IBBHQQ"


def loaded_modules() -> list[str]:
    """The modules that are loaded now, sorted."""
    try:
        with open("/proc/modules", encoding="ascii", errors="replace") as file:
            lines = file.read().split("\n")
    except OSError:
        return []
    return sorted(line.split(" ", 1)[0] for line in lines if line and " Unloading " not in line)


def loading_of(module: str) -> int:
    """Return what tells a loaded module from one of the same name that was there before it; 0 if it isn't there."""
    try:
        return os.stat(f"/sys/module/{module}").st_ino
    except OSError:
        return 0


def name_of(path: str) -> str:
    """The module's name of a file's path."""
    return path.rpartition("/")[2].partition(".ko")[0].replace("-", "_")


class ModuleFiles:
    """The modules that are there as files for one release of the kernel."""

    __slots__ = ("_built_in", "_files", "folder")

    def __init__(self, release: str = "", root: str = _FOLDER) -> None:
        self.folder = f"{root}/{release or os.uname().release}"
        self._files: dict[str, str] | None = None
        self._built_in: frozenset[str] | None = None

    def all(self) -> dict[str, str]:
        """Module -> path of its file."""
        if self._files is None:
            lines = self._lines("modules.dep")
            paths = [line.partition(":")[0] for line in lines]
            self._files = {
                name_of(path): path if path.startswith("/") else f"{self.folder}/{path}"
                for path in paths
                if path.endswith(_SUFFIXES)
            }
        return self._files

    def built_in(self, module: str) -> bool:
        """Whether what is a module elsewhere is part of this kernel."""
        if self._built_in is None:
            self._built_in = frozenset(name_of(line) for line in self._lines("modules.builtin"))
        return module in self._built_in

    def _lines(self, leaf: str) -> list[str]:
        try:
            with open(f"{self.folder}/{leaf}", encoding="utf-8", errors="surrogateescape") as file:
                return file.read().split("\n")
        except OSError:
            return []

    def read(self, module: str) -> Elf | None:
        """What a module's file says; None if there is none."""
        path = self.all().get(module)
        return Elf(unpacked(path)) if path is not None else None


def unpacked(path: str) -> bytes:
    """The bytes of a module's file without its compression."""
    what = f"reading {path}"
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise KernelError(error.errno or 0, what) from None
    try:
        if path.endswith(".xz"):
            from lzma import decompress

            return decompress(data)
        if path.endswith(".gz"):
            from zlib import decompress as inflate

            return inflate(data, 31)
        if path.endswith(".zst"):
            return _unzstd(data)
    except ImportError:
        needs = "Python 3.14, or the module loaded" if path.endswith(".zst") else "Python's lzma and zlib"
        raise KernelError(_errno.ENOTSUP, f"{what} (its compression needs {needs})") from None
    except Exception as error:  # each of them has its own kind
        raise KernelError(_errno.EIO, f"{what} ({error})") from None
    return data


def _unzstd(data: bytes) -> bytes:
    module = __import__("compression.zstd", None, None, ("decompress",))
    out: bytes = module.decompress(data)
    return out


class Elf:
    """A 64-bit little-endian object file: its sections by name, and the functions in its symbol table."""

    __slots__ = ("_data", "_sections")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._sections: dict[str, tuple[int, int, int]] = {}  # name -> offset, size, number
        if data[:6] != b"\x7fELF\x02\x01" or len(data) < 64:
            raise KernelError(_errno.ENOEXEC, "reading a module's file: no 64-bit ELF")
        try:
            self._index()
        except (ValueError, OverflowError, IndexError, struct_error):
            raise KernelError(_errno.ENOEXEC, "reading a module's file: it is damaged") from None

    def _index(self) -> None:
        data = self._data
        (table,) = unpack_from("<Q", data, 40)
        size, count, names = unpack_from("<HHH", data, 58)
        rows = [unpack_from(_SECTION, data, table + n * size) for n in range(count)]
        strings = rows[names][4] if rows else 0
        for number, row in enumerate(rows):
            at = strings + row[0]
            name = data[at : data.index(b"\0", at)].decode("ascii", "replace")
            self._sections.setdefault(name, (row[4], row[5], number))

    def section(self, name: str) -> bytes | None:
        """The bytes of a section, None if there is none."""
        found = self._sections.get(name)
        return self._data[found[0] : found[0] + found[1]] if found is not None else None

    def functions(self) -> list[str]:
        """The symbols of functions, but for those that only run when the module starts or ends."""
        return sorted({name for name, _, _ in self.code()})

    def code(self) -> list[tuple[str, str, int]]:
        """The same functions as (symbol, section, offset in it): several may have one name."""
        table, strings = self.section(".symtab"), self.section(".strtab")
        if table is None or strings is None:
            return []
        kept = {row[2]: n for n, row in self._sections.items() if not n.startswith((".init", ".exit"))}
        found = []
        for at in range(0, len(table) - 23, 24):
            name, info, _, section, value, _ = unpack_from(_SYMBOL, table, at)
            if info & 15 == _FUNC and section in kept and section:
                end = strings.find(b"\0", name)
                word = strings[name:end].decode("utf-8", "surrogateescape")
                found.append((word, kept[section], value))
        return found
