"""Operators and assignments of C -> IR."""

from __future__ import annotations

from ...btf import types as t
from ...ir.nodes import Const, Text
from ..build import wrap
from .access import address, element, member, name, pointed
from .calls import call
from .fold import literal, unescape
from .types import INT, LONG, TEXT, ULONG
from .values import Value, cut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..build import Operand
    from .lower import Lower

    Node = Any

_SIGNED = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_UNSIGNED = {"<": "ult", "<=": "ule", ">": "ugt", ">=": "uge"}
_ARITHMETIC = {"+": "add", "-": "sub", "*": "mul", "&": "and", "|": "or", "^": "xor"}
_SAME = frozenset("&|^")  # of two values that fit a type, these fit it too


def literal_(c: Lower, node: Node, used: bool) -> Value:
    """A number, a character or a string."""
    if node.type == "string":
        text = "".join(unescape(part) for part in _strings(node.value))
        return Value(TEXT, Text(text))
    value = literal(node)
    if value is None:
        raise c.refuse("floating point", node)
    return Value(_literal_type(node.value, value), Const(wrap(value)))


def _strings(text: str) -> list[str]:
    """Return the inside of a string literal (pycparser has joined adjacent ones)."""
    if not text.startswith('"'):
        text = text[text.index('"') :]
    return [text[1:-1]]


def _literal_type(text: str, value: int) -> t.Int:
    from .types import UINT

    suffix = text[len(text.rstrip("uUlL")) :].lower() if "'" not in text else ""
    unsigned = "u" in suffix
    plain = not text.lower().startswith("0") or text == "0"
    if "l" not in suffix:
        if value < 1 << 31 and not unsigned:
            return INT
        if value < 1 << 32 and (unsigned or not plain):
            return UINT
    return ULONG if unsigned or value >= 1 << 63 else LONG


def cast(c: Lower, node: Node, used: bool) -> Value:
    """`(type)value`."""
    target = c.types.of(node.to_type, c.span(node))
    value = c.expr(node.expr, used)
    here = c.types.resolve(target)
    if isinstance(here, t.Void):
        return Value(INT, Const(0))
    if isinstance(here, (t.Composite, t.Array)):
        raise c.refuse("a cast to a struct or array", node)
    if value.is_text and isinstance(here, t.Ptr):
        return value
    operand, source = c.scalar(value, node.expr)
    return Value(target, c.convert(operand, source, target))


def unary(c: Lower, node: Node, used: bool) -> Value:
    """`- + ~ ! & * sizeof ++ --`."""
    op = node.op
    if op == "sizeof":
        return Value(ULONG, Const(_sizeof(c, node.expr)))
    if op == "_Alignof":
        raise c.refuse("_Alignof", node)
    if op == "&":
        return address(c, node)
    if op == "*":
        return pointed(c, node)
    if op in ("++", "--", "p++", "p--"):
        return _step(c, node, used)
    if op == "!":
        equal = _equal_texts(c, node.expr, "==")
        if equal is not None:
            return equal
    value = c.expr(node.expr)
    operand, type = c.scalar(value, node.expr)
    if op == "!":
        if isinstance(operand, Const):
            return Value(INT, Const(int(operand.value == 0)))
        return Value(INT, c.b.op("lnot", (operand,)))
    if c.types.integer(type) is None:
        raise c.error("E160", f"'{op}' of a pointer", node)
    common = c.types.promoted(type)
    operand = c.convert(operand, type, common)
    if op == "+":
        return Value(common, operand)
    if isinstance(operand, Const):
        result = -operand.value if op == "-" else ~operand.value
        return Value(common, cut(result, common.size, common.signed))
    return Value(common, _fit(c, c.b.op("neg" if op == "-" else "not", (operand,)), common))


def _sizeof(c: Lower, node: Node) -> int:
    span = c.span(node)
    if node.__class__.__name__ == "Typename":
        return c.types.sizeof(c.types.of(node, span), span)
    if node.__class__.__name__ == "Constant" and node.type == "string":
        return len(unescape(_strings(node.value)[0])) + 1
    before = c.b.into([])  # nothing of the operand runs
    value = c.expr(node)
    c.b.into(before)
    if value.variable is not None and value.variable.size:
        return value.variable.size
    return c.types.sizeof(value.type, span)


def _fit(c: Lower, operand: Operand, type: t.Int) -> Operand:
    """Return the result of an operation cut to its type."""
    if type.size == 8:
        return operand
    return c.b.op("sext" if type.signed else "zext", (operand,), 8 * type.size)


def _step(c: Lower, node: Node, used: bool) -> Value:
    variable = c.expr(node.expr).variable
    if variable is None or variable.text:
        raise _not_assignable(c, node.expr)
    b = c.b
    old: Operand = variable.local
    if node.op.startswith("p") and used:
        old = b.temp()
        b.mov(old, variable.local)
    pointee = c.types.pointee(variable.type)
    step = c.types.sizeof(pointee, c.span(node)) if pointee is not None else 1
    new = b.op("add", (variable.local, Const(step if node.op.endswith("++") else -step)))
    c.assign(variable, new, LONG, node)
    return Value(variable.type, old) if node.op.startswith("p") else Value(variable.type, variable=variable)


