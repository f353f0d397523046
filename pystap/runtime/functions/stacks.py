"""Kernel addresses and captured stacks as text."""

from __future__ import annotations

from struct import unpack_from

from ...program import OWN_FRAMES
from ..errors import ScriptError
from ..numbers import MASK, wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..context import Context
    from ..symbols import Symbols

PURE: dict[str, Callable[..., Any]] = {}
_ENTRY = 16  # so far into a function tracing begins at most


def bind(context: Context) -> dict[str, Callable[..., Any]]:
    """The bodies."""
    symbols = context.symbols
    frames = Frames(symbols)
    kernel, user = KernelStacks(context, frames), UserStacks(context, frames)
    return {
        "symname": symbols.symname,
        "symdata": symbols.symdata,
        "ksym": symbols.symname,
        "kernel_addr": kernel.address,
        "kernel_module": kernel.module,
        "stack_text": kernel.text,
        "kstack_text": kernel.text_in_mode,
        "stack_frame": kernel.frame,
        "stack_len": lambda data: len(frames.shown(data)),
        "print_backtrace_text": kernel.print,
        "usym_text": user.symbol,
        "usym_part": user.part,
        "user_module": user.module,
        "user_module_place": user.module_place,
        "user_build_id": user.build_id,
        "ustack_text": user.text_in_mode,
        "ustack_brief": user.brief,
        "print_ubacktrace_text": user.print,
    }


def frames_of(data: bytes) -> tuple[int, ...]:
    """The addresses of a captured stack, up to the first 0."""
    count = len(data) // 8
    frames = unpack_from(f"<{count}Q", data)
    return frames[: frames.index(0)] if 0 in frames else frames


