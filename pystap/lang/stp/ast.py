"""The syntax tree of a SystemTap script.

Every node has `span` as its first field. Sequences are tuples. Nothing is resolved here: a `Name` may be a
local, a global or a mistake; parentheses, comments, macros, `%( %)` and script arguments are gone; brace
expansion in probe points has been done; `*` and `**` are kept in component names.

Text is `str` such that `value.encode("utf-8", "surrogateescape")` gives exactly the bytes that the script
means: source characters as UTF-8, bytes of `\\xHH` and octal escapes as they are.

The depth of a tree is bounded by `MAX_DEPTH`; whoever recurses over it needs a recursion limit to match.
"""

from __future__ import annotations

import sys

from ...node import Node
from ...source import Span
from .formats import Format

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...source import Source

MAX_NESTING = 500
"""How many levels (brackets, blocks, operands to the right) may be open at one place."""
MAX_CHAIN = 1000
"""How many operators one expression, and how many `else if` one statement, may have."""
MAX_DEPTH = MAX_NESTING + 2 * MAX_CHAIN


class Ast(Node):
    """Any node."""

    span: Span


# ---------------------------------------------------------------- expressions


class Expr(Ast):
    """Any expression."""


class Number(Expr):
    """An integer literal: a signed 64-bit value (literals above 2^63-1 have wrapped)."""

    value: int


class String(Expr):
    """A string literal; adjacent ones are joined already."""

    value: str


class Name(Expr):
    """A local or global variable by its name (also: the array in `foreach` and `in`)."""

    name: str


class Index(Expr):
    """`base[keys]`. A key that is None is a wildcard `*` (in `delete` only)."""

    base: Name | HistOp
    keys: tuple[Expr | None, ...]


class Unary(Expr):
    """`op operand`; op is one of + - ! ~."""

    op: str
    operand: Expr


class Binary(Expr):
    """`left op right`; op is one of || && | ^ & < <= > >= == != << >> >>> . + - * / %."""

    op: str
    left: Expr
    right: Expr


class Regex(Expr):
    """`left =~ "pattern"`; op is =~ or !~."""

    op: str
    left: Expr
    pattern: String


class Ternary(Expr):
    """`cond ? then : other`."""

    cond: Expr
    then: Expr
    other: Expr


class Assign(Expr):
    """`target op value`; op is one of = <<< += -= *= /= %= <<= >>= &= ^= |= .=.

    The target is a Name, an Index of a Name, a Target, Cast, Var or Deref.
    """

    op: str
    target: Expr
    value: Expr


class IncDec(Expr):
    """`++target`, `target--` and so on; op is ++ or --."""

    op: str
    prefix: bool
    target: Expr


class ArrayIn(Expr):
    """`key in array`, `[keys] in array`; a key that is None is a wildcard `*`."""

    keys: tuple[Expr | None, ...]
    array: Name


class Call(Expr):
    """A call of a function of the script or of the library. `name_span` is the name alone."""

    name: str
    args: tuple[Expr, ...]
    name_span: Span


class Print(Expr):
    """print, println, printd, printdln, printf and their s... twins; `kind` is the name as written.

    format: of printf and sprintf only. delimiter: of printd, printdln, sprintd, sprintdln only.
    An argument of print and println may be a HistOp.
    """

    kind: str
    args: tuple[Expr, ...]
    format: Format | None = None
    delimiter: String | None = None


class Field(Ast):
    """The accessor `->name`."""

    name: str


class Element(Ast):
    """The accessor `[index]` of a target-side value."""

    index: Expr


class Access(Expr):
    """A value of the traced side: what it starts from, then accessors.

    address_of: `&` stands before it. pretty: how many `$` stand after it (0, 1 or 2).
    These come before the fields of the kinds below.
    """

    accessors: tuple[Field | Element, ...]
    address_of: bool
    pretty: int


class Target(Access):
    """`$x->a[i]$$`; `name` has its `$` ("$x", "$$parms") but not the `$` of pretty-printing."""

    name: str


