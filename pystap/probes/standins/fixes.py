"""Fields that read differently at a stand-in than at its function's beginning, and how to get what was there.

    mend(module, btf)    changes the loads of such fields in the handlers of stand-ins, in place

It runs when functions are inlined. FIXES: function -> (fields that lie at one place of several structs, the field that
still has the value): read where the first one is 0 already.
"""

from __future__ import annotations

from ...btf import FieldError
from ...btf.layout import field_path
from ...ir.nodes import I64, If, Local, Op
from ...ir.ops import Load
from ...ir.walk import blocks
from ...node import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...btf import Btf
    from ...ir.nodes import Module, Stmt


class Fix(Node):
    """A field (`structs` all have it at the offset that it has in the first) and the one to read where it is 0.

    swap: the other one is in network byte order.
    """

    structs: tuple[str, ...]
    path: tuple[str, ...]
    other: str
    other_path: tuple[str, ...]
    swap: bool


_SOCKS = ("sock_common", "sock", "inet_sock", "inet_connection_sock", "tcp_sock")

# tcp_set_state gives a port that wasn't bound by bind() back before it changes the state: where the tracepoint is,
# the port is no longer in skc_num.
FIXES: dict[str, tuple[Fix, ...]] = {
    "tcp_set_state": (Fix(_SOCKS, ("skc_num",), "inet_sock", ("inet_sport",), True),),
}


def mend(module: Module, btf: Btf) -> None:
    """Mend the handlers of stand-ins that need it."""
    for handler in module.handlers:
        args = handler.event.args
        function = args.get("standin") if isinstance(args, dict) else None
        for fix in FIXES.get(function, ()) if function else ():
            here, there = _place(btf, fix.structs[0], fix.path), _place(btf, fix.other, fix.other_path)
            if here is not None and there is not None:
                handler.body = _mended(handler.body, fix, here, there)


def _place(btf: Btf, struct: str, path: tuple[str, ...]) -> tuple[int, int] | None:
    holder = btf.find_struct(struct)
    if holder is None:
        return None
    try:
        found = field_path(btf, holder, path)
    except FieldError:
        return None
    return found.offsets[0], found.size


def _mended(body: list[Stmt], fix: Fix, here: tuple[int, int], there: tuple[int, int]) -> list[Stmt]:
    out: list[Stmt] = []
    for stmt in body:
        for block in blocks(stmt):
            block[:] = _mended(block, fix, here, there)
        if not isinstance(stmt, Op) or not _reads(stmt, fix, here):
            out.append(stmt)
            continue
        assert stmt.dst is not None
        first, other = Local("first", I64), Local("other", I64)
        swapped = Local("swapped", I64) if fix.swap else other
        load = Load(there[0], there[1], False, "zero", fix.other, "kernel", stmt.attr.what)
        less: list[Stmt] = [Op(other, "load", stmt.args, load, stmt.span)]
        if fix.swap:
            less.append(Op(swapped, "call", (other,), "ntohs", stmt.span))
        less.append(Op(stmt.dst, "mov", (swapped,), None, stmt.span))
        out.append(stmt.replace(dst=first))
        out.append(If(first, [Op(stmt.dst, "mov", (first,), None, stmt.span)], less, stmt.span))
    return out


def _reads(op: Op, fix: Fix, here: tuple[int, int]) -> bool:
    load = op.attr
    return (
        op.name == "load"
        and op.dst is not None
        and isinstance(load, Load)
        and (load.off, load.size) == here
        and load.struct in fix.structs
    )
