"""Script files in chunks, each a whole script that says what it must print.

Chunks are separated by lines `---`. Their comments:

    ### name                what the chunk is about, its first line
    ### options: -g -w      words before the script, read as a shell would
    ### args: 1 two         words after the script
    ### workload: NAME      runs workloads/NAME.py as the command of -c
    ### status: 1           exit status, else 0
    ### mirror              must give the same answer when every handler is mirrored
    #> text                 one line of the output, exact
    #~ regular expression   one line of the output
    #! text                 a line of stderr that holds this; without any, stderr is empty

In an expected line `@PRIORITY@`, `@WEIGHT@` and `@INVERSE@` stand for what the scheduler makes of this process's nice
value, which what the test starts inherits.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

HERE = Path(__file__).parent

# the scheduler's weight of each nice value from 0 on
WEIGHTS = (1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29, 23, 18, 15)


def scheduled(line: str) -> str:
    """Put this process's priority and weight into an expected line."""
    if "@" not in line:
        return line
    nice = os.nice(0)
    weight = WEIGHTS[nice] if nice >= 0 else 0
    for word, value in (
        ("PRIORITY", 120 + nice),
        ("WEIGHT", weight << 10),
        ("INVERSE", (1 << 32) // (weight or 1)),
    ):
        line = line.replace(f"@{word}@", str(value))
    return line


class Chunk:
    """One script with its expectations."""

    def __init__(self, path: Path, line: int, text: str) -> None:
        self.text = text
        self.id = f"{path.stem}-{line}"
        self.options: list[str] = []
        self.args: list[str] = []
        self.status = 0
        self.mirror = False
        self.out: list[tuple[str, str]] = []
        self.err: list[str] = []
        for at in text.split("\n"):
            self._read(at)

    def _read(self, line: str) -> None:
        if line.startswith("### "):
            word, _, rest = line[4:].partition(":")
            if word == "options":
                self.options += shlex.split(rest)
            elif word == "args":
                self.args += shlex.split(rest)
            elif word == "workload":
                self.options += ["-c", f"{sys.executable} {HERE / 'workloads' / (rest.strip() + '.py')}"]
            elif word == "status":
                self.status = int(rest)
            elif word == "mirror":
                self.mirror = True
        elif line[:2] in ("#>", "#~"):
            self.out.append((line[1], scheduled(line[3:])))
        elif line[:3] == "#! ":
            self.err.append(line[3:])

    def check(self, out: str, err: str, status: int | None) -> None:
        """Compare one run with what the chunk says."""
        story = f"status {status}\n{out}\n{err}"
        lines = out.split("\n")
        if lines[-1] == "":
            lines.pop()
        assert len(lines) == len(self.out), story
        for (kind, wanted), line in zip(self.out, lines, strict=True):
            if kind == ">":
                assert line == wanted, story
            else:
                assert re.fullmatch(wanted, line), (wanted, line, story)
        at = 0
        for wanted in self.err:
            found = err.find(wanted, at)
            assert found >= 0, (wanted, story)
            at = found + len(wanted)
        if not self.err:
            assert err == "", story
        assert "Traceback" not in err and "mirrored instead" not in err, story
        assert status == self.status, story


def all_chunks() -> list[Chunk]:
    """Return the chunks of all files."""
    found: list[Chunk] = []
    for path in sorted((HERE / "chunks").glob("*.stp")):
        line = 1
        for text in path.read_text().split("\n---\n"):
            if "###" in text:
                found.append(Chunk(path, line, text))
            line += text.count("\n") + 2
    return found
