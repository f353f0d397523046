"""EMIT: how each operation of the user stage is written; one function an operation."""

from __future__ import annotations

from ...builtins import TABLE
from ...ir.nodes import Op
from ...staging.plan import LOG_FIXED
from . import arith, formats, globs
from .names import place, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .body import Body

    Emit = Callable[[Body, Op], None]

# what these give, where less than 64 bits
_RANGES = {
    **dict.fromkeys(("bswap16", "ntohs", "htons"), (0, 0xFFFF)),
    **dict.fromkeys(("bswap32", "ntohl", "htonl", "random_u32"), (0, 0xFFFFFFFF)),
    **dict.fromkeys(("pid", "tid", "ppid", "uid", "euid", "gid", "egid", "cpu"), (0, 0xFFFFFFFF)),
    "strlen": (0, 1 << 32),
}


def _call(body: Body, op: Op) -> None:
    name = op.attr
    args = [body.read(a) for a in op.args]
    dst = op.dst
    if name == "strlen":
        expression = f"len({args[0]})"
    elif name == "text_of_int":
        expression = f"str({args[0]})"
    else:
        if "fault" in TABLE[name].effects:
            args.append(text(place(op.span, name if name not in ("kernel_addr",) else "")))
        expression = f"_b_{name}({', '.join(args)})"
    if dst is None and not TABLE[name].effects:
        return
    body.set(dst, expression)
    known = _RANGES.get(name)
    if known is not None and dst is not None and body.definitions.get(dst) == 1:
        body.ranges[dst] = known


def _str_cmp(body: Body, op: Op) -> None:
    if op.dst is not None:
        a, b = body.read(op.args[0]), body.read(op.args[1])
        body.set(op.dst, f"({a} > {b}) - ({a} < {b})")


def _concat(body: Body, op: Op) -> None:
    if op.dst is not None:
        body.set(op.dst, f"({body.read(op.args[0])} + {body.read(op.args[1])})[:{body.unit.longest}]")


def _tuple(body: Body, op: Op) -> None:
    if op.dst is not None:
        body.set(op.dst, f"({''.join([body.read(a) + ', ' for a in op.args])})")


def _item(body: Body, op: Op) -> None:
    if op.dst is not None:
        body.set(op.dst, f"{body.read(op.args[0])}[{op.attr}]")


def _load(body: Body, op: Op) -> None:
    """A read of memory; the address is only known here, or this is a user handler: a kernel call."""
    load = op.attr
    where = text(place(op.span))
    address = body.read(op.args[0])
    if load.off:
        address = f"{address} + {load.off}"
    zero = load.fault == "zero"
    user = load.space == "user"
    if op.name == "load":
        call = f"_load({address}, {load.size}, {load.signed}, {zero}, {user}, {where})"
    elif op.name == "load_str":
        call = f"_load_str({address}, {min(load.size, body.unit.longest + 1)}, {zero}, {user}, {where})"
    else:
        size = str(load.size)
        if len(op.args) > 1:
            size = f"max(0, min({size}, {body.read(op.args[1])}))"
        call = f"_load_buf({address}, {size}, {zero}, {user}, {where})"
    body.set(op.dst, call)


def _print_value(body: Body, op: Op) -> None:
    body.line(f"_print_value({body.read(op.args[0])}, {op.attr!r})")


def _to(helper: str) -> Emit:
    def emit(body: Body, op: Op) -> None:
        body.line(f"{helper}({', '.join([body.read(a) for a in op.args])})")

    return emit


def _raise(body: Body, op: Op) -> None:
    body.line(f"raise _ScriptError({body.read(op.args[0])}, {text(place(op.span, op.attr or 'error'))})")


def _raise_site(body: Body, op: Op) -> None:
    error = body.read(op.args[0])
    shown = body.read(op.args[1]) + (f" + {op.attr}" if op.attr else "")
    body.line(f"if {error}: _raise_site({error}, {shown})")


def _turns(body: Body, op: Op) -> None:
    body.set(op.dst, f"_turns({', '.join(map(body.read, op.args))})")


def _take(body: Body, op: Op) -> None:
    """The next value that a loop of the kernel stage logged."""
    field = op.attr
    reader = body.read(op.args[0])
    if field.type == "i64":
        body.set(op.dst, f"{reader}.word()")
    elif field.type != "str":
        body.set(op.dst, f"{reader}.data({field.size})")
    elif field.size > LOG_FIXED:
        body.set(op.dst, f"{reader}.long_text()")
    else:
        body.set(op.dst, f"{reader}.text({field.size})")


def _kernel_only(body: Body, op: Op) -> None:
    raise ValueError(
        f"{body.function.name}: the operation '{op.name}' needs an event's context ({op.span!r})"
    )


EMIT: dict[str, Emit] = {
    **arith.EMIT,
    **globs.EMIT,
    "call": _call,
    "str_cmp": _str_cmp,
    "concat": _concat,
    "sprintf": formats.emit_sprintf,
    "printf": formats.emit_printf,
    "tuple": _tuple,
    "item": _item,
    "load": _load,
    "load_str": _load,
    "load_buf": _load,
    "print_value": _print_value,
    "line": _to("_line"),
    "log": _to("_log"),
    "warn": _to("_warn"),
    "exit": _to("_exit"),
    "raise": _raise,
    "raise_site": _raise_site,
    "turns": _turns,
    "take": _take,
    **dict.fromkeys(("ctx_arg", "sys_nr", "sys_arg", "sys_ret"), _kernel_only),
}
