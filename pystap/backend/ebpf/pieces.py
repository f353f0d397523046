"""Long lists of statements in pieces, so that a verifier can stop where it has been before.

A verifier keeps every branch for later until the path that it is on ends, and gives up at 8192 of them. So the
list's beginning has a jump to each piece, never taken, the last piece's first: when the path through one piece arrives
at the next, that one is known and the path ends. What is live across a cut is a number that the verifier
doesn't know (Func.cut; regalloc makes it so), or was known where the list begins.
"""

from __future__ import annotations

from ...bpf import insn as I
from ...program import CTL_ZERO
from .islands import is_jump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...ir.nodes import Stmt
    from .lir import Lir
    from .select import Select

LONG = 200  # statements of a list that may need it
_BRANCHES = 1500  # of a piece
_JA = 0x05


def long_block(lo: Select, body: list[Stmt]) -> None:
    """A list of statements, with a cut now and then."""
    pieces = _Pieces(lo)
    for at, stmt in enumerate(body):
        pieces.cut_if_due()
        lo.statement(stmt, body, at)
    pieces.end()


class _Pieces:
    """The pieces since the last place where a jump to each can stand."""

    def __init__(self, lo: Select) -> None:
        self.lo = lo
        self.out = lo.fn.out
        self._begin()

    def _begin(self) -> None:
        self.at = self.seen = len(self.out)
        self.branches = 0
        self.labels: list[int] = []
        self.mark = self.lo.mark()
        self.rec_state = self.lo.rec_state

    def cut_if_due(self) -> None:
        """Begin a new piece if this one has enough branches."""
        out = self.out
        while self.seen < len(out):
            op = out[self.seen][0]
            self.branches += is_jump(op) and op != _JA
            self.seen += 1
        if self.branches < _BRANCHES:
            return
        lo = self.lo
        if lo.rec_state != self.rec_state:
            self.end()
            self._begin()
            return
        lo.back(self.mark)
        label = lo.fn.new_label()
        lo.fn.label(label)
        self.labels.append(label)
        self.branches = 0

    def end(self) -> None:
        """Write the jumps to the pieces where they begin."""
        if not self.labels:
            return
        fn = self.lo.fn
        fn.cut = True
        jumps: list[Lir] = []
        fn.out = jumps
        base = fn.vreg()
        fn.ld_value(base, "ctl", CTL_ZERO)
        never = fn.load(8, base, 0)
        for number, label in reversed(list(enumerate(self.labels, 1))):
            other = fn.new_label()
            fn.jumpi(I.JNE, never, number, other)
            fn.goto(label)
            fn.label(other)
        fn.out = self.out
        self.out[self.at : self.at] = jumps
