"""The try-lock (R5): which handlers take it, what it protects, and where in a handler it is held.

A handler whose accesses of shared globals aren't atomic together would be mirrored. It runs in the kernel under a
lock instead where that is no worse: all handlers that touch the same globals take it, and

- none of them makes a record in every run: a run prints nothing, or only under a condition on such a global. Else
  mirroring costs the same, and leaves no run out.
- no one can interrupt the other on a CPU: they are of one event (whose program the kernel never nests in itself), or
  of system calls alone. An interrupt's handler can't wait for the run that it interrupted, and would be left out.
- no user handler changes them while events run, or looks at more than one value of one of them: it can't hold the lock
  for as long as it runs.
"""

from __future__ import annotations

from ..ir.nodes import ForEach, Global, Handler, If, Label, Leave, Local, Loop, Op, Scope, Stmt
from ..ir.ops import OPS
from ..ir.walk import Cloner, blocks, statements, uses
from ..opt.simplify import effects
from .facts import global_of, has_effect, user_globals
from .places import Places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Event, Module

    Touched = list[tuple[Op, Global]]

_CALLS = frozenset(("sys_enter", "sys_exit"))
_STEADY = frozenset(("ctx", "read"))
_STEPS = "its handler reads and changes it in several steps"


class Cluster:
    """Globals that are used together, and the handlers (by number among the events') that use them."""

    __slots__ = ("globs", "handlers")

    def __init__(self, globs: set[Global], handlers: list[int]) -> None:
        self.globs = globs
        self.handlers = handlers


def clusters(touched: list[set[Global]], atomic: list[bool]) -> list[Cluster]:
    """Return what has to be locked. touched: for each handler, the globals that others can reach at the same time.

    A handler that touches a locked global has all its globals locked, so these are the connected parts with a handler
    that isn't atomic.
    """
    parent: dict[Global, Global] = {}

    def root(glob: Global) -> Global:
        while (up := parent.setdefault(glob, glob)) is not glob:
            parent[glob] = glob = parent[up]
        return glob

    for globs in touched:
        tops = [root(glob) for glob in globs]
        for other in tops[1:]:
            parent[root(other)] = root(tops[0])
    found: dict[Global, Cluster] = {}
    wanted = {root(next(iter(globs))) for globs, alone in zip(touched, atomic, strict=True) if not alone}
    for at, globs in enumerate(touched):
        top = root(next(iter(globs))) if globs else None
        if top is not None and top in wanted:
            one = found.setdefault(top, Cluster(set(), []))
            one.globs |= globs
            one.handlers.append(at)
    return list(found.values())


def watched(module: Module) -> list[tuple[Handler, dict[Global, set[str]]]]:
    """Return the user handlers that run while events do, with the globals that they touch and how."""
    live = [
        h for h in module.handlers if h.event.user and h.event.kind not in ("begin", "end", "error", "never")
    ]
    return [(handler, user_globals(handler.body)) for handler in live]


def refusal(
    live: list[tuple[Handler, dict[Global, set[str]]]],
    events: list[Handler],
    places: dict[int, Places],
    cluster: Cluster,
) -> str | None:
    """Return why a cluster is mirrored rather than locked, or None if it is to be locked. live: see `watched`."""
    if not _excluded([events[at].event for at in cluster.handlers]):
        return f"{_STEPS}, and an interrupt's handler can't wait for a lock"
    for at in cluster.handlers:
        if not _prints_rarely(events[at].body, places[at], _decided(events[at].body, cluster.globs)):
            return f"{_STEPS}, and makes a record in every run anyway"
    for handler, names in live:
        if not cluster.globs.isdisjoint(names) and not _glances(handler, names, cluster, events):
            return f"{_STEPS}, and another handler looks at it while events run"
    return None


def _excluded(events: list[Event]) -> bool:
    """Whether no run of one of these events interrupts another one on the same CPU."""
    first = events[0]
    if all((e.kind, e.name, repr(e.args)) == (first.kind, first.name, repr(first.args)) for e in events):
        return True
    return all(e.kind in _CALLS for e in events)


# -- does a run make a record?


def _decided(body: list[Stmt], globs: set[Global]) -> set[Local]:
    """Return the locals whose values depend on reads of the globals."""
    found: set[Local] = set()
    size = -1
    while len(found) > size:
        size = len(found)
        for stmt in statements(body):
            if not isinstance(stmt, Op) or stmt.dst is None:
                continue
            if global_of(stmt) in globs or any(isinstance(a, Local) and a in found for a in stmt.args):
                found.add(stmt.dst)
    return found


def _prints_rarely(body: list[Stmt], places: Places, decided: set[Local]) -> bool:
    """Whether the handler makes no record, or only under a condition on a locked global (as `capture` places it)."""
    if not any(_by_user(stmt, places) for stmt in statements(body)):
        return True
    return _rare(body, places, decided)


def _rare(body: list[Stmt], places: Places, decided: set[Local]) -> bool:
    needing = [stmt for stmt in body if _needs(stmt, places)]
    if len(needing) != 1:
        return False
    (stmt,) = needing
    if isinstance(stmt, Scope):
        return _rare(stmt.body, places, decided)
    if not isinstance(stmt, If) or _by_user(stmt, places):
        return False
    if stmt.cond in decided:
        return True
    inner = [block for block in blocks(stmt) if any(_by_user(s, places) for s in statements(block))]
    return len(inner) == 1 and _rare(inner[0], places, decided)


