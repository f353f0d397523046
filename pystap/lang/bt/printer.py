"""`ast.Program` -> source text that parses to an equal tree.

Comments and the layout of the original are gone. Parentheses stand where precedence needs them.
"""

from __future__ import annotations

from . import ast
from .attach import parts_of
from .expressions import PRECEDENCE
from .lexer import WORD
from .literals import UNITS, escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Levels beside those of the binary operators.
_ANY = 0
_UNARY = 11
_POSTFIX = 12


def print_program(program: ast.Program) -> str:
    """Return the text of a program."""
    out: list[str] = []
    if program.c.includes or program.c.defines or program.c.types:
        out.append(_c_part(program.c))
    if program.config:
        entries = "".join(f"\t{e.key} = {expression(e.value)};\n" for e in program.config)
        out.append(f"config = {{\n{entries}}}\n")
    out += [f'import "{escape(i.path)}";\n' for i in program.imports]
    out += [_declaration(d) for d in program.declarations]
    return "\n".join(out)


def _declaration(node: ast.Probe | ast.Macro | ast.Function | ast.MapDeclaration) -> str:
    if isinstance(node, ast.Probe):
        head = f"{node.name} = " if node.name else ""
        head += ",\n".join(attach_point(a) for a in node.attach)
        if node.predicate is not None:
            head += f"\n/ {expression(node.predicate)} /"
        return f"{head}\n{block(node.body, 0)}\n"
    if isinstance(node, ast.Macro):
        parameters = ", ".join(p.sigil + p.name for p in node.parameters)
        return f"macro {node.name}({parameters})\n{block(node.body, 0)}\n"
    if isinstance(node, ast.Function):
        parameters = ", ".join(f"${p.name} : {type_name(p.type)}" for p in node.parameters)
        returns = f" : {type_name(node.returns)}" if node.returns is not None else ""
        return f"fn {node.name}({parameters}){returns}\n{block(node.body, 0)}\n"
    return f"let @{node.name} = {node.kind}({expression(node.size)});\n"


# ---- attach points ------------------------------------------------------------------------

_PLAIN = WORD | frozenset("*.+-@[]?!#%~^<>=&|()'\\")


def attach_point(node: ast.AttachPoint) -> str:
    """Return the text of an attach point, its parts quoted where they need it."""
    parts = parts_of(node)
    path = {"uprobe": 1, "uretprobe": 1, "usdt": 1, "iter": 2}.get(node.provider, 0)
    return ":".join(_part(p, i == path and i > 0) for i, p in enumerate(parts))


def _part(text: str, path: bool) -> str:
    plain = all(c in _PLAIN or (c == "/" and path) or ord(c) > 0xA0 for c in text)
    return text if plain else f'"{text}"'


# ---- the C part ---------------------------------------------------------------------------


def _c_part(c: ast.CPart) -> str:
    """Return includes, types and definitions; definitions last, for the types have them worked in."""
    lines = [f"#include <{i.name}>" if i.system else f'#include "{i.name}"' for i in c.includes]
    for node in c.types:
        if isinstance(node, ast.CTypedef):
            lines.append(f"typedef {_c_declare(node.type, node.name)};")
        else:
            lines.append(f"{_c_type(node)};")
    for define in c.defines:
        parameters = "" if define.parameters is None else f"({', '.join(define.parameters)})"
        lines.append(f"#define {define.name}{parameters} {define.body}".rstrip())
    return "\n".join(lines) + "\n"


def _c_attributes(packed: bool, aligned: int | None) -> str:
    out = " __attribute__((packed))" if packed else ""
    return out + (f" __attribute__((aligned({aligned})))" if aligned is not None else "")


def _c_type(node: ast.Type) -> str:
    if isinstance(node, ast.CRecord):
        fields = " ".join(_c_field(f) for f in node.fields)
        name = f" {node.name}" if node.name else ""
        return f"{node.kind}{name} {{ {fields} }}" + _c_attributes(node.packed, node.aligned)
    if isinstance(node, ast.CEnum):
        members = ", ".join(f"{n} = {v}" for n, v in node.members)
        name = f" {node.name}" if node.name else ""
        return f"enum{name} {{ {members} }}" + _c_attributes(node.packed, None)
    return type_name(node)


def _c_field(field: ast.CField) -> str:
    text = _c_declare(field.type, field.name)
    attributes = _c_attributes(field.packed, field.aligned)
    if field.bits is not None:
        text += f" : {field.bits}"
    # Behind an anonymous struct they would be the struct's.
    return f"{text}{attributes};" if field.name else f"{attributes.lstrip()} {text};".lstrip()


def _c_declare(node: ast.Type, name: str) -> str:
    """Return C's declaration of `name` with this type."""
    while True:
        if isinstance(node, ast.PointerType):
            name = f"*{name}"
            node = node.to
            if isinstance(node, ast.ArrayType):
                name = f"({name})"
        elif isinstance(node, ast.ArrayType):
            size = "" if node.size is None else expression(node.size)
            name = f"{name}[{size}]"
            node = node.of
        else:
            return f"{_c_type(node)} {name}".rstrip()


