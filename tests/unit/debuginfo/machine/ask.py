"""Asking gdb about places in the code, and comparing what it says of variables there with what pystap says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from pystap.debuginfo import DebugInfo, Spot
from pystap.debuginfo.expressions import parts

from .world import DWARF, WORD, memory, registers

HERE = Path(__file__).parent
_BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: a << b if b < 64 else 0,
    "shr": lambda a, b: (a & WORD) >> b if b < 64 else 0,
    "sar": lambda a, b: _signed(a) >> min(b, 63),
    "eq": lambda a, b: _signed(a) == _signed(b),
    "ne": lambda a, b: _signed(a) != _signed(b),
    "lt": lambda a, b: _signed(a) < _signed(b),
    "le": lambda a, b: _signed(a) <= _signed(b),
    "gt": lambda a, b: _signed(a) > _signed(b),
    "ge": lambda a, b: _signed(a) >= _signed(b),
    "sdiv_or_zero": lambda a, b: _truncated(_signed(a), _signed(b)),
    "udiv_or_zero": lambda a, b: _truncated(a & WORD, b & WORD),
    "smod_or_zero": lambda a, b: _signed(a) - _signed(b) * _truncated(_signed(a), _signed(b)),
    "umod_or_zero": lambda a, b: (a & WORD) - (b & WORD) * _truncated(a & WORD, b & WORD),
    "ult": lambda a, b: a & WORD < b & WORD,
    "ule": lambda a, b: a & WORD <= b & WORD,
    "ugt": lambda a, b: a & WORD > b & WORD,
    "uge": lambda a, b: a & WORD >= b & WORD,
}


def ask(path: str, asked: list[tuple[int, int]], folder: Path) -> list[Any]:
    """Ask gdb: for each (address, seed) the functions there, as in_gdb.py says."""
    questions, answers = folder / "asked.json", folder / "answered.json"
    questions.write_text(json.dumps(asked))
    stub = f"{sys.executable} {HERE / 'stub.py'}"
    command = ["gdb", "-nx", "-batch", "-ex", f"file {path}", "-ex", f"target remote | {stub}", "-x"]
    env = {**os.environ, "MACHINE_ASKED": str(questions), "MACHINE_ANSWERED": str(answers)}
    done = subprocess.run(
        [*command, str(HERE / "in_gdb.py")], env=env, capture_output=True, text=True, timeout=1200
    )
    if not answers.exists():
        raise RuntimeError(f"gdb: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return json.loads(answers.read_text())  # type: ignore[no-any-return]


def _truncated(a: int, b: int) -> int:
    """Return C's quotient, 0 for a division by 0."""
    quotient = abs(a) // abs(b) if b else 0
    return quotient if (a < 0) == (b < 0) else -quotient


def _signed(n: int) -> int:
    n &= WORD
    return n - (n >> 63 << 64)


class State:
    """The machine as pystap's locations are read on it."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.registers = registers(seed)

    def number(self, e: Any) -> int:
        """Return the value of an expression."""
        kind = e[0]
        if kind in ("const", "addr"):
            return int(e[1]) & WORD
        if kind == "reg":
            return self.registers[DWARF[e[1]]]
        if kind == "load":
            return int.from_bytes(memory(self.seed, self.number(e[1]), e[2]), "little")
        if kind == "either":
            return self.number(e[2]) if self.number(e[1]) else self.number(e[3])
        if kind == "neg":
            return -self.number(e[1]) & WORD
        if kind == "not":
            return ~self.number(e[1]) & WORD
        if kind in ("zext", "sext"):
            bits = e[2]
            n = self.number(e[1]) & (1 << bits) - 1
            return (n - (n >> bits - 1 << bits) if kind == "sext" else n) & WORD
        return int(_BINARY[kind](self.number(e[1]), self.number(e[2]))) & WORD

    def value(self, location: Any, size: int) -> int | None:
        """Return the value of a variable of that many bytes; None if a part of it isn't known."""
        if location is None or location[0] == "lost":
            return None
        kind, what = location
        if kind == "value":
            return self.number(what) & (1 << 8 * size) - 1
        if kind == "memory":
            return int.from_bytes(memory(self.seed, self.number(what), size), "little")
        out = shift = 0
        for bytes_, part in what:
            if 8 * size > shift:
                piece = self.value(part, bytes_)
                if piece is None:
                    return None
                out |= piece << shift
            shift += 8 * bytes_
        return out & (1 << 8 * size) - 1


