"""What isn't there, or can't be traced, says what there is instead."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pystap.bpf import consts_gen as abi
from pystap.bpf import insn as I
from pystap.bpf.insn import encode
from pystap.cli.live import live_target
from pystap.kernel.attach.tracing import attach_tracing
from pystap.kernel.prog import load_program
from pystap.kernel.sys import KernelError
from tests.live import probing
from tests.live.tracer import Tracer, run

CASES = [
    (
        'kernel.function("tcp_sendmsgg")',
        "this kernel has no function 'tcp_sendmsgg'",
        "did you mean 'tcp_sendmsg'?",
    ),
    ('kernel.function("sock_init")', "the function 'sock_init' can't be traced", "__init"),
    ('kernel.function("no_such_*")', "no function of this kernel matches 'no_such_*'", ""),
    ('module("nowhere").function("f")', "this kernel has no module 'nowhere'", ""),
]


@pytest.mark.parametrize(("point", "words", "hint"), CASES)
def test_says_why(probes: None, point: str, words: str, hint: str) -> None:
    with Tracer("-e", f"probe {point} {{}}", until_ready=False) as tracer:
        tracer.wait()
    assert tracer.status == 1
    assert words in tracer.err and hint in tracer.err
    assert "Traceback" not in tracer.err


def test_without_tracing(probes: None) -> None:
    """A function that has types, and that nothing but the kernel's list of what it can trace speaks against."""
    target = live_target()
    known = target.functions
    assert known is not None and known.table is not None
    if known.traceable() is None:
        pytest.skip("this kernel doesn't tell what it can trace")
    traceable = {symbol for _, _, symbol in known.matching("__do_sys_*")}
    refused = (
        symbol
        for _, symbol, _ in known.table.functions("__do_sys_*")
        if symbol not in traceable and target.btf.find_func(symbol) and not known.why_not(symbol)
    )
    name = next(refused, "")
    if not name:
        pytest.skip("this kernel can trace all of them")
    done = run("-T", "1", "-e", f'probe kernel.function("{name}") {{ println(1) }}')
    assert done.status == 1 and name in done.err and "(notrace)" in done.err, done.err


def test_optional_is_left_out(probes: None) -> None:
    text = 'probe module("nowhere").function("f")?, begin { println("here") exit() }'
    with Tracer("-e", text, until_ready=False) as tracer:
        tracer.wait()
    assert tracer.clean() == "here\n"


def test_exported_only(probes: None) -> None:
    text = 'probe kernel.function("tcp_send*").exported { printf("%s\\n", ppfunc()) }'
    with Tracer("-p2", "-e", text, until_ready=False) as tracer:
        tracer.wait()
    assert tracer.status == 0


PAIR = """
global n
probe kernel.function("tcp_v[46]_connect") { if (pid() == target()) n[ppfunc()]++ }
probe end { foreach (name in n) printf("%s %d\\n", name, n[name]) }
"""
BOTH = """import socket
for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    socket.socket(family, socket.SOCK_STREAM).connect_ex((host, 9))
"""


@pytest.fixture
def crowded() -> Iterator[str]:
    """The name of a function that no more programs can be attached to."""
    if why := probing.lacks("fentry"):
        pytest.skip(why)
    name = "tcp_v4_connect"
    found = live_target().btf.find_func(name)
    code = encode([I.mov_imm(I.R0, 0), I.exit_()])
    options = {"expected_attach_type": abi.BPF_TRACE_FENTRY, "attach_btf_id": found.id}
    with ExitStack() as held:
        with pytest.raises(KernelError, match="E2BIG"):
            for _ in range(1000):
                fd = load_program(abi.BPF_PROG_TYPE_TRACING, code, **options)
                held.callback(os.close, fd)
                held.callback(attach_tracing(fd, name).close)
        yield name


def test_one_of_few_is_a_warning(crowded: str, tmp_path: Path) -> None:
    work = tmp_path / "work.py"
    work.write_text(BOTH)
    words = ("--attach=fentry", "-c", f"{sys.executable} -I -S {work}", "-e")
    done = run(*words, PAIR)
    assert done.status == 0 and done.out == "tcp_v6_connect 1\n", (done.out, done.err)
    assert re.search(
        rf"^WARNING: left out: attaching to fentry of {crowded}: as many programs", done.err, re.M
    ), done.err
    alone = run(*words, f'global n probe kernel.function("{crowded}") {{ n++ }}')
    assert alone.status == 1 and f"fentry of {crowded}: as many programs" in alone.err, alone.err
