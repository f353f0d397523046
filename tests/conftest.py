"""Options of the whole suite, and the reasons for which live tests skip."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

pytest.register_assert_rewrite("tests.kit")

# The calls of workloads are counted. Where these aren't set, a Python or a shell that starts looks its user up, over a
# socket to nscd; a `python3` that a version manager put in the path may be a chain of shells.
os.environ.setdefault("HOME", "/")
os.environ.setdefault("SHELL", "/bin/sh")
os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"

ROOT = Path(__file__).parent.parent
SCRIPTS = Path(__file__).parent / "scripts"

# "ci": few examples, always the same ones; --hypothesis-profile=long looks for new ones for as long as it takes
_ALL = {"deadline": None, "suppress_health_check": list(HealthCheck)}
_PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)  # explaining traces every line
settings.register_profile("ci", max_examples=100, derandomize=True, phases=_PHASES, **_ALL)
settings.register_profile("long", max_examples=5000, print_blob=True, phases=_PHASES, **_ALL)
settings.load_profile("ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--scripts-dir", default=None, help="folder of script files to run instead of our own")


@pytest.fixture
def scripts_folder(pytestconfig: pytest.Config) -> Path | None:
    """The folder with script files from elsewhere, which a test runs instead of our own."""
    folder = pytestconfig.getoption("--scripts-dir")
    return None if folder is None else Path(folder).resolve()


def _runs_scripts(item: pytest.Item) -> bool:
    return "scripts_folder" in item.fixturenames or "check" in item.fixturenames  # type: ignore[attr-defined]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With script files from elsewhere, only what runs these, or looks for it in guests, is of use."""
    if config.getoption("--scripts-dir"):
        items[:] = [item for item in items if _runs_scripts(item)]
    if os.geteuid() == 0 and os.path.exists("/sys/kernel/btf/vmlinux"):
        return
    why = "needs root" if os.geteuid() else "this kernel has no BTF"
    for item in items:
        if "live" in Path(str(item.fspath)).relative_to(ROOT).parts:
            item.add_marker(pytest.mark.skip(reason=why))
