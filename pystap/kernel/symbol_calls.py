"""Kernel symbols by asking the kernel: a small program that is run for each question.

Contract: the same answers as `symbols.Kallsyms` gives, for a few microseconds each, without the 50 ms
and the megabytes of reading all symbols. Programs that render `%pS` and look names up may be run from
Linux 6.1 on; `KernelSymbols` takes what works here. Made when first asked, one pair of programs.
"""

from __future__ import annotations

import os
from struct import Struct

from ..bpf import consts_gen as abi
from ..bpf import insn as I
from ..bpf.asm import Asm
from ..bpf.object import link
from . import prog
from .maps import create_map
from .symbols import Kallsyms, Symbol, kallsyms
from .sys import KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from mmap import mmap

# The room that both programs and we share: a word (address in, or result out), then text.
_TEXT_AT, _TEXT = 8, 512
_WORD = Struct("<Q")
_FORMAT = b"%pS\0\0\0\0\0"


def _render_code(asm: Asm) -> None:
    """bpf_snprintf(text, size, "%pS", &word, 8)."""
    asm.ld_map_value(I.R1, "room", _TEXT_AT)
    asm.mov_imm(I.R2, _TEXT)
    asm.ld_map_value(I.R3, "format")
    asm.ld_map_value(I.R4, "room")
    asm.mov_imm(I.R5, 8)
    asm.call("snprintf")
    asm.exit()


def _search_code(asm: Asm) -> None:
    """bpf_kallsyms_lookup_name(text, size, 0, &word)."""
    asm.ld_map_value(I.R1, "room", _TEXT_AT)
    asm.mov_imm(I.R2, _TEXT)
    asm.mov_imm(I.R3, 0)
    asm.ld_map_value(I.R4, "room")
    asm.call("kallsyms_lookup_name")
    asm.exit()


class SymbolCalls:
    """Two loaded programs: address to text, and name to address."""

    __slots__ = ("_maps", "_memory", "_render", "_search")

    def __init__(self) -> None:
        self._search = self._render = -1
        self._memory: mmap | None = None
        shape = (abi.BPF_MAP_TYPE_ARRAY, 4)
        text = create_map(*shape, len(_FORMAT), 1, abi.BPF_F_RDONLY_PROG, "symfmt")
        room = create_map(*shape, _TEXT_AT + _TEXT, 1, abi.BPF_F_MMAPABLE, "symroom")
        self._maps = {"format": text, "room": room}
        try:
            text.update(bytes(4), _FORMAT)
            text.freeze()
            self._memory = room.mmap()
            self._render = self._load(_render_code)
            self._search = self._load(_search_code)
        except BaseException:
            self.close()
            raise

    def _load(self, write: Callable[[Asm], None]) -> int:
        asm = Asm()
        write(asm)
        insns = I.encode(link(asm.build(), {name: one.fd for name, one in self._maps.items()}))
        return prog.load_program(abi.BPF_PROG_TYPE_SYSCALL, insns, name="symbols", flags=prog.F_SLEEPABLE)

    def lookup(self, address: int) -> Symbol | None:
        """The symbol that an address is in, or None."""
        memory = self._memory
        assert memory, "closed"
        memory[:_TEXT_AT] = _WORD.pack(address)
        prog.test_run(self._render)
        text = memory[_TEXT_AT : memory.find(b"\0", _TEXT_AT)].decode("utf-8", "surrogateescape")
        return parse_symbol(text, address)

    def address(self, name: str) -> int | None:
        """The first address of a name, or None."""
        raw = name.encode("utf-8", "surrogateescape")
        memory = self._memory
        assert memory, "closed"
        if len(raw) >= _TEXT:
            return None
        memory[: _TEXT_AT + _TEXT] = bytes(_TEXT_AT) + raw.ljust(_TEXT, b"\0")
        prog.test_run(self._search)
        return int(_WORD.unpack_from(memory)[0]) or None

    def close(self) -> None:
        """Unload the programs."""
        for fd in (self._render, self._search):
            if fd >= 0:
                os.close(fd)
        self._render = self._search = -1
        if self._memory is not None:
            self._memory.close()
            self._memory = None
        for one in self._maps.values():
            one.close()


def parse_symbol(text: str, address: int) -> Symbol | None:
    """A symbol as the kernel writes it, `name+0x10/0x40 [module]`; None for a bare number."""
    place, _, module = text.partition(" ")
    name, plus, numbers = place.rpartition("+")
    if not plus:
        return None
    offset, _, size = numbers.partition("/")
    at = int(offset, 16)
    return Symbol(name, address - at, at, int(size, 16), module.strip("[]"))


class KernelSymbols:
    """The kernel's answers, or those of the symbols' text: the cheapest way there is.

    `KernelError` if the symbols are hidden from us.
    """

    __slots__ = ("_calls", "_known", "_text")

    def __init__(self) -> None:
        self._known: dict[int, Symbol | None] = {}
        self._text: Kallsyms | None = None
        self._calls: SymbolCalls | None = None
        try:
            self._calls = SymbolCalls()
        except KernelError:
            self._text = kallsyms()

    def lookup(self, address: int) -> Symbol | None:
        """The symbol that an address is in, or None; the same address is asked for only once."""
        try:
            return self._known[address]
        except KeyError:
            found = self._known[address] = self._source().lookup(address)
            return found

    def address(self, name: str) -> int | None:
        """The first address of a name, or None."""
        return self._source().address(name)

    def _source(self) -> SymbolCalls | Kallsyms:
        source = self._calls or self._text
        assert source, "closed"
        return source

    def close(self) -> None:
        """Unload what was loaded."""
        if self._calls:
            self._calls.close()