# ---- types --------------------------------------------------------------------------------


def type_name(node: ast.Type) -> str:
    """Return the text of a type."""
    if isinstance(node, ast.NamedType):
        return node.name
    if isinstance(node, ast.RecordName):
        return f"{node.kind} {node.name}"
    if isinstance(node, ast.PointerType):
        return f"{type_name(node.to)} *"
    if isinstance(node, ast.ArrayType):
        return f"{type_name(node.of)}[{'' if node.size is None else expression(node.size)}]"
    if isinstance(node, ast.SizedType):
        return f"{node.name}[{expression(node.size)}]"
    if isinstance(node, ast.TypeofType):
        return f"typeof({argument(node.of)})"
    if isinstance(node, ast.TupleType):
        inner = ", ".join(type_name(e) for e in node.elements)
        return f"({inner},)" if len(node.elements) == 1 else f"({inner})"
    if isinstance(node, ast.RecordType):
        return "(" + ", ".join(f"{n} : {type_name(t)}" for n, t in node.fields) + ")"
    raise TypeError(f"not a type of a script: {type(node).__name__}")


# ---- statements ---------------------------------------------------------------------------


def block(node: ast.Block, depth: int) -> str:
    """Return the text of a block whose braces stand `depth` tabs in; the first is not indented."""
    inner = "\t" * (depth + 1)
    lines = [inner + statement(s, depth + 1) for s in node.statements]
    if node.value is not None:
        lines.append(inner + _value(node.value, depth + 1))
    return "\n".join(["{", *lines, "\t" * depth + "}"])


def statement(node: ast.Statement, depth: int) -> str:
    """Return the text of a statement, with the `;` that it needs."""
    return _STATEMENTS[type(node)](node, depth)


def _value(node: ast.Expr, depth: int) -> str:
    """Return a value in a place where no operator can follow."""
    if isinstance(node, ast.BlockExpr):
        return block(node.block, depth)
    if isinstance(node, ast.IfExpr):
        return _if(node, depth)
    return expression(node, _ANY, depth)


def _if(node: ast.If | ast.IfExpr, depth: int) -> str:
    out = []
    rest: ast.Block | ast.If | ast.IfExpr | None = node
    while isinstance(rest, ast.If | ast.IfExpr):
        out.append(f"if ({expression(rest.cond, _ANY, depth)}) {block(rest.then, depth)}")
        rest = rest.orelse
    if rest is not None:
        out.append(block(rest, depth))
    return " else ".join(out)


def _let(node: ast.Let, depth: int) -> str:
    type_ = f" : {type_name(node.type)}" if node.type is not None else ""
    value = f" = {_value(node.value, depth)}" if node.value is not None else ""
    return f"let ${node.name}{type_}{value};"


def _expr_statement(node: ast.ExprStatement, depth: int) -> str:
    text = expression(node.expr, _ANY, depth)
    return f"{text};"


def _for_range(node: ast.ForRange, depth: int) -> str:
    first = expression(node.start, _ANY, depth)
    last = expression(node.end, _ANY, depth)
    return f"for (${node.name} : {first}..{last}) {block(node.body, depth)}"


def _return(node: ast.Return, depth: int) -> str:
    return "return;" if node.value is None else f"return {_value(node.value, depth)};"


_STATEMENTS: dict[type, Callable[[Any, int], str]] = {
    ast.ExprStatement: _expr_statement,
    ast.Assign: lambda n, d: f"{expression(n.target, _ANY, d)} {n.op} {_value(n.value, d)};",
    ast.Discard: lambda n, d: f"_ = {_value(n.value, d)};",
    ast.Let: _let,
    ast.If: _if,
    ast.ForMap: lambda n, d: f"for (${n.name} : @{n.map.name}) {block(n.body, d)}",
    ast.ForRange: _for_range,
    ast.While: lambda n, d: f"while ({expression(n.cond, _ANY, d)}) {block(n.body, d)}",
    ast.Unroll: lambda n, d: f"unroll ({expression(n.count, _ANY, d)}) {block(n.body, d)}",
    ast.BlockStatement: lambda n, d: block(n.block, d),
    ast.Break: lambda n, d: "break;",
    ast.Continue: lambda n, d: "continue;",
    ast.Return: _return,
    ast.Import: lambda n, d: f'import "{escape(n.path)}";',
}


# ---- expressions --------------------------------------------------------------------------


def expression(node: ast.Expr, level: int = _ANY, depth: int = 0) -> str:
    """Return the text of an expression, in parentheses if it binds looser than `level`."""
    own, text = _EXPRESSIONS[type(node)](node, depth)
    return f"({text})" if own < level or own < _ANY else text


def argument(node: ast.Expr | ast.Type, depth: int = 0) -> str:
    """Return the text of what `sizeof`, `typeof` and calls take."""
    return expression(node, _ANY, depth) if isinstance(node, ast.Expr) else type_name(node)


def _list(nodes: tuple[ast.Expr, ...], depth: int) -> str:
    return ", ".join(expression(n, _ANY, depth) for n in nodes)


