"""`python3 -m pystap`."""

from __future__ import annotations

from .cli.main import main_and_leave

main_and_leave()
