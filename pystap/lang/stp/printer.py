"""Syntax tree -> text that parses to the same tree (what `-p1` prints).

`print_file`, `print_expression`, `point_text`. Parentheses stand only where the
grammar needs them; every statement ends in `;` or a block, so that no two run together.
"""

from __future__ import annotations

from . import ast
from .ast import deep_recursion
from .expressions import PRECEDENCE
from .text import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

INDENT = "    "
_SIGN = {1: "+", -1: "-"}

# How tightly an expression binds; an operand that binds less than its place asks for gets parentheses.
_ANY = 0.0
_TERNARY = 0.5
_REGEX = PRECEDENCE["=~"] - 0.5  # nothing of its own level may follow it
_UNARY = 20.0
_STEP = 21.0
_VALUE = 22.0


# ---------------------------------------------------------------- expressions


def _strength(node: ast.Expr) -> float:
    kind = type(node)
    if kind is ast.Binary:
        return PRECEDENCE[node.op]  # type: ignore[attr-defined]
    return _STRENGTHS.get(kind, _VALUE)


_STRENGTHS: dict[type, float] = {
    ast.Assign: _ANY,
    ast.Ternary: _TERNARY,
    ast.ArrayIn: PRECEDENCE["in"],
    ast.Regex: _REGEX,
    ast.Unary: _UNARY,
    ast.IncDec: _STEP,
}


def _expr(node: ast.Expr, least: float = _ANY) -> str:
    text = _EXPRESSIONS[type(node)](node)
    return f"({text})" if _strength(node) < least else text


def _list(nodes: tuple[ast.Expr | None, ...]) -> str:
    return ", ".join(["*" if n is None else _expr(n) for n in nodes])


def _number(node: ast.Number) -> str:
    """Return a literal without a sign, which would be an operator."""
    return str(node.value) if node.value >= 0 else hex(node.value + (1 << 64))


def _binary(node: ast.Binary) -> str:
    parts: list[str] = []
    while True:
        level = PRECEDENCE[node.op]
        parts.append(f" {node.op} {_expr(node.right, level + 1)}")
        left = node.left
        if type(left) is not ast.Binary or PRECEDENCE[left.op] < level:
            break
        node = left
    parts.append(_expr(left, level))
    parts.reverse()
    return "".join(parts)


def _regex(node: ast.Regex) -> str:
    return f"{_expr(node.left, PRECEDENCE['=~'])} {node.op} {quote(node.pattern.value)}"


def _ternary(node: ast.Ternary) -> str:
    out = ""
    tail: ast.Expr = node
    while type(tail) is ast.Ternary:
        out += f"{_expr(tail.cond, 1)} ? {_expr(tail.then)} : "
        tail = tail.other
    return out + _expr(tail, _TERNARY)


def _unary(node: ast.Unary) -> str:
    ops = ""
    inner: ast.Expr = node
    while type(inner) is ast.Unary:
        ops += " " + inner.op if ops[-1:] == inner.op else inner.op
        inner = inner.operand
    text = _expr(inner, _UNARY)
    return f"{ops} {text}" if text[0] == ops[-1] else ops + text


def _assign(node: ast.Assign) -> str:
    return f"{_expr(node.target, _VALUE)} {node.op} {_expr(node.value)}"


def _step(node: ast.IncDec) -> str:
    target = _expr(node.target, _VALUE)
    return node.op + target if node.prefix else target + node.op


def _in(node: ast.ArrayIn) -> str:
    key = node.keys[0]
    left = f"[{_list(node.keys)}]" if len(node.keys) != 1 or key is None else _expr(key, _REGEX)
    return f"{left} in {node.array.name}"


def _print(node: ast.Print) -> str:
    parts: list[str] = []
    if node.format is not None:
        parts.append(quote(node.format.text))
    if node.delimiter is not None:
        parts.append(quote(node.delimiter.value))
    parts += [_expr(a) for a in node.args]
    return f"{node.kind}({', '.join(parts)})"


def _access(node: ast.Access, base: str) -> str:
    out = ["&" if node.address_of else "", base]
    out += [f"->{p.name}" if isinstance(p, ast.Field) else f"[{_expr(p.index)}]" for p in node.accessors]
    out.append("$" * node.pretty)
    return "".join(out)


