"""The C part of a script: directives and definitions of types, before config and probes.

Conditions are decided here, with the macros that the caller predefines. Included files are
recorded, not read: types and constants of the kernel come from its BTF.
"""

from __future__ import annotations

from ...diag import WARNING, Bag, CompileError, Diagnostic, fail
from ...source import Source
from . import ast
from .cdecl import CDeclarations
from .constants import evaluate
from .expressions import ExpressionParser
from .lexer import SPACE, WORD, Lexer, skip_blank
from .macros import CMacro, Macros
from .report import Reporter, TooManyErrors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .lexer import Token

_DEFINERS = frozenset(("struct", "union", "enum", "typedef"))


class _Condition:
    """One `#if`: whether a branch was taken, whether `#else` was seen, and where it stands."""

    __slots__ = ("otherwise", "pos", "taken")

    def __init__(self, taken: bool, pos: int) -> None:
        self.taken = taken
        self.otherwise = False
        self.pos = pos


class CReader:
    """Reads the C part from `pos` on; afterwards `pos` is behind it."""

    def __init__(self, source: Source, lexer: Lexer, report: Reporter, predefined: dict[str, int]) -> None:
        self.source = source
        self.lexer = lexer
        self.text = lexer.text
        self.report = report
        self.pos = 0
        self.macros = Macros(source, predefined)
        self.declarations = CDeclarations(source, report)
        self.includes: list[ast.Include] = []
        self.types: list[ast.CRecord | ast.CEnum | ast.CTypedef] = []
        self.conditions: list[_Condition] = []

    def read(self, pos: int) -> ast.CPart:
        """Read the C part that begins at `pos`."""
        text = self.text
        self.pos = skip_blank(text, pos)
        first = self.pos
        while True:
            start = self.pos
            try:
                if text[start] == "#":
                    self._directive()
                elif _word_at(text, start) in _DEFINERS:
                    self._definition()
                else:
                    break
            except CompileError as error:
                self.report.syntax(error.diagnostic, start)
                self.pos = max(self.pos, self._line_end(start))
            self.pos = skip_blank(text, self.pos)
        if self.conditions:
            at = self.conditions[-1].pos
            self.report.error("E130", "this condition has no #endif", at, at + 1)
        defines = tuple(self._define(m) for m in self.macros.table.values() if m.start >= 0)
        return ast.CPart(self.source.span(first, self.pos), tuple(self.includes), defines, tuple(self.types))

    # ---- directives -----------------------------------------------------------------------

    def _line_end(self, pos: int) -> int:
        """Return the offset of the newline that ends the directive at `pos` (continuations followed)."""
        text = self.text
        size = len(text) - 1
        while pos < size:
            char = text[pos]
            if char == "\n":
                return pos
            if char == "\\" and text[pos + 1] in "\r\n":
                pos += 3 if text[pos + 1 : pos + 3] == "\r\n" else 2
            elif char == "/" and text[pos + 1] == "*":
                end = text.find("*/", pos + 2)
                pos = end + 2 if end >= 0 else size
            elif char == "/" and text[pos + 1] == "/":
                end = text.find("\n", pos)
                return end if end >= 0 else size
            else:
                pos += 1
        return size

    def _directive(self) -> None:
        text = self.text
        start = self.pos
        end = self._line_end(start)
        at = _skip_space(text, start + 1)
        name = _word_at(text, at)
        self.pos = end
        handler = _DIRECTIVES.get(name)
        if handler is not None:
            handler(self, start, at + len(name), end)
        elif name and name not in ("pragma", "line"):
            span = self.source.span(start, at + len(name))
            raise fail("E130", f"unknown directive '#{name}'", span)

    def _tokens(self, start: int, end: int, report: Reporter | None = None) -> list[Token]:
        """Return the tokens of text[start:end], continuation lines joined."""
        piece = self.text[start:end]
        if "\\" in piece:
            piece = piece.replace("\\\r\n", "   ").replace("\\\n", "  ")
        return Lexer(piece, report or self.report, start).all()

    def _include(self, start: int, at: int, end: int) -> None:
        text = self.text[at:end].strip()
        close = {"<": ">", '"': '"'}.get(text[:1], "")
        stop = text.find(close, 1) if close else -1
        if stop < 2:
            hint = "as in #include <linux/sched.h>"
            raise fail("E130", "malformed #include", self.source.span(start, end), hint)
        span = self.source.span(start, self.text.find(text[0], at) + stop + 1)
        self.includes.append(ast.Include(span, text[1:stop], close == ">"))

    def _macro_name(self, start: int, at: int) -> tuple[str, int]:
        at = _skip_space(self.text, at)
        name = _word_at(self.text, at)
        if not name or name[0].isdigit():
            raise fail("E130", "this directive needs a name", self.source.span(start, at))
        return name, at + len(name)

    def _define_directive(self, start: int, at: int, end: int) -> None:
        name, at = self._macro_name(start, at)
        parameters: tuple[str, ...] | None = None
        if self.text[at] == "(":
            close = self.text.find(")", at, end)
            if close < 0:
                raise fail("E130", "the parameters have no ')'", self.source.span(start, end))
            inner = self.text[at + 1 : close].strip()
            parameters = tuple(p.strip() for p in inner.split(",")) if inner else ()
            at = close + 1
        quiet = Bag()
        tokens: list[Token] | None
        try:
            tokens = self._tokens(at, end, Reporter(self.source, quiet))
        except TooManyErrors:
            tokens = None
        if quiet.items:
            tokens = None
        if tokens:
            body = self._text(tokens)
        else:
            body = self.text[at:end].strip() if tokens is None else ""
        self.macros.table[name] = CMacro(name, parameters, body, tokens, start, at if not tokens else end)

    def _text(self, tokens: list[Token]) -> str:
        """Return the text of tokens, each gap as one blank."""
        out = []
        last = tokens[0][2]
        for token in tokens:
            if token[2] > last:
                out.append(" ")
            out.append(self.text[token[2] : token[3]])
            last = token[3]
        return "".join(out)

    def _undef(self, start: int, at: int, end: int) -> None:
        name, _ = self._macro_name(start, at)
        self.macros.table.pop(name, None)

    def _message(self, start: int, at: int, end: int) -> None:
        text = self.text[at:end].strip()
        span = self.source.span(start, end)
        if self.text[start:at].endswith("error"):
            raise fail("E133", f"#error {text}".rstrip(), span)
        self.report.bag.add(Diagnostic("W133", f"#warning {text}".rstrip(), span, severity=WARNING))

    # ---- conditions -----------------------------------------------------------------------

    def _if(self, start: int, at: int, end: int) -> None:
        try:
            taken = self._condition(start, at, end)
        except CompileError:
            self.conditions.append(_Condition(True, start))  # so that its #endif finds it
            raise
        self._branch(_Condition(taken, start))

    def _ifdef(self, start: int, at: int, end: int) -> None:
        name, _ = self._macro_name(start, at)
        negated = self.text[start:at].endswith("ndef")
        self._branch(_Condition((name in self.macros.table) != negated, start))

    def _branch(self, condition: _Condition) -> None:
        self.conditions.append(condition)
        if not condition.taken:
            self._skip_group()

    def _innermost(self, start: int, end: int) -> _Condition:
        if not self.conditions:
            raise fail("E130", "there is no #if to this", self.source.span(start, end))
        return self.conditions[-1]

    def _elif(self, start: int, at: int, end: int) -> None:
        condition = self._innermost(start, end)
        if condition.otherwise:
            raise fail("E130", "#elif behind #else", self.source.span(start, end))
        if condition.taken or not self._condition(start, at, end):
            self._skip_group()
        else:
            condition.taken = True

    def _else(self, start: int, at: int, end: int) -> None:
        condition = self._innermost(start, end)
        if condition.otherwise:
            raise fail("E130", "a second #else", self.source.span(start, end))
        condition.otherwise = True
        if condition.taken:
            self._skip_group()
        condition.taken = True

    def _endif(self, start: int, at: int, end: int) -> None:
        self._innermost(start, end)
        self.conditions.pop()

    def _condition(self, start: int, at: int, end: int) -> bool:
        tokens = self._tokens(at, end)
        if not tokens:
            raise fail("E130", "this condition is empty", self.source.span(start, end))
        table = self.macros.table
        plain: list[Token] = []
        i = 0
        while i < len(tokens):
            token = tokens[i]
            i += 1
            if token[0] == "id" and token[1] == "defined" and i < len(tokens):
                parenthesis = tokens[i][0] == "("
                name = tokens[i + 1] if parenthesis and i + 1 < len(tokens) else tokens[i]
                i += 3 if parenthesis else 1
                token = ("int", (int(name[1] in table), "", ""), token[2], token[3])
            plain.append(token)
        expanded = [_zero(t) for t in self.macros.expand(plain)]
        parser = CDeclarations(self.source, self.report)
        parser.begin_list(expanded, end)
        value = evaluate(parser.expression(), {})
        if value is None or parser.kind != "eof":
            raise fail("E132", "not a constant condition", self.source.span(at, end))
        return value != 0

    def _skip_group(self) -> None:
        """Go to the `#elif`, `#else` or `#endif` of the innermost condition."""
        text = self.text
        depth = 0
        pos = self.pos
        while True:
            pos = text.find("\n", pos)
            if pos < 0:
                self.pos = len(text) - 1
                return
            pos += 1
            at = pos
            while text[at] in SPACE:
                at += 1
            if text[at] != "#":
                pos = at
                continue
            name = _word_at(text, _skip_space(text, at + 1))
            if depth == 0 and name in ("elif", "else", "endif"):
                self.pos = at
                return
            depth += (name in ("if", "ifdef", "ifndef")) - (name == "endif")
            pos = at

    # ---- definitions ----------------------------------------------------------------------

    def _definition(self) -> None:
        """Collect the tokens of one definition, obeying directives between them, and parse it."""
        text = self.text
        lexer = self.lexer
        lexer.begin(self.pos, "", 1)
        tokens = lexer.tokens
        start = self.pos
        depth = 0
        while True:
            pos = skip_blank(text, lexer.pos)
            if text[pos] == "#":
                self.pos = pos
                self._directive()
                lexer.pos = self.pos
                continue
            if depth == 0 and tokens and tokens[-1][0] == "}" and not self._continues(tokens[0], pos):
                break
            lexer.pos = pos
            lexer.fill()
            kind = tokens[-1][0]
            depth += (kind == "{") - (kind == "}")
            if kind == "eof":
                self.pos = lexer.pos
                raise self._unclosed(tokens, start)
            if kind == ";" and depth == 0:
                break
        self.pos = tokens[-1][3]
        expanded = self.macros.expand(tokens)
        self.types += self.declarations.declaration(expanded, self.pos)

    def _continues(self, first: Token, pos: int) -> bool:
        """Whether a definition goes on behind its `}`: `;`, attributes, the name of a typedef."""
        if first[1] == "typedef" or self.text[pos] == ";":
            return True
        word = _word_at(self.text, pos)
        return word.startswith("__") or (word in self.macros.table and self.text[pos + len(word)] != ":")

    def _unclosed(self, tokens: list[Token], start: int) -> CompileError:
        opened = next((t for t in tokens if t[0] == "{"), None)
        span = self.source.span(*(opened[2:4] if opened else (start, tokens[0][3])))
        return fail("E113", "'{' without its '}'" if opened else "expected '{' or ';'", span)

    def _define(self, macro: CMacro) -> ast.Define:
        """Return the node of a definition, its value worked out with the final set of macros."""
        span = self.source.span(macro.start, macro.end)
        node = ast.Define(span, macro.name, macro.body, parameters=macro.parameters)
        if macro.parameters is not None or not macro.tokens:
            return node
        parser = ExpressionParser(self.source, Reporter(self.source, Bag()))
        parser.typedefs = self.declarations.typedefs
        try:
            parser.begin_list(self.macros.expand([("id", macro.name, macro.start, macro.end)]), macro.end)
            expr = parser.expression()
        except (CompileError, NotImplementedError):
            return node
        if parser.kind != "eof":
            return node
        node.expr = expr
        node.value = (
            expr.value if isinstance(expr, ast.String) else evaluate(expr, self.declarations.constants)
        )
        return node


def _zero(token: Token) -> Token:
    """In a condition, a word that is no macro counts as 0."""
    return ("int", (0, "", ""), token[2], token[3]) if token[0] == "id" else token


def _word_at(text: str, pos: int) -> str:
    end = pos
    while text[end] in WORD:
        end += 1
    return text[pos:end]


def _skip_space(text: str, pos: int) -> int:
    while text[pos] == " " or text[pos] == "\t":
        pos += 1
    return pos


_DIRECTIVES: dict[str, Callable[[CReader, int, int, int], None]] = {
    "include": CReader._include,
    "define": CReader._define_directive,
    "undef": CReader._undef,
    "if": CReader._if,
    "ifdef": CReader._ifdef,
    "ifndef": CReader._ifdef,
    "elif": CReader._elif,
    "else": CReader._else,
    "endif": CReader._endif,
    "error": CReader._message,
    "warning": CReader._message,
}