class Cast(Access):
    """`@cast(operand, "type", "module")->...`; `type` and `module` as written, module None if absent."""

    operand: Expr
    type: str
    module: str | None = None


class Var(Access):
    """`@var("name@file", "module")->...`: a variable of the kernel, a module or a process."""

    name: str
    module: str | None = None


class Deref(Access):
    """`operand->a`, where the type follows from the operand (autocast)."""

    operand: Expr


class AtOp(Expr):
    """The other operators with `@`. `op` has its `@`; the arguments as expressions:

    @defined(e) @entry(e) @probewrite(Name or Target) @perf(String) @const(String) @enum(String)
    @enumname(e[, String[, String]]) @kderef(Number, e) @uderef(Number, e)
    @kregister(Number) @uregister(Number).
    """

    op: str
    args: tuple[Expr, ...]


class StatOp(Expr):
    """`@count(stat)` and so on; op is @avg @count @sum @min @max @variance; params: bits of @variance."""

    op: str
    stat: Expr
    params: tuple[int, ...] = ()


class HistOp(Expr):
    """`@hist_log(stat)`, `@hist_linear(stat, low, high, step)`: stands in print, foreach and before `[`."""

    op: str
    stat: Expr
    params: tuple[int, ...] = ()


class EmbeddedExpr(Expr):
    """`%{ C expression %}`; `code` without the marks."""

    code: str


# ---------------------------------------------------------------- statements


class Stmt(Ast):
    """Any statement."""


class Block(Stmt):
    """`{ ... }`."""

    body: tuple[Stmt, ...]


class Empty(Stmt):
    """`;` where a statement is needed."""


class ExprStmt(Stmt):
    """An expression for its effect."""

    expr: Expr


class If(Stmt):
    """`if (cond) then else other`."""

    cond: Expr
    then: Stmt
    other: Stmt | None = None


class While(Stmt):
    """`while (cond) body`."""

    cond: Expr
    body: Stmt


class For(Stmt):
    """`for (init; cond; update) body`; an absent cond is true."""

    init: Expr | None
    cond: Expr | None
    update: Expr | None
    body: Stmt


class Sort(Ast):
    """The order of a foreach.

    by: "key" (then `key` is its index from 0), "value" (for aggregates: by count), or one of
    @count @sum @min @max @avg @variance. direction: 1 rising (`+`), -1 falling (`-`).
    """

    by: str
    direction: int
    key: int = 0


class Foreach(Stmt):
    """`foreach (value = [keys] in array[slice] sort limit n) body`.

    slice: None, or one entry per key: None is `*`, an expression selects.
    For a HistOp the one key is a bucket.
    """

    keys: tuple[Name, ...]
    array: Name | HistOp
    body: Stmt
    value: Name | None = None
    slice: tuple[Expr | None, ...] | None = None
    sort: Sort | None = None
    limit: Expr | None = None


class Break(Stmt):
    """`break`."""


class Continue(Stmt):
    """`continue`."""


class Next(Stmt):
    """`next`: ends the handler, or tries the next overload of the function."""


class Return(Stmt):
    """`return value`."""

    value: Expr | None = None


class Try(Stmt):
    """`try body catch (var) handler`; var receives the error's text."""

    body: Block
    handler: Block
    var: Name | None = None


class Delete(Stmt):
    """`delete target`: a Name (everything, or a scalar), or an Index whose None keys are wildcards."""

    target: Expr


class EmbeddedStmt(Stmt):
    """`%{ C statements %}`; `code` without the marks."""

    code: str


# ---------------------------------------------------------------- top level


class Component(Ast):
    """One `name(arg)` of a probe point; the name may contain `*`, or be `**`."""

    name: str
    arg: int | str | None = None


class ProbePoint(Ast):
    """`a.b("c").d ? ! if (condition)`. Points that came from one brace expansion have the same span."""

    components: tuple[Component, ...]
    optional: bool = False
    sufficient: bool = False
    condition: Expr | None = None

    @property
    def text(self) -> str:
        """The dotted form, without suffixes."""
        from .printer import point_text

        return point_text(self)


