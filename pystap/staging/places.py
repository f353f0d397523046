"""Binding times: which statements of an event handler the kernel runs, which the user stage.

Everything starts in the kernel. A statement goes to the user stage when only that can do it (printf, rendering,
a global at home there), when it needs a value made there, or when it stands under a condition made there. What is
forced over but is a pure read of the event (context, memory, clocks) stays in the kernel as a *capture*: hoisted
before the region, read whether or not the region gets to it, its fault kept with it (R4).

An update of a kernel-home global can't go over: it *demotes* the global, whose home is then the user stage.

A loop with statements of the user stage goes over as a whole, unless reads in it would then be late, since only the user
stage would have their addresses. Such a loop is *walked* by both stages, if the kernel can control it: the kernel logs,
turn by turn, what the user stage needs (`capture.py`). So is a try block around or in it.
"""

from __future__ import annotations

from ..builtins import TABLE
from ..ir.nodes import Call, ForEach, Global, Handler, If, Leave, Local, Loop, Op, Scope, Stmt, Text, Try
from ..ir.ops import OPS
from ..ir.walk import blocks, count_defs, defs, labels_left, statements, unassigned
from ..opt.simplify import effects
from .facts import exits, global_of, has_effect, in_order, key_operands, may_end, place, user_globals
from .sizes import sizes_of
from .slices import in_the_way

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..source import Span
    from .ahead import Ahead

USER = "user"
_ERROR = frozenset((None,))
_WIDE = 64  # bytes of a string that a program's stack has room for; wider ones go to the record only
_FILLING = frozenset(("set", "add_to", "add_fetch", "insert", "push"))


