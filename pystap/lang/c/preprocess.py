"""C's preprocessor, as far as scripts use it: text -> text without comments, directives and macros.

`Preprocessor.run(text, at)` returns an `Expanded`: the text for the parser, and for each place in it the place in
the script that it comes from (that of the use, for what a macro stands for). `#include` lines are dropped: the
constants of public headers and the types of BTF are known without them. Macros stay defined for later texts.
"""

from __future__ import annotations

from bisect import bisect_right

from ...diag import fail
from .conditions import evaluate
from .macros import EMPTY, INLINE, MACROS, MEMBERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ...source import Span

    Token = tuple[str, int]  # text, place in the script
    Locate = Callable[[int, int], Span]

_MOST_TOKENS = 200_000
_words: Any = None


def _scanner() -> Any:
    """Return the token pattern, compiled when first needed."""
    global _words
    if _words is None:
        import re

        _words = re.compile(
            r"""(?P<comment>/\*.*?\*/|//[^\n]*)|(?P<join>\\\r?\n)|(?P<newline>\n)|(?P<space>[ \t\r\f\v]+)"""
            r"""|(?P<name>[A-Za-z_]\w*)|(?P<number>\.?[0-9](?:[eEpP][+-]|[\w.])*)"""
            r"""|(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
            r"""|(?P<op>->|\+\+|--|<<=|>>=|\.\.\.|<<|>>|[<>=!]=|&&|\|\||[-+*/%&|^]=|\#\#|.)""",
            re.DOTALL | re.VERBOSE,
        )
    return _words


def scan(text: str, at: int) -> list[Token]:
    """Return the tokens of a text that begins at place `at`. Comments and blanks become one blank, newlines stay."""
    out: list[Token] = []
    append = out.append
    for match in _scanner().finditer(text):
        kind = match.lastgroup
        if kind == "newline":
            append(("\n", at + match.start()))
        elif kind in ("comment", "space", "join"):
            append((" ", at + match.start()))
        else:
            append((match.group(), at + match.start()))
    return out


class Macro:
    """params: None for a macro without parentheses; the body is text, scanned when it is used."""

    __slots__ = ("body", "params", "tokens")

    def __init__(self, params: tuple[str, ...] | None, body: str) -> None:
        self.params = params
        self.body = body
        self.tokens: list[str] | None = None

    def words(self) -> list[str]:
        """Return the tokens of the body."""
        if self.tokens is None:
            self.tokens = [token for token, _ in scan(self.body.strip(), 0)]
        return self.tokens


class Expanded:
    """text: for the parser; `place(offset)`: where in the script it comes from."""

    __slots__ = ("names", "origins", "starts", "text")

    def __init__(self, tokens: list[Token], prefix: str, suffix: str) -> None:
        at = len(prefix)
        starts: list[int] = []
        origins: list[int] = []
        names: set[str] = set()
        parts = [prefix]
        for token, origin in tokens:
            starts.append(at)
            origins.append(origin)
            parts.append(token)
            at += len(token)
            if token[0].isalpha() or token[0] == "_":
                names.add(token)
        parts.append(suffix)
        self.text = "".join(parts)
        self.starts = starts
        self.origins = origins
        self.names = names

    def place(self, offset: int) -> int | None:
        """Return the place in the script, None when nothing of the text comes from it."""
        number = bisect_right(self.starts, offset) - 1
        if number < 0:
            return self.origins[0] if self.origins else None
        return self.origins[number]


class Preprocessor:
    """The macros that are defined. locate(start, end): the span of a place in the script; config: CONFIG_ names."""

    def __init__(self, release: str = "", config: Callable[[str], str | None] | None = None) -> None:
        self.macros: dict[str, Macro | None] = {}
        self.release = release
        self.config = config
        self.locate: Locate | None = None

    def define(self, name: str, text: str) -> None:
        """Define a macro without parameters."""
        self.macros[name] = Macro(None, text)

    def run(self, text: str, at: int, locate: Locate) -> list[Token]:
        """Return the tokens that are left of a text that begins at place `at` of the script."""
        self.locate = locate
        return self.expand(self._directives(scan(text, at)), frozenset())

    # ------------------------------------------------------------------ directives

    def _directives(self, tokens: list[Token]) -> list[Token]:
        out: list[Token] = []
        open_: list[list[Any]] = []  # [taken now, taken some time, place]
        at = 0
        fresh = True
        while at < len(tokens):
            token = tokens[at]
            if fresh and token[0] == "#":
                end = _line_end(tokens, at)
                self._directive(tokens[at + 1 : end], token[1], open_)
                at = end
                continue
            if all(level[0] for level in open_) or token[0] == "\n":
                out.append(token)
            fresh = token[0] == "\n" or (fresh and token[0] == " ")
            at += 1
        if open_:
            raise self._error("E161", "this conditional has no #endif", open_[-1][2])
        return out

    def _error(self, code: str, message: str, place: int, *hints: str) -> Exception:
        assert self.locate is not None
        return fail(code, message, self.locate(place, place + 1), *hints)

    def _directive(self, line: list[Token], place: int, open_: list[list[Any]]) -> None:
        words = [t for t in line if t[0] != " "]
        if not words:
            return
        word = words[0][0]
        active = all(level[0] for level in open_)
        if word in ("if", "ifdef", "ifndef"):
            truth = active and self._condition(word, words[1:], place)
            open_.append([truth, truth or not active, place])
        elif word in ("elif", "else", "endif"):
            if not open_:
                raise self._error("E161", f"#{word} without #if", place)
            if word == "endif":
                open_.pop()
                return
            level = open_[-1]
            if word == "else":
                level[0] = not level[1]
            else:
                level[0] = not level[1] and self._condition("if", words[1:], place)
            level[1] = level[1] or level[0]
        elif not active or word in ("include", "pragma", "include_next", "line"):
            return
        elif word == "define":
            self._define(line, words, place)
        elif word == "undef" and len(words) > 1:
            self.macros[words[1][0]] = None
        elif word == "error":
            text = "".join(t[0] for t in line).strip()
            raise self._error("E161", f"#{text}", place)
        else:
            raise self._error("E402", f"not supported in embedded C: #{word}", place)

    def _condition(self, word: str, words: list[Token], place: int) -> bool:
        if word != "if":
            if not words:
                raise self._error("E161", f"#{word} needs a name", place)
            return self._known(words[0][0]) == (word == "ifdef")
        tokens: list[Token] = []
        at = 0
        while at < len(words):
            name = words[at][0]
            if name in ("defined", "IS_ENABLED", "IS_BUILTIN", "IS_REACHABLE"):
                inside = [w for w, _ in words[at + 1 : at + 4] if w not in "()"]
                at += 4 if at + 1 < len(words) and words[at + 1][0] == "(" else 2
                truth = bool(inside) and (
                    self._known(inside[0]) if name == "defined" else self._config(inside[0]) in ("y", "m")
                )
                tokens.append((str(int(truth)), place))
                continue
            tokens.append(words[at])
            at += 1
        try:
            return bool(evaluate([t for t, _ in self.expand(tokens, frozenset()) if t not in " \n"]))
        except ValueError as error:
            raise self._error("E161", f"this condition can't be decided: {error}", place) from None

    def _known(self, name: str) -> bool:
        if name in self.macros:
            return self.macros[name] is not None
        if name.startswith("CONFIG_"):
            return self._config(name.removesuffix("_MODULE")) == ("m" if name.endswith("_MODULE") else "y")
        return name in MACROS or name in ("LINUX_VERSION_CODE", "__KERNEL__", "CONFIG_64BIT", "__x86_64__")

    def _config(self, name: str) -> str | None:
        return self.config(name) if self.config is not None else None

    def _define(self, line: list[Token], words: list[Token], place: int) -> None:
        at = next(i for i, t in enumerate(line) if t[0] == "define") + 1
        while at < len(line) and line[at][0] == " ":
            at += 1
        if at >= len(line) or not line[at][0].isidentifier():
            raise self._error("E161", "#define needs a name", place)
        name = line[at][0]
        at += 1
        params: tuple[str, ...] | None = None
        if at < len(line) and line[at][0] == "(":
            end = next((i for i in range(at, len(line)) if line[i][0] == ")"), None)
            if end is None:
                raise self._error("E161", f"the parameters of '{name}' have no ')'", place)
            params = tuple(t for t, _ in line[at + 1 : end] if t not in (" ", ","))
            at = end + 1
        macro = Macro(params, "".join(t for t, _ in line[at:]))
        if "#" in macro.words() or "##" in macro.words():
            raise self._error("E402", "not supported in embedded C: # and ## in a macro", place)
        self.macros[name] = macro

    # ------------------------------------------------------------------ macros

    def _macro(self, name: str) -> Macro | None:
        if name in self.macros:
            return self.macros[name]
        known = MACROS.get(name)
        if known is not None:
            found = Macro(*known)
        elif name in EMPTY:
            found = Macro(None, "")
        elif name in INLINE:
            found = Macro(None, "inline")
        elif name == "LINUX_VERSION_CODE":
            found = Macro(None, str(_version_code(self.release)))
        else:
            return None
        self.macros[name] = found
        return found

    def expand(self, tokens: list[Token], hidden: frozenset[str]) -> list[Token]:
        """Return the tokens with macros replaced; `hidden`: names that are being expanded."""
        out: list[Token] = []
        before = ""
        at = 0
        while at < len(tokens):
            token, place = tokens[at]
            at += 1
            if token.isidentifier() and token not in hidden:
                if before in ("->", "."):
                    member = MEMBERS.get(token)
                    if member is not None:
                        token = member
                else:
                    macro = self._macro(token)
                    if macro is not None:
                        used, at = self._use(token, macro, place, tokens, at, hidden)
                        out += used
                        if len(out) > _MOST_TOKENS:
                            raise self._error("E161", f"the macro '{token}' grows without end", place)
                        before = ""
                        continue
            out.append((token, place))
            if token not in " \n":
                before = token
        return out

    def _use(
        self,
        name: str,
        macro: Macro,
        place: int,
        tokens: list[Token],
        at: int,
        hidden: frozenset[str],
    ) -> tuple[list[Token], int]:
        """Return what a use of a macro stands for, and the place behind it."""
        body = macro.words()
        if macro.params is None:
            return self.expand([(t, place) for t in body], hidden | {name}), at
        start = at
        while start < len(tokens) and tokens[start][0] in " \n":
            start += 1
        if start >= len(tokens) or tokens[start][0] != "(":
            return [(name, place)], at
        args, end = _arguments(tokens, start)
        if end < 0:
            raise self._error("E161", f"the arguments of '{name}' have no ')'", place)
        params = macro.params
        if params and params[-1] == "...":
            args = args[: len(params) - 1]
            params = params[:-1]
        if len(args) != len(params) and not (not params and args == [[]]):
            raise self._error("E161", f"'{name}' takes {len(params)} arguments, {len(args)} given", place)
        given = {p: self.expand(a, hidden) for p, a in zip(params, args, strict=False)}
        filled: list[Token] = []
        for token in body:
            if token in given:
                filled += given[token]
            else:
                filled.append((token, place))
        return self.expand(filled, hidden | {name}), end


def _line_end(tokens: list[Token], at: int) -> int:
    while at < len(tokens) and tokens[at][0] != "\n":
        at += 1
    return at


def _arguments(tokens: list[Token], start: int) -> tuple[list[list[Token]], int]:
    """Return the arguments between parentheses, and the place behind them (-1: not closed)."""
    args: list[list[Token]] = [[]]
    depth = 0
    for at in range(start, len(tokens)):
        token = tokens[at][0]
        if token in "([{":
            depth += 1
            if depth == 1:
                continue
        elif token in ")]}":
            depth -= 1
            if not depth:
                return [_strip(a) for a in args], at + 1
        elif token == "," and depth == 1:
            args.append([])
            continue
        args[-1].append(tokens[at])
    return args, -1


def _strip(tokens: list[Token]) -> list[Token]:
    start, end = 0, len(tokens)
    while start < end and tokens[start][0] in " \n":
        start += 1
    while end > start and tokens[end - 1][0] in " \n":
        end -= 1
    return tokens[start:end]


def _version_code(release: str) -> int:
    """Return LINUX_VERSION_CODE of a release such as "6.18.0-rc1"."""
    numbers = [int(part) if part.isdecimal() else 0 for part in release.split("-")[0].split(".")]
    major, minor, patch = [*numbers, 0, 0, 0][:3]
    return (major << 16) + (minor << 8) + min(patch, 255)
