"""Operations on globals.

A scalar of home "user" or "delta" is a Python global, an array a dict; a "shared" global is an object with
the dict's methods that makes map calls. A "stat" value is an object with `push`, `reset` and the statistics.
"""

from __future__ import annotations

from ...ir.nodes import Global, Op
from .names import MAX, MIN, place, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .body import Body

    Emit = Callable[[Body, Op], None]

MISSING = {"i64": "0", "str": '""', "buf": 'b""', "tuple": "()", "stat": "None"}


def missing(glob: Global) -> str:
    """The value of an element that isn't there."""
    if glob.parts:
        return f"({', '.join([MISSING[part] for part in glob.parts])},)"
    return MISSING[glob.value]


def glob_of(op: Op) -> Global:
    """The global that an operation works on."""
    glob = op.attr[0] if type(op.attr) is tuple else op.attr
    assert isinstance(glob, Global)
    return glob


def key(body: Body, op: Op, glob: Global) -> str:
    """The expression of an element's key."""
    parts = [body.read(a) for a in op.args[: len(glob.keys)]]
    return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"


def _held_key(body: Body, op: Op, glob: Global) -> str:
    """The key in a name of its own when it is a tuple, so that it is built once."""
    expression = key(body, op, glob)
    if len(glob.keys) == 1:
        return expression
    name = body.fresh("k")
    body.line(f"{name} = {expression}")
    return name


def _operand(body: Body, op: Op, glob: Global) -> str:
    return body.read(op.args[len(glob.keys)])


def _assign(body: Body, state: str, value: str) -> None:
    """Assign a scalar that is a Python global."""
    body.globals[state] = None
    body.line(f"{state} = {value}")


def _wrapped(body: Body, name: str) -> None:
    body.line(f"if not {MIN} <= {name} <= {MAX}: {name} = _wrap({name})")


def _get(body: Body, op: Op) -> None:
    glob = glob_of(op)
    state = body.unit.state(glob)
    if op.dst is None:
        return
    if glob.keys:
        body.set(op.dst, f"{state}.get({key(body, op, glob)}, {missing(glob)})")
    else:
        value = f"{state}.get()" if body.unit.shared(glob) else state
        body.set(op.dst, f"({value} or {missing(glob)})" if glob.parts else value)


def _has(body: Body, op: Op) -> None:
    glob = glob_of(op)
    if op.dst is not None:
        found = f"+({key(body, op, glob)} in {body.unit.state(glob)})" if glob.keys else "1"
        body.set(op.dst, found)
        body.ranges[op.dst] = (0, 1)


def _set(body: Body, op: Op) -> None:
    glob = glob_of(op)
    value = _operand(body, op, glob)
    if glob.keys:
        _store(body, op, glob, _held_key(body, op, glob), value)
    elif body.unit.shared(glob):
        body.line(f"{body.unit.state(glob)}.set({value})")
    else:
        _assign(body, body.unit.state(glob), value)


def _store(body: Body, op: Op, glob: Global, k: str, value: str) -> None:
    """Store an element, within the array's capacity."""
    state = body.unit.state(glob)
    if body.unit.shared(glob):
        body.line(f"{state}.put({k}, {value}, {text(place(op.span, glob.name))})")
        return
    body.line(f"if len({state}) < {glob.capacity} or {k} in {state}: {state}[{k}] = {value}")
    if glob.wrap:
        body.line("else:")
        body.line(f" del {state}[next(iter({state}))]")
        body.line(f" {state}[{k}] = {value}")
    else:
        body.line(f"else: {_overflow(body, op, glob)}")


def _overflow(body: Body, op: Op, glob: Global) -> str:
    if glob.full == "warn":
        return f"_map_full({body.unit.index(glob)})"
    return f"raise _ScriptError(_OVERFLOW, {text(place(op.span, glob.name))})"


def _add(body: Body, op: Op) -> None:
    _added(body, op, glob_of(op), "")


def _add_fetch(body: Body, op: Op) -> None:
    _added(body, op, glob_of(op), op.attr[1])


def _added(body: Body, op: Op, glob: Global, fetch: str) -> None:
    """Add to a value; fetch: "old" or "new" for what the result is."""
    state = body.unit.state(glob)
    shared = body.unit.shared(glob)
    k = _held_key(body, op, glob) if glob.keys else ""
    amount = _operand(body, op, glob)
    if shared:
        method = f"{state}.add({k + ', ' if k else ''}{amount}, {text(place(op.span, glob.name))})"
        if op.dst is None or not fetch:
            body.line(method)
        elif fetch == "new":
            body.set(op.dst, method)
        else:
            body.set(op.dst, f"_wrap({method} - {amount})")
        return
    old = body.fresh("o")
    new = body.fresh("n")
    body.line(f"{old} = {f'{state}.get({k}, 0)' if k else state}")
    body.line(f"{new} = {old} + {amount}")
    _wrapped(body, new)
    if k:
        _store(body, op, glob, k, new)
    else:
        _assign(body, state, new)
    if op.dst is not None and fetch:
        body.set(op.dst, old if fetch == "old" else new)


