"""Where globals lie in kernel maps: key parts, values, maps (see plan.Home)."""

from __future__ import annotations

from ..ir.nodes import BUF, I64, STR, Global, Label, Local, Op, Stat, Stmt, Text
from ..program import CPU_SIZE, CPUS, CTL_SIZE, GlobalSpec, MapSpec, Part
from ..types.hist import linear_buckets, log_buckets
from .homes import DELTA, LONGEST_KEY_STRING, SHARED, USER
from .places import Places
from .plan import FRONT_SLOTS, UserFunction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BPF_F_NO_PREALLOC = 1
BPF_F_MMAPABLE = 1 << 10
CACHE_LINE = 64
PREALLOCATED = 16384  # a larger table costs more to allocate than its keys do one by one
PREALLOCATED_PLAIN = (
    131072  # one without a value for each CPU: 7 ms; its inserts don't fail when many come at once
)
_OURS = ("ctl", "cpu", "rings", "delta", "zero")  # maps that no global is


class Shape:
    """What all accesses of event handlers say of one key part of a global."""

    __slots__ = ("kind", "leaf_sizes", "leaves", "operand", "places", "signature", "size")

    def __init__(self) -> None:
        self.kind = ""
        self.size = 0
        self.signature = ""
        self.leaves: list[Local] = []
        self.leaf_sizes: list[int] = []
        self.operand: Any = None
        self.places: Places | None = None

    def meet(self, operand: Any, places: Places, sizes: dict[Local, int]) -> bool:
        """Take one more access into account; False when no representation serves all."""
        if isinstance(operand, Local) and operand in places.locals:
            got = places.render_leaves(operand)
            if got is None or not got[1] or any(v.type == STR for v in got[1]):
                return False
            kind, size = "render", 0
            words = [8 if v.type == I64 else sizes.get(v, 8) for v in got[1]]
            if max(words) > LONGEST_KEY_STRING:
                return False  # a deep stack
            if self.kind and (self.kind != kind or self.signature != got[0] or self.leaf_sizes != words):
                return False
            self.leaf_sizes = words
            self.signature, self.leaves, self.operand, self.places = got[0], got[1], operand, places
        else:
            kind = operand.type
            if isinstance(operand, Text):
                size = len(operand.value) + 1
            else:
                size = 8 if kind == I64 else sizes.get(operand, 8)
            if self.kind and (self.kind != kind or (kind == BUF and self.size != size)):
                return False
        self.kind = kind
        self.size = max(self.size, size)
        return True


def key_parts(shapes: list[Shape], renders: list[UserFunction]) -> tuple[Part, ...]:
    """Return the parts of the key, and add the functions that render them."""
    parts: list[Part] = []
    offset = 0
    for position, shape in enumerate(shapes):
        if shape.kind != "render":
            part = Part(offset, shape.kind, shape.size)
            parts.append(part)
            offset += (part.size + 7) & ~7
            continue
        name = f"render_{len(renders)}_{position}"  # bpftrace's maps have names that Python doesn't
        assert shape.places is not None
        renders.append(_render_function(name, shape))
        for n, leaf in enumerate(shape.leaves):
            size = shape.leaf_sizes[n]
            parts.append(
                Part(offset, leaf.type, size, name if n == 0 else "", len(shape.leaves) if n == 0 else 1)
            )
            offset += (size + 7) & ~7
    return tuple(parts)


def _render_function(name: str, shape: Shape) -> UserFunction:
    """Return the function that makes a key's text of its words."""
    assert shape.places is not None
    params = tuple(Local(v.name, v.type) for v in shape.leaves)
    body: list[Stmt] = []
    # The same captured value may stand at several places of the tree: each is a word of its own.
    words = iter(params)

    def build(operand: Any) -> Any:
        assert shape.places is not None
        if not isinstance(operand, Local):
            return operand
        if operand not in shape.places.locals:
            return next(words)
        op = shape.places.definition[operand]
        args = tuple(build(a) for a in op.args)
        made = Local(operand.name, operand.type)
        body.append(Op(made, op.name, args, op.attr, op.span))
        return made

    result = build(shape.operand)
    if not isinstance(result, Local):
        made = Local("text", STR)
        body.append(Op(made, "mov", (result,)))
        result = made
    return UserFunction(name, "render", params, result, Label(name), body)


def stat_fields(stat: Stat) -> tuple[tuple[tuple[str, int], ...], int]:
    """Return ((field, offset), ...) and the size of an aggregate's value."""
    fields: list[tuple[str, int]] = [("count", 0)]
    offset = 8
    wanted = set(stat.ops)
    if "avg" in wanted:
        wanted.add("sum")
    if "variance" in wanted:
        wanted |= {"sum", "sumsq"}
    for name in ("sum", "sumsq", "min", "max"):
        if name in wanted:
            fields.append((name, offset))
            offset += 8
    if stat.hist_log is not None:
        fields.append(("log", offset))
        offset += 8 * log_buckets(stat.hist_log, stat.kind)
    if stat.linear is not None:
        low, high, step = stat.linear
        fields.append(("linear", offset))
        offset += 8 * linear_buckets(low, high, step, stat.kind)
    return tuple(fields), offset