def _not_assignable(c: Lower, node: Node) -> Exception:
    return c.refuse("writing to the kernel's memory", node, "C code here may read the kernel and compute")


def binary(c: Lower, node: Node, used: bool) -> Value:
    """Arithmetic, comparisons, logic."""
    op = node.op
    if op in ("&&", "||"):
        return _logical(c, node)
    if op in ("==", "!="):
        for one, other in ((node.left, node.right), (node.right, node.left)):
            if literal(other) == 0:
                equal = _equal_texts(c, one, op)
                if equal is not None:
                    return equal
    left_value = c.expr(node.left)
    left, left_type = c.scalar(left_value, node.left)
    left = c.b.copy(left) if _changes(node.right) else left
    right, right_type = c.scalar(c.expr(node.right), node.right)
    return operate(c, op, (left, left_type), (right, right_type), node)


def _changes(node: Node) -> bool:
    from .texts import walk

    return any(
        n.__class__.__name__ in ("Assignment", "FuncCall")
        or (n.__class__.__name__ == "UnaryOp" and n.op in ("++", "--", "p++", "p--"))
        for n in walk(node)
    )


def operate(
    c: Lower, op: str, left: tuple[Operand, t.Type], right: tuple[Operand, t.Type], node: Node
) -> Value:
    """Write a binary operation on two values."""
    types = c.types
    a, a_type = left
    b, b_type = right
    a_int, b_int = types.integer(a_type), types.integer(b_type)
    if op in ("==", "!=", "<", "<=", ">", ">="):
        return _compare(c, op, left, right)
    if a_int is None or b_int is None:
        return _pointer(c, op, left, right, node)
    if op in ("<<", ">>"):
        common = types.promoted(a_type)
        a = c.convert(a, a_type, common)
        if op == ">>":
            return Value(common, c.b.op("sar" if common.signed else "shr", (a, b)))
        return Value(common, _fit(c, c.b.op("shl", (a, b)), common))
    common = types.common(a_type, b_type)
    a, b = c.convert(a, a_type, common), c.convert(b, b_type, common)
    if op in ("/", "%"):
        return Value(common, _divide(c, op, a, b, common))
    if isinstance(a, Const) and isinstance(b, Const):
        return Value(common, _folded(op, a, b, common))
    result = c.b.op(_ARITHMETIC[op], (a, b))
    return Value(common, result if op in _SAME else _fit(c, result, common))


def _folded(op: str, a: Const, b: Const, type: t.Int) -> Const:
    x, y = a.value, b.value
    result = {"+": x + y, "-": x - y, "*": x * y, "&": x & y, "|": x | y, "^": x ^ y}[op]
    return cut(result, type.size, type.signed)


