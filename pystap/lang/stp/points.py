"""Parsing of probe points: dotted components, wildcards, brace expansion, suffixes, conditions."""

from __future__ import annotations

from .ast import Component, ProbePoint
from .lexer import KEYWORDS
from .statements import StatementParser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...source import Span
    from .ast import Expr
    from .lexer import Token

MAX_POINTS = 10_000
"""How many points one brace expansion may give."""
MAX_COMPONENTS = 64


class _Path:
    """One alternative of a brace expansion."""

    __slots__ = ("components", "optional", "sufficient")

    def __init__(
        self, components: tuple[Component, ...], optional: bool = False, sufficient: bool = False
    ) -> None:
        self.components = components
        self.optional = optional
        self.sufficient = sufficient

    def then(self, other: _Path) -> _Path:
        """Return this path with another one behind it."""
        components = self.components + other.components
        return _Path(components, self.optional or other.optional, self.sufficient or other.sufficient)


class PointParser(StatementParser):
    """Probe points."""

    def _parse_points(self) -> list[ProbePoint]:
        """`point {"," point}`."""
        out = self._parse_point()
        while self.accept(","):
            out += self._parse_point()
        return out

    def _parse_point(self) -> list[ProbePoint]:
        """`path ["?" | "!"] ["if" "(" expr ")"]`."""
        first = self.tok
        paths = self._parse_path()
        condition: Expr | None = None
        if self.accept("if"):
            self.expect("(", "after 'if'", "probe point if (condition) { ... }")
            self.chain = 0
            condition = self._parse_expression()
            self.expect(")", "after the condition of the probe point")
            self.report_pending()
        span = self.since(first)
        return [ProbePoint(span, p.components, p.optional, p.sufficient, condition) for p in paths]

    def _parse_path(self) -> list[_Path]:
        """`(component | "{" path {"," path} "}") {"." (component | group)} ["?" | "!"]`."""
        first = self.tok
        paths = self._parse_step_of_path()
        length = 1
        while self.accept("."):
            more = self._parse_step_of_path()
            if len(more) * len(paths) > MAX_POINTS:
                message = f"these braces give more than {MAX_POINTS} probe points"
                self.fail("E131", message, self.since(first), "use wildcards")
            length += 1
            if length > MAX_COMPONENTS:
                message = f"a probe point has {MAX_COMPONENTS} components at most"
                self.fail("E131", message, self.since(first))
            paths = [a.then(b) for a in paths for b in more]
        if self.kind == "?":
            self.advance()
            for path in paths:
                path.optional = True
        elif self.kind == "!":
            self.advance()
            for path in paths:
                path.optional = path.sufficient = True
        return paths

    def _parse_step_of_path(self) -> list[_Path]:
        """`component | "{" path {"," path} "}"`."""
        if self.kind != "{":
            return [_Path((self._parse_component(),))]
        first = self.advance()
        self.enter()
        out = self._parse_path()
        while self.accept(","):
            out += self._parse_path()
            if len(out) > MAX_POINTS:
                message = f"these braces give more than {MAX_POINTS} probe points"
                self.fail("E131", message, self.since(first), "use wildcards")
        self.expect("}", "to close the alternatives of the probe point", "probe a.{b,c} { ... }")
        self.depth -= 1
        return out

    def _parse_component(self) -> Component:
        """`name ["(" (STRING | ["-"] NUMBER) ")"]`, where the name may contain `*`."""
        first = self.tok
        name = self._parse_component_name()
        arg: int | str | None = None
        if self.kind == "(":
            self.advance()
            context = f"as the argument of '{name}'"
            if self.kind == "str":
                arg = self._parse_string(context).value
            elif self.kind in ("num", "-"):
                arg = self._parse_number(context)
            else:
                hint = "a literal, or an argument of the script: $1 (number), @1 (string)"
                self.unexpected("a string or a number", context, hint)
            self.expect(")", f"after the argument of '{name}'")
        return Component(self.since(first), name, arg)

    def _parse_component_name(self) -> str:
        """`(NAME | KEYWORD | "*") {NAME | KEYWORD | NUMBER | "*"}` without spaces."""
        kind = self.kind
        if kind != "name" and kind != "*" and kind not in KEYWORDS:
            by_argument = kind == "str" and _raw(self.tok)[:1] == "@"
            self.unexpected("a probe point", "", _BY_ARGUMENT if by_argument else _HINTS.get(kind, ""))
        name: str = self.advance()[1]
        while (kind := self.kind) in ("name", "*", "num") or kind in KEYWORDS:
            if not self.adjacent():
                break
            token = self.advance()
            name += _raw(token) if kind == "num" else token[1]
        return name

    def _check_alias_names(self, names: list[ProbePoint]) -> None:
        """Report what the name of an alias may not have."""
        for point in names:
            wrong: Span | None = None
            for part in point.components:
                if part.arg is not None or "*" in part.name:
                    wrong = part.span
            if wrong is None and (point.optional or point.condition is not None):
                wrong = point.span
            if wrong is not None:
                hint = 'probe some.name = kernel.trace("x") { ... }'
                self.report("E132", "the name of an alias is made of plain words and dots", wrong, hint)


_BY_ARGUMENT = "@1 is a string; $1 puts the argument's words here as they are"
_HINTS = {
    "str": 'arguments stand in parentheses: process("/bin/ls").begin',
    ".": "two dots without a name between them, or one at the start",
    "{": "",
    "eof": "probe begin { ... }",
}


def _raw(token: Token) -> str:
    return token[4].source.text[token[2] : token[3]]
