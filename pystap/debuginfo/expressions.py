"""Location expressions of DWARF, taken apart without running them.

`evaluate(block, frame)` gives a location:

    ("memory", expression)           the variable lies at that address
    ("value", expression)            it has no place: this is its value
    ("pieces", ((bytes, location | None), ...))
    None                             it can't be told here

An expression is a tuple: ("reg", number of DWARF), ("const", n), ("load", expression, bytes), ("addr", address in the
file, which moves with the kernel), (operator, a, b) or (operator, a), where operators are those of the IR: add sub mul and
or xor shl shr sar neg not eq ne lt le gt ge.
"""

from __future__ import annotations

from elftools.common.exceptions import ELFError
from elftools.dwarf.dwarf_expr import DWARFExprParser
from elftools.dwarf.structs import DWARFStructs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Expr = tuple[Any, ...]
    Location = tuple[str, Any]

# Operations by their names without DW_OP_, as those of the IR.
_BINARY = {
    word: word for word in ("and", "mul", "or", "shl", "shr", "xor", "eq", "ge", "gt", "le", "lt", "ne")
}
_BINARY |= {"minus": "sub", "plus": "add", "shra": "sar"}
_UNARY = ("neg", "not")
_CONSTANTS = frozenset(("constu", "consts", *(f"const{n}{sign}" for n in (1, 2, 4, 8) for sign in "us")))
REG0, BREG0, LIT0, NUMBERED = 0x50, 0x70, 0x30, 32
DEEPEST = 64
_PARSER: list[DWARFExprParser] = []


class Unknown(Exception):
    """The expression needs what isn't there."""


def plain(block: bytes | list[int]) -> Expr | None:
    """Return the value of an expression without a location's operators, as for a frame's address."""
    found = evaluate(block, None)
    return found[1] if found is not None and found[0] == "memory" else None


def evaluate(block: bytes | list[int], frame: Expr | None, cfa: Expr | None = None) -> Location | None:
    """Take an expression apart. frame: the base for fbreg; cfa: the canonical frame address."""
    if not block:
        return None
    try:
        return _Stack(frame, cfa).location(_parser().parse_expr(block))
    except (Unknown, IndexError, KeyError, ELFError):  # KeyError: an operation that pyelftools doesn't know
        return None


def _parser() -> DWARFExprParser:
    if not _PARSER:
        _PARSER.append(DWARFExprParser(DWARFStructs(True, 32, 8)))
    return _PARSER[0]


class _Stack:
    """The stack machine, with expressions for values."""

    def __init__(self, frame: Expr | None, cfa: Expr | None) -> None:
        self.frame = frame
        self.cfa = cfa
        self.stack: list[Expr] = []

    def location(self, operations: list[Any]) -> Location | None:
        """Run it all."""
        pieces: list[tuple[int, Location | None]] = []
        here: Location | None = None
        for operation in operations:
            name, args = operation.op_name.removeprefix("DW_OP_"), operation.args
            if name == "piece":
                pieces.append((args[0], here if here is not None else self._memory()))
                here, self.stack = None, []
            elif 0 <= operation.op - REG0 < NUMBERED:
                here = ("value", ("reg", operation.op - REG0))
            elif name == "regx":
                here = ("value", ("reg", args[0]))
            elif name == "implicit_value":
                here = ("value", ("const", int.from_bytes(bytes(args[0]), "little")))
            elif name == "stack_value":
                here = ("value", self.stack.pop())
            else:
                self._step(operation.op, name, args)
        if pieces:
            return ("pieces", tuple(pieces))
        return here if here is not None else self._memory()

    def _memory(self) -> Location | None:
        return ("memory", self.stack.pop()) if self.stack else None

    def _step(self, number: int, name: str, args: list[int]) -> None:
        push = self.stack.append
        if 0 <= number - LIT0 < NUMBERED:
            push(("const", number - LIT0))
        elif name in _CONSTANTS:
            push(("const", args[0]))
        elif name == "addr":
            push(("addr", args[0]))
        elif 0 <= number - BREG0 < NUMBERED:
            push(_sum(("reg", number - BREG0), args[0]))
        elif name == "bregx":
            push(_sum(("reg", args[0]), args[1]))
        elif name == "fbreg":
            push(_sum(self._known(self.frame), args[0]))
        elif name == "call_frame_cfa":
            push(self._known(self.cfa))
        elif name == "plus_uconst":
            push(_sum(self.stack.pop(), args[0]))
        elif name in _BINARY:
            right, left = self.stack.pop(), self.stack.pop()
            push((_BINARY[name], left, right))
        elif name in _UNARY:
            push((name, self.stack.pop()))
        elif name in ("deref", "deref_size"):
            push(("load", self.stack.pop(), args[0] if args else 8))
        else:
            self._shuffle(name, args)
        if len(self.stack) > DEEPEST:
            raise Unknown

    def _shuffle(self, name: str, args: list[int]) -> None:
        stack = self.stack
        if name == "dup":
            stack.append(stack[-1])
        elif name == "drop":
            stack.pop()
        elif name == "over":
            stack.append(stack[-2])
        elif name == "pick":
            stack.append(stack[-1 - args[0]])
        elif name == "swap":
            stack[-1], stack[-2] = stack[-2], stack[-1]
        elif name == "rot":
            stack[-1], stack[-2], stack[-3] = stack[-2], stack[-3], stack[-1]
        elif name != "nop":
            raise Unknown  # an entry's value, typed arithmetic, ...

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


def addresses(location: Location | None) -> list[int]:
    """Return the addresses of the file that a location has."""
    found: list[int] = []

    def walk(part: Any) -> None:
        if isinstance(part, tuple):
            if part[:1] == ("addr",):
                found.append(part[1])
            else:
                for inner in part:
                    walk(inner)

    walk(location)
    return found
