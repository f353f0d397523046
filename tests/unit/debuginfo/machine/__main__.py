"""Asks gdb about the toys again, and writes what it says to tests/fixtures/debuginfo/gdb.json."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from pystap.debuginfo import DebugInfo

from .ask import ask, compare, places
from .toys import ANSWERS, FILES, TOYS


def main() -> int:
    """Write the answers, and tell what differs from ours."""
    known = {}
    for name, sources in TOYS.items():
        info = DebugInfo(str(FILES / name))
        spots = places(info, sources)
        with tempfile.TemporaryDirectory() as folder:
            asked = [(spot.address, n) for n, spot in enumerate(spots)]
            answers = ask(info.path, asked, Path(folder))
        known[name] = [[spot.address, answer] for spot, answer in zip(spots, answers, strict=True)]
        count, wrong = compare(info, spots, answers)
        print(f"{name}: {len(spots)} places, {count} variables", *wrong, sep="\n  ")
    ANSWERS.write_text(
        "[" + ",\n".join(json.dumps([k, v], separators=(",", ":")) for k, v in known.items()) + "]\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
