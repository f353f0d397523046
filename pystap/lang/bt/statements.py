"""Statements and blocks, with recovery: one bad statement costs one diagnostic.

block     := "{" (statement [";"])* [expression] "}"
statement := let | if | for | while | unroll | "break" | "continue" | "return" [expression]
           | "import" STRING | block | "_" "=" expression | target ASSIGN expression | expression
let       := "let" $NAME [":" type] ["=" expression]
for       := "for" "("? $NAME ":" (@NAME | expression ".." expression) ")"? block
"""

from __future__ import annotations

from ...diag import CompileError, Diagnostic, fail
from . import ast
from .attach import provider_name
from .cursor import MAX_CHAIN, MAX_SKIP
from .expressions import ExpressionParser
from .report import TooManyErrors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ...source import Span

ASSIGN = frozenset(("=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="))

_TARGETS = (ast.Variable, ast.Map, ast.MapAccess)
_SELF_CLOSED = (ast.If, ast.ForMap, ast.ForRange, ast.While, ast.Unroll, ast.BlockStatement)


class Unclosed(CompileError):
    """A block without its `}`. `resume` is where the next declaration seems to begin, or -1 at the end."""

    def __init__(self, diagnostic: Diagnostic, resume: int = -1) -> None:
        super().__init__(diagnostic)
        self.resume = resume


