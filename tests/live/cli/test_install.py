"""`pip install .` gives the command `pystap`, with tapset and tools inside."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.tracer import PATIENCE, ROOT


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, installed from a copy of the source into a folder of its own."""
    folder = tmp_path_factory.mktemp("install")
    source = folder / "source"
    source.mkdir()
    shutil.copytree(ROOT / "pystap", source / "pystap", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    site = folder / "site"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        str(site),
    ]
    done = subprocess.run([*pip, str(source)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return site


def pystap(site: Path, *words: str) -> str:
    """Run the installed command outside the source's folder."""
    done = subprocess.run(
        [str(site / "bin" / "pystap"), *words],
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_runs(installed: Path) -> None:
    from pystap import __version__

    assert pystap(installed, "--version").startswith(f"pystap {__version__} ")
    assert pystap(installed, "-e", 'probe begin { println("hello") exit() }') == "hello\n"


def test_the_tapset_is_inside(installed: Path) -> None:
    text = "probe netdev.receive { println(dev_name) } probe begin { println(execname()) exit() }"
    assert pystap(installed, "-e", text) != ""
    package = installed / "pystap"
    for folder, pattern in (("tapset", "*.stp*"), ("tools", "*.stp")):
        want = sorted(path.name for path in (ROOT / "pystap" / folder).glob(pattern))
        assert want and want == sorted(path.name for path in (package / folder).glob(pattern))


def test_the_tools_are_inside(installed: Path) -> None:
    assert "usage: pystap nettop" in pystap(installed, "nettop", "--help")
    assert "kernel stage" in pystap(installed, "explain", "nettop")
