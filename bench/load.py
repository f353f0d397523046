"""A loop of `getppid()` pinned to one CPU: `python3 -m bench.load CPU`, told by lines `CHUNKS CALLS` on stdin.

For each line it answers with the nanoseconds of CPU time that a call took, one number a chunk. The loop is
twenty bytes of machine code, so that the interpreter adds neither time nor noise; elsewhere than on x86-64 it is
a loop of Python, whose own share cancels out in differences.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys
import time
from itertools import repeat
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# mov r8, rdi; again: mov eax, 110; syscall; dec r8; jnz again; ret
_X86_64 = bytes.fromhex("4989f8 b86e000000 0f05 49ffc8 75f4 c3")
NUMBER = 110 if os.uname().machine == "x86_64" else 173  # of getppid
_keep: list[mmap.mmap] = []


def _python_loop(calls: int) -> None:
    getppid = os.getppid
    for _ in repeat(None, calls):
        getppid()


def _loop() -> Callable[[int], object]:
    """Return a function that makes so many calls."""
    if os.uname().machine != "x86_64":
        return _python_loop
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page[: len(_X86_64)] = _X86_64
    function = ctypes.CFUNCTYPE(None, ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    _keep.append(page)
    return function


def main() -> None:
    """Answer the questions on stdin until it ends."""
    os.sched_setaffinity(0, {int(sys.argv[1])})
    loop = _loop()
    loop(10_000)
    clock = time.thread_time_ns
    for line in sys.stdin:
        chunks, calls = (int(word) for word in line.split())
        took = []
        for _ in range(chunks):
            begun = clock()
            loop(calls)
            took.append((clock() - begun) / calls)
        print(*took, flush=True)


class Load:
    """The loop in a process of its own."""

    def __init__(self, cpu: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.load", str(cpu)],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def chunks(self, chunks: int, calls: int) -> list[float]:
        """Return ns a call for each chunk."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{chunks} {calls}\n")
        self.process.stdin.flush()
        return [float(word) for word in self.process.stdout.readline().split()]

    def call_ns(self, chunks: int, calls: int) -> float:
        """Return ns a call: the median of the chunks."""
        return median(self.chunks(chunks, calls))

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


if __name__ == "__main__":
    main()
