"""A bpftrace script: text -> `ast.Program`.

    program     := [shebang] C-part (config | import)* (probe | macro | fn | map)*
    config      := "config" "=" "{" (KEY "=" value ";")* "}"
    import      := "import" STRING ";"
    probe       := [NAME "="] attach ("," attach)* [","] ["/" expression "/"] block
    macro       := "macro" NAME "(" ($NAME | @NAME | NAME), ... ")" block
    fn          := "fn" NAME "(" $NAME ":" type, ... ")" [":" type] block
    map         := "let" @NAME "=" KIND "(" expression ")" ";"

Mistakes go to the bag, at most `report.MAX_ERRORS`; the program that comes back has what could
be parsed, so that a caller tests the bag and not the program.
"""

from __future__ import annotations

from ...diag import Bag, CompileError, Diagnostic
from ...source import Source, Span
from . import ast, attach
from .lexer import SPACE, WORD, Lexer, skip_blank
from .report import Reporter, TooManyErrors
from .statements import StatementParser, Unclosed

_CHUNK = 256
_DEFINERS = ("struct", "union", "enum", "typedef")
_PREDEFINED = {"BPFTRACE_HAVE_BTF": 1, "__BPF__": 1}


def parse(
    source: Source, params: list[str], bag: Bag, predefined: dict[str, int] | None = None
) -> ast.Program:
    """Parse a script.

    params: the script's arguments, for attach points alone (`interval:s:$1`); in expressions they
    stay `Positional` and `PositionalCount`. predefined: macros for `#if` (LINUX_VERSION_CODE, ...).
    """
    parser = Parser(source, params, Reporter(source, bag))
    try:
        parser.program({**_PREDEFINED, **(predefined or {})})
    except TooManyErrors:
        pass
    span = source.span(0, len(source.text))
    return ast.Program(
        span, parser.c, tuple(parser.config), tuple(parser.imports), tuple(parser.declarations)
    )


