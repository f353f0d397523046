"""Paths that the tapset walks up, beside the kernel's own words in /proc."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.live.tracer import run

SCRIPT = """
probe syscall.lseek {
  if (pid() != target() || offset != 77777) next
  println(fullpath_struct_file(task_current(), @cast(task_current(), "struct task_struct")->files->fdt->fd[fildes]))
}
"""

WORK = """
import os, socket, sys
paths = sys.argv[1:]
files = [os.open(p, os.O_RDONLY) for p in paths]
files += [os.pipe()[0], socket.socket().detach(), os.eventfd(1), os.memfd_create("mem")]
os.unlink(paths[0])
for fd in files:
    print(os.readlink(f"/proc/self/fd/{fd}"), file=sys.stderr, flush=True)
    try: os.lseek(fd, 77777, 0)
    except OSError: pass
"""


def test_paths(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.write_text("x")
    long = tmp_path / ("n" * 255)
    long.write_text("x")
    shared = Path(f"/dev/shm/pystap-test-{os.getpid()}")
    shared.write_text("x")
    work = tmp_path / "work.py"
    work.write_text(WORK)
    files = [
        gone,
        long,
        shared,
        Path("/"),
        Path("/proc"),
        Path("/proc/sys/kernel/ostype"),
        Path("/dev/null"),
        tmp_path,
    ]
    try:
        command = f"{sys.executable} {work} {' '.join(map(str, files))}"
        done = run("-e", SCRIPT, "-c", command)
    finally:
        shared.unlink()
    assert done.status == 0, done.err
    assert done.out.splitlines() == done.err.splitlines()
    assert len(done.out.splitlines()) == len(files) + 4


def test_directory_and_depth(tmp_path: Path) -> None:
    script = (
        "probe syscall.exit_group { if (pid() == target()) println(d_path(task_cwd_path(task_current()))) }"
    )
    inside = tmp_path / "one two"
    deep = Path("/dev/shm") / f"pystap-test-{os.getpid()}" / "/".join("abcdefghijklm")
    inside.mkdir()
    deep.mkdir(parents=True)
    try:
        shown = [run("-e", script, "-c", f"/usr/bin/env -C '{at}' /bin/true").out for at in (inside, deep)]
    finally:
        for part in (deep, *deep.parents[:13]):
            part.rmdir()
    assert shown[0] == f"{inside}\n"
    assert shown[1] == ".../" + "/".join("bcdefghijklm") + "\n"
