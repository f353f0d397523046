"""Three tracers print the same values at the same events, and are compared: pystap with a SystemTap script, pystap with a
bpftrace script, and bpftrace with that same script.

    python3 -m tests.live.variables.differential [--seed N] [--functions N] [--paths N] [--attach RUNG] [--returns]

What one event had is one line of each tracer. A value that can't be read is 0 in bpftrace's language and an error, here
`FAULT`, in SystemTap's. Lines are compared by function, in order. A path differs if it does at most of its events: some memory
changes between one tracer's program and the next.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path as File

from pystap.btf import Btf
from pystap.btf import types as t
from pystap.cli.live import live_target

from . import everyday
from .random_paths import POINTER, Path, random_path, start

ROOT = File(__file__).parent.parent.parent.parent
FAULT = 1234567890123456789
PATIENCE = 300.0
_TRACED = File("/sys/kernel/tracing/available_filter_functions")


class Probe:
    """One function and the paths that are read there. `result`: the return is probed, and paths begin at its value."""

    def __init__(self, number: int, function: str, result: bool, paths: list[Path]) -> None:
        self.number = number
        self.function = function
        self.result = result
        self.paths = paths

    @property
    def numbers(self) -> list[Path]:
        return [p for p in self.paths if p.kind != "string"]

    @property
    def strings(self) -> list[Path]:
        return [p for p in self.paths if p.kind == "string"]


def functions(btf: Btf, names: tuple[str, ...]) -> list[str]:
    """Return those of the functions that have types and can be traced here."""
    traced = {line.split()[0] for line in _TRACED.read_text().splitlines() if line}
    return [n for n in names if n in traced and _simple(btf, n)]


def _simple(btf: Btf, name: str) -> bool:
    """Say whether there are types of a function that all tracers can attach by."""
    func = btf.find_func(name)
    if func is None or func.type.variadic or len(func.type.params) > 6:
        return False
    types = [btf.resolve(one.type) for one in (func.type, *func.type.params)]
    return not any(isinstance(one, t.Composite) for one in types)


def make(
    rng: random.Random, btf: Btf, names: list[str], count: int, returns: bool, turns: int = 1
) -> list[Probe]:
    """Return probes with so many paths each, and each function so many times."""
    probes = []
    for number, name in enumerate(names * turns):
        proto = btf.find_func(name).type
        if returns:
            back = [] if isinstance(proto.type, t.Void) else [proto.type]
            starts = [start(btf, "return", one, "retval", "retval") for one in back]
        else:
            named = [(n, p) for n, p in enumerate(proto.params) if p.name]
            starts = [start(btf, p.name, p.type, f"args.{p.name}", f"arg{n}") for n, p in named]
        found = (random_path(rng, btf, starts) for _ in range(count)) if starts else iter(())
        paths = list({p.stp: p for p in found if p is not None}.values())
        if paths:
            probes.append(Probe(number, name, returns, paths))
    return probes


# -------------------------------------------------- the scripts


def stp(probes: list[Probe], pid: int) -> str:
    """Return SystemTap's script."""
    out = []
    for probe in probes:
        suffix = ".return" if probe.result else ".call"
        out.append(f'probe kernel.function("{probe.function}"){suffix} {{\n  if (tid() != {pid}) next')
        for n, path in enumerate(probe.numbers):
            words = f"{_before(path)}v{n} = {path.stp}".replace(
                POINTER, f"p{n}_"
            )  # a variable points to one type
            out.append(f"  try {{ {words} }} catch {{ v{n} = {FAULT} }}")
        out += _lines(probe, "", (f"v{n}" for n in range(len(probe.numbers))), "%d")
        for n, path in enumerate(probe.strings):
            words = f"{_before(path)}s{n} = kernel_string_n({path.stp}, {path.size})".replace(
                POINTER, f"q{n}_"
            )
            out.append(f'  try {{ {words} }} catch {{ s{n} = "{FAULT}" }}')
            out.append(f'  printf("{probe.number}.{n} %s\\n", s{n})')
        out.append("}")
    out.append(f'probe kernel.function("{everyday.EDGE}") {{ if (tid() == {pid}) println("edge") }}')
    out.append(f'probe kernel.function("{everyday.MARK}") {{ if (tid() == {pid}) println("first\\nlast") }}')
    return "\n".join(out) + "\n"


def _before(path: Path) -> str:
    return (f"i = tid() % {path.index}; " if path.index else "") + path.before


