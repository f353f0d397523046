"""Where a frame begins (.debug_frame, .eh_frame): the canonical frame address at an address of code, as an expression.

Expressions are tuples, as in `expressions`.
"""

from __future__ import annotations

from bisect import bisect_right
from struct import unpack_from

from .dies import sleb, uleb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .elf import Elf
    from .expressions import Expr

# Operands of the instructions 0x00..0x2f that don't touch the CFA's rule: u = uleb, s = sleb, b = block, or bytes.
_OPERANDS = {
    0x00: "",
    0x05: "uu",
    0x06: "u",
    0x07: "u",
    0x08: "u",
    0x09: "uu",
    0x0A: "",
    0x0B: "",
    0x10: "ub",
    0x11: "us",
    0x14: "uu",
    0x15: "us",
    0x16: "ub",
    0x2D: "",
    0x2E: "u",
}


class _Cie:
    """What frames share."""

    def __init__(self, view: memoryview, at: int, eh: bool) -> None:
        (length,) = unpack_from("<I", view, at)
        self.end = at + 4 + length
        version = view[at + 8]
        at += 9
        end = at
        while view[end]:
            end += 1
        augmentation = bytes(view[at:end]).decode("latin-1")
        at = end + 1
        if version >= 4:
            at += 2
        self.code, at = uleb(view, at)
        self.data, at = sleb(view, at)
        if version == 1:
            at += 1
        else:
            _, at = uleb(view, at)
        self.encoding = 0
        self.augmented = augmentation[:1] == "z"
        if self.augmented:
            size, at = uleb(view, at)
            self._augmentation(view, at, augmentation[1:])
            at += size
        self.first = at
        self.is_eh = eh

    def _augmentation(self, view: memoryview, at: int, words: str) -> None:
        for word in words:
            if word == "R":
                self.encoding = view[at]
                at += 1
            elif word == "L":
                at += 1
            elif word == "P":
                at += 1 + (4 if view[at] & 15 in (3, 11) else 8)


class Frames:
    """The descriptions of one section, by their addresses."""

    __slots__ = ("_rows", "_view")

    def __init__(self, view: memoryview, eh: bool, base: int) -> None:
        self._view = view
        self._rows = sorted(_descriptions(view, eh, base), key=lambda row: row[:2])

    def address(self, pc: int) -> Expr | None:
        """Return the canonical frame address at an address of code."""
        at = bisect_right(self._rows, pc, key=lambda row: row[0]) - 1
        if at < 0:
            return None
        start, end, body, behind, cie = self._rows[at]
        if pc >= end:
            return None
        if cie.augmented:
            extra, body = uleb(self._view, body)
            body += extra
        return _rule(self._view, cie, start, pc, body, behind)


def frame_address(elf: Elf, pc: int) -> Expr | None:
    """Return the canonical frame address at an address, None where the file doesn't tell."""
    if elf.frames is None:
        elf.frames = [
            Frames(elf.data(section.name).view, section.name == ".eh_frame", section.start)
            for section in elf.sections
            if section.name in (".debug_frame", ".eh_frame") and elf.data(section.name).size
        ]
    return next((found for frames in elf.frames if (found := frames.address(pc)) is not None), None)


def _descriptions(view: memoryview, eh: bool, base: int) -> Iterator[tuple[int, int, int, int, _Cie]]:
    """Give (first address, behind the last, place of its instructions, their end, what it shares) of each frame."""
    at, size = 0, len(view)
    cies: dict[int, _Cie] = {}
    mark = 0 if eh else 0xFFFFFFFF
    while at + 8 <= size:
        length, pointer = unpack_from("<II", view, at)
        if length == 0 or length >= 0xFFFFFFF0:
            at += 4
            continue
        if pointer != mark:
            place = at + 4 - pointer if eh else pointer
            cie = cies.get(place)
            if cie is None:
                cie = cies[place] = _Cie(view, place, eh)
            start, count, body = _range(view, at + 8, cie, base)
            yield start, start + count, body, at + 4 + length, cie
        at += 4 + length


def _range(view: memoryview, at: int, cie: _Cie, base: int) -> tuple[int, int, int]:
    """Return (first address, bytes, place behind) of a frame's description."""
    if cie.encoding & 15 in (3, 11):  # 4 bytes
        start, count = unpack_from("<iI", view, at)
        if cie.encoding & 0x70 == 0x10:
            start += base + at
        return start, count, at + 8
    start, count = unpack_from("<QQ", view, at)
    return start, count, at + 16


def _rule(view: memoryview, cie: _Cie, start: int, pc: int, at: int, end: int) -> Expr | None:
    run = _Run(view, cie, start, pc)
    run.go(cie.first, cie.end)
    run.initial = (run.register, run.offset)
    run.go(at, end)
    if run.block:
        from .expressions import plain

        return plain(run.block)
    return ("add", ("reg", run.register), ("const", run.offset))


class _Run:
    """The CFA's rule while a frame's instructions are run up to an address."""

    def __init__(self, view: memoryview, cie: _Cie, start: int, pc: int) -> None:
        self.view = view
        self.cie = cie
        self.location = start
        self.pc = pc
        self.register = self.offset = 0
        self.block = b""
        self.saved: list[tuple[int, int, bytes]] = []
        self.initial = (0, 0)

    def go(self, at: int, end: int) -> None:
        """Run instructions."""
        view, code = self.view, self.cie.code
        while at < end:
            op = view[at]
            at += 1
            step = -1
            if op >= 0xC0:
                continue
            if op >= 0x80:
                _, at = uleb(view, at)
                continue
            if op >= 0x40:
                step = op & 0x3F
            elif 0x02 <= op <= 0x04:
                size = 1 << op - 2
                step = int.from_bytes(view[at : at + size], "little")
                at += size
            elif op == 0x01:
                self.location = int.from_bytes(view[at : at + 8], "little")
                at += 8
                if self.location > self.pc:
                    return
                continue
            else:
                at = self._one(op, at)
                continue
            self.location += step * code
            if self.location > self.pc:
                return

    def _one(self, op: int, at: int) -> int:
        view = self.view
        if op == 0x0C:  # def_cfa
            self.register, at = uleb(view, at)
            self.offset, at = uleb(view, at)
            self.block = b""
        elif op == 0x12:  # def_cfa_sf
            self.register, at = uleb(view, at)
            n, at = sleb(view, at)
            self.offset, self.block = n * self.cie.data, b""
        elif op == 0x0D:
            self.register, at = uleb(view, at)
        elif op == 0x0E:
            self.offset, at = uleb(view, at)
        elif op == 0x13:
            n, at = sleb(view, at)
            self.offset = n * self.cie.data
        elif op == 0x0F:
            size, at = uleb(view, at)
            self.block = bytes(view[at : at + size])
            at += size
        else:
            if op == 0x0A:
                self.saved.append((self.register, self.offset, self.block))
            elif op == 0x0B and self.saved:
                self.register, self.offset, self.block = self.saved.pop()
            for kind in _OPERANDS.get(op, ""):
                n, at = uleb(view, at)
                at += n if kind == "b" else 0
        return at
