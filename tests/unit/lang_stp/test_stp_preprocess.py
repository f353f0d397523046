"""The preprocessor: conditions, script arguments, macros of a library, laziness."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystap.diag import Bag, render
from pystap.lang.stp.conditions import glob_match, version_key
from pystap.lang.stp.parser import PreprocEnv, parse, parse_macros
from pystap.lang.stp.printer import print_file
from pystap.source import Source


def printed(text: str, env: PreprocEnv) -> str:
    bag = Bag()
    out = print_file(parse(Source("p.stp", text), env, bag))
    assert not bag.items, "".join(render(d) for d in bag.items)
    return "".join(out.split())


def holds(condition: str, **env: object) -> bool:
    text = f"probe begin {{ x = %( {condition} %? 1 %: 0 %) }}"
    return printed(text, PreprocEnv(**env)) == "probebegin{x=1;}"


@pytest.mark.parametrize(
    ("condition", "true"),
    [
        ('kernel_v == "6.18.5"', True),
        ('kernel_v == "6.18.5-amd64"', False),
        ('kernel_vr == "6.18.5-amd64"', True),
        ('kernel_vr == "*-amd64"', True),
        ('kernel_v != "6.*"', False),
        ('kernel_v > "6.9"', True),
        ('kernel_v >= "6.18.5"', True),
        ('kernel_v > "6.18.5"', False),
        ('kernel_v < "6.18.10"', True),
        ('kernel_v <= "6.18"', False),
        ('kernel_vr > "6.18.5"', True),
        ('systemtap_v >= "1.8"', True),
        ('systemtap_v < "5.10"', True),
        ('arch == "x86*"', True),
        ('arch != "i?86"', True),
        ('runtime != "kernel"', True),
        ("guru_mode == 0", True),
        ("guru_mode != 1", True),
        ('systemtap_privilege == "stapusr"', False),
        ("1 < 2 && 2 < 1 || 3 > 2", True),
        ("1 < 2 || 2 < 1 && 3 < 2", True),
        ("2 < 1 || 2 < 1 && 3 > 2", False),
        ('"abc" < "abd"', True),
        ('"a*" == "abc"', False),
        ("-1 < 0", True),
        ("$# == 0", True),
        ('@# == "0"', True),
    ],
)
def test_condition(condition: str, true: bool) -> None:
    assert holds(condition, kernel_v="6.18.5-amd64") is true


def test_config_is_asked_only_where_it_matters() -> None:
    asked: list[str] = []

    def config(name: str) -> str | None:
        asked.append(name)
        return {"CONFIG_A": "y"}.get(name)

    assert holds('1 == 2 && CONFIG_X == "y" || CONFIG_A == "y" || CONFIG_Y == "y"', config=config)
    assert asked == ["CONFIG_A"]
    assert holds('CONFIG_NONE != "y"', config=config)
    assert holds('CONFIG_NONE == ""', config=config)


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [
        ("6.9", "6.18"),
        ("6.18", "6.18.1"),
        ("6.18.5", "6.18.5-amd64"),
        ("5.15.0-9", "5.15.0-10"),
        ("2.6.9", "2.6.32"),
    ],
)
def test_versions_are_ordered_by_their_numbers(smaller: str, larger: str) -> None:
    assert version_key(smaller) < version_key(larger)


@given(st.text("ab*?[]-!", max_size=8), st.text("ab-", max_size=8))
def test_glob_is_that_of_fnmatch(pattern: str, text: str) -> None:
    if "[" in pattern and ("-" in pattern or "!" in pattern):
        return  # ranges that make no sense differ between implementations
    assert glob_match(pattern, text) == fnmatchcase(text, pattern)


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("[a-c]x", "bx", True),
        ("[!a-c]x", "bx", False),
        ("[^a]x", "bx", True),
        (r"\*x", "*x", True),
        (r"\*x", "ax", False),
    ],
)
def test_glob_sets_and_escapes(pattern: str, text: str, fits: bool) -> None:
    assert glob_match(pattern, text) is fits


def test_unused_arguments_are_named() -> None:
    bag = Bag()
    parse(Source("p.stp", "probe begin { print(@2) }"), PreprocEnv(("a", "b", "c d")), bag)
    assert [d.message for d in bag.items] == [
        "the script does not use its argument 1 ('a')",
        "the script does not use its argument 3 ('c d')",
    ]
    assert not bag.errors


def test_an_argument_in_a_dropped_branch_or_macro_counts_as_used() -> None:
    text = "@define never %( $2 %) %( $# == 0 %? global x = $1 %) probe begin {}"
    assert printed(text, PreprocEnv(("1", "2"))) == "probebegin{}"


def test_the_tapset_does_not_report_the_scripts_arguments() -> None:
    bag = Bag()
    parse(Source("lib.stp", "function f() %{ %} %{ %}"), PreprocEnv(("a",)), bag, library=True)
    assert not bag.items


def test_argument_text_is_pasted_as_tokens_and_as_a_string() -> None:
    out = printed("probe $1 { print(@1) x = $2 }", PreprocEnv(("timer.s(1), end", "1+2*y")))
    assert out == 'probetimer.s(1),end{print("timer.s(1),end");x=1+2*y;}'


def test_macros_of_the_library() -> None:
    bag = Bag()
    macros = parse_macros(Source("m.stpm", "/* c */ @define one %( 1 %) @define add(a,b) %( @a + @b %)"), bag)
    assert not bag.items
    assert sorted(macros) == ["add", "one"]
    env = PreprocEnv(macros=macros)
    assert printed("probe begin { x = @add(@one, 2) }", env) == "probebegin{x=1+2;}"
    own = "@define one %( 5 %) probe begin { x = @add(@one, 2) }"
    assert printed(own, env) == "probebegin{x=5+2;}"


def test_a_macro_file_has_nothing_but_macros() -> None:
    bag = Bag()
    macros = parse_macros(Source("m.stpm", "@define a %( 1 %)\nprobe begin {}"), bag)
    assert sorted(macros) == ["a"]
    assert [(d.code, d.span.line) for d in bag.errors if d.span] == [("E120", 2)]


def test_a_diagnostic_inside_a_macro_shows_where_it_is_used() -> None:
    bag = Bag()
    text = "@define bad %( 1 + %)\nprobe begin { x = (@bad) }\n"
    parse(Source("p.stp", text), PreprocEnv(), bag)
    (error,) = bag.errors
    assert error.message == "expected an expression, found ')'"
    text = "@define bad %( + * 2 %)\nprobe begin { x = 1 @bad }\n"
    bag = Bag()
    parse(Source("p.stp", text), PreprocEnv(), bag)
    (error,) = bag.errors
    assert "used at p.stp:2:21" in render(error)
