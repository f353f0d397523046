"""Records that came before the end are run, each with its own error, where errors are forgiven (-D MAXERRORS)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pystap.runtime.errors import ScriptError
from pystap.runtime.session import Session


@pytest.mark.parametrize("allowed, seen", [(10, [1, 2, 3]), (1, [1, 2])])
def test_the_command_may_have_ended(allowed: int, seen: list[int]) -> None:
    run: list[int] = []

    def record(records: list[int]) -> None:
        run.extend(records)
        raise ScriptError("oops")

    def error(_: ScriptError) -> None:
        session.failed = len(run) > session.options.maxerrors

    session: Any = SimpleNamespace(
        dispatcher=SimpleNamespace(run=record),
        options=SimpleNamespace(maxerrors=allowed),
        context=SimpleNamespace(exiting=False),
        stopping=True,
        failed=False,
        _script_error=error,
    )
    Session._run_records(session, [1, 2, 3])
    assert run == seen
