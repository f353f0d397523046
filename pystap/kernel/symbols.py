"""Kernel symbols from /proc/kallsyms: names of addresses and addresses of names.

Contract: nothing is read until something is asked; then the text is read once (50 ms for 120,000
symbols) and kept as it is: the kernel's own symbols are sorted, so an address is found by halving the
text, and a name by searching it. They are the same until the next boot, and come from the user's cache in 2 ms.
Modules' symbols come after them, in no order; where the cache had the kernel's, they are read when one is
first needed, and sorted when an address is. Of several names of one address, the first counts, as in the kernel.
"""

from __future__ import annotations

from . import boot
from .sys import KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Set

_PATH = "/proc/kallsyms"
_RESTRICT = "/proc/sys/kernel/kptr_restrict"
_KEPT = "symbols"
_HEX = 16
_NAME_AT = _HEX + 3  # "ffffffff81000000 T name"
_MODULE_PAGE = 4096
_TELLING = 3  # letters at a name's begin that few share
_FEW = 4  # names that are looked for one by one
# What stands in the place of a module where the kernel has made the code itself.
_NOBODY = frozenset({"bpf", "__builtin__ftrace", "__builtin__kprobes"})


class Symbol:
    """What an address is in: `offset` bytes into `name`; `size` is up to the next symbol, 0 unknown."""

    __slots__ = ("address", "module", "name", "offset", "size")

    def __init__(self, name: str, address: int, offset: int, size: int, module: str) -> None:
        self.name = name
        self.address = address
        self.offset = offset
        self.size = size
        self.module = module  # "" for the kernel itself

    def __repr__(self) -> str:
        return f"<{self.name}+{self.offset:#x}/{self.size:#x}{' ' + self.module if self.module else ''}>"


