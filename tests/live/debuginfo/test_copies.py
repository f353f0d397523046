"""Functions that have code of their own and copies inlined into others: a plain point by name counts both.

Against `.call` and `.inline` in the same script, and against what the work did.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.tracer import Tracer

from .conftest import Wire

# Each function's own code is called by the second system call, and inlined in the first.
PGID = """
import os, sys
copies, own = map(int, sys.argv[1:])
for _ in range(copies): os.getpgrp()
for _ in range(own): os.getpgid(os.getpid())
"""
LIMITS = """
import ctypes, resource, sys
copies, own = map(int, sys.argv[1:])
room = ctypes.create_string_buffer(16)
libc = ctypes.CDLL(None)
for n in range(copies): assert libc.syscall(97, n % 16, room) == 0  # getrlimit, which libc doesn't use itself
for n in range(own): resource.prlimit(0, n % 16)
"""
WORKS = {"do_getpgid": PGID, "do_prlimit": LIMITS}


def work(tmp_path: Path, name: str, copies: int, own: int) -> str:
    path = tmp_path / "work.py"
    path.write_text(WORKS[name])
    return f"{sys.executable} {path} {copies} {own}"


def counts(text: str) -> dict[str, int]:
    return {word: int(number) for word, number in re.findall(r"(\w+)=(-?\d+)", text)}


@pytest.mark.parametrize("stage", ["auto", "mirror"])
@pytest.mark.parametrize("name", WORKS)
def test_own_code_and_copies_are_counted(script, tmp_path: Path, name: str, stage: str) -> None:
    """Python itself calls neither getrlimit nor getpgrp, but prlimit: that is own code in both counts."""
    point = f'kernel.function("{name}")'
    text = (
        "global plain, own, copy, at\n"
        f"probe {point} {{ if (pid() == target()) {{ plain++; at[pp(), probefunc(), ppfunc()]++ }} }}\n"
        f"probe {point}.call {{ if (pid() == target()) own++ }}\n"
        f"probe {point}.inline {{ if (pid() == target()) copy++ }}\n"
        "probe end {\n"
        ' printf("plain=%d own=%d copy=%d\\n", plain, own, copy)\n'
        ' foreach ([p, f, g] in at) printf("%s|%s|%s|%d\\n", p, f, g, at[p, f, g])\n'
        "}\n"
    )
    with Tracer("-c", work(tmp_path, name, 300, 200), script(text), stage=stage) as tracer:
        tracer.wait()
    first, *rows = tracer.clean().splitlines()
    found = counts(first)
    assert found["copy"] == 300 and found["own"] >= 200, tracer.out
    assert found["plain"] == found["own"] + found["copy"], tracer.out
    by_place = {tuple(row.split("|")[:3]): int(row.split("|")[3]) for row in rows}
    where = rf'kernel\.function\("{name}@kernel/sys\.c:\d+"\)'
    assert {words[1:] for words in by_place} == {(name, name)}
    for suffix, count in (("", found["own"]), (r"\.inline", 300)):
        assert [n for words, n in by_place.items() if re.fullmatch(where + suffix, words[0])] == [count], rows


def test_what_the_handler_reads(script, tmp_path: Path) -> None:
    """$resource at each place: the numbers that the work gave, in its order."""
    text = (
        'probe kernel.function("do_prlimit") {\n'
        ' if (pid() == target() && $new_rlim == 0) printf("%s %d\\n", pp() =~ "inline" ? "copy" : "own", $resource)\n'
        "}\n"
    )
    with Tracer("-c", work(tmp_path, "do_prlimit", 16, 12), script(text)) as tracer:
        tracer.wait()
    rows = tracer.clean().splitlines()
    assert [row for row in rows if row.startswith("copy")] == [f"copy {n}" for n in range(16)], tracer.out
    assert [row for row in rows if row.startswith("own")][-12:] == [f"own {n}" for n in range(12)], tracer.out


def test_a_constant(script, tmp_path: Path) -> None:
    """getpgrp's copy is for process 0, the caller itself, which no register holds."""
    text = 'probe kernel.function("do_getpgid") { if (pid() == target()) printf("%d %s\\n", $pid == target(), $$parms) }'
    with Tracer("-c", work(tmp_path, "do_getpgid", 5, 3), script(text)) as tracer:
        tracer.wait()
    assert re.fullmatch(r"(0 pid=0x0\n){5}(1 pid=0x[1-9a-f][0-9a-f]*\n){3}", tracer.clean()), tracer.out


OPENING = """
import ctypes, os, sys
folder = sys.argv[1]
libc = ctypes.CDLL(None)
for n in range(4): assert libc.syscall(85, f"{folder}/{n}".encode(), 0o640 + n) > 0  # creat
for n in range(3): os.open(f"{folder}/{n}", os.O_RDONLY)
"""


