"""Where the types of accesses come from: casts with their headers and modules, and `@var`.

A cast's third argument is a list, `:` between: `kernel`, `kernel<a/header.h>` and `<a/header.h>` mean the kernel's BTF,
another word the BTF of that module. Without one, the module of the probe is asked before the kernel.
"""

from __future__ import annotations

from ...btf import Btf
from ...btf import types as bt
from ...btf.kinds import G_STRUCT
from ...diag import did_you_mean, fail
from ...lang.stp import ast
from ...probes.base import untyped
from ..kernel_vars import VARIABLES
from ..paths import Walk, parse_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .check import Checker

_VAR_HINT = 'give the type of what lies there: @cast(&@var("name"), "struct type")'


def home(c: Checker, type: bt.Type | None) -> Btf:
    """Return the types that a type's own forward declarations are completed from."""
    kernel: Btf = c.unit.target.btf
    if type is not None and isinstance(type.btf, Btf) and type.btf.base is not None:
        return type.btf
    return of_module(c, _own_module(c)) or kernel


def of_module(c: Checker, name: str) -> Btf | None:
    """Return a module's types, or None."""
    module = c.unit.target.module
    return module(name) if name and module is not None else None


def _own_module(c: Checker) -> str:
    context = c.body.context
    return context.module if context is not None and context.module != "kernel" else ""


def cast(c: Checker, e: ast.Cast) -> tuple[Btf, bt.Type]:
    """Return what a cast says that its value points to, and the types that it is from."""
    kernel: Btf = c.unit.target.btf
    text = e.type.strip()
    places: list[Btf] = []
    absent = ""
    others = ""
    for word in (e.module or "").split(":") if e.module else (_own_module(c), "kernel"):
        name = word.partition("<")[0].strip()
        if not name or name == "kernel":
            if word:
                places.append(kernel)
        elif "/" in name:
            others = "types of processes are not supported yet"
        else:
            found = of_module(c, name)
            if found is not None:
                places.append(found)
            else:
                absent = name
    for btf in places or ([] if absent or others else [kernel]):
        type = parse_type(btf, text)
        if type is not None:
            return btf, type
    if c.unit.target.untyped and kernel in (places or [kernel]):
        raise untyped(c.unit.target, f"'{text}'", e.span)
    raise _unknown(e, text, places[-1] if places else kernel, absent, others)


def _unknown(e: ast.Cast, text: str, btf: Btf, absent: str, others: str) -> Exception:
    hints: list[str] = []
    bare = (text.split() or [""])[-1].rstrip("*")
    near = did_you_mean(bare, btf.names(G_STRUCT, bare[:2] + "*")) if len(bare) > 3 else None
    if near and near != bare:
        hints.append(f"did you mean 'struct {near}'?")
    if absent:
        hints.append(f"the module '{absent}' isn't loaded, or has no BTF")
    elif others:
        hints.append(others)
    elif e.module and ("<" in e.module or e.module.startswith("kernel")):
        hints.append("types come from the kernel's BTF, not from headers")
    return fail("E237", f"there is no type '{text}' in this kernel", e.span, *hints)


def variable(c: Checker, e: ast.Var) -> Walk:
    """Return the walk that begins at a variable of the kernel."""
    btf: Btf = c.unit.target.btf
    name = e.name.partition("@")[0]
    if not c.scope.library and not symbol_known(c, e):
        hint = "the kernel's table of symbols may have functions only (CONFIG_KALLSYMS_ALL)"
        raise fail("E236", f"this kernel has no variable '{name}'", e.span, hint)
    if c.unit.target.untyped:
        raise untyped(c.unit.target, f"@var({e.name})", e.span)
    what = f"@var({e.name})"
    found = btf.find_var(name)
    if found is not None:
        walk = Walk(btf, found.type, what)
        walk._enter(e.span)
        return walk
    words = VARIABLES.get(name, "")
    type = parse_type(btf, words.partition("[")[0]) if words else None
    if type is not None:
        walk = Walk(btf, type, what)
        if "[" not in words or (e.address_of and not e.accessors):
            walk._enter(e.span)
        return walk
    if e.address_of and not e.accessors:
        walk = Walk(btf, btf.find_scalar("char"), what)  # whatever it is
        walk._enter(e.span)
        return walk
    raise fail("E236", f"the type of '{name}' isn't in the kernel's BTF", e.span, _VAR_HINT)


def symbol_known(c: Checker, e: ast.Var) -> bool:
    """Say whether the kernel has a symbol of that name, as far as is known."""
    symbols = c.unit.target.symbols
    return symbols is None or symbols.address(e.name.partition("@")[0]) is not None


def is_percpu(c: Checker, name: str) -> bool:
    """Say whether a variable exists once for each CPU: those are the variables that BTF has in `.data..percpu`."""
    btf: Btf = c.unit.target.btf
    found = btf.find_var(name)
    section = btf.find_datasec(".data..percpu")
    return found is not None and section is not None and any(id == found.id for id, _, _ in section.entries)
