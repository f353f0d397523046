"""A whole run against a door without a kernel: order, ends, errors, losses."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from runtime_kit import FakeDoor, ListSink, glob, program, record_spec, timer

from pystap.options import Options
from pystap.program import CTL_STATE, STATE_RUNNING, STATE_STARTING, STATE_STOPPING, Program
from pystap.runtime.session import Session
from pystap.runtime.signals import AT_ONCE

SAY = record_spec(0, "say", "i64")
SOURCE = """
def begin(): _emit("begin;")
def end(): _emit("end;")
def error(): _emit("error;")
def say(n): _emit("%d;" % n)
def say_and_exit(n):
    _emit("%d;" % n)
    if n == 3: _exit(7)
def tick(): _emit("tick;")
def tick_and_exit():
    _emit("tick;")
    _exit(0)
def fail(n=0): raise _ScriptError("division by 0", "near operator '/' at x.stp:1:2")
def fail_at(n):
    if n % 2: fail()
    say(n)
"""


def run(
    prog: Program, door: FakeDoor | None = None, go: Callable[[FakeDoor], None] | None = None, **options: Any
) -> tuple[int, str, list[str], FakeDoor]:
    """(status, output, what was said, the door) of a run; `go` is what happens once programs run."""
    door = door or FakeDoor()
    if go is not None:
        happening = go
        the_door = door
        door.on_go = lambda: happening(the_door)
    sink = ListSink()
    status = Session(prog, door, sink, Options(**options)).run()
    return status, sink.text, sink.said, door


def later(seconds: float, action: Callable[[], object]) -> None:
    """Do something while the session runs."""
    threading.Timer(seconds, action).start()


def test_begin_exit_end() -> None:
    source = SOURCE + "def stop():\n    begin()\n    _exit(0)\n    _emit('still;')\n"
    prog = program(source, begin=("begin", "stop", "begin"), end=("end", "end"))
    status, text, said, door = run(prog)
    assert (status, text, said) == (0, "begin;begin;still;end;end;", [])
    assert door.attached == 0
    assert door.closed


def test_programs_run_only_after_the_begin_handlers_and_the_attaching() -> None:
    seen: list[Any] = []
    door = FakeDoor()
    source = SOURCE + "def first(): look()\n"
    prog = program(source, (SAY,), begin=("first",), timers=(timer(0.01, "tick_and_exit"),))

    def go(door: FakeDoor) -> None:
        seen.append((door.attached, door.control[CTL_STATE]))

    session = Session(prog, door, ListSink(), Options())
    session.context.namespace["look"] = lambda: seen.append((door.attached, door.control[CTL_STATE]))
    door.on_go = lambda: go(door)
    session.run()
    assert seen == [(0, STATE_STARTING), (1, STATE_RUNNING)]


def test_records_of_two_cpus_run_in_the_order_of_their_numbers() -> None:
    def go(door: FakeDoor) -> None:
        for i in range(40):
            door.record(i * 7 % 3 % 2, SAY, i)

    prog = program(SOURCE, (SAY,), timers=(timer(0.05, "tick_and_exit"),), end=("end",))
    _, text, _, _ = run(prog, FakeDoor(2), go)
    assert text == "".join(f"{i};" for i in range(40)) + "tick;end;"


def test_a_timer_runs_after_every_record_before_its_tick_and_before_those_behind_it() -> None:
    door = FakeDoor(2)

    def go(door: FakeDoor) -> None:
        # 0 to 9 before the tick; when the tick reads its number, 10 comes on top
        for i in range(10):
            door.record(i % 2, SAY, i)

    class Late(FakeDoor):
        """One record comes right after a tick was numbered."""

        late = False

        @property
        def sequence(self) -> int:
            number = super().sequence
            if not self.late and number == 10 and self.attached:
                self.late = True
                self.record(0, SAY, 10)
            return number

    door = Late(2)
    source = (
        SOURCE
        + "def twice():\n    tick()\n    count.append(1)\n    if len(count) == 2: _exit(0)\ncount = []\n"
    )
    prog = program(source, (SAY,), timers=(timer(0.02, "twice"),), end=("end",))
    _, text, _, _ = run(prog, door, go)
    assert text == "".join(f"{i};" for i in range(10)) + "tick;10;tick;end;"


def test_exit_in_a_records_handler_drops_what_lies_behind_it() -> None:
    spec = record_spec(0, "say_and_exit", "i64")

    def go(door: FakeDoor) -> None:
        for i in range(10):
            door.record(0, spec, i)

    status, text, said, door = run(program(SOURCE, (spec,), end=("end",)), go=go)
    assert (status, text, said) == (7, "0;1;2;3;end;", [])
    assert door.detached


def test_exit_in_the_kernel_stage_runs_what_came_before_it() -> None:
    def go(door: FakeDoor) -> None:
        for i in range(3):
            door.record(0, SAY, i)
        door.exit_in_kernel(5)

    status, text, _, _ = run(program(SOURCE, (SAY,), end=("end",)), go=go)
    assert (status, text) == (5, "0;1;2;end;")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_with_all_that_is_pending(number: int) -> None:
    def go(door: FakeDoor) -> None:
        door.record(0, SAY, 1)
        later(0.05, lambda: os.kill(os.getpid(), number))

    before = signal.getsignal(number)
    status, text, _, door = run(program(SOURCE, (SAY,), end=("end",)), go=go)
    assert (status, text) == (0, "1;end;")
    assert door.quiesced
    assert signal.getsignal(number) == before


def test_records_that_come_between_the_last_look_and_the_stop_are_not_lost() -> None:
    class Late(FakeDoor):
        """A program that was running when the word changed."""

        def quiesce(self) -> None:
            if self.control[CTL_STATE] == STATE_STOPPING and not self.quiesced:
                self.record(0, SAY, 99)
            super().quiesce()

    def go(door: FakeDoor) -> None:
        later(0.05, lambda: os.kill(os.getpid(), signal.SIGINT))

    _, text, _, _ = run(program(SOURCE, (SAY,), end=("end",)), Late(), go)
    assert text == "99;end;"


def test_a_second_signal_ends_at_once() -> None:
    source = SOURCE + (
        "import os, time\n"
        "def impatient():\n"
        "    os.kill(os.getpid(), 2)\n"
        f"    time.sleep({2 * AT_ONCE / 1e9})\n"
        "    os.kill(os.getpid(), 2)\n"
        "    _emit('never;')\n"
    )
    status, text, _, door = run(program(source, begin=("begin", "impatient"), end=("end",)))
    assert (status, text) == (1, "begin;")
    assert door.closed


def test_signals_of_the_script() -> None:
    def go(door: FakeDoor) -> None:
        later(0.03, lambda: os.kill(os.getpid(), signal.SIGUSR1))
        later(0.08, lambda: os.kill(os.getpid(), signal.SIGINT))

    prog = program(SOURCE, (SAY,), lang="bt", signals=(("SIGUSR1", "tick"),))
    _, text, _, _ = run(prog, go=go, quiet=True)
    assert text == "tick;"


def test_a_timeout() -> None:
    before = time.monotonic()
    status, text, _, _ = run(program(SOURCE, (SAY,), end=("end",)), timeout=0.1)
    assert (status, text) == (0, "end;")
    assert time.monotonic() - before >= 0.1


def test_the_target_process_ends() -> None:
    pid = os.fork()
    if not pid:
        time.sleep(0.1)
        os._exit(0)
    try:
        status, text, _, _ = run(program(SOURCE, (SAY,), end=("end",)), target_pid=pid)
    finally:
        os.waitpid(pid, 0)
    assert (status, text) == (0, "end;")


class Child:
    """A held command."""

    def __init__(self, seconds: float, status: int = 0) -> None:
        self.released = 0
        self.seconds = seconds
        self.status = status
        self.pid, self.pidfd = 0, -1
        self.read, self.write = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(self.write)
            os.read(self.read, 1)
            time.sleep(seconds)
            os._exit(status)
        self.pidfd = os.pidfd_open(self.pid)

    def release(self) -> None:
        self.released += 1
        os.close(self.write)
        os.close(self.read)

    def poll(self) -> int | None:
        pid, raw = os.waitpid(self.pid, os.WNOHANG)
        return os.WEXITSTATUS(raw) if pid else None


@pytest.mark.parametrize("code", [0, 3])
def test_the_command_is_released_when_programs_run_and_its_end_ends_the_run(code: int) -> None:
    child = Child(0.1, code)
    door, sink = FakeDoor(), ListSink()
    seen: list[int] = []
    door.on_go = lambda: seen.append(child.released)
    session = Session(program(SOURCE, (SAY,), end=("end",)), door, sink, Options(), child)  # type: ignore[arg-type]
    assert session.run() == (1 if code else 0)
    assert (seen, child.released, sink.text) == ([0], 1, "end;")
    assert bool(sink.said) == bool(code) and (not code or "status 3" in sink.said[0])


def test_an_error_in_a_handler_ends_the_run_with_the_error_handlers() -> None:
    prog = program(
        SOURCE, (SAY,), begin=("begin",), end=("end",), error=("error",), timers=(timer(0.01, "fail"),)
    )
    status, text, said, _ = run(prog)
    assert (status, text) == (1, "begin;error;")
    assert said[0] == "ERROR: division by 0 near operator '/' at x.stp:1:2\n"


def test_an_error_in_begin_attaches_nothing() -> None:
    prog = program(SOURCE, (SAY,), begin=("fail", "begin"), end=("end",), error=("error",))
    status, text, _, door = run(prog)
    assert (status, text, door.attached) == (1, "error;", 0)


def test_records_behind_an_error_are_dropped() -> None:
    spec = record_spec(0, "fail_at", "i64")

    def go(door: FakeDoor) -> None:
        for i in range(5):
            door.record(0, spec, i)

    status, text, said, _ = run(program(SOURCE, (spec,), end=("end",), error=("error",)), go=go)
    assert (status, text) == (1, "0;error;")
    assert said[-1] == "WARNING: Number of errors: 1, skipped probes: 0\n"


def test_errors_below_the_limit_end_their_handler_only() -> None:
    spec = record_spec(0, "fail_at", "i64")

    def go(door: FakeDoor) -> None:
        for i in range(5):
            door.record(0, spec, i)

    prog = program(SOURCE, (spec,), end=("end",), timers=(timer(0.1, "tick_and_exit"),))
    status, text, said, _ = run(prog, go=go, maxerrors=5)
    assert (status, text) == (0, "0;2;4;tick;end;")
    assert sum("division by 0" in line for line in said) == 2


@pytest.mark.parametrize("with_record", [True, False])
def test_an_error_in_the_kernel_stage(with_record: bool) -> None:
    def go(door: FakeDoor) -> None:
        door.record(0, SAY, 1)
        if with_record:
            door.record(0, SAY, 2)
            door.flag_error(0, 0)
        else:
            door.raise_error(0, 0x10)

    status, text, said, _ = run(program(SOURCE, (SAY,), end=("end",), error=("error",)), go=go)
    assert (status, text) == (1, "1;error;")
    assert said[0].startswith("ERROR: it broke at 0x")


def test_what_was_lost_is_said_with_the_globals_that_may_be_inexact() -> None:
    door = FakeDoor()
    door.lost = (3, 1)
    source = SOURCE + "def count(n):\n    global _g0\n    _g0 = _g0 + n\n"
    spec = record_spec(0, "count", "i64")
    prog = program(source, (spec,), globals=(glob("seen", 0, "user"), glob("other", 1, "user")))
    _, _, said, _ = run(prog, door, lambda d: d.exit_in_kernel(0))
    assert said[0].startswith("WARNING: 3 runs skipped: ring full")
    assert said[1].startswith("WARNING: 1 run skipped: no scratch")
    assert said[2] == "WARNING: inexact for that: seen\n"


def test_globals_are_shown_at_the_end_unless_that_is_off() -> None:
    prog = program(
        SOURCE, begin=("tick_and_exit",), globals=(glob("x", 0, "user", display="unread", initial=4),)
    )
    assert run(prog)[1] == "tick;x=4\n"
    assert run(prog, display_globals=False)[1] == "tick;"


def test_bpftrace_says_how_many_probes_it_attached() -> None:
    prog = program(SOURCE, (SAY,), lang="bt", begin=("begin",), timers=(timer(0.01, "tick_and_exit"),))
    assert run(prog)[2] == ["Attached 2 probes\n"]
    assert run(prog, quiet=True)[2] == []


def test_a_reader_that_is_gone_ends_the_run_quietly() -> None:
    class Broken(ListSink):
        def flush(self) -> None:
            if self.parts:
                raise BrokenPipeError

    door, sink = FakeDoor(), Broken()
    prog = program(SOURCE, (SAY,), end=("end",), timers=(timer(0.01, "tick"),))
    assert Session(prog, door, sink, Options()).run() == 1
    assert (door.closed, sink.said) == (True, [])


def test_output_is_written_once_a_batch() -> None:
    def go(door: FakeDoor) -> None:
        for i in range(100):
            door.record(0, SAY, i)

    door, sink = FakeDoor(), ListSink()
    door.on_go = lambda: go(door)
    prog = program(SOURCE, (SAY,), timers=(timer(0.05, "tick_and_exit"),))
    Session(prog, door, sink, Options()).run()
    assert sink.text.startswith("0;1;2;")
    assert sink.flushes < 15


def test_a_flip_comes_before_the_records_are_drained_and_the_merge() -> None:
    """The handler's report has all records of the generation that it reports."""
    from runtime_kit import FakeSlots

    table = FakeSlots()
    spec = glob("n", 0, "delta", map="delta", resets=True)

    class Busy(FakeDoor):
        """A program that read the old generation is still running at the flip."""

        def flip(self) -> int:
            old = super().flip()
            self.record(0, SAY, 5)
            table.put(old, (77).to_bytes(8, "little"))
            return old

    source = SOURCE + (
        "def report():\n    global _g0\n    _emit('n=%d;' % _g0)\n    _g0 = 0\n    _exit(0)\n_SYNC = {'report': (0,)}\n"
    )
    prog = program(source, (SAY,), globals=(spec,), timers=(timer(0.02, "report"),))
    _, text, _, door = run(prog, Busy(maps={"delta": table}))
    assert text == "5;n=77;"
    assert door.flips == 1