def _module(module: str | None) -> str:
    return "" if module is None else ", " + quote(module)


def _cast(node: ast.Cast) -> str:
    return _access(node, f"@cast({_expr(node.operand)}, {quote(node.type)}{_module(node.module)})")


def _var(node: ast.Var) -> str:
    return _access(node, f"@var({quote(node.name)}{_module(node.module)})")


def _deref(node: ast.Deref) -> str:
    operand = _expr(node.operand, _VALUE)
    if isinstance(node.operand, ast.Access):  # its own accessors would run on into ours
        operand = f"({operand})"
    return _access(node, operand)


def _at(node: ast.AtOp) -> str:
    return f"{node.op}({_list(node.args)})"


def _stat(node: ast.StatOp | ast.HistOp) -> str:
    params = "".join([f", {p}" for p in node.params])
    return f"{node.op}({_expr(node.stat)}{params})"


_EXPRESSIONS: dict[type, Callable[[Any], str]] = {
    ast.Number: _number,
    ast.String: lambda n: quote(n.value),
    ast.Name: lambda n: n.name,
    ast.Index: lambda n: f"{_expr(n.base, _VALUE)}[{_list(n.keys)}]",
    ast.Unary: _unary,
    ast.Binary: _binary,
    ast.Regex: _regex,
    ast.Ternary: _ternary,
    ast.Assign: _assign,
    ast.IncDec: _step,
    ast.ArrayIn: _in,
    ast.Call: lambda n: f"{n.name}({_list(n.args)})",
    ast.Print: _print,
    ast.Target: lambda n: _access(n, n.name),
    ast.Cast: _cast,
    ast.Var: _var,
    ast.Deref: _deref,
    ast.AtOp: _at,
    ast.StatOp: _stat,
    ast.HistOp: _stat,
    ast.EmbeddedExpr: lambda n: f"(%{{{n.code}%}})",  # bare, it would be a statement where one begins
}


# ---------------------------------------------------------------- statements


def _block(node: ast.Block, pad: str) -> str:
    if not node.body:
        return "{\n" + pad + "}"
    inner = pad + INDENT
    lines = [inner + _stmt(s, inner) for s in node.body]
    return "{\n" + "\n".join(lines) + "\n" + pad + "}"


def _body(node: ast.Stmt, pad: str) -> str:
    """Return the statement of an `if` or a loop, from the space before it on."""
    if isinstance(node, ast.Block):
        return " " + _block(node, pad)
    return "\n" + pad + INDENT + _stmt(node, pad + INDENT)


def _stmt(node: ast.Stmt, pad: str) -> str:
    return _STATEMENTS[type(node)](node, pad)


def _if(node: ast.If, pad: str) -> str:
    out = ""
    while True:
        out += f"if ({_expr(node.cond)}){_body(node.then, pad)}"
        other = node.other
        if other is None:
            return out
        out += " else" if isinstance(node.then, ast.Block) else f"\n{pad}else"
        if not isinstance(other, ast.If):
            return out + _body(other, pad)
        out += " "
        node = other


def _for(node: ast.For, pad: str) -> str:
    init = _expr(node.init) if node.init is not None else ""
    cond = " " + _expr(node.cond) if node.cond is not None else ""
    update = " " + _expr(node.update) if node.update is not None else ""
    return f"for ({init};{cond};{update}){_body(node.body, pad)}"


def _foreach(node: ast.Foreach, pad: str) -> str:
    sort = node.sort
    sign = _SIGN[sort.direction] if sort is not None else ""
    names = [k.name for k in node.keys]
    behind = ""
    if sort is not None:
        if sort.by == "key":
            names[sort.key] += sign
        elif sort.by == "value":
            behind = sign
        else:
            behind = f" {sort.by} {sign}"
    keys = names[0] if len(names) == 1 else f"[{', '.join(names)}]"
    value = f"{node.value.name} = " if node.value is not None else ""
    slice_ = f"[{_list(node.slice)}]" if node.slice is not None else ""
    limit = f" limit {_expr(node.limit)}" if node.limit is not None else ""
    return f"foreach ({value}{keys} in {_expr(node.array)}{slice_}{behind}{limit}){_body(node.body, pad)}"


