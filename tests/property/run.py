"""Runs a script in the interpreter, with the runtime as it is, and as the evaluator of `meaning.py` has it."""

from __future__ import annotations

from typing import Any

from pystap.compiler import Compilation, mirrored_instead, run_passes
from pystap.diag import Bag
from pystap.opt import optimise
from pystap.options import Options
from pystap.runtime.session import Session
from pystap.sema.target import Target
from pystap.source import Source
from tests.kit.sink import ListSink

from .meaning import Meaning
from .vmdoor import BTF, Calls, TaskWorld, VmDoor

TARGET = 1000
LSEEK, GETPPID = 8, 110
# (pid, tid, comm, cpu) of the threads that make calls
THREADS = [
    (TARGET, TARGET, b"test", 0),
    (TARGET, 1001, b"sshd", 1),
    (2000, 2000, b"fifteen letters", 0),
]


class Result:
    """What a run did. said: the text of the first error, "" when there was none."""

    def __init__(self, out: str, said: list[str], failed: bool) -> None:
        body, mark, report = out.partition("== ")
        self.out = body
        self.report = sorted((mark + report).splitlines())
        self.said = [line for line in said if line.startswith("ERROR")]
        self.failed = failed
        self.faults = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Result) and self.told() == other.told()

    def told(self) -> str:
        """All of it, for messages."""
        return "\n".join([self.out, *self.report, "failed" if self.failed else "ended well"])


def compiled(text: str, stage: str = "auto", **options: Any) -> Compilation:
    """Compile a script that must be right."""
    bag = Bag()
    settings = Options(
        stage=stage, target_pid=TARGET, buffer=1 << 16, max_log=1 << 14, display_globals=False, **options
    )
    made: Compilation | None
    made = Compilation(Source("t.stp", text), "stp", Target(BTF, release="6.18.0"), settings, bag)
    while made is not None and not run_passes(made, 3):  # too big for a program's stack
        made = mirrored_instead(made)
    assert made is not None, [(d.message, d.span.text if d.span else "") for d in bag.errors]
    return made


class Event:
    """One thing that happens: kind "enter", "leave" (of the call before), "tick" or "drain"."""

    def __init__(
        self, kind: str, thread: int = 0, nr: int = LSEEK, args: tuple[int, ...] = (), ret: int = 0
    ) -> None:
        self.kind = kind
        self.thread = thread
        self.nr = nr
        self.args = args
        self.ret = ret

    def __repr__(self) -> str:
        return f"Event({self.kind!r}, {self.thread}, {self.nr}, {self.args}, {self.ret})"


def calls(*args: tuple[int, ...]) -> list[Event]:
    """lseek calls of the target, each with its return."""
    out = []
    for one in args:
        out += [Event("enter", 0, LSEEK, one), Event("leave", 0, LSEEK, one, -9)]
    return out


class Driver:
    """A Session whose events come from a list."""

    def __init__(self, made: Compilation) -> None:
        assert made.program is not None
        self.world = TaskWorld()
        self.door = VmDoor(self.world)
        self.sink = ListSink()
        self.session = Session(made.program, self.door, self.sink, made.options)
        self.session.context._calls = Calls(self.world)

    def run(self, events: list[Event], eager: bool = True) -> Result:
        return self._run(events, eager)

    def _run(self, events: list[Event], eager: bool) -> Result:
        session = self.session
        session.prepare()
        session._handlers(session.program.begin)
        if not session.context.exiting and not session.stopping:
            self.door.go()
            for event in events:
                self.event(event)
                if eager and self.door.loaded:
                    session.records.take()
                    session._check_control()
                if session.context.exiting or session.stopping:
                    break
        session._finish()
        session.close()
        return Result(self.sink.text, self.sink.said, session.failed)

    def event(self, event: Event) -> None:
        if event.kind == "tick":
            for timer in self.session.program.timers:
                self.session._user(timer.function)
                self.session._check_control()
                if self.session.context.exiting or self.session.stopping:
                    return
        elif self.door.loaded:
            self.world.become(*THREADS[event.thread])
            self.door.system_call(event.nr, event.args, event.ret if event.kind == "leave" else None)


def plain(text: str, events: list[Event], optimised: bool = False) -> Result:
    """The same by `meaning.py`. optimised: what nobody uses is left out first, and with it the errors it would meet."""
    bag = Bag()
    made = Compilation(
        Source("t.stp", text),
        "stp",
        Target(BTF, release="6.18.0"),
        Options(target_pid=TARGET),
        bag,
    )
    assert run_passes(made, 2), [d.message for d in bag.errors]
    assert made.module is not None
    module = made.module
    if optimised:
        optimise(module)
    world = TaskWorld()
    meaning = Meaning(module, world.memory)

    def handlers(kind: str, nr: int | None = None) -> bool:
        """Run the handlers of a kind; False when the run is to end."""
        for handler in module.handlers:
            if handler.event.kind != kind:
                continue
            numbers = (handler.event.args or {}).get("numbers")
            if nr is not None and numbers is not None and nr not in numbers:
                continue
            meaning.run(handler, values)
            if meaning.failed is not None or meaning.exited:
                return False
        return True

    values: dict[str, Any] = {}
    going = handlers("begin")
    for event in events if going else ():
        pid, tid, comm, cpu = THREADS[event.thread]
        values = {
            "nr": event.nr,
            "args": (*event.args, *[0] * 6),
            "ret": event.ret,
            "pid": pid,
            "tid": tid,
            "cpu": cpu,
            "execname": comm.decode(),
            "uid": 1001,
        }
        kind = {"enter": "sys_enter", "leave": "sys_exit", "tick": "timer"}[event.kind]
        if not handlers(kind, None if kind == "timer" else event.nr):
            break
    failed, meaning.failed, meaning.exited = meaning.failed, None, False
    handlers("end" if failed is None else "error")
    result = Result("".join(meaning.out), [], failed is not None)
    result.faults = meaning.faults
    return result


def check(text: str, events: list[Event], eager: bool = True) -> None:
    """Run a script in all ways, and compare."""
    wanted = plain(text, events)
    for stage in ("auto", "mirror"):
        found = Driver(compiled(text, stage)).run(events, eager)
        if wanted.faults and found.told() != wanted.told():
            wanted = plain(text, events, optimised=True)
        assert found.told() == wanted.told(), (stage, found.said, text)
