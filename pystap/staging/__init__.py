"""Typed IR -> staged IR: what runs in the kernel, what in the user stage, and where globals live.

The order: shape (nest early leaves), inserts -> homes (with places and locks, to a fixed point) -> split -> capture,
locks -> layout.
"""

from __future__ import annotations

from ..ir.nodes import Global, Handler, Local, Module, Op, Scope, Stmt
from ..ir.walk import blocks, labels_left, statements
from ..opt.simplify import simplify, sweep
from ..program import CPUS, ErrorSite, RecordSpec
from .capture import LOG_ROOM, Capture
from .compare import Names, compare_words
from .early import mark_early_calls
from .facts import global_of, global_ops, key_operands, lasting, user_globals
from .homes import DELTA, SHARED, USER, Homes
from .inserts import find_inserts
from .layout import Layout, Shape
from .locks import hold
from .places import Places
from .plan import Home, KernelProgram, LogLoop, Staged, UserFunction
from .returns import pair_returns
from .shape import flatten, nest
from .sink import sink
from .sizes import sizes_of
from .split import Splitter, prune

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..source import Span

_RESETS = frozenset(
    {"set", "delete", "delete_slice", "clear", "zero", "add_to", "add_fetch", "insert", "push"}
)


class Note:
    """For `explain`: where, in which handler (its number or -1), what kind of thing, in words."""

    __slots__ = ("handler", "kind", "span", "text")

    def __init__(self, kind: str, span: Span, handler: int, text: str) -> None:
        self.kind = kind
        self.span = span
        self.handler = handler
        self.text = text


def stage(
    module: Module,
    *,
    mirror: bool = False,
    ring: int = 1 << 20,
    log: int = LOG_ROOM,
    first_error_ends: bool = True,
    cpus: int = CPUS,
    names: Names | None = None,
) -> Staged:
    """Stage an optimised module.

    mirror: everything that can run in the user stage does; ring: bytes of each CPU's ring; log: bytes that a
    run's loops may log, 0 for none of these loops; first_error_ends: the run ends with its first run-time error;
    cpus: more than any CPU's number; names: what numbers stand for, in comparisons.
    """
    if names is not None:
        for handler in module.handlers:
            if not handler.event.user:
                places = handler.event.args.get("places", ()) if isinstance(handler.event.args, dict) else ()
                if compare_words(handler.body, names, places):
                    handler.body = simplify(handler.body, {})
    return _Stager(module, mirror, Layout(ring, cpus), log, first_error_ends).run()


