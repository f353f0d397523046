"""Which functions can come to call themselves: the strongly connected parts of the call graph, in linear time."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .symbols import FunctionInstance


# Functions that are too large to be inlined, as recursive ones can't be: the user stage calls them.
_KEPT = frozenset({"__syscall_argstr", "__sockaddr_family", "__sockaddr_words"})


def mark(functions: list[FunctionInstance]) -> None:
    """Set `recursive` of every function that lies on a cycle of calls."""
    for function in functions:
        function.recursive = function.name in _KEPT
    order: dict[FunctionInstance, int] = {}
    low: dict[FunctionInstance, int] = {}
    open_: list[FunctionInstance] = []  # seen, and not yet known to be in a finished part
    waiting: set[FunctionInstance] = set()
    for root in functions:
        if root in order:
            continue
        path = [(root, iter(root.callees))]
        order[root] = low[root] = len(order)
        open_.append(root)
        waiting.add(root)
        while path:
            function, callees = path[-1]
            for callee in callees:
                if callee not in order:
                    order[callee] = low[callee] = len(order)
                    open_.append(callee)
                    waiting.add(callee)
                    path.append((callee, iter(callee.callees)))
                    break
                if callee in waiting:
                    low[function] = min(low[function], order[callee])
            else:
                path.pop()
                if path:
                    caller = path[-1][0]
                    low[caller] = min(low[caller], low[function])
                if low[function] == order[function]:
                    _close(function, open_, waiting)


def _close(head: FunctionInstance, open_: list[FunctionInstance], waiting: set[FunctionInstance]) -> None:
    part = []
    while True:
        function = open_.pop()
        waiting.discard(function)
        part.append(function)
        if function is head:
            break
    if len(part) > 1 or head in head.callees:
        for function in part:
            function.recursive = True
