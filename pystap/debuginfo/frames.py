"""Where a frame begins (.debug_frame, .eh_frame): the canonical frame address at an address of code, as an expression.

There are 60,000 descriptions in a kernel, so that of a function is looked up by the function's address.
"""

from __future__ import annotations

from struct import unpack_from

from .errors import DebugInfoError
from .expressions import plain
from .operations import leb128

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .elf import Data, Elf
    from .expressions import Expr

    # a register and an offset, or an expression's bytes
    Rule = tuple[int, int] | bytes

SHARED = 0xFFFFFFFF  # in .debug_frame, where a description has the place of what it shares with others
PC_RELATIVE, SIGNED_4, ABSOLUTE_8, NONE = 0x10, 0x0B, 0x00, 0xFF
# Operations: of the high two bits, of the rest; U and S are LEB128, B is a block, digits are bytes.
ADVANCE, OFFSET, RESTORE = 1, 2, 3
NOP, SET_LOC, REMEMBER, RECALL = 0x00, 0x01, 0x0A, 0x0B
ADVANCES = {0x02: 1, 0x03: 2, 0x04: 4}
DEF_CFA, DEF_CFA_REGISTER, DEF_CFA_OFFSET, DEF_CFA_EXPRESSION, DEF_CFA_SF, DEF_CFA_OFFSET_SF = (
    0x0C,
    0x0D,
    0x0E,
    0x0F,
    0x12,
    0x13,
)
_OPERANDS = {
    0x05: "UU",
    0x06: "U",
    0x07: "U",
    0x08: "U",
    0x09: "UU",
    0x10: "UB",
    0x11: "US",
    0x14: "UU",
    0x15: "US",
}
_OPERANDS |= {0x16: "UB", 0x2D: "", 0x2E: "U", 0x2F: "UU"}


def frame_address(elf: Elf, start: int, pc: int) -> Expr | None:
    """Return the canonical frame address at an address of the code that begins at `start`; None if the file doesn't tell."""
    rule = _in_debug_frame(elf, start, pc) or _in_eh_frame(elf, pc)
    if rule is None:
        return None
    if isinstance(rule, bytes):
        return plain(rule)
    return ("add", ("reg", rule[0]), ("const", rule[1]))


class _Common:
    """What descriptions share."""

    __slots__ = ("code", "data", "first", "pointers", "program")

    def __init__(self, raw: bytes) -> None:
        """raw: behind the length and the number that says what this is."""
        version, at = raw[0], 1
        end = raw.index(b"\0", at)
        augmentation, at = raw[at:end], end + 1
        if version >= 4:
            at += 2  # sizes of addresses and of segments
        self.code, at = leb128(raw, at, False)
        self.data, at = leb128(raw, at, True)
        _, at = leb128(raw, at, False) if version != 1 else (0, at + 1)
        self.pointers = ABSOLUTE_8
        if augmentation[:1] == b"z":
            size, at = leb128(raw, at, False)
            if augmentation[1:2] == b"R":
                self.pointers = raw[at]
            at += size
        self.program = raw[at:]


def _in_debug_frame(elf: Elf, start: int, pc: int) -> Rule | None:
    """Look for the description of the code that begins at an address in .debug_frame."""
    data = elf.data(".debug_frame")
    for at in data.find_all(start.to_bytes(8, "little")):
        if at < 8:
            continue
        length, shared = unpack_from("<II", data.read(at - 8, at))
        if shared + 8 > data.size or at - 4 + length > data.size or length < _LEAST:
            continue  # a number that looks like the address
        size, mark = unpack_from("<II", data.read(shared, shared + 8))
        if mark != SHARED:
            continue
        common = _Common(data.read(shared + 8, shared + 4 + size))
        return _run(common, data.read(at + 16, at - 4 + length), start, pc)
    return None


_LEAST = 20