def _try(node: ast.Try, pad: str) -> str:
    var = f" ({node.var.name})" if node.var is not None else ""
    return f"try {_block(node.body, pad)} catch{var} {_block(node.handler, pad)}"


def _return(node: ast.Return, pad: str) -> str:
    return "return;" if node.value is None else f"return {_expr(node.value)};"


_STATEMENTS: dict[type, Callable[[Any, str], str]] = {
    ast.Block: _block,
    ast.Empty: lambda n, pad: ";",
    ast.ExprStmt: lambda n, pad: _expr(n.expr) + ";",
    ast.If: _if,
    ast.While: lambda n, pad: f"while ({_expr(n.cond)}){_body(n.body, pad)}",
    ast.For: _for,
    ast.Foreach: _foreach,
    ast.Break: lambda n, pad: "break;",
    ast.Continue: lambda n, pad: "continue;",
    ast.Next: lambda n, pad: "next;",
    ast.Return: _return,
    ast.Try: _try,
    ast.Delete: lambda n, pad: f"delete {_expr(n.target)};",
    ast.EmbeddedStmt: lambda n, pad: f"%{{{n.code}%}}",
}


# ---------------------------------------------------------------- top level


def point_text(point: ast.ProbePoint) -> str:
    """Return the dotted form of a probe point, without suffixes."""
    out = []
    for part in point.components:
        arg = part.arg
        text = "" if arg is None else f"({quote(arg)})" if isinstance(arg, str) else f"({arg})"
        out.append(part.name + text)
    return ".".join(out)


def _point(point: ast.ProbePoint) -> str:
    suffix = "!" if point.sufficient else "?" if point.optional else ""
    condition = f" if ({_expr(point.condition)})" if point.condition is not None else ""
    return point_text(point) + suffix + condition


def _points(points: tuple[ast.ProbePoint, ...]) -> str:
    return ", ".join([_point(p) for p in points])


def _global(node: ast.Global) -> str:
    out = ("private " if node.private else "") + "global " + node.name + ("%" if node.wrap else "")
    if node.size is not None:
        out += f"[{node.size}]"
    init = node.init
    if isinstance(init, ast.Number):
        out += f" = {init.value}"
    elif init is not None:
        out += f" = {quote(init.value)}"
    return out


def _typed(name: str, type_: str | None) -> str:
    return name if type_ is None else f"{name}:{type_}"


def _function(node: ast.Function) -> str:
    params = ", ".join([_typed(p.name, p.type) for p in node.params])
    priority = "" if node.priority is None else f":{node.priority}"
    head = f"{'private ' if node.private else ''}function {_typed(node.name, node.type)}({params}){priority}"
    return f"{head} {_stmt(node.body, '')}"


def _alias(node: ast.Alias) -> str:
    op = "=" if node.prologue is not None else "+="
    names = [_point(n) for n in node.names]
    blocks = ", ".join([_block(b, "") for b in (node.prologue, node.epilogue) if b is not None])
    return f"probe {' = '.join(names)} {op} {_points(node.points)} {blocks}"


_ITEMS: dict[type, Callable[[Any], str]] = {
    ast.Global: _global,
    ast.Function: _function,
    ast.Probe: lambda n: f"probe {_points(n.points)} {_block(n.body, '')}",
    ast.Alias: _alias,
    ast.Embedded: lambda n: f"%{{{n.code}%}}",
}


def print_expression(node: ast.Expr) -> str:
    """Return the text of an expression."""
    with deep_recursion():
        return _expr(node)


def print_file(node: ast.File) -> str:
    """Return the text of a whole file."""
    out: list[str] = []
    before: ast.Item | None = None
    with deep_recursion():
        for item in node.decls:
            if before is not None and not (isinstance(item, ast.Global) and isinstance(before, ast.Global)):
                out.append("\n")
            out += (_ITEMS[type(item)](item), "\n")
            before = item
    return "".join(out)
