"""Runs IR in the user stage: generated, loaded into a runtime without a kernel, and called.

`Interpreter` runs the same IR in the plainest way; it is the oracle for the generated control.
"""

from __future__ import annotations

from typing import Any

from pystap.backend.python import generate
from pystap.ir.nodes import (
    Const,
    ForEach,
    Global,
    If,
    Label,
    Leave,
    Local,
    Loop,
    Op,
    Scope,
    Stat,
    Stmt,
    Text,
    Try,
)
from pystap.options import Options
from pystap.program import VERSION, GlobalSpec, Program, Timer
from pystap.runtime.context import Context
from pystap.runtime.door import Door
from pystap.runtime.env import load_source
from pystap.runtime.errors import ScriptError
from pystap.runtime.numbers import wrap
from pystap.runtime.state import State
from pystap.staging.plan import Home, Staged, UserFunction
from tests.kit.sink import ListSink


def spec_of(glob: Global, index: int, home: str = "user", **more: Any) -> GlobalSpec:
    """The GlobalSpec that staging would make."""
    stat = glob.stat
    fields: dict[str, Any] = {
        "name": glob.name,
        "index": index,
        "home": home,
        "map": "",
        "offset": 0,
        "keys": glob.keys,
        "key": (),
        "key_size": 0,
        "value": glob.value,
        "value_size": 8,
        "stat_fields": (),
        "capacity": glob.capacity,
        "wrap": glob.wrap,
        "full": glob.full,
        "initial": glob.initial,
        "hist_log": stat.hist_log if stat else None,
        "linear": stat.linear if stat else None,
        "signed": stat.signed if stat else True,
        "stat_kind": stat.kind if stat else "",
        "display": glob.display,
        "fmt": glob.fmt,
    }
    return GlobalSpec(**(fields | more))


def staged_of(functions: list[UserFunction], globs: list[Global], lang: str = "stp", **more: Any) -> Staged:
    """A staged program of user functions only."""
    homes = {g: Home(g, spec_of(g, i)) for i, g in enumerate(globs)}
    fields: dict[str, Any] = {
        "lang": lang,
        "kernel": [],
        "user": functions,
        "homes": homes,
        "maps": [],
        "records": [],
        "begin": [],
        "end": [],
        "error": [],
        "timers": [],
        "signals": [],
        "notes": [],
        "errors": [],
    }
    return Staged(**(fields | more))


def program_of(staged: Staged, options: Options | None = None) -> Program:
    """The Program of a staged one without kernel programs."""
    return Program(
        VERSION,
        staged.lang,
        tuple(staged.maps),
        (),
        tuple(h.spec for h in staged.homes.values()),
        tuple(staged.records),
        tuple(staged.errors),
        generate(staged, options or Options()),
        tuple(staged.begin),
        tuple(staged.end),
        tuple(staged.error),
        tuple(Timer(*t) for t in staged.timers),
        tuple(staged.signals),
        None,
    )


class Machine:
    """Functions loaded and ready to be called."""

    def __init__(
        self,
        functions: list[UserFunction],
        globs: list[Global] | None = None,
        lang: str = "stp",
        **options: Any,
    ) -> None:
        self.options = Options(lang=lang, **options)
        self.program = program_of(staged_of(functions, globs or [], lang), self.options)
        self.sink = ListSink()
        self.context = Context(self.program, Door(), self.sink, self.options)
        self.state = State(self.context)
        load_source(self.context)

    def call(self, name: str, *args: Any) -> Any:
        """Call a function by its name in the generated text."""
        return self.context.namespace[name](*args)

    def value(self, index: int) -> Any:
        """The state of a global."""
        return self.context.namespace[f"_g{index}"]

    @property
    def text(self) -> str:
        """What was printed."""
        return self.sink.text


def function(
    body: list[Stmt],
    params: tuple[Local, ...] = (),
    result: Local | None = None,
    label: Label | None = None,
    name: str = "f",
    kind: str = "record",
) -> UserFunction:
    """A user function."""
    return UserFunction(name, kind, params, result, label or Label("end"), body)


def evaluate(
    name: str,
    args: list[Any],
    attr: Any = None,
    type: str = "i64",
    globs: list[Global] | None = None,
    **options: Any,
) -> Any:
    """The result of one operation on values that the generator knows nothing of."""
    kinds = {int: "i64", str: "str", bytes: "buf", tuple: "tuple"}
    params = tuple(Local(f"a{i}", kinds[a.__class__]) for i, a in enumerate(args))
    result = Local("r", type)
    return Machine([function([Op(result, name, params, attr)], params, result)], globs, **options).call(
        "f", *args
    )


def constant(value: int) -> Const:
    """An integer operand."""
    return Const(value)


class _Left(Exception):
    def __init__(self, label: Label) -> None:
        self.label = label


class Interpreter:
    """Runs a body by the words of ir/nodes.py. Knows few operations: mov, add, lt, eq, trace, fail."""

    def __init__(self, arrays: dict[Global, dict[Any, Any]] | None = None, turns: int = 400) -> None:
        self.locals: dict[Local, Any] = {}
        self.trace: list[Any] = []
        self.arrays = arrays or {}
        self.turns = turns

    def run(self, body: list[Stmt], label: Label) -> list[Any]:
        """Run a function's body; return what it traced."""
        try:
            self.block(body)
        except _Left as left:
            assert left.label is label
        return self.trace

    def value(self, operand: Any) -> Any:
        if isinstance(operand, (Const, Text)):
            return operand.value
        return self.locals.get(operand, 0 if operand.type == "i64" else "")

    def block(self, body: list[Stmt]) -> None:
        for stmt in body:
            self.step(stmt)

    def step(self, stmt: Stmt) -> None:
        if isinstance(stmt, Op):
            self.op(stmt)
        elif isinstance(stmt, If):
            self.block(stmt.then if self.value(stmt.cond) else stmt.els)
        elif isinstance(stmt, Leave):
            raise _Left(stmt.label)
        elif isinstance(stmt, (Loop, Scope)):
            self.construct(stmt)
        elif isinstance(stmt, Try):
            try:
                self.block(stmt.body)
            except ScriptError as error:
                if stmt.message is not None:
                    self.locals[stmt.message] = error.message
                self.block(stmt.handler)
        elif isinstance(stmt, ForEach):
            self.foreach(stmt)

    def construct(self, stmt: Loop | Scope) -> None:
        try:
            while True:
                self.block(stmt.body)
                if isinstance(stmt, Scope):
                    return
                self.turns -= 1
                if self.turns < 0:
                    raise TimeoutError
        except _Left as left:
            if left.label is not stmt.label:
                raise

    def foreach(self, stmt: ForEach) -> None:
        try:
            for key in list(self.arrays[stmt.glob]):
                self.locals[stmt.keys[0]] = key
                self.block(stmt.body)
        except _Left as left:
            if left.label is not stmt.label:
                raise

    def op(self, op: Op) -> None:
        args = [self.value(a) for a in op.args]
        if op.name == "printf":
            self.trace.append(args[0])
        elif op.name == "raise":
            raise ScriptError(args[0])
        else:
            assert op.dst is not None
            self.locals[op.dst] = {
                "mov": lambda: args[0],
                "add": lambda: wrap(args[0] + args[1]),
                "lt": lambda: int(args[0] < args[1]),
                "eq": lambda: int(args[0] == args[1]),
                "and": lambda: args[0] & args[1],
            }[op.name]()


def stat(*ops: str, **more: Any) -> Stat:
    """An aggregate."""
    return Stat(frozenset(ops or ("count", "sum", "min", "max", "avg")), **more)
