"""IR -> readable text, for `--dump-after` and for tests.

    global count: i64
    handler begin  (begin, order 0)
        t1 = get count
        printf "COUNT=%d\\n" t1

Locals are shown by name; two of one name in a body get a number behind it.
"""

from __future__ import annotations

from .format import Directive, Format
from .nodes import (
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
from .ops import OPS, Load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def module_text(module: Module) -> str:
    """Return a whole module."""
    out = [global_text(g) for g in module.globals]
    out += map(function_text, module.functions)
    out += map(handler_text, module.handlers)
    return "\n".join(out) + "\n"


def global_text(glob: Global) -> str:
    """Return the line of a global."""
    keys = f"[{', '.join(glob.keys)}]" if glob.keys else ""
    words = [f"global {glob.name}{keys}: {glob.value}"]
    if glob.keys:
        words.append(f"capacity {glob.capacity}{' wrap' if glob.wrap else ''}")
    if glob.initial is not None:
        words.append(f"= {glob.initial!r}")
    stat = glob.stat
    if stat is not None:
        words.append(f"{{{' '.join(sorted(stat.ops))}}}")
        if stat.hist_log is not None:
            words.append("hist_log")
        if stat.linear is not None:
            words.append(f"linear {stat.linear}")
    if glob.display:
        words.append(f"display {glob.display}")
    return " ".join(words)


def handler_text(handler: Handler) -> str:
    """Return a handler with its event."""
    return "\n".join(
        [f"handler {handler.probe}  ({event_text(handler)})", *_Printer(handler.label).body(handler.body, 1)]
    )


def event_text(handler: Handler) -> str:
    """Return an event in words."""
    event = handler.event
    words = [event.kind]
    if event.name:
        words.append(event.name)
    if event.args:
        words += [f"{name}={value}" for name, value in event.args.items()]
    return " ".join(words)


def function_text(function: Function) -> str:
    """Return a function."""
    printer = _Printer(function.label)
    params = ", ".join(f"{printer.operand(p)}: {p.type}" for p in function.params)
    result = f" -> {printer.operand(function.result)}: {function.result.type}" if function.result else ""
    head = f"function {function.name}({params}){result}{' recursive' if function.recursive else ''}"
    return "\n".join([head, *printer.body(function.body, 1)])


def body_text(body: list[Stmt]) -> str:
    """Return the lines of one body."""
    return "\n".join(_Printer(None).body(body, 0))


class _Printer:
    def __init__(self, label: Label | None) -> None:
        self.names: dict[int, str] = {}
        self.keep: list[Any] = []  # what the ids in `names` stand for stays alive
        self.taken: dict[str, int] = {}
        if label is not None:
            self.names[id(label)] = "end"

    def name(self, thing: Local | Label) -> str:
        """Return a name that no other local or label of this body has."""
        found = self.names.get(id(thing))
        if found is None:
            count = self.taken[thing.name] = self.taken.get(thing.name, 0) + 1
            found = thing.name if count == 1 else f"{thing.name}.{count}"
            self.names[id(thing)] = found
            self.keep.append(thing)
        return found

    def operand(self, value: Any) -> str:
        """Return an operand."""
        if isinstance(value, Local):
            return self.name(value)
        if isinstance(value, Const):
            return str(value.value)
        if isinstance(value, Text):
            return quote(value.value)
        return repr(value)

    def body(self, body: list[Stmt], depth: int) -> list[str]:
        """Return the lines of a body."""
        out: list[str] = []
        pad = "    " * depth
        for stmt in body:
            head, *blocks = self.statement(stmt)
            out.append(pad + str(head))
            for word, block in blocks:
                if word:
                    out.append(pad + word)
                out += self.body(block, depth + 1)
        return out

    def statement(self, s: Stmt) -> list[Any]:
        """Return the head line, then (line before it, body) for each body."""
        if isinstance(s, Op):
            return [self.op(s)]
        if isinstance(s, If):
            blocks: list[Any] = [("", s.then)]
            if s.els:
                blocks.append(("else", s.els))
            return [f"if {self.operand(s.cond)}", *blocks]
        if isinstance(s, Leave):
            return [f"leave {self.name(s.label)}"]
        if isinstance(s, (Loop, Scope)):
            word = "loop" if isinstance(s, Loop) else "scope"
            return [f"{word} {self.name(s.label)}", ("", s.body)]
        if isinstance(s, Try):
            message = "" if s.message is None else f" {self.operand(s.message)}"
            return ["try", ("", s.body), (f"catch{message}", s.handler)]
        if isinstance(s, Call):
            args = " ".join(map(self.operand, s.args))
            dst = "" if s.dst is None else f"{self.operand(s.dst)} = "
            return [f"{dst}call {s.func.name}({args})"]
        assert isinstance(s, ForEach), s
        return [self.foreach(s), ("", s.body)]

    def foreach(self, s: ForEach) -> str:
        """Return the head of a foreach."""
        words = [f"foreach {self.name(s.label)}"]
        if s.value is not None:
            words.append(f"{self.operand(s.value)} =")
        words.append(f"[{', '.join(map(self.operand, s.keys))}] in {s.glob.name}")
        if s.slice is not None:
            words.append(f"slice [{', '.join('*' if v is None else self.operand(v) for v in s.slice)}]")
        if s.sort is not None:
            by = s.sort.by if isinstance(s.sort.by, str) else " ".join(map(str, s.sort.by))
            words.append(f"sort {by} {'down' if s.sort.descending else 'up'}")
        if s.limit is not None:
            words.append(f"limit {self.operand(s.limit)}")
        return " ".join(words)

    def op(self, s: Op) -> str:
        """Return an operation."""
        dst = "" if s.dst is None else f"{self.operand(s.dst)} = "
        args = "".join(f" {self.operand(a)}" for a in s.args)
        if s.name == "mov":
            return f"{dst}{args[1:]}"
        attr = attr_text(s.attr)
        known = OPS.get(s.name)
        if known is not None and known.on_global:
            attr = attr.removeprefix("global ")
        return f"{dst}{s.name}{f' {attr}' if attr else ''}{args}"


def attr_text(attr: Any) -> str:
    """Return an operation's static attribute."""
    if attr is None:
        return ""
    if isinstance(attr, Global):
        return attr.name
    if isinstance(attr, Format):
        return format_text(attr)
    if isinstance(attr, Load):
        return load_text(attr)
    if isinstance(attr, tuple):
        return f"({', '.join(attr_text(a) or str(a) for a in attr)})"
    return str(attr)


def load_text(load: Load) -> str:
    """Return how a load reads: `u4 +112 sk_buff "$skb->len"`."""
    words = [f"{'i' if load.signed else 'u'}{load.size}", f"+{load.off}"]
    if load.space != "kernel":
        words.append(load.space)
    if load.struct:
        words.append(load.struct)
    if load.fault != "error":
        words.append(load.fault)
    return f"<{' '.join(words)}>"


def format_text(form: Format) -> str:
    """Return a format as one quoted string."""
    out = []
    for part in form.parts:
        if isinstance(part, Directive):
            width = "" if part.width is None else str(part.width)
            precision = "" if part.precision is None else f".{part.precision}"
            bits = {8: "hh", 16: "h", 32: "", 64: ""}.get(part.bits, "")
            out.append(f"%{part.flags}{width}{precision}{bits}{part.conv}")
        else:
            out.append(quote(part.replace("%", "%%"))[1:-1])
    return f'"{"".join(out)}"'


def quote(text: str) -> str:
    """Return a text in quotes, with escapes."""
    shown = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}
    out = "".join(shown.get(c) or (c if c.isprintable() else f"\\x{ord(c):02x}") for c in text)
    return f'"{out}"'
