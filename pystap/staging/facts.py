"""What staging knows of single operations: where they can run, what they do to which global, whether they may fail."""

from __future__ import annotations

from ..builtins import TABLE
from ..ir.nodes import Call, ForEach, Global, Op, Stmt
from ..ir.ops import OPS
from ..ir.walk import statements
from ..opt.simplify import effects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DIVISIONS = {"sdiv_or_error": "/", "smod_or_error": "%"}
OVERFLOW = "Array overflow, check MAXMAPENTRIES"
_NEVER_EMPTY = ("count", "sum")  # statistics that an empty aggregate has, too


def has_effect(op: Op, *kinds: str) -> bool:
    """Whether an operation has an effect of one of these kinds (see `ir/ops.py`)."""
    return not set(kinds).isdisjoint(effects(op).split())


def place(op: Op) -> str:
    """Return where an operation can run: "k", "ku" or "u"."""
    return TABLE[op.attr].place if op.name == "call" else OPS[op.name].place


def global_of(op: Op) -> Global | None:
    """Return the global that an operation works on, or None."""
    if not OPS[op.name].on_global:
        return None
    glob = op.attr[0] if isinstance(op.attr, tuple) else op.attr
    assert isinstance(glob, Global), op
    return glob


# Tables of the library whose elements stand each for itself: nothing relies on two accesses being one step, or on
# what comes last being left out.
LOOSE = "__loose_"


def lasting(op: Op, glob: Global) -> bool:
    """Whether an operation changes a global of the script's own."""
    return "write" in OPS[op.name].effects and not glob.internal and not glob.name.startswith(LOOSE)


def key_operands(op: Op, glob: Global) -> tuple[Any, ...]:
    """Return the operands that are keys."""
    if op.name in ("clear", "zero", "size", "print_map"):
        return ()
    return op.args[: len(glob.keys)]


def global_ops(body: list[Stmt]) -> list[tuple[Op, Global]]:
    """Return the body's operations on globals, each with its global."""
    return [(s, g) for s in statements(body) if isinstance(s, Op) and (g := global_of(s)) is not None]


def user_globals(body: list[Stmt], seen: set[int] | None = None) -> dict[Global, set[str]]:
    """Return the globals that a user-stage body touches, calls included, with the names of the operations."""
    seen = set() if seen is None else seen
    found: dict[Global, set[str]] = {}
    for stmt in statements(body):
        if isinstance(stmt, Op) and (glob := global_of(stmt)) is not None:
            found.setdefault(glob, set()).add(stmt.name)
        elif isinstance(stmt, ForEach):
            found.setdefault(stmt.glob, set()).add("foreach")
        elif isinstance(stmt, Call) and id(stmt.func) not in seen:
            seen.add(id(stmt.func))
            for glob, names in user_globals(stmt.func.body, seen).items():
                found.setdefault(glob, set()).update(names)
    return found


def exits(call: Call, seen: set[int] | None = None) -> bool:
    """Return whether a function of the user stage, or one that it calls, calls exit()."""
    seen = set() if seen is None else seen
    if id(call.func) in seen:
        return False
    seen.add(id(call.func))
    for stmt in statements(call.func.body):
        if (isinstance(stmt, Op) and stmt.name == "exit") or (isinstance(stmt, Call) and exits(stmt, seen)):
            return True
    return False


def in_order(op: Op) -> bool:
    """Whether the splitter can have an operation's error raised in the user stage where the script meets it."""
    return op.name in ("raise", *DIVISIONS) or getattr(op.attr, "fault", "") in ("error", "zero", "capture")


def may_end(op: Op) -> bool:
    """Whether an operation in the user stage may raise, so that only there it is known whether what follows happens."""
    if "fault" not in effects(op):
        return False
    return getattr(op.attr, "fault", "") != "zero" and not (op.name == "stat" and op.attr[1] in _NEVER_EMPTY)
