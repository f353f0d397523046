"""The state of code generation for one kernel program: functions, where locals live, what is known on this path.

Facts ("this local is a typed pointer", "this pointer was tested") hold where they were learnt and in what is
dominated by it: `mark` before a branch, `back` after it.
"""

from __future__ import annotations

from ...bpf import insn as I
from ...ir.nodes import I64, Const, Local
from ...program import CTL_ZERO, ErrorSite
from ..python.names import place
from .census import Census
from .frame import Frame
from .lir import FP, Func, TooBig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ...ir.nodes import Global, Label, Op
    from ...source import Span
    from ...staging.plan import AheadScope, Home, KernelProgram
    from .target import Target

# The block in the main program's frame that callbacks get: what they share with it.
SH_LEAVE, SH_SITE, SH_ARG, SH_TURNS, SH_CTX, SH_GEN, SH_REC, SH_ZERO, SH_LOCALS = range(0, 72, 8)

MANY_BRANCHES = 50
# Kinds of programs that the kernel never runs while a run of the same program is under way on the same CPU.
_GUARDED = frozenset({"tp_btf", "raw_tp", "sys_enter", "sys_exit", "fentry", "fexit"})
NONE, HELD, MAYBE = 0, 1, 2  # is a record reserved here?


class Mem:
    """Where a string or buffer lies: cap bytes at base + off; padded: all bytes behind the first NUL are NUL."""

    __slots__ = ("base", "cap", "off", "padded")

    def __init__(self, base: int, off: int, cap: int, padded: bool) -> None:
        self.base = base
        self.off = off
        self.cap = cap
        self.padded = padded


class State:
    """One function that is being written."""

    __slots__ = (
        "apart",
        "base",
        "ctx",
        "error",
        "error_recs",
        "faults",
        "final",
        "fn",
        "labels",
        "lock",
        "parent",
        "regs",
        "site",
        "tries",
        "what",
    )

    def __init__(self, fn: Func, parent: State | None) -> None:
        self.fn = fn
        self.parent = parent
        self.regs: dict[Local, int] = {}
        self.labels: dict[Label, int] = {}
        self.tries: list[int] = []
        self.apart = False  # is this a function that shares nothing with the program?
        self.base = FP
        self.ctx = 0
        self.error = fn.new_label()
        self.error_recs: set[int] = set()
        self.site = fn.vreg()
        self.what = fn.vreg()
        self.final = fn.vreg()
        self.lock = fn.vreg()  # whether the run held the lock when it met its error
        self.faults: dict[tuple[int, int | None, int, int], int] = {}

    def forget_errors(self) -> None:
        """Begin a handler with errors of its own."""
        self.error = self.fn.new_label()
        self.error_recs = set()
        self.faults = {}


