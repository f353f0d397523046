"""Expressions, by precedence climbing.

expression := binary ["?" [expression] ":" expression] | "comptime" expression
binary     := unary (OPERATOR unary)*          PRECEDENCE, all left-associative
unary      := ("!" | "~" | "-" | "+" | "*" | "&" | "++" | "--") unary | "(" type ")" unary | postfix
postfix    := primary ("." NAME | "." INT | "->" NAME | "[" expression "]" | "++" | "--")*
primary    := INT | STRING | $NAME | $N | $# | @NAME ["[" expression, ... "]"] | NAME ["(" args ")"]
            | "(" expression ")" | tuple | record | "sizeof" (...) | "offsetof" (...) | if | block
"""

from __future__ import annotations

from ...diag import fail
from . import ast
from .cursor import MAX_CHAIN
from .lexer import KEYWORDS
from .typeexprs import TypeParser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ...diag import CompileError
    from ...source import Source
    from .report import Reporter

PRECEDENCE = {
    "||": 1,
    "&&": 2,
    "|": 3,
    "^": 4,
    "&": 5,
    "==": 6,
    "!=": 6,
    "<": 7,
    ">": 7,
    "<=": 7,
    ">=": 7,
    "<<": 8,
    ">>": 8,
    "+": 9,
    "-": 9,
    "*": 10,
    "/": 10,
    "%": 10,
}
"""Binary operators; a higher number binds tighter."""

_PREFIX = frozenset(("!", "~", "-", "+", "*", "&"))
_POSTFIX = frozenset((".", "->", "[", "++", "--"))
_COUNTED = (ast.Variable, ast.Map, ast.MapAccess)


