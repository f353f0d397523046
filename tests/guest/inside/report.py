"""A plugin for the pytest that runs inside a guest: one line of JSON for each test, between whatever else is printed."""

from __future__ import annotations

import json
import os

import pytest

MARK = "@guest-test "

# taken when the plugin is loaded, before pytest begins to capture
_stdout = os.dup(1)


def _outcome(report: pytest.TestReport) -> tuple[str, str]:
    if report.skipped:
        where = report.longrepr
        return "skipped", str(where[2]) if isinstance(where, tuple) else str(where)
    return report.outcome, report.longreprtext


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Tell a test's outcome: that of its body, or of its fixtures where these fail or skip."""
    if report.when != "call" and report.passed:
        return
    outcome, why = _outcome(report)
    captured = report.capstdout + report.capstderr if outcome == "failed" else ""
    row = {
        "test": report.nodeid,
        "outcome": outcome,
        "why": why,
        "captured": captured[-4000:],
        "seconds": round(report.duration, 1),
    }
    os.write(_stdout, f"\n{MARK}{json.dumps(row)}\n".encode())
