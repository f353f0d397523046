"""A cheap event whose number is in the event itself, so that the first one a tracer caught tells when it was ready.

A socket is bound to an address of 127.77.0.0/16 that encodes the number, listens and is closed: two state changes
of a TCP socket, no packet. A tracer that prints the local address of each state change prints the numbers.
"""

from __future__ import annotations

import re
import socket
import time

_ADDRESS = rb"127\.77\.(\d+)\.(\d+)"


class Beacon:
    """Makes numbered events and knows when it made each."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def flash(self) -> None:
        """Make the next event."""
        number = len(self.times) & 0xFFFF
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((f"127.77.{number >> 8}.{number & 255}", 0))
            self.times.append(time.monotonic())
            sock.listen(1)

    def caught(self, output: bytes, marks: tuple[bytes, ...] = (b"",)) -> float | None:
        """Return the time of the first event in a tracer's output, or None if there is none yet.

        marks: what stands before the address in the lines of each probe that has to speak before all is ready.
        """
        line_end = output.rfind(b"\n") + 1
        times = []
        for mark in marks:
            found = re.compile(b"^" + mark + _ADDRESS, re.MULTILINE).search(output, 0, line_end)
            if found is None:
                return None
            times.append(self.times[int(found[1]) << 8 | int(found[2])])
        return max(times)
