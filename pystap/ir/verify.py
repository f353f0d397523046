"""Is a module well formed? Operand counts and types by `ops.OPS`, labels that exist, locals of one body.

    problems = verify(module)     # [] when it is

For tests and `--verify-ir`; a problem is a bug of the pass that ran before, not the user's mistake.
"""

from __future__ import annotations

from ..builtins.table import TABLE
from .format import Directive, Format
from .nodes import (
    STAT,
    Call,
    Const,
    ForEach,
    Function,
    Global,
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
from .ops import OPS, Load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LETTER = {"i": "i64", "s": "str", "b": "buf", "a": ""}
_LOW, _HIGH = -(1 << 63), 1 << 63


def verify(module: Module) -> list[str]:
    """Return what is wrong with a module, a line each."""
    out: list[str] = []
    owner: dict[Local, str] = {}
    for function in module.functions:
        checker = _Checker(f"function {function.name}", module, out, owner)
        for param in function.params:
            checker.local(param)
        if function.result is not None:
            checker.local(function.result)
        checker.body(function.body, (function.label,))
    for number, handler in enumerate(module.handlers):
        _Checker(f"handler {number} ({handler.probe})", module, out, owner).body(
            handler.body, (handler.label,)
        )
    return out


class _Checker:
    def __init__(self, where: str, module: Module, out: list[str], owner: dict[Local, str]) -> None:
        self.where = where
        self.globals = set(module.globals)
        self.functions = set(module.functions)
        self.out = out
        self.owner = owner

    def wrong(self, what: str, stmt: Stmt | None = None) -> None:
        """Note a problem."""
        span = getattr(stmt, "span", None)
        self.out.append(f"{self.where}: {what}{f' at {span!r}' if span is not None else ''}")

    def local(self, local: Local) -> None:
        """Note the body that a local belongs to."""
        if self.owner.setdefault(local, self.where) != self.where:
            self.wrong(f"local {local.name} belongs to {self.owner[local]}")

    def operand(self, value: Any, wanted: str, stmt: Stmt) -> None:
        """Check one operand; wanted: its type, "" for any."""
        if isinstance(value, Local):
            self.local(value)
            kind = value.type
        elif isinstance(value, Const):
            kind = "i64"
            if not isinstance(value.value, int) or not _LOW <= value.value < _HIGH:
                self.wrong(f"constant {value.value!r}", stmt)
        elif isinstance(value, Text):
            kind = "str"
            if "\0" in value.value or any(ord(c) > 255 for c in value.value):
                self.wrong(f"text {value.value!r} is not bytes without NUL", stmt)
        else:
            self.wrong(f"{value!r} is not an operand", stmt)
            return
        if wanted and kind != wanted:
            self.wrong(f"{kind} where {wanted} is needed", stmt)

    def body(self, body: list[Stmt], labels: tuple[Label, ...]) -> None:
        """Check statements in the reach of labels."""
        for stmt in body:
            self.statement(stmt, labels)

    def statement(self, s: Stmt, labels: tuple[Label, ...]) -> None:
        """Check one statement."""
        if isinstance(s, Op):
            self.op(s)
        elif isinstance(s, If):
            self.operand(s.cond, "i64", s)
            self.body(s.then, labels)
            self.body(s.els, labels)
        elif isinstance(s, Leave):
            if s.label not in labels:
                self.wrong(f"leave {s.label.name}, which isn't around it", s)
        elif isinstance(s, (Loop, Scope)):
            self.body(s.body, (*labels, s.label))
        elif isinstance(s, Try):
            self.body(s.body, labels)
            if s.message is not None:
                self.operand(s.message, "str", s)
            self.body(s.handler, labels)
        elif isinstance(s, Call):
            self.call(s)
        elif isinstance(s, ForEach):
            self.foreach(s, labels)
        else:
            self.wrong(f"{type(s).__name__} is not a statement", s)

    def call(self, s: Call) -> None:
        """Check a call."""
        func: Function = s.func
        if func not in self.functions:
            self.wrong(f"call of {func.name}, which isn't in the module", s)
        if len(s.args) != len(func.params):
            self.wrong(f"{func.name} takes {len(func.params)} operands, {len(s.args)} given", s)
        for arg, param in zip(s.args, func.params, strict=False):
            self.operand(arg, param.type, s)
        if s.dst is not None:
            self.operand(s.dst, func.result.type if func.result is not None else "none", s)

    def foreach(self, s: ForEach, labels: tuple[Label, ...]) -> None:
        """Check a foreach."""
        glob = s.glob
        self.known(glob, s)
        if s.keys and len(s.keys) != len(glob.keys):
            self.wrong(f"{len(s.keys)} keys of {glob.name}, which has {len(glob.keys)}", s)
        for key, kind in zip(s.keys, glob.keys, strict=False):
            self.operand(key, kind, s)
        if s.value is not None:
            self.operand(s.value, glob.value, s)
            if glob.value == STAT:
                self.wrong(f"the value of {glob.name} is an aggregate", s)
        if s.limit is not None:
            self.operand(s.limit, "i64", s)
        if s.slice is not None and len(s.slice) != len(glob.keys):
            self.wrong("the slice has another number of keys", s)
        for part, kind in zip(s.slice or (), glob.keys, strict=False):
            if part is not None:
                self.operand(part, kind, s)
        self.body(s.body, (*labels, s.label))

    def known(self, glob: Any, s: Stmt) -> None:
        """Check that a global is the module's."""
        if glob not in self.globals:
            self.wrong(f"{getattr(glob, 'name', glob)!r} is not a global of the module", s)

    def op(self, s: Op) -> None:
        """Check an operation."""
        info = OPS.get(s.name)
        if info is None:
            self.wrong(f"unknown operation {s.name}", s)
            return
        if info.on_global:
            self.on_global(s, info.args)
            result = info.result
        elif s.name == "call":
            result = self.builtin(s)
        elif s.name in ("printf", "sprintf"):
            self.formatted(s)
            result = info.result
        else:
            self.operands(s, info.args)
            result = info.result
        self.result(s, result)
        if s.name in ("load", "load_str", "load_buf"):
            self.load(s)

    def operands(self, s: Op, letters: str) -> None:
        """Check operands against letters; a last `*` takes any number of any."""
        if letters.endswith("*"):
            letters = letters[:-1]
            letters += "a" * (len(s.args) - len(letters))
        if len(s.args) != len(letters):
            self.wrong(f"{s.name} takes {len(letters)} operands, {len(s.args)} given", s)
        for arg, letter in zip(s.args, letters, strict=False):
            self.operand(arg, _LETTER[letter], s)

    def result(self, s: Op, letter: str) -> None:
        """Check the destination."""
        if s.dst is None:
            return
        if not letter:
            self.wrong(f"{s.name} has no result", s)
            return
        self.operand(s.dst, _LETTER[letter], s)
        if s.name == "mov" and s.args and s.dst.type != s.args[0].type:
            self.wrong(f"mov of {s.args[0].type} to {s.dst.type}", s)
        if s.name == "get" and isinstance(s.attr, Global) and s.dst.type != s.attr.value:
            self.wrong(f"{s.attr.name} is {s.attr.value}, its destination {s.dst.type}", s)

    def on_global(self, s: Op, letters: str) -> None:
        """Check an operation on a global: keys, then what the letters say."""
        glob = s.attr[0] if isinstance(s.attr, tuple) and s.attr else s.attr
        if not isinstance(glob, Global):
            self.wrong(f"{s.name} has no global", s)
            return
        self.known(glob, s)
        keys = glob.keys
        if s.name in ("clear", "zero", "size", "print_map"):
            keys = ()
        elif s.name == "delete_slice":
            keys = tuple(k for k, given in zip(keys, s.attr[1], strict=True) if given)
        count = len(keys) + len(letters.rstrip("*"))
        if len(s.args) != count and not letters.endswith("*"):
            self.wrong(f"{s.name} of {glob.name} takes {count} operands, {len(s.args)} given", s)
        for arg, kind in zip(s.args, keys, strict=False):
            self.operand(arg, kind, s)
        for arg, letter in zip(s.args[len(keys) :], letters, strict=False):
            self.operand(arg, glob.value if s.name == "set" else _LETTER.get(letter, ""), s)
        aggregate = s.name in ("push", "stat", "hist_bucket", "print_hist")
        if aggregate != (glob.value == STAT) and s.name in (
            "get",
            "set",
            "add_to",
            "add_fetch",
            "push",
            "stat",
        ):
            self.wrong(f"{s.name} of {glob.name}, which is {glob.value}", s)

    def builtin(self, s: Op) -> str:
        """Check the call of a builtin; return the letter of its result."""
        entry = TABLE.get(s.attr)
        if entry is None:
            self.wrong(f"unknown builtin {s.attr!r}", s)
            return "a"
        self.operands(s, entry.args)
        return entry.result

    def formatted(self, s: Op) -> None:
        """Check printf and sprintf: the directives take all operands, of their types."""
        form = s.attr
        if not isinstance(form, Format):
            self.wrong(f"{s.name} has no format", s)
            return
        wanted: list[str] = []
        for part in form.parts:
            if isinstance(part, Directive):
                wanted += ["i64"] * ((part.width == "*") + (part.precision == "*"))
                wanted.append({"s": "str", "r": "", "m": "buf", "M": "buf"}.get(part.conv, "i64"))
        if len(wanted) != len(s.args):
            self.wrong(f"the format takes {len(wanted)} operands, {len(s.args)} given", s)
        for arg, kind in zip(s.args, wanted, strict=False):
            self.operand(arg, kind, s)

    def load(self, s: Op) -> None:
        """Check a load's attribute."""
        load = s.attr
        if not isinstance(load, Load):
            self.wrong(f"{s.name} has no Load", s)
        elif load.size < 1 or (s.name == "load" and load.size not in (1, 2, 4, 8)):
            self.wrong(f"{s.name} of {load.size} bytes", s)
