"""`python3 -m pystap`; the file itself can be run, too."""

from __future__ import annotations

if not __package__:  # python3 pystap/__main__.py: our own `types` must not stand before Python's
    import sys

    sys.path[0] = __file__.rpartition("/")[0] + "/.."
    __package__ = "pystap"

from .cli.main import main_and_leave

main_and_leave()
