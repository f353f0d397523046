"""Fields of tracepoints by the tracepoint's own arguments, as data, a file an area; subsystems.py: who is in which.

bpftrace's `args.field` are the fields of the record that the tracepoint makes. They are computed here from the
arguments of the raw tracepoint, as the kernel's TP_fast_assign does, so that no record has to be made. A row is
the tracepoints, the kernel's name of their record ("" for the tracepoint's own), and `field = expression`; an
expression is bpftrace's, and its words are the raw tracepoint's arguments; of several with ` or ` between them the
first counts that this kernel's types allow. A field whose name is an argument's
and that has no expression is that argument.

Where a field differs from the record's: saddr_v6 and daddr_v6 of IPv4 sockets are not mapped addresses.
"""

from __future__ import annotations

from . import network, storage, tasks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = (*tasks.ROWS, *network.ROWS, *storage.ROWS)


def fields_of(subsystem: str, event: str) -> tuple[str, dict[str, str]]:
    """Return (the record's name, field -> expression) of a tracepoint, ("", {}) where no row has it."""
    word = f"{subsystem}:{event}"
    for words, record, text in ROWS:
        if word in words.split():
            return record or event, dict(_pairs(text))
    return event, {}


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split(";"):
        word, equals, expression = part.strip().partition(" = ")
        if equals:
            yield word, expression
