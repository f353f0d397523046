"""Functions of source files on kernels whose debug packages were read beforehand: by gdb, which knows no index.

tests/fixtures/source_files.json has, for each of them, the functions that gdb's "info functions" puts in a file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from pystap.kernel.sys import mount_detached
from tests.live.listing.test_live_listing import lines
from tests.live.tracer import ROOT

TRUTH = json.loads((ROOT / "tests" / "fixtures" / "source_files.json").read_text())
RELEASE = os.uname().release
FILES = (
    "net/socket.c",
    "net/ipv4/ip_output.c",
    "kernel/sysctl.c",
    "net/bridge/br_input.c",
    "net/bridge/br_forward.c",
)

pytestmark = pytest.mark.skipif(RELEASE not in TRUTH, reason=f"no debug package of {RELEASE} was read")


def traceable() -> set[str]:
    """The functions that the kernel lets be traced, by name."""
    folder = mount_detached("tracefs")
    try:
        with open(os.open("available_filter_functions", os.O_RDONLY, dir_fd=folder)) as file:
            return {line.split()[0].partition(".")[0] for line in file}
    finally:
        os.close(folder)


def test_functions_of_files() -> None:
    """All that gdb puts there and that can be traced, and nothing else."""
    subprocess.run(["modprobe", "bridge"], check=True)
    owners = {file: 'module("bridge")' if "/bridge/" in file else "kernel" for file in FILES}
    found = lines("-l", ", ".join(f'{owner}.function("*@{file}")' for file, owner in owners.items()))
    open_to_probes = traceable()
    wanted = []
    for file, owner in owners.items():
        names = set(TRUTH[RELEASE][file]) & open_to_probes
        assert len(names) > 2
        wanted += [f'{owner}.function("{name}@{file}")' for name in names]
    assert sorted(found) == sorted(wanted)


SENDER = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.bind(("127.0.0.1", 0))
    for _ in range(7):
        one.sendto(b"x", one.getsockname())
        one.recv(1)
"""


def test_where_functions_are() -> None:
    """pp() at one function and at many of a file."""
    script = """
global n
probe kernel.function("*@net/ipv4/ip_output.c").call, kernel.function("udp_sendmsg").return {
  if (pid() == target()) n[ppfunc(), pp()]++
}
probe end { foreach ([f, p] in n) printf("%s %s %d\\n", f, p, n[f, p]) }
"""
    command = f"{sys.executable} -c '{SENDER}'"
    done = subprocess.run(
        [sys.executable, "-m", "pystap", "-e", script, "-c", command],
        cwd=ROOT,
        env={**os.environ, "PYSTAP_NO_FALLBACK": "1"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split(" ") for line in done.stdout.splitlines()]
    found = {name: place for name, place, _ in rows}
    assert len(found) == len(rows)
    assert found.pop("udp_sendmsg") == 'kernel.function("udp_sendmsg@net/ipv4/udp.c").return'
    assert "ip_output" in found and set(found) <= set(TRUTH[RELEASE]["net/ipv4/ip_output.c"])
    assert all(p == f'kernel.function("{f}@net/ipv4/ip_output.c").call' for f, p in found.items())
    counts = {name: int(count) for name, _, count in rows}
    assert counts["udp_sendmsg"] == counts["ip_output"] == 7