class Kallsyms:
    """One reading of the symbols: the kernel's own in `text` up to `end`, the modules' behind, or read by `more`."""

    __slots__ = ("_aliases", "_end", "_modules", "_more", "_places", "_ranges", "_text")

    def __init__(self, text: bytes, end: int | None = None, more: Callable[[], bytes] | None = None) -> None:
        self._text = text
        self._aliases: dict[str, str] | None = None
        self._end = _end_of_kernel(text) if end is None else end
        self._more = more
        self._modules: list[tuple[int, str, str]] | None = None
        self._ranges: tuple[tuple[int, int], ...] = ()
        self._places: dict[tuple[str, str], list[int]] = {}  # what was asked for already

    def _of_modules(self) -> tuple[bytes, int]:
        """A text, and where the modules' symbols begin in it."""
        if self._more is not None:
            try:
                self._text = self._more()
                self._end = _end_of_kernel(self._text)
            except KernelError:  # they are hidden by now
                self._text = self._text[: self._end]
            self._more = None
        return self._text, self._end

    # -- names to addresses

    def addresses(self, name: str) -> list[int]:
        """All addresses of a name of the kernel's own, of modules' if it has none: static functions may share one."""
        wanted = b" " + name.encode("utf-8", "surrogateescape")
        return _addresses(self._text, wanted, 0, self._end) or self._addresses_in_modules(wanted)

    def _addresses_in_modules(self, wanted: bytes) -> list[int]:
        text, start = self._of_modules()
        return _addresses(text, wanted, start, len(text))

    def address(self, name: str) -> int | None:
        """The first address of a name, or None."""
        found = self.addresses(name)
        return found[0] if found else None

    # -- functions

    def functions(
        self, pattern: str, module: str = "", names: Set[str] | None = None
    ) -> list[tuple[int, str, str]]:
        """(address, symbol, module) of code whose name, up to the first dot, matches a shell pattern.

        module: a name or a pattern; "" for the kernel's own. names: only these, without suffixes. Code
        that the kernel itself makes (programs, trampolines) counts as nobody's.
        """
        from re import MULTILINE, finditer

        own = not module
        text, start = (self._text, 0) if own else self._of_modules()
        end = self._end if own else len(text)
        tail = rb"$" if own else rb"\t\[(" + _expression(module) + rb")\]$"
        line = rb"^([0-9a-f]{16}) [tTwW] (" + _expression(pattern) + rb"(?:\.[^\t\n]*)?)" + tail
        found = []
        wanted = None if names is None else {name.encode("utf-8", "surrogateescape") for name in names}
        # the lines whose symbols begin as the pattern does; all the text (50 ms) where that may be anything
        begin = _literal_part(pattern)
        part = _lines(text, begin, start, end) if len(begin) >= _TELLING else text[start:end]
        for one in finditer(line, part, MULTILINE):
            if wanted is not None and one[2].partition(b".")[0] not in wanted:
                continue
            owner = "" if own else one[3].decode("utf-8", "surrogateescape")
            if owner not in _NOBODY:
                found.append((int(one[1], 16), one[2].decode("utf-8", "surrogateescape"), owner))
        return found

    def places(self, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], list[int]]:
        """The addresses of (module, symbol) pairs, each with all that share the name, in order."""
        known = self._places
        new = {pair for pair in wanted if pair not in known}
        found: dict[tuple[str, str], set[int]] = {pair: set() for pair in new}
        for module in {owner for owner, _ in new}:
            names = {symbol.partition(".")[0] for owner, symbol in new if owner == module}
            for address, symbol, owner in self._named(names, module):
                if (owner, symbol) in found:
                    found[owner, symbol].add(address)
        known.update({pair: sorted(places) for pair, places in found.items()})
        return {pair: known[pair] for pair in wanted}

    def _named(self, names: Set[str], module: str) -> list[tuple[int, str, str]]:
        """The code of a module that is called so, with the compiler's copies."""
        if len(names) > _FEW:
            return self.functions("*", module, names)
        literal = ["".join(f"[{c}]" if c in "*?[" else c for c in name) for name in names]
        return [found for pattern in literal for found in self.functions(pattern, module)]

    def aliases(self) -> dict[str, str]:
        """The names of the kernel's own code that have another one before them at their address -> the first one."""
        if self._aliases is None:
            from re import MULTILINE, finditer

            self._aliases = {}
            same = rb"^([0-9a-f]{16}) [tTwW] ([^\t\n]+)\n(?:\1 [^\n]*\n)+"
            for one in finditer(same, self._text[: self._end], MULTILINE):
                names = [
                    line[_NAME_AT:].decode("utf-8", "surrogateescape") for line in one[0].split(b"\n")[:-1]
                ]
                self._aliases.update(dict.fromkeys(names[1:], names[0]))
        return self._aliases

    # -- addresses to names

    def lookup(self, address: int) -> Symbol | None:
        """The symbol that an address is in, or None."""
        for start, end in self._ranges or self._kernel_ranges():
            if start <= address < end:
                return self._in_kernel(address)
        return self._in_modules(address)

    def _kernel_ranges(self) -> tuple[tuple[int, int], ...]:
        """Where the kernel's own symbols speak for an address: all of it, or its text if it lists no data.

        Outside, the nearest symbol would be a wrong answer; and low numbers are per-CPU offsets.
        """
        find = self.address
        start = find("_stext") or find("_text") or 0
        end = find("_end")
        if end is not None:
            self._ranges = ((start, end),)
        else:
            init = (find("_sinittext") or 0, find("_einittext") or 0)
            self._ranges = ((start, find("_etext") or start), init)
        return self._ranges

    def _in_kernel(self, address: int) -> Symbol | None:
        text, key = self._text, b"%016x" % address
        low, high = 0, self._end  # a line that begins not after the address; one that does, or the end
        while True:
            middle = text.rfind(b"\n", low, (low + high) // 2) + 1
            if middle <= low:
                middle = text.find(b"\n", low, high) + 1
                if not low < middle < high:
                    break
            if text[middle : middle + _HEX] <= key:
                low = middle
            else:
                high = middle
        found = text[low : low + _HEX]
        if len(found) < _HEX or found > key:
            return None
        while low:  # to the first of the names of one address
            before = text.rfind(b"\n", 0, low - 1) + 1
            if text[before : before + _HEX] != found:
                break
            low = before
        name = text[low + _NAME_AT : text.index(b"\n", low)].decode("utf-8", "surrogateescape")
        start = int(found, 16)
        size = int(text[high : high + _HEX], 16) - start if high < self._end else 0
        return Symbol(name, start, address - start, size, "")

    def _in_modules(self, address: int) -> Symbol | None:
        from bisect import bisect_right

        table = self._modules
        if table is None:
            table = self._modules = self._read_modules()
        at = bisect_right(table, (address, "\U0010ffff", "")) - 1
        if at < 0:
            return None
        while at and table[at - 1][0] == table[at][0]:
            at -= 1
        start, name, module = table[at]
        later = at + 1
        while later < len(table) and table[later][0] == start:
            later += 1
        size = table[later][0] - start if later < len(table) and table[later][2] == module else 0
        if address - start >= (size or _MODULE_PAGE):
            return None
        return Symbol(name, start, address - start, size, module)

    def _read_modules(self) -> list[tuple[int, str, str]]:
        found = []
        text, start = self._of_modules()
        for line in text[start:].decode("utf-8", "surrogateescape").split("\n"):
            name, _, module = line[_NAME_AT:].partition("\t")
            if name:
                found.append((int(line[:_HEX], 16), name, module.strip("[]")))
        found.sort(key=lambda one: one[0])  # stable: names of one address keep the kernel's order
        return found


def _end_of_kernel(text: bytes) -> int:
    """Where the modules' part begins: at the line with the first tab."""
    tab = text.find(b"\t")
    return text.rfind(b"\n", 0, tab) + 1 if tab >= 0 else len(text)


def _addresses(text: bytes, wanted: bytes, start: int, end: int) -> list[int]:
    found, at, size = [], start, len(wanted)
    while (at := text.find(wanted, at, end)) >= 0:
        if text[at + size : at + size + 1] in (b"\n", b"\t") and text[at - 2 : at - 1] == b" ":
            found.append(int(text[at - 2 - _HEX : at - 2], 16))
        at += size
    return found


def _literal_part(pattern: str) -> str:
    """What stands in a shell pattern before its first special character."""
    return pattern[: min(at if (at := pattern.find(c)) >= 0 else len(pattern) for c in "*?[")]


def _lines(text: bytes, name: str, start: int, end: int) -> bytes:
    """The lines of a part of the text whose symbol begins with a name."""
    wanted = b" " + name.encode("utf-8", "surrogateescape")
    found, at = [], start
    while (at := text.find(wanted, at, end)) >= 0:
        stop = text.find(b"\n", at) + 1 or len(text)
        found.append(text[text.rfind(b"\n", 0, at) + 1 : stop])
        at = stop
    return b"".join(found)


def _expression(pattern: str) -> bytes:
    """A regular expression of what a shell pattern matches, without dots."""
    out, at = [], 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        close = pattern.find("]", at + 1) if char == "[" else -1
        if char == "*":
            out.append(r"[^.\t\n\]]*")
        elif char == "?":
            out.append(r"[^.\t\n\]]")
        elif close > 0:
            inner = pattern[at:close].replace("\\", "\\\\").replace("[", "\\[")
            out.append("[" + ("^\\n" + inner[1:] if inner[0] in "!^" and len(inner) > 1 else inner) + "]")
            at = close + 1
        else:
            out.append(char if char.isalnum() or char == "_" else "\\" + char)
    return "".join(out).encode("utf-8", "surrogateescape")


_loaded: list[Kallsyms] = []


def kallsyms(*, fresh: bool = False) -> Kallsyms:
    """The symbols of the running kernel, read at the first call (`fresh`: now); `KernelError` if addresses are hidden."""
    if fresh or not _loaded:
        _loaded.append((None if fresh else _kept()) or read_kallsyms())
        if len(_loaded) > 1:
            _loaded[-2] = _loaded[-1]  # an old text is of no use: what counts is how many there were
    return _loaded[-1]


def readings() -> int:
    """How often the symbols have been read: names may mean more once modules have come."""
    return len(_loaded)


def read_kallsyms() -> Kallsyms:
    """Read the symbols anew: modules may have been loaded since."""
    text = _read()
    end = _end_of_kernel(text)
    known = boot.kept(_KEPT)
    if known is None or known[1] != end:
        boot.keep(_KEPT, text[:end])
    return Kallsyms(text, end)


def _kept() -> Kallsyms | None:
    """The kernel's own as an earlier run has read them; not where they are to be hidden from everybody since."""
    found = boot.kept(_KEPT)
    if found is None:
        return None
    try:
        with open(_RESTRICT, "rb") as file:
            hidden = file.read().strip() == b"2"
    except OSError:
        hidden = False
    return None if hidden else Kallsyms(*found, more=_read)


def _read() -> bytes:
    try:
        with open(_PATH, "rb", buffering=1 << 20) as file:
            text = file.read()
    except OSError as error:
        raise KernelError(error.errno or 0, f"reading {_PATH}") from None
    if not text.strip(b"\n") or not _has_addresses(text):
        raise KernelError(1, f"reading addresses from {_PATH} (they are hidden: kernel.kptr_restrict)")
    return text


def _has_addresses(text: bytes) -> bool:
    last = text.rfind(b"\n", 0, len(text) - 1) + 1
    return text[last : last + _HEX].strip(b"0") != b""
