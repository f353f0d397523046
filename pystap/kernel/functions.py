"""Which functions the kernel and its modules have, by their symbols, and which of them the kernel lets be traced.

    live = Functions()
    live.matching("tcp_*")             # [("", "tcp_ack", "tcp_ack"), ("", "tcp_init_tso_segs", "tcp_init_tso_segs.isra.0")]
    live.matching("br_*", "bridge")    # of a module, loaded or not; "*": of every loaded one
    live.why_not("rcu_nmi_enter")      # why it can't be traced, "" if nothing speaks against it

A function's name is its symbol without the suffix that the compiler gave a copy (`.isra.0`, `.constprop.0`, `.part.0`).
The cold part of a function is not its beginning, and is left out. Nothing is read until something is asked.
"""

from __future__ import annotations

import os

from . import boot
from .modules import ModuleFiles, loaded_modules
from .symbols import Kallsyms, kallsyms
from .sys import KernelError, mount_detached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Set

    Found = tuple[str, str, str]  # module ("" for the kernel), function, symbol

# Symbols that lie around functions and are none.
_NONE = (
    "__pfx_",
    "__cfi_",
    "__ksymtab_",
    "__SCT__",
    "__SCK__",
    "__traceiter_",
    "__probestub_",
    "__bpf_trace_",
)
_MANY = 5000  # names that a pattern matches, among them the first names of all code
_CLONES = ("isra", "constprop", "part", "llvm", "lto_priv")
# Parts of the kernel's text that can't be traced.
_CLOSED = (
    ("__noinstr_text_start", "__noinstr_text_end", "it runs where tracing can't (noinstr)"),
    ("__kprobes_text_start", "__kprobes_text_end", "it is part of kprobes themselves"),
    ("__entry_text_start", "__entry_text_end", "it is part of the kernel's entry code"),
    ("_sinittext", "_einittext", "it belongs to the start of the kernel (__init) and is gone"),
)
_CLOSED_KEPT = "closed"