class StatementParser(ExpressionParser):
    """Parses statements; mistakes in one go to the report and the next is parsed."""

    __slots__ = ()

    def block(self, *, value: bool) -> ast.Block:
        """Parse `{ ... }`; without `value` a last expression is a statement like the others."""
        start = self.token[2]
        self.enter()
        self.expect("{")
        statements: list[ast.Statement] = []
        depth = self.depth
        while self.kind != "}":
            if self.kind == "eof":
                raise Unclosed(self._unclosed(start))
            if self.accept(";"):
                continue
            if self.kind == "id" and self._at_probe():
                raise Unclosed(self._unclosed(start), self.token[2])
            begun = self.token[2]
            try:
                statement = self.statement()
                if self.kind != "}" and not isinstance(statement, _SELF_CLOSED):
                    self._separator()
                statements.append(statement)
            except Unclosed:
                raise
            except CompileError as error:
                self.depth = depth
                self.report.syntax(error.diagnostic, begun)
                self.recover()
        last = self._value(statements) if value else None
        if statements and not value:
            statements[-1] = _plain(statements[-1])
        self.advance()
        self.depth -= 1
        return ast.Block(self.span(start), tuple(statements), last)

    def _at_probe(self) -> bool:
        """Whether a probe begins here, which can only be when a `}` is missing."""
        ahead = self.ahead(1)
        return (ahead == ":" or ahead == "{") and provider_name(self.token[1]) is not None

    def _unclosed(self, start: int) -> Diagnostic:
        span = self.source.span(start, start + 1)
        return Diagnostic("E113", "'{' without its '}'", span, hints=("each '{' needs a '}'",))

    def _separator(self) -> None:
        """Step over the `;` behind a statement; where it is missing at a line's end, go on there."""
        if self.accept(";"):
            return
        if self.kind == "eof":
            return
        source = self.source
        error = self.unexpected("';' or '}'", code="E112")
        if self.kind in ASSIGN:
            error.diagnostic.message = f"can't assign with {self.describe()} here"
        elif "\n" in source.text[self.end : self.token[2]]:
            at = source.span(max(self.end - 1, 0), self.end)
            hint = "statements are separated by ';'"
            self.report.add(Diagnostic("E112", "expected ';' behind this statement", at, hints=(hint,)))
            return
        raise error

    def recover(self) -> None:
        """Skip to the next statement: behind a `;` or block, or to the `}` of the block around."""
        depth = 0
        limit = self.i + MAX_SKIP
        while self.kind != "eof":
            kind = self.kind
            if self.i > limit:
                raise TooManyErrors
            if kind == "{":
                depth += 1
            elif kind == "}":
                if depth == 0:
                    return
                depth -= 1
                if depth == 0:
                    self.advance()
                    return
            elif kind == ";" and depth == 0:
                self.advance()
                return
            self.advance()

    def _value(self, statements: list[ast.Statement]) -> ast.Expr | None:
        """Take the value off the end of a block's statements, if they end in one."""
        if not statements or self.source.text[self.end - 1] == ";":
            return None
        value = _as_value(statements[-1])
        if value is not None:
            statements.pop()
        return value

    def statement(self) -> ast.Statement:
        """Parse one statement, without the `;` behind it."""
        parse = _STATEMENTS.get(self.kind)
        if parse is not None:
            return parse(self)
        if self.kind == "id":
            ahead = self.ahead(1)
            if ahead == "=" and self.token[1] == "_":
                return self._discard()
            if ahead == "str" and self.token[1] == "import":
                return self.import_()
        start = self.token[2]
        target = self.expression()
        op = self.kind
        if op not in ASSIGN:
            return ast.ExprStatement(target.span, target)
        if not isinstance(target, _TARGETS):
            raise self._bad_target(target)
        self.advance()
        value = self.expression()
        return ast.Assign(self.span(start), target, op, value)

    def _bad_target(self, target: ast.Expr) -> CompileError:
        hints = ["only $variables and @maps can be assigned to"]
        if isinstance(target, ast.Identifier):
            hints.append(f"for a variable, write ${target.name}")
        return fail("E114", "can't assign to this", target.span, *hints)

    def _discard(self) -> ast.Statement:
        start = self.token[2]
        self.advance()
        self.advance()
        value = self.expression()
        return ast.Discard(self.span(start), value)

    def import_(self) -> ast.Import:
        """`"import" STRING`."""
        start = self.token[2]
        self.advance()
        if self.kind != "str":
            raise self.unexpected('the path to import, as in "lib.bt"')
        path = self.token[1]
        self.advance()
        return ast.Import(self.span(start), path)

    def _let(self) -> ast.Statement:
        start = self.token[2]
        self.advance()
        if self.kind == "map":
            raise self.unexpected("a $variable", "a map is declared outside of the probes")
        name = self._variable("behind 'let'")
        type_ = self.parse_type() if self.accept(":") else None
        value = self.expression() if self.accept("=") else None
        return ast.Let(self.span(start), name, type_, value)

    def _variable(self, where: str) -> str:
        if self.kind != "var":
            raise self.unexpected(f"a $variable {where}")
        name = self.token[1]
        self.advance()
        return str(name)

    def _body(self, what: str) -> ast.Block:
        if self.kind != "{":
            raise self.unexpected(f"'{{' of the {what}", "the braces can't be left out")
        return self.block(value=False)

    def _if_statement(self) -> ast.Statement:
        """`if cond block ("else" "if" cond block)* ["else" block]`.

        The blocks are parsed as if they had values: whether the whole is a value is known only behind it.
        """
        arms = []
        final: ast.Block | None = None
        while True:
            start = self.token[2]
            self.advance()
            cond = self.expression()
            if self.kind != "{":
                raise self._no_brace("if")
            arms.append((start, cond, self.block(value=True)))
            if not self.accept("else"):
                break
            if self.kind != "if":
                if self.kind != "{":
                    raise self._no_brace("else")
                final = self.block(value=True)
                break
            if len(arms) > MAX_CHAIN:
                raise self.too_long()
        wanted = self.kind == "}" and final is not None and final.value is not None
        wanted = wanted and all(then.value is not None for _, _, then in arms)
        result: ast.If | ast.Block | None = final if wanted or final is None else demote(final)
        for start, cond, then in reversed(arms):
            result = ast.If(self.span(start), cond, then if wanted else demote(then), result)
        assert isinstance(result, ast.If)
        return result

    def _no_brace(self, what: str) -> CompileError:
        if self.kind in ASSIGN:
            return self.unexpected("'{'", "to compare, write ==")
        return self.unexpected(f"'{{' of the '{what}'", "the braces can't be left out")

    def _for(self) -> ast.Statement:
        start = self.token[2]
        self.advance()
        parenthesis = self.accept("(")
        name = self._variable("behind 'for'")
        self.expect(":", "and what to go through")
        if self.kind == "map" and self.ahead(1) in (")", "{"):
            of = ast.Map(self.here(), self.token[1])
            self.advance()
            self._for_close(parenthesis)
            body = self._body("loop")
            return ast.ForMap(self.span(start), name, of, body)
        first = self.expression()
        self.expect("..", "of a range, or a map")
        last = self.expression()
        self._for_close(parenthesis)
        body = self._body("loop")
        return ast.ForRange(self.span(start), name, first, last, body)

    def _for_close(self, parenthesis: bool) -> None:
        if parenthesis:
            self.expect(")")

    def _while(self) -> ast.Statement:
        start = self.token[2]
        self.advance()
        cond = self.expression()
        body = self._body("loop")
        return ast.While(self.span(start), cond, body)

    def _unroll(self) -> ast.Statement:
        start = self.token[2]
        self.advance()
        count = self.expression()
        body = self._body("loop")
        return ast.Unroll(self.span(start), count, body)

    def _break(self) -> ast.Statement:
        span = self.here()
        self.advance()
        return ast.Break(span)

    def _continue(self) -> ast.Statement:
        span = self.here()
        self.advance()
        return ast.Continue(span)

    def _return(self) -> ast.Statement:
        start = self.token[2]
        self.advance()
        value = None if self.kind in (";", "}") else self.expression()
        return ast.Return(self.span(start), value)

    def _block_statement(self) -> ast.Statement:
        block = self.block(value=True)
        if self.kind != "}":
            block = demote(block)
        return ast.BlockStatement(block.span, block)


