"""What a script means: a plain evaluator of the IR as sema leaves it, one handler at a time, in one order.

It shares no code with the optimiser, the staging, the back ends or the runtime.
"""

from __future__ import annotations

from typing import Any

from pystap.ir.format import Directive, Format
from pystap.ir.nodes import (
    Call,
    Const,
    ForEach,
    Function,
    Global,
    Handler,
    If,
    Label,
    Leave,
    Local,
    Loop,
    Module,
    Op,
    Scope,
    Stmt,
    Text,
    Try,
)
from tests.kit.arithmetic import BINARY, M64, UNARY, Fault, quotient, s64

LONGEST = 511
EMPTY: dict[str, Any] = {"i64": 0, "str": "", "buf": b""}


class Gone(Exception):
    """A Leave on its way."""

    def __init__(self, label: Label) -> None:
        super().__init__(label.name)
        self.label = label


TEXTS: dict[str, Any] = {
    "str_eq": lambda a, b: a == b,
    "str_ne": lambda a, b: a != b,
    "str_cmp": lambda a, b: (a > b) - (a < b),
}


class Meaning:
    """One run of a module. `run` a handler with the values of its event; `out` is what was printed.

    failed: the message of the error that ended the run; exited: exit() was called.
    """

    def __init__(self, module: Module, memory: Any) -> None:
        self.module = module
        self.memory = memory
        self.out: list[str] = []
        self.failed: str | None = None
        self.faults = 0
        self.exited = False
        self.values: dict[Global, Any] = {}
        for g in module.globals:
            if g.keys:
                self.values[g] = {}
            elif g.value == "stat":
                self.values[g] = []
            else:
                self.values[g] = EMPTY[g.value] if g.initial is None else g.initial
        self.event: dict[str, Any] = {}
        self.local: dict[Local, Any] = {}

    def run(self, handler: Handler, event: dict[str, Any]) -> None:
        """Run one handler."""
        self.event = event
        self.local = {}
        try:
            self.block(handler.body)
        except Gone as gone:
            assert gone.label is handler.label
        except Fault as fault:
            self.faults += 1
            self.failed = str(fault)

    def value(self, operand: Any) -> Any:
        if isinstance(operand, (Const, Text)):
            return operand.value
        return self.local.get(operand, EMPTY.get(operand.type))

    def block(self, body: list[Stmt]) -> None:
        for stmt in body:
            self.statement(stmt)

    def statement(self, stmt: Stmt) -> None:
        if isinstance(stmt, Op):
            self.op(stmt)
        elif isinstance(stmt, If):
            self.block(stmt.then if self.value(stmt.cond) else stmt.els)
        elif isinstance(stmt, Leave):
            raise Gone(stmt.label)
        elif isinstance(stmt, Call):
            self.call(stmt, stmt.func)
        elif isinstance(stmt, Try):
            try:
                self.block(stmt.body)
            except Fault as fault:
                self.faults += 1
                if stmt.message is not None:
                    self.local[stmt.message] = str(fault)
                self.block(stmt.handler)
        else:
            assert isinstance(stmt, (Scope, Loop, ForEach))
            try:
                if isinstance(stmt, ForEach):
                    self.foreach(stmt)
                elif isinstance(stmt, Loop):
                    while True:
                        self.block(stmt.body)
                else:
                    self.block(stmt.body)
            except Gone as gone:
                if gone.label is not stmt.label:
                    raise

    def call(self, stmt: Call, func: Function) -> None:
        args = [self.value(a) for a in stmt.args]
        outer, self.local = self.local, dict(zip(func.params, args, strict=True))
        try:
            self.block(func.body)
        except Gone as gone:
            assert gone.label is func.label
        finally:
            inner, self.local = self.local, outer
        if stmt.dst is not None and func.result is not None:
            self.local[stmt.dst] = inner.get(func.result, EMPTY[func.result.type])

    def foreach(self, stmt: ForEach) -> None:
        items = list(self.values[stmt.glob].items())
        if stmt.slice is not None:
            wanted = [None if w is None else self.value(w) for w in stmt.slice]
            items = [i for i in items if all(w is None or w == k for w, k in zip(wanted, i[0], strict=True))]
        if stmt.sort is not None:
            by = stmt.sort.by
            if by == "value":
                items.sort(key=lambda i: i[1], reverse=stmt.sort.descending)
            else:
                assert by[0] == "key"
                items.sort(key=lambda i: i[0][by[1]], reverse=stmt.sort.descending)
        if stmt.limit is not None:
            items = items[: max(0, self.value(stmt.limit))]
        for key, value in items:
            self.local.update(zip(stmt.keys, key, strict=bool(stmt.keys)))
            if stmt.value is not None:
                self.local[stmt.value] = value
            self.block(stmt.body)

    def op(self, op: Op) -> None:
        name, args = op.name, [self.value(a) for a in op.args]
        if name in BINARY:
            result: Any = s64(int(BINARY[name](*args)))
        elif name in TEXTS:
            result = s64(int(TEXTS[name](*args)))
        elif name in UNARY:
            result = s64(int(UNARY[name](*args)))
        else:
            result = getattr(self, "_" + name)(op, args)
        if op.dst is not None:
            assert result is not None, op
            self.local[op.dst] = result

    # -- operations

    def _mov(self, op: Op, args: list[Any]) -> Any:
        return args[0]

    def _sext(self, op: Op, args: list[Any]) -> Any:
        low = args[0] & (1 << op.attr) - 1
        return s64(low - (1 << op.attr) if low >> op.attr - 1 else low)

    def _zext(self, op: Op, args: list[Any]) -> Any:
        return s64(args[0] & (1 << op.attr) - 1)

    def _concat(self, op: Op, args: list[Any]) -> Any:
        return (args[0] + args[1])[:LONGEST]

    def _sprintf(self, op: Op, args: list[Any]) -> Any:
        return text_of(op.attr, args)[:LONGEST]

    def _printf(self, op: Op, args: list[Any]) -> Any:
        self.out.append(text_of(op.attr, args))

    def _raise(self, op: Op, args: list[Any]) -> Any:
        raise Fault(args[0])

    def _exit(self, op: Op, args: list[Any]) -> Any:
        self.exited = True

    def _log(self, op: Op, args: list[Any]) -> Any:
        return None

    _warn = _log

    def _call(self, op: Op, args: list[Any]) -> Any:
        name = op.attr
        if name == "strlen":
            return len(args[0])
        if name == "substr":
            text, start, length = args
            return text[start : start + length] if start >= 0 and length > 0 else ""
        if name == "isinstr":
            return int(args[1] in args[0])
        if name == "stringat":
            if not 0 <= args[1] < len(args[0]):
                raise Fault(f"string index {args[1]} out of bounds")
            return ord(args[0][args[1]])
        if name == "str_replace":
            return (args[0].replace(args[1], args[2]) if args[1] else args[0])[:LONGEST]
        if name in ("toupper", "tolower"):
            return getattr(args[0], name[2:])()
        if name == "htons" or name == "ntohs":
            return int.from_bytes((args[0] & 0xFFFF).to_bytes(2, "little"), "big")
        if name == "syscall_name":
            return {8: "lseek", 110: "getppid"}[args[0]]
        return self.event[name]

    def _sys_nr(self, op: Op, args: list[Any]) -> Any:
        return self.event["nr"]

    def _sys_arg(self, op: Op, args: list[Any]) -> Any:
        return s64(self.event["args"][op.attr])

    def _sys_ret(self, op: Op, args: list[Any]) -> Any:
        return s64(self.event["ret"])

    def _ctx_arg(self, op: Op, args: list[Any]) -> Any:
        return s64(self.event["words"][op.attr[0]])

    def _load(self, op: Op, args: list[Any]) -> Any:
        load = op.attr
        data = self.memory.kernel.read(args[0] + load.off & M64, load.size)
        if data is None:
            if load.fault == "zero":
                return 0
            raise Fault(fault_text(args[0] + load.off))
        return s64(int.from_bytes(data, "little", signed=load.signed))

    def _load_str(self, op: Op, args: list[Any]) -> Any:
        load = op.attr
        data = self.memory.kernel.read_str(args[0] + load.off & M64, load.size - 1)
        if data is None:
            if load.fault == "zero":
                return ""
            raise Fault(fault_text(args[0] + load.off))
        return data.decode("latin-1")

    # -- globals

    def _place(self, op: Op, args: list[Any]) -> tuple[Global, Any]:
        glob = op.attr[0] if isinstance(op.attr, tuple) else op.attr
        return glob, tuple(args[: len(glob.keys)])

    def _get(self, op: Op, args: list[Any]) -> Any:
        glob, key = self._place(op, args)
        return self.values[glob].get(key, EMPTY[glob.value]) if glob.keys else self.values[glob]

    def _has(self, op: Op, args: list[Any]) -> Any:
        glob, key = self._place(op, args)
        return int(key in self.values[glob]) if glob.keys else 1

    def _put(self, glob: Global, key: Any, value: Any) -> None:
        if not glob.keys:
            self.values[glob] = value
            return
        table = self.values[glob]
        if key not in table and len(table) >= glob.capacity:
            if not glob.wrap:
                raise Fault("Array overflow")
            del table[next(iter(table))]
        table[key] = value

    def _set(self, op: Op, args: list[Any]) -> Any:
        glob, key = self._place(op, args)
        self._put(glob, key, args[-1])

    def _add_to(self, op: Op, args: list[Any]) -> Any:
        glob, key = self._place(op, args)
        old = self._get(op, args)
        new = s64(old + args[-1])
        self._put(glob, key, new)
        return new

    def _add_fetch(self, op: Op, args: list[Any]) -> Any:
        old = self._get(op, args)
        new = self._add_to(op, args)
        return old if op.attr[1] == "old" else new

    def _push(self, op: Op, args: list[Any]) -> Any:
        glob, key = self._place(op, args)
        if glob.keys and key not in self.values[glob]:
            self._put(glob, key, [])
        (self.values[glob][key] if glob.keys else self.values[glob]).append(args[-1])

    def _delete(self, op: Op, args: list[Any]) -> Any:
        glob, key = self._place(op, args)
        if glob.keys:
            self.values[glob].pop(key, None)
        elif glob.value == "stat":
            self.values[glob] = []
        else:
            self.values[glob] = EMPTY[glob.value]

    def _clear(self, op: Op, args: list[Any]) -> Any:
        glob, _ = self._place(op, args)
        if glob.keys:
            self.values[glob].clear()
        else:
            self._delete(op, args)

    def _stat(self, op: Op, args: list[Any]) -> Any:
        glob, key = self._place(op, args)
        samples = (self.values[glob].get(key) or []) if glob.keys else self.values[glob]
        name = op.attr[1]
        if name == "count":
            return len(samples)
        if name == "sum":
            return s64(sum(samples))
        if not samples:
            raise Fault("empty aggregate")
        if name == "avg":
            return quotient(s64(sum(samples)), len(samples))
        return min(samples) if name == "min" else max(samples)


def fault_text(address: int) -> str:
    """The message of a failed read."""
    return f"read fault [man error::fault] at {address & M64:#018x}"


def text_of(form: Format, args: list[Any]) -> str:
    """The text of a printf."""
    out = []
    values = iter(args)
    for part in form.parts:
        if isinstance(part, str):
            out.append(part)
            continue
        assert isinstance(part, Directive) and part.precision is None and part.width != "*", part
        value = next(values)
        if part.conv in "sd":
            text = str(value)
        elif part.conv == "u":
            text = str(value & M64)
        else:
            assert part.conv == "x", part
            text = ("0x" if "#" in part.flags else "") + format(value & M64, "x")
        wide = int(part.width or 0)
        out.append(text.ljust(wide) if "-" in part.flags else text.rjust(wide))
    return "".join(out)