class ExpressionParser(TypeParser):
    """Parses expressions; `predicate` says that a `/` before `{` ends the expression."""

    __slots__ = ("predicate",)

    def __init__(self, source: Source, report: Reporter) -> None:
        super().__init__(source, report)
        self.predicate = False

    def block(self, *, value: bool) -> ast.Block:
        """Parse a block; `value` says whether its last expression may be its value."""
        raise NotImplementedError

    def expression(self) -> ast.Expr:
        """`binary ["?" [expression] ":" expression]`; a chain of them is a loop here."""
        arms: list[tuple[int, ast.Expr, ast.Expr | None]] = []
        self.enter()
        while True:
            start = self.token[2]
            expr = self._comptime() if self.kind == "comptime" else self.binary(1)
            if self.kind != "?":
                break
            self.advance()
            then = None if self.kind == ":" else self.expression()
            self.expect(":", "of '? :'")
            arms.append((start, expr, then))
            if len(arms) > MAX_CHAIN:
                raise self.too_long()
        self.depth -= 1
        for start, cond, then in reversed(arms):
            expr = ast.Ternary(self.span(start), cond, then, expr)
        return expr

    def _comptime(self) -> ast.Expr:
        start = self.token[2]
        self.advance()
        operand = self.expression()
        return ast.Comptime(self.span(start), operand)

    def too_long(self) -> CompileError:
        """Return the error for a chain with too many links."""
        return fail("E115", "chain too long", self.here(), f"at most {MAX_CHAIN} links in one expression")

    def binary(self, minimum: int) -> ast.Expr:
        """`unary (OPERATOR unary)*` of operators that bind at least as tight as `minimum`."""
        start = self.token[2]
        left = self.unary()
        links = 0
        get = PRECEDENCE.get
        while True:
            op = self.kind
            level = get(op, 0)
            if level < minimum or (op == "/" and self.predicate and self.ahead(1) == "{"):
                return left
            self.advance()
            self.enter()
            right = self.binary(level + 1)
            self.depth -= 1
            left = ast.Binary(self.span(start), op, left, right)
            links += 1
            if links > MAX_CHAIN:
                raise self.too_long()

    def unary(self) -> ast.Expr:
        """A prefix operator or cast and its operand, or a postfix expression."""
        kind = self.kind
        if kind == "(":
            if not self.cast_ahead():
                return self.postfix()
        elif kind not in _PREFIX and kind != "++" and kind != "--":
            return self.postfix()
        start = self.token[2]
        self.enter()
        self.advance()
        result: ast.Expr
        if kind == "(":
            to = self.parse_type()
            self.expect(")", "after the type of a cast")
            operand = self.unary()
            result = ast.Cast(self.span(start), to, operand)
        elif kind in _PREFIX:
            operand = self.unary()
            result = ast.Unary(self.span(start), kind, operand)
        else:
            operand = self.unary()
            self._check_counted(kind, operand)
            result = ast.IncDec(self.span(start), kind, operand, True)
        self.depth -= 1
        return result

    def _check_counted(self, op: str, target: ast.Expr) -> None:
        if not isinstance(target, _COUNTED):
            raise fail(
                "E114", f"'{op}' can't change this", target.span, "only $variables and @maps can change"
            )

    def postfix(self) -> ast.Expr:
        """A primary and what stands behind it."""
        start = self.token[2]
        expr = _PRIMARY.get(self.kind, _no_expression)(self)
        links = 0
        while self.kind in _POSTFIX:
            kind = self.kind
            self.advance()
            if kind == "[":
                index = self.expression()
                self.expect("]")
                expr = ast.Index(self.span(start), expr, index)
            elif kind == "++" or kind == "--":
                self._check_counted(kind, expr)
                return ast.IncDec(self.span(start), kind, expr, False)
            else:
                expr = self._member(start, expr, kind)
            links += 1
            if links > MAX_CHAIN:
                raise self.too_long()
        return expr

    def _member(self, start: int, base: ast.Expr, kind: str) -> ast.Expr:
        if kind == "." and self.kind == "int":
            value, suffix, unit = self.token[1]
            if suffix or unit:
                raise self.unexpected("the number of a tuple's element")
            self.advance()
            return ast.TupleIndex(self.span(start), base, value)
        here = self.here()
        name = self.word("a member's name")
        return ast.Member(self.span(start), base, name, kind == "->", here)

    # ---- primaries ------------------------------------------------------------------------

    def _leaf(self) -> ast.Expr:
        kind, value = self.token[:2]
        span = self.here()
        self.advance()
        if kind == "var":
            return ast.Variable(span, value)
        if kind == "int":
            return ast.Integer(span, *value)
        if kind == "str":
            return ast.String(span, value)
        if kind == "pos":
            return ast.Positional(span, value)
        return ast.PositionalCount(span)

    def _identifier(self) -> ast.Expr:
        span = self.here()
        name = self.token[1]
        self.advance()
        if self.kind == "(":
            args = self._arguments()
            return ast.Call(self.span(span.start), name, args, span)
        if name == "true" or name == "false":
            return ast.Boolean(span, name == "true")
        return ast.Identifier(span, name)

    def _arguments(self) -> tuple[ast.Expr | ast.Type, ...]:
        self.advance()
        args: list[ast.Expr | ast.Type] = []
        while self.kind != ")":
            args.append(self.type_or_expression())
            if not self.accept(","):
                break
        self.expect(")", "to close the arguments")
        return tuple(args)

    def _map(self) -> ast.Expr:
        start = self.token[2]
        name = self.token[1]
        self.advance()
        if self.kind != "[":
            return ast.Map(self.span(start), name)
        self.advance()
        keys = [self.expression()]
        while self.accept(",") and self.kind != "]":
            keys.append(self.expression())
        self.expect("]", "to close the key")
        return ast.MapAccess(self.span(start), name, tuple(keys))

    def _parenthesis(self) -> ast.Expr:
        start = self.token[2]
        predicate, self.predicate = self.predicate, False
        self.advance()
        result: ast.Expr
        if self.kind in _NAMES and self.ahead(1) == "=":
            result = self._record(start)
        elif self.accept(")"):
            result = ast.Tuple(self.span(start), ())
        else:
            result = self.expression()
            if self.kind == ",":
                elements = [result]
                while self.accept(",") and self.kind != ")":
                    elements.append(self.expression())
                self._close(start)
                result = ast.Tuple(self.span(start), tuple(elements))
            else:
                self._close(start)
        self.predicate = predicate
        return result

    def _close(self, start: int) -> None:
        if self.kind == "=":
            raise self.unexpected("')'", "to compare, write ==")
        if self.kind != ")":
            error = self.unexpected("')'")
            error.diagnostic.notes = (("to match this '('", self.source.span(start, start + 1)),)
            raise error
        self.advance()

    def _record(self, start: int) -> ast.Expr:
        fields = []
        while self.kind != ")":
            name = self.word("a field's name")
            self.expect("=", "after a record's field")
            fields.append((name, self.expression()))
            if not self.accept(","):
                break
        self._close(start)
        return ast.Record(self.span(start), tuple(fields))

    def _sizeof(self) -> ast.Expr:
        start = self.token[2]
        self.advance()
        self.expect("(", "after 'sizeof'")
        of = self.type_or_expression()
        self.expect(")")
        return ast.Sizeof(self.span(start), of)

    def _offsetof(self) -> ast.Expr:
        start = self.token[2]
        self.advance()
        self.expect("(", "after 'offsetof'")
        of = self.type_or_expression()
        self.expect(",", "and the member's name")
        path = [self.word("a member's name")]
        while self.accept("."):
            path.append(self.word("a member's name"))
        self.expect(")")
        return ast.Offsetof(self.span(start), of, tuple(path))

    def _if(self) -> ast.Expr:
        """`if cond { ...; value } else ...` where a value is wanted."""
        arms = []
        predicate, self.predicate = self.predicate, False
        while True:
            start = self.token[2]
            self.advance()
            cond = self.expression()
            arms.append((start, cond, self._value_block()))
            self.expect("else", "of an 'if' that is used as a value")
            if self.kind != "if":
                break
            if len(arms) > MAX_CHAIN:
                raise self.too_long()
        result: ast.Block | ast.IfExpr = self._value_block()
        self.predicate = predicate
        for start, cond, then in reversed(arms):
            result = ast.IfExpr(self.span(start), cond, then, result)
        assert isinstance(result, ast.IfExpr)
        return result

    def _value_block(self) -> ast.Block:
        if self.kind != "{":
            raise self.unexpected("'{'")
        block = self.block(value=True)
        if block.value is None:
            hint = "end it with an expression without ';'"
            raise fail("E118", "this block is used as a value and has none", block.span, hint)
        return block

    def _block(self) -> ast.Expr:
        predicate, self.predicate = self.predicate, False
        block = self._value_block()
        self.predicate = predicate
        return ast.BlockExpr(block.span, block)


