"""ForEach: a Python `for` over a snapshot, sorted, cut to slices and to a limit.

SystemTap's sort is stable, for descending order too: equal elements stay in the order of insertion,
which `sorted(reverse=True)` and the runtime's `_top` keep.
"""

from __future__ import annotations

from ...ir.nodes import ForEach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .body import Body, Env


def emit(body: Body, stmt: ForEach, env: Env) -> None:
    """Write the loop."""
    trail = len(body.trail)
    items = stmt.value is not None or stmt.slice is not None or _sorts_values(stmt)
    source = _source(body, stmt, items)
    head = f"for {_target(body, stmt, items)} in {source}:"
    body.python_loop(stmt.label, head, stmt.body, env, stmt.span)
    body.undo(trail)


def _sorts_values(stmt: ForEach) -> bool:
    return stmt.sort is not None and (stmt.sort.by == "value" or stmt.sort.by[0] == "stat")


def _target(body: Body, stmt: ForEach, items: bool) -> str:
    keys = [body.write(k) for k in stmt.keys]
    whole = "_" if not keys else keys[0] if len(keys) == 1 else f"({', '.join(keys)})"
    if not items:
        return whole
    return f"{whole}, {body.write(stmt.value) if stmt.value is not None else '_'}"


def _source(body: Body, stmt: ForEach, items: bool) -> str:
    """The expression of the snapshot."""
    name = body.unit.state(stmt.glob)
    source = f"{name}.items()" if items else name
    listed = f"list({source})"
    if stmt.slice is not None:
        source = listed = _slice(body, stmt, source)
    limit = body.read(stmt.limit) if stmt.limit is not None else None
    if stmt.sort is None:
        return listed if limit is None else f"_first({source}, {limit})"
    key = _sort_key(stmt, items)
    down = stmt.sort.descending
    if limit is not None:
        return f"_top({listed}, {key or 'None'}, {down}, {limit})"
    extra = (f", key={key}" if key else "") + (", reverse=True" if down else "")
    return f"sorted({source}{extra})"


def _slice(body: Body, stmt: ForEach, source: str) -> str:
    assert stmt.slice is not None
    many = len(stmt.glob.keys) > 1
    tests = [
        f"_e[0]{f'[{at}]' if many else ''} == {body.read(value)}"
        for at, value in enumerate(stmt.slice)
        if value is not None
    ]
    return f"[_e for _e in {source}{' if ' + ' and '.join(tests) if tests else ''}]"


def _sort_key(stmt: ForEach, items: bool) -> str:
    assert stmt.sort is not None
    by = stmt.sort.by
    if by == "value":
        by = ("stat", "count") if stmt.glob.value == "stat" else None
        if by is None:
            return "_by_value"
    if by[0] == "stat":
        return f"lambda e: e[1].{by[1]}"
    many = len(stmt.glob.keys) > 1
    if items:
        return f"lambda e: e[0][{by[1]}]" if many else "_by_key"
    return f"lambda e: e[{by[1]}]" if many else ""
