"""A start that fails, a run that fails: nothing stays attached, and the error is what is said.

The door is the real one; what is made to fail is the last attaching, or the session's work on what is attached.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pystap.cli.live import live_target
from pystap.compiler import compile_script
from pystap.diag import Bag
from pystap.kernel.sys import KernelError
from pystap.options import Options
from pystap.runtime.door import Door
from pystap.runtime.session import Session
from pystap.sinks import open_sink
from pystap.source import Source

# Four programs of their own: two tracepoints, a system call, sampling.
TEXT = """
global n
probe kernel.trace("sched_process_fork") { n++ }
probe kernel.trace("sched_process_exec") { n++ }
probe syscall.getpgid { n++ }
probe timer.profile { n++ }
probe end { printf("%d\\n", n >= 0) }
"""


class Failing(Door):
    """A door whose last program can't be attached."""

    attached_then = 0

    def attach(self) -> list[str]:
        def refuse() -> object:
            self.attached_then = len(self.attachments)
            raise KernelError(errno.EBUSY, "attaching to the last")

        self.loaded[-1].attach = refuse  # type: ignore[assignment]
        return super().attach()


def _session(door: type[Door], out: Path) -> Session:
    bag, target, options = Bag(), live_target(), Options(output=str(out))
    program = compile_script(Source("t.stp", TEXT), "stp", target, options, bag)
    assert program is not None, bag.items
    return Session(program, door(target.btf), open_sink(options), options)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Files of the kernel's that this process had open before are all that it has afterwards."""
    before = _files()
    yield
    assert _files() == before


def _files() -> list[str]:
    found = []
    for one in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{one}"))
        except OSError:  # that of the listing
            continue
    return sorted(name for name in found if name.startswith("anon_inode:"))


def test_refused_after_others_were_attached(tmp_path: Path) -> None:
    session = _session(Failing, tmp_path / "out")
    session.prepare()
    door = session.door
    with pytest.raises(KernelError, match="attaching to the last"):
        session.run()
    assert isinstance(door, Failing) and door.attached_then >= 3
    assert not door.attachments and not door.loaded and not door.maps


def _at_start(session: Session) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    session.on_start = broken


def _interrupted(session: Session) -> None:
    def broken() -> None:
        raise KeyboardInterrupt

    session.on_start = broken


@pytest.mark.parametrize("breaks", [_at_start, _interrupted])
def test_an_exception_in_the_run(breaks: Callable[[Session], None], tmp_path: Path) -> None:
    session = _session(Door, tmp_path / "out")
    session.prepare()
    breaks(session)
    with pytest.raises((ZeroDivisionError, KeyboardInterrupt)):
        session.run()
    assert not session.door.attachments and not session.door.loaded and not session.door.maps
