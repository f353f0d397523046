"""Some random paths through parameters, beside bpftrace: the same ones each time, of a kernel. `differential` says how."""

from __future__ import annotations

import random
import shutil

import pytest

from pystap.cli.live import live_target
from tests.live import probing
from tests.live.variables import differential

FUNCTIONS = (
    "vfs_read",
    "tcp_sendmsg",
    "do_dentry_open",
    "sock_alloc_file",
    "rw_verify_area",
)
PATHS = 12


@pytest.fixture
def names() -> list[str]:
    if why := probing.lacks("kprobe", "kretprobe", "fentry"):
        pytest.skip(why)
    if shutil.which("bpftrace") is None:
        pytest.skip("there is no bpftrace")
    found = differential.functions(live_target().btf, FUNCTIONS)
    assert len(found) >= 4
    return found


def test_random_paths(names: list[str]) -> None:
    probes = differential.make(random.Random(7), live_target().btf, names, PATHS, False)
    lines, _ = differential.trace(probes, "")
    outcome = differential.compare(probes, lines)
    assert outcome.differences == []
    assert outcome.paths > 30 and outcome.telling > outcome.values // 10
