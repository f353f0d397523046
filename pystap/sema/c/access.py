"""Names, members, elements, addresses: where C's values lie."""

from __future__ import annotations

from ...btf import types as t
from ...diag import did_you_mean
from ...ir.nodes import Const, Text
from ..build import wrap
from ..paths import Walk
from .fold import literal
from .helpers import ARRAYS, VARIABLES
from .types import CHAR_T, INT, ULONG, VOID, MadeArray, MadePtr
from .values import Value, Variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..build import Operand
    from .lower import Lower

    Node = Any

RETVALUE = "STAP_RETVALUE"


def words(node: Node) -> str:
    """Return an expression in a few words, for messages."""
    kind = node.__class__.__name__
    if kind == "ID":
        return str(node.name)
    if kind == "StructRef":
        return f"{words(node.name)}{node.type}{node.field.name}"
    if kind == "ArrayRef":
        return f"{words(node.name)}[]"
    if kind == "FuncCall":
        return f"{words(node.name)}()"
    if kind == "Cast":
        return words(node.expr)
    return "*"


# ---------------------------------------------------------------------- names


def name(c: Lower, node: Node, used: bool) -> Value:
    """A variable, an argument, a constant, or one of the kernel's variables."""
    word = node.name
    variable = c.find(word)
    if variable is None and word == RETVALUE:
        variable = c.retvalue(node)
    if variable is None and word.startswith("STAP_ARG_"):
        variable = c.argument(word[9:], node)
    if variable is not None:
        return Value(variable.type, variable=variable)
    special = _SPECIAL.get(word)
    if special is not None:
        return special(c)
    constant = c.library.constant(word)
    if constant is not None:
        return Value(constant[1], Const(wrap(constant[0])))
    return kernel_variable(c, word, node)


def _jiffies(c: Lower) -> Value:
    return Value(ULONG, c.b.op("call", (), "jiffies"))


def _current(c: Lower) -> Value:
    task = c.types.btf.find_struct("task_struct") or VOID
    return Value(MadePtr(task), c.b.op("call", (), "task_current"))


_SPECIAL: dict[str, Callable[[Lower], Value]] = {
    "jiffies": _jiffies,
    "jiffies_64": _jiffies,
    "current": _current,
    "NULL": lambda c: Value(MadePtr(VOID), Const(0)),
    "HZ": lambda c: Value(INT, Const(c.library.target.hz)),
    "MAXSTRINGLEN": lambda c: Value(INT, Const(c.max_string)),
    "true": lambda c: Value(INT, Const(1)),
    "false": lambda c: Value(INT, Const(0)),
    "__func__": lambda c: Value(MadePtr(CHAR_T), Text("f")),
}


def kernel_variable(c: Lower, word: str, node: Node) -> Value:
    """A variable of the kernel's: declared by `extern`, or one of the known ones."""
    type = c.library.variables.get(word)
    if type is None:
        text = VARIABLES.get(word)
        if text is not None:
            type = _known(c, text, ARRAYS.get(word, 0))
    if type is None:
        raise _unknown(c, word, node)
    walk = Walk(c.types.btf, type, word)
    walk.place = True
    walk.type = type
    return Value(type, walk=walk, base=c.b.op("call", (Text(word),), "kernel_addr"))


def _known(c: Lower, text: str, count: int) -> t.Type | None:
    from .types import BOOL_T, LONG, UINT

    basic: dict[str, t.Type] = {
        "int": INT,
        "unsigned int": UINT,
        "long": LONG,
        "unsigned long": ULONG,
        "bool": BOOL_T,
        "void *": MadePtr(VOID),
    }
    type = basic.get(text)
    if type is None:
        type = c.types.btf.find_struct(text.rpartition(" ")[2])
    return MadeArray(type, count) if type is not None and count else type


def _unknown(c: Lower, word: str, node: Node) -> Exception:
    if c.types.btf.find_var(word) is not None:
        return c.refuse(f"the per-CPU variable '{word}'", node)
    if c.library.function(word) is not None or c.types.btf.find_func(word) is not None:
        return c.refuse("the address of a function", node)
    from ...builtins.constants import CONSTANTS

    seen = [n for scope in c.scopes for n in scope]
    seen += [f"STAP_ARG_{p}" for p in c.frame.params]
    near = did_you_mean(word, seen) or did_you_mean(word, CONSTANTS)
    hints = [f"did you mean '{near}'?"] if near else []
    hints.append(f"a variable of the kernel needs its type: extern int {word};")
    return c.error("E209", f"unknown name '{word}' in C code", node, *hints)


# ---------------------------------------------------------------------- members and elements


