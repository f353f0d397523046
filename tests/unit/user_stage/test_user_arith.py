"""Integers of the generated code against C's rules, written out independently."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from user_kit import Machine, evaluate, function

from pystap.ir.nodes import Const, Local, Op
from pystap.runtime.errors import ScriptError

MIN, MAX = -(1 << 63), (1 << 63) - 1
EDGES = [
    0,
    1,
    -1,
    2,
    -2,
    7,
    63,
    64,
    65,
    255,
    256,
    -256,
    1 << 31,
    -(1 << 31),
    (1 << 32) - 1,
    MAX,
    MIN,
    MAX - 1,
    MIN + 1,
]
NUMBERS = st.one_of(st.sampled_from(EDGES), st.integers(MIN, MAX), st.integers(-100, 100))
I64 = lambda v: ctypes.c_int64(v).value  # noqa: E731
U64 = lambda v: ctypes.c_uint64(v).value  # noqa: E731


def c_div(a: int, b: int) -> int:
    """Quotient towards zero."""
    q = abs(a) // abs(b)
    return q if (a >= 0) == (b >= 0) else -q


BINARY = {
    "add": lambda a, b: I64(a + b),
    "sub": lambda a, b: I64(a - b),
    "mul": lambda a, b: I64(a * b),
    "and": lambda a, b: I64(U64(a) & U64(b)),
    "or": lambda a, b: I64(U64(a) | U64(b)),
    "xor": lambda a, b: I64(U64(a) ^ U64(b)),
    "shl": lambda a, b: I64(U64(a) << (U64(b) % 64)),
    "shr": lambda a, b: I64(U64(a) >> (U64(b) % 64)),
    "sar": lambda a, b: a >> (U64(b) % 64),
    "eq": lambda a, b: int(a == b),
    "ne": lambda a, b: int(a != b),
    "lt": lambda a, b: int(a < b),
    "le": lambda a, b: int(a <= b),
    "gt": lambda a, b: int(a > b),
    "ge": lambda a, b: int(a >= b),
    "ult": lambda a, b: int(U64(a) < U64(b)),
    "ule": lambda a, b: int(U64(a) <= U64(b)),
    "ugt": lambda a, b: int(U64(a) > U64(b)),
    "uge": lambda a, b: int(U64(a) >= U64(b)),
    "sdiv_or_zero": lambda a, b: I64(c_div(a, b)) if b else 0,
    "smod_or_zero": lambda a, b: I64(a - b * c_div(a, b)) if b else a,
    "udiv_or_zero": lambda a, b: I64(U64(a) // U64(b)) if b else 0,
    "umod_or_zero": lambda a, b: I64(U64(a) % U64(b)) if b else a,
}
UNARY = {"neg": lambda a: I64(-a), "not": lambda a: I64(~a), "lnot": lambda a: int(a == 0)}

_machines: dict[object, Machine] = {}


def both(name: str) -> Machine:
    """A machine with the operation on two parameters, made once."""
    if name not in _machines:
        a, b, r = Local("a", "i64"), Local("b", "i64"), Local("r", "i64")
        _machines[name] = Machine([function([Op(r, name, (a, b))], (a, b), r)])
    return _machines[name]


@pytest.mark.parametrize("name", BINARY)
@given(a=NUMBERS, b=NUMBERS)
@settings(max_examples=120, deadline=None)
def test_binary(name: str, a: int, b: int) -> None:
    result = both(name).call("f", a, b)
    assert result == BINARY[name](a, b)
    assert type(result) is int


@pytest.mark.parametrize(
    "name", [n for n in BINARY if not n.endswith("_zero")] + ["sdiv_or_error", "smod_or_error"]
)
@given(a=NUMBERS, b=NUMBERS, left=st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_constant_operand(name: str, a: int, b: int, left: bool) -> None:
    if "error" in name and b == 0:
        return
    x, r = Local("x", "i64"), Local("r", "i64")
    args = (Const(a), x) if left else (x, Const(b))
    result = Machine([function([Op(r, name, args)], (x,), r)]).call("f", b if left else a)
    assert result == BINARY[name.replace("error", "zero")](a, b)


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("a", EDGES)
def test_unary(name: str, a: int) -> None:
    assert evaluate(name, [a]) == UNARY[name](a)


@pytest.mark.parametrize("bits", [1, 8, 16, 32, 33, 64])
@pytest.mark.parametrize("a", EDGES)
def test_extension(bits: int, a: int) -> None:
    low = a & ((1 << bits) - 1)
    assert evaluate("zext", [a], bits) == I64(low)
    assert evaluate("sext", [a], bits) == (low - (1 << bits) if low >> (bits - 1) else low)


@st.composite
def chains(draw: st.DrawFn) -> list[tuple[str, int, object]]:
    """Operations on earlier results, so that what is known of ranges matters."""
    names = [n for n in BINARY if not n.endswith("_zero")] + ["zext", "sext"]
    out: list[tuple[str, int, object]] = []
    for at in range(draw(st.integers(1, 12))):
        name = draw(st.sampled_from(names))
        first = draw(st.integers(0, at))
        if name in ("zext", "sext"):
            out.append((name, first, draw(st.sampled_from([1, 8, 16, 31, 32, 63]))))
        elif draw(st.booleans()):
            out.append((name, first, draw(NUMBERS)))
        else:
            out.append((name, first, (draw(st.integers(0, at)),)))
    return out


@given(chain=chains(), start=NUMBERS)
@settings(max_examples=300, deadline=None)
def test_chains_wrap_wherever_they_overflow(chain: list[tuple[str, int, object]], start: int) -> None:
    param = Local("p", "i64")
    values, locals_, body = [start], [param], []
    for name, first, second in chain:
        dst = Local("t", "i64")
        if name in ("zext", "sext"):
            body.append(Op(dst, name, (locals_[first],), second))
            low = values[first] & ((1 << second) - 1)  # type: ignore[operator]
            value = low - (1 << second) if name == "sext" and low >> (second - 1) else low  # type: ignore[operator]
        else:
            operand = locals_[second[0]] if isinstance(second, tuple) else Const(second)  # type: ignore[arg-type]
            b = values[second[0]] if isinstance(second, tuple) else second
            body.append(Op(dst, name, (locals_[first], operand)))
            value = BINARY[name](values[first], b)
        values.append(I64(value))
        locals_.append(dst)
    machine = Machine([function(body, (param,), locals_[-1])])
    assert machine.call("f", start) == values[-1]


@pytest.mark.parametrize("name", ["sdiv_or_error", "smod_or_error"])
def test_division_by_zero_is_an_error_with_its_place(name: str) -> None:
    from pystap.source import Source

    source = Source("x.stp", "probe begin {\n  a / b\n}\n")
    a, r = Local("a", "i64"), Local("r", "i64")
    body = [Op(r, name, (Const(1), a), None, source.span(16, 21))]
    with pytest.raises(ScriptError) as info:
        Machine([function(body, (a,), r)]).call("f", 0)
    assert info.value.message == "division by 0"
    operator = "/" if name == "sdiv_or_error" else "%"
    assert info.value.place == f"near operator '{operator}' at x.stp:2:3"


def test_an_unused_division_still_raises() -> None:
    a = Local("a", "i64")
    machine = Machine([function([Op(None, "sdiv_or_error", (Const(1), a))], (a,))])
    machine.call("f", 1)
    with pytest.raises(ScriptError):
        machine.call("f", 0)