def demote(block: ast.Block) -> ast.Block:
    """Return the block with its value made a statement."""
    if block.value is None:
        return block
    return ast.Block(block.span, (*block.statements, _as_statement(block.value)))


def _as_statement(value: ast.Expr) -> ast.Statement:
    span: Span = value.span
    if isinstance(value, ast.BlockExpr):
        return ast.BlockStatement(span, demote(value.block))
    if not isinstance(value, ast.IfExpr):
        return ast.ExprStatement(span, value)
    arms: list[ast.IfExpr] = []
    rest: ast.Block | ast.IfExpr = value
    while isinstance(rest, ast.IfExpr):
        arms.append(rest)
        rest = rest.orelse
    result: ast.Block | ast.If = demote(rest)
    for arm in reversed(arms):
        result = ast.If(arm.span, arm.cond, demote(arm.then), result)
    assert isinstance(result, ast.If)
    return result


def _plain(statement: ast.Statement) -> ast.Statement:
    """Return a block's last statement without the values that its blocks may have been given."""
    if isinstance(statement, ast.If | ast.BlockStatement):
        value = _as_value(statement)
        return statement if value is None else _as_statement(value)
    return statement


def _as_value(statement: ast.Statement) -> ast.Expr | None:
    """Return a block's last statement as the block's value, or None where it has none."""
    if isinstance(statement, ast.ExprStatement):
        return statement.expr
    if isinstance(statement, ast.BlockStatement) and statement.block.value is not None:
        return ast.BlockExpr(statement.span, statement.block)
    if isinstance(statement, ast.If):
        return _if_value(statement)
    return None


def _if_value(statement: ast.If) -> ast.IfExpr | None:
    arms: list[ast.If] = []
    rest: ast.Block | ast.If | None = statement
    while isinstance(rest, ast.If):
        if rest.then.value is None:
            return None
        arms.append(rest)
        rest = rest.orelse
    if rest is None or rest.value is None:
        return None
    result: ast.Block | ast.IfExpr = rest
    for arm in reversed(arms):
        result = ast.IfExpr(arm.span, arm.cond, arm.then, result)
    assert isinstance(result, ast.IfExpr)
    return result


_STATEMENTS: dict[str, Callable[[StatementParser], ast.Statement]] = {
    "let": StatementParser._let,
    "if": StatementParser._if_statement,
    "for": StatementParser._for,
    "while": StatementParser._while,
    "unroll": StatementParser._unroll,
    "break": StatementParser._break,
    "continue": StatementParser._continue,
    "return": StatementParser._return,
    "{": StatementParser._block_statement,
}
