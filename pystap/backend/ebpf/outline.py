"""Operations on arrays that a program has many of, as functions of their own.

One update of an array is some 80 instructions. When a handler holds more than a few updates of the same array,
each becomes a call: the function gets the key's words, the value and the generation in registers. It is a global function,
which verifiers check once and by itself, so a long handler costs them no more than its length.

The function returns 0, or 1 when there was no room for the key; of a read, what was read.
"""

from __future__ import annotations

from ...bpf import insn as I
from ...ir.nodes import I64, Local, Op
from ...ir.walk import statements
from ...program import GlobalSpec, Part
from ...staging.plan import Home
from . import globals
from .frame import Frame
from .keys import Key
from .lir import Func
from .lower import NONE, State
from .regalloc import allocate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...ir.nodes import Global, Stmt
    from .select import Select

FEW = 8  # so many are written out where they stand
_ARGUMENTS = 5
_DEEPEST = 4  # loops around it: the kernel allows 8 frames
_UPDATES = frozenset({"add_to", "push", "set"})
_READS = frozenset({"get", "has"})


class Outlines:
    """What is known of one program's operations on arrays."""

    __slots__ = ("_counts", "_names")

    def __init__(self, body: list[Stmt]) -> None:
        self._counts: dict[tuple[str, Global], int] = {}
        self._names: dict[tuple[str, Global], str] = {}
        for stmt in statements(body):
            if isinstance(stmt, Op) and (stmt.name in _UPDATES or stmt.name in _READS):
                key = (stmt.name, _global(stmt))
                self._counts[key] = self._counts.get(key, 0) + 1

    def many(self, op: Op) -> bool:
        """Whether the program has many of these."""
        return self._counts.get((op.name, _global(op)), 0) > FEW

    def name(self, lo: Select, op: Op, words: int) -> str:
        """Return the name of the function that does this, which is written when it is first wanted."""
        key = (op.name, _global(op))
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = f"{lo.main.name}_{op.name}{len(self._names)}"
            _write(lo, op, name, words)
        return name


def _global(op: Op) -> Global:
    glob: Global = op.attr[0] if isinstance(op.attr, tuple) else op.attr
    return glob


def operate(lo: Select, op: Op) -> None:
    """An operation on a global: written out, or a call."""
    if (op.name not in _UPDATES and op.name not in _READS) or not lo.outlines.many(op):
        globals.operate(lo, op)
        return
    spec = lo.homes[_global(op)].spec
    words = (spec.key_size + 7) // 8
    update = op.name in _UPDATES
    if not spec.key or words + update + spec.resets > _ARGUMENTS or len(lo.own_labels) > _DEEPEST:
        globals.operate(lo, op)
        return
    fn = lo.fn
    count = len(spec.key)
    key = Key(lo, spec, op.args[:count], op.span)
    given = [key.word(n) for n in range(words)]
    key.give()
    if update:
        given.append(lo.value(op.args[count]))
    if spec.resets:
        given.append(globals.generation(lo))
    for number, reg in enumerate(given):
        fn.mov(1 + number, reg)
    fn.invoke(lo.outlines.name(lo, op, words), len(given))
    if not update:
        lo.done(op.dst, fn.result())
    elif id(op) in lo.census.fulls:
        lo.fulls[id(op)] = fn.result()
    else:
        fn.jumpi(I.JNE, I.R0, 0, lo.fault(globals.OVERFLOW, op.span, word=spec.name))


def prepare(lo: Select, body: list[Stmt]) -> None:
    """Find this CPU's slot of the collected numbers once, where many statements want it."""
    wanted: dict[bool, list[GlobalSpec]] = {}
    for stmt in statements(body):
        if isinstance(stmt, Op) and stmt.name in ("add_to", "push"):
            spec = lo.homes[_global(stmt)].spec
            if spec.home == "delta" and not spec.key:
                wanted.setdefault(spec.resets, []).append(spec)
    for specs in wanted.values():
        if len(specs) > FEW:
            globals.delta_element(lo, specs[0])


def _flat(glob: Global, spec: GlobalSpec, words: int) -> Home:
    """The home of an array with the same maps, whose key is so many numbers."""
    fields = dict(spec.items())
    fields["key"] = tuple([Part(8 * n, I64, 8) for n in range(words)])
    fields["key_size"] = 8 * words
    return Home(glob, GlobalSpec(**fields))


def _write(lo: Select, op: Op, name: str, words: int) -> None:
    """The function: (words of the key, value of an update, generation of an array that is reset)."""
    glob = _global(op)
    spec = lo.homes[glob].spec
    update = op.name in _UPDATES
    args = [Local(f"a{n}", I64) for n in range(words + update)]
    result = None if update else Local("result", I64)
    outer: tuple[Any, ...] = tuple(getattr(lo, slot) for slot in _OWN)
    fn = lo.fn = Func(name, len(args) + spec.resets, Frame())
    state = lo.state = State(fn, None)
    state.apart = True
    lo.facts, lo.trail, lo.deferred, lo.rec_state, lo.left_with = {}, [], {}, NONE, {}
    lo.homes = {glob: _flat(glob, spec, words)}
    fn.span = op.span
    for number, local in enumerate(args):
        fn.mov(lo.value(local), 1 + number)
    if spec.resets:
        lo.gen = fn.vreg()
        fn.mov(lo.gen, 1 + len(args))
    full = fn.new_label()
    state.tries.append(full)
    globals.operate(lo, Op(result, op.name, tuple(args), op.attr, op.span))
    if result is not None:
        fn.mov(I.R0, lo.value(result))
        fn.leave()
    else:
        fn.exit(0)
    fn.cold()
    fn.label(full)
    fn.exit(1)
    fn.warm()
    code = allocate(fn)
    lo.finished.append((name, fn.nargs, code))
    lo.apart.append(name)
    lo.called_depth = max(lo.called_depth, -fn.frame.lowest)
    for slot, value in zip(_OWN, outer, strict=True):
        setattr(lo, slot, value)


_OWN = ("fn", "state", "facts", "trail", "deferred", "rec_state", "left_with", "homes", "gen")
