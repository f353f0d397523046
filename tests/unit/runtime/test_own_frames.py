"""Frames of tracing itself are left out of stacks, also where the symbols were read before they were there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pystap.kernel import symbols as kernel
from pystap.runtime.functions import stacks
from pystap.runtime.symbols import Symbols

CORE = (
    b"ffffffff81000000 T _stext\n"
    b"ffffffff81000100 T bpf_trace_run2\n"
    b"ffffffff81000200 T ip_output\n"
    b"ffffffff81000300 T ip_send_skb\n"
    b"ffffffff81100000 R _end\n"
)
MODULE = b"ffffffffc0000000 t br_forward\t[bridge]\n"
MADE = b"ffffffffc0000800 t bpf_prog_12\t[bpf]\nffffffffc0000900 t bpf_trampoline_34\t[bpf]\n"
OUTPUT, SEND = 0xFFFFFFFF81000209, 0xFFFFFFFF81000310


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the kernel lists: the first text at the first reading, and so on; the last one from then on."""
    listed: list[bytes] = []
    monkeypatch.setattr(kernel, "_loaded", [])
    monkeypatch.setattr(kernel, "_kept", lambda: None)

    def read() -> kernel.Kallsyms:
        return kernel.Kallsyms(listed.pop(0) if len(listed) > 1 else listed[0])

    monkeypatch.setattr(kernel, "read_kallsyms", read)
    return listed


def shown(frames: list[int]) -> list[int]:
    context: Any = SimpleNamespace(symbols=Symbols(), maxstring=512, sink=None)
    data = b"".join(frame.to_bytes(8, "little") for frame in [*frames, *[0] * 8])
    return [int(word, 16) for word in stacks.bind(context)["stack_text"](data, "addresses").split()]


def test_what_came_after_the_symbols_were_read(texts: list[bytes]) -> None:
    texts += [CORE + MODULE, CORE + MODULE + MADE]
    kernel.kallsyms()  # by the compiler
    # near a function of a module, as its symbols go on for a page
    assert shown([0xFFFFFFFFC0000810, 0xFFFFFFFFC0000950, OUTPUT, SEND]) == [OUTPUT, SEND]


def test_what_has_no_name(texts: list[bytes]) -> None:
    texts += [CORE + MADE]
    assert shown([0xFFFFFFFFC0000810, 0xFFFFFFFFC0800000, OUTPUT, SEND]) == [OUTPUT, SEND]


def test_any_number_of_them(texts: list[bytes]) -> None:
    texts += [CORE + MADE]
    many = [0xFFFFFFFFC0000810, 0xFFFFFFFF81000110, 0xFFFFFFFFC0000950]
    assert shown([*many, OUTPUT, SEND]) == [OUTPUT, SEND]
    assert shown([OUTPUT, SEND]) == [OUTPUT, SEND]


def test_functions_of_modules_stay(texts: list[bytes]) -> None:
    texts += [CORE, CORE + MODULE + MADE]
    kernel.kallsyms()
    forward = 0xFFFFFFFFC0000009
    assert shown([0xFFFFFFFFC0000950, forward, OUTPUT]) == [forward, OUTPUT]


def test_symbols_that_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_loaded", [])
    monkeypatch.setattr(kernel, "_kept", lambda: None)

    def read() -> kernel.Kallsyms:
        raise kernel.KernelError(1, "reading")

    monkeypatch.setattr(kernel, "read_kallsyms", read)
    assert shown([0xFFFFFFFFC0000950, OUTPUT]) == [0xFFFFFFFFC0000950, OUTPUT]


@pytest.mark.parametrize("frames", [[OUTPUT, SEND], [SEND]])
def test_the_function_that_is_traced_comes_first(texts: list[bytes], frames: list[int]) -> None:
    """Whether or not the kernel has it on the stack where its return is traced; copies of it count as it."""
    texts += [CORE.replace(b"ip_output\n", b"ip_output.isra.0\n") + CORE]
    context: Any = SimpleNamespace(symbols=Symbols(), maxstring=512, sink=None)
    data = b"".join(frame.to_bytes(8, "little") for frame in [*frames, *[0] * 8])
    bodies = stacks.bind(context)
    text = bodies["stack_text"](data, "addresses", "ip_output").split()
    assert [int(word, 16) & ~0xFF for word in text] == [OUTPUT & ~0xFF, SEND & ~0xFF]
    assert bodies["stack_frame"](data, 1, "ip_output") & (1 << 64) - 1 == SEND
    assert bodies["stack_frame"](data, 0, "nothing of that name") & (1 << 64) - 1 == frames[0]
