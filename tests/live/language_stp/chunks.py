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
"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

HERE = Path(__file__).parent


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
            self.out.append((line[1], line[3:]))
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
