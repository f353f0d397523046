"""Listings of the live kernel, compared with tracefs and the kernel's own symbols."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pystap.kernel.attach.tracepoint_perf import list_tracefs, read_tracefs
from tests.live.tracer import ROOT


def lines(*words: str) -> list[str]:
    command = [sys.executable, "-m", "pystap", *words]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_tracepoints_of_a_system() -> None:
    wanted = {n for n in list_tracefs("events/sched") if n not in ("enable", "filter")}
    found = lines("-l", 'kernel.trace("sched:*")')
    assert found == sorted(found)
    assert set(found) <= {f'kernel.trace("sched:{n}")' for n in wanted}
    assert 'kernel.trace("sched:sched_switch")' in found
    assert set(lines("--lang", "bt", "-l", "tracepoint:sched:*")) == {f"tracepoint:sched:{n}" for n in wanted}


def test_fields_are_the_format() -> None:
    text = read_tracefs("events/sched/sched_switch/format")
    found = lines("--lang", "bt", "-lv", "tracepoint:sched:sched_switch")
    assert found[0] == "tracepoint:sched:sched_switch"
    assert [f.strip() for f in found[1:]] == [
        line.strip()[6:].partition(";")[0]
        for line in text.splitlines()
        if "field:" in line and "common_" not in line
    ]


def test_functions_are_symbols() -> None:
    found = lines("-l", 'kernel.function("tcp_v4_*")')
    with open("/proc/kallsyms") as file:
        symbols = {
            words[2].partition(".")[0]
            for words in map(str.split, file)
            if words[1] in "tT" and len(words) == 3
        }
    names = {line.split('"')[1].partition("@")[0] for line in found}
    assert "tcp_v4_rcv" in names
    traceable = {s for s in symbols if s.startswith("tcp_v4_")}
    assert names <= traceable
    assert len(traceable - names) <= len(names) // 4  # of the kernel's start, or closed to tracing


def test_functions_of_a_source_file() -> None:
    """Each of them is a symbol, and what has the file's name in the index alone isn't listed."""
    found = lines("-l", 'kernel.function("*@net/socket.c")')
    with open("/proc/kallsyms") as file:
        symbols = {line.split()[2].partition(".")[0] for line in file}
    names = [line.split('"')[1] for line in found]
    assert all(name.endswith("@net/socket.c") for name in names)
    bare = {name.partition("@")[0] for name in names}
    assert bare <= symbols
    assert {"sock_sendmsg", "__sys_socket", "sock_alloc_file", "__x64_sys_accept4"} <= bare
    assert len(bare) > 80
    assert "tcp_sendmsg" not in bare


def test_every_alias_of_a_family_compiles() -> None:
    for alias in lines("-l", "scheduler.*"):
        lines("-p2", "-e", f"probe {alias} {{ }}")


def test_variables_of_aliases_are_there() -> None:
    """What -L shows can be printed at the probe."""
    for line in lines("-L", "netdev.*"):
        alias, *variables = line.split(" ")
        names = [v.partition(":")[0] for v in variables if ":" in v]
        script = [n for n in names if not n.startswith("$")]
        text = f"probe {alias} {{ println({') println('.join(script)}) }}"
        lines("-p2", "-e", text)


def test_shim_runs_scripts(tmp_path: Path) -> None:
    lines("shim", str(tmp_path))
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for name, text, said in (
        ("a", '#!/usr/bin/env stap\nprobe begin { printf("%s\\n", @1) exit() }\n', "one"),
        ("b", '#!/usr/bin/env bpftrace\nBEGIN { printf("%s\\n", str($1)); exit(); }\n', "one"),
        ("c", f'#!{tmp_path}/stap -v\nprobe begin {{ printf("%s\\n", @1) exit() }}\n', "one"),
    ):
        script = tmp_path / name
        script.write_text(text)
        script.chmod(0o755)
        done = subprocess.run([script, "one"], env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert said in done.stdout.splitlines()
