"""A DWARF expression as a list of operations: `decode(block) -> [(name without DW_OP_, operands), ...]`.

pyelftools takes the bytes apart. GNU's older names are those of DWARF 5 here; what registers and literals have in their
number is an operand. Of jumps the operand is the number of the operation that they lead to, of an entry_value it is the list
of operations. pyelftools is imported when there is one to take apart: those who have none of it import this module, too.
"""

from __future__ import annotations

from .errors import DebugInfoError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from elftools.dwarf.dwarf_expr import DWARFExprParser

    Operation = tuple[str, tuple[Any, ...]]

_LIT0, _REG0, _BREG0, _NUMBERED = 0x30, 0x50, 0x70, 32
_NAMES = {"regx": "reg", "bregx": "breg", "push_tls_address": "form_tls_address"}
_NAMES |= dict.fromkeys(("constu", "consts", *(f"const{n}{s}" for n in (1, 2, 4, 8) for s in "us")), "const")
# Operations that pyelftools doesn't know, or whose operand some versions take for LEB128 (0xFD: a place in the section):
# name, and which one has operands of the same form.
_MORE = {
    0xA9: ("reinterpret", 0xA8),
    0xF9: ("reinterpret", 0xA8),
    0xF0: ("uninit", 0x96),
    0xFD: ("variable_value", 0x0C),
}
_BLOCKS = ("implicit_value", "const_type")  # have bytes, which pyelftools gives as lists of numbers


_PARSER: list[DWARFExprParser] = []


def _parser() -> DWARFExprParser:
    """Return pyelftools' parser, which is told of the rest."""
    if not _PARSER:
        from elftools.dwarf.dwarf_expr import DWARFExprParser
        from elftools.dwarf.structs import DWARFStructs

        made = DWARFExprParser(DWARFStructs(True, 32, 8))
        made._dispatch_table |= {number: made._dispatch_table[alike] for number, (_, alike) in _MORE.items()}
        _PARSER.append(made)
    return _PARSER[0]


def decode(block: bytes) -> list[Operation]:
    """Return the operations; DebugInfoError where there is one that nobody knows, so that its length isn't known."""
    from elftools.common.exceptions import ELFError

    try:
        return _plain(_parser().parse_expr(block), len(block))
    except (ELFError, KeyError) as error:  # KeyError: an operation that isn't known
        raise DebugInfoError(f"an expression can't be read: {error!r}") from None


def _plain(parsed: list[Any], size: int) -> list[Operation]:
    starts = {operation.offset: n for n, operation in enumerate(parsed)} | {size: len(parsed)}
    out = []
    for n, operation in enumerate(parsed):
        name, operands = _one(operation)
        if name in ("bra", "skip"):
            behind = parsed[n + 1].offset if n + 1 < len(parsed) else size
            if behind + operands[0] not in starts:
                raise DebugInfoError("a jump leads nowhere")
            operands = (starts[behind + operands[0]],)
        out.append((name, operands))
    return out


def _one(operation: Any) -> Operation:
    """Return an operation's name and operands; jumps' as they are written."""
    number, operands = operation.op, tuple(operation.args)
    for first, name in ((_LIT0, "const"), (_REG0, "reg"), (_BREG0, "breg")):
        if first <= number < first + _NUMBERED:
            return name, (number - first, *operands)
    name = (
        _MORE[number][0] if number in _MORE else operation.op_name.removeprefix("DW_OP_").removeprefix("GNU_")
    )
    name = _NAMES.get(name, name)
    if name in _BLOCKS:
        operands = (*operands[:-1], bytes(operands[-1]))
    elif name == "entry_value":
        operands = ([_one(inner) for inner in operands[0]],)
    return name, operands
