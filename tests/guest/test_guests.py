"""The chosen tests on every kernel of the table, and what a guest must do when its command or its kernel fails."""

from __future__ import annotations

import pytest

from .kernels import KERNELS
from .selection import CHECKS


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("kernel", KERNELS)
def test_in_guest(outcomes, kernel: str, check: str) -> None:
    assert outcomes, f"{check}: nothing ran"
    failed = [one for one in outcomes if one.outcome == "failed"]
    if failed:
        story = "\n".join(f"--- {one.test}\n{one.why}\n{one.captured}" for one in failed)
        pytest.fail(f"{len(failed)} of {len(outcomes)} failed on {kernel}:\n{story}", pytrace=False)
    skipped = [f"{one.test.rpartition('::')[2]}: {one.why}" for one in outcomes if one.outcome == "skipped"]
    if len(skipped) == len(outcomes):
        pytest.skip("; ".join(skipped))