class Parser(StatementParser):
    """The top level: works on text, where attach points are, and starts the tokens of each body."""

    __slots__ = ("c", "config", "declarations", "imports", "params", "scanner", "text")

    def __init__(self, source: Source, params: list[str], report: Reporter) -> None:
        super().__init__(source, report)
        self.params = params
        self.scanner = Lexer(source.text, report)
        self.text = self.scanner.text
        self.c = ast.CPart(source.span(0, 0), (), (), ())
        self.config: list[ast.ConfigEntry] = []
        self.imports: list[ast.Import] = []
        self.declarations: list[ast.Probe | ast.Macro | ast.Function | ast.MapDeclaration] = []

    def program(self, predefined: dict[str, int]) -> None:
        """Parse everything."""
        text = self.text
        pos = 0
        if text.startswith("\ufeff"):
            pos = 1
        if text.startswith("#!", pos):
            pos = max(text.find("\n", pos), 0) or len(text) - 1
        pos = skip_blank(text, pos)
        if text[pos] == "#" or text.startswith(_DEFINERS, pos):
            pos = self._c_part(pos, predefined)
        size = len(text) - 1
        while True:
            pos = skip_blank(text, pos)
            if pos >= size:
                return
            if text[pos] == ";":
                pos += 1
                continue
            try:
                pos = self._declaration(pos)
            except CompileError as error:
                self.report.syntax(error.diagnostic, pos)
                pos = self._after_failure(pos, error)

    def _c_part(self, pos: int, predefined: dict[str, int]) -> int:
        from .cpart import CReader  # most scripts have no such part

        reader = CReader(self.source, self.scanner, self.report, predefined)
        self.c = reader.read(pos)
        self.typedefs = reader.declarations.typedefs
        return reader.pos

    def _after_failure(self, pos: int, error: CompileError) -> int:
        """Return where to go on: behind the body that is being parsed, or else behind a `}`."""
        text = self.text
        if isinstance(error, Unclosed) and error.resume >= 0:
            return error.resume
        if self.lexer is not None and self.scanner.stop == "}":
            return self._rest_of_region()
        if self.lexer is not None:
            end = text.find("\n", self.end)
            return end if end >= 0 else len(text) - 1
        line = text.find("\n", pos)
        line = line if line >= 0 else len(text) - 1
        if text[pos] == "#":
            return line
        end = text.find("}", pos, line)
        if end < 0:
            end = text.find("\n}", line) + 1 or len(text) - 2
        return end + 1

    def _rest_of_region(self) -> int:
        self.skip_to(())
        return max(self.token[2], self.end)

    def _start(self, pos: int, stop: str) -> None:
        """Begin the tokens of a declaration; small steps where attach points may follow unbounded."""
        self.scanner.begin(pos, stop, _CHUNK if stop == "}" else 1)
        self.begin(self.scanner)

    def _declaration(self, pos: int) -> int:
        """Parse one declaration at `pos`; return where it ends."""
        text = self.text
        end = pos
        while text[end] in WORD:
            end += 1
        word = text[pos:end]
        after = skip_blank(text, end)
        self.lexer = None
        assigned = text[after] == "=" and text[after + 1] != "="
        if word == "config" and assigned:
            self._start(pos, "}")
            self._config()
        elif word == "import" and text[after] not in ":=":
            self._start(pos, ";")
            self._import()
            return self.end
        elif word == "let":
            self._start(pos, ";")
            self._map_declaration()
            return self.end
        elif word in ("macro", "fn") and after > end and text[after] in WORD:
            self._start(pos, "}")
            self.declarations.append(self._macro() if word == "macro" else self._function())
        elif text[pos] == "#":
            raise self._misplaced(pos, "a directive", text.find("\n", pos))
        elif word in ("struct", "union", "enum", "typedef"):
            raise self._misplaced(pos, "a definition in C", end)
        else:
            name = ""
            if word and assigned:
                name = word
                after = skip_blank(text, after + 1)
            self._probe(pos, after if name else pos, name)
        return self._rest_of_region()

    def _misplaced(self, pos: int, what: str, end: int) -> CompileError:
        hint = "directives and definitions in C stand at the top, before config and probes"
        span = Span(self.source, pos, end if end > pos else pos + 1)
        return CompileError(Diagnostic("E130", f"{what} can't stand here", span, hints=(hint,)))

    # ---- config, import, maps -------------------------------------------------------------

    def _early(self, what: str) -> None:
        """Report a part that stands too late."""
        if self.declarations:
            span = self.here()
            self.report.add(
                Diagnostic("E140", f"{what} stands before the probes", span, hints=("move it up",))
            )

    def _config(self) -> None:
        self._early("config")
        self.advance()
        self.expect("=")
        self.expect("{", "after 'config ='")
        while self.kind != "}":
            if self.accept(";"):
                continue
            if self.kind == "eof":
                raise self.unexpected("'}' to close config", code="E113")
            try:
                self._config_entry()
            except CompileError as error:
                self.report.add(error.diagnostic)
                self.recover()
        self.advance()

    def _config_entry(self) -> None:
        start = self.token[2]
        key = self.name("the name of a setting")
        self.expect("=")
        if self.kind not in ("id", "int", "str"):
            raise self.unexpected("a number, a word or a string", code="E140")
        span = self.here()
        word = self.token[1]
        value: ast.Expr
        if self.kind == "int":
            value = ast.Integer(span, *word)
        elif self.kind == "str":
            value = ast.String(span, word)
        elif word == "true" or word == "false":
            value = ast.Boolean(span, word == "true")
        else:
            value = ast.Identifier(span, word)
        self.advance()
        self.config.append(ast.ConfigEntry(self.span(start), key, value))
        if self.kind not in (";", "}"):
            raise self.unexpected("';'")

    def _import(self) -> None:
        self._early("import")
        self.imports.append(self.import_())
        text = self.text
        at = skip_blank(text, self.end)
        if text[at] == ";":
            self.end = at + 1

    def _map_declaration(self) -> None:
        start = self.token[2]
        self.advance()
        if self.kind != "map":
            hints = ("variables are declared inside of a probe",) if self.kind == "var" else ()
            raise self.unexpected("a @map", *hints)
        name = str(self.token[1])
        self.advance()
        self.expect("=")
        kind = self.name("the map's kind, as in hash(1000)")
        self.expect("(", "and the map's size")
        size = self.expression()
        self.expect(")")
        self.declarations.append(ast.MapDeclaration(self.span(start), name, kind, size))
        if self.kind == ";":
            self.advance()
        else:
            hint = "a declaration ends in ';'"
            at = Span(self.source, self.end - 1, self.end)
            self.report.add(Diagnostic("E112", "expected ';' behind this", at, hints=(hint,)))

    # ---- probes ---------------------------------------------------------------------------

    def _probe(self, start: int, pos: int, name: str) -> None:
        points, pos = self._attach_points(pos)
        text = self.text
        if text[pos] not in "/{":
            shown = _shown(text, pos)
            span = Span(self.source, min(pos, len(text) - 2), min(pos + 1, len(text) - 1))
            hint = "a probe is written: provider:name /predicate/ { statements }"
            raise CompileError(
                Diagnostic("E110", f"expected '{{' of the probe's body, found {shown}", span, hints=(hint,))
            )
        predicate = self._predicate(pos)
        if self.kind != "{":
            raise self.unexpected("'{' of the probe's body")
        body = self.block(value=False)
        self.declarations.append(ast.Probe(self.span(start), points, predicate, body, name))

    def _predicate(self, pos: int) -> ast.Expr | None:
        """Start the tokens of a probe's predicate and body, and parse the predicate."""
        if self.text[pos] == "{":
            self._start(pos, "}")
            return None
        # A block may stand in a predicate, so that the region is not known until behind it.
        self._start(pos, "")
        self.advance()
        self.predicate = True
        predicate = None
        try:
            predicate = self.expression()
            if self.kind != "/":
                raise self.unexpected("'/' to end the predicate")
            self.advance()
        except CompileError as error:
            self._skip_predicate(error)
        finally:
            self.predicate = False
            self.scanner.stop = "}"
            self.scanner.chunk = _CHUNK
        return predicate

    def _skip_predicate(self, error: CompileError) -> None:
        """Go on with the body behind a bad predicate, which is reported."""
        self.depth = 0
        self.skip_to(("{",))
        if self.kind != "{":
            raise error
        self.report.add(error.diagnostic)

    def _attach_points(self, pos: int) -> tuple[tuple[ast.AttachPoint, ...], int]:
        """Parse the list of attach points at `pos`; a bad one is reported and left out."""
        text = self.text
        source = self.source
        points: list[ast.AttachPoint] = []
        while True:
            start = pos
            try:
                parts, pos = attach.scan(source, text, pos, self.params)
                if pos == start:
                    raise CompileError(self._no_probe(pos))
                points.append(attach.build(parts, source.span(start, pos)))
            except CompileError as error:
                if pos == start:
                    pos = attach.skip(text, pos)
                if not self._plausible(pos):
                    raise
                self.report.add(error.diagnostic)
            pos = skip_blank(text, pos)
            if text[pos] != ",":
                return tuple(points), pos
            pos = skip_blank(text, pos + 1)
            if text[pos] in "/{":
                return tuple(points), pos

    def _plausible(self, pos: int) -> bool:
        """Whether a probe goes on behind a bad attach point, so that its body is worth parsing."""
        return self.text[skip_blank(self.text, pos)] in ",/{"

    def _no_probe(self, pos: int) -> Diagnostic:
        at = min(pos, len(self.text) - 2)
        span = self.source.span(at, at + 1)
        hint = "a probe is written: provider:name /predicate/ { statements }"
        return Diagnostic("E110", f"expected a probe, found {_shown(self.text, pos)}", span, hints=(hint,))

    # ---- macros and functions -------------------------------------------------------------

    def _macro(self) -> ast.Macro:
        start = self.token[2]
        self.advance()
        name = self.name("the macro's name")
        self.expect("(", "and the macro's parameters")
        parameters: list[ast.MacroParameter] = []
        while self.kind != ")":
            sigil = {"var": "$", "map": "@", "id": ""}.get(self.kind)
            if sigil is None:
                raise self.unexpected("a parameter: $name, @name or name")
            parameters.append(ast.MacroParameter(self.here(), sigil, self.token[1]))
            self.advance()
            if not self.accept(","):
                break
        self.expect(")")
        body = self.block(value=True)
        return ast.Macro(self.span(start), name, tuple(parameters), body)

    def _function(self) -> ast.Function:
        start = self.token[2]
        self.advance()
        name = self.name("the function's name")
        self.expect("(", "and the function's parameters")
        parameters: list[ast.Parameter] = []
        while self.kind != ")":
            at = self.token[2]
            variable = self._variable("as a parameter")
            self.expect(":", "and the parameter's type")
            type_ = self.parse_type()
            parameters.append(ast.Parameter(self.span(at), variable, type_))
            if not self.accept(","):
                break
        self.expect(")")
        returns = self.parse_type() if self.accept(":") else None
        body = self.block(value=False)
        return ast.Function(self.span(start), name, tuple(parameters), returns, body)


def _shown(text: str, pos: int) -> str:
    """Return a little of the text at `pos`, for a message."""
    end = pos
    while end < pos + 20 and text[end] not in SPACE and text[end] != "\0":
        end += 1
    return f"'{text[pos:end]}'" if end > pos else "the end"
