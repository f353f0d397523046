"""Types as a script writes them, and telling a type from an expression.

type   := base suffix*
base   := ("struct" | "union" | "enum") NAME | C words | NAME | "typeof" "(" type-or-expr ")"
        | "(" type "," [type ("," type)*] ")" | "(" NAME ":" type ("," NAME ":" type)* ")"
suffix := "*" | "[" [expr] "]" | "const"
"""

from __future__ import annotations

from . import ast
from .cursor import MAX_DEPTH, Cursor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...source import Source
    from .report import Reporter

C_WORDS = frozenset(("unsigned", "signed", "long", "short", "char", "int"))
_QUALIFIERS = frozenset(("const", "volatile"))
_SIZED = frozenset(("string", "buffer", "inet"))

_TYPES = (
    "bool void string buffer inet int8 int16 int32 int64 uint8 uint16 uint32 uint64 "
    "ksym_t usym_t kstack_t ustack_t timestamp_t mac_address_t cgroup_path_t "
    "count_t sum_t avg_t min_t max_t stats_t hist_t lhist_t tseries_t "
    "size_t ssize_t uintptr_t intptr_t u8 u16 u32 u64 s8 s16 s32 s64 __u8 __u16 __u32 __u64 "
    "__s8 __s16 __s32 __s64 __be16 __be32 __be64 __le16 __le32 __le64 "
    "int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t _Bool"
)
BUILTIN = C_WORDS | frozenset(_TYPES.split())
"""Words that are always a type's name."""

_FAR = 100  # tokens that are looked ahead for the end of a type

_TAGS = frozenset(("struct", "union", "enum"))

# Tokens that begin an operand and can't go on an expression: behind `(word)` they mean a cast.
_STARTS = "id int str var map pos argc ( ! ~ sizeof offsetof comptime"
_OPERAND_ONLY = frozenset(_STARTS.split())
# Those that could be either; behind a known type's name they too mean a cast.
_OPERAND = _OPERAND_ONLY | frozenset(("-", "+", "*", "&", "++", "--", "{", "if"))


def c_name(words: list[str]) -> str:
    """Return the one name of a type that C spells in several words and orders."""
    unsigned = "unsigned " if "unsigned" in words else ""
    if "char" in words:
        return "signed char" if "signed" in words else unsigned + "char"
    if "short" in words:
        return unsigned + "short"
    if "long" in words:
        return unsigned + " ".join(["long"] * min(words.count("long"), 2))
    return unsigned + "int"


