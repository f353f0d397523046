"""Builtins without arguments (`pid` is also `pid()`): name -> what writes its value."""

from __future__ import annotations

from ...ir.nodes import BUF, I64, Const, Global
from .types import BOOL, UINT32, UINT64, T
from .values import Val, number, string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .body import Body


def _number(builtin: str, type: T) -> Callable[[Body, Any], Val]:
    return lambda body, e: Val(type, [body.call(builtin)])


def _comm(body: Body, e: Any) -> Val:
    return Val(T("str", 16), [body.text_call("execname")])


def _curtask(body: Body, e: Any) -> Val:
    task = body.unit.btf.find_struct("task_struct")
    return Val(T("ptr", 8, False, task), [body.call("task_current")])


def _nsecs(body: Body, e: Any) -> Val:
    return Val(UINT64, [body.call("boottime_ns")])


def _elapsed(body: Body, e: Any) -> Val:
    """Time since the start: a global that is set before the begin handlers."""
    glob = body.unit.elapsed
    if glob is None:
        glob = body.unit.elapsed = Global("elapsed", (), I64, initial=0, span=e.span)
    start = body.b.op("get", (), glob)
    return Val(UINT64, [body.b.op("sub", (body.call("boottime_ns"), start))])


def _username(body: Body, e: Any) -> Val:
    return Val(T("str", 64), [body.text_call("user_name", body.call("uid"))])


def _probe(body: Body, e: Any) -> Val:
    make = body.point.probe_text
    if make is not None:
        return Val(T("str", 64), [make(body)])
    return string(body.point.text)


def _probetype(body: Body, e: Any) -> Val:
    return string("special" if body.point.provider in ("begin", "end") else body.point.provider)


def _func(body: Body, e: Any) -> Val:
    from .body import error

    if not body.point.function:
        raise error("E263", f"a {body.point.provider} probe has no function", e.span, "use probe")
    make = body.point.function_text
    if make is not None:
        return Val(T("str", 64), [make(body)])
    return string(body.point.function)


def _retval(body: Body, e: Any) -> Val:
    from .body import error

    if body.point.retval is None:
        if body.point.provider == "fexit":
            raise error("E263", f"{body.point.text} has no return value: the function is void", e.span)
        raise error("E263", f"a {body.point.provider} probe has no return value", e.span)
    return body.point.retval(body)


def _cpid(body: Body, e: Any) -> Val:
    from .body import error

    pid = body.unit.options.target_pid
    if not pid:
        raise error(
            "E264", "cpid is the process of -c, and there is none", e.span, "has_cpid tells whether there is"
        )
    return number(pid, UINT64)


def _has_cpid(body: Body, e: Any) -> Val:
    known = int(bool(body.unit.options.target_pid))
    return Val(BOOL, [Const(known)], None, known)


def stack(body: Body, user: bool, mode: str = "", depth: int = 0) -> Val:
    """`kstack`, `ustack`."""
    mode = mode or body.unit.config.stack_mode
    frames = body.b.op("call", (Const(depth or STACK_DEPTH),), "user_stack" if user else "kernel_stack", BUF)
    if not user:
        return Val(T("kstack", note=mode), [frames])
    return Val(T("ustack", note=mode), [body.call("pid"), frames])


STACK_DEPTH = 127


def _args(body: Body, e: Any) -> Val:
    """All arguments, as a record."""
    from .body import error, later

    point = body.point
    if point.unsupported:
        raise later(
            f"args of {point.text} as a whole", e.span, f"without {', '.join(point.unsupported)}: args.field"
        )
    if not point.fields:
        raise error("E230", f"{point.text} has no arguments", e.span)
    values = [make(body) for make in point.fields.values()]
    ops = [op for value in values for op in body.ops(value)]
    return Val(T("tuple", elems=tuple(v.type for v in values), names=tuple(point.fields)), ops)


def _ctx(body: Body, e: Any) -> Val:
    from .body import later

    words = [f"ctx.{word}" for word in body.point.ctx]
    raise later("ctx as a whole", e.span, "there are " + ", ".join(words) if words else "")


def _argument(n: int) -> Callable[[Body, Any], Val]:
    def make(body: Body, e: Any) -> Val:
        return body.point.numbered(body, n, e.span)

    return make


def _stack_argument(body: Body, e: Any) -> Val:
    from .body import later

    raise later("arguments on the stack (sargN)", e.span)


def _member(path: str) -> Callable[[Body, Any], Val]:
    """What the current task leads to."""

    def make(body: Body, e: Any) -> Val:
        from ...lang.bt import ast
        from .access import member

        node: Any = ast.Identifier(e.span, "curtask")
        for word in path.split("."):
            node = ast.Member(e.span, node, word, True, e.span)
        return member(body, node)

    return make


BUILTINS: dict[str, Callable[[Body, Any], Val]] = {
    "pid": _number("pid", UINT32),
    "tid": _number("tid", UINT32),
    "ppid": _number("ppid", UINT32),
    "uid": _number("uid", UINT32),
    "gid": _number("gid", UINT32),
    "cpu": _number("cpu", UINT32),
    "cgroup": _number("cgroup_id", UINT64),
    "rand": _number("random_u32", UINT32),
    "jiffies": _number("jiffies", UINT64),
    "ncpus": _number("ncpus", UINT32),
    "numaid": _number("numa_node", UINT32),
    "usermode": _number("user_mode", T("int", 1, False)),
    "comm": _comm,
    "pcomm": _member("group_leader.comm"),
    "leader_comm": _member("group_leader.comm"),
    "leader_tid": _member("group_leader.pid"),
    "curtask": _curtask,
    "nsecs": _nsecs,
    "elapsed": _elapsed,
    "username": _username,
    "probe": _probe,
    "probetype": _probetype,
    "func": _func,
    "retval": _retval,
    "cpid": _cpid,
    "has_cpid": _has_cpid,
    "kstack": lambda body, e: stack(body, False),
    "ustack": lambda body, e: stack(body, True),
    "args": _args,
    "ctx": _ctx,
    **{f"arg{n}": _argument(n) for n in range(10)},
    **{f"sarg{n}": _stack_argument for n in range(10)},
}
