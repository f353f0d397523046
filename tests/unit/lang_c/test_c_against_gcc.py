"""Expressions of C, made at random, have the values that a C compiler gives them."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("pycparser")

from c_kit import output

GCC = shutil.which("gcc") or shutil.which("cc")
TYPES = [
    "signed char",
    "unsigned char",
    "short",
    "unsigned short",
    "int",
    "unsigned int",
    "long",
    "unsigned long",
]
BINARY = ["+", "-", "*", "&", "|", "^", "<", "<=", ">", ">=", "==", "!=", "&&", "||", ","]


class Maker:
    """Makes expressions over the variables v0, v1, ... that have no undefined behaviour with -fwrapv."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.types = [self.random.choice(TYPES) for _ in range(4)]
        self.values = [
            self.random.choice([0, 1, -1, 127, 255, 1 << 31, self.random.getrandbits(63)]) for _ in range(4)
        ]

    def expression(self, depth: int) -> str:
        pick = self.random
        kind = pick.random()
        if depth == 0 or kind < 0.15:
            if pick.random() < 0.6:
                return f"v{pick.randrange(4)}"
            return pick.choice(
                ["0", "1", "2u", "3L", "255", "0x80000000", "0xffffffffUL", "-1", "'a'", "65536"]
            )
        if kind < 0.3:
            return f"({pick.choice(TYPES)})({self.expression(depth - 1)})"
        if kind < 0.42:
            return f"{pick.choice(['-', '~', '!', '+'])}({self.expression(depth - 1)})"
        if kind < 0.5:
            parts = [self.expression(depth - 1) for _ in range(3)]
            return f"(({parts[0]}) ? ({parts[1]}) : ({parts[2]}))"
        if kind < 0.6:
            return f"(({self.expression(depth - 1)}) {pick.choice(['<<', '>>'])} {pick.randrange(31)})"
        if kind < 0.7:
            return f"(({self.expression(depth - 1)}) {pick.choice(['/', '%'])} {pick.choice(['3', '7u', '10L', '1000UL'])})"
        return f"(({self.expression(depth - 1)}) {pick.choice(BINARY)} ({self.expression(depth - 1)}))"

    def declarations(self) -> str:
        return " ".join(
            f"{t} v{n} = {v}L;" for n, (t, v) in enumerate(zip(self.types, self.values, strict=True))
        )


@pytest.mark.skipif(GCC is None, reason="needs a C compiler to compare with")
def test_random_expressions(tmp_path: Path) -> None:
    makers = [Maker(seed) for seed in range(150)]
    cases = [(m.declarations(), m.expression(4)) for m in makers]
    body = "".join(f'{{ {d} printf("%ld\\n", (long)({e})); }}\n' for d, e in cases)
    (tmp_path / "a.c").write_text(f"#include <stdio.h>\nint main(void) {{\n{body}return 0; }}\n")
    assert GCC is not None
    subprocess.run([GCC, "-w", "-fwrapv", "-O0", "-o", tmp_path / "a", tmp_path / "a.c"], check=True)
    expected = subprocess.run(
        [tmp_path / "a"], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    functions = "".join(
        f"function f{n}:long() %{{ {d} STAP_RETVALUE = (long)({e}); %}}\n" for n, (d, e) in enumerate(cases)
    )
    calls = "".join(f"println(f{n}())\n" for n in range(len(cases)))
    found = output(f"{functions}probe begin {{\n{calls}}}").splitlines()
    wrong = [(c, e, f) for c, e, f in zip(cases, expected, found, strict=True) if e != f]
    assert not wrong, wrong[0]
