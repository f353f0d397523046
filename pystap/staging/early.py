"""Returns of functions run only where their entry ran under RUNNING (R9): calls that began while tracing did are marked.

Between the attaching of a return and the state RUNNING, calls begin whose entries nobody saw. A small program at the
entries, which works in the state STARTING alone, notes each such call by its place on the stack; the runtime lets go of
it once all runs. Where each function takes a kprobe of its own, which the kernel needs 40 ms and more to close, and the
script has a handler of the same entries, that one's program notes the calls, and stays. The return's program works in
STARTING too, to forget calls that are over before; under RUNNING it passes the marked ones over. Calls from before the
attaching never return to a probe.
"""

from __future__ import annotations

from ..ir.nodes import I64, Const, Event, Global, Handler, If, Label, Local, Module, Op, Stmt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..source import Span

CALLS = 8192
_ENTRIES = {"kretprobe": "kprobe", "fexit": "fentry"}
WHEN = "when"
# What "when" of an event says: it works in STARTING alone; in STARTING and RUNNING.
STARTING, EARLY = "starting", "early"


def mark_early_calls(module: Module) -> None:
    """Give the module what its handlers of functions' returns need, in place."""
    found: dict[tuple[str, str, str], list[Handler]] = {}
    for handler in module.handlers if module.lang == "stp" else ():
        event = handler.event
        if event.kind in _ENTRIES:
            found.setdefault((event.kind, event.name, repr(event.args)), []).append(handler)
    for handlers in found.values():
        _pair(module, handlers)


def _pair(module: Module, handlers: list[Handler]) -> None:
    first = handlers[0]
    event, span = first.event, first.span
    args = event.args if isinstance(event.args, dict) else {}
    words = f"calls of {event.name} that began before"
    many = len(args.get("functions", ())) > 1
    marks = Global(words, (I64,) * (3 if many else 2), I64, capacity=CALLS, full="warn", internal=True)
    module.globals.append(marks)
    returned = Event(event.kind, event.name, {**args, WHEN: EARLY})
    for handler in handlers:
        handler.event = returned
        handler.body = _unless_marked(handler, marks, many)
    entered = _with_entries(module, event)
    body, key = _key(span, many)
    body.append(Op(None, "set", (*key, Const(1)), marks, span))
    if entered is None:
        entered = Event(_ENTRIES[event.kind], event.name, {**args, "ret": False, WHEN: STARTING})
    else:
        body = _when_running([], body, span)
    module.handlers.append(Handler(entered, f"{words}: entries", Label("entry"), body, span))
    # behind the handlers, in their program: they have all seen the mark
    body, key = _key(span, many)
    known = Local("known", I64)
    forget: list[Stmt] = [Op(None, "delete", key, marks, span)]
    body += [Op(known, "has", key, marks, span), If(known, forget, [], span)]
    module.handlers.append(Handler(returned, f"{words}: returns", Label("return"), body, span))


def _unless_marked(handler: Handler, marks: Global, many: bool) -> list[Stmt]:
    span = handler.span
    known = Local("known", I64)
    body, key = _key(span, many)
    body += [Op(known, "has", key, marks, span), If(known, [], handler.body, span)]
    return _when_running(body, [], span)


def _with_entries(module: Module, returned: Event) -> Event | None:
    """Return the event of a handler of the same functions' entries that can note the early calls, too; None if none can."""
    args = returned.args if isinstance(returned.args, dict) else {}
    if len(args.get("functions", ())) < 2 or args.get("multi"):
        return None
    kind, listed = _ENTRIES[returned.kind], args["functions"]
    for handler in module.handlers:
        event = handler.event
        known = event.args if isinstance(event.args, dict) else {}
        if event.kind == kind and known.get("functions") == listed and known.get(WHEN) in (None, EARLY):
            if known.get(WHEN) is None and not known.get("offset"):
                return _work_early(module, event)
            if known.get(WHEN) == EARLY:
                return event
    return None


def _work_early(module: Module, event: Event) -> Event:
    """Have the program of an event work in STARTING, too, and its handlers under RUNNING alone."""
    early = Event(event.kind, event.name, {**event.args, WHEN: EARLY})
    for handler in module.handlers:
        if handler.event.kind == event.kind and repr(handler.event) == repr(event):
            handler.event = early
            handler.body = _when_running(handler.body, [], handler.span)
    return early


def _when_running(body: list[Stmt], els: list[Stmt], span: Span) -> list[Stmt]:
    running = Local("running", I64)
    return [Op(running, "call", (), "is_running", span), If(running, body, els, span)]


def _key(span: Span, many: bool) -> tuple[list[Stmt], tuple[Local, ...]]:
    """Return what a call is known by: its task, its place on the stack, and its function, as one may end in another."""
    names = ("task_current", "frame_address", "probe_number")[: 3 if many else 2]
    key = tuple([Local(name, I64) for name in names])
    return [Op(local, "call", (), local.name, span) for local in key], key
