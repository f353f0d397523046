"""Network namespaces of the tests' own: traffic never leaves them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class Namespace:
    """A network namespace with loopback up."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, code: str, *args: str, user: int | None = None) -> str:
        """Run Python code inside, to its end; return what it printed."""
        command = ["ip", "netns", "exec", self.name, sys.executable, "-c", code, *args]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, user=user)
        return done.stdout

    def snmp(self, protocol: str, field: str) -> int:
        """Return one of the namespace's own counters (/proc/net/snmp)."""
        text = self.run("print(open('/proc/net/snmp').read())")
        rows = [line.split() for line in text.splitlines() if line.startswith(f"{protocol}:")]
        return int(rows[1][rows[0].index(field)])


@contextmanager
def namespace() -> Iterator[Namespace]:
    """Make a namespace, and remove it at the end."""
    name = f"pystap-test-{os.getpid()}-{os.urandom(3).hex()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield Namespace(name)
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)
