"""Globals in the user stage: where the generated code finds each one's state.

Home "user": a Python global (scalar), a dict (array) or a Stat. Home "delta": the same, and what the kernel stage
has collected is merged into it before a handler that looks (`sync`). Home "shared": an object that makes
map calls. The dicts and Stats keep their identity for the whole run; scalars are entries of the namespace.
"""

from __future__ import annotations

from .delta import DeltaArray, DeltaScalars
from .errors import OVERFLOW, ScriptError
from .numbers import wrap
from .shared import SharedArray, SharedScalar
from .stat import stat_maker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..program import GlobalSpec
    from .context import Context
    from .decode import Strings

EMPTY: dict[str, Any] = {"i64": 0, "str": "", "buf": b"", "tuple": ()}


class State:
    """The globals of one run."""

    __slots__ = ("_arrays", "_context", "_full", "_scalars")

    def __init__(self, context: Context) -> None:
        self._context = context
        namespace = context.namespace
        for index, spec in context.specs.items():
            name = f"_g{index}"
            if spec.value == "stat":
                make = namespace[f"_new{index}"] = stat_maker(spec)
                namespace[name] = {} if spec.keys else make()
            elif spec.home == "shared":
                continue  # when the maps are there
            else:
                namespace[name] = {} if spec.keys else initial(spec)
        self._arrays: dict[int, DeltaArray] = {}
        self._scalars: DeltaScalars | None = None
        self._full: set[int] = set()

    def connect(self, strings: Strings) -> None:
        """Bind the kernel's maps, once they are made and the generated code is loaded."""
        context = self._context
        door, namespace = context.door, context.namespace
        scalars = []
        for index, spec in context.specs.items():
            if spec.home == "shared":
                if spec.keys:
                    namespace[f"_g{index}"] = SharedArray(spec, door.map(spec.map or spec.name), strings)
                else:
                    shared = namespace[f"_g{index}"] = SharedScalar(spec, door)
                    shared.set(initial(spec))
            elif spec.home == "delta":
                if spec.keys:
                    self._arrays[index] = DeltaArray(spec, door, namespace, strings)
                else:
                    scalars.append(spec)
        if scalars:
            self._scalars = DeltaScalars(scalars, door)

    def close(self) -> None:
        """Free what merging needed."""
        if self._scalars is not None:
            self._scalars.close()

    def value(self, index: int) -> Any:
        """A global's state, for displays."""
        value = self._context.namespace[f"_g{index}"]
        return value.get() if isinstance(value, SharedScalar) else value

    def flips(self, indices: Iterable[int]) -> bool:
        """Whether bringing these up to date begins a new generation."""
        specs = self._context.specs
        return any(specs[i].home == "delta" and specs[i].resets for i in indices)

    def limited(self) -> list[int]:
        """Arrays whose capacity the kernel stage can't watch alone: some of their elements are here."""
        specs = self._context.specs
        return [i for i in self._arrays if specs[i].resets and specs[i].full == "error" and not specs[i].wrap]

    # -- merging what the kernel stage has collected

    def flip(self) -> int:
        """Have programs write the other generation, and wait for those that still write this one; return it."""
        return self._context.door.flip()

    def sync(self, indices: Iterable[int], generation: int | None = None) -> None:
        """Bring delta globals up to date. generation: the one that `flip` has just closed, or None."""
        specs = self._context.specs
        wanted = [i for i in indices if specs[i].home == "delta"]
        over: list[GlobalSpec] = []
        if generation is not None:
            # one word selects the generation of all of them, so all of them are merged now
            for index, array in self._arrays.items():
                if array.spec.resets and not array.merge(generation, self._context.namespace[f"_g{index}"]):
                    over.append(array.spec)
        for index in wanted:
            live = self._arrays.get(index)
            if live is not None and not live.spec.resets:
                elements = self._context.namespace[f"_g{index}"]
                elements.clear()
                if not live.read(elements):
                    over.append(live.spec)
        if self._scalars is not None:
            self._merge_scalars(self._scalars, wanted, generation)
        for spec in over:
            if spec.full == "warn":
                self._context.map_full(spec.index)
            elif spec.index not in self._full:
                self._full.add(spec.index)  # it is said once: error handlers see what there is
                raise ScriptError(OVERFLOW, f"near identifier '{spec.name}'")

    def _merge_scalars(self, scalars: DeltaScalars, wanted: list[int], generation: int | None) -> None:
        namespace = self._context.namespace
        for spec, collected, fresh in scalars.collect(wanted, generation):
            name = f"_g{spec.index}"
            if spec.value == "stat":
                if fresh:
                    namespace[name].reset()
                namespace[name].absorb(collected)
            else:
                base = initial(spec) if fresh else namespace[name]
                namespace[name] = wrap(base + collected)


def initial(spec: GlobalSpec) -> Any:
    """A scalar's first value."""
    return spec.initial if spec.initial is not None else EMPTY.get(spec.value, 0)
