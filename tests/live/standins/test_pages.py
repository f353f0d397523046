"""Small scripts about packets that go out: when, on which CPU, by whose call, at which tick of the kernel's clock."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.live.network import Namespace
from tests.live.standins.pair import HERE, MUTE, PING, THERE, pair
from tests.live.tracer import Tracer

Pair = tuple[Namespace, Namespace]
CPU1 = "os.sched_setaffinity(0, {1})\n"


@pytest.fixture
def two() -> Iterator[Pair]:
    """Two namespaces of which neither answers, so that only what a test sends goes out."""
    with pair() as both:
        for ns in both:
            ns.run(MUTE)
        yield both


def seconds(word: str) -> float:
    """The time that tz_ctime() wrote, in the local zone."""
    return datetime.strptime(word.rpartition(" ")[0], "%a %b %d %H:%M:%S %Y").timestamp()


def test_when(script, stage, two: Pair) -> None:
    here, _ = two
    with Tracer(script("times.stp", "004-5.3-time.stp"), stage=stage) as tracer:
        begun = time.time()
        here.run(PING + f'ping("{THERE}", 4, False)\nimport time; time.sleep(1.1)\nping("{THERE}", 3, False)')
        ended = time.time()
    lines = tracer.clean().splitlines()
    assert len(lines) == 7 and all(line.startswith("TIME=") for line in lines), lines
    times = [seconds(line.removeprefix("TIME=")) for line in lines]
    assert times == sorted(times) and int(begun) <= times[0] and times[-1] <= ended
    assert times[4] - times[3] >= 1
    assert lines[0].rpartition(" ")[2] == time.strftime("%Z", time.localtime(begun))


def test_all_but_one_name(script, stage, two: Pair) -> None:
    here, _ = two
    with Tracer(script("others-cpus.stp", "004-5.6.2-execname-ne.stp"), stage=stage) as tracer:
        here.run(PING.replace('write("ping")', 'write("sshd")') + f'ping("{THERE}", 5, False)')
        here.run(PING + CPU1 + f'ping("{THERE}", 3, False)')
        here.run(PING.replace('write("ping")', 'write("sshd2")') + f'ping("{THERE}", 1, False)')
    lines = tracer.clean().splitlines()
    assert len(lines) == 4 and [line.rpartition("=")[2] for line in lines[:3]] == ["1"] * 3, lines
    assert all(re.fullmatch(r"TIME=\w+ \w+ +\d+ [\d:]+ \d+ \w+,CPU=\d+", line) for line in lines), lines


def test_on_which_cpu(script, stage, two: Pair) -> None:
    here, _ = two
    with Tracer(script("ping-cpus.stp", "004-5.8-cpu.stp"), stage=stage) as tracer:
        here.run(PING + CPU1 + f'ping("{THERE}", 3, False)')
        here.run(PING + f'os.sched_setaffinity(0, {{0}})\nping("{THERE}", 2, False)')
        here.run(PING.replace('write("ping")', 'write("pong")') + f'ping("{THERE}", 1, False)')
    assert [line.rpartition(",CPU=")[2] for line in tracer.clean().splitlines()] == ["1"] * 3 + ["0"] * 2


def test_by_whose_call(script, stage, two: Pair) -> None:
    here, _ = two
    with Tracer(script("stacks.stp", "004-5.7-backtrace.stp"), stage=stage) as tracer:
        here.run(PING + f'ping("{THERE}", 3, False)')
        here.run(PING.replace('write("ping")', 'write("pong")') + f'ping("{THERE}", 2, False)')
    out = tracer.clean()
    # the stack is printed where print_backtrace() is called: before the line that it is an argument of
    stacks = re.split(r"^TIME=.*,\n", out, flags=re.M)
    assert len(stacks) == 4 and stacks[3] == "", out
    names = {line.split()[2] for line in Path("/proc/kallsyms").read_text().splitlines()}
    for stack in stacks[:3]:
        frames = re.findall(r"^ (0x[0-9a-f]+) : (\S+?)\+(0x[0-9a-f]+)/(0x[0-9a-f]+) \[kernel\]", stack, re.M)
        found = [frame[1] for frame in frames]
        assert len(frames) > 6 and set(found) <= names, stack
        where = [n for n, name in enumerate(found) if re.search("raw_sendmsg|__sys_sendto", name)]
        assert len(where) >= 2 and where == sorted(where), stack
        assert all(int(offset, 16) < int(size, 16) for _, _, offset, size in frames), stack


def ticks() -> int:
    """The kernel's clock, by its own list of timers."""
    with open("/proc/timer_list") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("jiffies:"))


def test_at_which_tick(script, stage, two: Pair) -> None:
    here, _ = two
    try:
        ticks()
    except OSError:
        pytest.skip("this kernel has no list of timers")
    path = script("jiffies.stp", "004-16.1-guru-jiffies.stp")
    with Tracer("-g", path, stage=stage) as tracer:
        before = ticks()
        here.run(PING + f'ping("{THERE}", 2, False)')
        between = ticks()
        here.run(PING + f'ping("{HERE}", 1, False)')
        # no ICMP: left out
        here.run(f'import socket; socket.socket(2, 2).sendto(b"x", ("{THERE}", 9))')
        after = ticks()
    line = re.compile(
        r'jiffies=(\d+) ,pp=kernel\.function\("ip_output@net/ipv4/ip_output\.c(?::\d+)?"\), (\S+)->(\S+)'
    )
    found = [line.fullmatch(one) for one in tracer.clean().splitlines()]
    # the datagram's port is closed: its answer is ICMP too
    assert [(m[2], m[3]) for m in found if m] == [(HERE, THERE)] * 2 + [(HERE, HERE), (THERE, HERE)], (
        tracer.out
    )
    times = [int(m[1]) for m in found if m]
    assert before <= times[0] <= times[1] <= between <= times[2] <= times[3] <= after
