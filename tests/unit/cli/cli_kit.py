"""What the command's tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FIXTURE = ROOT / "tests" / "fixtures" / "kernel.btf"


class Ran:
    """How a command ended: status, and what it wrote."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status = status
        self.out = out
        self.err = err

    def failed(self, code: str, *texts: str) -> None:
        """Assert that it failed with one error of a code, which says all of the texts."""
        assert self.status == 1, (self.status, self.out, self.err)
        assert f"error[{code}]: " in self.err, self.err
        assert "Traceback" not in self.err and "E999" not in self.err, self.err
        for text in texts:
            assert text in self.err, self.err

    def worked(self) -> str:
        """Assert that it went well; return the output."""
        assert self.status == 0, (self.status, self.out, self.err)
        assert "error" not in self.err, self.err
        return self.out


Command = Callable[..., Ran]
