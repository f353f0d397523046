"""Arrays of bytes: `pton()`, and arrays compared with each other."""

from __future__ import annotations

from ...ir.nodes import Const
from ...lang.bt import ast
from ..build import wrap
from .body import error, later
from .types import BOOL, T, name
from .values import Mem, Val, number, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..build import Operand
    from .body import Body

BYTE = T("int", 1, False)
AF_INET, AF_INET6 = 2, 10


def constant(data: bytes) -> Val:
    """An array of bytes that is known when the script is compiled."""
    from .ctypes_ import Made

    def element(body: Body, at: int) -> Val:
        return number(data[at], BYTE)

    return Val(T("array", 0, False, Made.array(Made.integer(BYTE), len(data))), None, None, data, element)


def pton(body: Body, call: ast.Call) -> Val:
    """`pton("address")`: 4 or 16 bytes in network order."""
    node = call.args[0]
    text = body.literal(node, "the address of pton()")
    from _socket import inet_pton

    try:
        return constant(inet_pton(AF_INET6 if ":" in text else AF_INET, text))
    except OSError:
        raise error("E207", f"'{text}' is no address of IPv4 or IPv6", node.span) from None


def ntop(data: bytes) -> str:
    """A known address as text."""
    from _socket import inet_ntop

    return inet_ntop(AF_INET if len(data) == 4 else AF_INET6, data)


def equal(body: Body, op: str, left: Val, right: Val, e: ast.Binary) -> Val:
    """`==` and `!=` of two arrays of the same size, word by word."""
    size = size_of(left.type)
    if size != size_of(right.type):
        raise error("E251", f"{name(left.type)} can't be compared with {name(right.type)}", e.span)
    if isinstance(left.const, bytes) and isinstance(right.const, bytes):
        known = int((left.const == right.const) == (op == "=="))
        return Val(BOOL, [Const(known)], None, known)
    result: Operand | None = None
    at = 0
    while at < size:
        step = next(n for n in (8, 4, 2, 1) if n <= size - at)
        one, two = (_word(body, value, at, step, e) for value in (left, right))
        got = body.b.op("eq", (one, two))
        result = got if result is None else body.b.op("and", (result, got))
        at += step
    if result is None:
        return number(int(op == "=="), BOOL)
    return Val(BOOL, [body.b.op("lnot", (result,)) if op == "!=" else result])


def _word(body: Body, value: Val, at: int, size: int, e: ast.Binary) -> Operand:
    """Some bytes of an array as a number."""
    if isinstance(value.const, bytes):
        return Const(wrap(int.from_bytes(value.const[at : at + size], "little")))
    mem = value.mem
    if mem is None:
        raise later(f"comparing {name(value.type)} that isn't in memory", e.span)
    place = Mem(mem.base, mem.off + at, mem.struct, mem.space, mem.what)
    return body.ops(Val(T("int", size, False), None, place))[0]


def known_word(value: Val) -> Val | None:
    """The bytes of a known array as one integer, for a cast."""
    if isinstance(value.const, bytes) and len(value.const) in (1, 2, 4, 8):
        return number(int.from_bytes(value.const, "little"), T("int", len(value.const), False))
    return None
