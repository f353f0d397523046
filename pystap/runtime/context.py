"""`Context`: what the parts of one run share."""

from __future__ import annotations

from .errors import ScriptError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..options import Options
    from ..program import GlobalSpec, Program
    from ..sinks.base import Sink
    from .calls import KernelCalls
    from .door import Door
    from .symbols import Symbols
    from .usersyms import UserSymbols


class Context:
    """One run.

    exiting: empty until exit() was called; then its code. namespace: the globals of the generated code.
    bodies: bound bodies of builtins by area. children: commands of system() that were not waited for.
    warned: what was said already and is said once only.
    """

    __slots__ = (
        *(
            "_calls",
            "_symbols",
            "_user_symbols",
            "bodies",
            "children",
            "door",
            "exiting",
            "lang",
            "maxstring",
        ),
        *("namespace", "options", "program", "sink", "specs", "warned"),
    )

    def __init__(self, program: Program, door: Door, sink: Sink, options: Options) -> None:
        self.program = program
        self.door = door
        self.sink = sink
        self.options = options
        self.lang = program.lang
        self.maxstring = options.maxstringlen
        self.namespace: dict[str, Any] = {}
        self.specs: dict[int, GlobalSpec] = {spec.index: spec for spec in program.globals}
        self.exiting: list[int] = []
        self.warned: set[str] = set()
        self.bodies: dict[str, dict[str, Any]] = {}
        self.children: list[int] = []
        self._calls: KernelCalls | None = None
        self._symbols: Symbols | None = None
        self._user_symbols: UserSymbols | None = None

    @property
    def calls(self) -> KernelCalls:
        """Kernel calls: made when first needed."""
        if self._calls is None:
            from .calls import KernelCalls

            self._calls = KernelCalls(self.door, self.sink.terminal)
        return self._calls

    @property
    def user_symbols(self) -> UserSymbols:
        """Symbols of processes: read when first needed."""
        if self._user_symbols is None:
            from .usersyms import UserSymbols

            self._user_symbols = UserSymbols()
        return self._user_symbols

    @property
    def symbols(self) -> Symbols:
        """Kernel symbols: read when first needed."""
        if self._symbols is None:
            from .symbols import Symbols

            self._symbols = Symbols()
        return self._symbols

    def close(self) -> None:
        """Free what was made on the way."""
        if self._calls is not None:
            self._calls.close()
            self._calls = None

    # -- what scripts do

    def exit(self, code: int = 0) -> None:
        """exit(): the kernel stage stops at once; this handler goes on to its end."""
        if not self.exiting:
            self.exiting.append(code)
            self.door.stop()

    def line(self, text: str) -> None:
        """SystemTap's log(): a line of output."""
        self.sink.emit(_ended(text))

    def log(self, text: str) -> None:
        """A line on standard error."""
        self.sink.message(text + "\n")

    def warn(self, text: str) -> None:
        """A warning of the script; bpftrace's begins with its place and the word."""
        if self.options.warnings:
            self.sink.message(text + "\n" if self.lang == "bt" else f"WARNING: {_ended(text)}")

    def warn_once(self, key: str, text: str) -> None:
        """A warning of the runtime."""
        if key not in self.warned:
            self.warned.add(key)
            if self.options.warnings:
                self.sink.message(f"WARNING: {text}\n")

    def map_full(self, index: int) -> None:
        """bpftrace: an insert into a full map is left out."""
        name = self.specs[index].name
        self.warn_once(f"full {index}", f"Map full; can't update element of {name} (raise max_map_keys)")

    def raise_site(self, number: int, address: int) -> None:
        """Raise the error that a captured read of an address met: 1 + number of its site."""
        raise self.site_error(number - 1, address)

    def site_error(self, number: int, argument: int) -> ScriptError:
        """The error of a site of the kernel stage."""
        sites = self.program.errors
        if not 0 <= number < len(sites):
            return ScriptError(f"error {number} in the kernel stage")
        site = sites[number]
        message = site.message
        if "%" in message:
            message = message % (argument & (1 << 64) - 1)
        return ScriptError(message, site.place)


def _ended(text: str) -> str:
    """A message with a newline at its end."""
    return text if text.endswith("\n") else text + "\n"
