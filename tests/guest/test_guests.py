"""The chosen tests on every kernel of the table, and what a guest must do when its command or its kernel fails."""

from __future__ import annotations

import pytest

from .guest import GuestFailed, Unavailable, boot, unavailable
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


def booted(command: str, timeout: float = 120.0):
    """Run a command in a guest with the first kernel, or skip."""
    if why := unavailable():
        pytest.skip(why)
    try:
        return boot(next(iter(KERNELS)), command, timeout)
    except Unavailable as why:
        pytest.skip(f"the parts of a guest can't be had: {why}")


def test_status_and_output() -> None:
    chunk = "x" * 1000
    done = booted(f"id -u; echo to stderr >&2; for i in $(seq 100); do echo {chunk}; done; exit 7")
    assert done.status == 7
    assert done.output == "0\nto stderr\n" + f"{chunk}\n" * 100
    assert "Linux version" in done.console


def test_a_panic_shows_the_console() -> None:
    with pytest.raises(GuestFailed, match=r"(?s)told no status.*last words.*Kernel panic"):
        booted("echo last words; sleep 1; echo c > /proc/sysrq-trigger")


def test_a_hang_ends_with_the_time_given() -> None:
    with pytest.raises(GuestFailed, match=r"(?s)did not end in 30 s.*still here"):
        booted("echo still here; sleep 1000", timeout=30.0)
