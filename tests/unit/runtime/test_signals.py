"""When a second request to end means that the user has no patience left."""

from __future__ import annotations

import os
import signal

import pytest

from pystap.runtime import signals
from pystap.runtime.errors import Quit
from pystap.runtime.signals import AT_ONCE, Signals


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The time, as the test sets it."""
    time = [1]
    monkeypatch.setattr(signals, "now", lambda: time[0])
    return time


def test_one_wish_and_then_another(clock: list[int]) -> None:
    asked = Signals({})
    asked.install()
    try:
        assert not asked.ending
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked.ending
        os.kill(os.getpid(), signal.SIGINT)
        assert list(asked.take()) == [None]
        clock[0] += AT_ONCE + 1
        os.kill(os.getpid(), signal.SIGHUP)
        with pytest.raises(Quit):
            os.kill(os.getpid(), signal.SIGINT)
        assert list(asked.take()) == []
    finally:
        asked.restore()
