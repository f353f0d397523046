"""Options of the whole suite, and the reasons for which live tests skip."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = Path(__file__).parent / "scripts"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--scripts-dir", default=None, help="folder of script files to run instead of our own")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() == 0 and os.path.exists("/sys/kernel/btf/vmlinux"):
        return
    why = "needs root" if os.geteuid() else "this kernel has no BTF"
    for item in items:
        if "live" in Path(str(item.fspath)).relative_to(ROOT).parts:
            item.add_marker(pytest.mark.skip(reason=why))
