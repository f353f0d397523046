"""Parsing of values: literals, names, calls, printing, target variables, operators with `@`, accessors."""

from __future__ import annotations

from .ast import (
    AtOp,
    Call,
    Cast,
    Deref,
    Element,
    EmbeddedExpr,
    Expr,
    Field,
    HistOp,
    Index,
    Name,
    Number,
    Print,
    StatOp,
    String,
    Target,
    Var,
)
from .cursor import Cursor
from .formats import Format, parse_format
from .formats import Problem as FormatProblem
from .lexer import KEYWORDS
from .text import canonical, offsets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from ...source import Span
    from .lexer import Token

_PLAIN_PRINTS = frozenset(("print", "println", "sprint", "sprintln"))
_DELIMITED_PRINTS = frozenset(("printd", "printdln", "sprintd", "sprintdln"))
_FORMATTED_PRINTS = frozenset(("printf", "sprintf"))
PRINTS = _PLAIN_PRINTS | _DELIMITED_PRINTS | _FORMATTED_PRINTS

STAT_OPERATORS = frozenset(("@avg", "@count", "@sum", "@min", "@max", "@variance"))
_HISTOGRAMS = frozenset(("@hist_log", "@hist_linear"))
_TARGETS = frozenset(("@cast", "@var"))
_GURU_OPERATORS = frozenset(("@kderef", "@kregister"))  # @const gets no C here, so it can do no harm
# The arguments of the others: e expression, s string, n number, v variable's name; behind a dot: optional.
MOST_BUCKETS = 100_000
_SIGNATURES = {
    "@defined": "e",
    "@entry": "e",
    "@probewrite": "v",
    "@perf": "s",
    "@const": "s",
    "@enum": "s",
    "@enumname": "e.ss",
    "@kderef": "ne",
    "@uderef": "ne",
    "@kregister": "n",
    "@uregister": "n",
}
_WRAP = 1 << 64


def negated(value: int) -> int:
    """Return -value as a signed 64-bit number."""
    value = -value & (_WRAP - 1)
    return value - _WRAP if value >= _WRAP >> 1 else value