def _no_expression(parser: ExpressionParser) -> ast.Expr:
    kind = parser.kind
    hints: tuple[str, ...] = ()
    if kind == "char":
        hints = ("there are no character constants: write the number, or a string in double quotes",)
    elif kind == "struct" or kind == "union" or kind == "enum":
        hints = ("a type can be cast to, as in (struct sock *)arg0",)
    raise parser.unexpected("an expression", *hints, code="E111")


def _character(parser: ExpressionParser) -> ast.Expr:
    """A character constant, which the C part alone has: it parses a list of tokens."""
    if parser.lexer is not None:
        return _no_expression(parser)
    span = parser.here()
    value = parser.token[1]
    parser.advance()
    return ast.Integer(span, value)


_NAMES = frozenset(("id", *KEYWORDS))

_PRIMARY: dict[str, Callable[[ExpressionParser], ast.Expr]] = {
    "int": ExpressionParser._leaf,
    "str": ExpressionParser._leaf,
    "var": ExpressionParser._leaf,
    "pos": ExpressionParser._leaf,
    "argc": ExpressionParser._leaf,
    "id": ExpressionParser._identifier,
    "map": ExpressionParser._map,
    "char": _character,
    "(": ExpressionParser._parenthesis,
    "{": ExpressionParser._block,
    "if": ExpressionParser._if,
    "sizeof": ExpressionParser._sizeof,
    "offsetof": ExpressionParser._offsetof,
}
