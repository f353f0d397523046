"""A user's own tapset (-I), and more than one script (-E)."""

from __future__ import annotations

from pathlib import Path

import pytest

from pystap.cli.listings.dumps import functions, probe_aliases
from pystap.cli.listings.points import listing
from pystap.cli.tapsets import places, read
from pystap.compiler import Compilation, run_passes
from pystap.options import Options
from pystap.source import Source

from .tools import Bag, errors, module, target, warnings

MINE = (
    (
        "dir/mine.stp",
        """
global shared[7], mine_total
private global hidden
function twice:long(x:long) { hidden++ return x * 2 }
function pid:long() { return 42 }
private function inner:long() { return 1 }
probe mine.start = begin { greeting = "hello" }
probe mine.part.start = mine.start { more = greeting . "!" }
probe netdev.mine = begin { dev_name = "none" }
probe end { mine_total++ }
""",
    ),
    ("dir/broken.stp", "function oops( {"),
    ("dir/other.stp", "function other:long() { return mine_total + script_global }\nprobe end { }"),
    ("dir/m.stpm", "@define thrice(x) %( (@x * 3) %)"),
)


def compiled(text: str, *scripts: str, args: tuple[str, ...] = ()) -> Compilation:
    """Parse and check a script, with those of -E, as the command does."""
    options = Options(tapsets=MINE, scripts=scripts, args=args)
    c = Compilation(Source("t.stp", text), "stp", target(), options, Bag())
    run_passes(c, 2)
    return c


def test_what_is_named_is_there() -> None:
    made = module("probe mine.part.start { println(more) println(twice(4)) println(pid()) }", tapsets=MINE)
    assert [h.probe for h in made.handlers] == ["begin", "end"]  # the file's own probe comes along
    assert {g.name for g in made.globals} == {"hidden", "mine_total"}


def test_what_is_not_named_is_not() -> None:
    made = module("probe begin { println(1) }", tapsets=MINE)
    assert len(made.handlers) == 1 and not made.globals


def test_globals_are_shared() -> None:
    made = module(
        "global script_global probe begin { shared[1] = 2 println(other()) script_global++ }", tapsets=MINE
    )
    assert sorted(g.name for g in made.globals) == ["mine_total", "script_global", "shared"]
    assert next(g for g in made.globals if g.name == "shared").capacity == 7
    assert len(made.handlers) == 3


def test_patterns_find_both_tapsets() -> None:
    made = module("probe netdev.{mine,receive} { println(dev_name) }", tapsets=MINE)
    assert len([h for h in made.handlers if h.probe != "end"]) == 2
    assert {h.probe for h in module("probe mine.* { println(greeting) }", tapsets=MINE).handlers} == {
        "begin",
        "end",
    }


def test_mistakes() -> None:
    assert errors("probe begin { twicee(1) }", tapsets=MINE) == [("E209", "twicee")]
    assert errors("probe begin { inner() }", tapsets=MINE) == [("E209", "inner")]
    assert errors("probe mine.strat { }", tapsets=MINE) == [("E301", "mine")]
    assert errors("probe begin { hidden[1] = 2 }", tapsets=MINE) == [("E204", "hidden")]
    assert warnings("probe begin { println(1) }", tapsets=MINE) == [("W308", "{")]
    bad = (("x.stp", "function f() { return __builtin_pid() }"),)
    assert errors("probe begin { f() }", tapsets=bad) == [("E209", "__builtin_pid")]


def test_macros() -> None:
    assert not compiled("probe begin { println(@thrice(3)) println(@choose_defined(1, 2)) }").bag.errors


def test_more_scripts_are_one_with_the_first() -> None:
    c = compiled(
        "global n probe begin { n = f($1) }",
        "function f(x) { return x }",
        "probe end { println(n) }",
        args=("5",),
    )
    assert not c.bag.errors and c.module is not None
    assert [h.probe for h in c.module.handlers] == ["begin", "end"]
    c = compiled("probe begin { println(1) }", "probe end { println($1) }", args=("5", "6"))
    assert [d.message for d in c.bag.items if d.code == "W101"] == [
        "the script does not use its argument 2 ('6')"
    ]
    c = compiled("probe begin { }", "probe end { nothing() }")
    (error,) = c.bag.errors
    assert error.span is not None and error.span.source.name == "<-E 1>"
    assert compiled("probe begin { ", "probe end { }").bag.errors


def test_listings() -> None:
    options = Options(tapsets=MINE)
    assert listing("mine.**", target(), {}, False, options) == ["mine.part.start", "mine.start"]
    assert listing("mine.part.*", target(), {}, True, options) == [
        "mine.part.start greeting:string more:string"
    ]
    assert "mine.start = begin" in probe_aliases(target(), options)
    assert "twice:long (x:long)" in functions(target(), options)
    assert "netdev.mine" in listing("netdev.*", target(), {}, False, options)


def test_folders(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pystap.kernel.target.release", lambda: "6.12.5-2-amd64")
    monkeypatch.setattr("pystap.kernel.target.machine", lambda: "x86_64")
    names = [
        "a.stp",
        "6.12/a.stp",
        "6.12.5-2-amd64/x86_64/b.stp",
        "x86_64/c.stpm",
        "6.1/d.stp",
        "e.txt",
        "b.stp",
    ]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    found = [text for _, text in read([str(tmp_path), str(tmp_path / "none")])]
    assert found == ["6.12.5-2-amd64/x86_64/b.stp", "6.12/a.stp", "x86_64/c.stpm"]
    assert "W906" in capfd.readouterr().err
    assert places("d", "6.1.0", "x")[-1] == "d" and len(places("d", "6.1.0", "x")) == 6