class Frames:
    """What is shown of captured stacks."""

    def __init__(self, symbols: Symbols) -> None:
        self._symbols = symbols

    def shown(self, data: bytes, function: str = "") -> tuple[int, ...]:
        """The frames without those of tracing itself, as many as were asked for.

        function: the one that has returned, at a kretprobe: it is off the stack already, but comes first.
        """
        frames = frames_of(data)
        first = [frame for frame in frames[:OWN_FRAMES] if not self._symbols.is_own(frame)]
        if function and not (first and self._is_at(first[0], function)):
            start = self._symbols.address(function)
            if start is not None:
                first.insert(0, start & MASK)
        return (*first, *frames[OWN_FRAMES:])[: len(data) // 8 - OWN_FRAMES]

    def _is_at(self, frame: int, function: str) -> bool:
        """Whether a frame is where the tracing of a function, or of a copy of it, begins."""
        symbol = self._symbols.lookup(frame)
        plain = function.partition(".")[0]
        return symbol is not None and symbol.offset <= _ENTRY and symbol.name.partition(".")[0] == plain


class KernelStacks:
    """The kernel's stacks and addresses."""

    def __init__(self, context: Context, frames: Frames) -> None:
        self._symbols = context.symbols
        self._sink = context.sink
        self._longest = context.maxstring - 1
        self._shown = frames.shown

    def text(self, data: bytes, form: str = "lines", function: str = "") -> str:
        """A stack as SystemTap's functions give it: "lines", or "addresses" alone."""
        if form == "addresses":
            text = " ".join([f"{frame:#x}" for frame in self._shown(data, function)])
        else:
            text = self._lines(data, function)
        return text[: self._longest]

    def _lines(self, data: bytes, function: str) -> str:
        words = self._symbols.symdata
        return "".join([f" {frame:#018x} : {words(frame)}\n" for frame in self._shown(data, function)])

    def text_in_mode(self, data: bytes, mode: str, indent: int = 8) -> str:
        """A stack as bpftrace shows it."""
        frames = self._shown(data)
        if not frames:
            return ""
        if mode == "raw":
            return _raw(frames)[: self._longest]
        return _in_mode(frames, self._symbols.with_offset, mode, indent)

    def print(self, data: bytes, function: str = "") -> None:
        """Print a stack, however long it is."""
        self._sink.emit(self._lines(data, function))

    def frame(self, data: bytes, index: int, function: str = "") -> int:
        """One address of a stack, 0 behind its end."""
        frames = self._shown(data, function)
        return wrap(frames[index]) if index < len(frames) else 0

    def module(self, address: int, place: str) -> str:
        """The module that an address is in."""
        symbol = self._symbols.lookup(address & MASK)
        if symbol is None:
            raise ScriptError(f"nothing of the kernel is at {address & MASK:#x}", place)
        return symbol.module or "kernel"

    def address(self, name: str, place: str) -> int:
        """The address of a symbol."""
        address = self._symbols.address(name)
        if address is None:
            raise ScriptError(f"this kernel has no symbol '{name}'", place)
        return wrap(address & MASK)


class UserStacks:
    """Stacks and addresses of processes, whose symbols are read when they are first needed."""

    def __init__(self, context: Context, frames: Frames) -> None:
        self._context = context
        self._longest = context.maxstring - 1
        self._shown = frames.shown

    def symbol(self, address: int, pid: int) -> str:
        """An address as text."""
        return self._context.user_symbols.text(address & MASK, pid)

    def part(self, address: int, pid: int, what: str) -> str:
        """What `UserSymbols` gives under a name."""
        return str(getattr(self._context.user_symbols, what)(address & MASK, pid))

    def text_in_mode(self, data: bytes, pid: int, mode: str, indent: int = 8) -> str:
        """A stack as bpftrace shows it; mode "lines": as SystemTap does."""
        frames = self._shown(data)
        if not frames:
            return ""
        if mode == "raw":
            return _raw(frames)[: self._longest]
        if mode == "lines":
            return self._lines(data, pid)[: self._longest]
        return _in_mode(frames, lambda frame: self.symbol(frame, pid), mode, indent)

    def _lines(self, data: bytes, pid: int) -> str:
        words = self._context.user_symbols.data
        return "".join([f" {frame:#018x} : {words(frame, pid)}\n" for frame in self._shown(data)])

    def brief(self, data: bytes, pid: int) -> str:
        """A stack as a line of text for each frame."""
        return "".join([self.symbol(frame, pid) + "\n" for frame in self._shown(data)])[: self._longest]

    def print(self, data: bytes, pid: int) -> None:
        """Print a stack, however long it is."""
        self._context.sink.emit(self._lines(data, pid))

    def module(self, address: int, pid: int, place: str) -> str:
        """The name of the file that is mapped at an address."""
        return self._mapped(address, pid, place)[0].rpartition("/")[2]

    def module_place(self, address: int, pid: int, place: str) -> int:
        """The address within that file."""
        return self._mapped(address, pid, place)[1]

    def build_id(self, address: int, pid: int, place: str) -> str:
        """That file's build id."""
        found = self._mapped(address, pid, place)[2]
        if not found:
            raise ScriptError(f"the file that {address & MASK:#x} is in has no build id", place)
        return found

    def _mapped(self, address: int, pid: int, place: str) -> tuple[str, int, str]:
        found = self._context.user_symbols.mapped(address & MASK, pid)
        if found is None:
            raise ScriptError(f"no file is mapped at {address & MASK:#x}", place)
        return found


def _raw(frames: tuple[int, ...]) -> str:
    return "".join([f"\n{frame:x}" for frame in frames]) + "\n"


def _in_mode(frames: tuple[int, ...], words: Callable[[int], str], mode: str, indent: int) -> str:
    """Lines of bpftrace's modes "perf" and "bpftrace"."""
    if mode == "perf":
        return "".join([f"\n\t{frame:x} {words(frame)}" for frame in frames]) + "\n"
    lead = "\n" + " " * indent
    return "".join([lead + words(frame) for frame in frames]) + "\n"
