"""Kernel addresses as text, in the languages' forms."""

from __future__ import annotations

from .numbers import MASK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..kernel.symbols import Kallsyms, Symbol

_REMEMBERED = 65536
# What tracing itself is called by, and in whose place the kernel lists code that it has made itself.
_OWN = ("bpf_prog_", "bpf_trace_run", "__bpf_trace_", "__traceiter_", "bpf_trampoline_")
_MADE = ("bpf", "__builtin__ftrace", "__builtin__kprobes")
_MOST_READINGS = 8


class Symbols:
    """Names of addresses; the same addresses mostly come again."""

    __slots__ = ("_known", "_own", "_readings", "_refreshed", "_table", "_tried")

    def __init__(self) -> None:
        self._table: Kallsyms | None = None
        self._tried = False
        self._readings = 0
        self._known: dict[int, Symbol | None] = {}
        self._own: dict[int, bool] = {}
        self._refreshed = 0

    def table(self) -> Kallsyms | None:
        """The kernel's symbols, None if they are hidden; others once modules have come."""
        from ..kernel.symbols import kallsyms, readings

        if not self._tried or (self._readings and readings() > self._readings):
            self._tried = True
            self._known.clear()
            try:
                self._table = kallsyms()
            except OSError:
                self._table = None
            self._readings = readings()
        return self._table

    def lookup(self, address: int) -> Symbol | None:
        """The symbol that an address is in."""
        address &= MASK
        known = self._known
        if address not in known:
            table = self.table()
            if len(known) >= _REMEMBERED:
                known.clear()
            known[address] = table.lookup(address) if table is not None else None
        return known[address]

    def is_own(self, address: int) -> bool:
        """Whether the address is in what tracing itself has put in the way: programs, trampolines, what calls them.

        These come when a run attaches, often after the symbols have been read: so they are read again for the first
        address outside the kernel's own code, and for those that nothing is known of. What is still
        nobody's then isn't a function of the kernel or of a module.
        """
        known = self._own.get(address)
        if known is None:
            known = self._own[address] = bool(address >> 63) and self._find_own(address)
        return known

    def _find_own(self, address: int) -> bool:
        symbol = self.lookup(address)
        if symbol is None or symbol.module:
            if not self._refreshed or (symbol is None and self._refreshed < _MOST_READINGS):
                self._refreshed += 1
                self._read_again()
                symbol = self.lookup(address)
            if symbol is None:
                return self._table is not None  # without symbols nothing can be told
            if symbol.module in _MADE:
                return True
        return symbol.name.startswith(_OWN)

    def _read_again(self) -> None:
        from ..kernel.symbols import kallsyms

        try:
            kallsyms(fresh=True)
        except OSError:
            return
        self.table()

    def address(self, name: str) -> int | None:
        """The address of a kernel symbol."""
        table = self.table()
        return table.address(name) if table is not None else None

    def symname(self, address: int) -> str:
        """SystemTap's symname(): the name, or the address in hexadecimal."""
        symbol = self.lookup(address)
        return latin(symbol.name) if symbol is not None else f"{address & MASK:#x}"

    def symdata(self, address: int) -> str:
        """SystemTap's symdata(): name+offset/size [module]."""
        symbol = self.lookup(address)
        if symbol is None:
            return f"{address & MASK:#x}"
        return latin(f"{symbol.name}+{symbol.offset:#x}/{symbol.size:#x} [{symbol.module or 'kernel'}]")

    def with_offset(self, address: int) -> str:
        """bpftrace's form in stacks: name+offset."""
        symbol = self.lookup(address)
        return latin(f"{symbol.name}+{symbol.offset}") if symbol is not None else f"{address & MASK:#x}"


def latin(text: str) -> str:
    """A text in the user stage's convention: one character for each byte of its UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("latin-1")