def bt(probes: list[Probe], pid: int, typed: bool) -> str:
    """Return bpftrace's script, by fentry or by kprobes."""
    enter, leave = ("fentry", "fexit") if typed else ("kprobe", "kretprobe")
    # what is attached first may be attached last: both ends of the script have to work before anything is compared
    mark = 'kprobe:%s /tid == %d/ { printf("%s\\n"); }'
    out = [mark % (everyday.MARK, pid, "first"), mark % (everyday.EDGE, pid, "edge")]
    for probe in probes:
        out.append(f"{leave if probe.result else enter}:{probe.function} /tid == {pid}/ {{")
        words = []
        for path in probe.paths:
            read = path.typed if typed else path.plain
            if path.index:
                read = read.replace("[$i]", f"[{pid % path.index}]")  # bpftrace takes literals only
            if path.kind == "string":
                out.append(f'  printf("{probe.number}.{probe.strings.index(path)} %s\\n", {read});')
            else:
                words.append(f"(uint64){read}" if path.kind == "pointer" else read)
        out += _lines(probe, ";", words, "%lld")
        out.append("}")
    return "\n".join([*out, mark % (everyday.MARK, pid, "last")]) + "\n"


def _lines(probe: Probe, end: str, words: Iterator[str] | list[str], conversion: str) -> list[str]:
    values = list(words)
    if not values:
        return []
    form = " ".join([conversion] * len(values))
    return [f'  printf("{probe.number}: {form}\\n", {", ".join(values)}){end}']


# -------------------------------------------------- running


class Running:
    """A tracer at work: its output goes to a file."""

    def __init__(self, name: str, command: list[str], folder: File) -> None:
        self.name = name
        self.out = folder / f"{name}.out"
        self.err = folder / f"{name}.err"
        env = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYSTAP_NO_FALLBACK": "1",
            "BPFTRACE_PERF_RB_PAGES": "1024",
        }
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(command, stdout=out, stderr=err, cwd=ROOT, env=env)

    def count(self, *words: bytes) -> int:
        """Return how many times the output has these lines, the least of them."""
        told = b"\n" + self.out.read_bytes()
        return min(told.count(b"\n%s\n" % word) for word in words)

    def stop(self) -> str:
        if self.process.poll() is None:
            self.process.send_signal(2)
        self.process.wait(PATIENCE)
        told = self.err.read_text(errors="replace")
        assert self.process.returncode == 0, f"{self.name}: {self.process.returncode} {told}"
        return told


class Ended(AssertionError):
    """A tracer ended early, or never began."""

    def __init__(self, name: str, words: str) -> None:
        super().__init__(f"{name} ended, or never traced: {words[-3000:]}")
        self.name = name
        self.words = words


def trace(probes: list[Probe], attach: str, keep: str = "") -> tuple[dict[str, list[bytes]], str]:
    """The same as `_trace`, without the paths that bpftrace doesn't take."""
    for _ in range(3):
        try:
            return _trace(probes, attach, keep)
        except Ended as ended:
            if ended.name != "bpftrace" or not _drop(probes, ended.words):
                raise
    raise AssertionError("bpftrace takes none of these paths")


def _drop(probes: list[Probe], words: str) -> int:
    """Take the paths away that bpftrace's messages are about, by line and column of its script; return how many."""
    lines = bt(probes, 1, False).split("\n")
    bad: set[Path] = set()
    for line, column in re.findall(r"a\.bt:(\d+):(\d+)-\d+: ERROR", words):
        text = lines[int(line) - 1]
        found = re.match(r'  printf\("(\d+)(?:\.(\d+))?', text)
        if found is None:
            continue
        probe = next(p for p in probes if p.number == int(found[1]))
        if found[2]:
            bad.add(probe.strings[int(found[2])])
        elif number := text[: int(column) + 1].count(", "):
            bad.add(probe.numbers[number - 1])
    for probe in probes:
        probe.paths = [p for p in probe.paths if p not in bad]
    return len(bad)