class TypeParser(Cursor):
    """Parses types; `typedefs` has the names that the C part made."""

    __slots__ = ("typedefs",)

    def __init__(self, source: Source, report: Reporter) -> None:
        super().__init__(source, report)
        self.typedefs: set[str] = set()

    def expression(self) -> ast.Expr:
        """Parse an expression."""
        raise NotImplementedError

    def parse_type(self) -> ast.Type:
        """Parse a type with its suffixes."""
        start = self.token[2]
        self.enter()
        while self.kind == "id" and self.token[1] in _QUALIFIERS:
            self.advance()
        base = self._base(start)
        begun = self.i
        while True:
            if self.i > begun + 3 * MAX_DEPTH:
                raise self.unexpected("the end of this type", code="E115")
            if self.kind == "*":
                self.advance()
                base = ast.PointerType(self.span(start), base)
            elif self.kind == "[":
                base = self._sized(start, base)
            elif self.kind == "id" and self.token[1] in _QUALIFIERS:
                self.advance()
            else:
                self.depth -= 1
                return base

    def _base(self, start: int) -> ast.Type:
        kind = self.kind
        if kind in _TAGS:
            self.advance()
            name = self.word(f"a name after '{kind}'")
            return ast.RecordName(self.span(start), kind, name)
        if kind == "typeof":
            self.advance()
            self.expect("(", "after 'typeof'")
            of = self.type_or_expression()
            self.expect(")")
            return ast.TypeofType(self.span(start), of)
        if kind == "(":
            return self._tuple(start)
        if kind != "id":
            raise self.unexpected("a type", "as in int64, string[16], struct task_struct *", code="E116")
        if self.token[1] in C_WORDS:
            words = []
            while self.kind == "id" and (self.token[1] in C_WORDS or self.token[1] in _QUALIFIERS):
                words.append(str(self.token[1]))
                self.advance()
            return ast.NamedType(self.span(start), c_name(words))
        name = str(self.token[1])
        self.advance()
        return ast.NamedType(self.span(start), name)

    def _sized(self, start: int, base: ast.Type) -> ast.Type:
        self.advance()
        size = None if self.kind == "]" else self.expression()
        self.expect("]")
        span = self.span(start)
        if size is not None and isinstance(base, ast.NamedType) and base.name in _SIZED:
            return ast.SizedType(span, base.name, size)
        return ast.ArrayType(span, base, size)

    def _tuple(self, start: int) -> ast.Type:
        self.advance()
        if self.kind == "id" and self.ahead(1) == ":":
            fields = []
            while self.kind != ")":
                name = self.name("a field's name")
                self.expect(":")
                fields.append((name, self.parse_type()))
                if not self.accept(","):
                    break
            self.expect(")")
            return ast.RecordType(self.span(start), tuple(fields))
        elements: list[ast.Type] = []
        comma = True
        while comma and self.kind != ")":
            elements.append(self.parse_type())
            comma = self.accept(",")
        if len(elements) == 1 and not comma:
            raise self.unexpected("',' after the only element of a tuple's type", code="E116")
        self.expect(")")
        return ast.TupleType(self.span(start), tuple(elements))

    def type_or_expression(self) -> ast.Expr | ast.Type:
        """Parse what `sizeof`, `typeof` and calls take. A lone word is an Identifier."""
        return self.parse_type() if self._type_ahead() else self.expression()

    def _type_ahead(self) -> bool:
        kind = self.kind
        if kind in _TAGS or kind == "typeof":
            return True
        if kind == "(":
            return self._tuple_ahead(0)
        if kind != "id":
            return False
        word = self.token[1]
        if word in BUILTIN or word in _QUALIFIERS or word in self.typedefs:
            return self.ahead(1) != "("
        # `word *)`, `word **)`: nothing but a pointer's type.
        k = 1
        while self.ahead(k) == "*" and k < _FAR:
            k += 1
        return k > 1 and self.ahead(k) in (")", ",")

    def _tuple_ahead(self, k: int) -> bool:
        """Whether `(` at the k-th token begins a tuple's type: `( builtin-type ... ,`."""
        kind, word = self.token_ahead(k + 1)[:2]
        if kind not in _TAGS and not (kind == "id" and (word in BUILTIN or word in self.typedefs)):
            return False
        k += 3 if kind in _TAGS else 2
        while k < _FAR and (self.ahead(k) in ("*", "[", "]", "int") or self.token_ahead(k)[1] in C_WORDS):
            k += 1
        return self.ahead(k) == ","

    def cast_ahead(self) -> bool:
        """Whether the `(` here begins a cast."""
        kind, word = self.token_ahead(1)[:2]
        if kind in _TAGS or kind == "typeof":
            return self.ahead(2) != "="  # else a record's field
        if kind == "(":
            return self._tuple_ahead(1) and self._closes_as_cast()
        if kind != "id":
            return False
        if word in _QUALIFIERS:
            return self.ahead(2) != "="
        known = word in BUILTIN or word in self.typedefs
        k = 2
        while known and k < _FAR and self.token_ahead(k)[1] in C_WORDS:
            k += 1
        pointer = False
        while k < _FAR:
            kind = self.ahead(k)
            if kind == "[":
                k = self._behind_bracket(k)
                pointer = False
            elif kind == "*":
                k += 1
                pointer = True
            elif kind == "id" and self.token_ahead(k)[1] in _QUALIFIERS:
                k += 1
            else:
                break
        if self.ahead(k) != ")":
            return False
        return pointer or self.ahead(k + 1) in (_OPERAND if known else _OPERAND_ONLY)

    def _behind_bracket(self, k: int) -> int:
        """Return where the `[` at the k-th token is closed, plus one; a far one is given up."""
        depth = 0
        for _ in range(100):
            kind = self.ahead(k)
            depth += (kind == "[") - (kind == "]")
            k += 1
            if not depth:
                break
        return k

    def _closes_as_cast(self) -> bool:
        """Whether an operand follows the `)` that closes the `(` here."""
        k = 1
        depth = 1
        while depth:
            kind = self.ahead(k)
            if kind == "eof" or k > 10 * _FAR:
                return False
            depth += (kind == "(") - (kind == ")")
            k += 1
        return self.ahead(k) in _OPERAND_ONLY
