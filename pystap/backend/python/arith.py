"""Integers: 64-bit wrapping arithmetic as Python expressions.

Values are Python ints in -2^63 .. 2^63 - 1. A result is checked against that range only where the operands'
known ranges don't exclude an overflow; unsigned operations mask their operands.
"""

from __future__ import annotations

from ...ir.nodes import Const, Local, Op, Text
from .names import MAX, MIN, place, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .body import Body

    Emit = Callable[[Body, Op], None]
    Range = tuple[int, int]

MASK = "0xffffffffffffffff"
FULL = (MIN, MAX)
_SIGNED = {
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "str_eq": "==",
    "str_ne": "!=",
}
_UNSIGNED = {"ult": "<", "ule": "<=", "ugt": ">", "uge": ">="}
CONDITIONS = frozenset((*_SIGNED, *_UNSIGNED, "lnot", "mov"))


def range_of(body: Body, operand: Local | Const | Text) -> Range:
    """What is known of an operand's value."""
    if type(operand) is Const:
        return (operand.value, operand.value)
    return body.ranges.get(operand, FULL)  # type: ignore[arg-type]


def store(body: Body, dst: Local | None, expression: str, low: int, high: int) -> None:
    """Assign a value that lies in low..high before wrapping."""
    if dst is None:
        return
    body.set(dst, expression)
    if low < MIN or high > MAX:
        name = body.name(dst)
        body.line(f"if not {MIN} <= {name} <= {MAX}: {name} = _wrap({name})")
    elif body.definitions.get(dst) == 1:
        body.ranges[dst] = (low, high)


def condition(body: Body, op: Op) -> str:
    """The expression of a comparison, `lnot` or `mov`, for an if."""
    name = op.name
    if name == "mov":
        return body.read(op.args[0])
    a = body.read(op.args[0])
    if name == "lnot":
        return f"not {a}"
    b = body.read(op.args[1])
    symbol = _SIGNED.get(name)
    if symbol is not None:
        return f"{a} {symbol} {b}"
    return f"{_masked(body, op.args[0])} {_UNSIGNED[name]} {_masked(body, op.args[1])}"


def _masked(body: Body, operand: Local | Const | Text) -> str:
    if range_of(body, operand)[0] >= 0:
        return body.read(operand)
    return f"({body.read(operand)} & {MASK})"


def _compare(body: Body, op: Op) -> None:
    if op.dst is not None:
        store(body, op.dst, f"+({condition(body, op)})", 0, 1)


def _mov(body: Body, op: Op) -> None:
    if op.dst is None:
        return
    source = op.args[0]
    body.set(op.dst, body.read(source))
    if body.definitions.get(op.dst) == 1 and op.dst.type == "i64":
        known = range_of(body, source)
        if known != FULL:
            body.ranges[op.dst] = known


def _add(body: Body, op: Op) -> None:
    (a, b), (c, d) = range_of(body, op.args[0]), range_of(body, op.args[1])
    store(body, op.dst, f"{body.read(op.args[0])} + {body.read(op.args[1])}", a + c, b + d)


def _sub(body: Body, op: Op) -> None:
    (a, b), (c, d) = range_of(body, op.args[0]), range_of(body, op.args[1])
    store(body, op.dst, f"{body.read(op.args[0])} - {body.read(op.args[1])}", a - d, b - c)


def _mul(body: Body, op: Op) -> None:
    (a, b), (c, d) = range_of(body, op.args[0]), range_of(body, op.args[1])
    ends = (a * c, a * d, b * c, b * d)
    store(body, op.dst, f"{body.read(op.args[0])} * {body.read(op.args[1])}", min(ends), max(ends))


def _bits(symbol: str) -> Emit:
    def emit(body: Body, op: Op) -> None:
        (a, b), (c, d) = range_of(body, op.args[0]), range_of(body, op.args[1])
        low, high = FULL
        if a >= 0 and c >= 0:
            low, high = 0, min(b, d) if symbol == "&" else (1 << max(b, d).bit_length()) - 1
        elif symbol == "&" and (a >= 0 or c >= 0):
            low, high = 0, b if a >= 0 else d
        store(body, op.dst, f"{body.read(op.args[0])} {symbol} {body.read(op.args[1])}", low, high)

    return emit


