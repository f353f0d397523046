"""Before staging: a rendered text that is compared with a constant one is compared by what it is rendered from (R3).

    n = sys_nr; s = call syscall_name n; t = str_eq s "connect"    ->    n = sys_nr; t = eq n 42

So the kernel decides it. The texts are those of system calls' numbers, and of the numbers of functions that one program
has many of.
"""

from __future__ import annotations

from ..ir.nodes import I64, Const, Local, Op, Stmt, Text
from ..ir.walk import blocks, count_defs, statements, unassigned
from ..node import Node
from ..probes.syscall_numbers import X86_64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MOST = 8  # words that one comparison becomes a comparison with
_UNKNOWN = "unknown_"


class Names(Node):
    """What numbers stand for: arch (whose system calls), functions (name -> number), longest (bytes that a text has)."""

    arch: str
    functions: dict[str, int]
    longest: int


def compare_words(body: list[Stmt], names: Names, places: tuple[tuple[int, str], ...] = ()) -> bool:
    """Rewrite the comparisons of a body in place; return whether there were any.

    places: (number, what pp() gives) of an event that is many functions.
    """
    compared = [s for s in statements(body) if isinstance(s, Op) and s.name in ("str_eq", "str_ne")]
    if not compared:
        return False
    counts = count_defs(body)
    early = unassigned(body)
    once = [s for s in statements(body) if isinstance(s, Op) and counts.get(s.dst) == 1]  # type: ignore[arg-type]
    made = {s.dst: s for s in once if s.dst not in early}
    new: dict[int, list[Stmt]] = {}
    for op in compared:
        found = _words(op, made, names, places)
        if found is not None and len(found[1]) <= _MOST:
            new[id(op)] = _comparison(op, *found)
    if new:
        _replace(body, new)
    return bool(new)


def _words(
    op: Op, made: dict[Any, Op], names: Names, places: tuple[tuple[int, str], ...]
) -> tuple[Any, list[int]] | None:
    """Return the word that a text is rendered from, and the words that render to the text that it is compared with."""
    left, right = op.args if isinstance(op.args[1], Text) else reversed(op.args)
    if not isinstance(right, Text):
        return None
    text = right.value
    source = made.get(left)
    while source is not None and source.name in ("mov", "concat"):
        if source.name == "mov":
            source = made.get(source.args[0])
            continue
        if len(text) >= names.longest:
            return None  # it may be a text that was cut off
        first, last = source.args
        if isinstance(first, Text) and isinstance(last, Local):
            source = made.get(last)
            if not text.startswith(first.value):
                return (Const(0), []) if _renders(source) else None
            text = text[len(first.value) :]
        elif isinstance(last, Text) and isinstance(first, Local):
            source = made.get(first)
            if not text.endswith(last.value):
                return (Const(0), []) if _renders(source) else None
            text = text[: len(text) - len(last.value)]
        else:
            return None
    if source is None or not _renders(source):
        return None
    if source.attr == "syscall_name":
        return (source.args[0], _calls(text)) if names.arch == "x86_64" else None
    if source.attr == "function_name":
        number = names.functions.get(text)
        return source.args[0], [] if number is None else [number]
    return source.args[0], [number for number, place in places if place == text]


def _renders(op: Op | None) -> bool:
    return (
        op is not None
        and op.name == "call"
        and op.attr in ("syscall_name", "function_name", "function_place")
        and isinstance(op.args[0], Local)
    )


def _calls(text: str) -> list[int]:
    """Return the numbers of system calls that have a name."""
    known = X86_64.get(text)
    if known is not None:
        return [known]
    digits = text[len(_UNKNOWN) :] if text.startswith(_UNKNOWN) else ""
    if not digits.removeprefix("-").isdecimal() or str(int(digits)) != digits:
        return []
    return [] if int(digits) in X86_64.values() else [int(digits)]


def _comparison(op: Op, word: Any, words: list[int]) -> list[Stmt]:
    equal = op.name == "str_eq"
    if len(words) < 2:
        if words:
            return [Op(op.dst, "eq" if equal else "ne", (word, Const(words[0])), None, op.span)]
        return [Op(op.dst, "mov", (Const(int(not equal)),), None, op.span)]
    out: list[Stmt] = []
    any_of: Any = Const(0)
    for number in words:
        one, both = Local("is", I64), Local("any", I64)
        out += [
            Op(one, "eq", (word, Const(number)), None, op.span),
            Op(both, "or", (any_of, one), None, op.span),
        ]
        any_of = both
    return [*out, Op(op.dst, "mov" if equal else "lnot", (any_of,), None, op.span)]


def _replace(body: list[Stmt], new: dict[int, list[Stmt]]) -> None:
    out: list[Stmt] = []
    for stmt in body:
        for block in blocks(stmt):
            _replace(block, new)
        out += new.get(id(stmt), [stmt])
    body[:] = out
