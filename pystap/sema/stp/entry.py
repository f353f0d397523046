"""Values at the entry, in handlers of returns: `@entry(expr)`, and `$x` where the return doesn't have it (R9).

    slot(c, e, expr) -> type      remember that handler `c.body` wants `expr` as it was at the entry
    hold(c, e, variable)          the same of registers, for a place in a function: `held(lo, name)` is then the slot
    open_frame(lo, derived)       the return's first statements: take the values of the entry that returns now
    handlers(unit, made)          the entries' own handlers, which keep the values

A call is known by its task, its place on the stack and its function: so it doesn't matter which entries and returns of
calls inside it the kernel leaves out, nor that an interrupt's calls lie on another stack. A return whose entry wasn't seen
finds nothing, and its handler doesn't run; an entry whose return wasn't seen is written over by the next call at that
place. System calls, and tracepoints that stand in for functions, don't nest in a thread; their place is 1 always. Tasks are
told apart by address, since the idle tasks of all processors have the same number.

A place in a function may need what registers held at its entry, too. It is met any number of times in one call, so nothing
is taken away there; the next call at that place on the stack writes over it. Calls that began before are passed over.
"""

from __future__ import annotations

from ...diag import CompileError, fail
from ...ir.nodes import I64, Const, Event, Global, Handler, Label, Local, Text
from ...lang.stp import ast
from ...lang.stp.printer import print_expression
from ...probes.base import Context, Env, Resolved, point_text, resolve
from ..build import latin
from .symbols import Derived
from .types import IR_TYPE, STAT, T_LONG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...probes.base import Variable
    from ...source import Span
    from ..build import Operand
    from .check import Checker
    from .lower import Lower
    from .symbols import FileScope, FunctionInstance
    from .types import T
    from .unit import Unit

DEEPEST = 65536  # unfinished calls in all
_FUNCTIONS = frozenset(("fentry", "fexit", "kprobe", "kretprobe"))
# How the entry of a return is attached.
_RUNGS = {"fexit": "fentry", "kretprobe": "kprobe"}


class Slot:
    """One value of the entry: the expression, or a register's name, and where the other handler has it."""

    __slots__ = ("expr", "glob", "local", "scope", "type")

    def __init__(self, expr: ast.Expr | str, scope: FileScope, type: T) -> None:
        self.expr = expr
        self.scope = scope
        self.type = type
        self.local: Local | None = None
        self.glob: Global | None = None


class Entry:
    """The entry of a return that a handler is of, or of a place: a handler to be, of the values that are wanted."""

    __slots__ = ("derived", "framed", "known", "many", "number", "place", "slots")

    def __init__(self, derived: Derived, number: int, returned: str) -> None:
        self.number = number  # among all entries
        # whether both events see where on the stack the call began
        self.framed = {derived.resolved.event.kind, returned} <= _FUNCTIONS
        args = derived.resolved.event.args
        self.many = isinstance(args, dict) and len(args.get("functions", ())) > 1
        self.derived = derived
        self.slots: list[Slot] = []
        self.known: dict[tuple[FileScope, str], Slot] = {}
        self.place: Any = (
            None  # of a place in a function: where its call began on the stack, as an expression
        )


def slot(c: Checker, e: ast.Expr, expr: ast.Expr) -> T:
    """Check `expr` at the entry of the return that this handler is of; `e` stands for its value."""
    before: Slot | None = c.body.notes.get(e)
    if before is not None:
        return before.type
    entry = of(c, e)
    key = (c.scope, print_expression(expr))
    found = entry.known.get(key)
    if found is None:
        _no_locals(c, expr)
        inner = type(c)(c.unit, entry.derived.body, c.pending)
        inner.scope = c.scope
        kind = inner.expr(expr)
        if kind.find().kind == STAT:
            raise fail("E215", "a statistic has no value at the entry", e.span)
        found = entry.known[key] = Slot(expr, c.scope, kind)
        entry.slots.append(found)
    c.body.notes[e] = found
    return found.type


def _no_locals(c: Checker, expr: ast.Expr) -> None:
    for node in ast.walk(expr):
        if isinstance(node, ast.Name) and node.name not in c.scope.globals:
            words = f"'{node.name}' is a variable of the return's handler: it has no value at the entry"
            raise fail("E239", words, node.span)


def of(c: Checker, e: ast.Expr) -> Entry:
    """Return the entry of this handler's return; CompileError where it isn't one, or can't be probed."""
    derived = c.body.probe
    if derived is None or not derived.resolved.context.returns:
        raise fail("E239", "only the handler of a return (.return) has values of the entry", e.span)
    if c.function is not None:
        words = (
            f"'{e.span.text}' is a value of the entry: the handler of the return has it, its functions don't"
        )
        raise fail("E239", words, e.span, "give its value to the function as a parameter")
    if derived.entry is None:
        derived.entry = _make(c, derived, e.span)
    found: Entry = derived.entry
    return found


