"""Parsing of statements."""

from __future__ import annotations

from .ast import (
    MAX_CHAIN,
    Block,
    Break,
    Continue,
    Delete,
    EmbeddedStmt,
    Empty,
    Expr,
    ExprStmt,
    For,
    Foreach,
    HistOp,
    If,
    Index,
    Name,
    Next,
    Return,
    Sort,
    Stmt,
    Try,
    While,
)
from .cursor import Abandon
from .expressions import ExpressionParser
from .values import STAT_OPERATORS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...source import Span
    from .lexer import Token

_TOP_WORDS = frozenset(("probe", "global", "function", "private", "eof"))
_SIGNS = {"+": 1, "-": -1}
_JOINED_SIGNS = {"+=": 1, "-=": -1}
_VALUELESS = frozenset(
    (
        ";",
        "}",
        "if",
        "else",
        "for",
        "foreach",
        "return",
        "delete",
        "while",
        "break",
        "continue",
        "next",
        "try",
        "eof",
    )
)


class StatementParser(ExpressionParser):
    """Statements."""

    def _parse_block(self, context: str = "") -> Block:
        """`"{" {statement} "}"`, going on behind statements that are wrong."""
        first = self.expect("{", context)
        body: list[Stmt] = []
        while self.kind != "}":
            if self.kind in _TOP_WORDS:
                span = self.here(first)
                message = f"this block is not closed before {_before(self.kind)}"
                self.fail("E125", message, span, "close it with }")
            if self.kind == ";":
                self.advance()
                continue
            depth, loops, ladder = self.depth, self.loops, self.ladder
            start = self.start = self.tok
            try:
                body.append(self._parse_statement())
            except Abandon:
                self.depth, self.loops, self.ladder = depth, loops, ladder
                self.pending.clear()
                self.skip_statement(start)
        self.advance()
        return Block(self.since(first), tuple(body))

    def _parse_statement(self) -> Stmt:
        """Parse one statement, with its `;` if there is one."""
        method = _STATEMENTS.get(self.kind)
        self.chain = 0
        if method is not None:
            self.enter()
            node = method(self)
            self.depth -= 1
        else:
            first = self.tok
            expr = self._parse_expression()
            node = ExprStmt(self.since(first), expr)
            if self.kind == ";":
                self.advance()
        if self.pending:
            self.report_pending()
        return node

    def _parse_empty(self) -> Stmt:
        """`";"`."""
        return Empty(self.here(self.advance()))

    def _parse_plain_block(self) -> Stmt:
        """`"{" {statement} "}"`."""
        return self._parse_block()

    def _parse_embedded(self) -> Stmt:
        """`"%{" C "%}"`; as the start of an expression it would have no effect."""
        token = self.advance()
        span = self.here(token)
        self.need_guru("C code", span)
        self.accept(";")
        return EmbeddedStmt(span, token[1])

    def _parse_condition(self, word: str) -> Expr:
        """`"(" expr ")"`."""
        self.expect("(", f"after '{word}'")
        cond = self._parse_expression()
        if self.kind == "=":
            self.unexpected("')'", "after the condition", "'==' compares")
        self.expect(")", f"after the condition of '{word}'")
        return cond

    def _parse_if(self) -> Stmt:
        """`"if" "(" expr ")" statement {"else" "if" "(" expr ")" statement} ["else" statement]`."""
        branches: list[tuple[Token, Expr, Stmt]] = []
        other: Stmt | None = None
        before = self.ladder
        while True:
            first = self.advance()
            cond = self._parse_condition("if")
            branches.append((first, cond, self._parse_statement()))
            if not self.accept("else"):
                break
            if self.kind != "if":
                other = self._parse_statement()
                break
            self.ladder += 1
            if self.ladder > MAX_CHAIN:
                self.too_deep()
        self.ladder = before
        for at, cond, then in reversed(branches):
            other = If(self.since(at), cond, then, other)
        assert other is not None
        return other

    def _parse_loop_body(self) -> Stmt:
        """Parse the statement of a loop."""
        self.loops += 1
        body = self._parse_statement()
        self.loops -= 1
        return body

    def _parse_while(self) -> Stmt:
        """`"while" "(" expr ")" statement`."""
        first = self.advance()
        cond = self._parse_condition("while")
        body = self._parse_loop_body()
        return While(self.since(first), cond, body)

    def _parse_for(self) -> Stmt:
        """`"for" "(" [expr] ";" [expr] ";" [expr] ")" statement`."""
        first = self.advance()
        self.expect("(", "after 'for'")
        init = None if self.kind == ";" else self._parse_expression()
        hint = "for (i = 0; i < n; i++)"
        if self.kind == "in":
            hint = "foreach (key in array) walks over an array"
        self.expect(";", "after the start of 'for'", hint)
        cond = None if self.kind == ";" else self._parse_expression()
        self.expect(";", "after the condition of 'for'", hint)
        update = None if self.kind == ")" else self._parse_expression()
        self.expect(")", "to close 'for'")
        body = self._parse_loop_body()
        return For(self.since(first), init, cond, update, body)

    # -------------------------------------------------- foreach

    def _parse_foreach(self) -> Stmt:
        """`"foreach" "(" [NAME "="] keys "in" array [slice] [sort] ["limit" expr] ")" statement`."""
        first = self.advance()
        self.expect("(", "after 'foreach'")
        value: Name | None = None
        sorts: list[Sort] = []
        if self.kind == "[":
            keys = self._parse_foreach_keys(sorts)
        else:
            key = self._parse_foreach_name()
            sign = _JOINED_SIGNS.get(self.kind, 0)  # `v-= k`: the lexer has joined the suffix and the `=`
            if sign or self._sort_then_assign(sorts):
                if sign:
                    sorts.append(Sort(self.here(), "value", sign))
                self.advance()
                value = key
                if self.kind == "[":
                    keys = self._parse_foreach_keys(sorts)
                else:
                    keys = (self._parse_foreach_name(),)
                    self._parse_sort_sign(sorts, "key")
            else:
                keys = (key,)
                if sorts:
                    sorts[0].by = "key"
        self.expect("in", "after the keys of 'foreach'", "foreach (key in array), foreach ([a, b] in array)")
        array = self._parse_foreach_array()
        slice_: tuple[Expr | None, ...] | None = None
        if self.kind == "[" and isinstance(array, Name):
            slice_ = self._parse_keys()
        self._parse_array_sort(sorts)
        limit = self._parse_expression() if self.accept("limit") else None
        self.expect(")", "to close 'foreach'")
        for extra in sorts[1:]:
            self.report("E127", "'foreach' sorts by one thing only", extra.span, "leave one '+' or '-'")
        body = self._parse_loop_body()
        sort = sorts[0] if sorts else None
        return Foreach(self.since(first), keys, array, body, value, slice_, sort, limit)

    def _sort_then_assign(self, sorts: list[Sort]) -> bool:
        """`["+" | "-"] "="`: say whether `=` follows, with the sign taken as a sort by value."""
        self._parse_sort_sign(sorts, "value")
        return self.kind == "="

    def _parse_foreach_name(self) -> Name:
        """`NAME`."""
        token = self.expect("name", "as a variable of 'foreach'", "foreach (key in array)")
        return Name(self.here(token), token[1])

    def _parse_foreach_keys(self, sorts: list[Sort]) -> tuple[Name, ...]:
        """`"[" NAME ["+" | "-"] {"," NAME ["+" | "-"]} "]"`."""
        self.expect("[")
        keys: list[Name] = []
        while True:
            keys.append(self._parse_foreach_name())
            self._parse_sort_sign(sorts, "key", len(keys) - 1)
            if not self.accept(","):
                break
        self.expect("]", "after the keys of 'foreach'")
        return tuple(keys)

    def _parse_sort_sign(self, sorts: list[Sort], by: str, key: int = 0) -> None:
        """`["+" | "-"]`."""
        direction = _SIGNS.get(self.kind)
        if direction is not None:
            sorts.append(Sort(self.here(self.advance()), by, direction, key))

    def _parse_foreach_array(self) -> Name | HistOp:
        """`NAME | histogram`."""
        if self.kind in ("@hist_log", "@hist_linear"):
            return self._parse_histogram()
        token = self.expect("name", "as the array of 'foreach'", "foreach (key in array)")
        return Name(self.here(token), token[1])

    def _parse_array_sort(self, sorts: list[Sort]) -> None:
        """`["@count" | "@sum" | ...] ("+" | "-")`, behind the array."""
        if self.kind not in STAT_OPERATORS:
            self._parse_sort_sign(sorts, "value")
            return
        op = self.advance()
        direction = _SIGNS.get(self.kind)
        if direction is None:
            self.unexpected(
                "'+' or '-'", f"after {op[0]}", f"foreach (k in a {op[0]}-) begins with the largest"
            )
        self.advance()
        sorts.append(Sort(self.since(op), op[0], direction))

    # -------------------------------------------------- jumps and the rest

    def _parse_break(self) -> Stmt:
        """`"break" [";"]`."""
        return Break(self._jump())

    def _parse_continue(self) -> Stmt:
        """`"continue" [";"]`."""
        return Continue(self._jump())

    def _jump(self) -> Span:
        """Take `break` or `continue`, which only loops have."""
        token = self.advance()
        span = self.here(token)
        if not self.loops:
            hint = "'next' ends a handler, 'return' a function"
            self.report("E126", f"'{token[0]}' stands outside of any loop", span, hint)
        self.accept(";")
        return span

    def _parse_next(self) -> Stmt:
        """`"next" [";"]`."""
        token = self.advance()
        self.accept(";")
        return Next(self.here(token))

    def _parse_return(self) -> Stmt:
        """`"return" [expr] [";"]`."""
        first = self.advance()
        if not self.in_function:
            hint = "'next' ends the handler of a probe"
            self.report("E126", "'return' stands outside of any function", self.here(first), hint)
        value = None if self.kind in _VALUELESS else self._parse_expression()
        node = Return(self.since(first), value)
        self.accept(";")
        return node

    def _parse_delete(self) -> Stmt:
        """`"delete" (NAME | NAME "[" keys "]") [";"]`."""
        first = self.advance()
        target = self._parse_access()
        if isinstance(target, Index) and isinstance(target.base, Name):
            self.claim(target)
        elif not isinstance(target, Name):
            hint = "delete array, delete array[key], delete array[*, key]"
            self.report(
                "E122", "only arrays, their elements and global variables can be deleted", target.span, hint
            )
        node = Delete(self.since(first), target)
        self.accept(";")
        return node

    def _parse_try(self) -> Stmt:
        """`"try" block "catch" ["(" NAME ")"] block`."""
        first = self.advance()
        body = self._parse_block("after 'try'")
        self.expect("catch", "after the block of 'try'", "try { ... } catch (message) { ... }")
        var: Name | None = None
        if self.accept("("):
            token = self.expect("name", "in 'catch'", "a variable for the error's text")
            var = Name(self.here(token), token[1])
            self.expect(")", "to close 'catch'")
        handler = self._parse_block("after 'catch'")
        return Try(self.since(first), body, handler, var)

    def _parse_stray(self) -> Stmt:
        """Give up on a keyword that begins no statement."""
        hint = ""
        if self.kind in ("long", "string"):
            hint = "variables are not declared: their first use gives the type"
        elif self.kind == "else":
            hint = "'else' follows the one statement of 'if': use { } around several"
        self.unexpected("a statement", "", hint)


def _before(kind: str) -> str:
    return "the end of the script" if kind == "eof" else f"'{kind}'"


_STATEMENTS = {
    ";": StatementParser._parse_empty,
    "{": StatementParser._parse_plain_block,
    "emb": StatementParser._parse_embedded,
    "if": StatementParser._parse_if,
    "while": StatementParser._parse_while,
    "for": StatementParser._parse_for,
    "foreach": StatementParser._parse_foreach,
    "break": StatementParser._parse_break,
    "continue": StatementParser._parse_continue,
    "next": StatementParser._parse_next,
    "return": StatementParser._parse_return,
    "delete": StatementParser._parse_delete,
    "try": StatementParser._parse_try,
    "long": StatementParser._parse_stray,
    "string": StatementParser._parse_stray,
    "else": StatementParser._parse_stray,
    "catch": StatementParser._parse_stray,
    "in": StatementParser._parse_stray,
    "limit": StatementParser._parse_stray,
}