class _Stager:
    def __init__(
        self, module: Module, mirror: bool, layout: Layout, log: int, first_error_ends: bool
    ) -> None:
        self.log = log
        self.first_error_ends = first_error_ends
        self.module = module
        pair_returns(module)
        mark_early_calls(module)
        guards: set[int] = set()
        for handler in module.handlers:
            if not handler.event.user:
                handler.body = nest(handler.body, frozenset({handler.label}))
                handler.body = flatten(handler.body, labels_left(handler.body))
                sink(handler.body)
                guards |= find_inserts(handler.body)
        self.homes = Homes(module, mirror, frozenset(guards), log > 0)
        self.layout = layout
        self.kernel: list[KernelProgram] = []
        self.user: list[UserFunction] = []
        self.records: list[RecordSpec] = []
        self.notes: list[Note] = []
        self.errors: list[ErrorSite] = []

    def run(self) -> Staged:
        homes = self._lay_out()
        self._functions()
        at = 0
        for number, handler in enumerate(self.module.handlers):
            if not handler.event.user:
                self._event(number, handler, self.homes.places[at])
                at += 1
        if not self.kernel:  # all handlers of events were found to do nothing: there will be no maps
            self.homes.home = dict.fromkeys(self.homes.home, USER)
            self.layout = Layout(self.layout.ring, self.layout.cpus)
            homes = self._lay_out()
        begin, end, error, timers, signals = self._user_handlers()
        for glob, (why, span) in self.homes.why.items():
            self.notes.append(Note("global", span, -1, f"'{glob.name}' lives in the user stage: {why}"))
        return Staged(
            lang=self.module.lang,
            kernel=self.kernel,
            user=self.user + self.layout.renders,
            homes=homes,
            maps=self.layout.all_maps(bool(self.records)),
            records=self.records,
            begin=begin,
            end=end,
            error=error,
            timers=timers,
            signals=signals,
            notes=self.notes,
            errors=self.errors,
        )

    # homes

    def _lay_out(self) -> dict[Global, Home]:
        resets = self._resets()
        homes: dict[Global, Home] = {}
        while True:
            shapes = {g: [Shape() for _ in g.keys] for g in self.module.globals}
            clash = self._shapes(shapes)
            if clash is None:
                break
            self.homes.home[clash] = USER
            self.homes.why.setdefault(clash, ("its keys have different forms", clash.span))
            self.homes.settle()
        for glob in self.module.globals:
            home = self.homes.home[glob]
            homes[glob] = Home(glob, self.layout.add(glob, home, shapes[glob], glob in resets))
        return homes

    def _shapes(self, shapes: dict[Global, list[Shape]]) -> Global | None:
        for at, handler in enumerate(self.homes.events):
            places = self.homes.places[at]
            sizes = sizes_of(handler.body)
            for op, glob in _kernel_ops(handler.body, self.homes.home):
                for shape, operand in zip(shapes[glob], key_operands(op, glob), strict=True):
                    if not shape.meet(operand, places, sizes):
                        return glob
        for glob, texts in self.homes.texts.items():
            if self.homes.home[glob] == SHARED:
                for shape, kind in zip(shapes[glob], glob.keys, strict=True):
                    if kind == "str":
                        shape.size = max([shape.size, *(len(t.value) + 1 for t, _ in texts if t is not None)])
        return None

    def _resets(self) -> set[Global]:
        found: set[Global] = set()
        for handler in self.module.handlers:
            if handler.event.user:
                for glob, names in user_globals(handler.body).items():
                    if names & _RESETS:
                        found.add(glob)
        return found

    # event handlers

    def _event(self, number: int, handler: Handler, places: Places) -> None:
        mirrored = self._explain(number, handler, places)
        splitter = Splitter(places, handler.label, self.first_error_ends)
        body, user = splitter.block(handler.body)
        body = self._flat_keys(body, places)
        user = prune(sweep(user), frozenset({handler.label}), splitter.walked)
        capture = Capture(body, user, len(self.records), places.early, self._log_room())
        body = sweep(capture.kernel)
        if not body:
            self.notes.append(
                Note("empty", handler.span, number, "does nothing that could be seen: not attached")
            )
            return
        if capture.record is not None:
            name = f"h{number}_record"
            fields = tuple(capture.fields)
            ops = _kernel_ops(body, self.homes.home)
            changes = any(lasting(op, glob) for op, glob in ops)
            self.records.append(
                RecordSpec(
                    *(capture.record.id, capture.record.size, fields, name, number, capture.inside, changes)
                )
            )
            function = UserFunction(name, "record", tuple(capture.params), None, handler.label, capture.user)
            self.user.append(function)
        self._logged(number, body)
        if id(handler) in self.homes.lockers:
            body = hold(body, self.homes.locked, self.homes.written_once)
            names = ", ".join(
                sorted({g.name for _, g in _kernel_ops(body, self.homes.home) if g in self.homes.locked})
            )
            self.notes.append(Note("lock", handler.span, number, f"runs under the lock, for {names}"))
        scope: list[Stmt] = [Scope(handler.label, body, handler.span)]
        self.kernel.append(KernelProgram(f"h{number}", handler.event, scope, sizes_of(body), (number,)))
        if not mirrored:
            what = (
                "kernel stage"
                if capture.record is None
                else "kernel stage, its output rendered in the user stage"
            )
            self.notes.append(Note("stage", handler.span, number, what))

    def _log_room(self) -> int:
        """Bytes that the log of a record may have: some records must fit into a ring."""
        return min(self.log, self.layout.ring // 4) & ~7

    def _logged(self, number: int, body: list[Stmt]) -> None:
        """Note the loops that log what the user stage needs of their turns."""
        for stmt in body:
            if isinstance(stmt, LogLoop):
                words = (
                    f"runs in the kernel; what its turns print is logged, {stmt.log.size} bytes a run at most"
                )
                self.notes.append(Note("log", stmt.span, number, words))
            else:
                for block in blocks(stmt):
                    self._logged(number, block)

    def _flat_keys(self, body: list[Stmt], places: Places) -> list[Stmt]:
        """Replace rendered keys of kernel-home globals by the words that they are rendered from."""
        for op, glob in _kernel_ops(body, self.homes.home):
            keys = key_operands(op, glob)
            flat: list[Any] = []
            for operand in keys:
                if isinstance(operand, Local) and operand in places.locals:
                    got = places.render_leaves(operand)
                    assert got is not None
                    flat += got[1]
                else:
                    flat.append(operand)
            op.args = (*flat, *op.args[len(keys) :])
        return body

    def _explain(self, number: int, handler: Handler, places: Places) -> bool:
        """Note what the user stage decides in an event handler; return whether it is mirrored."""
        mirrored = False
        for stmt in statements(handler.body):
            if isinstance(stmt, Op):
                glob = global_of(stmt)
                if glob is not None and self.homes.home[glob] == USER and stmt.name in _RESETS:
                    why = self.homes.why.get(glob, ("--stage=mirror", stmt.span))[0]
                    self.notes.append(
                        Note(
                            "mirror", stmt.span, number, f"'{glob.name}' is changed in the user stage: {why}"
                        )
                    )
                    mirrored = True
            elif id(stmt) in places.regions:
                self.notes.append(
                    Note("mirror", getattr(stmt, "span", handler.span), number, "decided in the user stage")
                )
                mirrored = True
        for op in places.late:
            self.notes.append(
                Note("late", op.span, number, "read late: only the user stage knows the address")
            )
        return mirrored

    # user handlers and functions

    def _functions(self) -> None:
        for func in self.module.functions:
            self.user.append(
                UserFunction(func.name, "function", func.params, func.result, func.label, func.body)
            )

    def _user_handlers(self) -> tuple[list[str], list[str], list[str], list[Any], list[Any]]:
        ordered: dict[str, list[tuple[int, int, str]]] = {"begin": [], "end": [], "error": []}
        timers: list[tuple[int, int, str]] = []
        signals: list[tuple[str, str]] = []
        for number, handler in enumerate(self.module.handlers):
            kind = handler.event.kind
            if not handler.event.user or kind == "never":
                continue
            name = f"h{number}"
            self.user.append(
                UserFunction(name, "handler", (), None, handler.label, handler.body, self._sync(handler))
            )
            args = handler.event.args or {}
            if kind in ordered:
                ordered[kind].append((args.get("order", 0), number, name))
            elif kind == "timer":
                timers.append((args["ns"], args.get("randomize", 0), name))
            elif kind == "signal":
                signals.append((handler.event.name, name))
        lists = [[name for _, _, name in sorted(ordered[kind])] for kind in ("begin", "end", "error")]
        return lists[0], lists[1], lists[2], timers, signals

    def _sync(self, handler: Handler) -> tuple[Global, ...]:
        return tuple(g for g in user_globals(handler.body) if self.homes.home.get(g) == DELTA)


def _kernel_ops(body: list[Stmt], home: dict[Global, str]) -> list[tuple[Op, Global]]:
    return [(op, glob) for op, glob in global_ops(body) if home.get(glob, USER) != USER]
