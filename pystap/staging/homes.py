"""Chooses each global's home (R1, R5): as much in the kernel as its meaning allows.

Start from what event handlers do with a global, then move to the user stage whatever placement (`places.py`) or
the atomicity rules refuse, until nothing changes. Every move is kept with its reason, for `explain`.
"""

from __future__ import annotations

from ..ir.nodes import Call, ForEach, Global, Handler, Local, Module, Op, Stmt, Text
from ..ir.ops import OPS
from ..ir.walk import statements
from .ahead import Ahead
from .facts import LOOSE, global_of, global_ops, key_operands, lasting, user_globals
from .locks import Cluster, clusters, refusal, watched, written_once
from .merge import EventSet
from .places import USER as USER
from .places import Places
from .sizes import sizes_of
from .spread import spread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..source import Span

DELTA = "delta"
SHARED = "shared"
_COMMUTATIVE = frozenset({"add_to", "push"})
_KERNEL_OPS = frozenset({"get", "has", "set", "add_to", "add_fetch", "insert", "push", "delete", "stat"})
_PLAIN_WRITES = frozenset({"set", "delete", "clear"})
_STEPPED_WRITES = frozenset({"add_to", "add_fetch", "push", "delete_slice", "zero"})
_READS = frozenset({"get", "has"})
_BEHIND = "the user stage may end the run in a handler before, at the same event"
_EXITS = "the user stage may end the run by exit() in an event's handler, and this handler is of the user stage, too"
LONGEST_KEY_STRING = 128  # bytes; keys lie on the 512-byte frame


