"""Where output goes. `open_sink(options)` gives the one that the user asked for."""

from __future__ import annotations

from .base import Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..options import Options

__all__ = ["Sink", "open_sink"]


def open_sink(options: Options) -> Sink:
    """The sink of -o and -f; OSError if the file can't be opened."""
    if options.format == "json":
        from .json import JsonSink

        return JsonSink(options.output)
    from .text import TextSink

    if options.output is not None and options.switch is not None:
        from .text import SwitchingSink

        return SwitchingSink(options.output, *options.switch)
    return TextSink(options.output)