def has_entry(c: Checker) -> bool:
    """Say whether this is a handler of a return whose entry can be probed."""
    derived = c.body.probe
    if derived is None or c.function is not None or not derived.resolved.context.returns:
        return False
    try:
        if derived.entry is None:
            derived.entry = _make(c, derived, derived.span)
    except CompileError:
        return False
    return True


def hold(c: Checker, e: ast.Expr, variable: Variable) -> None:
    """Remember that a handler at a place in a function wants a variable that lies where registers had it at the entry."""
    from ...probes.functions.located import held

    for name in held(variable):
        derived = c.body.probe
        if derived is None or c.function is not None:
            words = f"'{e.span.text}' needs the function's entry: the handler of the probe has it, its functions don't"
            raise fail("E239", words, e.span, "give its value to the function as a parameter")
        if derived.entry is None:
            derived.entry = _of_place(c.unit, derived)
        entry: Entry = derived.entry
        key = (c.unit.scope, name)
        if key not in entry.known:
            found = entry.known[key] = Slot(name, c.unit.scope, T_LONG)
            entry.slots.append(found)


def held(lo: Lower, name: str) -> Slot:
    """Return what a register held at the entry."""
    derived = lo.body.probe
    assert derived is not None
    found: Slot = derived.entry.known[lo.unit.scope, name]
    return found


def _of_place(unit: Unit, derived: Derived) -> Entry:
    context = derived.resolved.context
    assert context.entered is not None
    event, place = context.entered()
    words = f"the entry of {derived.resolved.text}"
    made = Derived(derived.point, Resolved(event, words, Context(words, name=context.name)))
    unit.entries.append((derived, made))
    entry = Entry(made, len(unit.entries), derived.resolved.event.kind)
    entry.place = place
    return entry


def _make(c: Checker, derived: Derived, span: Span) -> Entry:
    from .prologue import names_of, parse_prologue

    resolved = _entry_event(c.unit, derived, span)
    made = Derived(derived.point, resolved)
    made.components = derived.components
    if resolved.prologue is not None:
        text = resolved.prologue(names_of(derived))
        if text:
            part = parse_prologue(resolved.text, text)
            made.parts.append(part)
            inner = type(c)(c.unit, made.body, c.pending)
            inner.scope = part[0]
            inner.stmt(part[1])
    c.unit.entries.append((derived, made))
    return Entry(made, len(c.unit.entries), derived.resolved.event.kind)


def _entry_event(unit: Unit, derived: Derived, span: Span) -> Resolved:
    """Return the event of the entry: what the probe point names without `.return`, at the same function."""
    event = derived.resolved.event
    function = derived.resolved.context.function
    if isinstance(event.args, dict) and "functions" in event.args:
        return _of_many(unit, derived, span)
    parts = tuple(p for p in derived.components if p.name not in ("return", "maxactive"))
    for candidates in (parts, _at(parts, function)):
        try:
            found = _resolved(unit, candidates, _RUNGS.get(event.kind, ""), span)
        except CompileError:
            continue
        fits = [r for r in found if r.context.function == function]
        if fits or len(found) == 1:
            return fits[0] if fits else found[0]
    numbers = _numbers(event)
    if numbers is None:
        words = f"the entry of '{derived.resolved.text}' can't be probed here: its values are not known at the return"
        raise fail("E239", words, span)
    context = Context(f"entry of {derived.resolved.context.kind}", name=derived.resolved.context.name)
    return Resolved(Event("sys_enter", "", {"numbers": numbers[0]}), derived.resolved.text, context)


def _of_many(unit: Unit, derived: Derived, span: Span) -> Resolved:
    """Return the entry of some functions of a pattern: the same functions, which have their parameters alike."""
    from .prologue import names_of

    event = derived.resolved.event
    mine = {(module, name) for _, module, name, _ in event.args["functions"]}
    parts = tuple(p for p in derived.components if p.name not in ("return", "maxactive"))
    kind = _RUNGS[event.kind]
    found = _resolved(unit, parts, kind, span)
    groups = [g for one in found for g in (one.split(names_of(derived)) if one.split is not None else [one])]
    fits = [g for g in groups if mine <= _functions(g)]
    args = {**event.args, "ret": False}
    if "point" not in args:  # one function: the same event as that of its own entry's handlers
        del args["ret"]
    entry = Event(kind, event.name, args)
    if fits:
        made: Resolved = fits[0].replace(event=entry, split=None)
        return made
    # nothing but their names can be had of functions whose parameters lie at different places
    context = derived.resolved.context
    alike = Context(f"the entry of {context.kind}", of_function=context.of_function, module=context.module)
    return Resolved(entry, derived.resolved.text.replace(".return", "", 1), alike)


