"""Errors that are forgiven (MAXERRORS) end their handler alone, whichever stage meets them; each handler has MAXACTION turns."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.live.rules.workload import OURS, trace_calls

BOTH = pytest.mark.parametrize("stage", ["auto", "mirror"])
CALLS = 50
EXCEEDED = "ERROR: MAXACTION exceeded near keyword 'for' at "
FORGIVING = ("--suppress-handler-errors",)


def traced(folder: Path, script: str, stage: str, *words: str) -> tuple[Counter[str], str, int | None]:
    """(lines of the output, what was said, the status) of a run over so many calls."""
    done = trace_calls(folder, script, CALLS, 1, stage=stage, words=words)
    return Counter(done.out.split("\n")[:-1]), done.err, done.status


@BOTH
def test_each_handler_of_an_event_has_its_turns(tmp_path: Path, stage: str) -> None:
    loop = OURS + "for (i = 0; i < 600; i++) n += i; "
    script = f'global n\n{loop} }}\n{loop} println("event") }}\nprobe end {{ println(n) }}\n'
    out, said, status = traced(tmp_path, script, stage)
    assert (status, said) == (0, "")
    assert out == {"event": CALLS, str(2 * CALLS * sum(range(600))): 1}


@BOTH
def test_handlers_with_output(tmp_path: Path, stage: str) -> None:
    """The first of two at one event fails from its eleventh call on."""
    script = f"""global n, m, k
    {OURS} n++; for (i = 0; i < n * 100; i++) m += 1; k++; println("first") }}
    {OURS} for (i = 0; i < 600; i++) m += 1; println("second") }}
    probe end {{ printf("%d %d\\n", n, k) }}"""
    out, said, status = traced(tmp_path, script, stage, *FORGIVING)
    assert status == 0
    assert out["second"] == CALLS and out[f"{CALLS} {out['first']}"] == 1
    assert said.count(EXCEEDED) == CALLS - out["first"] > 0
    assert f"Number of errors: {CALLS - out['first']}, " in said


@BOTH
@pytest.mark.parametrize("allowed", [10, 1000])
def test_a_handler_without_output(tmp_path: Path, stage: str, allowed: int) -> None:
    """Nothing tells which of them failed, but how many did."""
    script = f"""global n, m, k
    {OURS} n++; for (i = 0; i < 2000; i++) m += 1; k++ }}
    probe end {{ printf("end %d %d\\n", n, k) }} probe error {{ printf("error %d %d\\n", n, k) }}"""
    out, said, status = traced(tmp_path, script, stage, f"-DMAXERRORS={allowed}")
    told = [line for line in out if " " in line]
    if allowed > CALLS:
        assert (status, told) == (0, [f"end {CALLS} 0"])
        assert f"Number of errors: {CALLS}, " in said
    else:
        assert status == 1 and told[0].startswith("error ")
    assert EXCEEDED in said