def _by_user(stmt: Stmt, places: Places) -> bool:
    """Whether the user stage has something to do for a statement."""
    if id(stmt) in places.regions:
        return True
    if not isinstance(stmt, Op):
        return id(stmt) in places.user
    return id(stmt) in places.user and has_effect(stmt, "output", "write", "state", "control", "fault")


def _needs(stmt: Stmt, places: Places) -> bool:
    """Whether a record is reserved before a statement, if the handler makes one at all."""
    for inner in statements([stmt]):
        if _by_user(inner, places):
            return True
        if isinstance(inner, Op) and has_effect(inner, "write", "control", "output"):
            return True
    return False


# -- user handlers that look while events run


def _glances(
    handler: Handler, touched: dict[Global, set[str]], cluster: Cluster, events: list[Handler]
) -> bool:
    """Whether a user handler sees a whole state without the lock: one scalar, once, that no run writes twice."""
    names = {g: ops for g, ops in touched.items() if g in cluster.globs}
    if len(names) > 1:
        return False
    ((glob, ops),) = names.items()
    if glob.keys or ops != {"get"} or _count(handler.body, glob, "read") != 1:
        return False
    return all(_count(events[at].body, glob, "write") < 2 for at in cluster.handlers)


def _count(body: list[Stmt], glob: Global, what: str) -> int:
    """Return how many statements read or write a global; in a loop, or in a function, they are many."""
    total = 0
    for stmt in body:
        if isinstance(stmt, Op):
            total += global_of(stmt) is glob and what in OPS[stmt.name].effects
        inner = sum(_count(block, glob, what) for block in blocks(stmt))
        total += inner * (2 if isinstance(stmt, Loop) or hasattr(stmt, "glob") else 1)
    return total


# -- where it is held


def hold(body: list[Stmt], globs: set[Global], once: set[Global]) -> list[Stmt]:
    """Return a kernel body with the lock around all effects and all accesses of the globals, as deep as guards allow.

    once: those that no run writes twice, so that each value that can be read is one between two runs.
    """
    first = next((at for at, stmt in enumerate(body) if _inside(stmt, globs)), None)
    if first is None:
        return body
    stmt = body[first]
    if not any(_inside(s, globs) for s in body[first + 1 :]):
        if isinstance(stmt, Scope):
            stmt.body = hold(stmt.body, globs, once)
            return body
        if isinstance(stmt, If):
            then, els = (_touches(block, globs) for block in (stmt.then, stmt.els))
            if then != els:
                if then:
                    stmt.then = hold(stmt.then, globs, once)
                else:
                    stmt.els = hold(stmt.els, globs, once)
                return body
    label = Label("locked")
    region = body[first:]
    own = {s.label for s in statements(region) if isinstance(s, (Scope, Loop, ForEach))}
    for inner in statements(region):
        if isinstance(inner, Leave) and inner.label not in own:
            inner.label = label  # what follows has no effect
    span = next((s.span for s in statements(region) if hasattr(s, "span")), None)
    held: list[Stmt] = [
        Op(None, "lock", (), None, span),  # type: ignore[arg-type]
        Scope(label, region, span),  # type: ignore[arg-type]
        Op(None, "unlock", (), None, span),  # type: ignore[arg-type]
    ]
    return body[:first] + _unless_in_vain(region, held, globs, once)


def _unless_in_vain(
    region: list[Stmt], held: list[Stmt], globs: set[Global], once: set[Global]
) -> list[Stmt]:
    """Return what takes the lock only if there is something to do.

    if (x > max) max = x    ->    if (x > max) { lock; if (x > max) max = x; unlock }

    One value of one global, read without the lock, says that the run does nothing (or nothing with what is locked): then
    it has happened at that moment.
    """
    *ops, guard = region
    reads = [s for s in ops if isinstance(s, Op) and global_of(s) is not None]
    if not isinstance(guard, If) or _touches(guard.els, globs) or len(reads) != 1:
        return held
    if global_of(reads[0]) not in once or not all(isinstance(s, Op) and not s.dst for s in guard.els):
        return held
    if not all(isinstance(s, Op) and _STEADY.issuperset(effects(s).split()) for s in ops):
        return held
    made = {s.dst for s in ops if isinstance(s, Op)}
    if guard.cond not in made:
        return held
    outer = {v: v for s in ops for v in uses(s) if isinstance(v, Local) and v not in made}
    outer |= {v: v for s in guard.els for v in uses(s) if isinstance(v, Local) and v not in made}
    cloner = Cloner(outer)
    early = cloner.body(ops)
    return [*early, If(cloner.operand(guard.cond), held, cloner.body(guard.els), guard.span)]


def written_once(cluster: Cluster, events: list[Handler]) -> set[Global]:
    """Return the globals that no run writes twice."""
    bodies = [events[at].body for at in cluster.handlers]
    return {g for g in cluster.globs if all(_count(body, g, "write") < 2 for body in bodies)}


def _touches(body: list[Stmt], globs: set[Global]) -> bool:
    return any(isinstance(s, Op) and global_of(s) in globs for s in statements(body))


def _inside(stmt: Stmt, globs: set[Global]) -> bool:
    for inner in statements([stmt]):
        if isinstance(inner, Op) and (
            global_of(inner) in globs or has_effect(inner, "write", "output", "control")
        ):
            return True
    return False
