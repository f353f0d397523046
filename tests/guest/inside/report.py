"""A plugin for the pytest that runs inside a guest: one line of JSON for each test, between whatever else is printed.

A test that fails when its tracer said that the kernel left out handlers of some events is run once more, and that is told.
Under emulation a handler takes so long that an interrupt, or another task, comes in between now and then: the kernel
runs nothing twice on one CPU. The count was exact and said, but the test's workload demands that there are none.
"""

from __future__ import annotations

import json
import os

import pytest
from _pytest.runner import runtestprotocol

from tests.live.tracer import left_out

MARK = "@guest-test "

# taken when the plugin is loaded, before pytest begins to capture
_stdout = os.dup(1)


def _outcome(report: pytest.TestReport) -> tuple[str, str]:
    if report.skipped:
        where = report.longrepr
        return "skipped", str(where[2]) if isinstance(where, tuple) else str(where)
    return report.outcome, report.longreprtext


_again: dict[str, str] = {}  # why a test was run once more


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run a test, and once more if the kernel left something out of what it demands."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    left_out.clear()
    reports = runtestprotocol(item, log=False, nextitem=nextitem)
    if left_out and any(report.failed for report in reports):
        _again[item.nodeid] = left_out[0]
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


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
        "again": _again.get(report.nodeid, ""),
    }
    os.write(_stdout, f"\n{MARK}{json.dumps(row)}\n".encode())