def _in_eh_frame(elf: Elf, pc: int) -> Rule | None:
    """Look for the description of an address in .eh_frame, which kernels of x86-64 don't have."""
    data = elf.data(".eh_frame")
    at = 0
    while at + 8 <= data.size:
        length, back = unpack_from("<II", data.read(at, at + 8))
        if not length:
            break
        if back:
            found = _of_eh_frame(data, elf.address(".eh_frame"), at, length, back, pc)
            if found is not None:
                return found
        at += 4 + length
    return None


def _of_eh_frame(data: Data, base: int, at: int, length: int, back: int, pc: int) -> Rule | None:
    shared = at + 4 - back
    (size,) = unpack_from("<I", data.read(shared, shared + 4))
    common = _Common(data.read(shared + 8, shared + 4 + size))
    raw = data.read(at + 8, at + 4 + length)
    if common.pointers == PC_RELATIVE | SIGNED_4:
        first, many = unpack_from("<iI", raw)
        first, behind = first + base + at + 8 & (1 << 64) - 1, 8
    elif common.pointers == ABSOLUTE_8:
        (first, many), behind = unpack_from("<QQ", raw), 16
    else:
        raise DebugInfoError(f".eh_frame has addresses of the form {common.pointers:#x}, which isn't known")
    if not first <= pc < first + many:
        return None
    size, behind = leb128(raw, behind, False)
    return _run(common, raw[behind + size :], first, pc)


def _run(common: _Common, program: bytes, start: int, pc: int) -> Rule | None:
    """Run the instructions up to an address."""
    steps = _Steps(common)
    steps.run(common.program, start, start)
    steps.run(program, start, pc)
    return steps.rule


class _Steps:
    """The rule for the frame's address, as instructions change it; those for registers are passed over."""

    __slots__ = ("common", "kept", "rule")

    def __init__(self, common: _Common) -> None:
        self.common = common
        self.rule: Rule | None = None
        self.kept: list[Rule | None] = []

    def run(self, raw: bytes, here: int, pc: int) -> None:
        """Run instructions from an address on, until they come to what is behind another."""
        at = 0
        while at < len(raw):
            code = raw[at]
            at += 1
            high, low = code >> 6, code & 0x3F
            if high == ADVANCE:
                here += low * self.common.code
            elif high == OFFSET:
                _, at = leb128(raw, at, False)
            elif high == RESTORE:
                pass
            elif code in ADVANCES:
                size = ADVANCES[code]
                here += int.from_bytes(raw[at : at + size], "little") * self.common.code
                at += size
            elif code == SET_LOC:
                here = int.from_bytes(raw[at : at + 8], "little")
                at += 8
            else:
                at = self._step(code, raw, at)
            if here > pc:
                return

    def _step(self, code: int, raw: bytes, at: int) -> int:
        register, offset = self.rule if isinstance(self.rule, tuple) else (0, 0)
        if code in (DEF_CFA, DEF_CFA_SF):
            register, at = leb128(raw, at, False)
            offset, at = self._offset(raw, at, code == DEF_CFA_SF)
            self.rule = register, offset
        elif code == DEF_CFA_REGISTER:
            register, at = leb128(raw, at, False)
            self.rule = register, offset
        elif code in (DEF_CFA_OFFSET, DEF_CFA_OFFSET_SF):
            offset, at = self._offset(raw, at, code == DEF_CFA_OFFSET_SF)
            self.rule = register, offset
        elif code == DEF_CFA_EXPRESSION:
            size, at = leb128(raw, at, False)
            self.rule = raw[at : at + size]
            at += size
        elif code == REMEMBER:
            self.kept.append(self.rule)
        elif code == RECALL:
            self.rule = self.kept.pop()
        elif code != NOP:
            if code not in _OPERANDS:
                raise DebugInfoError(f"an instruction about frames, {code:#x}, isn't known")
            for kind in _OPERANDS[code]:
                size, at = leb128(raw, at, kind == "S")
                at += size if kind == "B" else 0
        return at

    def _offset(self, raw: bytes, at: int, factored: bool) -> tuple[int, int]:
        offset, at = leb128(raw, at, factored)
        return (offset * self.common.data if factored else offset), at
