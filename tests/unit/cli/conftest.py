"""The command in this process, against the fixture's kernel: nothing here needs root, BTF or bpf(2)."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_kit import FIXTURE, Command, Ran

from pystap.cli.main import main


@pytest.fixture
def pystap(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """A function that runs `pystap WORDS...` in an empty folder and returns how it ended."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("PYSTAP_DEBUG", raising=False)
    monkeypatch.delenv("PYSTAP_NO_FALLBACK", raising=False)
    monkeypatch.setattr("pystap.kernel.target.vmlinux_btf", FIXTURE.read_bytes)
    monkeypatch.setattr("pystap.kernel.target.release", lambda: "6.18.0")
    monkeypatch.setattr("pystap.kernel.target.machine", lambda: "x86_64")
    monkeypatch.setattr("pystap.cli.live.LiveFeatures.__call__", lambda self, name: name not in _LACKING)

    def run(*words: str) -> Ran:
        capfd.readouterr()
        status = main(list(words))
        return Ran(status, *capfd.readouterr())

    return run


_LACKING = ("kprobe", "kretprobe", "kprobe_multi", "fentry", "fexit")
