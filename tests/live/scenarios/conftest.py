"""Each scenario runs our own script of its kind, or a file of the folder that --scripts-dir names; both stages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import SCRIPTS
from tests.live.network import Namespace, namespace

Finder = object


@pytest.fixture
def script(request: pytest.FixtureRequest):
    """A function: (our file's name, the name of its model elsewhere) -> path to run."""
    folder = request.config.getoption("--scripts-dir")

    def find(own: str, model: str) -> str:
        if folder is None:
            return str(SCRIPTS / own)
        path = Path(folder) / model
        if not path.exists():
            pytest.fail(f"{path} is missing")
        return str(path.resolve())

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
