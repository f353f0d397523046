"""fentry and fexit of many functions: as few programs as what the handler reads allows.

    resolve(unit, attach, functions) -> [Point], or None where each has to be a program of its own

One program each takes long to attach and longer to detach. Functions that have what the handler reads (`args.x`, `argN`,
`retval`) at the same place, with the same type, are one event, attached by kprobes as `points_many` does. fexit's
arguments are not there at a kretprobe: a handler of returns that reads them is attached by fexit, once for each function.
"""

from __future__ import annotations

from ...btf.layout import argument_words
from ...lang.bt import ast
from ...probes.functions.direct import returned
from .points import Point, c_argument
from .points_many import REGISTERS, event_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ...node import Node
    from .points_many import Found
    from .unit import Unit

FEW = 4  # functions that are rather probed by fentry
WHOLE = "args"  # read as a whole: every argument counts
COOKIE = "socket_cookie"  # of a socket as a kprobe doesn't have it


def resolve(unit: Unit, attach: ast.AttachPoint, functions: list[Found]) -> list[Point] | None:
    """Return one point for each set of functions that have the same of what is read."""
    ret = attach.provider == "fexit"
    features = unit.target.features
    if len(functions) <= FEW or unit.options.attach == "fentry" or features is None:
        return None
    if not features("kretprobe" if ret else "kprobe"):
        return None
    wishes = read_by(unit)
    if COOKIE in wishes or (ret and wishes - {"retval"}):
        return None
    sets: dict[object, list[Found]] = {}
    for one in functions:
        key = _alike(unit, one, wishes, ret)
        if key is None:
            return None
        sets.setdefault(key, []).append(one)
    return [by_kprobe(unit, attach, same) for same in sets.values()]


def _alike(unit: Unit, function: Found, wishes: frozenset[str], ret: bool) -> tuple[object, ...] | None:
    """Return what is equal for functions that one handler can read; None for what kprobes can't."""
    btf, proto = unit.types_of(function[0], function[1])
    words = argument_words(proto)
    if ret:
        return (_same(btf, proto.type),) if "retval" in wishes else ()
    out: list[object] = []
    for n, param in enumerate(proto.params):
        if WHOLE not in wishes and param.name not in wishes and f"arg{words[n]}" not in wishes:
            continue
        if words[n + 1] > REGISTERS:
            return None
        out.append((param.name, words[n], _same(btf, param.type)))
    return tuple(out)


def _same(btf: Any, type: Any) -> tuple[int, int]:
    return (id(type.btf) if hasattr(type, "btf") else id(btf), type.id)


def by_kprobe(unit: Unit, attach: ast.AttachPoint, functions: list[Found]) -> Point:
    """Return the point of functions that have the same of what is read, by kprobes; what they read has its types."""
    ret = attach.provider == "fexit"
    kind = "kretprobe" if ret else "kprobe"
    point = event_of(unit, attach, functions, kind)
    point.registers = False
    point.example = functions[0][1] if len(functions) > 1 else ""
    btf, proto = unit.types_of(functions[0][0], functions[0][1])
    if ret:
        result(point, btf, proto, 0)
        return point
    fill(point, btf, proto, REGISTERS)
    return point


def result(point: Point, btf: Any, proto: Any, at: int) -> None:
    """Give a point what its function returns, word `at` of the event, if it returns something."""
    if not returned(proto):
        return
    point.retval = point.fields["retval"] = c_argument(btf, proto.type, at)


def fill(point: Point, btf: Any, proto: Any, most: int) -> None:
    """Give a point of one prototype its `args` and `argN`, as far as they are in the first `most` words."""
    words = argument_words(proto)
    first = dict(zip(words, proto.params, strict=False))
    point.arguments = []
    for n in range(min(most, words[-1])):
        param = first.get(n)
        made = c_argument(btf, param.type if param is not None else None, n)
        point.arguments.append(made)
        if param is not None and param.name:
            point.fields[param.name] = made


# ---- what a handler reads -----------------------------------------------------------------


def read_by(unit: Unit) -> frozenset[str]:
    """Return the names that the probe at hand, or a macro or function of the script, reads of its event."""
    tree = unit.tree
    found: set[str] = set()
    roots: list[Any] = [*tree.macros, *tree.functions]
    if unit.probe is not None:
        roots += [part for part in (unit.probe.predicate, unit.probe.body) if part is not None]
    for root in roots:
        for node in _walk(root):
            _note(node, found)
    return frozenset(found)


def _note(node: Node, found: set[str]) -> None:
    if isinstance(node, ast.Member) and _is_args(node.base):
        found.add(node.name)
    elif isinstance(node, (ast.Identifier, ast.Call)) and node.name.startswith(("arg", "retval", COOKIE)):
        if node.name != WHOLE:
            found.add(node.name)
    elif _is_args(node):
        found.add(WHOLE)


def _is_args(node: Any) -> bool:
    return isinstance(node, (ast.Identifier, ast.Call)) and node.name == WHOLE


def _walk(root: Node) -> Iterator[Node]:
    """Yield the nodes under a node; of `args.name` not `args`."""
    todo: list[Any] = [root]
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, ast.Member) and _is_args(node.base):
            continue
        for name in type(node)._fields:
            value = getattr(node, name)
            parts = value if isinstance(value, tuple) else (value,)
            todo += [part for part in parts if isinstance(part, ast.Syntax)]
