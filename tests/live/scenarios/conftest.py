"""Each scenario runs our own script of its kind, or a file of the folder that --scripts-dir names; both stages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import SCRIPTS
from tests.live.network import Namespace, namespace

Finder = object


@pytest.fixture
def script(scripts_folder: Path | None):
    """A function: (our file's name, the name of its model elsewhere) -> path to run."""

    def find(own: str, model: str) -> str:
        if scripts_folder is None:
            return str(SCRIPTS / own)
        path = scripts_folder / model
        if not path.exists():
            pytest.fail(f"{path} is missing")
        return str(path)

    return find


@pytest.fixture(params=["auto", "mirror"])
def stage(request: pytest.FixtureRequest) -> str:
    """Both ways to run a script."""
    return str(request.param)


@pytest.fixture
def net() -> Namespace:
    """A network namespace of the test's own."""
    with namespace() as ns:
        yield ns
