"""Values at the entry, seen at the return: each call's own, in recursion, by both ways to probe a return."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise

import pytest

from tests.live import probing
from tests.live.tracer import Tracer


@pytest.fixture(params=["fentry", "kprobe"])
def rung(request: pytest.FixtureRequest) -> str:
    """A way to probe functions that is here."""
    return probing.rung(request)


@pytest.fixture(params=["auto", "mirror"])
def stage(request: pytest.FixtureRequest) -> str:
    """Where handlers run."""
    return str(request.param)


WRITER = """
import json, os
told = []
for n in range(1, 40):
    there, here = os.pipe() if n % 3 else (os.open('/dev/null', os.O_RDONLY), os.open('/dev/null', os.O_WRONLY))
    told.append([here, n, os.write(here, bytes(n))])
    if n % 4 == 0:
        try:
            os.write(there, bytes(n))
        except OSError as error:
            told.append([there, n, -error.errno])
print(json.dumps([os.getpid(), told]))
"""


def _run(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-I", "-c", program], check=True, capture_output=True, text=True
    ).stdout


def test_system_calls(stage: str) -> None:
    text = (
        "probe syscall.write.return { if (execname() == @1)"
        ' printf("%d %d %d %d %d\\n", pid(), @entry($fd), @entry($count), retval, @entry(tid()) == tid()) }'
    )
    program = "open('/proc/self/comm', 'w').write('entrywriter')" + WRITER
    with Tracer("-e", text, "entrywriter", stage=stage) as tracer:
        pid, told = json.loads(_run(program))
    rows = [[int(x) for x in line.split()] for line in tracer.clean().splitlines()]
    ours = [row[1:4] for row in rows if row[0] == pid]
    begin = next(n for n, row in enumerate(ours) if row == told[0])
    assert ours[begin : begin + len(told)] == told
    assert all(row[4] == 1 for row in rows)


STATS = """
import os
open('/proc/self/comm', 'w').write('entrystats')
for n in range(30):
    for name in ('/etc', '/etc/passwd', '/proc/self', '/usr/bin/python3', '/'):
        os.stat(name)
"""


def test_recursion(rung: str, stage: str) -> None:
    """What returns is what entered last: calls of a file system that asks another one are inside each other."""
    text = (
        'probe kernel.function("vfs_getattr_nosec") { if (execname() == "entrystats")'
        ' printf("> %d %x %x\\n", tid(), $path, $path->dentry) }'
        ' probe kernel.function("vfs_getattr_nosec").return { if (execname() == "entrystats")'
        ' printf("< %d %x %x %s\\n", tid(), $path, @entry($path->dentry), @entry(execname())) }'
    )
    with Tracer(rung, "-e", text, stage=stage) as tracer:
        _run(STATS)
    stack: list[list[str]] = []
    deepest = returned = 0
    for line in tracer.clean().splitlines():
        kind, *words = line.split()
        if kind == ">":
            stack.append(words)
            deepest = max(deepest, len(stack))
        else:
            assert words == [*stack.pop(), "entrystats"], line
            returned += 1
    assert returned >= 150 and not stack
    assert deepest == _layers(), "calls inside each other"


def _layers() -> int:
    """How many file systems are asked for one file here: an overlay asks the one below."""
    with open("/proc/mounts", encoding="ascii") as file:
        kinds = {fields[1]: fields[2] for fields in map(str.split, file)}
    return 2 if kinds["/"] == "overlay" else 1


SLEEPERS = """
import os, threading, time
open('/proc/self/comm', 'w').write('entrysleep')
def sleep(seconds):
    for _ in range(5):
        time.sleep(seconds)
threads = [threading.Thread(target=sleep, args=(s,)) for s in (0.01, 0.02, 0.03, 0.04)]
[t.start() for t in threads]
[t.join() for t in threads]
"""


def test_time_of_calls(rung: str, stage: str) -> None:
    """The time from entry to return of calls of several threads at once is what each one slept."""
    text = (
        'probe kernel.function("hrtimer_nanosleep").return { if (execname() == "entrysleep")'
        ' printf("%d %d\\n", tid(), @entry(gettimeofday_ns()) - gettimeofday_ns() < 0) }'
        ' probe kernel.function("hrtimer_nanosleep") { if (execname() == "entrysleep") printf("%d in\\n", tid()) }'
    )
    with Tracer(rung, "-e", text, stage=stage) as tracer:
        _run(SLEEPERS)
    by_thread: dict[str, list[str]] = {}
    for line in tracer.clean().splitlines():
        tid, word = line.split()
        by_thread.setdefault(tid, []).append(word)
    assert len(by_thread) == 4
    # a run is left out where its program was interrupted on that processor
    assert 30 <= sum(len(words) for words in by_thread.values()) <= 40
    for words in by_thread.values():
        assert set(words) == {"in", "1"} and words[0] == "in", words
        assert all(before == "in" for before, word in pairwise(words) if word == "1"), words


def test_members_are_as_they_were_at_the_entry(rung: str, stage: str) -> None:
    """A member that the function changes, and the same one read at the return."""
    text = (
        'probe kernel.function("tcp_set_state").return { p = $sk'
        ' if (execname() == "entrystates") printf("%d %d %d\\n", $sk->__sk_common->skc_state, $state,'
        " p->__sk_common->skc_state) }"
    )
    program = (
        "open('/proc/self/comm', 'w').write('entrystates')\n"
        "import socket\n"
        "s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(1)\n"
        "c = socket.create_connection(s.getsockname()); o, _ = s.accept(); o.close(); c.recv(1); c.close(); s.close()\n"
    )
    with Tracer(rung, "-e", text, stage=stage) as tracer:
        _run(program)
    rows = [[int(x) for x in line.split()] for line in tracer.clean().splitlines()]
    assert [7, 2, 2] in rows, "connecting"
    assert all(row[1] == row[2] for row in rows)
    assert all(row[0] != row[1] for row in rows)


@pytest.mark.parametrize("by", ["the best way", "one by one"])
def test_many_functions(rung: str, by: str) -> None:
    """Functions of one pattern that call each other: each return goes with the entry of its own function."""
    text = (
        'probe kernel.function("vfs_get*").return { if (execname() == "entrystats") {'
        ' printf("%s %s %d\\n", ppfunc(), @entry(ppfunc()), gettimeofday_ns() >= @entry(gettimeofday_ns())) } }'
        ' probe kernel.function("vfs_getattr*").return { if (execname() == "entrystats")'
        ' printf("%s . %d\\n", ppfunc(), @entry($path->dentry) == $path->dentry) }'
    )
    with Tracer(*([rung] if by == "one by one" else []), "-e", text) as tracer:
        _run(STATS)
    rows = [line.split() for line in tracer.clean().splitlines()]
    assert all(row[1] in (row[0], ".") and row[2] == "1" for row in rows)
    for mark in (True, False):
        found = [row[0] for row in rows if (row[1] == ".") == mark]
        assert found.count("vfs_getattr_nosec") >= 150, found
