"""The lines of -v: what each pass did, and how long it took."""

from __future__ import annotations

import os
import sys
from time import perf_counter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..compiler import Compilation

_LAST_STEP = {1: "parse", 2: "sema", 3: "link"}  # the step that ends a pass


class Clock:
    """Says nothing without -v."""

    def __init__(self, verbose: int) -> None:
        self.verbose = verbose
        self.started = False
        self._start()

    def _start(self) -> None:
        self._real = perf_counter()
        self._times = os.times()

    def _took(self) -> str:
        now = os.times()
        user = round((now.user - self._times.user) * 1000)
        system = round((now.system - self._times.system) * 1000)
        return f"in {user}usr/{system}sys/{round((perf_counter() - self._real) * 1000)}real ms."

    def step(self, name: str, number: int, c: Compilation) -> None:
        """A step of the compiler has ended, and with its last step the pass."""
        if self.verbose and _LAST_STEP.get(number) == name:
            self.passed(number, c)

    def passed(self, number: int, c: Compilation) -> None:
        """A pass has ended."""
        if self.verbose:
            self._say(f"Pass {number}: {_words(number, c)} {self._took()}")
            self._start()

    def starting(self) -> None:
        """The program runs from here on."""
        self.started = True
        if self.verbose:
            self._say("Pass 5: starting run.")
        self._start()

    def completed(self) -> None:
        """The run has ended."""
        if self.verbose:
            self._say(f"Pass 5: run completed {self._took()}")

    def _say(self, line: str) -> None:
        try:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
        except OSError:
            pass


def _words(number: int, c: Compilation) -> str:
    if number == 1:
        return f"parsed {c.source.name}"
    if number == 2:
        m = c.module
        assert m is not None
        counts = (
            _many(len(m.handlers), "probe"),
            _many(len(m.functions), "function"),
            _many(len(m.globals), "global"),
        )
        return f"analyzed script: {', '.join(counts)}"
    assert c.program is not None
    programs = _many(len(c.program.progs), "eBPF program")
    if number == 3:
        return f"compiled {programs}, {_many(sum(len(p.insns) // 8 for p in c.program.progs), 'instruction')}"
    return f"loaded {programs}" if c.program.progs else "loaded nothing: the script has no event handlers"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