def test_copies_without_the_variable(script, tmp_path: Path) -> None:
    """What creat does with a mode is in do_sys_open, as is what open does without one: these copies are left out."""
    (tmp_path / "work.py").write_text(OPENING)
    command = f"{sys.executable} {tmp_path / 'work.py'} {tmp_path}"
    text = (
        "global n, opened\n"
        'probe kernel.function("do_sys_open") {\n'
        " if (pid() == target()) n[$mode]++\n"
        "}\n"
        "probe nd_syscall.open, nd_syscall.openat { if (pid() == target()) opened++ }\n"
        'probe end { printf("opened=%d\\n", opened) foreach (m in n) printf("%o=%d\\n", m, n[m]) }\n'
    )
    with Tracer("-c", command, script(text)) as tracer:
        tracer.wait()
    first, *rows = tracer.clean().splitlines()
    made = {f"{0o640 + n:o}=1" for n in range(4)}
    assert set(rows) == made and len(rows) == 4, tracer.out
    warnings = [line for line in tracer.err.splitlines() if line.startswith("warning[")]
    assert len(warnings) == 1, tracer.err
    assert warnings[0].startswith("warning[W305]: left out: 'do_sys_open' where it is inlined in "), (
        tracer.err
    )
    assert "and 3 more: '$mode' can't be read in " in warnings[0], tracer.err
    with Tracer("-c", command, script(text.replace("$mode", "@defined($mode) ? $mode : 1"))) as tracer:
        tracer.wait()
    first, *rows = tracer.clean().splitlines()
    opened = counts(first)["opened"]
    assert opened >= 3 and set(rows) == {*made, f"1={opened}"}, tracer.out
    assert "W305" not in tracer.err


def test_a_function_of_the_network(wire: Wire, script) -> None:
    """ip_local_out: TCP calls it, and what sends ICMP has it inlined; the hosts count each packet themselves."""
    point = 'kernel.function("ip_local_out")'
    text = (
        "global plain, own, copy\n"
        f"probe {point} {{ plain[$net]++ }}\n"
        f"probe {point}.call {{ own[$net]++ }}\n"
        f"probe {point}.inline {{ copy[$net]++ }}\n"
        'probe end { foreach (n in plain) printf("plain=%d own=%d copy=%d\\n", plain[n], own[n], copy[n]) }\n'
    )
    before = [host.snmp("Ip", "OutRequests") for host in (wire.left, wire.right)]
    with Tracer(script(text)) as tracer:
        wire.talk(4250, [5, 600])
        wire.ping(7)
    after = [host.snmp("Ip", "OutRequests") for host in (wire.left, wire.right)]
    found = [counts(row) for row in tracer.clean().splitlines()]
    assert all(row["plain"] == row["own"] + row["copy"] for row in found), tracer.out
    sent = sorted(late - early for early, late in zip(before, after, strict=True))
    assert sorted(row["plain"] for row in found if row["copy"] >= 7) == sent, (tracer.out, sent)
    assert all(row["own"] > 0 for row in found if row["copy"] >= 7), tracer.out


def test_a_copy_that_the_kernel_refuses(script, tmp_path: Path) -> None:
    """exc_page_fault lets nothing be traced in it: its copy is left out; where there is nothing else, that is an error."""
    text = 'probe kernel.function("fault_in_kernel_space") { println(pp()) } probe timer.ms(1) { exit() }'
    with Tracer(script(text)) as tracer:
        tracer.wait()
    told = [line for line in tracer.err.splitlines() if "left out: " in line]
    assert tracer.status == 0 and len(told) == 1 and "exc_page_fault" in told[0], tracer.err
    with Tracer(script(text.replace('")', '").inline')), until_ready=False) as tracer:
        tracer.wait()
    assert tracer.status == 1 and "exc_page_fault" in tracer.err, tracer.err


def test_a_function_of_a_module(wire: Wire, script) -> None:
    """nf_conntrack_lock, of which locking two buckets has copies."""
    nft = "add table ip t; add chain ip t c { type filter hook input priority 0; }; add rule ip t c ct state new counter"
    subprocess.run(["ip", "netns", "exec", wire.right.name, "nft", nft], check=True)
    point = 'module("nf_conntrack").function("nf_conntrack_lock")'
    text = (
        "global plain, own, copy, wrong\n"
        f'probe {point} {{ plain++; if (probemod() != "nf_conntrack" || ppfunc() != "nf_conntrack_lock") wrong++ }}\n'
        f"probe {point}.call {{ own++ }}\n"
        f"probe {point}.inline {{ copy++ }}\n"
        'probe end { printf("plain=%d own=%d copy=%d wrong=%d\\n", plain, own, copy, wrong) }\n'
    )
    with Tracer(script(text)) as tracer:
        wire.talk(4260, [5])
    found = counts(tracer.clean())
    assert found["plain"] == found["own"] + found["copy"] and found["copy"] > 0 and found["wrong"] == 0, (
        tracer.out
    )
