"""What the kernel has of a tracer: the BPF objects that it holds, and whether they are gone when it is."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from pystap.kernel.objects import link_ids, map_ids, prog_ids
from tests.live.tracer import PATIENCE

KINDS = {"prog_id": prog_ids, "link_id": link_ids, "map_id": map_ids}


def held(pid: int) -> dict[str, set[int]]:
    """The ids of the BPF objects that a process has open."""
    found: dict[str, set[int]] = {kind: set() for kind in KINDS}
    for entry in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            text = Path(f"/proc/{pid}/fdinfo/{entry}").read_text()
        except OSError:
            continue
        for kind, number in re.findall(r"^(prog_id|link_id|map_id):\s*(\d+)$", text, re.M):
            found[kind].add(int(number))
    return found


def assert_gone(objects: dict[str, set[int]]) -> None:
    """Wait until the kernel has none of them any more: it frees after a grace period."""
    until = time.monotonic() + PATIENCE
    while left := {
        kind: ids & set(KINDS[kind]()) for kind, ids in objects.items() if ids & set(KINDS[kind]())
    }:
        assert time.monotonic() < until, left
        time.sleep(0.01)
