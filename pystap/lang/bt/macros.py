"""The C part's macros: definitions as tokens, and their expansion.

Function-like macros expand in the C part only; `#` and `##` are not supported there.
"""

from __future__ import annotations

from ...diag import CompileError, fail
from ...node import Node
from ...source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .lexer import Token

_MAX_DEPTH = 50
_MAX_TOKENS = 20_000


class CMacro(Node):
    """`#define name[(parameters)] body`; `tokens` is None for a body that can't be made of tokens."""

    name: str
    parameters: tuple[str, ...] | None
    body: str
    tokens: list[Token] | None
    start: int
    end: int


class Macros:
    """The macros defined so far."""

    __slots__ = ("_budget", "source", "table")

    def __init__(self, source: Source, predefined: dict[str, int]) -> None:
        self.source = source
        self.table: dict[str, CMacro] = {}
        self._budget = _MAX_TOKENS
        for name, value in predefined.items():
            tokens: list[Token] = [("int", (value, "", ""), 0, 0)]
            self.table[name] = CMacro(name, None, str(value), tokens, -1, -1)

    def expand(self, tokens: list[Token]) -> list[Token]:
        """Return the tokens with all macros replaced; what comes of one stands at its place."""
        self._budget = _MAX_TOKENS
        return self._expand(tokens, frozenset())

    def _expand(self, tokens: list[Token], hidden: frozenset[str]) -> list[Token]:
        table = self.table
        out: list[Token] = []
        i = 0
        while i < len(tokens):
            token = tokens[i]
            i += 1
            word = token[1]
            if token[0] != "id" or word in hidden:
                out.append(token)
                continue
            macro = table.get(word)
            opens = i < len(tokens) and tokens[i][0] == "("
            if word == "KERNEL_VERSION" and macro is None and opens:
                args, i = self._arguments(tokens, i, token)
                out += self._kernel_version(token, args, hidden)
                continue
            if macro is None or (macro.parameters is not None and not opens):
                out.append(token)
                continue
            body = self._body(macro, token)
            if macro.parameters is not None:
                args, i = self._arguments(tokens, i, token)
                body = self._substitute(macro, token, [self._expand(a, hidden) for a in args])
            if len(hidden) > _MAX_DEPTH:
                raise self._too_much(token)
            out += self._expand([(t[0], t[1], token[2], token[3]) for t in body], hidden | {macro.name})
            self._budget -= len(body) + 1
            if self._budget < 0:
                raise self._too_much(token)
        return out

    def _too_much(self, token: Token) -> CompileError:
        return fail("E131", "this macro expands to too much", self.source.span(token[2], token[3]))

    def _body(self, macro: CMacro, token: Token) -> list[Token]:
        if macro.tokens is None:
            span = self.source.span(token[2], token[3])
            raise fail(
                "E131", f"the macro '{macro.name}' can't be expanded", span, "# and ## are not supported"
            )
        return macro.tokens

    def _arguments(self, tokens: list[Token], i: int, token: Token) -> tuple[list[list[Token]], int]:
        """Return the arguments of the call whose `(` is at `i`, and the index behind its `)`."""
        args: list[list[Token]] = [[]]
        depth = 0
        while i < len(tokens):
            kind = tokens[i][0]
            depth += (kind == "(") - (kind == ")")
            i += 1
            if depth == 0:
                return args, i
            if kind == "," and depth == 1:
                args.append([])
            elif depth > 1 or kind != "(":
                args[-1].append(tokens[i - 1])
        raise fail("E131", f"the arguments of '{token[1]}' have no end", self.source.span(token[2], token[3]))

    def _substitute(self, macro: CMacro, token: Token, args: list[list[Token]]) -> list[Token]:
        names = macro.parameters or ()
        if len(args) != len(names) and not (not names and args == [[]]):
            span = self.source.span(token[2], token[3])
            raise fail("E131", f"'{macro.name}' takes {len(names)} arguments, not {len(args)}", span)
        by_name = dict(zip(names, args, strict=False))
        out: list[Token] = []
        for part in self._body(macro, token):
            replacement = by_name.get(part[1]) if part[0] == "id" else None
            if replacement is None:
                out.append(part)
            else:
                out += replacement
            if len(out) > _MAX_TOKENS:
                raise self._too_much(token)
        return out

    def _kernel_version(self, token: Token, args: list[list[Token]], hidden: frozenset[str]) -> list[Token]:
        numbers = []
        for arg in args:
            arg = self._expand(arg, hidden)
            if len(arg) == 1 and arg[0][0] == "int":
                numbers.append(arg[0][1][0])
        if len(numbers) != 3 or len(args) != 3:
            span = self.source.span(token[2], token[3])
            raise fail("E131", "KERNEL_VERSION takes three numbers", span)
        value = (numbers[0] << 16) + (numbers[1] << 8) + min(numbers[2], 255)
        return [("int", (value, "", ""), token[2], token[3])]
