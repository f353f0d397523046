"""Location expressions of DWARF, taken apart without running them.

`evaluate(block, frame)` gives a location:

    ("memory", expression)           the variable lies at that address
    ("value", expression)            it has no place: this is its value
    ("pieces", ((bytes, location | None), ...))
    ("lost", why)                    it can't be told here, for this reason
    None                             there is none: the compiler doesn't keep it

An expression is a tuple: ("reg", number of DWARF), ("entry", number: what that register held when the function was
entered), ("const", n), ("load", expression, bytes), ("addr", address in the file, which moves with the kernel), ("zext" |
"sext", expression, bits), ("either", condition, a, b: a unless the condition is 0), (operator, a, b) or (operator, a).
Operators are those of the IR: add sub mul sdiv_or_zero umod_or_zero and or xor shl shr sar neg not eq ne lt le gt ge, and
for numbers without a sign ult ule ugt uge udiv_or_zero.
"""

from __future__ import annotations

from .errors import DebugInfoError
from .operations import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Expr = tuple[Any, ...]
    Location = tuple[str, Any]
    Number = tuple[int, bool]  # bits, signed
    # types: place of a base type in its unit -> Number, None for what is no integer; variable: place -> its location
    Types = Callable[[int], Number | None]
    Variables = Callable[[int], Location | None]

NOT_UNDERSTOOD = "its debug information isn't understood"
GONE = "the compiler optimized it away here"
ONLY_CALLER = f"{GONE}: only the code that called the function knows it"
POINTS_NOWHERE = f"{GONE}: it points to what isn't kept in memory"
UNSET = "it has no value yet here"
FLOATING = "it is worked out with numbers that aren't integers"
ELSEWHERE = "each thread has its own"
# Operations by their names without DW_OP_, as those of the IR; of the second the unsigned ones, for unsigned types.
_BINARY = {
    word: word for word in ("and", "mul", "or", "shl", "shr", "xor", "eq", "ge", "gt", "le", "lt", "ne")
}
_BINARY |= {"minus": "sub", "plus": "add", "shra": "sar", "div": "sdiv_or_zero", "mod": "umod_or_zero"}
_UNSIGNED = {"ge": "uge", "gt": "ugt", "le": "ule", "lt": "ult", "sar": "shr", "sdiv_or_zero": "udiv_or_zero"}
_RELATIONS = frozenset(("eq", "ge", "gt", "le", "lt", "ne"))
_UNARY = ("neg", "not")
DEEPEST = 64
JUMPS = 4
WORD = 64


class Lost(Exception):
    """The expression needs what isn't there; the text says what."""


def plain(block: bytes | list[int]) -> Expr | None:
    """Return the value of an expression without a location's operators, as for a frame's address."""
    found = evaluate(block, None)
    return found[1] if found is not None and found[0] == "memory" else None


def evaluate(
    block: bytes | list[int],
    frame: Expr | None,
    cfa: Expr | None = None,
    types: Types | None = None,
    variables: Variables | None = None,
) -> Location | None:
    """Take an expression apart. frame: the base for fbreg; cfa: the canonical frame address."""
    if not block:
        return None
    try:
        return _Stack(frame, cfa, types, variables).location(decode(bytes(block)))
    except Lost as lost:
        return ("lost", str(lost))
    except (IndexError, DebugInfoError):
        return ("lost", NOT_UNDERSTOOD)


