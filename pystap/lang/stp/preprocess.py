"""Tokens -> tokens: script arguments, macros, conditional compilation, lazily.

First `$1`, `@1`, `$#`, `@#` and macros are replaced, then `%( condition %? tokens %: tokens %)` is
decided; so a `@define` counts wherever it stands. What is wrong becomes an `error` token at its place
and is reported only if the parser gets to see it. Tokens that a macro or an argument brought have an
origin whose `via` is the place of use.
"""

from __future__ import annotations

from ...node import Node
from ...source import Source, Span
from .conditions import COMPARISONS, ConditionError, PreprocEnv, compare_literals, compare_name
from .lexer import AT_OPERATORS, KEYWORDS, Origin, Problem, lex
from .text import canonical

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from .lexer import Token

__all__ = ["Macro", "PreprocEnv", "Preprocessor"]

_EXPANDED = frozenset(("$arg", "@arg", "$#", "@#", "macro", "@define"))
_CONDITIONAL = frozenset(("%(", "%?", "%:", "%)"))
_OPENING = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
_STATEMENT_END = KEYWORDS | {";", "{", "}", "%)", "%:", "eof"}
_MAX_EXPANSION = 200_000
_MAX_MACROS_OPEN = 50
_MAX_GUESSES = 50  # names that did_you_mean is asked about: a dropped branch may hold any number


# Macros of SystemTap's library that fill files of /proc, by the beginnings of their names.
_FILES = ("prometheus_dump_array", "json_output_")


def _skip_arguments(raw: Iterator[Token]) -> Iterator[Token]:
    """Take the parentheses behind a macro that isn't known, with what is in them; yield what is behind."""
    depth = 0
    for token in raw:
        depth += (token[0] == "(") - (token[0] == ")")
        if token[0] == "eof" or (depth <= 0 and token[0] != ")"):
            yield token
        if depth <= 0 or token[0] == "eof":
            return


class Macro(Node):
    """`@define name(params) %( body %)`; params None: used without parentheses."""

    span: Span
    name: str
    params: tuple[str, ...] | None
    body: tuple[Token, ...]


def _span(token: Token) -> Span:
    origin = token[4]
    return Span(origin.source, token[2], token[3], origin.via)


def _error(
    token: Token, code: str, message: str, hint: str = "", kind: str = "", value: object = None
) -> Token:
    return ("error", Problem(code, message, hint, kind, value), token[2], token[3], token[4])


def _unclosed(at: Token) -> Token:
    return _error(at, "E110", "this condition is not closed", "close it with %)")


