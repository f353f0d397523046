"""Functions of source files on kernels whose debug packages were read beforehand: by gdb, which knows no index.

tests/fixtures/source_files.json has, for each of them, the functions that gdb's "info functions" puts in a file.
"""

from __future__ import annotations

import json
import os
import subprocess

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


@pytest.mark.parametrize("file", FILES)
def test_functions_of_a_file(file: str) -> None:
    """All that gdb puts there and that can be traced, and nothing else."""
    bridge = "/bridge/" in file
    if bridge:
        subprocess.run(["modprobe", "bridge"], check=True)
    point = 'module("bridge")' if bridge else "kernel"
    found = lines("-l", f'{point}.function("*@{file}")')
    names = {line.split('"')[3 if bridge else 1].partition("@")[0] for line in found}
    assert sorted(found) == sorted(f'{point}.function("{name}@{file}")' for name in names)
    assert names == set(TRUTH[RELEASE][file]) & traceable()
    assert len(names) > 2