def _divide(c: Lower, op: str, a: Operand, b: Operand, type: t.Int) -> Operand:
    """A division by 0 is the run-time error that it is in the script's language."""
    if isinstance(a, Const) and isinstance(b, Const) and b.value > 0 <= a.value:
        return Const(a.value // b.value if op == "/" else a.value % b.value)
    if type.signed or type.size < 8:  # unsigned ones of 32 bits are positive numbers of 64
        result = c.b.op("sdiv_or_error" if op == "/" else "smod_or_error", (a, b))
        return _fit(c, result, type) if type.signed else result
    if not isinstance(b, Const) or not b.value:
        _, els = c.b.branch(b)
        before = c.b.into(els)
        c.b.do("raise", (Text("division by 0"),))
        c.b.into(before)
    return c.b.op("udiv_or_zero" if op == "/" else "umod_or_zero", (a, b))


def _compare(c: Lower, op: str, left: tuple[Operand, t.Type], right: tuple[Operand, t.Type]) -> Value:
    a, a_type = left
    b, b_type = right
    signed = False
    if c.types.integer(a_type) is not None and c.types.integer(b_type) is not None:
        common = c.types.common(a_type, b_type)
        a, b = c.convert(a, a_type, common), c.convert(b, b_type, common)
        signed = common.signed
    if op in ("==", "!="):
        name_ = "eq" if op == "==" else "ne"
    else:
        name_ = (_SIGNED if signed else _UNSIGNED)[op]
    return Value(INT, c.b.op(name_, (a, b)))


def _pointer(
    c: Lower, op: str, left: tuple[Operand, t.Type], right: tuple[Operand, t.Type], node: Node
) -> Value:
    """`p + n`, `n + p`, `p - n`, `p - q`."""
    types = c.types
    (a, a_type), (b, b_type) = left, right
    if op == "+" and types.pointee(a_type) is None:
        (a, a_type), (b, b_type) = right, left
    pointee, other = types.pointee(a_type), types.pointee(b_type)
    if op not in "+-" or pointee is None or (op == "+" and other is not None):
        raise c.error("E160", f"'{op}' of pointers", node)
    size = types.sizeof(pointee, c.span(node))
    if other is not None:
        distance = c.b.op("sub", (a, b))
        return Value(LONG, distance if size == 1 else c.b.op("sdiv_or_error", (distance, Const(size))))
    if isinstance(b, Const):
        return Value(a_type, c.b.offset(a, wrap(b.value * size * (1 if op == "+" else -1))))
    if size != 1:
        b = c.b.op("mul", (b, Const(size)))
    return Value(a_type, c.b.op("add" if op == "+" else "sub", (a, b)))


def _equal_texts(c: Lower, node: Node, op: str) -> Value | None:
    """`strcmp(a, b) == 0` and `!strcmp(a, b)`: whether two strings are the same."""
    from .strings import equal

    if (
        node.__class__.__name__ != "FuncCall"
        or node.name.__class__.__name__ != "ID"
        or node.name.name != "strcmp"
    ):
        return None
    return Value(INT, equal(c, node, op == "=="))


def _logical(c: Lower, node: Node) -> Value:
    b = c.b
    ends = node.op == "||"
    left = c.truth(node.left)
    result = b.temp()
    b.mov(result, Const(int(ends)))
    then, els = b.branch(left)
    before = b.into(els if ends else then)
    right = c.truth(node.right)
    b.mov(result, Const(int(right.value != 0)) if isinstance(right, Const) else b.op("ne", (right, Const(0))))
    b.into(before)
    return Value(INT, result)


def ternary(c: Lower, node: Node, used: bool) -> Value:
    """`a ? b : c`."""
    b = c.b
    cond = c.truth(node.cond)
    if isinstance(cond, Const):
        return c.expr(node.iftrue if cond.value else node.iffalse, used)
    then, els = b.branch(cond)
    before = b.into(then)
    one = c.expr(node.iftrue)
    b.into(els)
    other = c.expr(node.iffalse)
    if one.is_text or other.is_text:
        b.into(then)
        first = c.text_of(one, node.iftrue)
        result = b.temp(first.type)
        b.mov(result, first)
        b.into(els)
        b.mov(result, c.text_of(other, node.iffalse))
        b.into(before)
        return Value(TEXT, result)
    b.into(then)
    first, first_type = c.scalar(one, node.iftrue)
    b.into(els)
    second, second_type = c.scalar(other, node.iffalse)
    numbers = c.types.integer(first_type) is not None and c.types.integer(second_type) is not None
    if numbers:
        type: t.Type = c.types.common(first_type, second_type)
    else:
        type = second_type if c.types.integer(first_type) is not None else first_type
    result = b.temp()
    b.mov(result, c.convert(second, second_type, type) if numbers else second)
    b.into(then)
    b.mov(result, c.convert(first, first_type, type) if numbers else first)
    b.into(before)
    return Value(type, result)


def assignment(c: Lower, node: Node, used: bool) -> Value:
    """`a = b`, `a += b`."""
    from .access import assigned
    from .strings import clear_or_none

    op = node.op
    if op == "=" and clear_or_none(c, node):
        return Value(INT, Const(0))
    if op == "=":
        value = c.expr(node.rvalue)
    variable = assigned(c, node.lvalue)
    if variable is None:  # CONTEXT->last_error
        if op != "=":
            raise _not_assignable(c, node.lvalue)
        c.b.do("raise", (c.text_of(value, node.rvalue),))
        return Value(INT, Const(0))
    if op == "=":
        if variable.text and not (isinstance(value.operand, Const) and value.operand.value == 0):
            operand, source = c.text_of(value, node.rvalue), t_text()
        else:
            operand, source = c.scalar(value, node.rvalue)
        c.assign(variable, operand, source, node.rvalue)
        return Value(variable.type, variable=variable)
    right, right_type = c.scalar(c.expr(node.rvalue), node.rvalue)
    if variable.text:
        raise c.refuse("this operator on a string", node)
    result = operate(c, op[:-1], (variable.local, variable.type), (right, right_type), node)
    assert result.operand is not None
    c.assign(variable, result.operand, result.type, node)
    return Value(variable.type, variable=variable)


def t_text() -> t.Type:
    """Return the type of strings."""
    return TEXT


def sequence(c: Lower, node: Node, used: bool) -> Value:
    """`a, b`."""
    value = Value(INT, Const(0))
    last = len(node.exprs) - 1
    for number, item in enumerate(node.exprs):
        value = c.expr(item, used and number == last)
    return value


def compound_literal(c: Lower, node: Node, used: bool) -> Value:
    """`(type){...}`."""
    raise c.refuse("a compound literal", node)


EXPRESSIONS: dict[str, Callable[[Lower, Node, bool], Value]] = {
    "Constant": literal_,
    "ID": name,
    "StructRef": member,
    "ArrayRef": element,
    "Cast": cast,
    "UnaryOp": unary,
    "BinaryOp": binary,
    "TernaryOp": ternary,
    "Assignment": assignment,
    "ExprList": sequence,
    "FuncCall": call,
    "CompoundLiteral": compound_literal,
}
