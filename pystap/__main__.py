"""`python3 -m pystap`; the file itself can be run, too."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]

if (
    _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler
):  # Ctrl-C while this is imported: just end
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

if not __package__:  # python3 pystap/__main__.py: our own `types` must not stand before Python's
    import sys

    sys.path[0] = __file__.rpartition("/")[0] + "/.."
    __package__ = "pystap"

from .cli.main import main_and_leave

main_and_leave()
