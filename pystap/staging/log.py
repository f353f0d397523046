"""The log of loops (R4): what a turn appends in the kernel half, and where the user half takes it.

Both halves go the same way, so values need neither names nor numbers: they come in the order of the way. A run whose log is
full ends with an error, behind what it did until then.
"""

from __future__ import annotations

from ..ir.nodes import BUF, I64, Local, Op, Stmt
from ..ir.walk import blocks, statements
from ..program import Field
from .plan import LOG_FIXED, LogEntry, LogPlan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Const
    from .plan import RecordLocal

    Parts = dict[int, tuple[Local | Const, ...]]


class Log:
    """The log of one record. room: its bytes.

    entries: ids of the user half's statements -> what is taken before them; scratch: long strings and buffers, which are
    made in the record before they are appended, and their places there.
    """

    def __init__(self, room: int) -> None:
        self.plan = LogPlan(0, 0, 0, room)
        self.entries: dict[int, list[tuple[Local, Field]]] = {}
        self.scratch: dict[Local, RecordLocal | None] = {}

    def append(self, locals: list[Local], sizes: dict[Local, int], target: Stmt) -> list[Stmt]:
        """Return what appends some locals, for the user half's `target`."""
        out: list[Stmt] = []
        fields: list[Field] = []
        taken = self.entries.setdefault(id(target), [])
        operands: list[Local] = []
        at = 0
        for local in locals:
            size = 8 if local.type == I64 else sizes.get(local, 8)
            field = Field(at, local.type, size)
            taken.append((local, field))
            operands.append(local)
            fields.append(field)
            at += (size + 7) & ~7
            if size > LOG_FIXED:
                self.scratch[local] = None
                out.append(self._entry(operands, fields, at, target))
                operands, fields, at = [], [], 0
        if operands:
            out.append(self._entry(operands, fields, at, target))
        return out

    def _entry(self, operands: list[Local], fields: list[Field], size: int, target: Stmt) -> Stmt:
        self.plan.size = max(self.plan.size, size)
        entry = LogEntry(self.plan, tuple(fields), size)
        return Op(None, "append", tuple(operands), entry, target.span)  # type: ignore[attr-defined]

    def shrink(self, most: int | None) -> None:
        """Give the log no more room than the loops can use, where that is known."""
        if most is not None:
            self.plan.size = min(self.plan.size, most)

    def place(self, offset: int) -> LogPlan:
        """The log begins at an offset of the record, right behind its two numbers."""
        self.plan.used, self.plan.inside, self.plan.offset = offset - 16, offset - 8, offset
        return self.plan

    def make_in_scratch(self, kernel: list[Stmt]) -> None:
        """Let long strings be made in the record: a program's stack has no room for them."""
        scratch = self.scratch
        for stmt in statements(kernel) if scratch else ():
            if not isinstance(stmt, Op):
                continue
            if stmt.dst in scratch:
                stmt.dst = scratch[stmt.dst]
            if stmt.name == "append":
                stmt.args = tuple(scratch.get(a) or a for a in stmt.args)  # type: ignore[arg-type]
            elif stmt.name == "fault_of":
                stmt.attr = scratch.get(stmt.attr) or stmt.attr

    def taking(self, user: list[Stmt], data: Local, used: Local, parts: Parts) -> list[Stmt]:
        """Return the user half with what takes the values. parts: statements whose part of the log has an own reader."""
        reader = Local("turns", BUF)
        return [Op(reader, "turns", (data, used)), *self._taking(user, reader, data, parts)]

    def _taking(self, body: list[Stmt], reader: Local, data: Local, parts: Parts) -> list[Stmt]:
        out: list[Stmt] = []
        for stmt in body:
            own = reader
            if id(stmt) in parts:
                own = Local("turns", BUF)
                out.append(Op(own, "turns", (data, *parts[id(stmt)])))
            for local, field in self.entries.get(id(stmt), ()):
                out.append(Op(local, "take", (reader,), field, stmt.span))  # type: ignore[attr-defined]
            for block in blocks(stmt):
                block[:] = self._taking(block, own, data, parts)
            out.append(stmt)
        return out
