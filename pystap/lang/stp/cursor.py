"""The parser's place in the token stream: looking, taking, expecting, giving up.

A mistake is put in the bag and raised as `Abandon`; statements and top-level constructs catch it and
go on behind it. After `MAX_ERRORS` errors, or too much text without sense, the whole parse ends with `Stop`.
"""

from __future__ import annotations

from ...diag import Bag
from ...source import Span
from .ast import MAX_CHAIN, MAX_NESTING
from .lexer import KEYWORDS
from .preprocess import PreprocEnv

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn

    from .ast import Expr
    from .lexer import Token

MAX_ERRORS = 20
MAX_SKIPPED = 50_000
"""How many tokens may be passed over behind one mistake."""

_TOP = frozenset(("probe", "global", "function", "private", "emb", "eof"))
_PLAIN_TOP = frozenset(("probe", "global", "function", "private", "eof"))


class Abandon(Exception):
    """The construct cannot be parsed; its diagnostic is in the bag."""


class Stop(Exception):
    """The file is not worth more work."""


def describe(token: Token) -> str:
    """Return a token as a message names it."""
    kind, value = token[0], token[1]
    if kind == "eof":
        return "the end of the script"
    if kind == "str":
        return "a string"
    if kind == "num":
        return f"the number {value}"
    if kind == "emb":
        return "C code"
    text = str(value)
    what = "the keyword " if kind in KEYWORDS else ""
    return f"{what}'{text if len(text) <= 40 else text[:40] + '...'}'"


