"""bpftrace's language, statement by statement: scripts run live and must print what they say.

The chunks are as SystemTap's (`tests/live/language_stp/chunks.py`), with `//` where those have `#`: `//## name`,
`//> a line of output`, `//~ a pattern`, `//! words of stderr`. The line that tells how many probes are attached is left
out of stderr, but for chunks that name it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.live.language_stp.chunks import Chunk
from tests.live.tracer import run

HERE = Path(__file__).parent


class BtChunk(Chunk):
    """One script with its expectations."""

    def _read(self, line: str) -> None:
        word, _, rest = line.partition(": ")
        if word == "//## workload":
            self.options += ["-c", f"{sys.executable} {HERE / 'workloads' / (rest + '.py')}"]
        elif line[:3] in ("//#", "//>", "//~", "//!"):
            super()._read("#" + line[2:])


def all_chunks() -> list[BtChunk]:
    """Return the chunks of all files."""
    found: list[BtChunk] = []
    for path in sorted((HERE / "chunks").glob("*.bt")):
        line = 1
        for text in path.read_text().split("\n---\n"):
            found.append(BtChunk(path, line, text))
            line += text.count("\n") + 2
    return found


CASES = [pytest.param(chunk, stage, id=f"{chunk.id}-{stage}") for chunk in all_chunks()
         for stage in (("auto", "mirror") if chunk.mirror else ("auto",))]  # fmt: skip


@pytest.mark.parametrize(("chunk", "stage"), CASES)
def test_chunk(chunk: BtChunk, stage: str, tmp_path: Path) -> None:
    script = tmp_path / "x.bt"
    script.write_text(chunk.text)
    done = run(*chunk.options, str(script), *chunk.args, stage=stage)
    err = done.err.replace(f"{tmp_path}/", "")
    if not any(words.startswith("Attached") for words in chunk.err):
        err = "".join(at for at in err.splitlines(keepends=True) if not at.startswith("Attached "))
    chunk.check(done.out, err, done.status)
