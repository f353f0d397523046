"""More functions: those that are said in bpftrace's own terms, signals, addresses of per-CPU variables, bytes compared."""

from __future__ import annotations

from ...ir.nodes import STR, Const, Text
from ...lang.bt import ast
from ..build import wrap
from . import types
from .body import error
from .calls_text import pointer_of
from .types import BOOL, INT64, UINT64, T, name
from .values import Mem, Val, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..build import Operand
    from .body import Body

MOST_COMPARED = 256
_LARGEST_ERRNO = 4095


def expression(body: Body, text: str, call: ast.Call) -> Val:
    """Write an expression of bpftrace's language in place of a call."""
    from .points_trace import _parsed

    pinned, body.pinned = body.pinned, True
    try:
        return body.value(_parsed(text, f"{call.name}()"))
    finally:
        body.pinned = pinned


def memcmp(body: Body, call: ast.Call) -> Val:
    """`memcmp(a, b, n)`: 0 where n bytes are the same; else -1 or 1, as the first that differ are ordered."""
    size = body.constant(call.args[2], "the number of bytes of memcmp()")  # type: ignore[arg-type]
    if not 1 <= size <= MOST_COMPARED:
        raise error("E207", f"memcmp() compares 1 to {MOST_COMPARED} bytes, not {size}", call.args[2].span)
    places = [_place(body, node) for node in call.args[:2]]
    result: Operand | None = None
    at = 0
    while at < size:
        step = next(n for n in (8, 4, 2, 1) if n <= size - at)
        one, two = (_in_order(body, _word(body, place, at, step), step) for place in places)
        order = body.b.op("sub", (body.b.op("ugt", (one, two)), body.b.op("ult", (one, two))))
        if result is None:
            result = order
        else:  # what differs first counts
            same = body.b.op("eq", (result, Const(0)))
            result = body.b.op("add", (result, body.b.op("mul", (same, order))))
        at += step
    assert result is not None
    return Val(INT64, [result])


def _in_order(body: Body, word: Operand, size: int) -> Operand:
    """The word whose first byte counts most."""
    if size == 1:
        return word
    if isinstance(word, Const):
        return Const(wrap(int.from_bytes((word.value & (1 << 8 * size) - 1).to_bytes(size, "little"), "big")))
    return body.call(f"bswap{8 * size}", word)


def _place(body: Body, node: ast.Expr | ast.Type) -> tuple[Operand, str] | bytes:
    value = body.value(node)
    if isinstance(value.const, bytes):
        return value.const
    if isinstance(value.const, str):
        return value.const.encode("latin-1")
    if value.type.kind == "none":
        return Const(0), "kernel"
    return pointer_of(body, value, node)


def _word(body: Body, place: tuple[Operand, str] | bytes, at: int, size: int) -> Operand:
    if isinstance(place, bytes):
        return Const(wrap(int.from_bytes(place[at : at + size].ljust(size, b"\0"), "little")))
    mem = Mem(place[0], at, "", place[1], "memcmp()")
    return body.ops(Val(T("int", size, False), None, mem))[0]


def is_err(body: Body, call: ast.Call) -> Val:
    """`is_err(pointer)`: whether it is an error of the kernel's instead."""
    operand, _ = body.number_of(call.args[0], "is_err()")  # type: ignore[arg-type]
    return Val(BOOL, [body.b.op("uge", (operand, Const(-_LARGEST_ERRNO)))])


def kfunc_allowed(body: Body, call: ast.Call) -> Val:
    """`kfunc_allowed("name")`: no script can call one here."""
    body.literal(call.args[0], "the name of a function")
    return number(0, BOOL)


def str_concat(body: Body, call: ast.Call) -> Val:
    """`str_concat(a, b)`."""
    values = [body.value(node) for node in call.args]
    for value, node in zip(values, call.args, strict=True):
        if value.type.kind not in ("str", "none"):
            raise error("E251", f"str_concat() needs strings, not {name(value.type)}", node.span)
    if any(value.type.kind == "none" for value in values):
        return Val(types.NONE, [Const(0)])
    one, two = (body.ops(value)[0] for value in values)
    size = values[0].type.size + values[1].type.size
    return Val(T("str", size), [body.b.op("concat", (one, two), None, STR)])


