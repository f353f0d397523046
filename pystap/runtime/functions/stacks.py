"""Kernel addresses and captured stacks as text."""

from __future__ import annotations

from struct import unpack_from

from ...program import OWN_FRAMES
from ..errors import ScriptError
from ..numbers import MASK, wrap

_ENTRY = 16  # so far into a function tracing begins at most

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..context import Context


def frames_of(data: bytes) -> tuple[int, ...]:
    """The addresses of a captured stack, up to the first 0."""
    count = len(data) // 8
    frames = unpack_from(f"<{count}Q", data)
    return frames[: frames.index(0)] if 0 in frames else frames


PURE: dict[str, Callable[..., Any]] = {}


def bind(context: Context) -> dict[str, Callable[..., Any]]:
    """The bodies."""
    symbols = context.symbols

    def shown(data: bytes, function: str = "") -> tuple[int, ...]:
        """The frames without those of tracing itself, as many as were asked for.

        function: the one that has returned, at a kretprobe: it is off the stack already, but comes first.
        """
        frames = frames_of(data)
        first = [frame for frame in frames[:OWN_FRAMES] if not symbols.is_own(frame)]
        if function and not (first and is_at(first[0], function)):
            start = symbols.address(function)
            if start is not None:
                first.insert(0, start & MASK)
        return (*first, *frames[OWN_FRAMES:])[: len(data) // 8 - OWN_FRAMES]

    def is_at(frame: int, function: str) -> bool:
        """Whether a frame is where the tracing of a function, or of a copy of it, begins."""
        symbol = symbols.lookup(frame)
        plain = function.partition(".")[0]
        return symbol is not None and symbol.offset <= _ENTRY and symbol.name.partition(".")[0] == plain

    longest = context.maxstring - 1

    def lines(data: bytes, function: str = "") -> str:
        return "".join([f" {frame:#018x} : {symbols.symdata(frame)}\n" for frame in shown(data, function)])

    def stack_text(data: bytes, form: str = "lines", function: str = "") -> str:
        frames = shown(data, function)
        if form == "addresses":
            text = " ".join([f"{frame:#x}" for frame in frames])
        elif form == "raw":
            text = "".join([f"\n{frame:x}" for frame in frames]) + "\n"
        elif form == "perf":
            text = "".join([f"\n\t{frame:x} {_perf(frame)}" for frame in frames]) + "\n"
        else:
            text = lines(data, function)
        return text[:longest]

    def _perf(frame: int) -> str:
        symbol = symbols.lookup(frame)
        if symbol is None:
            return "[unknown] ([kernel.kallsyms])"
        return f"{symbol.name}+{symbol.offset:#x} ([{symbol.module or 'kernel.kallsyms'}])"

    def kstack_text(data: bytes, mode: str, indent: int = 8) -> str:
        frames = shown(data)
        if not frames or mode == "raw":
            return stack_text(data, mode) if frames else ""
        if mode == "perf":
            return "".join([f"\n\t{frame:x} {symbols.with_offset(frame)}" for frame in frames]) + "\n"
        lead = "\n" + " " * indent
        return "".join([lead + symbols.with_offset(frame) for frame in frames]) + "\n"

    def ustack_text(data: bytes, pid: int, mode: str, indent: int = 8) -> str:
        frames = shown(data)
        if not frames or mode == "raw":
            return stack_text(data, "raw") if frames else ""
        if mode == "lines":
            return user_lines(data, pid)[:longest]
        if mode == "perf":
            return "".join([f"\n\t{frame:x} {usym_text(frame, pid)}" for frame in frames]) + "\n"
        lead = "\n" + " " * indent
        return "".join([lead + usym_text(frame, pid) for frame in frames]) + "\n"

    def user_lines(data: bytes, pid: int) -> str:
        words = context.user_symbols.data
        return "".join([f" {frame:#018x} : {words(frame, pid)}\n" for frame in shown(data)])

    def usym_part(address: int, pid: int, what: str) -> str:
        return str(getattr(context.user_symbols, what)(address & MASK, pid))

    def usym_text(address: int, pid: int) -> str:
        return context.user_symbols.text(address & MASK, pid)

    def user_module(address: int, pid: int, place: str) -> str:
        path = _mapped(address, pid, place)[0]
        return path.rpartition("/")[2]

    def user_module_place(address: int, pid: int, place: str) -> int:
        return _mapped(address, pid, place)[1]

    def user_build_id(address: int, pid: int, place: str) -> str:
        found = _mapped(address, pid, place)[2]
        if not found:
            raise ScriptError(f"the file that {address & MASK:#x} is in has no build id", place)
        return found

    def _mapped(address: int, pid: int, place: str) -> tuple[str, int, str]:
        found = context.user_symbols.mapped(address & MASK, pid)
        if found is None:
            raise ScriptError(f"no file is mapped at {address & MASK:#x}", place)
        return found

    def kernel_module(address: int, place: str) -> str:
        symbol = symbols.lookup(address & MASK)
        if symbol is None:
            raise ScriptError(f"nothing of the kernel is at {address & MASK:#x}", place)
        return symbol.module or "kernel"

    def stack_frame(data: bytes, index: int, function: str = "") -> int:
        frames = shown(data, function)
        return wrap(frames[index]) if index < len(frames) else 0

    def ustack_brief(data: bytes, pid: int) -> str:
        return "".join([usym_text(frame, pid) + "\n" for frame in shown(data)])[:longest]

    def print_backtrace_text(data: bytes, function: str = "") -> None:
        context.sink.emit(lines(data, function))

    def print_ubacktrace_text(data: bytes, pid: int) -> None:
        context.sink.emit(user_lines(data, pid))

    def kernel_addr(name: str, place: str) -> int:
        address = symbols.address(name)
        if address is None:
            raise ScriptError(f"this kernel has no symbol '{name}'", place)
        return wrap(address & MASK)

    return {
        "symname": symbols.symname,
        "symdata": symbols.symdata,
        "ksym": symbols.symname,
        "stack_text": stack_text,
        "print_backtrace_text": print_backtrace_text,
        "print_ubacktrace_text": print_ubacktrace_text,
        "usym_part": usym_part,
        "kernel_addr": kernel_addr,
        "kstack_text": kstack_text,
        "stack_len": lambda data: len(shown(data)),
        "ustack_text": ustack_text,
        "usym_text": usym_text,
        "stack_frame": stack_frame,
        "ustack_brief": ustack_brief,
        "user_module": user_module,
        "user_build_id": user_build_id,
        "user_module_place": user_module_place,
        "kernel_module": kernel_module,
    }