def _insert(body: Body, op: Op) -> None:
    """Store unless there is something. Only event handlers do it, so the state is the user stage's own."""
    glob, mode = op.attr
    state = body.unit.state(glob)
    value = _operand(body, op, glob)
    k = _held_key(body, op, glob) if glob.keys else ""
    if op.dst is not None:
        body.set(op.dst, "0")
    if not k:
        body.line(f"if not {state}:")
    elif mode == "absent":
        body.line(f"if {k} not in {state}:")
    else:
        body.line(f"if not {state}.get({k}, 0):")
    body.indent += 1
    if k:
        _store(body, op, glob, k, value)
    else:
        _assign(body, state, value)
    if op.dst is not None:
        body.set(op.dst, "1")
    body.indent -= 1


def _push(body: Body, op: Op) -> None:
    glob = glob_of(op)
    state = body.unit.state(glob)
    value = _operand(body, op, glob)
    if not glob.keys:
        body.line(f"{state}.push({value})")
        return
    k = _held_key(body, op, glob)
    stat = body.fresh("s")
    body.line(f"{stat} = {state}.get({k})")
    body.line(f"if {stat} is None:")
    if glob.wrap:
        body.line(f" if len({state}) >= {glob.capacity}: del {state}[next(iter({state}))]")
    else:
        body.line(f" if len({state}) >= {glob.capacity}: {_overflow(body, op, glob)}")
    make = f"{stat} = {state}[{k}] = _new{body.unit.index(glob)}()"
    if glob.full == "warn" and not glob.wrap:
        body.line(f" else: {make}")
        body.line(f"if {stat} is not None: {stat}.push({value})")
    else:
        body.line(f" {make}")
        body.line(f"{stat}.push({value})")


def _delete(body: Body, op: Op) -> None:
    glob = glob_of(op)
    if glob.keys:
        body.line(f"{body.unit.state(glob)}.pop({key(body, op, glob)}, None)")
    else:
        _reset(body, glob)


def _reset(body: Body, glob: Global) -> None:
    state = body.unit.state(glob)
    if glob.value == "stat":
        body.line(f"{state}.reset()")
    elif body.unit.shared(glob):
        body.line(f"{state}.set({MISSING[glob.value]})")
    else:
        _assign(body, state, MISSING[glob.value])


def _delete_slice(body: Body, op: Op) -> None:
    glob, mask = op.attr
    state = body.unit.state(glob)
    args = iter(op.args)
    many = len(glob.keys) > 1
    tests = [
        f"_e{f'[{at}]' if many else ''} == {body.read(next(args))}"
        for at, wanted in enumerate(mask)
        if wanted
    ]
    if not tests:
        body.line(f"{state}.clear()")
        return
    body.line(f"for _e in [_e for _e in {state} if {' and '.join(tests)}]: {state}.pop(_e, None)")


def _clear(body: Body, op: Op) -> None:
    glob = glob_of(op)
    if glob.keys:
        body.line(f"{body.unit.state(glob)}.clear()")
    else:
        _reset(body, glob)


def _zero(body: Body, op: Op) -> None:
    glob = glob_of(op)
    state = body.unit.state(glob)
    if not glob.keys:
        _reset(body, glob)
    elif glob.value == "stat":
        body.line(f"for _e in {state}.values(): _e.reset()")
    else:
        body.line(f"for _e in list({state}): {state}[_e] = {missing(glob)}")


def _size(body: Body, op: Op) -> None:
    glob = glob_of(op)
    if op.dst is not None:
        body.set(op.dst, f"len({body.unit.state(glob)})" if glob.keys else "1")
        body.ranges[op.dst] = (0, 1 << 40)


def _element(body: Body, op: Op, glob: Global) -> str:
    state = body.unit.state(glob)
    return f"{state}.get({key(body, op, glob)})" if glob.keys else state


def _stat(body: Body, op: Op) -> None:
    glob, name = op.attr[0], op.attr[1]
    params = op.attr[2] if len(op.attr) > 2 else None
    element = _element(body, op, glob)
    quiet = glob.stat is not None and glob.stat.kind != "stat"
    extra = f", {params!r}" if params else ""
    if quiet or name in ("count", "sum"):
        body.set(op.dst, f"_stat_or_0({element}, {name!r}{extra})")
    else:
        body.set(op.dst, f"_stat({element}, {name!r}, {text(place(op.span, '@' + name))}{extra})")


def _hist_bucket(body: Body, op: Op) -> None:
    glob, kind = op.attr[0], op.attr[1]
    index = body.read(op.args[-1])
    where = text(place(op.span, f"@hist_{kind}"))
    body.set(op.dst, f"_hist_bucket({_element(body, op, glob)}, {kind!r}, {index}, {where})")


def _print_hist(body: Body, op: Op) -> None:
    glob, kind = op.attr[0], op.attr[1]
    where = text(place(op.span, f"@hist_{kind}"))
    body.line(f"_print_hist({_element(body, op, glob)}, {kind!r}, {where})")


def _print_map(body: Body, op: Op) -> None:
    args = "".join([f", {body.read(a)}" for a in op.args])
    body.line(f"_print_map({body.unit.index(glob_of(op))}{args})")


EMIT: dict[str, Emit] = {
    "get": _get,
    "has": _has,
    "set": _set,
    "add_to": _add,
    "add_fetch": _add_fetch,
    "insert": _insert,
    "push": _push,
    "delete": _delete,
    "delete_slice": _delete_slice,
    "clear": _clear,
    "zero": _zero,
    "size": _size,
    "stat": _stat,
    "hist_bucket": _hist_bucket,
    "print_hist": _print_hist,
    "print_map": _print_map,
}