def _count(body: Body, operand: Local | Const | Text) -> str:
    if type(operand) is Const:
        return str(operand.value & 63)
    low, high = range_of(body, operand)
    return body.read(operand) if low >= 0 and high < 64 else f"({body.read(operand)} & 63)"


def _shl(body: Body, op: Op) -> None:
    low, high = range_of(body, op.args[0])
    most = op.args[1].value & 63 if type(op.args[1]) is Const else 63
    expression = f"{body.read(op.args[0])} << {_count(body, op.args[1])}"
    store(body, op.dst, expression, min(low << most, low), max(high << most, high))


def _shr(body: Body, op: Op) -> None:
    low, high = range_of(body, op.args[0])
    least = op.args[1].value & 63 if type(op.args[1]) is Const else 0
    expression = f"{_masked(body, op.args[0])} >> {_count(body, op.args[1])}"
    store(body, op.dst, expression, 0, (high if low >= 0 else (1 << 64) - 1) >> least)


def _sar(body: Body, op: Op) -> None:
    low, high = range_of(body, op.args[0])
    store(body, op.dst, f"{body.read(op.args[0])} >> {_count(body, op.args[1])}", min(low, -1), max(high, 0))


def _neg(body: Body, op: Op) -> None:
    low, high = range_of(body, op.args[0])
    store(body, op.dst, f"-{body.read(op.args[0])}", -high, -low)


def _not(body: Body, op: Op) -> None:
    low, high = range_of(body, op.args[0])
    store(body, op.dst, f"~{body.read(op.args[0])}", ~high, ~low)


def _sext(body: Body, op: Op) -> None:
    bits = op.attr
    value = body.read(op.args[0])
    if bits >= 64:
        store(body, op.dst, value, MIN, MAX)
    else:
        sign = 1 << (bits - 1)
        store(body, op.dst, f"({value} & {(1 << bits) - 1:#x} ^ {sign:#x}) - {sign:#x}", -sign, sign - 1)


def _zext(body: Body, op: Op) -> None:
    bits = op.attr
    value = body.read(op.args[0])
    if bits >= 64:
        store(body, op.dst, value, MIN, MAX)
    else:
        store(body, op.dst, f"{value} & {(1 << bits) - 1:#x}", 0, (1 << bits) - 1)


_OPERATORS = {"sdiv": "/", "smod": "%", "udiv": "/", "umod": "%"}


def _divide(body: Body, op: Op) -> None:
    kind = op.name[:4]
    dividend, divisor = op.args
    a = body.read(dividend)
    low, high = range_of(body, dividend)
    if type(divisor) is Const and divisor.value > 0 and (kind[0] == "s" or low >= 0):
        by = divisor.value
        symbol = "//" if kind[1:] == "div" else "%"
        if low >= 0:
            store(body, op.dst, f"{a} {symbol} {by}", 0, high // by if symbol == "//" else min(high, by - 1))
        else:
            most = (1 << 63) // by if symbol == "//" else by - 1
            expression = f"{a} {symbol} {by} if {a} >= 0 else -(-{a} {symbol} {by})"
            store(body, op.dst, expression, -most, min(most, MAX))
        return
    extra = ""
    if op.name.endswith("_or_error"):
        extra = f", {text(place(op.span, _OPERATORS[kind]))}"
    body.set(op.dst, f"_{op.name}({a}, {body.read(divisor)}{extra})")


EMIT: dict[str, Emit] = {
    "mov": _mov,
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "and": _bits("&"),
    "or": _bits("|"),
    "xor": _bits("^"),
    "shl": _shl,
    "shr": _shr,
    "sar": _sar,
    "neg": _neg,
    "not": _not,
    "sext": _sext,
    "zext": _zext,
    **dict.fromkeys((*_SIGNED, *_UNSIGNED, "lnot"), _compare),
    **dict.fromkeys(
        (
            *("sdiv_or_error", "smod_or_error", "sdiv_or_zero", "smod_or_zero"),
            *("udiv_or_zero", "umod_or_zero"),
        ),
        _divide,
    ),
}