class _Stack:
    """The stack machine, with expressions for values. Beside each value is its type, None for that of addresses."""

    def __init__(
        self, frame: Expr | None, cfa: Expr | None, types: Types | None, variables: Variables | None
    ) -> None:
        self.frame = frame
        self.cfa = cfa
        self.types = types
        self.variables = variables
        self.stack: list[tuple[Expr, Number | None]] = []
        self.jumps = 0

    def location(self, operations: list[Any], first: int = 0) -> Location | None:
        """Run it all, from an operation on."""
        pieces: list[tuple[int, Location | None]] = []
        here: Location | None = None
        at = first
        while at < len(operations):
            name, args = operations[at]
            at += 1
            if name == "piece":
                pieces.append((args[0], here if here is not None else self._memory()))
                here, self.stack = None, []
            elif name == "reg":
                here = ("value", ("reg", args[0]))
            elif name == "implicit_value":
                here = ("value", ("const", int.from_bytes(args[0], "little")))
            elif name == "stack_value":
                here = ("value", self._pop())
            elif name == "implicit_pointer":
                here = ("lost", POINTS_NOWHERE)
            elif name == "uninit":
                raise Lost(UNSET)
            elif name in ("skip", "bra") and args[0] < at:
                raise Lost(NOT_UNDERSTOOD)  # a loop
            elif name == "skip":
                at = args[0]
            elif name == "bra":
                return self._either(operations, at, args[0])
            else:
                self._step(name, args)
        if pieces:
            return ("pieces", tuple(pieces))
        return here if here is not None else self._memory()

    def _either(self, operations: list[Any], at: int, to: int) -> Location | None:
        """Run both ways from a jump on."""
        condition = self._pop()
        self.jumps += 1
        kept = list(self.stack)
        there = self.location(operations, to)
        self.stack = kept
        here = self.location(operations, at)
        if self.jumps > JUMPS or here is None or there is None or here[0] != there[0] or here[0] == "pieces":
            raise Lost(NOT_UNDERSTOOD)
        return here[0], ("either", condition, there[1], here[1])

    def _memory(self) -> Location | None:
        return ("memory", self._pop()) if self.stack else None

    def _pop(self) -> Expr:
        return self.stack.pop()[0]

    def _push(self, value: Expr, type: Number | None = None) -> None:
        self.stack.append((value, type))
        if len(self.stack) > DEEPEST:
            raise Lost(NOT_UNDERSTOOD)

    def _step(self, name: str, args: tuple[Any, ...]) -> None:
        if name in ("const", "addr"):
            self._push((name, args[0]))
        elif name == "breg":
            self._push(_sum(("reg", args[0]), args[1]))
        elif name == "fbreg":
            self._push(_sum(self._known(self.frame), args[0]))
        elif name == "call_frame_cfa":
            self._push(self._known(self.cfa))
        elif name == "entry_value":
            self._push(_at_entry(args[0]))
        elif name == "plus_uconst":
            value, type = self.stack.pop()
            self._push(_cut(_sum(value, args[0]), type), type)
        elif name in _BINARY:
            self._binary(name)
        elif name in _UNARY:
            value, type = self.stack.pop()
            self._push(_cut((name, value), type), type)
        elif name == "abs":
            value, type = self.stack.pop()
            sign = ("sar", value, ("const", WORD - 1))
            self._push(("sub", ("xor", value, sign), sign), type)
        elif name in ("deref", "deref_size"):
            self._push(("load", self._pop(), args[0] if args else 8))
        else:
            self._other(name, args)

    def _binary(self, name: str) -> None:
        right = self._pop()
        left, type = self.stack.pop()
        operator = _BINARY[name]
        if type is not None and name == "shr" and type[1]:
            left = ("zext", left, type[0])  # without copies of the sign
        elif type is not None and not type[1]:
            operator = _UNSIGNED.get(operator, operator)
        elif type is not None and name == "mod":
            operator = "smod_or_zero"
        made = (operator, left, right)
        if name in _RELATIONS:
            self._push(made)
        else:
            self._push(_cut(made, type), type)

    def _other(self, name: str, args: tuple[Any, ...]) -> None:
        """Typed values, and what can't be had."""
        if name == "convert":
            self._push(*self._converted(args[0]))
        elif name == "reinterpret":
            self._push(*self._converted(args[0]))  # between integers it is the same
        elif name == "regval_type":
            type = self._type(args[1])
            self._push(_cut(("reg", args[0]), type), type)
        elif name == "deref_type":
            type = self._type(args[1])
            self._push(_cut(("load", self._pop(), args[0]), type), type)
        elif name == "const_type":
            type = self._type(args[0])
            self._push(("const", int.from_bytes(args[1], "little", signed=bool(type and type[1]))), type)
        elif name == "variable_value":
            self._push(self._variable(args[0]))
        elif name == "parameter_ref":
            raise Lost(ONLY_CALLER)
        elif name == "form_tls_address":
            raise Lost(ELSEWHERE)
        else:
            self._shuffle(name, args)

    def _converted(self, at: int) -> tuple[Expr, Number | None]:
        type = self._type(at)
        return _cut(self._pop(), type), type

    def _type(self, at: int) -> Number | None:
        """Return the type at a place of the unit; None for that of addresses, which 0 means."""
        if not at:
            return None
        found = self.types(at) if self.types is not None else None
        if found is None:
            raise Lost(FLOATING)
        return found

    def _variable(self, at: int) -> Expr:
        found = self.variables(at) if self.variables is not None else None
        if found is None or found[0] not in ("memory", "value"):
            raise Lost(f"{GONE}: so is a variable that it is worked out from")
        value: Expr = found[1]
        return value if found[0] == "value" else ("load", value, 8)

    def _shuffle(self, name: str, args: tuple[Any, ...]) -> None:
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
            raise Lost(f"its debug information has DW_OP_{name}, which isn't supported")

    @staticmethod
    def _known(value: Expr | None) -> Expr:
        if value is None:
            raise Lost("the file doesn't tell where the function's frame is")
        return value


def _at_entry(inner: list[Any]) -> Expr:
    """Return what an expression was worth at the function's entry: a register, nothing else is written so."""
    if len(inner) == 1 and inner[0][0] == "reg":
        return ("entry", inner[0][1][0])
    raise Lost(ONLY_CALLER)


def _cut(value: Expr, type: Number | None) -> Expr:
    """Return a value cut to its type, with its upper bits as that says."""
    if type is None or type[0] >= WORD:
        return value
    return ("sext" if type[1] else "zext", value, type[0])


def _sum(base: Expr, n: int) -> Expr:
    if not n:
        return base
    if base[0] == "add" and base[2][0] == "const":
        return ("add", base[1], ("const", base[2][1] + n))
    return ("add", base, ("const", n))


def parts(location: Location | None, kind: str) -> list[Any]:
    """Return what the expressions of one kind in a location have: of "addr" addresses, of "entry" registers."""
    found: list[Any] = []

    def walk(part: Any) -> None:
        if isinstance(part, tuple):
            if part[:1] == (kind,):
                found.append(part[1])
            else:
                for inner in part:
                    walk(inner)

    walk(location)
    return found
