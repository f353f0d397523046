"""`python3 -m tests.guest.matrix < JSON`: boot each kernel of a table once, a few at a time, with the tests it is to run.

A process of its own: a thread of the tests' process would be in what they trace.
Read: {"wanted": {kernel: [test file, ...]}, "scripts": folder or null}. Written, a line of JSON for each kernel that
ended: {"kernel": ..., "tests": [Outcome's fields, ...]}, or "failed" or "unavailable" with the reason instead of
"tests". SIGTERM ends the guests that still run.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from tests.live.warm import ASK

from .guest import GuestFailed, Result, Unavailable, boot
from .inside.report import MARK
from .kernels import DEBUG_KERNELS

DEBUG = "tests/live/debuginfo/"  # what needs a kernel's debug information
BOOT_SECONDS = 2700.0
INSIDE = "/scripts"  # where a guest finds the folder of scripts
# Mirrored handlers are compared with staged ones on the machine itself: here there is no time for both.
# Tracers are forks of one process there: a start takes as long as all the rest of most tests.
PYTEST = (
    f"{ASK}=1 python3 -m pytest -q -p tests.guest.inside.report -p no:cacheprovider --tb=short"
    " -o python_files='test_*.py check_*.py' -k 'not mirror'"
)


class Matrix:
    """The guests of one run."""

    def __init__(self, wanted: dict[str, list[str]], scripts: str | None) -> None:
        self._wanted = wanted
        self._folders = {INSIDE: Path(scripts).resolve()} if scripts else {}
        self._cancel = threading.Event()
        self._writing = threading.Lock()
        # a guest uses one processor, and not always
        self._slots = threading.Semaphore((os.cpu_count() or 1) + 1)

    def go(self) -> None:
        """Run all guests to their ends."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._cancel.set())
        threads = [threading.Thread(target=self._run, args=(name,)) for name in self._wanted]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.5)  # a signal's handler runs between

    def _run(self, kernel: str) -> None:
        with self._slots:
            if self._cancel.is_set():
                return
            told = {"kernel": kernel, **self._ended(kernel)}
        with self._writing:
            print(json.dumps(told), flush=True)

    def _ended(self, kernel: str) -> dict[str, Any]:
        command = f"{PYTEST} {shlex.join(self._wanted[kernel])}"
        if self._folders:
            command += f" --scripts-dir {INSIDE}"
        try:
            done = self._boot(kernel, command, kernel in DEBUG_KERNELS and DEBUG in command)
        except Unavailable as why:
            return {"unavailable": str(why)}
        except GuestFailed as why:
            return {"failed": str(why)}
        except Exception:
            return {"failed": traceback.format_exc()}
        lines = done.output.splitlines()
        tests = [json.loads(line.removeprefix(MARK)) for line in lines if line.startswith(MARK)]
        if not tests:
            return {"failed": f"no test ran in the guest with {kernel}:\n{done.output}"}
        return {"tests": tests}

    def _boot(self, kernel: str, command: str, debuginfo: bool) -> Result:
        try:
            return boot(
                *(kernel, command, BOOT_SECONDS),
                tell=lambda text: print(text, file=sys.stderr),
                cancel=self._cancel,
                folders=self._folders,
                debuginfo=debuginfo,
            )
        except Unavailable:
            if not debuginfo:
                raise
            return self._boot(kernel, command, False)  # the tests that need it skip themselves


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    Matrix(asked["wanted"], asked["scripts"]).go()
