"""Parsing of expressions: operators by precedence, over values.

From the loosest: assignment (right), `?:`, `||`, `&&`, `|`, `^`, `&`, `in`, comparison and regular
expression, shift, `.`, `+ -`, `* / %`, prefix `+ - ! ~`, `++ --`.
"""

from __future__ import annotations

from .ast import (
    Access,
    ArrayIn,
    Assign,
    Binary,
    Expr,
    IncDec,
    Index,
    Name,
    Regex,
    Ternary,
    Unary,
)
from .values import ValueParser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .lexer import Token

_LEVELS = (
    ("||",),
    ("&&",),
    ("|",),
    ("^",),
    ("&",),
    ("in",),
    ("<", "<=", ">", ">=", "==", "!=", "=~", "!~"),
    ("<<", ">>", ">>>"),
    (".",),
    ("+", "-"),
    ("*", "/", "%"),
)
PRECEDENCE = {op: level for level, ops in enumerate(_LEVELS, 1) for op in ops}
_IN = PRECEDENCE["in"]
_ASSIGNMENTS = frozenset(("=", "<<<", "+=", "-=", "*=", "/=", "%=", "<<=", ">>=", "&=", "^=", "|=", ".="))
_PREFIX = frozenset(("+", "-", "!", "~", "!~"))
_STEP = frozenset(("++", "--"))


class ExpressionParser(ValueParser):
    """Expressions."""

    def _parse_expression(self) -> Expr:
        """`ternary [("=" | "<<<" | "+=" | ...) expr]`."""
        first = self.tok
        self.enter()
        left = self._parse_ternary()
        if self.kind in _ASSIGNMENTS:
            op = self.kind
            self._check_target(left, op)
            self.advance()
            right = self._parse_expression()
            left = Assign(self.since(first), op, left, right)
        self.depth -= 1
        return left

    def _check_target(self, target: Expr, op: str) -> None:
        """Report a target that no value can be stored in."""
        if isinstance(target, Name) or (isinstance(target, Index) and isinstance(target.base, Name)):
            return
        if isinstance(target, Access) and not target.address_of and not target.pretty and op != "<<<":
            return
        hint = ""
        if isinstance(target, Access) and op == "<<<":
            hint = "'<<<' adds to a global statistic"
        elif op == "=":
            hint = "'==' compares"
        self.report("E122", f"'{op}' cannot store into this expression", target.span, hint)

    def _parse_ternary(self) -> Expr:
        """`binary ["?" expr ":" ternary]`."""
        first = self.tok
        cond = self._parse_binary(1)
        if self.kind != "?":
            return cond
        open_: list[tuple[Token, Expr, Expr]] = []
        while self.accept("?"):
            self.link()
            then = self._parse_expression()
            self.expect(":", "between the two values of '?:'")
            open_.append((first, cond, then))
            first = self.tok
            cond = self._parse_binary(1)
        result = cond
        for at, test, then in reversed(open_):
            result = Ternary(self.since(at), test, then, result)
        return result

    def _parse_binary(self, lowest: int) -> Expr:
        """`unary {op binary}`, with operators of at least this precedence, all left-associative."""
        first = self.tok
        self.enter()
        left: Expr
        if self.kind == "[" and lowest <= _IN:
            left = self._parse_in(first, self._parse_keys())
        else:
            left = self._parse_unary()
        get = PRECEDENCE.get
        while True:
            op = self.kind
            level = get(op, 0)
            if level < lowest or not level:
                break
            if op == "in":
                left = self._parse_in(first, (left,))
                continue
            self.link()
            self.advance()
            if op in ("=~", "!~"):
                pattern = self._parse_string(f"behind '{op}'", "the regular expression is a literal string")
                left = Regex(self.since(first), op, left, pattern)
                self._no_operator(op)
                continue
            right = self._parse_binary(level + 1)
            left = Binary(self.since(first), op, left, right)
        self.depth -= 1
        return left

    def _parse_in(self, first: Token, keys: tuple[Expr | None, ...]) -> ArrayIn:
        """`"in" NAME`, behind the keys."""
        self.link()
        self.expect("in", "after the keys", "[a, b] in array")
        token = self.expect("name", "after 'in'", "an array's name")
        node = ArrayIn(self.since(first), keys, Name(self.here(token), token[1]))
        self._no_operator("in")
        return node

    def _no_operator(self, op: str) -> None:
        """Refuse an operator that binds tighter than the one whose right side is complete."""
        if PRECEDENCE.get(self.kind, 0) >= PRECEDENCE[op]:
            message = f"'{self.kind}' cannot follow this '{op}' expression"
            self.fail("E121", message, self.here(), f"put the '{op}' expression in parentheses")

    def _parse_unary(self) -> Expr:
        """`("+" | "-" | "!" | "~") unary | step`."""
        if self.kind not in _PREFIX:
            return self._parse_step()
        ops: list[tuple[Token, str]] = []
        while self.kind in _PREFIX:
            token = self.advance()
            self.link()
            ops += [(token, op) for op in token[0]]
        node = self._parse_step()
        for token, op in reversed(ops):
            node = Unary(self.since(token), op, node)
        return node

    def _parse_step(self) -> Expr:
        """`("++" | "--") access | access ["++" | "--"]`."""
        first = self.tok
        if self.kind in _STEP:
            op = self.advance()[0]
            target = self._parse_access()
            self._check_target(target, op)
            return IncDec(self.since(first), op, True, target)
        value = self._parse_access()
        if self.kind in _STEP:
            self._check_target(value, self.kind)
            op = self.advance()[0]
            return IncDec(self.since(first), op, False, value)
        return value