def _functions(resolved: Resolved) -> set[tuple[str, str]]:
    args = resolved.event.args
    listed = args.get("functions", ()) if isinstance(args, dict) else ()
    return {(module, name) for _, module, name, _ in listed}


def _at(parts: tuple[ast.Component, ...], function: str) -> tuple[ast.Component, ...]:
    """Return the components with the one function for a pattern."""
    return tuple(p.replace(arg=function) if p.name == "function" and function else p for p in parts)


def _resolved(unit: Unit, parts: tuple[ast.Component, ...], attach: str, span: Span) -> list[Resolved]:
    key = (point_text(parts), attach)
    found = unit.entry_points.get(key)
    if found is None:
        options = unit.options
        env = Env(unit.target, span, options.standins, lambda: False, attach or options.attach)
        env.copies = False  # what returns is own code
        found = unit.entry_points[key] = list(resolve(parts, env))
    return found


def _numbers(event: Event) -> tuple[list[int] | None] | None:
    """Return the numbers of the system calls that a return goes with, in a tuple; None for other returns."""
    args = event.args if isinstance(event.args, dict) else {}
    if event.kind == "sys_exit":
        return (args.get("numbers"),)
    return (args["entries"],) if "entries" in args else None


# -------------------------------------------------- IR


def _globals(entry: Entry) -> None:
    """Make the globals that the entry's values lie in."""
    name = f"{entry.derived.resolved.text} ({entry.number})"
    for number, one in enumerate(entry.slots, 1):
        if one.glob is None:
            kind = IR_TYPE[one.type.find().kind]
            words = f"entry value {number} of {name}"
            keys = (I64,) * (3 if entry.many else 2)
            one.glob = Global(words, keys, kind, capacity=DEEPEST, full="warn", internal=True)
            one.local = Local(f"entry{number}", kind)


def open_frame(lo: Lower, derived: Derived) -> None:
    """Write the taking of the values: a return without an entry leaves the handler."""
    entry: Entry | None = derived.entry
    if entry is None or not entry.slots:
        return
    _globals(entry)
    b = lo.b
    b.span = derived.span
    key = _call(lo, entry, entry.place)
    sure = next((s for s in entry.slots if s.local is not None and s.local.type == I64), entry.slots[0])
    seen = b.op("has", key, sure.glob)
    for one in entry.slots:
        assert one.local is not None and one.glob is not None
        b.mov(one.local, b.op("get", key, one.glob, one.glob.value))
        if entry.place is None:
            b.do("delete", key, one.glob)
    lo.b.leave_unless(seen, lo.next_label)


def _call(lo: Lower, entry: Entry, place: Any = None) -> tuple[Operand, ...]:
    """Write what a call is known by, at its entry and at its return: by the function too, as one may end in another."""
    task = lo.b.op("call", (), "task_current")
    if place is not None:
        from ..located import place as written

        return task, written(lo.b, place)
    key = (task, lo.b.op("call", (), "frame_address") if entry.framed else Const(1))
    return (*key, lo.b.op("call", (), "probe_number")) if entry.many else key


def handlers(unit: Unit, made: list[FunctionInstance]) -> list[Handler]:
    """Return the handlers of the entries."""
    return [
        _handler(unit, returns.entry, made)
        for returns, _ in unit.entries
        if returns.entry is not None and returns.entry.slots
    ]


def _handler(unit: Unit, entry: Entry, made: list[FunctionInstance]) -> Handler:
    from .lower import Lower

    derived = entry.derived
    lo = Lower(unit, derived.body, made)
    b = lo.b
    b.span = derived.span
    label = lo.next_label = Label("entry")
    for scope, block in derived.parts:
        lo.scope = scope
        lo.stmt(block)
    values = []
    for one in entry.slots:
        lo.scope = one.scope
        if isinstance(one.expr, str):
            values.append(b.copy(b.op("call", (Text(latin(one.expr)),), "register")))
        else:
            values.append(b.copy(lo.expr(one.expr)))
    key = _call(lo, entry)
    for one, value in zip(entry.slots, values, strict=True):
        b.do("set", (*key, value), one.glob)
    return Handler(derived.resolved.event, f"entry of {derived.resolved.text}", label, b.out, derived.span)


def frame_globals(unit: Unit) -> list[Global]:
    """Return the globals of all entries."""
    found: list[Global] = []
    for returns, _ in unit.entries:
        entry: Entry | None = returns.entry
        if entry is not None:
            found += [one.glob for one in entry.slots if one.glob is not None]
    return found