class Item(Ast):
    """Anything at the top level."""


class Global(Item):
    """One variable of `global a, b[100] = 1`; `span` is the name. init: Number or String (or None).

    size: the number in `[N]`, or None. wrap: `%` follows the name (old elements make place for new ones).
    """

    name: str
    size: int | None = None
    wrap: bool = False
    init: Number | String | None = None
    private: bool = False


class Param(Ast):
    """A parameter of a function. type: "long", "string" or None."""

    name: str
    type: str | None = None


class Function(Item):
    """`function name:type(params):priority { body }`. An EmbeddedStmt as body is C."""

    name: str
    params: tuple[Param, ...]
    body: Block | EmbeddedStmt
    name_span: Span
    type: str | None = None
    priority: int | None = None
    private: bool = False


class Probe(Item):
    """`probe points { body }`."""

    points: tuple[ProbePoint, ...]
    body: Block


class Alias(Item):
    """`probe names = points { prologue }, { epilogue }`; `+=` gives an epilogue only."""

    names: tuple[ProbePoint, ...]
    points: tuple[ProbePoint, ...]
    prologue: Block | None = None
    epilogue: Block | None = None


class Embedded(Item):
    """`%{ C declarations %}` at the top level."""

    code: str


class File(Ast):
    """A whole script, or one file of the tapset; `decls` in the order of the text."""

    source: Source
    decls: tuple[Item, ...]

    @property
    def globals(self) -> tuple[Global, ...]:
        """The global variables."""
        return tuple(i for i in self.decls if isinstance(i, Global))

    @property
    def functions(self) -> tuple[Function, ...]:
        """The functions."""
        return tuple(i for i in self.decls if isinstance(i, Function))

    @property
    def probes(self) -> tuple[Probe, ...]:
        """The probes (not the aliases)."""
        return tuple(i for i in self.decls if isinstance(i, Probe))

    @property
    def aliases(self) -> tuple[Alias, ...]:
        """The probe aliases."""
        return tuple(i for i in self.decls if isinstance(i, Alias))

    @property
    def embedded(self) -> tuple[Embedded, ...]:
        """The C at the top level."""
        return tuple(i for i in self.decls if isinstance(i, Embedded))


# ---------------------------------------------------------------- helpers


class deep_recursion:
    """`with deep_recursion():` lets functions recurse over a tree of MAX_DEPTH (some four calls a level)."""

    __slots__ = ("_limit",)

    def __enter__(self) -> None:
        self._limit = sys.getrecursionlimit()
        if self._limit < 4 * MAX_DEPTH:
            sys.setrecursionlimit(4 * MAX_DEPTH)

    def __exit__(self, *_: object) -> None:
        if self._limit < 4 * MAX_DEPTH:
            sys.setrecursionlimit(self._limit)


def children(node: Node) -> Iterator[Ast]:
    """Yield the nodes directly under a node, in the order of its fields."""
    for name in type(node)._fields:
        value = getattr(node, name)
        if isinstance(value, Ast):
            yield value
        elif isinstance(value, tuple):
            for part in value:
                if isinstance(part, Ast):
                    yield part


def walk(node: Node) -> Iterator[Ast]:
    """Yield a node and everything under it, parents first, without recursion."""
    todo: list[Node] = [node]
    while todo:
        top = todo.pop()
        assert isinstance(top, Ast)
        yield top
        below = list(children(top))
        below.reverse()
        todo += below


def same(a: object, b: object) -> bool:
    """Say whether two trees are equal apart from their places."""
    todo: list[tuple[object, object]] = [(a, b)]
    while todo:
        x, y = todo.pop()
        if isinstance(x, Node):
            if type(x) is not type(y):
                return False
            names = [n for n in type(x)._fields if n not in ("span", "name_span", "source")]
            todo += [(getattr(x, n), getattr(y, n)) for n in names]
        elif isinstance(x, tuple):
            if not isinstance(y, tuple) or len(x) != len(y):
                return False
            todo += zip(x, y, strict=True)
        elif x != y or type(x) is not type(y):
            return False
    return True
