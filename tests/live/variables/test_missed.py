"""Calls inside calls of which the kernel saw the entry or the return alone: each return has its own entry's values or none.

The kernel leaves out runs now and then, when it likes. So that it does so for certain, the program of the entries, or that
of the returns, is attached to one of the functions alone: `ksys_read` calls `vfs_read`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pystap.cli.live import live_target
from pystap.compiler import compile_script
from pystap.diag import Bag
from pystap.options import Options
from pystap.program import Program
from pystap.runtime.door import Door
from pystap.runtime.session import Session
from pystap.sinks import open_sink
from pystap.source import Source
from tests.live import probing
from tests.live.tracer import Tracer

NEEDS = {"kprobe": ("kprobe", "kretprobe"), "kprobe_multi": ("kprobe_multi",)}
OUTER, INNER = "ksys_read", "vfs_read"
TEXT = """
probe kernel.function("[kv][sf]*s_read").return {
    if (execname() == "missedcalls") printf("%s %s\\n", ppfunc(), @entry(ppfunc()))
}
"""
CALLS = 20
READS = (
    f"open('/proc/self/comm', 'w').write('missedcalls')\nimport os\nfor _ in range({CALLS}): os.read(0, 1)"
)


@pytest.fixture(params=list(NEEDS))
def attach(request: pytest.FixtureRequest) -> str:
    """Ways to attach to many functions."""
    if why := probing.lacks(*NEEDS[request.param]):
        pytest.skip(why)
    return str(request.param)


def _rows(attach: str, kind: str, function: str, out: Path) -> list[str]:
    """Return the lines of a run where programs of a kind are attached to one function alone."""
    bag, target = Bag(), live_target()
    options = Options(attach=attach, output=str(out))
    program = compile_script(Source("t.stp", TEXT), "stp", target, options, bag)
    assert program is not None, bag.items
    _narrow(program, kind, function)
    sink = open_sink(options)
    session = Session(program, Door(target.btf), sink, options)
    session.prepare()

    def started() -> None:
        with open(os.devnull, "rb") as null:
            subprocess.run([sys.executable, "-I", "-c", READS], stdin=null, check=True)
        session.stopping = True

    session.on_start = started
    assert session.run() == 0
    sink.close()
    return out.read_text().splitlines()


def _narrow(program: Program, kind: str, function: str) -> None:
    narrowed = 0
    for prog in program.progs:
        args = prog.args
        if prog.kind == kind and isinstance(args, dict) and args.get("when") != "starting":
            listed = tuple(one for one in args["functions"] if one[2] == function)
            assert {one[2] for one in args["functions"]} >= {OUTER, INNER}
            prog.args = {**args, "functions": listed}
            narrowed += 1
    assert narrowed == 1


def test_entries_of_inner_calls(attach: str, tmp_path: Path) -> None:
    rows = _rows(attach, "kprobe", OUTER, tmp_path / "out")
    assert set(rows) == {f"{OUTER} {OUTER}"} and len(rows) >= CALLS


def test_returns_of_inner_calls(attach: str, tmp_path: Path) -> None:
    rows = _rows(attach, "kretprobe", OUTER, tmp_path / "out")
    assert set(rows) == {f"{OUTER} {OUTER}"} and len(rows) >= CALLS


def test_entries_of_outer_calls(attach: str, tmp_path: Path) -> None:
    rows = _rows(attach, "kprobe", INNER, tmp_path / "out")
    assert set(rows) == {f"{INNER} {INNER}"} and len(rows) >= CALLS


def test_a_call_that_ends_in_another(attach: str, tmp_path: Path) -> None:
    """The system call's function jumps to `ksys_read`: both begin at one place of the stack."""
    text = """
    probe kernel.function("*sys_read").return {
        if (execname() == "missedcalls") printf("%s %s\\n", ppfunc(), @entry(ppfunc()))
    }
    """
    with Tracer(f"--attach={attach}", "-e", text) as tracer:
        subprocess.run([sys.executable, "-I", "-c", READS], stdin=subprocess.DEVNULL, check=True)
    rows = tracer.clean().splitlines()
    for name in ("__x64_sys_read", "ksys_read"):
        assert rows.count(f"{name} {name}") >= CALLS
    assert all(a == b for a, b in map(str.split, rows))
