"""Boots each kernel at most once a session, with all the tests that were asked for of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from .guest import GuestFailed, Unavailable, unavailable
from .selection import SCENARIOS

LISTED = 20  # of the slowest tests
LISTS = pytest.StashKey[dict[str, list[str]]]()
HERE = Path(__file__).parent


class Outcome(NamedTuple):
    test: str
    outcome: str
    why: str
    captured: str
    seconds: float
    again: str  # why it was run once more, "" if it wasn't


class Session:
    """The guests of one session, in a process of their own: their outcomes by kernel."""

    def __init__(self, wanted: dict[str, list[str]], scripts: str | None) -> None:
        self._outcomes: dict[str, list[Outcome]] = {}
        self._ended: dict[str, dict[str, Any]] = {}
        # should this process be killed, they end
        words = ["setpriv", "--pdeathsig", "TERM", sys.executable, "-m", "tests.guest.matrix"]
        self._process = subprocess.Popen(
            words,
            cwd=HERE.parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        with self._process.stdin as asked:
            json.dump({"wanted": wanted, "scripts": scripts}, asked)

    def outcomes(self, kernel: str) -> list[Outcome]:
        """Wait for a kernel's guest; return what its tests did."""
        assert self._process.stdout is not None
        while kernel not in self._ended:
            line = self._process.stdout.readline()
            if not line:
                raise GuestFailed(
                    f"the guests' process ended with {self._process.wait()} before {kernel} did"
                )
            told = json.loads(line)
            self._ended[told["kernel"]] = told
            self._outcomes[told["kernel"]] = [Outcome(**row) for row in told.get("tests", ())]
        ended = self._ended[kernel]
        if "unavailable" in ended:
            raise Unavailable(ended["unavailable"])
        if "failed" in ended:
            raise GuestFailed(ended["failed"])
        return self._outcomes[kernel]

    def slowest(self) -> list[str]:
        """Return lines that name the tests that took longest, of all kernels."""
        longest = sorted(self._all(), key=lambda pair: -pair[1].seconds)[:LISTED]
        return [f"{one.seconds:6.1f} s  {kernel:5} {one.test}" for kernel, one in longest]

    def again(self) -> list[str]:
        """Return lines that name the tests that were run once more, and why."""
        return [f"{kernel:5} {one.test}: {one.again}" for kernel, one in self._all() if one.again]

    def _all(self) -> Iterator[tuple[str, Outcome]]:
        for kernel, them in self._outcomes.items():
            yield from ((kernel, one) for one in them)

    def stop(self) -> None:
        """End guests that still run."""
        self._process.terminate()
        assert self._process.stdout is not None
        with self._process.stdout as rest:  # it may be writing
            rest.read()
        self._process.wait()


GUESTS = pytest.StashKey[Session]()


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
        capture = session.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():  # what it says is for whoever waits
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