def member(c: Lower, node: Node, used: bool) -> Value:
    """`a->b`, `a.b`, `THIS->x`."""
    field = node.field.name
    base = node.name
    if base.__class__.__name__ == "ID" and base.name in ("THIS", "CONTEXT") and c.find(base.name) is None:
        if base.name == "THIS":
            variable = this(c, field, node)
            return Value(variable.type, variable=variable)
        raise c.refuse(f"CONTEXT->{field}", node, "the run-time context is SystemTap's own")
    value = c.expr(base)
    here = c.types.resolve(value.type)
    arrow = node.type == "->"
    if arrow and isinstance(here, t.Array) and value.walk is not None:
        value.walk.element(0, 0, c.span(node))
        value.type = here.type
    elif arrow and not isinstance(here, t.Ptr):
        hint = (
            f"write {words(base)}.{field}"
            if isinstance(here, t.Composite)
            else "cast it to a pointer to its struct"
        )
        raise c.error("E231", f"'{words(base)}' is not a pointer", node, hint)
    elif not arrow and not isinstance(here, t.Composite):
        hint = f"write {words(base)}->{field}" if isinstance(here, t.Ptr) else ""
        raise c.error("E231", f"'{words(base)}' is not a struct", node, *([hint] if hint else []))
    return _field(c, value, field, node, words(base))


def _field(c: Lower, value: Value, field: str, node: Node, what: str) -> Value:
    span = c.span(node.field)
    walk = value.walk
    if walk is None:
        pointee = c.types.pointee(value.type)
        operand, _ = c.scalar(value, node)
        value = Value(value.type, walk=Walk(c.types.btf, pointee, what), base=operand)
        walk = value.walk
        assert walk is not None
    walk.field(field, span)
    assert walk.type is not None
    value.type = walk.type
    return value


def this(c: Lower, field: str, node: Node) -> Variable:
    """`THIS->x`, `THIS->__retvalue`."""
    if field == "__retvalue":
        return c.retvalue(node)
    params = c.frame.params
    return c.argument(field if field in params else field.removeprefix("l_"), node)


def element(c: Lower, node: Node, used: bool) -> Value:
    """`a[i]`."""
    value = c.expr(node.name)
    if value.is_text:
        raise c.refuse("a character of a string", node, "stringat(s, i) in the script")
    index = literal(node.subscript)
    operand: Operand | None = None
    if index is None:
        operand, _ = c.scalar(c.expr(node.subscript), node.subscript)
        if isinstance(operand, Const):
            index, operand = operand.value, None
    return _element(c, value, index, operand, node)


def _element(c: Lower, value: Value, index: int | None, operand: Operand | None, node: Node) -> Value:
    span = c.span(node)
    here = c.types.resolve(value.type)
    if not isinstance(here, (t.Ptr, t.Array)):
        raise c.error("E232", f"'{words(node)}' is not an array or pointer", node)
    walk = value.walk
    if walk is None:
        base, _ = c.scalar(value, node)
        value = Value(value.type, walk=Walk(c.types.btf, here.type, words(node)), base=base)
        walk = value.walk
        assert walk is not None
    walk.element(index, len(value.indexes), span)
    if operand is not None:
        value.indexes = (*value.indexes, operand)
    assert walk.type is not None
    value.type = walk.type
    return value


def pointed(c: Lower, node: Node) -> Value:
    """`*p`."""
    value = c.expr(node.expr)
    if value.is_text:
        raise c.refuse("a character of a string", node, "stringat(s, 0) in the script")
    return _element(c, value, 0, None, node)


def address(c: Lower, node: Node) -> Value:
    """`&a->b`."""
    value = c.expr(node.expr)
    if value.walk is None or value.base is None:
        what = "the address of a variable" if value.variable is not None else "the address of a value"
        raise c.refuse(what, node)
    value.walk.address(c.span(node))
    return Value(MadePtr(value.type), _taken(c, value))


def _taken(c: Lower, value: Value) -> Operand:
    from ..paths import Place, emit_value

    assert value.walk is not None and value.base is not None
    found = emit_value(c.b, value.walk, value.base, list(value.indexes))
    return found.operand(c.b) if isinstance(found, Place) else found


def assigned(c: Lower, node: Node) -> Variable | None:
    """Return the variable that is assigned, None for CONTEXT->last_error."""
    kind = node.__class__.__name__
    if kind == "StructRef" and node.name.__class__.__name__ == "ID" and node.name.name == "CONTEXT":
        if node.field.name == "last_error":
            return None
        raise c.refuse(f"CONTEXT->{node.field.name}", node)
    if kind == "ID" and (c.find(node.name) or node.name == RETVALUE or node.name.startswith("STAP_ARG_")):
        variable = name(c, node, True).variable
        assert variable is not None
        return variable
    if kind == "StructRef" and node.name.__class__.__name__ == "ID" and node.name.name == "THIS":
        return this(c, node.field.name, node)
    if kind == "ID":
        kernel = c.library.variables.get(node.name) or VARIABLES.get(node.name) or node.name in _SPECIAL
        if not kernel:
            raise _unknown(c, node.name, node)
    if kind in ("ID", "StructRef", "ArrayRef", "UnaryOp"):
        raise c.refuse("writing to the kernel's memory", node, "C code here may read the kernel and compute")
    raise c.error("E160", "this can't be assigned to", node)
