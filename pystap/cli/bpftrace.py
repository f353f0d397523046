"""pystap under the name of bpftrace: its options, with its meanings, as words of our own command line.

The executable that `pystap shim` writes begins here. What has no counterpart is refused in words.
"""

from __future__ import annotations

import os
import sys

from ..diag import CompileError, did_you_mean, fail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# option -> our words; None: it is taken and means nothing here. Of those that take a value it follows the words.
_FLAGS: dict[str, tuple[str, ...] | None] = {
    "-q": ("-q",),
    "-v": ("-v",),
    "-l": ("-l",),
    "-h": ("--help",),
    "-V": ("--version",),
    "-k": None,  # what a map couldn't take is counted and told anyway
    "--help": ("--help",),
    "--version": ("--version",),
    "--verbose": ("-v",),
    "--unsafe": ("--unsafe",),
    "--no-warnings": ("-w",),
    "--quiet": ("-q",),
    "--dry-run": ("-p", "4"),
    "--fmt": ("-p", "1"),
    "--usdt-file-activation": None,
}
_VALUES: dict[str, tuple[str, ...] | None] = {
    "-p": ("-x",),
    "-c": ("-c",),
    "-e": ("-e",),
    "-f": ("--format",),
    "-o": ("-o",),
    "-I": None,  # types come from BTF
    "--include": None,
    "--traceable-functions": None,
    "--no-feature": None,
}
_MOST_PIDS = 4194304
_NO_LLVM = "there is no LLVM in pystap: -d codegen prints the programs"
_REFUSED: dict[str, str] = {
    "--emit-elf": "-d dis prints the programs",
    "--emit-llvm": _NO_LLVM,
    "--aot": "",
    "--test": "",
    "--bench": "",
    "--debuginfo": "SYSTEMTAP_DEBUGINFO_PATH in the environment says where debug information is",
    "--dwarf-pid": "",
    "--probe-filter": "a pattern in the attach point picks probes",
    "--verify-llvm-ir": _NO_LLVM,
}
# Values of options that take one of a few words.
_WORDS: dict[str, dict[str, tuple[str, ...] | str]] = {
    "-B": {"none": (), "line": (), "full": ()},  # output is written with every batch of events
    "-d": {
        "parse": ("-p", "1", "--dump-after", "parse"),
        "ast": ("-p", "1", "--dump-after", "parse"),
        "types": ("-p", "2", "--dump-after", "sema"),
        "codegen": ("-p", "3", "--dump-after", "ebpf"),
        "codegen-opt": ("-p", "3", "--dump-after", "ebpf"),
        "dis": ("-p", "3", "--dump-after", "ebpf"),
        "all": "one at a time: -d ast, -d types, -d dis",
        "libbpf": "there is no libbpf in pystap",
        "verifier": "what the verifier refuses is shown at its line of the script",
    },
    "--mode": {
        "codegen": ("-p", "3"),
        "format": ("-p", "1"),
        "compiler-bench": "-v says how long each pass takes",
        "bench": "",
        "test": "",
    },
}

_SETTINGS = "BPFTRACE_"
# of the environment alone: what they would change
_ELSEWHERE = {
    "BTF": "types come from /sys/kernel/btf",
    "KERNEL_SOURCE": "types come from /sys/kernel/btf",
    "KERNEL_BUILD": "types come from /sys/kernel/btf",
    "VMLINUX": "types come from /sys/kernel/btf",
    "COLOR": "",
}


def settings() -> tuple[tuple[str, str], ...]:
    """Return the settings of scripts that the environment has; say which of its words are not used."""
    from ..sema.bt.config import KEYS, OLD_NAMES

    out = []
    for name, text in os.environ.items():
        if not name.startswith(_SETTINGS):
            continue
        word = name.removeprefix(_SETTINGS)
        key = OLD_NAMES.get(word.lower(), word.lower())
        if key in KEYS:
            out.append((key, text))
        elif hint := _ELSEWHERE.get(word, _near(key, KEYS)):
            sys.stderr.write(f"warning: {name} is not used: {hint}\n")
    return tuple(out)


def _near(key: str, known: Iterable[str]) -> str:
    near = did_you_mean(key, known)
    return f"did you mean {_SETTINGS}{near.upper()}?" if near else "there is no such setting"


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
    if "--info" in words:
        return ["doctor"]
    if not words:
        hint = "bpftrace FILE, bpftrace -e 'program', or bpftrace --help"
        raise fail("E910", "no script given", None, hint)
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
        if name in _VALUES or name in _WORDS:
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
    if name not in _VALUES and name not in _WORDS:
        near = did_you_mean(name, (*_FLAGS, *_VALUES, *_WORDS)) if name.startswith("--") else None
        raise fail("E901", f"unknown option '{name}'", None, *([f"did you mean '{near}'?"] if near else []))
    if value is None:
        if at >= len(words):
            raise fail("E902", f"option '{name}' needs a value")
        value = words[at]
        at += 1
    if name in _WORDS:
        out += _word(name, value)
        return at
    if name == "-p" and not (value.isascii() and value.isdigit() and 1 <= int(value) <= _MOST_PIDS):
        raise fail("E903", f"-p takes a process id, 1 to {_MOST_PIDS}, not '{value}'")
    ours = _VALUES[name]
    if ours is not None:
        out += [*ours, value]
    return at


def _word(name: str, value: str) -> tuple[str, ...]:
    """Return our words for an option that takes one of a few."""
    known = _WORDS[name]
    if value not in known:
        raise fail("E903", f"{name} takes {', '.join(known)}, not '{value}'")
    ours = known[value]
    if isinstance(ours, str):
        hints = [ours] if ours else []
        raise fail("E401", f"not supported yet: bpftrace's option '{name} {value}'", None, *hints)
    return ours
