"""Pass 3: the statements that probe kinds give, and leaving out what no handler reads.

A kind's prologue is SystemTap text, parsed here. Then assignments in aliases of variables that the handler never
reads are dropped, so that an alias costs (and can fail) only for what is used of it.
"""

from __future__ import annotations

from ...diag import Bag
from ...lang.stp import ast
from ...lang.stp.parser import PreprocEnv, parse
from ...probes.base import HIDDEN
from ...source import Source
from .pure import Purity
from .symbols import FileScope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .symbols import Derived
    from .unit import Unit

# Functions that read what was returned without naming it.
_RETURNED = ("returnval", "returnstr")
_RETURN = {"$return", HIDDEN + "return"}


def run(unit: Unit) -> None:
    """Complete the blocks of every handler."""
    complete(unit, unit.probes)


def complete(unit: Unit, probes: list[Derived]) -> None:
    """Complete the blocks of some handlers."""
    purity = Purity(unit)
    made: dict[str, tuple[FileScope, ast.Block]] = {}
    for derived in probes:
        if derived.resolved.prologue is not None:
            used = names_of(derived)
            text = derived.resolved.prologue(used)
            if text:
                part = made.get(text)
                if part is None:
                    part = made[text] = parse_prologue(derived.resolved.text, text)
                derived.parts.insert(0, part)
        if derived.point.span.source is not unit.file.source:
            continue  # a probe of the library itself is kept as it is
        if any(scope.library for scope, _ in derived.parts):
            _elide(derived, purity)


def parse_prologue(point: str, text: str) -> tuple[FileScope, ast.Block]:
    """Return the statements that a kind gave."""
    bag = Bag()
    tree = parse(Source(f"<{point}>", f"probe begin {{\n{text}}}\n"), PreprocEnv(), bag, library=True)
    if bag.items:
        raise RuntimeError(f"prologue of {point}: {bag.items[0]!r} in {text!r}")
    return FileScope(tree, True), tree.probes[0].body


def names_of(derived: Derived) -> set[str]:
    """Return the names of variables in a handler's blocks and conditions."""
    used: set[str] = set()
    for _, block in derived.parts:
        add_names(block, used)
    for _, condition in derived.conditions:
        add_names(condition, used)
    return used


def add_names(node: ast.Ast, used: set[str]) -> None:
    """Add the names of variables under a node."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            used.add(inner.name)
        elif isinstance(inner, ast.Target):
            used.add(inner.name)
            used.add(HIDDEN + inner.name[1:])
        elif isinstance(inner, ast.Call) and inner.name in _RETURNED:
            used |= _RETURN


def _elide(derived: Derived, purity: Purity) -> None:
    """Drop the assignments of a library's blocks that nothing behind them reads."""
    live: set[str] = set()
    for scope, block in derived.parts:
        if not scope.library:
            add_names(block, live)
    for number in range(len(derived.parts) - 1, -1, -1):
        scope, block = derived.parts[number]
        if not scope.library:
            continue
        derived.offered |= {
            s.expr.target.name
            for s in block.body
            if isinstance(s, ast.ExprStmt)
            and isinstance(s.expr, ast.Assign)
            and isinstance(s.expr.target, ast.Name)
        }
        kept = [s for s in reversed(block.body) if _needed(s, live, scope, purity)]
        if len(kept) != len(block.body):
            derived.parts[number] = (scope, block.replace(body=tuple(reversed(kept))))


def _needed(stmt: ast.Stmt, live: set[str], scope: FileScope, purity: Purity) -> bool:
    """Say whether a statement is needed for what is live behind it; then what it reads is live too."""
    if isinstance(stmt, ast.ExprStmt) and isinstance(stmt.expr, ast.Assign) and stmt.expr.op == "=":
        target = stmt.expr.target
        if isinstance(target, ast.Name) and target.name not in scope.globals:
            kept = target.name.startswith(HIDDEN) and any(name.startswith("$$") for name in live)
            if target.name not in live and not kept and purity.pure(stmt.expr.value, scope):
                return False
            add_names(stmt.expr.value, live)
            return True
    elif isinstance(stmt, (ast.If, ast.Try)) and purity.assigns_only(stmt, scope):
        assigned = {
            n.target.name
            for n in ast.walk(stmt)
            if isinstance(n, ast.Assign) and isinstance(n.target, ast.Name)
        }
        if not assigned & live:
            return False
    add_names(stmt, live)
    return True
