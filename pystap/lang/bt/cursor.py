"""A place in a list of tokens, and what every part of the parser does there.

`kind` is the current token's kind; `end` is where the token before it ended.
Depth is counted by `enter` so that a script can nest deeper than Python's stack only
into a diagnostic.
"""

from __future__ import annotations

from ...diag import CompileError, escape, fail
from ...source import Source, Span
from .lexer import KEYWORDS
from .report import TooManyErrors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .lexer import Lexer, Token
    from .report import Reporter

MAX_DEPTH = 100
"""Levels of nesting; one takes at most ten frames of Python's thousand."""

MAX_CHAIN = 500
"""Links of a chain that makes the tree one level deeper each (`1 + 1 + ...`, `else if`)."""

MAX_SKIP = 50_000
"""Tokens skipped behind an error before all the rest is given up."""

_EOF: Token = ("eof", "", 0, 0)


class Cursor:
    """Walks tokens that a lexer makes on demand, or a list of them (`lexer` is None)."""

    __slots__ = ("depth", "end", "i", "kind", "lexer", "report", "source", "token", "tokens")

    def __init__(self, source: Source, report: Reporter) -> None:
        self.source = source
        self.report = report
        self.lexer: Lexer | None = None
        self.tokens: list[Token] = []
        self.i = 0
        self.kind = "eof"
        self.token: Token = _EOF
        self.end = 0
        self.depth = 0

    # ---- moving ---------------------------------------------------------------------------

    def begin(self, lexer: Lexer) -> None:
        """Start at the first token of the lexer's region."""
        self.lexer = lexer
        self.tokens = lexer.tokens
        self._restart()

    def begin_list(self, tokens: list[Token], end: int) -> None:
        """Start at the first of these tokens; `end` is the place of what is missing behind them."""
        self.lexer = None
        self.tokens = [*tokens, ("eof", "", end, end)]
        self._restart()

    def _restart(self) -> None:
        self.i = -1
        self.depth = 0
        self.token = _EOF
        self.advance()
        self.end = self.token[2]

    def advance(self) -> None:
        """Go to the next token; "eof" stays."""
        self.end = self.token[3]
        i = self.i = self.i + 1
        try:
            token = self.tokens[i]
        except IndexError:
            token = self._more(i)
        self.token = token
        self.kind = token[0]

    def _more(self, i: int) -> Token:
        if self.lexer is not None:
            while len(self.tokens) <= i:
                self.lexer.fill()
            return self.tokens[i]
        self.tokens.append(self.tokens[-1])
        return self.tokens[-1]

    def ahead(self, k: int) -> str:
        """Return the kind of the k-th token after the current one."""
        return self.token_ahead(k)[0]

    def token_ahead(self, k: int) -> Token:
        """Return the k-th token after the current one."""
        i = self.i + k
        while len(self.tokens) <= i:
            self._more(len(self.tokens))
        return self.tokens[i]

    def back_to(self, i: int) -> None:
        """Return to the token with index `i`."""
        self.i = i - 1
        self.token = self.tokens[i - 1] if i else _EOF
        self.advance()

    def skip_to(self, kinds: tuple[str, ...]) -> None:
        """Step over tokens until one of these kinds or the end of the region."""
        limit = self.i + MAX_SKIP
        while self.kind != "eof" and self.kind not in kinds:
            if self.i > limit:
                raise TooManyErrors
            self.advance()

    # ---- what is expected -----------------------------------------------------------------

    def accept(self, kind: str) -> bool:
        """Step over a token of this kind, if it is the current one."""
        if self.kind == kind:
            self.advance()
            return True
        return False

    def expect(self, kind: str, why: str = "") -> Token:
        """Step over a token that must be of this kind, and return it."""
        token = self.token
        if token[0] != kind:
            raise self.unexpected(f"'{kind}'" + (f" {why}" if why else ""))
        self.advance()
        return token

    def name(self, what: str) -> str:
        """Step over an identifier and return it."""
        if self.kind != "id":
            raise self.unexpected(what)
        word = self.token[1]
        self.advance()
        return str(word)

    def word(self, what: str) -> str:
        """Step over an identifier or keyword (as a member's name may be) and return it."""
        if self.kind != "id" and self.kind not in KEYWORDS:
            raise self.unexpected(what)
        word = self.token[1]
        self.advance()
        return str(word)

    # ---- places and mistakes --------------------------------------------------------------

    def span(self, start: int) -> Span:
        """Return the span from `start` to the end of the last token."""
        return Span(self.source, start, self.end)

    def here(self) -> Span:
        """Return the current token's span; the end of the last one's where the text ended."""
        if self.kind == "eof":
            return Span(self.source, max(self.end - 1, 0), self.end)
        return Span(self.source, self.token[2], self.token[3])

    def describe(self) -> str:
        """Return the current token, for a message."""
        if self.kind == "eof":
            return "the end"
        text = self.source.text[self.token[2] : self.token[3]]
        return f"'{escape(text if len(text) <= 40 else text[:37] + '...')}'"

    def unexpected(self, wanted: str, *hints: str, code: str = "E110") -> CompileError:
        """Return the error that something else stands here."""
        return fail(code, f"expected {wanted}, found {self.describe()}", self.here(), *hints)

    def enter(self) -> None:
        """Go one level deeper."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise fail("E115", "nested too deeply", self.here(), f"at most {MAX_DEPTH} levels")