class ValueParser(Cursor):
    """Values; expressions are parsed by the subclass."""

    def _parse_expression(self) -> Expr:
        raise NotImplementedError

    # -------------------------------------------------- literals

    def _parse_string(self, context: str, hint: str = "") -> String:
        """`STRING {STRING}`: adjacent literals are one."""
        first = self.tok
        if self.kind != "str":
            self.unexpected("a string", context, hint)
        value: str = first[1]
        self.advance()
        if self.kind == "str":
            parts = [value]
            while self.kind == "str":
                parts.append(self.tok[1])
                self.advance()
            value = canonical("".join(parts))
        return String(self.since(first), value)

    def _parse_number(self, context: str) -> int:
        """`["-"] NUMBER`."""
        minus = self.accept("-")
        value: int = self.expect("num", context)[1]
        return negated(value) if minus else value

    # -------------------------------------------------- primaries

    def _parse_primary(self) -> Expr:
        """Parse a value without accessors.

        `STRING {STRING} | NUMBER | NAME ["(" args ")" | "[" keys "]"] | TARGET | "@..." | "(" expr ")" | C`
        """
        kind = self.kind
        if kind == "name":
            return self._parse_name()
        if kind == "num":
            token = self.advance()
            return Number(self.here(token), token[1])
        if kind == "str":
            return self._parse_string("")
        if kind == "target":
            return self._parse_target(False)
        if kind == "(":
            self.advance()
            inner = self._parse_expression()
            self.expect(")", "to close the parenthesis")
            return inner
        if kind[0] == "@":
            return self._parse_at()
        if kind == "emb":
            token = self.advance()
            span = self.here(token)
            self.need_guru("C code", span)
            return EmbeddedExpr(span, token[1])
        self._no_value()

    def _no_value(self) -> NoReturn:
        """Say why no expression begins at the current token."""
        hint = ""
        if self.kind == "[":
            hint = "keys in brackets stand at the start of '[a, b] in array' only: !([a, b] in array)"
        elif self.kind in KEYWORDS:
            hint = f"'{self.kind}' is a keyword and cannot name a variable or function"
        self.unexpected("an expression", "", hint)

    def _parse_name(self) -> Expr:
        """`NAME | NAME "(" [expr {"," expr}] ")" | NAME "[" keys "]"`."""
        first = self.advance()
        name: str = first[1]
        if self.kind == "(":
            if name in PRINTS:
                return self._parse_print(first)
            name_span = self.here(first)
            self.advance()
            args = self._parse_arguments()
            return Call(self.since(first), name, args, name_span)
        node = Name(self.here(first), name)
        if self.kind == "[":
            return self._parse_index(first, node)
        return node

    def _parse_arguments(self) -> tuple[Expr, ...]:
        """`[expr {"," expr}] ")"`, behind the parenthesis."""
        if self.accept(")"):
            return ()
        return self._parse_some_arguments()

    def _parse_some_arguments(self) -> tuple[Expr, ...]:
        """`expr {"," expr} ")"`."""
        args = [self._parse_expression()]
        while self.accept(","):
            args.append(self._parse_expression())
        self.expect(")", "after the arguments")
        return tuple(args)

    def _parse_keys(self) -> tuple[Expr | None, ...]:
        """`"[" key {"," key} "]"`, where a key is an expression or `*` (None)."""
        self.expect("[")
        keys: list[Expr | None] = []
        while True:
            if self.kind == "*":
                self.advance()
                keys.append(None)
            else:
                keys.append(self._parse_expression())
            if not self.accept(","):
                break
        self.expect("]", "after the keys")
        return tuple(keys)

    def _parse_index(self, first: Token, base: Name | HistOp) -> Index:
        """`base keys`."""
        keys = self._parse_keys()
        node = Index(self.since(first), base, keys)
        if None in keys:
            self.pending.append(node)
        return node

    # -------------------------------------------------- printing

    def _parse_print(self, first: Token) -> Print:
        """`("print" | "printd" | "printf" | ...) "(" [STRING ","] args ")"`, at the parenthesis."""
        kind: str = first[1]
        args: tuple[Expr, ...]
        self.advance()
        if kind in _FORMATTED_PRINTS:
            form = self._parse_format(kind)
            args = ()
            if self.accept(","):
                args = self._parse_some_arguments()
            else:
                self.expect(")", "after the format string", "arguments are separated by ','")
            return Print(self.since(first), kind, args, form)
        if kind in _DELIMITED_PRINTS:
            hint = f'{kind}(", ", a, b)'
            delimiter = self._parse_string(f"as the delimiter of {kind}", hint)
            self.expect(",", f"after the delimiter of {kind}", hint)
            args = self._parse_some_arguments()
            return Print(self.since(first), kind, args, None, delimiter)
        args = self._parse_arguments()
        span = self.since(first)
        if not args and kind in ("println", "sprintln"):
            args = (String(span, ""),)
        elif len(args) != 1:
            hint = "use printf, or printd with a delimiter, for several values" if args else f'{kind}("")'
            self.report("E130", f"{kind} takes one value, not {len(args)}", span, hint)
        elif isinstance(args[0], HistOp):
            self.claim(args[0])
        return Print(span, kind, args)

    def _parse_format(self, kind: str) -> Format:
        """`STRING {STRING}`, as a format of printf."""
        tokens = []
        hint = f'the format is a literal, {kind}("%s\\n", value)'
        if self.kind != "str":
            self.unexpected("a string", f"as the format of {kind}", hint)
        first = self.tok
        while self.kind == "str":
            tokens.append(self.advance())
        span = self.since(first)
        text: str = tokens[0][1]
        if len(tokens) > 1:
            text = canonical("".join(t[1] for t in tokens))
        problems: list[FormatProblem] = []
        form = parse_format(text, span, _Places(tokens, span, text).locate, problems)
        for problem in problems:
            self.report("E128", problem.message, problem.span, problem.hint)
        return form

    def claim(self, node: Expr) -> None:
        """Accept an expression that is legal in few places, because this is one of them."""
        if node in self.pending:
            self.pending.remove(node)

    def report_pending(self) -> None:
        """Report the expressions that stand where they may not."""
        for node in self.pending:
            if isinstance(node, HistOp):
                hint = "print(@hist_log(x)), foreach (b in @hist_log(x)), or @hist_log(x)[bucket]"
                self.report("E129", "a histogram is not a value that can be used here", node.span, hint)
            else:
                hint = "use it in 'delete', in 'in' and in 'foreach'"
                self.report("E129", "'*' as a key selects many elements, not one value", node.span, hint)
        self.pending.clear()

    # -------------------------------------------------- target side

    def _parse_target(self, address_of: bool, first: Token | None = None) -> Target:
        """`TARGET accessors`."""
        token = self.advance()
        text: str = token[1]
        name = text.rstrip("$")
        pretty = len(text) - len(name)
        if not name or pretty > 2:
            hint = "$name is a variable of the traced code; $1 and @1 are arguments of the script"
            self.fail("E121", f"'{text}' is not a target variable", self.here(token), hint)
        accessors, more = self._parse_accessors(bool(pretty))
        return Target(self.since(first or token), accessors, address_of, pretty or more, name)

    def _parse_accessors(self, ended: bool = False) -> tuple[tuple[Field | Element, ...], int]:
        """`{"->" NAME | "[" expr "]"} ["$" | "$$"]`: return the accessors and the number of `$`."""
        out: list[Field | Element] = []
        pretty = 0
        while not ended:
            first = self.tok
            if self.kind == "->":
                self.advance()
                if self.kind != "name" and self.kind not in KEYWORDS:
                    self.unexpected("the name of a member", "after '->'")
                text: str = self.advance()[1]
                name = text.rstrip("$")
                pretty = len(text) - len(name)
                if pretty > 2:
                    self.fail("E121", f"'{text}' is not a member", self.here(self.last), "")
                ended = pretty > 0
                out.append(Field(self.since(first), name))
            elif self.kind == "[":
                self.advance()
                index = self._parse_expression()
                self.expect("]", "after the index")
                out.append(Element(self.since(first), index))
            else:
                ended = True
                if self.kind == "target" and self.value in ("$", "$$") and self.adjacent():
                    pretty = len(self.advance()[1])
        return tuple(out), pretty

    def _parse_access(self) -> Expr:
        """`["&"] primary accessors`."""
        first = self.tok
        address_of = self.accept("&")
        if self.kind == "target":
            return self._parse_target(address_of, first)
        if self.kind in _TARGETS:
            return self._parse_cast_or_var(address_of, first)
        value = self._parse_primary()
        if self.kind == "->":
            accessors, pretty = self._parse_accessors()
            return Deref(self.since(first), accessors, address_of, pretty, value)
        if address_of:
            hint = "&$var, &$var->member or &pointer->member"
            self.fail(
                "E121", "'&' takes the address of something on the traced side", self.since(first), hint
            )
        return value

    def _parse_cast_or_var(self, address_of: bool, first: Token) -> Expr:
        """`("@cast" "(" expr "," | "@var" "(") STRING ["," STRING] ")" accessors`."""
        op = self.advance()[0]
        self.expect("(", f"after {op}")
        operand: Expr | None = None
        if op == "@cast":
            operand = self._parse_expression()
            self.expect(",", "after the pointer", '@cast(pointer, "struct name")')
        text = self._parse_string(f"in {op}", "the type is a literal string" if operand else "").value
        module = self._parse_string(f"as the module of {op}").value if self.accept(",") else None
        self.expect(")", f"to close {op}")
        accessors, pretty = self._parse_accessors()
        span = self.since(first)
        if operand is not None:
            return Cast(span, accessors, address_of, pretty, operand, text, module)
        return Var(span, accessors, address_of, pretty, text, module)

    # -------------------------------------------------- operators with @

    def _parse_at(self) -> Expr:
        """`"@op" "(" arguments ")"` (`@cast` and `@var` too, where nothing can follow)."""
        first = self.tok
        op = self.kind
        if op in _TARGETS:
            return self._parse_cast_or_var(False, first)
        if op in STAT_OPERATORS:
            return self._parse_statistic()
        if op in _HISTOGRAMS:
            hist = self._parse_histogram()
            if self.kind == "[":
                return self._parse_index(first, hist)
            self.pending.append(hist)
            return hist
        self.advance()
        signature = _SIGNATURES.get(op)
        if signature is None:
            self.fail("E121", f"'{op}' has no meaning here", self.here(first))
        self.expect("(", f"after {op}")
        args: list[Expr] = []
        optional = False
        for i, want in enumerate(signature):
            if want == ".":
                optional = True
                continue
            if optional and self.kind == ")":
                break
            if i:
                self.expect(",", f"in {op}")
            args.append(self._parse_at_argument(op, want))
        self.expect(")", f"to close {op}")
        span = self.since(first)
        if op in _GURU_OPERATORS:
            self.need_guru(op, span)
        return AtOp(span, op, tuple(args))

    def _parse_at_argument(self, op: str, want: str) -> Expr:
        """Parse one argument of an operator: e an expression, s a string, n a number, v a variable."""
        if want == "e":
            return self._parse_expression()
        if want == "s":
            return self._parse_string(f"in {op}")
        if want == "n":
            first = self.tok
            value = self._parse_number(f"in {op}")
            return Number(self.since(first), value)
        if self.kind == "target":
            return self._parse_target(False)
        token = self.expect("name", f"in {op}")
        return Name(self.here(token), token[1])

    def _parse_statistic(self) -> StatOp:
        """`("@count" | "@sum" | ...) "(" expr ["," NUMBER] ")"`; only @variance takes the number."""
        first = self.advance()
        op = first[0]
        self.expect("(", f"after {op}")
        stat = self._parse_expression()
        params: tuple[int, ...] = ()
        if op == "@variance" and self.accept(","):
            params = (self._parse_number(f"as the bits of {op}"),)
        self.expect(")", f"to close {op}")
        return StatOp(self.since(first), op, stat, params)

    def _parse_histogram(self) -> HistOp:
        """`"@hist_log" "(" expr ")" | "@hist_linear" "(" expr "," NUMBER "," NUMBER "," NUMBER ")"`."""
        first = self.advance()
        op = first[0]
        self.expect("(", f"after {op}")
        stat = self._parse_expression()
        params: list[int] = []
        if op == "@hist_linear":
            for what in ("low", "high", "step"):
                self.expect(",", f"before the {what} of {op}", "@hist_linear(x, low, high, step)")
                params.append(self._parse_number(f"as the {what} of {op}"))
        self.expect(")", f"to close {op}")
        span = self.since(first)
        if params and (params[2] <= 0 or params[0] > params[1]):
            hint = "the step is above 0, and low is not above high"
            self.report("E129", f"@hist_linear has no buckets from {params[0]} to {params[1]}", span, hint)
        elif params and (params[1] - params[0]) // params[2] >= MOST_BUCKETS:
            words = f"@hist_linear would have more than {MOST_BUCKETS} buckets"
            self.report("E129", words, span, "a larger step makes fewer")
        return HistOp(span, op, stat, tuple(params))


class _Places:
    """Finds where a part of a decoded string stands in the script."""

    def __init__(self, tokens: list[Token], span: Span, text: str) -> None:
        self.tokens = tokens
        self.span = span
        self.text = text
        self.raw: list[int] | None = None

    def locate(self, start: int, end: int) -> Span:
        """Return the span of text[start:end] (of the whole literal, if it came from elsewhere)."""
        if len(self.tokens) > 1:
            return self.span
        at = self.tokens[0]
        source = at[4].source
        raw = source.text[at[2] + 1 : at[3] - 1]
        if source.text[at[2] : at[2] + 1] != '"':
            return self.span
        base = at[2] + 1
        if "\\" not in raw:
            return type(self.span)(source, base + start, base + end, at[4].via)
        places = self.raw
        if places is None:
            places = self.raw = offsets(raw)
        if len(places) != len(self.text) + 1:
            return self.span
        return type(self.span)(source, base + places[start], base + places[end], at[4].via)
