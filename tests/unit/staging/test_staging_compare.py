"""Comparisons of rendered texts with constant ones are comparisons of numbers (R3)."""

from __future__ import annotations

import pytest
from staging_kit import BTF, Made

from pystap.ir.nodes import Const, Local, Op, Stmt, Text
from pystap.kernel.functions import Functions
from pystap.kernel.symbols import Kallsyms
from pystap.sema.target import Target
from pystap.staging.compare import Names, compare_words
from tests.kit.ir_model import Model

ALL = "probe syscall.*.return "
HAVE = frozenset({"fentry", "fexit", "kprobe", "kretprobe", "kprobe_multi"})


def many(text: str) -> tuple[Made, dict[str, int]]:
    """A script at functions plain_a to plain_f, and what stands for names."""
    names = [f"plain_{c}" for c in "abcdef"]
    lines = [f"{0xFFFFFFFF81000000 + 16 * n:016x} t {name}\n" for n, name in enumerate(["_stext", *names])]
    known = Functions(Kallsyms("".join(lines).encode()), loaded=())
    target = Target(BTF, release="6.18.0", features=HAVE.__contains__, functions=known)
    return Made(text, target=target), known.numbers


@pytest.mark.parametrize(
    ("condition", "compared"),
    [
        ('name == "connect"', "= eq t1 42"),
        ('"connect" == name', "= eq t1 42"),
        ('name != "connect"', "= ne t1 42"),
        ('name == "connect" || name == "accept"', "= eq t1 43"),
        ('name == "unknown_4000"', "= eq t1 4000"),
        ('"a " . name . "!" == "a read!"', "= eq t1 0"),
    ],
)
def test_a_system_calls_name(condition: str, compared: str) -> None:
    made = Made(f"{ALL} {{ if ({condition}) println(1) }}")
    assert compared in made.kernel
    assert "str_" not in made.kernel + made.user
    assert made.notes("mirror") == []


@pytest.mark.parametrize(
    "name",
    ["no_such", "unknown_42", "unknown_", "unknown_x", "unknown_007", "unknown_--5", "unknown_\\xb2", ""],
)
def test_what_no_number_is_rendered_to(name: str) -> None:
    assert (
        Made(f'global n {ALL} {{ if (name == "{name}") println(1); n++ }} probe end {{ println(n) }}').user
        == ""
    )
    assert 'printf "%d\\n" 1' in Made(f'{ALL} {{ if (name != "{name}") println(1) }}').user


def test_a_text_that_may_be_cut_off_is_compared_as_it_is() -> None:
    made = Made(f'{ALL} {{ if (name . "-------" == "connect--") println(1) }}', maxstringlen=10)
    assert "str_eq" in made.user


def test_a_variable_of_several_texts_is_compared_as_it_is() -> None:
    made = Made(f'{ALL} {{ s = name; if ($ret == 3) s = "connect"; if (s == "connect") println(1) }}')
    assert "str_eq" in made.user


def test_a_functions_name() -> None:
    for word in ("ppfunc()", "probefunc()"):
        made, numbers = many(f'probe kernel.function("plain_*") {{ if ({word} == "plain_c") println(1) }}')
        assert f"eq t2 {numbers['plain_c']}" in made.kernel
        assert "str_eq" not in made.user
        assert made.notes("mirror") == []
        assert (
            many(f'probe kernel.function("plain_*") {{ if ({word} == "plain") println(1) }}')[0].staged.kernel
            == []
        )


def test_what_pp_gives_of_functions() -> None:
    text = 'probe kernel.function("plain_*") { if (pp() == "%s") println(1) }'
    (event,) = [p.event for p in many('probe kernel.function("plain_*") { println(pp()) }')[0].staged.kernel]
    cookie, place = event.args["places"][2]
    made, _ = many(text % place.replace('"', '\\"'))
    assert f" {cookie}\n" in made.kernel and "eq" in made.kernel
    assert made.notes("mirror") == []


@pytest.mark.parametrize("operation", ["str_eq", "str_ne"])
@pytest.mark.parametrize("numbers", [(), (3,), (3, 7), (3, 7, 9)])
def test_one_text_of_several_numbers(operation: str, numbers: tuple[int, ...]) -> None:
    word, text, same = Local("word", "i64"), Local("text", "str"), Local("same", "i64")
    for given in (3, 7, 9, 11):
        body: list[Stmt] = [
            Op(word, "mov", (Const(given),)),
            Op(text, "call", (word,), "function_place"),
            Op(same, operation, (text, Text("here"))),
        ]
        assert compare_words(
            body, Names("x86_64", {}, 100), ((1, "there"), *[(number, "here") for number in numbers])
        )
        model = Model(())
        model.block([stmt for stmt in body if isinstance(stmt, Op) and stmt.dst is not text])
        assert model.local[same] == (given in numbers) ^ (operation == "str_ne")