class Cursor:
    """Holds the current token: `kind`, `value`, `tok`; the one before it is `last`."""

    def __init__(self, tokens: Iterator[Token], env: PreprocEnv, bag: Bag, library: bool) -> None:
        self.env = env
        self.bag = bag
        self.library = library
        self.tok: Token
        self.last: Token
        self.kind = ""
        self.value: object = None
        self.depth = 0
        self.chain = 0
        self.ladder = 0
        self.loops = 0
        self.in_function = False
        self.pending: list[Expr] = []
        self.start: Token
        self._bad: Token | None = None
        self._errors = 0
        self._quiet = False
        self._next = tokens.__next__
        self.advance()
        self.last = self.start = self.tok

    # -------------------------------------------------- moving

    def advance(self) -> Token:
        """Take the current token and return it."""
        taken = self.tok if self.kind else None
        token = self._next() if self.kind != "eof" else self.tok
        while token[0] == "error":
            token = self._lexical(token)
        self.tok = token
        self.kind = token[0]
        self.value = token[1]
        if taken is None:
            return token
        self.last = taken
        return taken

    def _lexical(self, token: Token) -> Token:
        """Report an `error` token, and return the token to go on with."""
        problem = token[1]
        self._bad = token
        if not self._quiet:
            self.report(problem.code, problem.message, self.here(token), problem.hint)
        if problem.kind:
            return (problem.kind, problem.value, *token[2:])
        return self._next()

    def accept(self, kind: str) -> bool:
        """Take the current token if it is of this kind."""
        if self.kind == kind:
            self.advance()
            return True
        return False

    def expect(self, kind: str, context: str = "", hint: str = "") -> Token:
        """Take a token of this kind, or give up."""
        if self.kind == kind:
            return self.advance()
        if kind in ")]" and self._new_line():
            self._unexpected_line_end(kind, context, hint)
        what = _NAMES.get(kind) or f"'{kind}'"
        self.unexpected(what, context, hint)

    # -------------------------------------------------- places

    def here(self, token: Token | None = None) -> Span:
        """Return the span of a token (of the current one)."""
        at = token or self.tok
        origin = at[4]
        return Span(origin.source, at[2], at[3], origin.via)

    def since(self, first: Token) -> Span:
        """Return the span from a token to the last one taken."""
        origin = first[4]
        last = self.last
        end = last[3]
        behind = last[4]
        if behind is not origin:
            via = behind.via
            if via is not None and via.source is origin.source and via.via is origin.via:
                end = via.end
            else:
                end = first[3]
        return Span(origin.source, first[2], end if end > first[2] else first[3], origin.via)

    def adjacent(self) -> bool:
        """Say whether the current token follows the last one without a space."""
        return self.tok[2] == self.last[3] and self.tok[4] is self.last[4]

    # -------------------------------------------------- mistakes

    def report(self, code: str, message: str, span: Span, hint: str = "") -> None:
        """Record an error and go on."""
        if hint:
            self.bag.error(code, message, span, hint)
        else:
            self.bag.error(code, message, span)
        self._errors += 1
        if self._errors >= MAX_ERRORS:
            self.bag.error("E109", f"stopped after {MAX_ERRORS} errors", span)
            raise Stop

    def fail(self, code: str, message: str, span: Span, hint: str = "") -> NoReturn:
        """Record an error and give up on the construct."""
        self.report(code, message, span, hint)
        raise Abandon

    def unexpected(self, wanted: str, context: str = "", hint: str = "") -> NoReturn:
        """Give up because something else was expected here."""
        self._blame_lexer()
        where = f" {context}" if context else ""
        message = f"expected {wanted}{where}, found {describe(self.tok)}"
        self.fail("E120", message, self.here(), hint)

    def _unexpected_line_end(self, kind: str, context: str, hint: str) -> NoReturn:
        """Give up because a bracket is not closed in its line: what is wrong is there, not in the next line."""
        self._blame_lexer()
        last = self.here(self.last)
        span = Span(last.source, last.end, last.end, last.via)
        where = f" {context}" if context else ""
        self.fail("E120", f"expected '{kind}'{where}, found the end of the line", span, hint)

    def _blame_lexer(self) -> None:
        """Give up silently behind a lexical error in the same statement: what follows is its consequence."""
        bad = self._bad
        if bad is not None and (bad[4] is not self.start[4] or bad[2] >= self.start[2]):
            raise Abandon

    def too_deep(self) -> NoReturn:
        """Give up on a construct that is nested too deeply, and on the file: what follows is not reliable."""
        message = "this is nested too deeply"
        self.report("E123", message, self.here(), "split it into several statements or functions")
        raise Stop

    def enter(self) -> None:
        """Count one level of nesting (`depth` is taken back by the caller)."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            self.too_deep()

    def link(self) -> None:
        """Count one operator of a chain."""
        self.chain += 1
        if self.chain > MAX_CHAIN:
            message = f"this has more than {MAX_CHAIN} operators or branches in one expression or statement"
            self.report("E123", message, self.here(), "split it into several statements")
            raise Stop

    def need_guru(self, what: str, span: Span) -> None:
        """Report what only guru mode and the tapset may do."""
        if not (self.library or self.env.guru):
            self.report("E124", f"{what} needs guru mode", span, "run with -g if you know what it does")

    # -------------------------------------------------- going on behind a mistake

    def skip_to_top(self) -> None:
        """Pass over tokens up to what begins a top-level construct."""
        self._quiet = True
        for _ in range(MAX_SKIPPED):
            if self.kind in _TOP and (self.kind != "emb" or self.library or self.env.guru):
                self._quiet = False
                return
            self.advance()
        raise Stop

    def skip_statement(self, start: Token) -> None:
        """Pass over the rest of the statement that began with `start`.

        It ends with `;`, where a new line begins at its level, or before the `}` of the block around it.
        """
        self._quiet = True
        depth = braces = 0
        if self.tok is start:
            self.advance()
        elif self._new_line():  # something was missing at the end of the line before
            depth = -1
        else:
            depth = self._open_brackets(start)
        for _ in range(MAX_SKIPPED):
            kind = self.kind
            if kind in _PLAIN_TOP:
                break
            if not braces:
                if kind == "}":
                    break
                if depth <= 0:
                    if self._new_line() and kind not in _CONTINUING:
                        break
                    if kind == ";":
                        self.advance()
                        break
            if kind in _BRACES:
                braces += _BRACES[kind]
            elif kind in _BRACKETS:
                depth += _BRACKETS[kind]
            self.advance()
        else:
            raise Stop
        self._quiet = False

    def _open_brackets(self, start: Token) -> int:
        """Return how many parentheses the text from a token to the current one leaves open (roughly: strings)."""
        if start[4] is not self.tok[4]:
            return 0
        text = start[4].source.text
        span = (start[2], self.tok[2])
        return max(0, text.count("(", *span) - text.count(")", *span))

    def _new_line(self) -> bool:
        """Say whether a line ends between the last token and the current one."""
        source = self.tok[4].source
        if source is not self.last[4].source:
            return False
        return source.text.find("\n", self.last[3], self.tok[2]) >= 0


_NAMES = {"name": "a name", "num": "a number", "str": "a string", "eof": "the end of the script"}
_BRACES = {"{": 1, "}": -1}
_BRACKETS = {"(": 1, "[": 1, ")": -1, "]": -1}
_CONTINUING = frozenset(")]},") | {"else", "catch"}
