"""64-bit arithmetic: the optimiser's folding, the user stage and the evaluator give the same numbers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pystap.backend.python import generate
from pystap.ir.nodes import Const, Label, Local, Op
from pystap.ir.ops import OPS
from pystap.opt.arith import fold
from pystap.options import Options
from pystap.program import VERSION, Program
from pystap.runtime.context import Context
from pystap.runtime.door import Door
from pystap.runtime.env import load_source
from pystap.runtime.errors import ScriptError
from pystap.staging.plan import Staged, UserFunction
from tests.kit.arithmetic import BINARY, UNARY, Fault, s64
from tests.kit.sink import ListSink

from .meaning import Meaning
from .scripts import EDGES

COMMON: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck)}
COUNTS = [0, 1, 31, 32, 62, 63, 64, 65, 127, 128, -1, -63, -64]
VALUES = st.one_of(
    st.sampled_from(EDGES),
    st.sampled_from(COUNTS),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.integers(-9, 9),
)
NAMES = [*BINARY, *UNARY]
WIDTHS = (8, 16, 32, 64)


def function(ops: list[Op], params: tuple[Local, ...], result: Local) -> Any:
    """The user stage's code for a body, ready to be called."""
    staged = Staged(
        lang="stp",
        user=[UserFunction("f", "record", params, result, Label("end"), list(ops))],
        kernel=[],
        homes={},
        maps=[],
        records=[],
        begin=[],
        end=[],
        error=[],
        timers=[],
        signals=[],
        notes=[],
        errors=[],
    )
    nothing: dict[str, Any] = dict.fromkeys(Program._fields, ())
    fields = {**nothing, "version": VERSION, "lang": "stp", "source": generate(staged, Options())}
    context = Context(Program(**fields), Door(None), ListSink(), Options())
    load_source(context)
    return context.namespace["f"]


def of_two(name: str, attr: Any = None, first: Any = None, second: Any = None) -> Any:
    """One operation of two operands (or one); each a parameter unless it is given."""
    a, b, r = (Local(n, "i64") for n in "abr")
    args = [a if first is None else Const(first), b if second is None else Const(second)]
    return function([Op(r, name, tuple(args[: len(OPS[name].args)]), attr)], (a, b), r)


COMPILED = {name: of_two(name) for name in NAMES}


def meant(name: str, a: int, b: int) -> int | None:
    """What the evaluator says; None for an error."""
    try:
        return s64(int(BINARY[name](a, b) if name in BINARY else UNARY[name](a)))
    except Fault:
        return None


def ran(compiled: Any, a: int, b: int) -> int | None:
    """What the user stage says."""
    try:
        return int(compiled(a, b))
    except ScriptError as error:
        assert error.message == "division by 0"
        return None


@pytest.mark.parametrize("name", NAMES)
def test_edges(name: str) -> None:
    """Every pair of edges: as variables, and with either operand known."""
    values = sorted({*EDGES, *COUNTS})
    for a in values:
        for b in values:
            want = meant(name, a, b)
            assert fold(name, [a, b][: len(OPS[name].args)]) == want, (a, b)
            assert ran(COMPILED[name], a, b) == want, (a, b)
    for known in (0, 1, -1, 7, 63, 64, 1 << 31, (1 << 63) - 1, -(1 << 63)):
        right, left = of_two(name, second=known), of_two(name, first=known)
        for a in values:
            assert ran(right, a, 99) == meant(name, a, known), (a, known)
            assert ran(left, 99, a) == meant(name, known, a), (known, a)


@settings(**COMMON)
@given(st.sampled_from(NAMES), VALUES, VALUES)
def test_any_numbers(name: str, a: int, b: int) -> None:
    want = meant(name, a, b)
    assert fold(name, [a, b][: len(OPS[name].args)]) == want
    assert ran(COMPILED[name], a, b) == want


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("name", ["sext", "zext"])
def test_extensions(name: str, bits: int) -> None:
    compiled = of_two(name, bits)
    by = getattr(Meaning, f"_{name}")
    op = Op(None, name, (), bits)
    for value in sorted({*EDGES, *COUNTS, 127, 128, 32767, 32768, (1 << 31) - 1}):
        want = by(None, op, [value])
        assert fold(name, [value], bits) == want
        assert compiled(value, 0) == want


@settings(**COMMON)
@given(st.data())
def test_chains(data: Any) -> None:
    """What is known of an operand's range must not leave out a wrap that is needed."""
    params = tuple(Local(n, "i64") for n in "ab")
    values = [data.draw(VALUES), data.draw(VALUES)]
    held: list[Any] = [*params]
    numbers: list[int | None] = [*values]
    body: list[Op] = []
    for n in range(data.draw(st.integers(1, 6))):
        name = data.draw(st.sampled_from([n for n in NAMES if "error" not in n]))
        picked = []
        for _ in OPS[name].args:
            if data.draw(st.integers(0, 3)) == 3:
                number = data.draw(VALUES)
                picked.append((Const(number), number))
            else:
                at = data.draw(st.integers(0, len(held) - 1))
                picked.append((held[at], numbers[at]))
        dst = Local(f"v{n}", "i64")
        body.append(Op(dst, name, tuple(p[0] for p in picked)))
        held.append(dst)
        numbers.append(meant(name, *[p[1] for p in picked], *[0] * (2 - len(picked))))
    found = function(body, params, held[-1])(*values)
    assert found == numbers[-1]
