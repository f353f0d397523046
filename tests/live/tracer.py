"""Runs pystap as a user does: a child process, its output, signals. Waits for events, never for time alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from . import warm

ROOT = Path(__file__).parent.parent.parent
LEFT_OUT = "skipped: another program was running on that CPU"
left_out: list[str] = []  # what tracers of this process said that their kernel left out
PATIENCE = 240.0  # seconds until a tracer that hangs fails its test: far above what one in a busy guest needs


def _fresh(words: tuple[str, ...], cwd: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "pystap", *words],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )


class Tracer:
    """One run of pystap. `with Tracer(script, ...) as t:` starts it and waits until it traces.

    When the block ends the tracer is interrupted, unless it ended by itself. Afterwards `out`, `err` (without
    the lines of -v) and `status` are set.
    """

    def __init__(self, *words: str, stage: str = "auto", until_ready: bool = True, cwd: Path = ROOT) -> None:
        words = ("-v", f"--stage={stage}", *words)
        # a refusal by the verifier is a mistake of ours: here it fails the test
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PYSTAP_NO_FALLBACK": "1"}
        self.process = warm.Process(words, cwd, env) if warm.wanted() else _fresh(words, cwd, env)
        self.until_ready = until_ready
        self.out = ""
        self.err = ""
        self.status: int | None = None
        self._chunks: list[bytes] = []
        self._errors: list[bytes] = []
        self._ready = threading.Event()
        self._grown = threading.Condition()
        self._threads = [
            threading.Thread(target=self._read_out, daemon=True),
            threading.Thread(target=self._read_err, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _read_out(self) -> None:
        assert self.process.stdout is not None
        while chunk := os.read(self.process.stdout.fileno(), 1 << 16):
            with self._grown:
                self._chunks.append(chunk)
                self._grown.notify_all()
        with self._grown:
            self._grown.notify_all()

    def _read_err(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if line.startswith(b"Pass "):
                if line.startswith(b"Pass 5: starting"):
                    self._ready.set()
                continue
            self._errors.append(line)
        self._ready.set()

    def __enter__(self) -> Tracer:
        if self.until_ready and not self._ready.wait(PATIENCE):
            self.process.kill()
            raise AssertionError(f"the tracer never started: {self.so_far()!r} {b''.join(self._errors)!r}")
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def so_far(self) -> str:
        """Return the output until now."""
        with self._grown:
            return b"".join(self._chunks).decode("utf-8", "replace")

    def wait_for(self, text: str, times: int = 1) -> str:
        """Wait until the output holds `text` so many times; return the output."""

        def there() -> bool:
            return b"".join(self._chunks).decode("utf-8", "replace").count(text) >= times

        with self._grown:
            assert self._grown.wait_for(there, PATIENCE), f"{text!r} never came: {self._chunks!r}"
        return self.so_far()

    def interrupt(self, number: int = signal.SIGINT) -> None:
        """Send the tracer a signal."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def finish(self, number: int = signal.SIGINT) -> None:
        """Interrupt the tracer, if it still runs, and collect what it said."""
        self.interrupt(number)
        self.wait()

    def wait(self) -> None:
        """Wait for the tracer's own end and collect what it said."""
        try:
            self.status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the tracer did not end: {self.so_far()!r} {self._errors!r}") from None
        for thread in self._threads:
            thread.join(PATIENCE)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        self.out = self.so_far()
        self.err = b"".join(self._errors).decode("utf-8", "replace")
        left_out.extend(line for line in self.err.splitlines() if LEFT_OUT in line)

    def clean(self) -> str:
        """Return the output of a run that went well: status 0, nothing on stderr but warnings."""
        assert self.status == 0, (self.status, self.err, self.out)
        assert "Traceback" not in self.err, self.err
        assert "error" not in self.err.lower(), self.err
        assert "mirrored instead" not in self.err, self.err
        return self.out


def run(*words: str, stage: str = "auto") -> Tracer:
    """Run pystap to its own end."""
    tracer = Tracer(*words, stage=stage, until_ready=False)
    tracer.wait()
    return tracer