def test_losses_are_an_event_of_json(tmp_path: Any) -> None:
    import json

    from pystap.sinks import open_sink

    door = FakeDoor()
    door.lost = (3, 1)
    door.on_go = lambda: door.exit_in_kernel(0)
    path = tmp_path / "out"
    sink = open_sink(Options(output=str(path), format="json"))
    sink.errors = os.open(os.devnull, os.O_WRONLY)
    assert Session(program(SOURCE, (SAY,), lang="bt"), door, sink, Options()).run() == 0
    sink.close()
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"type": "attached_probes", "data": {"probes": 0}},
        {"type": "lost_events", "data": {"events": 4}},
    ]


def test_what_was_printed_before_a_failure_comes_out(tmp_path: Any) -> None:
    """The kernel refuses something while a handler runs, say."""
    from pystap.kernel.sys import KernelError
    from pystap.sinks import open_sink

    sink = open_sink(Options(output=str(tmp_path / "out")))
    session = Session(
        program(SOURCE + "def bad():\n    tick()\n    refuse()\n", begin=("bad",)),
        FakeDoor(),
        sink,
        Options(),
    )

    def refuse() -> None:
        raise KernelError(12, "updating a map")

    session.context.namespace["refuse"] = refuse
    with pytest.raises(KernelError):
        session.run()
    assert (tmp_path / "out").read_text() == "tick;"
    sink.close()
