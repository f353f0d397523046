"""The pages of docs/ are true: their examples are put into a copy of the package and run, their scripts compile.

In a page, a code block's first line says what it is:

    ```stp                      a script: it must compile for the fixture's kernel; `bt` likewise
    ```stp E401                 scripts, one a line: each must fail with that error
    ```stp file=PATH            a new file
    ```diff file=PATH           a change of a file: lines with '-' go, with '+' come, with ' ' are there
    ```console                  commands behind `$`, and their output; a line "..." is any number of lines

Commands run in order, in the copy as the blocks above them left it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.M | re.S)

# The command against the fixture's kernel. Scripts with user handlers alone run: they need no system calls.
COMMAND = """
import sys
sys.path.insert(0, ".")
import pystap.cli.live as live
import pystap.kernel.features as features
import pystap.kernel.target as target
target.vmlinux_btf = lambda: open(FIXTURE, "rb").read()
target.release = lambda: "6.18.0"
target.machine = lambda: "x86_64"
features.explain_missing = list
live.LiveFeatures.__call__ = lambda self, name: name not in ("kprobe", "kretprobe", "kprobe_multi", "fentry", "fexit")
live.cache_dir = lambda: None
from pystap.cli.main import main
sys.exit(main())
"""


def blocks(page: Path) -> Iterator[tuple[str, str, int]]:
    """(information, text, line) of every code block of a page."""
    text = page.read_text()
    for found in BLOCK.finditer(text):
        yield found[1], found[2], text.count("\n", 0, found.start()) + 1


def changed(text: str, diff: str) -> str:
    """The text after a change; its old lines must be there exactly once."""
    lines = diff.splitlines(keepends=True)
    assert all(line[0] in " -+\n" for line in lines), diff
    old = "".join(line[1:] or "\n" for line in lines if line[0] != "+")
    new = "".join(line[1:] or "\n" for line in lines if line[0] != "-")
    assert text.count(old) == 1, f"{text.count(old)} times in the file:\n{old}"
    return text.replace(old, new)


def pattern(expected: str) -> str:
    """A pattern for the whole output of a command."""
    return "".join(
        r"(?:.*\n)*?" if line == "...\n" else re.escape(line) for line in expected.splitlines(keepends=True)
    )


def run(folder: Path, command: str) -> str:
    """Run one command of a page in the copy; return all that it printed."""
    words = shlex.split(command)
    if words[0] == "pystap":
        fixture = str(ROOT / "tests" / "fixtures" / "kernel.btf")
        words = [sys.executable, "-c", COMMAND.replace("FIXTURE", repr(fixture)), *words[1:]]
    elif words[0] == "python3":
        words[0] = sys.executable
    else:
        raise AssertionError(f"a page may not run {words[0]}")
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        words,
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout


def commands(text: str) -> Iterator[tuple[str, str]]:
    """(command, expected output) of a console block."""
    for part in text.split("$ ")[1:]:
        command, _, expected = part.partition("\n")
        yield command, expected


ADDING = [page for page in PAGES if any("file=" in info for info, _, _ in blocks(page))]


@pytest.mark.parametrize("page", ADDING, ids=lambda p: p.stem)
def test_adding_a_thing(page: Path, tmp_path: Path) -> None:
    for folder in ("pystap", "scripts"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    ran = 0
    for info, text, line in blocks(page):
        kind, _, name = info.partition(" file=")
        if kind == "diff":
            path = tmp_path / name
            path.write_text(changed(path.read_text(), text))
        elif name:
            assert not (tmp_path / name).exists(), f"{page.name}:{line}: {name} is there already"
            (tmp_path / name).write_text(text)
        elif kind == "console":
            for command, expected in commands(text):
                out = run(tmp_path, command)
                assert re.fullmatch(pattern(expected), out), f"{page.name}:{line}: $ {command}\n{out}"
                ran += 1
    assert ran, "the page shows nothing"


def test_there_is_a_page_for_every_thing() -> None:
    assert {page.stem for page in ADDING} >= {
        "add-a-function",
        "add-a-probe-kind",
        "add-a-sink",
        "add-a-tool",
    }


SCRIPTS = [
    pytest.param(info, script, id=f"{page.stem}:{line}{f'+{number}' if number else ''}")
    for page in PAGES
    for info, text, line in blocks(page)
    if info.split(" ")[0] in ("stp", "bt") and "file=" not in info
    for number, script in enumerate(text.splitlines() if " " in info else [text])
]


@pytest.mark.parametrize(("info", "text"), SCRIPTS)
def test_a_script_of_a_page(info: str, text: str, tmp_path: Path) -> None:
    lang, _, code = info.partition(" ")
    (tmp_path / f"script.{lang}").write_text(text)
    fixture = str(ROOT / "tests" / "fixtures" / "kernel.btf")
    command = [
        sys.executable,
        "-c",
        COMMAND.replace("FIXTURE", repr(fixture)),
        "-p3",
        str(tmp_path / f"script.{lang}"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    if code:
        assert done.returncode == 1, f"this works now: say so in the page\n{text}"
        assert set(re.findall(r"^error\[(\w+)\]", done.stderr, re.M)) == {code}, done.stderr
    else:
        assert done.returncode == 0, done.stderr


LINKS = [
    (page, link) for page in PAGES for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
]


@pytest.mark.parametrize(("page", "link"), LINKS, ids=[f"{page.stem}-{link}" for page, link in LINKS])
def test_a_link_leads_somewhere(page: Path, link: str) -> None:
    assert (page.parent / link).exists()


PATHS = re.compile(r"`((?:pystap|tests|docs|scripts|bench)/[\w./-]+?)/?`")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_named_files_exist(page: Path) -> None:
    made = {info.partition("file=")[2] for info, _, _ in blocks(page)}
    missing = [
        name for name in PATHS.findall(page.read_text()) if not (ROOT / name).exists() and name not in made
    ]
    assert not [name for name in missing if "NAME" not in name and not name.endswith("/x.py")], missing