class Places:
    """The placement of one handler's body.

    user: ids of statements that run in the user stage; regions: ids of compound statements that do as a whole;
    hoisted: ids of operations inside regions that the kernel captures; split: ids of kernel operations
    whose result the user stage keeps in one of its own locals; locals: locals of the user stage;
    demoted: globals that must live in the user stage, and why; late: reads that only the user
    stage has the address for; walked: ids of loops and try blocks that both stages run; decides: the user stage may
    end the whole run (exit, an error); exits: by exit().
    ahead: what is run ahead of the user stage (`ahead.py`), under conditions that it decides: running_ahead are the ids of
    the scopes where that is so.
    behind: a handler before this one at the same event decides, so that nothing here is certain to happen (R14); walks:
    whether loops may be walked.
    """

    def __init__(
        self,
        handler: Handler,
        homes: dict[Global, str],
        behind: bool = False,
        walks: bool = True,
        ahead: Ahead | None = None,
    ) -> None:
        self._walks = walks
        self._scopes = ahead.scopes if ahead is not None else frozenset()
        self._shared = ahead.shared if ahead is not None else frozenset()
        self.running_ahead: set[int] = set()
        self._is_ahead = False
        self.decides = False
        self.behind = behind
        self.body = handler.body
        self.homes = homes
        self.walked: set[int] = set()
        self._left: set[int] = set()  # what the kernel can't control
        self.defs = count_defs(handler.body)
        self.wide = {local for local, size in sizes_of(handler.body).items() if size > _WIDE}
        self.early = unassigned(handler.body)
        self.definition: dict[Local, Op] = {}
        for stmt in statements(handler.body):
            for local in defs(stmt):
                if self.defs[local] == 1 and isinstance(stmt, Op):
                    self.definition[local] = stmt
        self._start()
        while not self._settle() or self._walk_more():
            self._start()
        self.decides = self.decides or any(map(self._may_end, statements(self.body)))
        self.exits = any(map(self._exits, statements(self.body)))

    def _exits(self, stmt: Stmt) -> bool:
        """Whether the user stage calls exit() here, or in a function that is called here."""
        if isinstance(stmt, Call):
            return exits(stmt)
        return isinstance(stmt, Op) and stmt.name == "exit" and id(stmt) in self.user

    def _may_end(self, stmt: Stmt) -> bool:
        """Whether the user stage ends the run here: by exit(), or in a loop (or recursion) without end."""
        if isinstance(stmt, Op):
            return stmt.name == "exit" and id(stmt) in self.user
        return isinstance(stmt, Call) or (isinstance(stmt, Loop) and id(stmt) in self.regions | self.walked)

    def _start(self) -> None:
        """Everything is in the kernel."""
        self.user: set[int] = set()
        self.regions: set[int] = set()
        self.hoisted: set[int] = set()
        self.split: set[int] = set()
        # made in several places, a wide string is put together in the user stage from what each one captures
        self.locals: set[Local] = {local for local in self.wide if not self._once(local)}
        self.locals |= self._shared
        self.demoted: dict[Global, tuple[str, Span]] = {}
        self.late: list[Op] = []
        self._turns = 0  # loops around what is being placed
        self._seen_effect = False  # of the user stage, which a fault behind it must not undo
        self._risky = False  # an error of the user stage may have come before
        self._risks: set[int] = set()  # the loops where that is so

    def _settle(self) -> bool:
        """Place all until nothing changes; False when a walked statement turns out to be beyond the kernel's control."""
        while True:
            before = self._size()
            self.hoisted.clear()
            self.late.clear()
            self.running_ahead.clear()
            self._seen_effect = self.behind
            self.decides = None in self._block(self.body, False)
            if self.walked & self._left:
                self.walked -= self._left
                return False
            if before == self._size():
                return True

    def _size(self) -> tuple[int, ...]:
        return len(self.user), len(self.regions), len(self.locals), len(self.split), len(self._risks)

    def _walk_more(self) -> bool:
        """Let both stages run the loops and try blocks that make reads late; False when there are no more of them."""
        if not self.late or not self._walks:
            return False
        found = {id(stmt) for stmt in in_the_way(self.body, self.late)}
        new = (found & self.regions) - self._left - self.walked
        if not new:
            return False
        self.walked |= new
        return True

    def _block(self, body: list[Stmt], forced: bool) -> set[Any]:
        """Place a list; return the labels that a decision of the user stage may go to from inside, None for an error.

        An error of the user stage ends the run, and what the kernel captured behind it nobody reads: it forces nothing over
        but effects.
        """
        tainted: set[Any] = set()
        risky = self._risky
        for stmt in body:
            inner = self._stmt(stmt, forced or not tainted <= _ERROR)
            tainted |= inner
            self._risky = self._risky or None in inner
        self._risky = risky
        return tainted

    def _stmt(self, stmt: Stmt, forced: bool) -> set[Any]:
        """Place a statement; return the labels that a decision of the user stage may go to from inside."""
        if isinstance(stmt, Op):
            return self._op(stmt, forced)
        if isinstance(stmt, Leave):
            return {stmt.label} if forced else set()
        if isinstance(stmt, Scope):
            if forced and id(stmt) in self._scopes and not self._turns:
                return self._run_ahead(stmt)
            return self._block(stmt.body, forced) - {stmt.label}
        if isinstance(stmt, If):
            forced = forced or stmt.cond in self.locals
            if forced:
                self.regions.add(id(stmt))
            before = self._seen_effect
            then = self._block(stmt.then, forced)
            after, self._seen_effect = self._seen_effect, before
            els = self._block(stmt.els, forced)
            self._seen_effect |= after
            return then | els
        if isinstance(stmt, Call):
            self.user.add(id(stmt))
            for glob in user_globals(stmt.func.body):
                self._demote(glob, f"'{stmt.func.name}' is recursive", stmt.span)
            self.locals.update(defs(stmt))
            return set()
        return self._compound(stmt, forced)

    def _run_ahead(self, scope: Scope) -> set[Any]:
        """Place what the kernel runs whether or not the user stage comes there."""
        self.running_ahead.add(id(scope))
        self._is_ahead = True
        tainted = self._block(scope.body, False)
        self._is_ahead = False
        return tainted - {scope.label}

    def _compound(self, stmt: Stmt, forced: bool) -> set[Any]:
        own = {stmt.label} if isinstance(stmt, (Loop, ForEach)) else set()
        if isinstance(stmt, ForEach):
            forced = True
            self._demote(stmt.glob, "foreach in an event handler walks it", stmt.span)
        elif not forced and id(stmt) in self.walked:
            return self._walk(stmt)
        elif not forced:
            forced = self._needs_user(stmt) or (self._seen_effect and _may_fault_inside(stmt))
        if forced:
            self.regions.add(id(stmt))
            self.locals.update(defs(stmt))
        tainted: set[Any] = set()
        self._turns += bool(own)
        for block in blocks(stmt):
            inner = self._block(block, forced)
            if isinstance(stmt, Try) and block is stmt.body:
                inner.discard(None)  # an error goes no further than the handler
            tainted |= inner
        self._turns -= bool(own)
        return tainted - own

    def _walk(self, stmt: Stmt) -> set[Any]:
        """Place a loop or try block that both stages run. An error of the user stage in a try block is its decision."""
        outer = self._risky
        loop = isinstance(stmt, Loop)
        self._risky = self._risky or id(stmt) in self._risks
        self._turns += loop
        self._seen_effect = True  # of an earlier turn
        parts = [self._block(block, False) for block in blocks(stmt)]
        self._turns -= loop
        self._risky = outer
        tainted = set().union(*parts)
        if isinstance(stmt, Try):
            self.locals.update(defs(stmt))
            if None in parts[0] or self._raises_out_of_order(stmt.body):
                self._left.add(id(stmt))
        else:
            if None in tainted:
                self._risks.add(id(stmt))
            if not tainted <= _ERROR:
                self._left.add(id(stmt))
        return tainted - {stmt.label} if isinstance(stmt, Loop) else tainted

    def may_fill(self, op: Op) -> bool:
        """Whether the kernel may find an array full here, which is an error of the script."""
        glob = global_of(op)
        if glob is None or self.homes.get(glob, USER) == USER or not glob.keys or glob.full != "error":
            return False
        return op.name in _FILLING

    def _raises_out_of_order(self, body: list[Stmt]) -> bool:
        """Whether the kernel may meet an error that it can't hand over at its place: an array that is full."""
        for op in statements(body):
            if not isinstance(op, Op) or id(op) in self.user:
                continue
            if self.may_fill(op):
                return True
            if global_of(op) is None and "fault" in effects(op) and not in_order(op):
                return True
        return False

    def _needs_user(self, stmt: Stmt) -> bool:
        """Whether a kernel loop or try block has to move over as a whole."""
        inner: set[Any] = set()
        for s in statements([stmt]):
            if id(s) in self.user or id(s) in self.regions or id(s) in self.split:
                return True
            if isinstance(s, (Loop, Scope, ForEach)):
                inner.add(s.label)
        if isinstance(stmt, Try) and stmt.message is not None:
            return True
        return any(label not in inner for block in blocks(stmt) for label in labels_left(block))

    def _op(self, op: Op, forced: bool) -> set[Any]:
        glob = global_of(op)
        if glob is not None and self.homes.get(glob, USER) != USER:
            self._kernel_global(op, glob, forced)
            return set()
        where = "u" if glob is not None else place(op)
        if where == "ku" and not self.wide.isdisjoint((op.dst, *op.args)):
            where = "u"
        needs_user = [a for a in op.args if isinstance(a, Local) and a in self.locals]
        control = "control" in effects(op)
        forced_control = forced or self._risky or (self._is_ahead and op.name == "exit")
        if where == "k" and needs_user:
            self.late.append(op)
            self._to_user(op)
            return set(_ERROR) if may_end(op) else set()
        elif where == "u" or needs_user or (control and (forced_control or not _constant_message(op))):
            self._to_user(op)
            return set(_ERROR) if may_end(op) else set()
        elif forced:
            self._forced(op, where)
            return set(_ERROR) if may_end(op) else set()
        elif op.dst is not None and op.dst in self.locals:
            if where == "k":
                self.split.add(id(op))
            else:
                self._to_user(op)
        return set()

    def _forced(self, op: Op, where: str) -> None:
        dst = op.dst
        fault = "fault" in effects(op)
        if self._turns and op.name == "call" and op.attr == "random_u32":
            self._to_user(op)  # another number every turn
        elif dst is not None and self._once(dst) and dst not in self.locals and not (fault and where != "k"):
            self.hoisted.add(id(op))
        elif where == "k":
            self.hoisted.add(id(op))
            self.split.add(id(op))
            if dst is not None:
                self.locals.add(dst)
        else:
            self._to_user(op)

    def _once(self, local: Local) -> bool:
        """Whether a local has one value all through a run: it is assigned once, and not read before that."""
        return self.defs[local] == 1 and local not in self.early

    def _to_user(self, op: Op) -> None:
        self.user.add(id(op))
        if op.dst is not None:
            self.locals.add(op.dst)
        if has_effect(op, "output", "write", "state", "control") or may_end(op):
            self._seen_effect = True

    def _kernel_global(self, op: Op, glob: Global, forced: bool) -> None:
        keys = key_operands(op, glob)
        for operand in op.args[len(keys) :]:
            if operand in self.locals:
                self._demote(glob, "its new value is made in the user stage", op.span)
                return
            if operand in self.wide:
                self._demote(glob, "its new value is a string too long for a program's stack", op.span)
                return
        for operand in keys:
            if operand in self.wide and operand not in self.locals:
                self._demote(glob, "a key is a string too long for a program's stack", op.span)
                return
            if operand in self.locals and self.render_leaves(operand) is None:
                self._demote(glob, "a key is made in the user stage", op.span)
                return
        if OPS[op.name].place == "u":
            self._demote(glob, f"'{op.name}' needs the whole of it", op.span)
        elif not forced and not ((self._risky or self._is_ahead) and "write" in OPS[op.name].effects):
            if op.dst is not None and op.dst in self.locals:
                self.split.add(id(op))
        elif OPS[op.name].effects == "read" and op.dst is not None and self._once(op.dst):
            self.hoisted.add(id(op))
        else:
            self._demote(glob, "a condition of the user stage decides on its update", op.span)

    def _demote(self, glob: Global, why: str, span: Span) -> None:
        if self.homes.get(glob, USER) != USER:
            self.demoted.setdefault(glob, (why, span))

    def render_leaves(self, operand: Any) -> tuple[str, list[Local], bool] | None:
        """Return (signature, captured leaves, injective) of a string rendered from kernel values, or None.

        Rendered means: assigned once, by pure functions of values that the kernel has and that don't change.
        """
        if isinstance(operand, Text):
            return f"{operand.value!r}", [], True
        if not isinstance(operand, Local):
            return f"{operand.value}", [], True
        if operand not in self.locals:
            return (operand.type, [operand], True) if self._once(operand) else None
        op = self.definition.get(operand)
        if op is None or id(op) not in self.user or effects(op) or place(op) == "k":
            return None
        injective = op.name == "mov" or (op.name == "call" and TABLE[op.attr].injective)
        inner: list[str] = []
        leaves: list[Local] = []
        for arg in op.args:
            got = self.render_leaves(arg)
            if got is None:
                return None
            inner.append(got[0])
            leaves += got[1]
            injective = injective and got[2]
        name = f"{op.attr}" if op.name == "call" else op.name if op.attr is None else f"{op.name}:{op.attr!r}"
        return f"{name}({','.join(inner)})", leaves, injective


def _may_fault_inside(stmt: Stmt) -> bool:
    """Whether an error may leave a kernel loop (or the handler of a try)."""
    for block in blocks(stmt):
        for inner in block:
            if isinstance(inner, Op):
                if may_end(inner) and not (isinstance(stmt, Try) and block is stmt.body):
                    return True
            elif not (isinstance(stmt, Try) and block is stmt.body) and _may_fault_inside(inner):
                return True
    return False


def _constant_message(op: Op) -> bool:
    return all(not isinstance(a, Local) for a in op.args) or op.name != "raise"
