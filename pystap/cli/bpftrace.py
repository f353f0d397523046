"""pystap under the name of bpftrace: its options, with its meanings, as words of our own command line.

The executable that `pystap shim` writes begins here. What has no counterpart is refused in words.
"""

from __future__ import annotations

import os
import sys

from ..diag import CompileError, did_you_mean, fail

# option -> our words; None: it is taken and means nothing here. Of those that take a value it follows the words.
_FLAGS: dict[str, tuple[str, ...] | None] = {
    "-q": ("-q",),
    "-v": ("-v",),
    "-l": ("-l",),
    "-h": ("--help",),
    "-V": ("--version",),
    "-k": None,
    "--help": ("--help",),
    "--version": ("--version",),
    "--unsafe": ("--unsafe",),
    "--no-warnings": ("-w",),
    "--quiet": ("-q",),
    "--dry-run": ("-p", "4"),
    "--usdt-file-activation": None,
}
_VALUES: dict[str, tuple[str, ...] | None] = {
    "-p": ("-x",),
    "-c": ("-c",),
    "-e": ("-e",),
    "-f": ("--format",),
    "-o": ("-o",),
    "-B": None,
    "-I": None,
    "--include": None,
    "--traceable-functions": None,
    "--no-feature": None,
}
_REFUSED: dict[str, str] = {
    "-d": "pystap --dump-after=PASS prints what a pass made, and pystap explain says what runs where",
    "--info": "pystap doctor says what this kernel can do",
    "--emit-elf": "pystap --dump-after=ebpf prints the programs",
    "--emit-llvm": "there is no LLVM in pystap: --dump-after=ebpf prints the programs",
    "--aot": "",
    "--mode": "pystap -p 4 loads a script without running it",
    "--test": "",
    "--bench": "",
    "--fmt": "pystap -p 1 prints a script as it was read",
    "--debuginfo": "",
    "--dwarf-pid": "",
    "--probe-filter": "",
    "--verify-llvm-ir": "",
}


def main_and_leave() -> None:
    """Run the command and leave the process."""
    from . import main

    sys.argv[1:] = _words_or_leave(sys.argv[1:])
    main.main_and_leave()


def _words_or_leave(words: list[str]) -> list[str]:
    from .main import show

    try:
        return translate(words)
    except CompileError as error:
        show(error.diagnostic)
        os._exit(1)


def translate(words: list[str]) -> list[str]:
    """Return our words for bpftrace's; CompileError (E4xx, E9xx) for those that have none."""
    out = ["--lang", "bt"]
    if not words:
        return [*out, "--help"]
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word == "--":
            out += words[at - 1 :]
            break
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            at = _option(name, value if equals else None, words, at, out)
        elif word.startswith("-") and len(word) > 1:
            at = _letters(word[1:], words, at, out)
        else:
            out.append(word)
    return out


def _letters(letters: str, words: list[str], at: int, out: list[str]) -> int:
    """Take `-lv`, `-p123`, `-p 123`."""
    while letters:
        name, letters = f"-{letters[0]}", letters[1:]
        if name in _VALUES or name == "-d":
            return _option(name, letters or None, words, at, out)
        at = _option(name, None, words, at, out)
    return at


def _option(name: str, value: str | None, words: list[str], at: int, out: list[str]) -> int:
    """Take one option; return the place behind it."""
    if name in _REFUSED:
        hint = _REFUSED[name]
        raise fail("E401", f"not supported yet: bpftrace's option '{name}'", None, *([hint] if hint else []))
    if name in _FLAGS:
        if value is not None:
            raise fail("E902", f"option '{name}' takes no value")
        out += _FLAGS[name] or ()
        return at
    if name not in _VALUES:
        near = did_you_mean(name, (*_FLAGS, *_VALUES)) if name.startswith("--") else None
        raise fail("E901", f"unknown option '{name}'", None, *([f"did you mean '{near}'?"] if near else []))
    if value is None:
        if at >= len(words):
            raise fail("E902", f"option '{name}' needs a value")
        value = words[at]
        at += 1
    ours = _VALUES[name]
    if ours is not None:
        out += [*ours, value]
    return at
