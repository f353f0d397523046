"""Datagrams over the loopback device, from a process on one CPU to itself: `python3 -m bench.udp CPU`.

It answers lines `CHUNKS PACKETS` on stdin like `bench.load`: with the nanoseconds of CPU time that a packet took from
being sent to having been read, one number a chunk. Python's own share cancels out in differences.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from itertools import repeat
from pathlib import Path

from .load import Load

BYTES = b"x" * 64


def main() -> None:
    """Answer the questions on stdin until it ends."""
    os.sched_setaffinity(0, {int(sys.argv[1])})
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taker.bind(("127.0.0.1", 0))
    sender.connect(taker.getsockname())
    send, take, clock = sender.send, taker.recv, time.thread_time_ns
    for line in sys.stdin:
        chunks, packets = (int(word) for word in line.split())
        took = []
        for _ in range(chunks):
            begun = clock()
            for _ in repeat(None, packets):
                send(BYTES)
                take(100)
            took.append((clock() - begun) / packets)
        print(*took, flush=True)


class Datagrams(Load):
    """The process."""

    def __init__(self, cpu: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.udp", str(cpu)],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


if __name__ == "__main__":
    main()
