"""Text -> syntax tree: the whole front end, and the grammar's top level.

`parse` never raises for what a user wrote: what is wrong is in the bag, and the tree has what could be
made sense of. A caller stops after this pass if the bag has errors.
"""

from __future__ import annotations

from ...diag import Bag
from ...source import Source
from .ast import (
    Alias,
    Block,
    Embedded,
    EmbeddedStmt,
    File,
    Function,
    Global,
    Item,
    Number,
    Param,
    Probe,
    String,
    deep_recursion,
)
from .cursor import Abandon, Stop, describe
from .points import PointParser
from .preprocess import Macro, PreprocEnv, Preprocessor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .ast import ProbePoint
    from .lexer import Token

__all__ = ["Macro", "PreprocEnv", "parse", "parse_macros"]


class Parser(PointParser):
    """The top level."""

    def parse_file(self, source: Source) -> File:
        """`{probe | alias | global | function | C}`, going on behind constructs that are wrong."""
        items: list[Item] = []
        try:
            while self.kind != "eof":
                self.start = self.tok
                try:
                    self._parse_item(items)
                except Abandon:
                    self._reset()
                    self.skip_to_top()
        except Stop:
            pass
        return File(source.span(0, len(source.text)), source, tuple(items))

    def _reset(self) -> None:
        """Forget what the abandoned construct had open."""
        self.depth = self.loops = self.ladder = 0
        self.in_function = False
        self.pending.clear()

    def _parse_item(self, items: list[Item]) -> None:
        """`probe | alias | ["private"] (global | function) | C | ";"`."""
        kind = self.kind
        if kind == "probe":
            items.append(self._parse_probe())
        elif kind == "global":
            self._parse_global(items, False)
        elif kind == "function":
            items.append(self._parse_function(False))
        elif kind == "private":
            self.advance()
            if self.kind == "function":
                items.append(self._parse_function(True))
            else:
                self._parse_global(items, True)
        elif kind == "emb":
            token = self.advance()
            span = self.here(token)
            self.need_guru("C code", span)
            items.append(Embedded(span, token[1]))
        elif kind == ";":
            self.advance()
        else:
            self._no_item()

    def _no_item(self) -> None:
        """Say why nothing begins at the current token."""
        from ...diag import did_you_mean

        hint = "a script is made of 'probe point { ... }', 'global name' and 'function name() { ... }'"
        if self.kind == "}":
            hint = "this '}' closes nothing: is there one too many above?"
        elif self.kind == "name":
            near = did_you_mean(str(self.value), ("probe", "global", "function", "private"))
            if self.value in _BPFTRACE:
                hint = "this looks like a bpftrace script: name it .bt, or say so with --lang"
            elif self.value in ("import", "from", "def", "class", "print"):
                hint = "this looks like Python: a script of SystemTap's is made of 'probe point { ... }'"
            elif near:
                hint = f"did you mean '{near}'?"
        self.unexpected("'probe', 'global' or 'function'", "", hint)

    # -------------------------------------------------- globals

    def _parse_global(self, items: list[Item], private: bool) -> None:
        """`["global"] variable {"," variable} [";"]`, behind `private` if there is one."""
        self.accept("global")
        while True:
            items.append(self._parse_variable(private))
            if not self.accept(","):
                break
        self.accept(";")

    def _parse_variable(self, private: bool) -> Global:
        """`NAME ["%"] ["[" NUMBER "]"] ["%"] ["=" (["-"] NUMBER | STRING)]`."""
        name = self.expect("name", "as a global variable", _keyword_hint(self.kind))
        wrap = self.accept("%")
        size: int | None = None
        if self.kind == "[":
            self.advance()
            first = self.tok
            size = self._parse_number("as the size of the array")
            if size <= 0:
                self.report("E133", "an array needs room for one element at least", self.since(first))
            self.expect("]", "after the size of the array")
            wrap = self.accept("%") or wrap
        if self.kind == ":":
            self.unexpected("',' or '='", "", "global variables take their types from their use")
        init: Number | String | None = None
        if self.accept("="):
            first = self.tok
            if size is not None or wrap:
                self.report(
                    "E133",
                    "an array has no first value",
                    self.since(first),
                    "set its elements in 'probe begin'",
                )
            if self.kind == "str":
                init = self._parse_string("")
            elif self.kind in ("num", "-"):
                value = self._parse_number("as the first value")
                init = Number(self.since(first), value)
            else:
                hint = "set other values in 'probe begin'"
                self.unexpected("a number or a string", "as the first value of a global variable", hint)
        return Global(self.here(name), name[1], size, wrap, init, private)

    # -------------------------------------------------- functions

    def _parse_function(self, private: bool) -> Function:
        """`"function" NAME [":" type] "(" [param {"," param}] ")" [":" NUMBER] (block | C)`."""
        first = self.advance()
        name = self.expect("name", "as the name of the function", _keyword_hint(self.kind))
        type_ = self._parse_type()
        self.expect("(", "after the name of the function", "function name(a, b) { ... }")
        params: list[Param] = []
        if self.kind != ")":
            params.append(self._parse_param())
            while self.accept(","):
                params.append(self._parse_param())
        self.expect(")", "after the parameters")
        priority: int | None = None
        if self.accept(":"):
            if self.kind in ("long", "string"):
                self.unexpected(
                    "a priority", "", f"the type follows the name: function {name[1]}:{self.kind}(...)"
                )
            priority = self._parse_number("as the priority of the function")
        body: Block | EmbeddedStmt
        if self.kind == "emb":
            token = self.advance()
            span = self.here(token)
            self.need_guru("C code", span)
            body = EmbeddedStmt(span, token[1])
        else:
            self.in_function = True
            body = self._parse_block("as the body of the function")
            self.in_function = False
        return Function(
            self.since(first), name[1], tuple(params), body, self.here(name), type_, priority, private
        )

    def _parse_type(self) -> str | None:
        """`[":" ("long" | "string")]`."""
        if not self.accept(":"):
            return None
        if self.kind not in ("long", "string"):
            self.unexpected("'long' or 'string'", "as a type", "leave the type out to have it inferred")
        return self.advance()[0]

    def _parse_param(self) -> Param:
        """`NAME [":" type]`."""
        name = self.expect("name", "as a parameter", _keyword_hint(self.kind))
        type_ = self._parse_type()
        return Param(self.since(name), name[1], type_)

    # -------------------------------------------------- probes

    def _parse_probe(self) -> Item:
        """`"probe" (points body | alias)`, with the grammar of `_parse_alias`."""
        first = self.advance()
        points = self._parse_points()
        if self.kind in ("=", "+="):
            return self._parse_alias(first, points)
        body = self._parse_body()
        return Probe(self.since(first), tuple(points), body)

    def _parse_alias(self, first: Token, points: list[ProbePoint]) -> Alias:
        """`names {"=" names} ("=" points block ["," block] | "+=" points block)`, from the first `=` on."""
        names: list[ProbePoint] = []
        op = "="
        while self.kind in ("=", "+="):
            names += points
            op = self.advance()[0]
            points = self._parse_points()
        self._check_alias_names(names)
        block: Block = self._parse_body()
        prologue, epilogue = (block, None) if op == "=" else (None, block)
        if self.kind == ",":
            comma = self.advance()
            second = self._parse_block("as the second body of the alias")
            if op != "=":
                hint = "'=' takes two bodies, 'probe a = point { prologue }, { epilogue }'"
                self.report("E132", "an alias made with '+=' has one body", self.here(comma), hint)
            epilogue = second
        return Alias(self.since(first), tuple(names), tuple(points), prologue, epilogue)

    def _parse_body(self) -> Block:
        """`block | C`."""
        if self.kind == "emb":
            token = self.advance()
            span = self.here(token)
            self.need_guru("C code", span)
            return Block(span, (EmbeddedStmt(span, token[1]),))
        if self.kind == ";":
            self.unexpected("'{'", "before the handler", "every probe has a handler: probe begin { ... }")
        return self._parse_block("before the handler of the probe")


