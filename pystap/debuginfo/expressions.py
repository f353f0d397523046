"""Location expressions of DWARF, taken apart without running them.

`evaluate(block, frame)` gives a location:

    ("memory", expression)           the variable lies at that address
    ("value", expression)            it has no place: this is its value
    ("pieces", ((bytes, location | None), ...))
    None                             it can't be told here

An expression is a tuple: ("reg", number of DWARF), ("const", n), ("load", expression, bytes), (operator, a, b) or
(operator, a), where operators are those of the IR: add sub mul and or xor shl shr sar neg not eq ne lt le gt ge.
"""

from __future__ import annotations

from .dies import sleb, uleb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Expr = tuple[Any, ...]
    Location = tuple[str, Any]

_BINARY = {
    0x1A: "and",
    0x1C: "sub",
    0x1E: "mul",
    0x21: "or",
    0x22: "add",
    0x24: "shl",
    0x25: "shr",
    0x26: "sar",
    0x27: "xor",
    0x29: "eq",
    0x2A: "ge",
    0x2B: "gt",
    0x2C: "le",
    0x2D: "lt",
    0x2E: "ne",
}
_UNARY = {0x1F: "neg", 0x20: "not"}
_CONSTANTS = {0x08: (1, False), 0x09: (1, True), 0x0A: (2, False), 0x0B: (2, True), 0x0C: (4, False)}
_CONSTANTS |= {0x0D: (4, True), 0x0E: (8, False), 0x0F: (8, True)}
ADDR, DEREF, DUP, DROP, OVER, PICK, SWAP, ROT, PLUS_UCONST = (
    0x03,
    0x06,
    0x12,
    0x13,
    0x14,
    0x15,
    0x16,
    0x17,
    0x23,
)
REGX, FBREG, BREGX, PIECE, DEREF_SIZE, NOP, CALL_FRAME_CFA = 0x90, 0x91, 0x92, 0x93, 0x94, 0x96, 0x9C
IMPLICIT_VALUE, STACK_VALUE, CONVERT, GNU_CONVERT, ABS = 0x9E, 0x9F, 0xA8, 0xF7, 0x19
DEEPEST = 64


class Unknown(Exception):
    """The expression needs what isn't there."""


def plain(block: bytes) -> Expr | None:
    """Return the value of an expression without a location's operators, as for a frame's address."""
    found = evaluate(block, None)
    return found[1] if found is not None and found[0] == "memory" else None


def evaluate(block: bytes, frame: Expr | None, cfa: Expr | None = None) -> Location | None:
    """Take an expression apart. frame: the base for fbreg; cfa: the canonical frame address."""
    if not block:
        return None
    run = _Stack(block, frame, cfa)
    try:
        return run.location()
    except (Unknown, IndexError):
        return None


class _Stack:
    """The stack machine, with expressions for values."""

    def __init__(self, block: bytes, frame: Expr | None, cfa: Expr | None) -> None:
        self.view = memoryview(block)
        self.at = 0
        self.frame = frame
        self.cfa = cfa
        self.stack: list[Expr] = []

    def location(self) -> Location | None:
        """Run it all."""
        pieces: list[tuple[int, Location | None]] = []
        here: Location | None = None
        while self.at < len(self.view):
            op = self.view[self.at]
            self.at += 1
            if op == PIECE:
                pieces.append((self._u(), here if here is not None else self._memory()))
                here, self.stack = None, []
            elif 0x50 <= op <= 0x6F:
                here = ("value", ("reg", op - 0x50))
            elif op == REGX:
                here = ("value", ("reg", self._u()))
            elif op == IMPLICIT_VALUE:
                size = self._u()
                here = ("value", ("const", int.from_bytes(self.view[self.at : self.at + size], "little")))
                self.at += size
            elif op == STACK_VALUE:
                here = ("value", self.stack.pop())
            else:
                self._step(op)
        if pieces:
            return ("pieces", tuple(pieces))
        return here if here is not None else self._memory()

    def _memory(self) -> Location | None:
        return ("memory", self.stack.pop()) if self.stack else None

    def _u(self) -> int:
        value, self.at = uleb(self.view, self.at)
        return value

    def _s(self) -> int:
        value, self.at = sleb(self.view, self.at)
        return value

    def _fixed(self, size: int, signed: bool) -> int:
        value = int.from_bytes(self.view[self.at : self.at + size], "little", signed=signed)
        self.at += size
        return value

    def _step(self, op: int) -> None:
        push = self.stack.append
        if 0x30 <= op <= 0x4F:
            push(("const", op - 0x30))
        elif op in _CONSTANTS:
            push(("const", self._fixed(*_CONSTANTS[op])))
        elif op == 0x10:
            push(("const", self._u()))
        elif op == 0x11:
            push(("const", self._s()))
        elif 0x70 <= op <= 0x8F:
            push(_sum(("reg", op - 0x70), self._s()))
        elif op == BREGX:
            register = self._u()
            push(_sum(("reg", register), self._s()))
        elif op == FBREG:
            push(_sum(self._known(self.frame), self._s()))
        elif op == CALL_FRAME_CFA:
            push(self._known(self.cfa))
        elif op == PLUS_UCONST:
            push(_sum(self.stack.pop(), self._u()))
        elif op in _BINARY:
            right, left = self.stack.pop(), self.stack.pop()
            push((_BINARY[op], left, right))
        elif op in _UNARY:
            push((_UNARY[op], self.stack.pop()))
        elif op == DEREF:
            push(("load", self.stack.pop(), 8))
        elif op == DEREF_SIZE:
            push(("load", self.stack.pop(), self._fixed(1, False)))
        else:
            self._shuffle(op)
        if len(self.stack) > DEEPEST:
            raise Unknown

    def _shuffle(self, op: int) -> None:
        stack = self.stack
        if op == DUP:
            stack.append(stack[-1])
        elif op == DROP:
            stack.pop()
        elif op == OVER:
            stack.append(stack[-2])
        elif op == PICK:
            stack.append(stack[-1 - self._fixed(1, False)])
        elif op == SWAP:
            stack[-1], stack[-2] = stack[-2], stack[-1]
        elif op == ROT:
            stack[-1], stack[-2], stack[-3] = stack[-2], stack[-3], stack[-1]
        elif op != NOP:
            raise Unknown  # an address that moves with the kernel, an entry's value, typed arithmetic, ...

    @staticmethod
    def _known(value: Expr | None) -> Expr:
        if value is None:
            raise Unknown
        return value


def _sum(base: Expr, n: int) -> Expr:
    if not n:
        return base
    if base[0] == "add" and base[2][0] == "const":
        return ("add", base[1], ("const", base[2][1] + n))
    return ("add", base, ("const", n))
