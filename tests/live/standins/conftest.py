"""The same scripts and stages as the scenarios."""

from __future__ import annotations

from tests.live.scenarios.conftest import net, script, stage

__all__ = ["net", "script", "stage"]
