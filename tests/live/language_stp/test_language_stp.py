"""SystemTap's language, statement by statement: scripts run live and must print what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.language_stp.chunks import Chunk, all_chunks
from tests.live.tracer import run

CASES = [pytest.param(chunk, stage, id=f"{chunk.id}-{stage}") for chunk in all_chunks()
         for stage in (("auto", "mirror") if chunk.mirror else ("auto",))]  # fmt: skip


@pytest.mark.parametrize(("chunk", "stage"), CASES)
def test_chunk(chunk: Chunk, stage: str, tmp_path: Path) -> None:
    script = tmp_path / "x.stp"
    script.write_text(chunk.text)
    done = run(*chunk.options, str(script), *chunk.args, stage=stage)
    chunk.check(done.out, done.err.replace(f"{tmp_path}/", ""), done.status)
