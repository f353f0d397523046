"""The last events of a run: whoever ends it, what has happened comes out once, and what hasn't doesn't."""

from __future__ import annotations

import pytest
from runtime_kit import FakeDoor, ListSink, program, record_spec, timer

from pystap.kernel.attach.base import Attachment
from pystap.options import Options
from pystap.program import CTL_STATE, STATE_RUNNING, RecordSpec
from pystap.runtime.session import Session

SAY = record_spec(0, "say", "i64")
SOURCE = """
def say(n): _emit("%d;" % n)
def end(): _emit("end;")
def tick_and_exit():
    _emit("tick;")
    _exit(0)
"""


class Late(FakeDoor):
    """More happens until the state word changes, at a tick, or in the kernel stage."""

    def __init__(self, in_kernel: bool) -> None:
        super().__init__()
        self.in_kernel = in_kernel

    @property
    def state(self) -> int:
        if self.in_kernel and self.control[CTL_STATE] == STATE_RUNNING:
            self._happens()
            self.exit_in_kernel(3)
        return super().state

    def stop(self) -> None:
        if self.control[CTL_STATE] == STATE_RUNNING and not self.in_kernel:
            self._happens()
        super().stop()

    def _happens(self) -> None:
        for i in range(4):
            self.record(0, SAY, i)


def run(door: FakeDoor, spec: RecordSpec, **more: object) -> tuple[int, str]:
    sink = ListSink()
    status = Session(program(SOURCE, (spec,), end=("end",), **more), door, sink, Options()).run()
    return status, sink.text


def test_all_that_came_before_an_exit_of_the_kernel_stage() -> None:
    """Also if handlers of the user stage could have ended the run as well."""
    assert run(Late(True), SAY) == (3, "0;1;2;3;end;")


@pytest.mark.parametrize(("changes", "rest"), [(True, "0;1;2;3;"), (False, "")])
def test_what_happened_until_a_timers_exit_is_whole(changes: bool, rest: str) -> None:
    """Runs that have changed something in the kernel also make their output; others don't happen."""
    spec = SAY.replace(changes=changes)
    done = run(Late(False), spec, timers=(timer(0.01, "tick_and_exit"),))
    assert done == (0, f"tick;{rest}end;")


def test_what_the_kernel_left_out_counts_from_the_start_to_the_first_stop() -> None:
    class Missing(FakeDoor):
        missing = (5, 1)

        def kernel_misses(self) -> tuple[int, int]:
            return self.missing

    door = Missing()
    door.stop()  # it never began
    assert door.missed() == (0, 0)
    door = Missing()
    door.go()
    door.missing = (12, 4)
    door.stop()
    door.missing = (20, 4)
    door.stop()
    assert door.missed() == (7, 3)


def test_what_was_missed_where_a_module_went_counts_on() -> None:
    class Missing(FakeDoor):
        missing = (5, 1)

        def kernel_misses(self) -> tuple[int, int]:
            return self.missing

        def _count(self, loaded: object, attachments: object) -> tuple[int, int]:
            return 3, 1  # what is dropped

    door = Missing()
    door.go()
    door.drop(Attachment("kprobe", "a module's functions", ()))
    door.missing = (9, 3)  # of the rest
    door.stop()
    assert door.missed() == (7, 3)
