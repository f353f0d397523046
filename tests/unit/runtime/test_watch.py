"""What tells that nobody reads the output any more, and what doesn't."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from pystap.runtime.watch import Watch


def test_a_pipe() -> None:
    read, write = os.pipe()
    watch = Watch([])
    watch.add_reader(write, "unread")
    assert watch.wait(0) == set()
    os.write(write, b"x" * 5000)
    assert watch.wait(0) == set()
    os.close(read)
    assert watch.wait(0) == {"unread"}
    watch.close()
    os.close(write)


def test_a_socket() -> None:
    """One way may be shut, as ssh does with its input's end and services with what they never read."""
    ours, theirs = socket.socketpair()
    watch = Watch([])
    watch.add_reader(ours.fileno(), "unread")
    theirs.shutdown(socket.SHUT_WR)
    ours.shutdown(socket.SHUT_RD)
    assert watch.wait(0) == set()
    theirs.close()
    assert watch.wait(0) == {"unread"}
    watch.close()
    ours.close()


def test_other_files_are_not_watched(tmp_path: Path) -> None:
    watch = Watch([])
    with (tmp_path / "out").open("w") as file, open(os.devnull, "w") as null:
        watch.add_reader(file.fileno(), "unread")
        watch.add_reader(null.fileno(), "unread")
        assert watch.wait(0) == set()
    watch.close()
