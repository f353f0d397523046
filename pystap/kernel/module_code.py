"""Where the functions of a module are as soon as it is loaded, without reading all of the kernel's symbols.

    code = ModuleCode("bridge")     reads the module's file, before the module comes
    table = code.symbols()          a `Kallsyms` of its functions; None where the loaded module isn't that file's

A function's place is that of its section, which the kernel tells, and its offset there, which the file does.
"""

from __future__ import annotations

from .sys import KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .symbols import Kallsyms

_SYSFS = "/sys/module"


class ModuleCode:
    """What a module's file says of its functions."""

    __slots__ = ("_functions", "_id", "_root", "module")

    def __init__(self, module: str, root: str = _SYSFS) -> None:
        from .modules import ModuleFiles
        from .target import id_of

        self.module = module
        self._root = f"{root}/{module}"
        self._id = ""
        self._functions: list[tuple[str, str, int]] = []
        try:
            elf = ModuleFiles().read(module)
        except KernelError:
            elf = None  # it is found among the kernel's symbols, then
        if elf is not None:
            self._id = id_of(elf.section(".note.gnu.build-id") or b"")
            self._functions = elf.code()

    def symbols(self) -> Kallsyms | None:
        """The functions' addresses now; None where they aren't known so."""
        from .symbols import Kallsyms
        from .target import id_of

        try:
            with open(f"{self._root}/notes/.note.gnu.build-id", "rb") as file:
                same = id_of(file.read()) == self._id != ""
            if not same:
                return None
            bases = {name: self._base(name) for name in {section for _, section, _ in self._functions}}
        except (OSError, ValueError):
            return None
        owner = self.module
        lines = [f"{bases[at] + offset:016x} t {name}\t[{owner}]\n" for name, at, offset in self._functions]
        return Kallsyms("".join(lines).encode("utf-8", "surrogateescape")) if all(bases.values()) else None

    def _base(self, section: str) -> int:
        with open(f"{self._root}/sections/{section}", encoding="ascii") as file:
            return int(file.read(), 16)
