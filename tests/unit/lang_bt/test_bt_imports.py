"""What `import` takes in, from where, and what it refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pystap.diag import Bag
from pystap.lang.bt import ast
from pystap.lang.bt.imports import together
from pystap.lang.bt.parser import parse
from pystap.source import Source


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    os.chmod(tmp_path, 0o755)
    return tmp_path


def merged(folder: Path, text: str) -> tuple[ast.Program, Bag]:
    bag = Bag()
    tree = parse(Source(str(folder / "script.bt"), text), [], bag)
    assert not bag.errors
    return together(tree, [], bag), bag


def put(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o755, exist_ok=True)
    path.write_text(text)
    path.chmod(0o644)


def test_declarations_come_before_the_scripts_own(folder: Path) -> None:
    put(
        folder / "lib" / "a.bt",
        'config = { max_strlen = 9 } import "b.h"; macro one() { 1 } begin { print(1); }',
    )
    put(folder / "lib" / "b.h", "#define B 7\nstruct two { int a; int b; };\n")
    tree, bag = merged(folder, 'import "lib"; import "lib/a.bt"; begin { print(one()); }')
    assert not bag.errors
    assert [m.name for m in tree.macros] == ["one"]
    assert len(tree.probes) == 2 and tree.probes[1].span.source.name.endswith("script.bt")
    assert [d.name for d in tree.c.defines] == ["B"] and len(tree.c.types) == 1
    assert [entry.key for entry in tree.config] == ["max_strlen"] and tree.imports == ()


def test_files_that_import_one_another_are_taken_once(folder: Path) -> None:
    put(folder / "a.bt", 'import "b.bt"; macro a() { 1 }')
    put(folder / "b.bt", 'import "a.bt"; macro b() { 1 }')
    tree, bag = merged(folder, 'import "a.bt"; begin { }')
    assert not bag.errors and [m.name for m in tree.macros] == ["b", "a"]


def test_mistakes_have_their_own_file(folder: Path) -> None:
    put(folder / "a.bt", "begin { $x = ; }")
    _, bag = merged(folder, 'import "a.bt"; begin { }')
    assert [(d.code, d.span and d.span.source.name) for d in bag.errors] == [("E111", str(folder / "a.bt"))]


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("absent.bt", "E125", "No such file or directory"),
        ("open/x.bt", "E125", "anybody may write to its folder"),
        ("writable.bt", "E125", "anybody may write to it"),
        ("x.txt", "E125", "the form is"),
        ("x.bpf.c", "E401", "imports of C programs"),
        ("empty", "E125", "has no file to import"),
    ],
)
def test_what_is_refused(folder: Path, path: str, code: str, words: str) -> None:
    put(folder / "open" / "x.bt", "")
    os.chmod(folder / "open", 0o777)
    put(folder / "writable.bt", "")
    os.chmod(folder / "writable.bt", 0o666)
    (folder / "empty").mkdir(mode=0o755)
    _, bag = merged(folder, f'import "{path}"; begin {{ }}')
    assert [d.code for d in bag.errors] == [code]
    assert words in bag.errors[0].message + " ".join(bag.errors[0].hints)