class Lower:
    """See the module."""

    def __init__(
        self,
        kp: KernelProgram,
        homes: Mapping[Global, Home],
        errors: list[ErrorSite],
        target: Target,
        options: Any,
        own: frozenset[Global] = frozenset(),
    ) -> None:
        self.kp = kp
        self.own = own if kp.event.kind in _GUARDED and "one_run" in target.features else frozenset()
        self.alone = False  # does no other run touch the global whose update is being written?
        self.homes = homes
        self.errors = errors
        self.target = target
        self.options = options
        self.kind = kp.event.kind
        self.census = Census(kp.body)
        self.frame = Frame()
        self.fn = Func(_function_name(kp.name), 1, self.frame)
        self.main = self.fn
        self.state = State(self.fn, None)
        self.leave_codes: dict[Label, int] = {}
        self.own_labels: list[Label] = []
        self.ahead: AheadScope | None = (
            None  # what is run ahead of the user stage, where code is written for that
        )
        self.given_up: list[tuple[int, int]] = []
        self.stack_depth = self.called_depth = self.loop_number = 0
        self.apart: list[str] = []
        self.finished: list[tuple[str, int, list[Any]]] = []
        self.rec = self.fn.vreg()
        self.held = self.fn.vreg()  # 1 while a record is reserved: a test that every verifier can follow
        self.rec_state = NONE
        self.locked = False  # does the run hold the lock here?
        self.gen = self.fn.vreg()
        self.facts: dict[Any, Any] = {}
        self.trail: list[Any] = []
        self.deferred: dict[Local, Op] = {}
        self.places: dict[Local, Any] = {}
        self.words: dict[Local, list[int]] = {}
        self.shared: dict[Local, int] = {}
        self.shared_at = 0
        self.run_end = self.run_skipped = 0
        self.left_with: dict[int, set[int]] = {}
        self.faults: dict[Local, int] = {}
        self.fulls: dict[int, int] = {}
        self.sites: dict[tuple[str, int], int] = {}
        if self.census.loops:
            self._place_shared()

    # -- what callbacks share

    def _place_shared(self) -> None:
        at = SH_LOCALS
        for local in self.census.shared:
            self.shared[local] = at
            at += 8 if local.type == I64 else (self.kp.sizes.get(local, 8) + 7) & ~7
        self.shared_at = self.frame.take(
            at, self.kp.body[0].span if hasattr(self.kp.body[0], "span") else self.fn.span
        )

    def slot(self, offset: int) -> tuple[int, int]:
        """(base register, offset) of a place in the shared block."""
        state = self.state
        return (FP, self.shared_at + offset) if state.parent is None else (state.base, offset)

    def load_shared(self, offset: int) -> int:
        """A new register with a number of the shared block."""
        return self.fn.load(8, *self.slot(offset))

    def store_shared(self, offset: int, reg: int) -> None:
        """Put a number in the shared block. `reg` isn't changed.

        The verifier must not know it: it tells memory with a known number from any other, so it would follow
        every turn of a loop by itself, for each combination of the values that lie there.
        """
        hidden = self.fn.copy(reg)
        self.hide(hidden)
        self.fn.stx(8, *self.slot(offset), hidden)

    def collect(self, base: int, off: int, amount: Any) -> None:
        """Add an operand, or the number that a register holds, to a word of this CPU's.

        Plainly where no other run of any program can come between (`alone`): an atomic addition costs as much
        as ten instructions.
        """
        fn = self.fn
        if not self.alone:
            fn.atomic(
                I.A_ADD, 8, base, off, fn.copy(amount) if isinstance(amount, int) else self.fresh(amount)
            )
            return
        total = fn.load(8, base, off)
        if isinstance(amount, Const):
            fn.alui(I.ADD, total, amount.value)
        else:
            fn.alu(I.ADD, total, amount if isinstance(amount, int) else self.value(amount))
        fn.stx(8, base, off, total)

    def hide(self, reg: int) -> None:
        """Make the verifier forget what it knows of a number: mix in a zero that it can't see."""
        fn = self.fn
        if self.census.loops and not self.state.apart:
            fn.alu(I.XOR, reg, fn.load(8, *self.slot(SH_ZERO)))
            return
        base = fn.vreg()
        fn.ld_value(base, "ctl", CTL_ZERO)
        fn.alu(I.XOR, reg, fn.load(8, base, 0))

    def compared(self, reg: int) -> int:
        """The register to compare with a constant instead of `reg`, where there are many comparisons.

        A verifier learns from each, and would go on by itself for every value that it has learnt: the square
        of their number. What it learns of a copy that has lost its tie ends with the copy.
        """
        if self.census.branches <= MANY_BRANCHES:
            return reg
        copy = self.fn.copy(reg)
        self.fn.alui(I.XOR, copy, 0)
        return copy

    @property
    def verdict(self) -> int:
        """What the program returns: for a packet at a netfilter hook, that it may go on."""
        return 1 if self.kind == "netfilter" else 0

    @property
    def looping(self) -> bool:
        """Whether this is the body of a loop."""
        return self.state.parent is not None

    # -- facts

    def learn(self, key: Any, value: Any = True) -> None:
        """From here on, and where this dominates."""
        if key not in self.facts:
            self.facts[key] = value
            self.trail.append(key)

    def mark(self) -> int:
        """A point to go back to."""
        return len(self.trail)

    def back(self, mark: int) -> None:
        """Forget what was learnt since."""
        trail, facts = self.trail, self.facts
        while len(trail) > mark:
            del facts[trail.pop()]

    # -- integers

    def value(self, operand: Any) -> int:
        """A register with an i64 operand. It may be the local's own: don't change it."""
        if isinstance(operand, Const):
            return self.fn.imm(operand.value)
        offset = self.shared.get(operand)
        if offset is not None:
            return self.load_shared(offset)
        regs = self.state.regs
        reg = regs.get(operand)
        if reg is None:
            reg = regs[operand] = self.fn.vreg()
        return reg

    def fresh(self, operand: Any) -> int:
        """A new register with an i64 operand, to be changed."""
        if isinstance(operand, Const):
            return self.fn.imm(operand.value)
        if operand in self.shared:
            return self.value(operand)
        return self.fn.copy(self.value(operand))

    def into(self, reg: int, operand: Any) -> None:
        """Put an i64 operand in a register."""
        if isinstance(operand, Const):
            self.fn.const(reg, operand.value)
        else:
            self.fn.mov(reg, self.value(operand))

    def target_of(self, local: Local | None) -> int:
        """The register to make a local's value in; `done` follows. Operands may still be read while it is written."""
        if local is not None and self.census.steady(local):
            return self.value(local)
        return self.fn.vreg()

    def done(self, local: Local | None, reg: int) -> None:
        """The local's value is in this register."""
        if local is None:
            return
        offset = self.shared.get(local)
        if offset is not None:
            self.store_shared(offset, reg)
            return
        own = self.value(local)
        if own != reg:
            self.fn.mov(own, reg)

    # -- errors

    def site(self, message: str, span: Span, word: str = "") -> int:
        """1 + the number of an error site; the same for the same error of one program."""
        key = (message, id(span))
        number = self.sites.get(key)
        if number is None:
            self.errors.append(ErrorSite(message, place(span, word)))
            number = self.sites[key] = len(self.errors)
        return number

    def fault(
        self,
        message: str,
        span: Span,
        arg: int | None = None,
        final: bool = False,
        word: str = "",
        plus: int = 0,
    ) -> int:
        """The label to jump to when this error happens.

        arg: a register with what the message shows, less `plus`; final: no Try catches it; word: what it is near, if not the
        span's first word.
        """
        state, fn = self.state, self.fn
        if state.tries and not final:
            return state.tries[-1]
        number = self.site(message, span, word)
        if final and self.ahead is not None:
            from .loops import give_up

            return give_up(self, number)  # type: ignore[arg-type]
        key = (number, arg, self.rec_state + 4 * self.locked, plus)
        known = state.faults.get(key)
        if known is not None:
            return known
        label = state.faults[key] = fn.new_label()
        out = fn.out
        fn.cold()
        fn.label(label)
        fn.const(state.site, number)
        if arg is None:
            fn.const(state.what, 0)
        else:
            fn.mov(state.what, arg)
            if plus:
                fn.alui(I.ADD, state.what, plus)
        fn.const(state.final, int(final))
        fn.const(state.lock, int(self.locked))
        state.error_recs.add(self.rec_state)
        fn.goto(state.error)
        fn.out = out
        return label

    def unfit(self, reason: str, span: Span) -> TooBig:
        """What to raise when the kernel stage can't do this."""
        return TooBig(reason, span)

    def skip(self) -> None:
        """Go to where a run that doesn't happen ends (see select)."""
        raise NotImplementedError

    # -- helpers' results

    def failed(self, label: int) -> None:
        """Jump when the helper called last returned an error."""
        self.fn.jumpi(I.JSLT, I.R0, 0, label)


def _function_name(name: str) -> str:
    good = "".join([c if c.isalnum() else "_" for c in name])
    return good if good[:1].isalpha() else f"p_{good}"
