"""What scripts/gen_code_index makes of the functions of several kernels."""

from __future__ import annotations

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "gen_code_index" / "merge.py"
SPEC = importlib.util.spec_from_file_location("gen_code_index_merge", SCRIPT)
assert SPEC is not None and SPEC.loader is not None
MERGE = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(MERGE)


def test_kernels_become_one_index() -> None:
    kernels = {
        "6.12": {
            ("same", "net/a.c", ""): True,
            ("moved", "net/b.c", ""): True,
            ("gone", "net/a.c", ""): True,  # into a file that isn't kept
            ("small", "net/a.c", ""): False,
            ("both", "net/a.c", ""): False,
            ("mod", "net/m.c", "m"): True,
            ("inside", "include/x.h", ""): True,
            ("clone.part.0", "net/a.c", ""): True,
            ("card", "drivers/gpu/x.c", "x"): True,
        },
        "6.1": {
            ("same", "net/a.c", ""): True,
            ("moved", "net/a.c", ""): True,
            ("gone", "drivers/gpu/x.c", ""): True,
            ("both", "net/a.c", ""): True,
            ("mod", "net/m.c", ""): True,
            ("tiny", "crypto/c.c", ""): False,  # of a folder whose inlined functions aren't named
        },
    }
    order, files = MERGE.merged(kernels)
    assert order == ["6.1", "6.12"]
    assert files == {
        "net/a.c": (["-"], ["both", "gone 6.12", "moved 6.1", "same", "~small"]),
        "net/b.c": (["-"], ["moved 6.12"]),
        "net/m.c": (["-", "m"], ["mod"]),
    }
