"""Returns run only where their entry ran under RUNNING (R9).

A call that began before tracing did must not be seen to return: its entry's handler never ran. The first thing that
tracing sees of a thread marks it as seen; when that is a return, the return is passed over. (So is the return of a
fork in the child, which never made the call.) A mark goes with its thread, so that there is room for new ones, and none is
found by a thread that comes after it at the same place. Threads are told apart by that place, not by number, which execve
may change.
"""

from __future__ import annotations

from ..ir.nodes import I64, Const, Event, Global, Handler, If, Label, Local, Module, Op, Stmt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..source import Span

THREADS = 65536


def pair_returns(module: Module) -> None:
    """Give the module what its handlers of system calls' returns need, in place."""
    if module.lang != "stp":  # bpftrace's probes of system calls are tracepoints, each on its own
        return
    returns = [h for h in module.handlers if h.event.kind == "sys_exit" or _entries(h) is not None]
    if not returns:
        return
    seen = Global("returning threads", (I64,), I64, capacity=THREADS, full="warn", internal=True)
    module.globals.append(seen)
    numbers: list[int] | None = []
    for handler in returns:
        wanted = (
            (handler.event.args or {}).get("numbers")
            if handler.event.kind == "sys_exit"
            else _entries(handler)
        )
        numbers = None if wanted is None or numbers is None else sorted({*numbers, *wanted})
        handler.body = _after_entry(handler, seen)
    label = Label("entry")
    thread, known = Local("thread", I64), Local("known", I64)
    span = returns[0].span
    body: list[Stmt] = [
        Op(thread, "call", (), "task_current", span),
        Op(known, "has", (thread,), seen, span),
        If(known, [], [Op(None, "set", (thread, Const(1)), seen, span)], span),
    ]
    event = Event("sys_enter", "", {"numbers": numbers})
    module.handlers.append(Handler(event, "entries of the calls whose returns are probed", label, body, span))
    module.handlers.append(_forgetting(seen, span))


def _forgetting(seen: Global, span: Span) -> Handler:
    """Return what takes away the mark of a thread that ends."""
    thread, known = Local("thread", I64), Local("known", I64)
    body: list[Stmt] = [
        Op(thread, "call", (), "task_current", span),
        Op(known, "has", (thread,), seen, span),
        If(known, [Op(None, "delete", (thread,), seen, span)], [], span),
    ]
    event = Event("tp_btf", "sched_process_exit")
    return Handler(event, "ends of threads whose returns are probed", Label("end of thread"), body, span)


def _entries(handler: Handler) -> list[int] | None:
    """Return the system calls that a return by another event goes with, None for all other handlers."""
    args = handler.event.args
    found: list[int] | None = args.get("entries") if isinstance(args, dict) else None
    return found


def _after_entry(handler: Handler, seen: Global) -> list[Stmt]:
    thread, known = Local("thread", I64), Local("known", I64)
    span = handler.span
    return [
        Op(thread, "call", (), "task_current", span),
        Op(known, "has", (thread,), seen, span),
        If(known, handler.body, [Op(None, "set", (thread, Const(1)), seen, span)], span),
    ]