class Layout:
    """Gives every global its GlobalSpec, and gathers the maps."""

    def __init__(self, cpu_ring: int, cpus: int = CPUS) -> None:
        self.maps: list[MapSpec] = []
        self.specs: list[GlobalSpec] = []
        self.renders: list[UserFunction] = []
        self._taken = set(_OURS)
        self.ctl = CTL_SIZE
        self.delta = 0
        self.ring = cpu_ring
        self.cpus = cpus

    def add(self, glob: Global, home: str, shapes: list[Shape], resets: bool) -> GlobalSpec:
        """Place one global."""
        parts = key_parts(shapes, self.renders) if home != USER else ()
        fields: tuple[tuple[str, int], ...] = ()
        value_size = 8
        if glob.stat is not None:
            fields, value_size = stat_fields(glob.stat)
        map_name, offset = self._place(glob, home, value_size)
        stat = glob.stat
        spec = GlobalSpec(
            name=glob.name,
            index=len(self.specs),
            home=home,
            map=map_name,
            offset=offset,
            keys=glob.keys,
            key=parts,
            key_size=sum((p.size + 7) & ~7 for p in parts),
            value=glob.value,
            value_size=value_size,
            stat_fields=fields,
            capacity=glob.capacity,
            wrap=glob.wrap,
            full=glob.full,
            initial=glob.initial,
            hist_log=stat.hist_log if stat else None,
            linear=stat.linear if stat else None,
            signed=stat.signed if stat else True,
            stat_kind=stat.kind if stat else "",
            display=glob.display,
            fmt=glob.fmt,
            resets=resets,
            front=FRONT_SLOTS if home == DELTA and glob.keys else 0,
        )
        self.specs.append(spec)
        if glob.keys and home != USER:
            self._maps(spec, glob.internal)
        return spec

    def _place(self, glob: Global, home: str, size: int) -> tuple[str, int]:
        """Return the map, and where in its element a scalar lies; of an array its mark of being full, in ctl."""
        if home == USER:
            return "", 0
        if glob.keys:
            offset = 0
            if glob.wrap or glob.full != "error":
                offset, self.ctl = self.ctl, self.ctl + 8
            return self._named(glob), offset
        if home == DELTA:
            offset, self.delta = self.delta, self.delta + size
            return "delta", offset
        offset, self.ctl = self.ctl, self.ctl + size
        return "ctl", offset

    def _named(self, glob: Global) -> str:
        """Return the name of a global's map: its own, and its number where something else is called so."""
        name = f"{glob.name}:{len(self.specs)}" if glob.name in self._taken else glob.name
        self._taken.add(name)
        return name

    def _maps(self, spec: GlobalSpec, internal: bool) -> None:
        most = PREALLOCATED_PLAIN if spec.home == SHARED and not internal else PREALLOCATED
        flags = BPF_F_NO_PREALLOC if spec.capacity > most else 0
        if spec.home == SHARED:
            self.maps.append(MapSpec(spec.map, "hash", spec.key_size, spec.value_size, spec.capacity, flags))
            return
        generations = 2 if spec.resets else 1
        for generation in range(generations):
            name = f"{spec.map}.{generation}"
            self.maps.append(
                MapSpec(name, "percpu_hash", spec.key_size, spec.value_size, spec.capacity, flags)
            )
        entry = 8 + spec.key_size + spec.value_size
        slots = generations * FRONT_SLOTS
        self.maps.append(MapSpec(f"{spec.map}.front", "percpu_array", 4, entry, slots))

    def all_maps(self, records: bool) -> list[MapSpec]:
        """Return every map of the program; records: whether some program writes records."""
        fixed = [
            MapSpec("ctl", "array", 4, self.ctl, 1, BPF_F_MMAPABLE),
            MapSpec("cpu", "percpu_array", 4, CPU_SIZE, 1),
        ]
        if records:
            ring = MapSpec("ring", "ringbuf", 0, 0, self.ring)
            fixed.append(MapSpec("rings", "array_of_maps", 4, 4, 0, 0, ring))
        if self.delta:
            fixed.append(self._slots())
        return fixed + self.maps

    def _slots(self) -> MapSpec:
        """Return the map of the collected scalars, and tell these how it is divided."""
        stride = max(CACHE_LINE, 1 << (self.delta - 1).bit_length())
        cpus = 1 << (self.cpus - 1).bit_length()
        for spec in self.specs:
            if spec.home == DELTA and not spec.keys:
                spec.cpus, spec.stride = cpus, stride
        return MapSpec("delta", "array", 4, 2 * cpus * stride, 1, BPF_F_MMAPABLE)