def percpu_kaddr(body: Body, call: ast.Call) -> Val:
    """`percpu_kaddr("name" [, cpu])`: the address of a per-CPU variable, of this CPU or another."""
    from .calls_text import kaddr

    base = body.ops(kaddr(body, call))[0]
    table_name = ast.String(call.span, "__per_cpu_offset")
    table = body.ops(kaddr(body, ast.Call(call.span, "kaddr", (table_name,))))[0]
    cpu = body.number_of(call.args[1], "a CPU")[0] if len(call.args) > 1 else body.call("cpu")  # type: ignore[arg-type]
    at = body.b.op("add", (table, body.b.op("mul", (cpu, Const(8)))))
    offset = body.ops(Val(UINT64, None, Mem(at, 0, "", "kernel", "__per_cpu_offset")))[0]
    return Val(UINT64, [body.b.op("add", (base, offset))])


def path(body: Body, call: ast.Call) -> Val:
    """`path(file->f_path)`: the name of a file with its folders; of none, and of what can't be read, ""."""
    from ...ir.nodes import Call
    from ...ir.ops import Load
    from .worked import library_function

    node = call.args[0]
    value = body.value(node)
    if value.type.kind == "none":
        return value
    shown = name(value.type).removesuffix(" *").removeprefix("const ")
    if shown != "struct path":
        raise error("E251", f"path() needs a struct path, not {name(value.type)}", node.span)
    address, _ = pointer_of(body, value, node)
    text = body.b.temp(STR)
    body.b.mov(text, Text(""))
    mount = body.b.op("load", (address,), Load(0, 8, False, "zero", "", "kernel", "path()"))
    then, _ = body.b.branch(mount)
    before = body.b.into(then)
    body.b.out.append(Call(text, library_function(body.unit, "d_path"), (address,), call.span))
    body.b.into(before)
    return Val(T("str", body.unit.config.max_strlen), [text])


def signal(body: Body, call: ast.Call) -> Val:
    """`signal(number | "NAME")`, `signal_thread(...)`: to the current process, or thread."""
    if not (body.unit.options.unsafe or body.unit.options.guru):
        raise error("E273", f"{call.name}() is unsafe", call.span, "allow it with --unsafe")
    node = call.args[0]
    value = body.value(node)
    if isinstance(value.const, str):
        operand: Operand = Const(_signal(value.const, node))
    else:
        operand, value = body.as_number(value, node.span, f"{call.name}()")
        if isinstance(value.const, int) and not 1 <= value.const <= 64:
            raise error("E207", f"there is no signal {value.const}", node.span)
    body.unit.note_once(
        call.name,
        "W312",
        f"{call.name}() sends the signal a moment after the event",
        call.span,
        "the process runs on until then",
    )
    thread = call.name == "signal_thread"
    body.b.do("call", (body.call("pid"), body.call("tid") if thread else Const(0), operand), "send_signal")
    return Val(types.VOID, [])


def _signal(word: str, node: ast.Expr | ast.Type) -> int:
    import signal as signals

    name_ = word if word.startswith("SIG") else f"SIG{word}"
    known = getattr(signals, name_, None)
    if not isinstance(known, signals.Signals):
        raise error("E207", f"there is no signal '{word}'", node.span)
    return int(known)


_TYPED = frozenset(("fentry", "fexit", "rawtracepoint", "iter"))


def socket_cookie(body: Body, call: ast.Call) -> Val:
    """`socket_cookie(args.sk)`: the kernel's number of a socket."""
    if body.point.provider not in _TYPED or body.point.event.kind in ("kprobe", "kretprobe"):
        words = f"a {body.point.provider} probe has no sockets that the kernel knows as such"
        raise error("E263", words, call.span, "fentry, fexit and rawtracepoint have: socket_cookie(args.sk)")
    operand, _ = body.number_of(call.args[0], "socket_cookie()")  # type: ignore[arg-type]
    return Val(UINT64, [body.call("socket_cookie", operand)])


TABLE: dict[str, tuple[int, int, Callable[[Body, ast.Call], Val]]] = {
    "memcmp": (3, 3, memcmp),
    "is_err": (1, 1, is_err),
    "kfunc_allowed": (1, 1, kfunc_allowed),
    "str_concat": (2, 2, str_concat),
    "percpu_kaddr": (1, 2, percpu_kaddr),
    "path": (1, 2, path),
    "signal": (1, 1, signal),
    "socket_cookie": (1, 1, socket_cookie),
    "signal_thread": (1, 1, signal),
}
