"""One IR body to the lines of one Python function: the structured control.

`Leave` becomes nothing where falling off the block's end does the same, else `return`, `break` or `continue`
where one of these does it, else a flag and a `break` that is passed on after each Python loop in
between. A Scope is not a loop unless some Leave needs one to break out of; that is found out by trying.

A local that some path may read before it is assigned is set to its type's empty value at the start.
"""

from __future__ import annotations

from ...diag import fail
from ...ir.nodes import Call, Const, ForEach, If, Label, Leave, Local, Loop, Op, Scope, Stmt, Text, Try
from ...ir.walk import count_defs, count_uses
from . import arith, foreach
from .emit import EMIT
from .names import DEFAULTS, clean, constant, place, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...ir.nodes import Function
    from ...source import Span
    from ...staging.plan import UserFunction
    from .module import Unit

NOTHING: frozenset[Label] = frozenset()
_DEEPEST_MERGE = 24
_DEEPEST = 90  # CPython's tokenizer ends at 100 levels
_RECORD_TURNS = 1000  # as many as the kernel stage allows a run
_ENDLESS = 10_000_000  # turns of a user handler that was given no limit: a second or so
_MOST_BLOCKS = 17  # and its compiler at 20 loops and tries in each other


class Unreachable(Exception):
    """No Python statement leaves this label from here: its Scope has to be a loop."""

    def __init__(self, label: Label) -> None:
        super().__init__(label.name)
        self.label = label


class Env:
    """What leaves which label at one point. fall: what falling off the block's end does, if one word does it."""

    __slots__ = ("brk", "cont", "fall", "ret", "tail")

    def __init__(
        self,
        tail: frozenset[Label],
        ret: frozenset[Label],
        brk: frozenset[Label] = NOTHING,
        cont: frozenset[Label] = NOTHING,
        fall: str = "",
    ) -> None:
        self.tail = tail
        self.ret = ret
        self.brk = brk
        self.cont = cont
        self.fall = fall

    def middle(self) -> Env:
        """The same for a statement with others behind it."""
        return Env(NOTHING, self.ret, self.brk, self.cont) if self.tail or self.fall else self


def _inside_scope(env: Env, own: frozenset[Label]) -> Env:
    """What leaves what inside a Scope that is not a loop: its end is where the Scope stands."""
    return Env(
        env.tail | own,
        env.ret | own if env.fall == "return" else env.ret,
        env.brk | own if env.fall == "break" else env.brk,
        env.cont | own if env.fall == "continue" else env.cont,
        env.fall,
    )