class Homes:
    """home: where each global lives; why: for those moved to the user stage, the reason and the place.

    guards: ids of reads that an insert repeats; walks: whether both stages may run a loop.
    """

    def __init__(
        self, module: Module, mirror: bool, guards: frozenset[int] = frozenset(), walks: bool = True
    ) -> None:
        self._walks = walks
        self._ahead: dict[int, Ahead] = {}  # by the handler's id
        self._live = watched(module)
        self.locked: set[Global] = set()  # what the lock protects
        self.written_once: set[Global] = set()  # of these
        self.lockers: set[int] = set()  # ids of the handlers that take it
        self._guards = guards
        self.events = [h for h in module.handlers if not h.event.user]
        self.why: dict[Global, tuple[str, Span]] = {}
        self._steps = _changed_in_steps(module)
        self._constant = _written_in_begin_only(module)
        self.home: dict[Global, str] = {}
        self.ops: dict[Global, list[tuple[Handler, Op]]] = {g: [] for g in module.globals}
        for handler in self.events:
            for op, glob in global_ops(handler.body):
                self.ops.setdefault(glob, []).append((handler, op))
        for glob in module.globals:
            self.home[glob] = USER if mirror and not glob.internal else self._first(glob)
        self.places: dict[int, Places] = {}
        self.texts = _user_texts(module)
        self.settle()

    def settle(self) -> None:
        """Move globals until every placement is legal."""
        while self._round() or self._run_ahead():
            pass

    def _run_ahead(self) -> bool:
        """Let the kernel run ahead what makes reads late; return whether something was found."""
        found = False
        for at, handler in enumerate(self.events):
            if self.places[at].late:
                ahead = self._ahead.setdefault(id(handler), Ahead())
                found |= ahead.find(handler.body, self.places[at])
        return found

    def _first(self, glob: Global) -> str:
        ops = self.ops[glob]
        names = {op.name for _, op in ops}
        if not names:
            return USER
        if glob.wrap and glob.keys:
            self._note(glob, "it drops its oldest element when full", ops[0][1].span)
            return USER
        if names <= _COMMUTATIVE and (glob.value == "stat" or "push" not in names):
            return DELTA
        if glob.value == "stat":
            self._note(glob, "its aggregate is read in an event handler", ops[0][1].span)
            return USER
        if not names <= _KERNEL_OPS:
            odd = next(op for _, op in ops if op.name not in _KERNEL_OPS)
            self._note(glob, f"an event handler does '{odd.name}' on it", odd.span)
            return USER
        if glob.value != "i64":
            if names - _READS:
                self._note(glob, f"its values are of type {glob.value}", ops[0][1].span)
            return USER
        if glob in self._steps and names - _READS:
            self._note(glob, "a user handler reads and changes it in several steps", ops[0][1].span)
            return USER
        return SHARED

    def _note(self, glob: Global, why: str, span: Span) -> None:
        self.why.setdefault(glob, (why, span))

    def _move(self, glob: Global, why: str, span: Span) -> bool:
        if self.home.get(glob, USER) == USER:
            return False
        self.home[glob] = USER
        self._note(glob, why, span)
        return True

    def _round(self) -> bool:
        """Place every handler; return whether some global had to move."""
        moved = False
        ending = EventSet()  # where the user stage may end the run
        for at, handler in enumerate(self.events):
            behind = ending.meets(handler.event)
            ahead = self._ahead.get(id(handler))
            places = self.places[at] = Places(handler, self.home, behind, self._walks, ahead)
            if places.decides:
                ending.add(handler.event)
            for glob, (why, span) in places.demoted.items():
                moved |= self._move(glob, why, span)
            if behind:
                moved |= self._uncertain(handler, _BEHIND)
        if not moved and any(places.exits for places in self.places.values()):
            # what makes records behind such an exit() doesn't happen, or would have happened in part
            for at, handler in enumerate(self.events):
                if self.places[at].user:
                    moved |= self._uncertain(handler, _EXITS)
        if moved:
            return True
        for glob, texts in self.texts.items():
            if self.home.get(glob, USER) == SHARED:
                for text, span in texts:
                    if text is None or len(text.value) >= LONGEST_KEY_STRING:
                        moved |= self._move(glob, "a user handler makes a key that may be long", span)
        for at in range(len(self.events)):
            moved |= self._keys(self.places[at])
        return moved or self._lock()

    def _uncertain(self, handler: Handler, why: str) -> bool:
        """Move what a handler changes that runs only if the user stage doesn't end the run before it (R14)."""
        moved = False
        for op, glob in global_ops(handler.body):
            if lasting(op, glob):
                moved |= self._move(glob, why, op.span)
        return moved

    def _keys(self, places: Places) -> bool:
        """Move the globals whose keys or values the kernel can't hold as they are."""
        moved = False
        sizes = sizes_of(places.body)
        for op, glob in global_ops(places.body):
            if self.home.get(glob, USER) == USER:
                continue
            for operand in key_operands(op, glob):
                rendered = isinstance(operand, Local) and operand in places.locals
                if rendered and self.home[glob] == SHARED:
                    moved |= self._move(glob, "a key is a rendered text", op.span)
                elif not rendered and operand.type == "str" and isinstance(operand, Local):
                    if sizes.get(operand, 1) > LONGEST_KEY_STRING:
                        moved |= self._move(glob, "a key is a long string", op.span)
                elif not rendered and operand.type == "buf" and isinstance(operand, Local):
                    if sizes.get(operand, 1) > LONGEST_KEY_STRING:
                        moved |= self._move(glob, "a key is a deep stack", op.span)
                elif operand.type not in ("i64", "str", "buf"):
                    moved |= self._move(glob, f"a key is a {operand.type}", op.span)
        return moved

    def _lock(self) -> bool:
        """Lock the globals of handlers whose accesses are not atomic together (R5), or move them."""
        private = self._by_thread() | self._constant
        private |= {glob for glob in self.home if glob.name.startswith(LOOSE)}
        touched: list[set[Global]] = []
        atomic: list[bool] = []
        for handler in self.events:
            shared = [
                (op, glob)
                for op, glob in global_ops(handler.body)
                if self.home.get(glob, USER) == SHARED and glob not in private
            ]
            touched.append({glob for _, glob in shared})
            atomic.append(_is_atomic([(op, glob) for op, glob in shared if id(op) not in self._guards]))
        moved = False
        parts = clusters(touched, atomic)
        if any(self._spread(cluster) for cluster in parts):
            return True
        self.locked = set()
        self.written_once = set()
        self.lockers = set()
        for cluster in parts:
            why = refusal(self._live, self.events, self.places, cluster)
            if why is None:
                self.locked |= cluster.globs
                self.written_once |= written_once(cluster, self.events)
                self.lockers |= {id(self.events[at]) for at in cluster.handlers}
            else:
                for at in [at for at in cluster.handlers if not atomic[at]]:
                    for op, glob in global_ops(self.events[at].body):
                        moved |= glob in cluster.globs and self._move(glob, why, op.span)
        return moved

    def _spread(self, cluster: Cluster) -> bool:
        """Let fewer runs of a cluster's handlers make records."""
        moved = [spread(self.events[at].body, self.places[at]) for at in cluster.handlers]
        return any(moved)

    def _by_thread(self) -> set[Global]:
        """Return the globals of which every access has the current thread's id at the same place of the key."""
        positions: dict[Global, set[int]] = {}
        for at, handler in enumerate(self.events):
            places = self.places[at]
            for op, glob in global_ops(handler.body):
                here = {n for n, key in enumerate(key_operands(op, glob)) if _is_thread_id(places, key)}
                positions[glob] = positions[glob] & here if glob in positions else here
        return {glob for glob, common in positions.items() if common}


