"""Variables of a place in the code: where debug information says they are, with the kernel's own types.

    known, missing, parameters = variables(info, spot, btf, Machine(arch, moved))

A variable that is known is read by op "located": attr = (location, bytes, signed, is it an address). Locations are as
`debuginfo.expressions` has them, with names of registers instead of numbers.
"""

from __future__ import annotations

from ...btf import BtfError
from ...btf import types as t
from ...btf.layout import sizeof
from ...debuginfo.expressions import GONE, parts
from ..base import Variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ...btf import Btf
    from ...debuginfo import DebugInfo, Spot

# Registers by DWARF's numbers, as the builtin `register` names them.
_X86_64 = ("rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", *(f"r{n}" for n in range(8, 16)), "rip")
REGISTERS: dict[str, tuple[str, ...]] = {"x86_64": _X86_64}
WORD = 8


class Unavailable(Exception):
    """A variable can't be read here; the text says why."""


class Machine:
    """Where variables are read: names of registers, and how far the kernel moved from where its file has it."""

    __slots__ = ("_moved", "registers")

    def __init__(self, arch: str, moved: Callable[[], int | None]) -> None:
        self.registers = REGISTERS.get(arch, ())
        self._moved = moved

    def address(self, linked: int) -> int:
        """Return the running kernel's address of one in its file."""
        by = self._moved()
        if by is None:
            raise Unavailable("it is static, and this kernel hides its addresses")
        return linked + by


class _Pointer(t.Ptr):
    """A pointer that BTF need not have."""

    __slots__ = ("_to",)

    def __init__(self, btf: Btf, to: t.Type) -> None:
        super().__init__(btf, 0, "", to.id)
        self._to = to

    @property
    def type(self) -> t.Type:
        return self._to


class _Array(t.Array):
    """An array that BTF need not have."""

    __slots__ = ("_of",)

    def __init__(self, btf: Btf, of: t.Type, count: int) -> None:
        super().__init__(btf, 0, "", of.id, 0, count)
        self._of = of

    @property
    def type(self) -> t.Type:
        return self._of


def variables(
    info: DebugInfo, spot: Spot, btf: Btf, machine: Machine
) -> tuple[list[Variable], dict[str, str], set[str]]:
    """Return (those that can be read, name -> why not of the others, the names of parameters)."""
    known: list[Variable] = []
    missing: dict[str, str] = {}
    parameters: set[str] = set()
    for name, (location, ctype, is_parameter) in info.variables_at(
        spot.address, spot.function, spot.view
    ).items():
        if is_parameter:
            parameters.add(name)
        try:
            known.append(_variable(name, location, ctype, btf, machine))
        except Unavailable as why:
            missing[name] = str(why)
    return known, missing, parameters


def _variable(name: str, location: Any, ctype: tuple[Any, ...], btf: Btf, machine: Machine) -> Variable:
    if location is None:
        raise Unavailable(GONE)
    if location[0] == "lost":
        raise Unavailable(location[1])
    plain = ctype
    while plain[0] == "typedef":
        plain = plain[2]
    type = btf_type(btf, ctype)
    if plain[0] in ("struct", "union", "array"):
        if location[0] != "memory":
            raise Unavailable("it is in registers, in pieces")
        holder = _Pointer(btf, type) if type is not None else None
        return Variable(name, "located", (named(location, machine), WORD, False, True), holder)
    size, signed = _scalar(plain)
    attr = (named(location, machine), size, signed, False)
    return Variable(name, "located", attr, type, 8 * size, signed)


def address_of(variable: Variable, btf: Btf) -> Variable | None:
    """Return the variable's address as a variable, None where it doesn't lie in memory."""
    location, _, _, is_address = variable.attr
    if is_address:
        return variable
    if location[0] != "memory":
        return None
    holder = _Pointer(btf, variable.type) if variable.type is not None else None
    return Variable(variable.name, "located", (location, WORD, False, True), holder)


def held(variable: Variable) -> list[str]:
    """Return the registers whose content at the function's entry a variable takes."""
    return parts(variable.attr[0], "entry") if variable.op == "located" else []


def _scalar(plain: tuple[Any, ...]) -> tuple[int, bool]:
    if plain[0] == "base":
        size, signed = plain[2], plain[3]
    elif plain[0] == "enum":
        size, signed = plain[2] or 4, False
    else:
        size, signed = WORD, False
    if size not in (1, 2, 4, 8):
        raise Unavailable(f"it has {size} bytes")
    return size, signed


def btf_type(btf: Btf, ctype: tuple[Any, ...]) -> t.Type | None:
    """Return the kernel's own type of this name, None where BTF doesn't have it."""
    kind = ctype[0]
    if kind == "ptr":
        to = btf_type(btf, ctype[1])
        return _Pointer(btf, to) if to is not None else None
    if kind == "array":
        of = btf_type(btf, ctype[1])
        return _Array(btf, of, ctype[2]) if of is not None else None
    if kind == "typedef":
        return btf.find_typedef(ctype[1]) or btf_type(btf, ctype[2])
    if kind == "struct":
        return _of_size(btf.find_struct(ctype[1]), ctype[2])
    if kind == "union":
        return _of_size(btf.find_union(ctype[1]), ctype[2])
    if kind == "enum":
        return btf.find_enum(ctype[1])
    if kind == "base":
        return btf.find_scalar(ctype[1])
    return btf.type(0)


def _of_size(found: t.Type | None, size: int) -> t.Type | None:
    """Return a type unless it is another one of the same name."""
    if found is None or not size:
        return found
    try:
        return found if sizeof(found) == size else None
    except BtfError:
        return None


def named(location: Any, machine: Machine) -> Any:
    """Return a location with names of registers, and addresses of the running kernel."""
    kind, what = location
    if kind == "pieces":
        parts = []
        for size, part in what:
            if part is None or part[0] == "lost":
                raise Unavailable("the compiler kept only a part of it here")
            parts.append((size, named(part, machine)))
        return (kind, tuple(parts))
    return (kind, _expression(what, machine))


def _expression(e: Any, machine: Machine) -> Any:
    if e[0] == "const":
        return e
    if e[0] in ("reg", "entry"):
        if e[1] >= len(machine.registers):
            raise Unavailable(f"it is in a register that can't be read here ({e[1]})")
        return (e[0], machine.registers[e[1]])
    if e[0] == "addr":
        return ("const", machine.address(e[1]))
    if e[0] in ("load", "zext", "sext"):
        return (e[0], _expression(e[1], machine), e[2])
    return (e[0], *(_expression(part, machine) for part in e[1:]))