class Body:
    """Writes the lines of one function."""

    def __init__(self, unit: Unit, function: UserFunction) -> None:
        self.unit = unit
        self.function = function
        self.lines: list[str] = []
        self.indent = 1
        self.names: dict[Local, str] = {}
        self.unset: dict[Local, None] = {}
        self.assigned: set[Local] = set(function.params)
        self.trail: list[Local] = []
        self.wrapped: set[Label] = set()
        self.opened: dict[Label, int] = {}  # label -> Python loops open where its construct begins
        self.pending: list[dict[Label, str]] = []  # for each open Python loop, the flags that leave it
        self.globals: dict[str, None] = {}
        self.definitions = count_defs(function.body)
        self.reads = count_uses(function.body)
        self.ranges: dict[Local, tuple[int, int]] = {}
        self.flags: dict[Label, str] = {}
        self.serial = 0
        self.counts = False
        self.tries = 0

    # -- what the emitters use

    def line(self, source: str) -> None:
        """Add a line at the current depth."""
        self.lines.append(" " * self.indent + source)

    def name(self, local: Local) -> str:
        """The Python name of a local."""
        found = self.names.get(local)
        if found is None:
            found = self.names[local] = f"{clean(local.name)}_{len(self.names)}"
        return found

    def fresh(self, stem: str) -> str:
        """A name of the generator's own."""
        self.serial += 1
        return f"_{stem}{self.serial}"

    def read(self, operand: Local | Const | Text | None) -> str:
        """The expression that an operand is."""
        if type(operand) is Const:
            return constant(operand.value)
        if type(operand) is Text:
            return text(operand.value)
        assert operand is not None
        if operand not in self.assigned:
            self.unset[operand] = None  # type: ignore[index]
        return self.name(operand)  # type: ignore[arg-type]

    def write(self, local: Local) -> str:
        """The name of a local that is being assigned."""
        if local not in self.assigned:
            self.assigned.add(local)
            self.trail.append(local)
        return self.name(local)

    def set(self, local: Local | None, expression: str) -> None:
        """Assign, or evaluate alone when nobody wants the result."""
        if local is None:
            self.line(expression)
        else:
            self.line(f"{self.write(local)} = {expression}")

    # -- the function

    def generate(self) -> list[str]:
        """Return the function's lines."""
        function = self.function
        params = [self.name(p) for p in function.params]
        label = frozenset((function.label,)) if function.label is not None else NOTHING
        self.opened[function.label] = 0
        env = Env(label, label, fall="return")
        result = function.result
        self.block(function.body, env)
        if result is not None:
            if result not in function.params:
                self.unset[result] = None  # a Leave may have fallen to here
            self.line(f"return {self.name(result)}")
        head = [f"def {self.unit.function_name(function.name)}({', '.join(params)}):"]
        if self.globals:
            head.append(f" global {', '.join(self.globals)}")
        if self.counts:
            most = self.unit.max_action
            if most is None:
                mirrored = function.kind == "record" and self.unit.lang == "stp"
                most = _RECORD_TURNS if mirrored else _ENDLESS
            head.append(f" _acts = {most}")
        for kind, empty in DEFAULTS.items():
            names = [self.name(local) for local in self.unset if local.type == kind]
            if names:
                head.append(f" {' = '.join(names)} = {empty}")
        if not self.lines:
            head.append(" pass")
        return head + self.lines

    # -- blocks

    def block(self, body: list[Stmt], env: Env) -> bool:
        """Write a block; return whether its end can be reached."""
        middle = env.middle()
        last = len(body) - 1
        at = 0
        while at <= last:
            stmt = body[at]
            kind = type(stmt)
            if kind is Op:
                if at < last and type(body[at + 1]) is If and self.fuses(stmt, body[at + 1]):  # type: ignore[arg-type]
                    condition = arith.condition(self, stmt)  # type: ignore[arg-type]
                    at += 1
                else:
                    EMIT[stmt.name](self, stmt)  # type: ignore[attr-defined, arg-type]
                    if stmt.name == "raise":  # type: ignore[attr-defined]
                        return False
                    at += 1
                    continue
            elif kind is If:
                condition = self.read(stmt.cond)  # type: ignore[attr-defined]
            elif kind is Leave:
                self.leave(stmt.label, env)  # type: ignore[attr-defined]
                return False
            else:
                if not self.statement(stmt, env if at == last else middle):
                    return False
                at += 1
                continue
            stmt = body[at]
            assert isinstance(stmt, If)
            if at < last and self.merges(stmt, env, middle):
                rest = body[at + 1 :]
                then_leaves = self.ends(stmt.then, env, middle)
                then = stmt.then if then_leaves else stmt.then + rest
                els = stmt.els + rest if then_leaves else stmt.els
                return self.choice(condition, then, els, env)
            if not self.choice(condition, stmt.then, stmt.els, env if at == last else middle):
                return False
            at += 1
        return True

    def statement(self, stmt: Stmt, env: Env) -> bool:
        """Write a statement that is neither Op, If nor Leave."""
        if isinstance(stmt, Scope):
            return self.scope(stmt, env)
        if isinstance(stmt, Loop):
            return self.python_loop(stmt.label, "while True:", stmt.body, env, stmt.span)
        if isinstance(stmt, ForEach):
            foreach.emit(self, stmt, env)
            return True
        if isinstance(stmt, Try):
            return self.attempt(stmt, env)
        assert isinstance(stmt, Call), stmt
        self.call(stmt)
        return True

    def call(self, stmt: Call) -> None:
        """A call of a script's function. Its place stands behind it, for an error of calls that nest too deep."""
        args = ", ".join([self.read(a) for a in stmt.args])
        function: Function = stmt.func
        where = f"  #@ {text(place(stmt.span))}" if function.recursive else ""
        self.set(stmt.dst, f"{self.unit.function_name(function.name)}({args}){where}")

    def fuses(self, op: Op, branch: If) -> bool:
        """Whether a comparison is there for the If behind it alone."""
        dst = op.dst
        return (
            dst is not None
            and branch.cond is dst
            and op.name in arith.CONDITIONS
            and self.reads.get(dst) == 1
            and self.definitions.get(dst) == 1
            and dst is not self.function.result
        )

    # -- If

    def ends(self, body: list[Stmt], env: Env, middle: Env) -> bool:
        """Whether the block ends with a Leave that only falling off the end of everything does."""
        final = body[-1] if body else None
        return isinstance(final, Leave) and final.label in env.tail and not self.direct(final.label, middle)

    def merges(self, stmt: If, env: Env, middle: Env) -> bool:
        """Whether what follows the If has to go into the branch that doesn't leave."""
        if self.indent > _DEEPEST_MERGE:
            return False
        return self.ends(stmt.then, env, middle) or self.ends(stmt.els, env, middle)

    def choice(self, condition: str, then: list[Stmt], els: list[Stmt], env: Env) -> bool:
        """Write an if; return whether its end can be reached."""
        before = len(self.trail)
        if els and not then:
            condition, then, els = f"not ({condition})", els, then
        self.line(f"if {condition}:")
        fell = self.inner(then, env)
        first = self.undo(before)
        if not els:
            return True
        at = len(self.lines)
        chained = self.chain(els)
        if chained is not None:
            fell_else = self.choice_chained(chained, els[-1], env)  # type: ignore[arg-type]
        else:
            self.line("else:")
            fell_else = self.inner(els, env)
        second = self.undo(before)
        if chained is None and len(self.lines) == at + 2 and self.lines[-1].endswith(" pass"):
            del self.lines[at:]
        both = first if not fell_else else second if not fell else [x for x in first if x in set(second)]
        for local in both:
            if local not in self.assigned:
                self.assigned.add(local)
                self.trail.append(local)
        return fell or fell_else

    def chain(self, els: list[Stmt]) -> str | None:
        """The condition, when an else part is one If alone and can be an elif."""
        if len(els) == 1 and isinstance(els[0], If):
            return self.read(els[0].cond)
        if len(els) == 2 and isinstance(els[0], Op) and isinstance(els[1], If) and self.fuses(els[0], els[1]):
            return arith.condition(self, els[0])
        return None

    def choice_chained(self, condition: str, stmt: If, env: Env) -> bool:
        """Write an elif and what follows it."""
        at = len(self.lines)
        fell = self.choice(condition, stmt.then, stmt.els, env)
        self.lines[at] = self.lines[at].replace("if ", "elif ", 1)
        return fell

    def inner(self, body: list[Stmt], env: Env) -> bool:
        """Write an indented block."""
        at = len(self.lines)
        self.indent += 1
        if self.indent > _DEEPEST:
            raise fail(
                "E402",
                "not supported yet: blocks nested this deep",
                getattr(body[0], "span", None) if body else None,
            )
        fell = self.block(body, env)
        if len(self.lines) == at:
            self.line("pass")
        self.indent -= 1
        return fell

    def undo(self, before: int) -> list[Local]:
        """Forget what was assigned since; return it."""
        new = self.trail[before:]
        del self.trail[before:]
        self.assigned.difference_update(new)
        return new

    # -- leaving

    def direct(self, label: Label, env: Env) -> bool:
        """Whether one Python statement leaves the label."""
        return label in env.tail or label in env.ret or label in env.brk or label in env.cont

    def leave(self, label: Label, env: Env) -> None:
        """Write what goes to the end of a label's construct."""
        if label in env.tail:
            return
        if label in env.ret:
            result = self.function.result
            self.line(f"return {self.read(result)}" if result is not None else "return")
        elif label in env.brk:
            self.line("break")
        elif label in env.cont:
            self.line("continue")
        elif len(self.pending) > self.opened[label]:
            flags = self.pending[-1]
            flag = self.flags.get(label)
            if flag is None:
                flag = self.flags[label] = f"_to_{clean(label.name)}{len(self.flags)}"
            flags[label] = flag
            self.line(f"{flag} = 1")
            self.line("break")
        else:
            raise Unreachable(label)

    def scope(self, stmt: Scope, env: Env) -> bool:
        """Write a Scope: as plain lines when every Leave allows it, else as a loop that runs once."""
        label = stmt.label
        if label not in self.wrapped:
            lines, before, trail = self.lines, len(self.lines), len(self.trail)
            indent, depth, tries = self.indent, len(self.pending), self.tries
            self.opened[label] = depth
            try:
                self.block(stmt.body, _inside_scope(env, frozenset((label,))))
                self.undo(trail)
                return True
            except Unreachable as error:
                if error.label is not label:
                    raise
                self.wrapped.add(label)
                self.lines = lines
                del lines[before:], self.pending[depth:]
                self.indent, self.tries = indent, tries
                self.undo(trail)
        self.python_loop(label, "while True:", stmt.body, env, stmt.span, once=True)
        return True

    def python_loop(
        self, label: Label, head: str, body: list[Stmt], env: Env, span: Span, *, once: bool = False
    ) -> bool:
        """Write a loop that `break` leaves for its label; once: it runs a single time."""
        own = frozenset((label,)) | env.tail
        if len(self.pending) + self.tries > _MOST_BLOCKS:
            raise fail("E402", "not supported yet: loops nested this deep", span)
        self.opened[label] = len(self.pending)
        before, trail = self.lines, len(self.trail)
        self.lines = []
        self.pending.append({})
        self.line(head)
        self.indent += 1
        if not once:
            self.line("_acts -= 1")
            self.line(f"if _acts < 0: raise _ScriptError(_ACTIONS, {text(place(span))})")
            self.counts = True
        self.block(
            body,
            Env(own, env.ret, own, fall="break") if once else Env(NOTHING, env.ret, own, fall="continue"),
        )
        if once:
            self.line("break")
        elif len(self.lines) == 1:
            self.line("pass")
        self.indent -= 1
        self.undo(trail)
        flags = self.pending.pop()
        inside, self.lines = self.lines, before
        for flag in flags.values():
            self.line(f"{flag} = 0")
        self.lines += inside
        for target, flag in flags.items():
            self.line(f"if {flag}:")
            self.indent += 1
            self.leave(target, env)
            self.indent -= 1
        return True

    def attempt(self, stmt: Try, env: Env) -> bool:
        """Write a try region."""
        before = len(self.trail)
        self.tries += 1
        if len(self.pending) + self.tries > _MOST_BLOCKS:
            raise fail("E402", "not supported yet: try blocks nested this deep", stmt.span)
        self.line("try:")
        fell = self.inner(stmt.body, env)
        self.undo(before)
        error = self.fresh("e")
        self.line(f"except _Caught as {error}:" if stmt.message is not None else "except _Caught:")
        self.indent += 1
        at = len(self.lines)
        if stmt.message is not None:
            self.line(f"{self.write(stmt.message)} = _message({error})")
        fell_handler = self.block(stmt.handler, env)
        if len(self.lines) == at:
            self.line("pass")
        self.indent -= 1
        self.undo(before)
        self.tries -= 1
        return fell or fell_handler
