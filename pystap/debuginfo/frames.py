"""Where a frame begins (.debug_frame, .eh_frame): the canonical frame address at an address of code, as an expression.

pyelftools reads all descriptions of a section, which are 60,000 in a kernel. So that of the function is looked up by its
address, and given to it as a section of its own.
"""

from __future__ import annotations

from io import BytesIO
from struct import unpack_from

from elftools.dwarf.callframe import FDE, CallFrameInfo

from .expressions import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .elf import Elf
    from .expressions import Expr

SHARED = b"\xff\xff\xff\xff"  # where a description has the place of what it shares with others


def frame_address(elf: Elf, start: int, pc: int) -> Expr | None:
    """Return the canonical frame address at an address of the code that begins at `start`; None if the file doesn't tell."""
    found = _description(elf, start) or _of_eh_frame(elf, pc)
    if found is None:
        return None
    rule = None
    for row in found.get_decoded().table:
        if row["pc"] <= pc:
            rule = row["cfa"]
    if rule is None:
        return None
    if rule.expr is not None:
        return plain(bytes(rule.expr))
    return ("add", ("reg", rule.reg), ("const", rule.offset))


def _description(elf: Elf, start: int) -> FDE | None:
    """Return the description of the code that begins at an address, from .debug_frame."""
    data = elf.data(".debug_frame")
    for at in data.find_all(start.to_bytes(8, "little")):
        if at < 8:
            continue
        length, shared = unpack_from("<II", data.read(at - 8, at))
        if (
            shared + 8 > data.size
            or data.read(shared + 4, shared + 8) != SHARED
            or at - 4 + length > data.size
        ):
            continue  # a number that looks like the address
        (size,) = unpack_from("<I", data.read(shared, shared + 4))
        own = data.read(at - 8, at - 4 + length)
        section = data.read(shared, shared + 4 + size) + own[:4] + bytes(4) + own[8:]
        found = CallFrameInfo(BytesIO(section), len(section), 0, elf.dwarf.structs).get_entries()[1]
        if isinstance(found, FDE):
            return found
    return None


def _of_eh_frame(elf: Elf, pc: int) -> FDE | None:
    """Return the description of an address from .eh_frame, which kernels of x86-64 don't have."""
    if not elf.data(".eh_frame").size:
        return None
    for entry in elf.dwarf.EH_CFI_entries():
        if isinstance(entry, FDE):
            first = entry["initial_location"]
            if first <= pc < first + entry["address_range"]:
                return entry
    return None
