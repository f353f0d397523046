"""Functions of modules while a run lasts: attached to when their module comes, let go of when it goes.

A link of many functions keeps their modules from going on most kernels ("Module m is in use"); single kprobes don't, and
what was attached to a module that is gone is closed then.
"""

from __future__ import annotations

from ..kernel.sys import KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..kernel.module_code import ModuleCode
    from ..kernel.module_watch import ModuleWatch
    from ..kernel.symbols import Kallsyms
    from .door import Door
    from .loader import Loaded


def wanted_modules(one: Loaded) -> set[str]:
    """The modules that a program is to be attached in."""
    args = one.prog.args
    functions = args.get("functions", ()) if isinstance(args, dict) else ()
    return {module for _, module, _, _ in functions if module}


class Modules:
    """What is attached in modules by the programs that are."""

    __slots__ = ("_code", "_door", "_present", "watch")

    def __init__(self, door: Door) -> None:
        from ..kernel.module_code import ModuleCode
        from ..kernel.module_watch import ModuleWatch

        self._door = door
        self.watch: ModuleWatch | None = None
        try:
            self.watch = ModuleWatch()
        except KernelError:
            pass  # a kernel that can't load modules
        self._present = self._loaded()
        # read beforehand, so that attaching takes no time when the module comes
        self._code: dict[str, ModuleCode] = {m: ModuleCode(m) for m in self._wanted() - self._present.keys()}

    def _loaded(self) -> dict[str, int]:
        """The wanted modules that are there, each with what tells its loadings apart."""
        from ..kernel.modules import loaded_modules, loading_of

        wanted = self._wanted()
        return {module: loading_of(module) for module in loaded_modules() if module in wanted}

    def _wanted(self) -> set[str]:
        return {module for one in self._door.loaded for module in wanted_modules(one)}

    def changed(self) -> list[str]:
        """See what has come and gone, or both since the last time; return warnings."""
        from ..kernel.symbols import kallsyms

        if self.watch is not None:
            self.watch.clear()
        before, now = self._present, self._loaded()
        self._present = now
        come = [module for module in now if before.get(module) != now[module]]
        gone = [module for module in before if now.get(module) != before[module]]
        for module in {*gone, *come}:  # one that came while all was attached may have been attached to
            for made in self._door.attachments:
                leave = getattr(made, "leave", None)
                if leave is not None:
                    self._door.drop(leave(module))
        warnings: list[str] = []
        tables = {module: self._symbols(module) for module in come}
        for module, table in sorted(tables.items()):
            warnings += self._arrived(module, table or kallsyms(fresh=True))
        if any(tables.values()):
            kallsyms(fresh=True)  # names of addresses in what came
        return warnings

    def _symbols(self, module: str) -> Kallsyms | None:
        code = self._code.get(module)
        return code.symbols() if code is not None else None

    def _arrived(self, module: str, table: Kallsyms) -> list[str]:
        warnings: list[str] = []
        for one in self._door.loaded:
            if module in wanted_modules(one) and one.attach_in is not None:
                try:
                    made = one.attach_in(module, table)
                except KernelError as error:  # it may be gone again, or have none of the functions
                    warnings.append(f"module {module}: {error.what}: {error.strerror}")
                    continue
                self._door.attachments.append(made)
                warnings += refusals(one, made)
        return warnings

    def close(self) -> None:
        """Watch no longer."""
        if self.watch is not None:
            self.watch.close()
            self.watch = None


def refusals(one: Loaded, made: object) -> list[str]:
    """A warning for each function that a program couldn't be attached to."""
    args = one.prog.args if isinstance(one.prog.args, dict) else {}
    before, behind = args.get("point", ("", ""))
    return [
        f"probe {before}{refused.name}{behind} (address {refused.address:#018x}) registration error (rc {-refused.errno})"
        for refused in getattr(made, "refused", ())
    ]
