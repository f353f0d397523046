"""C declarations -> type nodes: struct, union, enum and typedef, from tokens with macros expanded.

Qualifiers and unknown attributes are left out; `packed` and `aligned(n)` are kept. A function's
type is `void`, so that a pointer to one is `void *`.
"""

from __future__ import annotations

from ...diag import fail
from ...source import Source
from . import ast
from .constants import evaluate
from .cursor import MAX_DEPTH
from .expressions import ExpressionParser
from .typeexprs import C_WORDS, c_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .lexer import Token
    from .report import Reporter

_QUALIFIERS = (
    "const volatile restrict __restrict __extension__ __signed__ static extern inline register "
    "__user __rcu __percpu __iomem __kernel __force __bitwise __maybe_unused"
)
_IGNORED = frozenset(_QUALIFIERS.split())


class _Attributes:
    __slots__ = ("aligned", "packed")

    def __init__(self) -> None:
        self.packed = False
        self.aligned: int | None = None


class CDeclarations(ExpressionParser):
    """Parses one declaration after the other; `constants` collects the enums' values."""

    __slots__ = ("constants",)

    def __init__(self, source: Source, report: Reporter) -> None:
        super().__init__(source, report)
        self.constants: dict[str, int] = {}

    def block(self, *, value: bool) -> ast.Block:
        """C's expressions have no blocks."""
        raise self.unexpected("a constant")

    def declaration(self, tokens: list[Token], end: int) -> list[ast.CRecord | ast.CEnum | ast.CTypedef]:
        """Parse `struct ...;`, `union ...;`, `enum ...;` or `typedef ...;`."""
        self.begin_list(tokens, end)
        start = self.token[2]
        typedef = self.kind == "id" and self.token[1] == "typedef"
        if typedef:
            self.advance()
        attributes = _Attributes()
        base = self._specifiers(attributes)
        out: list[ast.CRecord | ast.CEnum | ast.CTypedef] = []
        if not typedef:
            if isinstance(base, ast.CRecord | ast.CEnum):
                out.append(base)
            if self.kind not in (";", "eof"):
                raise self.unexpected("';'", "definitions of types alone can stand here", code="E131")
            return out
        while True:
            name, type_ = self._declarator(base)
            if not name:
                raise self.unexpected("the name that the typedef makes", code="E131")
            self._attributes(attributes)
            out.append(ast.CTypedef(self.span(start), name, type_))
            self.typedefs.add(name)
            if not self.accept(","):
                break
        self.expect(";", "behind a typedef")
        return out

    # ---- specifiers -----------------------------------------------------------------------

    def _attributes(self, into: _Attributes) -> None:
        """Step over qualifiers and attributes."""
        while self.kind == "id":
            word = self.token[1]
            if word == "__attribute__" or word == "__attribute":
                self.advance()
                self.expect("(")
                self.expect("(")
                while self.kind != ")":
                    self._attribute(into)
                self.expect(")")
                self.expect(")")
            elif word in ("__packed", "__aligned"):
                self._attribute(into)
            elif word in _IGNORED:
                self.advance()
            else:
                return

    def _attribute(self, into: _Attributes) -> None:
        if self.accept(","):
            return
        word = self.word("an attribute").strip("_")
        value: ast.Expr | None = None
        if self.accept("("):
            value = self._attribute_value()
        if word == "packed":
            into.packed = True
        elif word == "aligned":
            number = 16 if value is None else evaluate(value, self.constants)
            if number is None or number < 1 or number & (number - 1):
                raise fail("E132", "an alignment is a constant power of two", self.here())
            into.aligned = max(number, into.aligned or 1)

    def _attribute_value(self) -> ast.Expr | None:
        value = None if self.kind == ")" else self.expression()
        while self.accept(","):
            self.expression()
        self.expect(")")
        return value

    def _specifiers(self, attributes: _Attributes) -> ast.Type:
        start = self.token[2]
        words: list[str] = []
        base: ast.Type | None = None
        while True:
            self._attributes(attributes)
            kind = self.kind
            if kind == "id" and base is None and self.token[1] in C_WORDS:
                words.append(self.token[1])
                self.advance()
            elif base is not None or words:
                break
            elif kind == "struct" or kind == "union":
                base = self._aggregate(kind)
            elif kind == "enum":
                base = self._enum()
            elif kind == "typeof":
                base = self.parse_type()
            elif kind == "id":
                base = ast.NamedType(self.here(), str(self.token[1]))
                self.advance()
            else:
                raise self.unexpected("a type", code="E131")
        if base is None:
            base = ast.NamedType(self.span(start), c_name(words))
        return base

    def _tag(self) -> str:
        if self.kind == "id":
            return self.name("a name")
        return ""

    def _aggregate(self, kind: str) -> ast.Type:
        start = self.token[2]
        attributes = _Attributes()
        self.enter()
        self.advance()
        self._attributes(attributes)
        name = self._tag()
        self._attributes(attributes)
        if self.kind != "{":
            if not name:
                raise self.unexpected(f"a name or '{{' after '{kind}'", code="E131")
            self.depth -= 1
            return ast.RecordName(self.span(start), kind, name)
        self.advance()
        fields: list[ast.CField] = []
        while self.kind != "}":
            if not self.accept(";"):
                self._members(fields)
        self.advance()
        self._attributes(attributes)
        self.depth -= 1
        return ast.CRecord(self.span(start), kind, name, tuple(fields), attributes.packed, attributes.aligned)

    def _enum(self) -> ast.Type:
        start = self.token[2]
        attributes = _Attributes()
        self.advance()
        self._attributes(attributes)
        name = self._tag()
        if self.accept(":"):
            self.parse_type()  # C23's underlying type
        if self.kind != "{":
            if not name:
                raise self.unexpected("a name or '{' after 'enum'", code="E131")
            return ast.RecordName(self.span(start), "enum", name)
        self.advance()
        members: list[tuple[str, int]] = []
        value = 0
        while self.kind != "}":
            member = self.name("the name of a constant")
            self._attributes(attributes)
            if self.accept("="):
                value = self._constant()
            members.append((member, value))
            self.constants[member] = value
            value += 1
            if not self.accept(","):
                break
        self.expect("}", "to close the enum")
        self._attributes(attributes)
        return ast.CEnum(self.span(start), name, tuple(members), attributes.packed)

    def _constant(self) -> int:
        expr = self.expression()
        value = evaluate(expr, self.constants)
        if value is None:
            raise fail("E132", "not a constant that is known here", expr.span)
        return value

    # ---- members and declarators ----------------------------------------------------------

    def _members(self, fields: list[ast.CField]) -> None:
        start = self.token[2]
        attributes = _Attributes()
        base = self._specifiers(attributes)
        while True:
            if self.kind == ";" or (self.kind == ":" and not isinstance(base, ast.CRecord)):
                name, type_ = "", base
            else:
                name, type_ = self._declarator(base)
            bits = None
            if self.accept(":"):
                bits = self._constant()
                if not 0 <= bits <= 64:
                    raise fail("E132", "a bit field has 0 to 64 bits", self.span(start))
            own = _Attributes()
            self._attributes(own)
            aligned = own.aligned or attributes.aligned
            packed = own.packed or attributes.packed
            fields.append(ast.CField(self.span(start), name, type_, bits, aligned, packed))
            if not self.accept(","):
                break
        self.expect(";", "behind a member")

    def _declarator(self, base: ast.Type) -> tuple[str, ast.Type]:
        """`"*"* (NAME | "(" declarator ")") ("[" size "]" | "(" parameters ")")*`."""
        self.enter()
        begun = self.i
        ignored = _Attributes()
        self._attributes(ignored)
        while self.kind == "*":
            self.advance()
            base = ast.PointerType(self.span(base.span.start), base)
            if self.i > begun + 3 * MAX_DEPTH:
                raise self.unexpected("the end of this declaration", code="E115")
            self._attributes(ignored)
        inner = -1
        name = ""
        if self.kind == "(":
            inner = self.i + 1
            self._skip_parentheses()
        elif self.kind == "id":
            name = self.name("a name")
        base = self._suffixes(base)
        if inner >= 0:
            after = self.i
            self.back_to(inner)
            name, base = self._declarator(base)
            self.expect(")")
            self.back_to(after)
        self.depth -= 1
        return name, base

    def _suffixes(self, base: ast.Type) -> ast.Type:
        sizes: list[ast.Expr | None] = []
        start = base.span.start
        while True:
            if self.kind == "(":
                self._skip_parentheses()
                base = ast.NamedType(self.span(start), "void")
                sizes = []
            elif self.kind == "[":
                if len(sizes) > MAX_DEPTH:
                    raise self.unexpected("the end of this declaration", code="E115")
                self.advance()
                sizes.append(None if self.kind == "]" else self._size())
                self.expect("]")
            else:
                break
        for size in reversed(sizes):
            base = ast.ArrayType(self.span(start), base, size)
        return base

    def _size(self) -> ast.Expr:
        """An array's size: worked out, or kept as an expression (sizeof)."""
        expr = self.expression()
        value = evaluate(expr, self.constants)
        if value is None:
            return expr
        if value < 0:
            raise fail("E132", "an array can't have a negative size", expr.span)
        return ast.Integer(expr.span, value)

    def _skip_parentheses(self) -> None:
        depth = 0
        while True:
            if self.kind == "eof":
                raise self.unexpected("')'", code="E131")
            depth += (self.kind == "(") - (self.kind == ")")
            self.advance()
            if depth == 0:
                return