def _trace(probes: list[Probe], attach: str, keep: str) -> tuple[dict[str, list[bytes]], str]:
    """Run the workload under the three tracers; return the lines of each, and what they warned of."""
    with tempfile.TemporaryDirectory() as made:
        folder = File(keep or made)
        work = subprocess.Popen(
            [sys.executable, "-I", everyday.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert work.stdin is not None and work.stdout is not None

        def order(word: str) -> None:
            assert work.stdin is not None and work.stdout is not None
            work.stdin.write(f"{word}\n")
            work.stdin.flush()
            assert work.stdout.readline() == f"{word}\n"

        pid = int(work.stdout.readline())
        (folder / "a.stp").write_text(stp(probes, pid))
        (folder / "a.bt").write_text(bt(probes, pid, False))
        (folder / "typed.bt").write_text(bt(probes, pid, True))
        tracers = []
        try:
            for name, command in _commands(folder, attach).items():
                tracers.append(Running(name, command, folder))
                _until(lambda: order("mark"), tracers[-1:], b"first", b"last")
            order("go")
            _until(lambda: None, tracers, b"edge", times=2)
            told = "".join(one.stop() for one in tracers)
            return {one.name: one.out.read_bytes().split(b"edge\n")[1].split(b"\n") for one in tracers}, told
        finally:
            for process in [work, *(one.process for one in tracers)]:
                if process.poll() is None:
                    process.kill()
                process.wait()
            work.stdin.close()
            work.stdout.close()


def _commands(folder: File, attach: str) -> dict[str, list[str]]:
    pystap = [sys.executable, "-m", "pystap"]
    return {
        "bpftrace": ["bpftrace", str(folder / "a.bt")],
        "stp": [*pystap, "-g", *([f"--attach={attach}"] if attach else []), str(folder / "a.stp")],
        "bt": [*pystap, "bpftrace", str(folder / ("a.bt" if attach.startswith("kprobe") else "typed.bt"))],
    }


def _until(turn: Callable[[], None], tracers: list[Running], *words: bytes, times: int = 1) -> None:
    end = time.monotonic() + PATIENCE
    while any(one.count(*words) < times for one in tracers):
        for one in tracers:
            if one.process.poll() is not None or time.monotonic() > end:
                raise Ended(one.name, one.err.read_text(errors="replace"))
        turn()
        time.sleep(0.1)


# -------------------------------------------------- comparing


class Outcome:
    """What was compared: paths, their events, values that are not 0, and descriptions of what differs."""

    def __init__(self) -> None:
        self.paths = 0
        self.silent: list[str] = []
        self.values = 0
        self.telling = 0
        self.moving: list[str] = []
        self.differences: list[str] = []


def compare(probes: list[Probe], lines: dict[str, list[bytes]]) -> Outcome:
    """Compare the lines of three tracers."""
    outcome = Outcome()
    for probe in probes:
        rows = {name: _rows(probe, told) for name, told in lines.items()}
        counts = {name: sorted({len(r) for r in columns}) for name, columns in rows.items()}
        if len({str(c) for c in counts.values()}) != 1:
            outcome.differences.append(f"{probe.function}: events {counts}")
        elif not max(counts["bpftrace"]):
            outcome.silent.append(probe.function)
            continue
        for n, path in enumerate([*probe.numbers, *probe.strings]):
            _one(outcome, probe, path, [rows[name][n] for name in ("stp", "bt", "bpftrace")])
    return outcome


def _one(outcome: Outcome, probe: Probe, path: Path, columns: list[list[bytes]]) -> None:
    outcome.paths += 1
    odd = total = 0
    for ours, same, theirs in zip(*columns, strict=False):
        total += 1
        outcome.telling += theirs not in (b"0", b"")
        faulted = ours == b"%d" % FAULT and theirs in (b"0", b"")
        odd += not ((_number(ours) == _number(theirs) or faulted) and _number(same) == _number(theirs))
    outcome.values += total
    if odd:
        seen = list(zip(*columns, strict=False))
        words = f"{probe.function}: {path!r}: {odd} of {total} differ (stp, bt, bpftrace): {seen[:6]}"
        (outcome.differences if 2 * odd > total else outcome.moving).append(words)


def _number(word: bytes) -> bytes:
    """Return what is equal for one 64-bit number with and without a sign."""
    if word[:1] == b"-" and word[1:].isdigit():
        return b"%d" % (int(word) & (1 << 64) - 1)
    return word


def _rows(probe: Probe, told: list[bytes]) -> list[list[bytes]]:
    """Return the values of each path, by event: numbers, then strings."""
    start = b"%d: " % probe.number
    events = [line[len(start) :].split() for line in told if line.startswith(start)]
    columns = [[event[n] for event in events] for n in range(len(probe.numbers))]
    for n in range(len(probe.strings)):
        start = b"%d.%d " % (probe.number, n)
        columns.append([line[len(start) :] for line in told if line.startswith(start)])
    return columns


def run(
    seed: int, some: int, count: int, attach: str, returns: bool, turns: int = 1, keep: str = ""
) -> tuple[Outcome, str]:
    """Compare random paths of some random functions."""
    rng = random.Random(seed)
    btf = live_target().btf
    names = functions(btf, everyday.FUNCTIONS)
    probes = make(rng, btf, rng.sample(names, min(some, len(names))), count, returns, turns)
    lines, told = trace(probes, attach, keep)
    return compare(probes, lines), told


def main() -> None:
    """Run with the options of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--functions", type=int, default=20)
    parser.add_argument("--paths", type=int, default=20, help="of each function in a turn")
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--attach", default="")
    parser.add_argument("--returns", action="store_true")
    parser.add_argument("--keep", default="", help="a folder for the scripts")
    o = parser.parse_args()
    begun = time.monotonic()
    outcome, told = run(o.seed, o.functions, o.paths, o.attach, o.returns, o.turns, o.keep)
    lists = (("DIFFERS", outcome.differences), ("moving", outcome.moving), ("told", told.splitlines()))
    for word, lines in lists:
        for line in lines:
            print(f"{word}: {line}")
    print(f"no events: {' '.join(outcome.silent)}")
    took = time.monotonic() - begun
    print(f"{o}: {outcome.paths} paths, {outcome.values} values, {outcome.telling} not 0, {took:.0f} s")


if __name__ == "__main__":
    main()