def _written_in_begin_only(module: Module) -> set[Global]:
    """Return the globals that hold still while events run (R1)."""
    moving: set[Global] = set()
    for handler in module.handlers:
        if handler.event.kind not in ("begin", "end", "error"):
            for glob, names in user_globals(handler.body).items():
                if names - {
                    "get",
                    "has",
                    "stat",
                    "foreach",
                    "size",
                    "print_map",
                    "print_hist",
                    "hist_bucket",
                }:
                    moving.add(glob)
    return set(module.globals) - moving


def _changed_in_steps(module: Module) -> set[Global]:
    """Return the globals that a user handler, while events run, both reads and changes."""
    found: set[Global] = set()
    for handler in module.handlers:
        if not handler.event.user or handler.event.kind in ("begin", "end", "error"):
            continue
        for glob, names in user_globals(handler.body).items():
            plain = names & _PLAIN_WRITES
            if names & _STEPPED_WRITES or (plain and names - _PLAIN_WRITES):
                found.add(glob)
    return found


def _is_thread_id(places: Places, operand: object) -> bool:
    op = places.definition.get(operand) if isinstance(operand, Local) else None
    return op is not None and op.name == "call" and op.attr in ("tid", "task_current")


def _is_atomic(shared: list[tuple[Op, Global]]) -> bool:
    reads = [g for op, g in shared if op.name in ("get", "has", "stat")]
    fetches = [g for op, g in shared if op.name in ("add_fetch", "insert")]
    stores = [g for op, g in shared if op.name in ("set", "delete")]
    adds = {g for op, g in shared if op.name == "add_to"}
    steps = len(reads) + len(fetches) + len(stores)
    if steps == 0:
        return True
    return steps == 1 and not adds


def _user_texts(module: Module) -> dict[Global, list[tuple[Text | None, Span]]]:
    """Return the text keys that user handlers may put into globals: None for those that aren't constant.

    The keys that a foreach over the same global gives are there already.
    """
    found: dict[Global, list[tuple[Text | None, Span]]] = {}
    for body in _user_bodies(module):
        own: dict[Local, Global] = {}
        for stmt in statements(body):
            if isinstance(stmt, ForEach):
                own.update(dict.fromkeys(stmt.keys, stmt.glob))
            if not isinstance(stmt, Op) or (glob := global_of(stmt)) is None:
                continue
            if "write" not in OPS[stmt.name].effects or stmt.name in ("delete", "delete_slice"):
                continue
            for key in key_operands(stmt, glob):
                if key.type == "str" and own.get(key) is not glob:
                    found.setdefault(glob, []).append((key if isinstance(key, Text) else None, stmt.span))
    return found


def _user_bodies(module: Module) -> list[list[Stmt]]:
    """Return the bodies of the user handlers and of the functions that they call."""
    bodies = [h.body for h in module.handlers if h.event.user]
    seen: set[int] = set()
    for body in bodies:  # which grows
        for stmt in statements(body):
            if isinstance(stmt, Call) and id(stmt.func) not in seen:
                seen.add(id(stmt.func))
                bodies.append(stmt.func.body)
    return bodies
