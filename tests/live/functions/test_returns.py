"""A call that begins between the attaching of its return and the state RUNNING isn't seen to return (R9)."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from pystap.cli.live import live_target
from pystap.compiler import compile_script
from pystap.diag import Bag
from pystap.options import Options
from pystap.runtime.door import Door
from pystap.runtime.session import Session
from pystap.sinks import open_sink
from pystap.source import Source
from tests.live import probing

NEEDS = {"fentry": ("fentry", "fexit"), "kprobe": ("kprobe", "kretprobe"), "kprobe_multi": ("kprobe_multi",)}
ACCEPT4 = "288"
TEXT = """
global n
probe kernel.function("inet_csk_accept").return { if (pid() == %d) n++ }
probe end { printf("%%d\\n", n) }
"""


class Acceptor(threading.Thread):
    """Accepts two connections; `waits()` returns when it waits for one in the kernel."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.accepted = threading.Semaphore(0)

    def run(self) -> None:
        with self.server:
            for _ in range(2):
                self.server.accept()[0].close()
                self.accepted.release()

    def waits(self) -> None:
        path = Path(f"/proc/self/task/{self.native_id}/syscall")
        while path.read_text().split()[0] != ACCEPT4:
            os.sched_yield()

    def connect(self) -> None:
        socket.create_connection(self.server.getsockname()).close()
        assert self.accepted.acquire(timeout=60)


class Window(Door):
    """Has a call begin before the state is RUNNING, and end behind that."""

    acceptor: Acceptor

    def go(self) -> None:
        self.acceptor = Acceptor()
        self.acceptor.start()
        self.acceptor.waits()
        super().go()


@pytest.mark.parametrize("attach", list(NEEDS))
def test_begun_before(attach: str, tmp_path: Path) -> None:
    if why := probing.lacks(*NEEDS[attach]):
        pytest.skip(why)
    out, bag, target = tmp_path / "out", Bag(), live_target()
    options = Options(attach=attach, output=str(out))
    program = compile_script(Source("t.stp", TEXT % os.getpid()), "stp", target, options, bag)
    assert program is not None, bag.items
    door, sink = Window(target.btf), open_sink(options)
    session = Session(program, door, sink, options)
    session.prepare()

    def started() -> None:
        door.acceptor.connect()
        door.acceptor.waits()
        door.acceptor.connect()
        session.stopping = True

    session.on_start = started
    assert session.run() == 0
    sink.close()
    assert out.read_text() == "1\n"