def difference(location: Any, ctype: Any, argument: bool, theirs: dict[str, Any], state: State) -> str:
    """Return how a variable differs from what gdb says of it, "" if not at all."""
    if not _alike(_plain(ctype), theirs["type"]):
        return f"type {_plain(ctype)} for {theirs['type']}"
    if argument != theirs["argument"]:
        return "parameter" if argument else "no parameter"
    if "error" in theirs:
        return ""
    if location is None or location[0] == "lost":
        return "" if "out" in theirs else f"missing ({location})"
    if "out" in theirs:
        return "" if parts(location, "entry") or parts(location, "lost") else f"more than gdb: {location}"
    if "address" in theirs:
        if location[0] != "memory" or state.number(location[1]) != theirs["address"]:
            return f"{location} for the address {theirs['address']:#x}"
        return ""
    if "value" in theirs:
        size = size_of(ctype)
        mine = state.value(location, size)
        return "" if mine == theirs["value"] else f"{mine} for {theirs['value']} ({location})"
    return _leaves(location, theirs.get("leaves", []), state)


def _alike(mine: Any, theirs: Any) -> bool:
    """Compare types; gdb knows a struct's size from other units, too."""
    if mine[0] in ("struct", "union") and not mine[2]:
        return bool(mine[:2] == theirs[:2])
    if mine[0] in ("ptr", "array", "typedef"):
        inner = 2 if mine[0] == "typedef" else 1
        rest = [[one for n, one in enumerate(type) if n != inner] for type in (mine, theirs)]
        return rest[0] == rest[1] and _alike(mine[inner], theirs[inner])
    return bool(mine == theirs)


def _leaves(location: Any, leaves: list[list[Any]], state: State) -> str:
    """Compare the members of a struct that isn't in memory."""
    for offset, size, number in leaves:
        whole = state.value(_from(location, offset), size)
        if whole != number:
            return f"member at {offset}: {whole} for {number} ({location})"
    return ""


def _from(location: Any, offset: int) -> Any:
    """Return the location of what lies at an offset."""
    kind, what = location
    if kind != "pieces":
        return location if not offset else (kind, ("shr", what, ("const", 8 * offset)))
    at = 0
    for n, (size, part) in enumerate(what):
        if at <= offset < at + size:
            if offset == at:
                return ("pieces", what[n:])
            return _from(part, offset - at) if part is not None else None
        at += size
    return None


def size_of(ctype: Any) -> int:
    """Return the bytes of a scalar type."""
    while ctype[0] == "typedef":
        ctype = ctype[2]
    return int(ctype[2]) if ctype[0] in ("base", "enum") else 8


def _plain(ctype: Any) -> Any:
    """Return a type as in_gdb.py writes it."""
    kind = ctype[0]
    if kind == "ptr":
        return ["ptr", _plain(ctype[1])]
    if kind == "array":
        return ["array", _plain(ctype[1]), ctype[2]]
    if kind == "typedef":
        return ["typedef", ctype[1], _plain(ctype[2])]
    if kind == "base":
        return ["base", *ctype[2:]]
    return list(ctype)


def compare(info: DebugInfo, spots: list[Spot], answers: list[Any]) -> tuple[int, list[str]]:
    """Compare all variables at places, of which gdb was asked with their number for a seed: how many, and what differs."""
    wrong: list[str] = []
    count = 0
    for n, (spot, answer) in enumerate(zip(spots, answers, strict=True)):
        where = f"{spot.address:#x} {spot.function} in {spot.within}:{spot.line}"
        rows = answer if isinstance(answer, list) else []
        row = next((row for row in rows if row[0] == spot.function), None)
        if row is None:
            wrong.append(f"{where}: gdb has {[row[0] for row in rows] or answer}")
            continue
        mine, theirs = info.variables_at(spot.address, spot.function), row[2]
        if set(mine) != set(theirs):
            wrong.append(
                f"{where}: {sorted(set(mine) - set(theirs))} more, {sorted(set(theirs) - set(mine))} less"
            )
        state = State(n)
        for name in set(mine) & set(theirs):
            count += 1
            found = difference(*mine[name], theirs[name], state)
            if found:
                wrong.append(f"{where}: {name}: {found}")
    return count, wrong


def places(info: DebugInfo, files: list[str]) -> list[Spot]:
    """Return the places of all lines of all functions of some files."""
    found = [f for file in files for f in info.find("*", file)]
    return [spot for function in found for spots in info.lines(function).values() for spot in spots]
