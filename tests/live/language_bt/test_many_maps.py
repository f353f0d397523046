"""Maps that are full, among more than a machine word has bits."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.live.tracer import run

CALLS = "import os\nfor _ in range(40): os.getppid(); os.getpgid(0); os.getsid(0)\n"
MAPS = 70


def test_the_map_that_was_full_is_named(tmp_path: Path) -> None:
    script = "config = { max_map_keys = 20; print_maps_on_exit = false }\n"
    for name, low, high in (("getppid", 0, 25), ("getpgid", 25, 50), ("getsid", 50, MAPS)):
        script += f"tracepoint:syscalls:sys_enter_{name} /pid == cpid/ {{\n"
        script += "".join([f"@m{n}[1]++;\n" for n in range(low, high)])
        script += "@n++; @m68[@n]++; }\n" if high == MAPS else "}\n"
    (tmp_path / "maps.bt").write_text(script)
    (tmp_path / "calls.py").write_text(CALLS)
    done = run("-q", "-c", f"{sys.executable} {tmp_path}/calls.py", str(tmp_path / "maps.bt"))
    done.clean()
    assert done.err.count("WARNING: Map full; can't update element of @") == 1
    assert "WARNING: Map full; can't update element of @m68 (raise" in done.err
