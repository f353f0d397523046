"""iter: probes: every object of a kind that the kernel has, once each; `ctx.name` are what bpf_iter_KIND of the kernel gets.

The kernel calls the program once more behind the last object, with null pointers: the handler doesn't run then. A script of
nothing but iterators (and begin and end) ends when they have seen everything.
"""

from __future__ import annotations

from ...diag import did_you_mean
from ...ir.nodes import Const, Event
from ...probes.iter import arguments_of, kinds
from .body import error, later
from .points import Point, c_argument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...lang.bt import ast
    from .body import Body
    from .unit import Unit

OF_ELEMENTS = ("bpf_map_elem", "bpf_sk_storage_map", "sockmap")


def resolve(unit: Unit, attach: ast.AttachPoint) -> list[Point]:
    """`iter:KIND`."""
    kind = attach.func
    if attach.pin:
        raise later("pinning an iterator", attach.span, "without a pin its output is the run's")
    if kind in OF_ELEMENTS:
        raise later(f"the iterator '{kind}', which is over the elements of one map", attach.span)
    params = arguments_of(unit.btf, kind)
    if params is None:
        near = did_you_mean(kind, kinds(unit.btf))
        raise error(
            "E303",
            f"this kernel has no iterator '{kind}'",
            attach.span,
            f"did you mean '{near}'?" if near else "pystap -l 'iter:*' lists them",
        )
    point = Point("iter", attach.name, Event("iter", kind), attach.span, f"iterator {kind}")
    point.ctx = {param.name: c_argument(unit.btf, param.type, n) for n, param in enumerate(params)}
    first = next(iter([make for name, make in point.ctx.items() if name != "meta"]), None)

    def guard(body: Body) -> None:
        if first is not None:
            body.b.into(body.b.branch(body.b.op("ne", (body.ops(first(body))[0], Const(0))))[0])

    point.guard = guard
    return [point]