class Preprocessor:
    """The preprocessor of one file. `macros` has the file's own after the tokens were taken."""

    def __init__(self, env: PreprocEnv) -> None:
        self.env = env
        self.macros: dict[str, Macro] = {}
        self.used: set[int] = set()
        self._open: list[str] = []
        self._expanded = 0
        self._unknowns = 0

    def tokens(self, source: Source) -> Iterator[Token]:
        """Return the tokens of a source as the parser is to see them."""
        return self._decide(self._expand(lex(source)))

    # -------------------------------------------------- arguments and macros

    def _expand(self, raw: Iterator[Token]) -> Iterator[Token]:
        """Replace arguments and macros, and take in definitions."""
        special = _EXPANDED
        for token in raw:
            kind = token[0]
            if kind not in special:
                yield token
            elif kind == "macro":
                yield from self._use(token, raw)
            elif kind == "@define":
                yield from self._define(token, raw)
            else:
                yield from self._argument(token)

    def _argument(self, token: Token) -> Iterator[Token]:
        """`$1` is the argument's text as tokens, `@1` a string, `$#` and `@#` the number of arguments."""
        kind, n, start, end, origin = token
        args = self.env.args
        if kind == "$#":
            yield ("num", len(args), start, end, origin)
        elif kind == "@#":
            yield ("str", str(len(args)), start, end, origin)
        elif not 1 <= n <= len(args):
            number = len(args)
            given = (
                "none was given" if not number else "1 was given" if number == 1 else f"{number} were given"
            )
            message = f"there is no script argument {n}: {given}"
            hint = "arguments stand behind the script on the command line; test their number with $#"
            stand_in = ("num", 0) if kind == "$arg" else ("str", "")
            yield _error(token, "E106", message, hint, *stand_in)
        else:
            self.used.add(n)
            text = args[n - 1]
            if kind == "@arg":
                yield ("str", canonical(text), start, end, origin)
            else:
                for part in lex(Source(f"<argument {n}>", text), _span(token)):
                    if part[0] in _EXPANDED:
                        yield _error(
                            part,
                            "E107",
                            "a script argument cannot use arguments or macros itself",
                            "",
                            "num",
                            0,
                        )
                    elif part[0] != "eof":
                        yield part

    def _define(self, at: Token, raw: Iterator[Token]) -> Iterator[Token]:
        """`"@define" NAME ["(" [NAME {"," NAME}] ")"] "%(" tokens "%)"`."""
        name = next(raw)
        if name[0] != "name" and name[0] not in KEYWORDS:
            yield _error(name, "E112", "@define needs a name", "@define NAME(parameters) %( text %)")
            token = name if name[0] == "eof" else next(raw)
            if token[0] == "%(":
                token = self._body(raw)[1]
            if token[0] != "%)":
                yield token
            return
        params, token = self._parameters(raw)
        if token[0] != "%(":
            yield _error(
                token, "E112", "the text of a macro stands between %( and %)", "@define NAME %( text %)"
            )
            if token[0] == "eof":
                yield token
            return
        body, last = self._body(raw)
        if last[0] == "eof":
            yield _error(at, "E112", f"the definition of @{name[1]} is not closed", "close it with %)")
            yield last
        else:
            yield from self._keep(name, params, body)

    def _parameters(self, raw: Iterator[Token]) -> tuple[tuple[str, ...] | None, Token]:
        """Take the parameters of a definition, if it has some; return the token behind them, too."""
        token = next(raw)
        if token[0] != "(":
            return None, token
        params = []
        token = next(raw)
        while token[0] not in (")", "%(", "eof"):
            if token[0] != ",":
                params.append(str(token[1]))
            token = next(raw)
        return tuple(params), next(raw) if token[0] == ")" else token

    def _keep(self, name: Token, params: tuple[str, ...] | None, body: tuple[Token, ...]) -> Iterator[Token]:
        """Add a macro, or return why not."""
        if any(t[0] == "@define" for t in body):
            yield _error(name, "E112", "a macro cannot define macros")
            self.macros[name[1]] = Macro(_span(name), name[1], None, ())
        elif "@" + name[1] in AT_OPERATORS:
            yield _error(name, "E112", f"@{name[1]} is an operator of the language, not a name for a macro")
        elif name[1] in self.macros:
            line = self.macros[name[1]].span.line
            yield _error(name, "E112", f"the macro @{name[1]} is defined already, in line {line}")
        else:
            self.macros[name[1]] = Macro(_span(name), name[1], params, body)

    def _body(self, raw: Iterator[Token]) -> tuple[tuple[Token, ...], Token]:
        """Take the tokens up to the `%)` that closes a definition."""
        body: list[Token] = []
        depth = 0
        while True:
            token = next(raw)
            kind = token[0]
            if kind == "%(":
                depth += 1
            elif kind == "%)":
                if not depth:
                    return tuple(body), token
                depth -= 1
            elif kind in ("$arg", "@arg"):
                self.used.add(token[1])
            elif kind == "eof":
                return tuple(body), token
            body.append(token)

    def _use(self, at: Token, raw: Iterator[Token]) -> Iterator[Token]:
        """`"@" NAME ["(" tokens {"," tokens} ")"]`: yield what the macro stands for."""
        name = at[1]
        macro = self.macros.get(name)
        if macro is None and self.env.macros is not None:
            macro = self.env.macros.get(name)
        if macro is None:
            yield self._unknown(at)
            if name.startswith(_FILES) and "_data_" not in name:
                yield from _skip_arguments(raw)
            return
        if name in self._open or len(self._open) >= _MAX_MACROS_OPEN:
            what = "uses itself" if name in self._open else "is nested too deeply"
            yield _error(at, "E114", f"the macro @{name} {what}", "", "num", 0)
            return
        args: list[list[Token]] = []
        if macro.params is not None:
            wrong = yield from self._arguments(at, macro, raw, args)
            if wrong:
                return
        bound = dict(zip(macro.params or (), args, strict=True))
        origin = Origin(macro.span.source, _span(at))
        body: list[Token] = []
        for token in macro.body:
            if token[0] == "macro" and token[1] in bound:
                body += bound[token[1]]
            else:
                body.append((*token[:4], origin))
        if self._expanded > _MAX_EXPANSION:
            return
        self._expanded += len(body)
        if self._expanded > _MAX_EXPANSION:
            yield _error(at, "E114", f"the macros of this script expand to more than {_MAX_EXPANSION} tokens")
            return
        self._open.append(name)
        yield from self._expand(iter(body))
        self._open.pop()

    def _unknown(self, at: Token) -> Token:
        from ...diag import did_you_mean

        name = at[1]
        if name.startswith(_FILES):
            words = f"'@{name}' can't be done here: it writes a file of /proc, which takes a kernel module"
            return _error(
                at, "E406", words, "print from a timer: -f json makes JSON lines of all output", "num", 0
            )
        self._unknowns += 1
        if self._unknowns > _MAX_GUESSES:
            return _error(at, "E111", f"unknown macro or operator '@{name}'", "", "num", 0)
        known = [*self.macros, *(self.env.macros or ()), *(op[1:] for op in sorted(AT_OPERATORS))]
        near = did_you_mean(name, known)
        hint = f"did you mean '@{near}'?" if near else "define it with @define, before it is used"
        return _error(at, "E111", f"unknown macro or operator '@{name}'", hint, "num", 0)

    def _arguments(
        self, at: Token, macro: Macro, raw: Iterator[Token], args: list[list[Token]]
    ) -> Generator[Token, None, bool]:
        """Collect the arguments of a use in `args`, expanded; return whether something was wrong."""
        params = macro.params or ()
        token = next(raw, at)
        if token[0] != "(":
            message = f"the macro @{macro.name} takes {_count(len(params))} in parentheses"
            yield _error(at, "E113", message, "", "num", 0)
            if token is not at:
                yield from self._expand(iter((token,)))
            return True
        depth = 1
        current: list[Token] = []
        while True:
            token = next(raw, at)
            kind = token[0]
            if token is at or kind == "eof":
                yield _error(
                    at, "E113", f"the arguments of @{macro.name} are not closed", "close them with )"
                )
                if kind == "eof":
                    yield token
                return True
            depth += _OPENING.get(kind, 0)
            if not depth and kind != ")":
                yield _error(
                    at,
                    "E113",
                    f"the arguments of @{macro.name} are not closed",
                    "close them with )",
                    "num",
                    0,
                )
                yield token
                return True
            if not depth or (depth == 1 and kind == ","):
                args.append(list(self._expand(iter(current))))
                current = []
                if not depth:
                    break
            else:
                current.append(token)
        if not params and args == [[]]:
            args.clear()
        if len(args) == len(params):
            return False
        message = f"the macro @{macro.name} takes {_count(len(params))}, not {len(args)}"
        yield _error(at, "E113", message, "", "num", 0)
        return True

    # -------------------------------------------------- conditions

    def _decide(self, tokens: Iterator[Token]) -> Iterator[Token]:
        """Drop what conditions exclude."""
        special = _CONDITIONAL
        taken: list[tuple[Token, bool]] = []  # the `%(` whose tokens we yield, and: may `%:` follow?
        for token in tokens:
            kind = token[0]
            if kind == "eof" and taken:
                yield _unclosed(taken[-1][0])
            if kind not in special:
                yield token
                continue
            at, last = token, token
            if kind == "%(":
                try:
                    true = self._condition(token, tokens)
                except _ConditionSyntaxError as e:
                    yield e.error
                    last = self._abandon(e.token, tokens)
                    if last[0] not in ("%)", "eof"):
                        yield last
                else:
                    if true:
                        taken.append((token, True))
                    else:
                        last = self._skip(tokens, True)
                        if last[0] == "%:":
                            taken.append((token, False))
            elif kind == "%)" and taken:
                taken.pop()
            elif kind == "%:" and taken and taken[-1][1]:
                at = taken.pop()[0]
                last = self._skip(tokens, True)
                if last[0] == "%:":
                    yield _error(last, "E110", "a condition has one '%:' only")
                    last = self._skip(tokens, False)
            else:
                yield _error(token, "E110", f"'{kind}' without the '%(' that it belongs to")
            if last[0] == "eof":
                yield _unclosed(at)
                yield last

    def _abandon(self, token: Token, tokens: Iterator[Token]) -> Token:
        """After a bad condition: drop all of it, or (a remainder, say) the rest of the statement."""
        while token[0] not in _STATEMENT_END and token[0] != "%?":
            token = next(tokens)
        return self._skip(tokens, False) if token[0] == "%?" else token

    def _skip(self, tokens: Iterator[Token], stop_at_else: bool) -> Token:
        """Drop tokens up to the `%)` (or, if asked, the `%:`) of this level; return it, or eof."""
        depth = 0
        for token in tokens:
            kind = token[0]
            if kind == "%(":
                depth += 1
            elif kind == "%)":
                if not depth:
                    return token
                depth -= 1
            elif kind == "eof" or (kind == "%:" and not depth and stop_at_else):
                return token
        raise AssertionError("tokens end with eof")

    def _condition(self, at: Token, tokens: Iterator[Token]) -> bool:
        """`comparison {("&&" | "||") comparison} "%?"`; && binds tighter. Take it, and return its value."""
        any_true = False
        all_true = True
        while True:
            value, token = self._comparison(at, tokens, all_true and not any_true)
            all_true = all_true and value
            kind = token[0]
            if kind == "&&":
                continue
            any_true = any_true or all_true
            if kind == "%?":
                return any_true
            if kind != "||":
                message = f"expected '%?' after the condition, not '{token[1] or 'the end'}'"
                raise _ConditionSyntaxError(_error(at, "E110", message, _CONDITION_HINT), token)
            all_true = True

    def _comparison(self, at: Token, tokens: Iterator[Token], needed: bool) -> tuple[bool, Token]:
        """`operand ("<" | "<=" | "==" | "!=" | ">" | ">=") operand`; return its value and the next token."""
        left_name, left, first = self._operand(at, tokens)
        op = next(tokens)
        if op[0] not in COMPARISONS:
            message = f"expected a comparison in this condition, not '{op[1] or 'the end'}'"
            raise _ConditionSyntaxError(_error(at, "E110", message, _CONDITION_HINT), op)
        _, right, last = self._operand(at, tokens)
        following = next(tokens)
        if not needed:
            return False, following
        try:
            if left_name:
                return compare_name(self.env, str(left), op[0], right), following
            return compare_literals(left, op[0], right), following
        except ConditionError as e:
            where = first if last[4] is not first[4] else (*first[:3], last[3], first[4])
            raise _ConditionSyntaxError(_error(where, "E110", e.message, e.hint), following) from None

    def _operand(self, at: Token, tokens: Iterator[Token]) -> tuple[bool, int | str, Token]:
        """`NAME | STRING | ["-"] NUMBER`; return (is it a name, its value, its token)."""
        token = next(tokens)
        kind = token[0]
        if kind == "-":
            token = next(tokens)
            if token[0] == "num":
                return False, -token[1], token
        elif kind in ("num", "str"):
            return False, token[1], token
        elif kind == "name":
            return True, token[1], token
        elif kind == "error":
            raise _ConditionSyntaxError(token, next(tokens))
        message = f"expected a name, a string or a number in this condition, not '{token[1] or 'the end'}'"
        raise _ConditionSyntaxError(_error(at, "E110", message, _CONDITION_HINT), token)


_CONDITION_HINT = "'%(' begins a condition, %( kernel_v > \"6.1\" %? ... %); a remainder is written x % (y)"


class _ConditionSyntaxError(Exception):
    """A malformed condition: the error token, and the last token taken."""

    def __init__(self, error: Token, token: Token) -> None:
        super().__init__()
        self.error = error
        self.token = token


def _count(n: int) -> str:
    return "no arguments" if not n else "1 argument" if n == 1 else f"{n} arguments"