class Functions:
    """The functions of the running kernel; `table` and `traceable` can be given, for tests."""

    __slots__ = (
        "_black",
        "_closed_parts",
        "_live",
        "_loaded",
        "_matched",
        "_table",
        "_traceable",
        "files",
        "numbers",
    )

    def __init__(
        self,
        table: Kallsyms | None = None,
        traceable: frozenset[bytes] | None = None,
        loaded: Iterable[str] | None = None,
        files: ModuleFiles | None = None,
    ) -> None:
        self.numbers: dict[str, int] = {}  # what stands for a function's or module's name in the kernel stage
        self.files = files or ModuleFiles()
        self._matched: dict[tuple[str, str, Set[str] | None], list[Found]] = {}
        self._loaded = None if loaded is None else frozenset(loaded)
        self._live = table is None  # the running kernel's, and not a table that was given
        self._table = table
        self._traceable: frozenset[bytes] | bool | None = True if self._live else traceable
        self._closed_parts: list[tuple[int, int, str]] | None = None
        self._black: tuple[tuple[int, int], ...] | None = None if self._live else ()

    @property
    def table(self) -> Kallsyms | None:
        """The symbols; None where the kernel hides them."""
        if self._table is None:
            try:
                self._table = kallsyms()
            except KernelError:
                return None
        return self._table

    def matching(self, pattern: str, module: str = "", names: frozenset[str] | None = None) -> list[Found]:
        """The functions that can be traced whose names match, sorted.

        module: a name or a pattern; "": the kernel's own. names: only these.
        """
        key = (pattern, module, names)
        if key not in self._matched:
            self._matched[key] = sorted(self._matching(pattern, module, names))
        return self._matched[key]

    def _matching(self, pattern: str, module: str, names: Set[str] | None) -> dict[Found, None]:
        table = self.table
        if table is None:
            return {}
        known = self.traceable()
        closed = [(start, end) for start, end, _ in self._closed()] if known is None and not module else []
        found: dict[Found, None] = {}
        places: dict[int, str] = {}  # of code with several names one counts
        others = []
        for address, symbol, owner in table.functions(pattern, module, names):
            name, _, suffix = symbol.partition(".")
            if not name or symbol.startswith(_NONE) or (suffix and not is_copy(suffix)):
                continue
            if known is not None and _line(symbol, owner) not in known:
                others.append((address, symbol, owner))
                continue
            if closed and any(start <= address < end for start, end in closed):
                continue
            if places.setdefault(address, symbol) == symbol:
                found[owner, name, symbol] = None
        if known is not None and len(others) < _MANY:
            for address, symbol, owner in others:
                if address not in places and _line(self.first_name(address), owner) in known:
                    places[address] = symbol
                    found[owner, symbol.partition(".")[0], symbol] = None
        for owner in self.modules(module) if module else ():
            if not self.loaded(owner):
                found.update(
                    (one, None) for one in self._in_file(owner, pattern) if names is None or one[1] in names
                )
        return found

    def first_name(self, address: int) -> str:
        """The name that the kernel itself uses for the code at an address, "" if no function begins there."""
        found = self.table.lookup(address) if self.table is not None else None
        return found.name if found is not None and not found.offset else ""

    def copies(self, name: str, module: str = "") -> list[Found]:
        """A function and the compiler's copies of it: what runs when it is called; traceable or not."""
        table = self.table
        found: dict[Found, None] = {}
        for _, symbol, owner in table.functions(_literal(name), module) if table is not None else ():
            if is_copy(symbol.partition(".")[2]):
                found[owner, name, symbol] = None
        for owner in self.modules(module) if module else ():
            if not self.loaded(owner):
                found.update(dict.fromkeys(self._in_file(owner, _literal(name))))
        return sorted(found)

    # -- modules

    def loaded(self, module: str) -> bool:
        """Whether a module is loaded."""
        if self._loaded is None:
            self._loaded = frozenset(loaded_modules())
        return module in self._loaded

    def modules(self, pattern: str) -> list[str]:
        """The module of that name, loaded or not; of a pattern, the loaded ones that match."""
        self.loaded("")
        assert self._loaded is not None
        if not any(c in pattern for c in "*?["):
            return [pattern] if pattern in self._loaded or pattern in self.files.all() else []
        from fnmatch import filter as matching

        return sorted(matching(self._loaded, pattern))

    def known_modules(self) -> list[str]:
        """Every module that is loaded or has a file."""
        self.loaded("")
        assert self._loaded is not None
        return sorted({*self._loaded, *self.files.all()})

    def built_in(self, module: str) -> bool:
        """Whether what is a module elsewhere is part of this kernel."""
        return self.files.built_in(module)

    def _in_file(self, module: str, pattern: str) -> Iterable[Found]:
        from fnmatch import fnmatchcase

        try:
            elf = self.files.read(module)
        except KernelError:
            return
        for symbol in elf.functions() if elf is not None else ():
            name, _, suffix = symbol.partition(".")
            if fnmatchcase(name, pattern) and is_copy(suffix) and not symbol.startswith(_NONE):
                yield module, name, symbol

    def exported(self, name: str) -> bool:
        """Whether modules may call a function (EXPORT_SYMBOL)."""
        table = self.table
        return table is not None and bool(table.addresses("__ksymtab_" + name))

    def near(self, name: str, module: str = "") -> list[str]:
        """Names of functions that a mistyped one may mean."""
        table = self.table
        if table is None:
            return []
        return sorted({s.partition(".")[0] for _, s, _ in table.functions(_literal(name[:3]) + "*", module)})

    # -- what can be traced

    def traceable(self) -> frozenset[bytes] | None:
        """The lines of available_filter_functions, None where it can't be read."""
        if self._traceable is True:
            self._traceable = _read_traceable()
        assert not isinstance(self._traceable, bool)
        return self._traceable

    def why_not(self, symbol: str) -> str:
        """Why a function of the kernel's own can't be traced; "" if nothing that is cheap to ask speaks against it."""
        table = self.table
        places = table.addresses(symbol) if table is not None else []
        if not places:
            return ""
        for start, end, why in self._closed():
            if all(start <= one < end for one in places):
                return why
        if self._black is None:
            self._black = _read_blacklist()
        if all(any(start <= one < end for start, end in self._black) for one in places):
            return "the kernel keeps probes out of it (NOKPROBE_SYMBOL)"
        return ""

    def _closed(self) -> list[tuple[int, int, str]]:
        if self._closed_parts is None:
            places = self._ends_of_closed()
            self._closed_parts = [
                (start, end, why)
                for start, end, (_, _, why) in zip(places[::2], places[1::2], _CLOSED, strict=True)
                if start and end
            ]
        return self._closed_parts

    def _ends_of_closed(self) -> list[int]:
        """The addresses of the symbols of _CLOSED, 0 for one that there isn't: each takes a search of all the text."""
        found = boot.kept_words(_CLOSED_KEPT) if self._live else None
        if found is not None:
            return [int(word) for word in found]
        table = self.table
        names = [name for first, last, _ in _CLOSED for name in (first, last)]
        places = [(table.address(name) if table is not None else None) or 0 for name in names]
        if self._live and table is not None:
            boot.keep_words(_CLOSED_KEPT, places)
        return places


def is_copy(suffix: str) -> bool:
    """Whether a symbol's suffix says that it is a whole function: none, or the compiler's for a copy."""
    words = [word for word in suffix.split(".") if word and not word.isdecimal()]
    return all(word in _CLONES for word in words)


def _literal(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _line(symbol: str, module: str) -> bytes:
    return (f"{symbol} [{module}]" if module else symbol).encode("utf-8", "surrogateescape")


def _read_traceable() -> frozenset[bytes] | None:
    text = _private("tracefs", "available_filter_functions")
    return frozenset(text.split(b"\n")) if text else None


def _read_blacklist() -> tuple[tuple[int, int], ...]:
    """Lines are `0xstart-0xend<tab>name`."""
    found = []
    for line in _private("debugfs", "kprobes/blacklist").split(b"\n"):
        start, dash, end = line.partition(b"\t")[0].partition(b"-")
        if dash:
            found.append((int(start, 16), int(end, 16)))
    return tuple(found)


def _private(filesystem: str, path: str) -> bytes:
    """A file of a pseudo filesystem that need not be mounted; empty where it can't be read."""
    try:
        folder = mount_detached(filesystem)
    except KernelError:
        return b""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder), "rb", buffering=1 << 20) as file:
            return file.read()
    except OSError:
        return b""
    finally:
        os.close(folder)
