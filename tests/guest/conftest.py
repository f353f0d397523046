"""Boots each kernel at most once a session, with all the tests that were asked for, a few kernels at a time."""

from __future__ import annotations

import json
import os
import shlex
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.live.warm import ASK

from .guest import GuestFailed, Result, Unavailable, boot, unavailable
from .inside.report import MARK
from .kernels import DEBUG_KERNELS
from .selection import SCENARIOS

DEBUG = "tests/live/debuginfo/"  # what needs a kernel's debug information
BOOT_SECONDS = 2700.0
LISTED = 20  # of the slowest tests
LISTS = pytest.StashKey[dict[str, list[str]]]()
HERE = Path(__file__).parent
INSIDE = "/scripts"  # where a guest finds the folder of --scripts-dir
# Mirrored handlers are compared with staged ones on the machine itself: here there is no time for both.
# Tracers are forks of one process there: a start takes as long as all the rest of most tests.
PYTEST = (
    f"{ASK}=1 python3 -m pytest -q -p tests.guest.inside.report -p no:cacheprovider --tb=short"
    " -o python_files='test_*.py check_*.py' -k 'not mirror'"
)


class Outcome(NamedTuple):
    test: str
    outcome: str
    why: str
    captured: str
    seconds: float
    again: str  # why it was run once more, "" if it wasn't


class Session:
    """The guests of one session: their outcomes by kernel, or the exception that stands for them."""

    def __init__(self, wanted: dict[str, list[str]], scripts: str | None) -> None:
        self._wanted = wanted
        self._folders = {INSIDE: Path(scripts).resolve()} if scripts else {}
        self._ended: dict[str, list[Outcome] | BaseException] = {}
        self._cancel = threading.Event()
        # a guest uses one processor, and not always
        self._slots = threading.Semaphore((os.cpu_count() or 1) + 1)
        self._threads = {
            name: threading.Thread(target=self._run, args=(name,), daemon=True) for name in wanted
        }
        for thread in self._threads.values():
            thread.start()

    def _run(self, kernel: str) -> None:
        with self._slots:
            if self._cancel.is_set():
                return
            command = f"{PYTEST} {shlex.join(self._wanted[kernel])}"
            if self._folders:
                command += f" --scripts-dir {INSIDE}"
            try:
                done = self._boot(kernel, command, kernel in DEBUG_KERNELS and DEBUG in command)
                self._ended[kernel] = _outcomes(done.output)
                if not self._ended[kernel]:
                    raise GuestFailed(f"no test ran in the guest with {kernel}:\n{done.output}")
            except BaseException as why:
                self._ended[kernel] = why

    def _boot(self, kernel: str, command: str, debuginfo: bool) -> Result:
        try:
            return boot(
                *(kernel, command, BOOT_SECONDS),
                tell=_tell,
                cancel=self._cancel,
                folders=self._folders,
                debuginfo=debuginfo,
            )
        except Unavailable:
            if not debuginfo:
                raise
            return self._boot(kernel, command, False)  # the tests that need it skip themselves

    def outcomes(self, kernel: str) -> list[Outcome]:
        """Wait for a kernel's guest; return what its tests did."""
        self._threads[kernel].join()
        ended = self._ended[kernel]
        if isinstance(ended, BaseException):
            raise ended
        return ended

    def slowest(self) -> list[str]:
        """Return lines that name the tests that took longest, of all kernels."""
        longest = sorted(self._all(), key=lambda pair: -pair[1].seconds)[:LISTED]
        return [f"{one.seconds:6.1f} s  {kernel:5} {one.test}" for kernel, one in longest]

    def again(self) -> list[str]:
        """Return lines that name the tests that were run once more, and why."""
        return [f"{kernel:5} {one.test}: {one.again}" for kernel, one in self._all() if one.again]

    def _all(self) -> Iterator[tuple[str, Outcome]]:
        for kernel, them in self._ended.items():
            if isinstance(them, list):
                yield from ((kernel, one) for one in them)

    def stop(self) -> None:
        """End guests that still run."""
        self._cancel.set()
        for thread in self._threads.values():
            thread.join(10)


GUESTS = pytest.StashKey[Session]()


def _tell(text: str) -> None:
    print(text, file=sys.__stderr__)


def _outcomes(output: str) -> list[Outcome]:
    rows = [line.removeprefix(MARK) for line in output.splitlines() if line.startswith(MARK)]
    return [Outcome(**json.loads(row)) for row in rows]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With script files from elsewhere, only what runs script files is of use."""
    if config.getoption("--scripts-dir"):
        items[:] = [item for item in items if _check(item) in SCENARIOS or HERE not in item.path.parents]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell where the guests' time went, and what was run once more."""
    for title, lines in config.stash.get(LISTS, {}).items():
        if lines:
            terminalreporter.section(title)
        for line in lines:
            terminalreporter.line(line)


def _check(item: pytest.Item) -> str:
    marks = getattr(item, "callspec", None)
    return str(marks.params.get("check", "")) if marks is not None else ""


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the guests that this session's tests need: what runs before those tests runs beside the guests."""
    wanted: dict[str, list[str]] = {}
    for item in session.items:
        if check := _check(item):
            wanted.setdefault(item.callspec.params["kernel"], []).append(check)  # type: ignore[attr-defined]
    if wanted and not session.config.option.collectonly and not unavailable():
        session.config.stash[GUESTS] = Session(wanted, session.config.getoption("--scripts-dir"))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End guests that still run."""
    if started := session.config.stash.get(GUESTS, None):
        started.stop()
        session.config.stash[LISTS] = {
            "slowest in guests": started.slowest(),
            "run once more in guests": started.again(),
        }


@pytest.fixture(scope="session")
def guests(request: pytest.FixtureRequest) -> Session:
    """The guests that this session's tests need, all started."""
    if why := unavailable():
        pytest.skip(why)
    return request.config.stash[GUESTS]


@pytest.fixture
def outcomes(guests: Session, kernel: str, check: str) -> list[Outcome]:
    """What the tests of one check did in one kernel's guest."""
    try:
        everything = guests.outcomes(kernel)
    except Unavailable as why:
        pytest.skip(f"the parts of a guest can't be had: {why}")
    return [one for one in everything if one.test.startswith(check)]
