"""Globals are told apart by what they are, not by their names: the library's private ones, and maps of pystap's own."""

from __future__ import annotations

import subprocess
import sys

from tests.live.tracer import Tracer

CALLS = 7
TEXT = """
global %(names)s
probe syscall.getpid {
    if (execname() != "namesakes") next
    %(first)s[pid()]++
    %(second)s[pid(), 1] = %(depth)s + 4
    %(third)s[tid()] <<< 3
    if (%(second)s[pid(), 1] == 5) %(fourth)s++
}
probe end {
    foreach (p in %(first)s) printf("%%d %%d %%d %%d\\n", %(first)s[p], %(second)s[p, 1], @sum(%(third)s[p]), %(fourth)s)
}
"""
PROGRAM = f"open('/proc/self/comm', 'w').write('namesakes'); import os; [os.getpid() for _ in range({CALLS})]"


def _counts(names: list[str], depth: str) -> str:
    words = dict(zip(("first", "second", "third", "fourth"), names, strict=True))
    text = TEXT % {**words, "names": ", ".join(names), "depth": depth}
    with Tracer("-e", text) as tracer:
        subprocess.run([sys.executable, "-I", "-c", PROGRAM], check=True)
    return tracer.clean()


def test_names_of_our_maps() -> None:
    for names in (["ctl", "cpu", "rings", "zero"], ["delta", "zero", "ctl", "cpu"]):
        assert _counts(names, "1") == f"{CALLS} 5 {3 * CALLS} {CALLS}\n"


def test_names_of_the_library() -> None:
    names = ["__depth", "__depth_of_thread", "__stack", "__n"]
    assert (
        _counts(names, "thread_indent_depth(1) * thread_indent_depth(-1)")
        == f"{CALLS} 5 {3 * CALLS} {CALLS}\n"
    )