def _integer(node: ast.Integer, depth: int) -> tuple[int, str]:
    value = node.value // UNITS[node.unit] if node.unit else node.value
    return _POSTFIX, f"{value}{node.unit}{node.suffix}"


def _unary(node: ast.Unary, depth: int) -> tuple[int, str]:
    inner = expression(node.operand, _UNARY, depth)
    gap = " " if inner[0] == node.op else ""
    return _UNARY, f"{node.op}{gap}{inner}"


def _incdec(node: ast.IncDec, depth: int) -> tuple[int, str]:
    target = expression(node.target, _POSTFIX, depth)
    return _UNARY, (node.op + target if node.prefix else target + node.op)


def _binary(node: ast.Binary, depth: int) -> tuple[int, str]:
    level = PRECEDENCE[node.op]
    parts = []
    left: ast.Expr = node
    while isinstance(left, ast.Binary) and PRECEDENCE[left.op] == level:
        parts.append(f" {left.op} {expression(left.right, level + 1, depth)}")
        left = left.left
    parts.append(expression(left, level, depth))
    return level, "".join(reversed(parts))


def _ternary(node: ast.Ternary, depth: int) -> tuple[int, str]:
    parts = []
    rest: ast.Expr = node
    while isinstance(rest, ast.Ternary):
        cond = expression(rest.cond, 1, depth)
        then = "?: " if rest.then is None else f"? {expression(rest.then, _ANY, depth)} : "
        parts.append(f"{cond} {then}")
        rest = rest.orelse
    return 0, "".join(parts) + expression(rest, _ANY, depth)


def _postfix(node: ast.Expr, depth: int) -> tuple[int, str]:
    parts: list[str] = []
    while True:
        if isinstance(node, ast.Member):
            parts.append(("->" if node.arrow else ".") + node.name)
        elif isinstance(node, ast.TupleIndex):
            parts.append(f".{node.index}")
        elif isinstance(node, ast.Index):
            parts.append(f"[{expression(node.index, _ANY, depth)}]")
        else:
            break
        node = node.base
    base = expression(node, _POSTFIX, depth)
    if parts[-1][0] == "[" and isinstance(node, ast.Map):
        base = f"({base})"  # without them a key of the map
    return _POSTFIX, base + "".join(reversed(parts))


def _cast(node: ast.Cast, depth: int) -> tuple[int, str]:
    inner = expression(node.operand, _UNARY, depth)
    if inner[0] in "-+*&":
        inner = f"({inner})"  # `(name)-x` would be a subtraction
    return _UNARY, f"({type_name(node.type)}){inner}"


def _tuple(node: ast.Tuple, depth: int) -> tuple[int, str]:
    inner = _list(node.elements, depth)
    return _POSTFIX, f"({inner},)" if len(node.elements) == 1 else f"({inner})"


def _record(node: ast.Record, depth: int) -> tuple[int, str]:
    return _POSTFIX, "(" + ", ".join(f"{n}={expression(v, _ANY, depth)}" for n, v in node.fields) + ")"


_LAST = -1  # a form that takes all that follows: in parentheses wherever it is part of something

_EXPRESSIONS: dict[type, Callable[[Any, int], tuple[int, str]]] = {
    ast.Integer: _integer,
    ast.Boolean: lambda n, d: (_POSTFIX, "true" if n.value else "false"),
    ast.String: lambda n, d: (_POSTFIX, f'"{escape(n.value)}"'),
    ast.Identifier: lambda n, d: (_POSTFIX, n.name),
    ast.Variable: lambda n, d: (_POSTFIX, f"${n.name}"),
    ast.Map: lambda n, d: (_POSTFIX, f"@{n.name}"),
    ast.MapAccess: lambda n, d: (_POSTFIX, f"@{n.name}[{_list(n.keys, d)}]"),
    ast.Positional: lambda n, d: (_POSTFIX, f"${n.index}"),
    ast.PositionalCount: lambda n, d: (_POSTFIX, "$#"),
    ast.Unary: _unary,
    ast.IncDec: _incdec,
    ast.Binary: _binary,
    ast.Ternary: _ternary,
    ast.Member: _postfix,
    ast.TupleIndex: _postfix,
    ast.Index: _postfix,
    ast.Cast: _cast,
    ast.Call: lambda n, d: (_POSTFIX, f"{n.name}({', '.join(argument(a, d) for a in n.args)})"),
    ast.Sizeof: lambda n, d: (_POSTFIX, f"sizeof({argument(n.of, d)})"),
    ast.Offsetof: lambda n, d: (_POSTFIX, f"offsetof({argument(n.of, d)}, {'.'.join(n.path)})"),
    ast.Tuple: _tuple,
    ast.Record: _record,
    ast.Comptime: lambda n, d: (_LAST, f"comptime {expression(n.operand, _ANY, d)}"),
    ast.IfExpr: lambda n, d: (_LAST, _if(n, d)),
    ast.BlockExpr: lambda n, d: (_LAST, block(n.block, d)),
}