_PROBE_WORDS = """BEGIN END tracepoint rawtracepoint kprobe kretprobe uprobe uretprobe usdt profile interval
    software hardware fentry fexit kfunc kretfunc iter config"""
_BPFTRACE = frozenset(_PROBE_WORDS.split())


def _keyword_hint(kind: str) -> str:
    from .lexer import KEYWORDS

    return f"'{kind}' is a keyword" if kind in KEYWORDS else ""


def parse(source: Source, env: PreprocEnv, bag: Bag, *, library: bool = False) -> File:
    """Return the tree of a script (library: of a file of the tapset, where C is allowed)."""
    pre = Preprocessor(env)
    with deep_recursion():
        try:
            parser = Parser(pre.tokens(source), env, bag, library)
        except Stop:
            return File(source.span(0, len(source.text)), source, ())
        tree = parser.parse_file(source)
    if not library and parser.kind == "eof":
        for n, text in enumerate(env.args, 1):
            if n not in pre.used:
                bag.warn("W101", f"the script does not use its argument {n} ('{text}')")
    return tree


def parse_macros(source: Source, bag: Bag) -> dict[str, Macro]:
    """Return the macros that a `.stpm` file defines for the whole library."""
    pre = Preprocessor(PreprocEnv())
    try:
        cursor = Parser(pre.tokens(source), pre.env, bag, True)
    except Stop:
        return pre.macros
    if cursor.kind != "eof":
        bag.error("E120", f"expected '@define', found {describe(cursor.tok)}", cursor.here())
    return pre.macros
