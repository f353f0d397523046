"""Returns run only where their entry ran under RUNNING (R9).

A call that began before tracing did must not be seen to return: its entry's handler never ran. Nor must one that was
refused (seccomp) before the kernel told of it, nor a fork in the child, which never made the call. So each call of those
whose returns are probed marks its thread with its number, and only the return of that number is seen. A mark goes with its
thread, so that there is room for new ones, and none is found by a thread that comes after it at the same place. Threads are
told apart by that place, not by number, which execve may change.
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
    thread, number, mark = Local("thread", I64), Local("number", I64), Local("mark", I64)
    span = returns[0].span
    body: list[Stmt] = [
        Op(thread, "call", (), "task_current", span),
        Op(number, "sys_nr", (), None, span),
        Op(mark, "add", (number, Const(1)), None, span),
        Op(None, "set", (thread, mark), seen, span),
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
    body: list[Stmt] = [Op(thread, "call", (), "task_current", span)]
    if handler.event.kind != "sys_exit":
        return [*body, Op(known, "has", (thread,), seen, span), If(known, handler.body, [], span)]
    number, mark, entered = Local("number", I64), Local("mark", I64), Local("entered", I64)
    body += [
        Op(number, "sys_nr", (), None, span),
        Op(mark, "add", (number, Const(1)), None, span),
        Op(entered, "get", (thread,), seen, span),
        Op(known, "eq", (entered, mark), None, span),
    ]
    if (handler.event.args or {}).get("numbers") is None:  # then that of rt_sigreturn has none
        back = Local("back", I64)
        body += [Op(back, "eq", (number, Const(-1)), None, span), Op(known, "or", (known, back), None, span)]
    return [*body, If(known, handler.body, [], span)]
