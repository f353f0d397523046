"""`generate`: the whole text of a program's user stage."""

from __future__ import annotations

from .body import Body
from .names import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...ir.nodes import Global
    from ...options import Options
    from ...staging.plan import Staged


class Unit:
    """What the functions of one program share: names, homes and limits."""

    __slots__ = ("_functions", "homes", "lang", "longest", "max_action")

    def __init__(self, staged: Staged, options: Options) -> None:
        self.lang = staged.lang
        self.homes = staged.homes
        self.max_action = options.max_action
        self.longest = options.maxstringlen - 1
        self._functions: dict[str, str] = {}
        for function in staged.user:
            name = function.name
            own = f"fn{len(self._functions)}_{clean(name)}"
            self._functions[name] = own if function.kind == "function" else name

    def function_name(self, name: str) -> str:
        """The Python name of a user-stage function: its own, or a safe one for a script's function."""
        return self._functions[name]

    def index(self, glob: Global) -> int:
        """A global's number."""
        return self.homes[glob].spec.index

    def state(self, glob: Global) -> str:
        """The Python name of a global's state."""
        return f"_g{self.homes[glob].spec.index}"

    def shared(self, glob: Global) -> bool:
        """Whether the kernel's map is the truth."""
        return self.homes[glob].spec.home == "shared"


def generate(staged: Staged, options: Options) -> str:
    """Return the Python text of the user stage: one `def` for each UserFunction, and the table `_SYNC`.

    `_SYNC` maps a function's name to the numbers of the delta globals that must be brought up to date before
    it runs.
    """
    unit = Unit(staged, options)
    lines: list[str] = []
    sync: list[str] = []
    for function in staged.user:
        lines += Body(unit, function).generate()
        if function.sync:
            numbers = ", ".join([str(unit.index(g)) for g in function.sync])
            sync.append(f"{unit.function_name(function.name)!r}: ({numbers},)")
    lines.append(f"_SYNC = {{{', '.join(sync)}}}")
    lines.append("")
    return "\n".join(lines)
