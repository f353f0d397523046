"""The syntax tree of a bpftrace script: what `parse` returns and `sema` reads.

Every node has its `span` first. Sequences are tuples. Names come without their sigil
(`$x` is `Variable("x")`, `@m` is `Map("m")`, the anonymous map `@` is `Map("")`).
The tree is what was written: nothing is folded, no name is resolved, so

- a bare word is an `Identifier`: a builtin (`pid`), an enum's constant, a `#define`, a
  macro's parameter, or, as argument of sizeof, offsetof, typeof and typeinfo, a type's name;
- a call is a `Call` by name, whether it is a function, a macro, a builtin or a map's value (`count()`);
- parentheses leave no node; the printer puts back those that are needed.

`repr` leaves spans out, so equal reprs are equal trees.
"""

from __future__ import annotations

from ...node import Node
from ...source import Span


class Syntax(Node):
    """Base of all nodes here: something at a place of the script."""

    span: Span


class Expr(Syntax):
    """Base of the expressions."""


class Type(Syntax):
    """Base of the type expressions."""


class Statement(Syntax):
    """Base of the statements."""


# ---- expressions: leaves ------------------------------------------------------------------


class Integer(Expr):
    """`42`, `0x2a`, `1e6`, `5ms`: `value` is scaled already (a duration is in nanoseconds).

    suffix: C's, in lower case and in the order "u" "l" ("", "u", "l", "ul", "ll", "ull");
    unit: the duration's (ns us ms s m h d) or "".
    """

    value: int
    suffix: str = ""
    unit: str = ""


class Boolean(Expr):
    """`true`, `false`."""

    value: bool


class String(Expr):
    """A string literal with its escapes decoded.

    `value.encode("utf-8", "surrogateescape")` is the exact bytes.
    """

    value: str


class Identifier(Expr):
    """A bare word (see the module's text)."""

    name: str


class Variable(Expr):
    """`$name`."""

    name: str


class Map(Expr):
    """`@name` without a key: the scalar, or the whole map as an argument or loop source."""

    name: str


class MapAccess(Expr):
    """`@name[k, ...]`; `@m[a, b]` and `@m[(a, b)]` differ here (two keys; one, a Tuple) but mean the same."""

    name: str
    keys: tuple[Expr, ...]


class Positional(Expr):
    """`$1` and so on; `index` counts from 1. Numeric, or text as the argument of `str()`."""

    index: int


class PositionalCount(Expr):
    """`$#`."""


# ---- expressions: operations --------------------------------------------------------------


class Unary(Expr):
    """`! ~ - + * &` before an operand."""

    op: str
    operand: Expr


class IncDec(Expr):
    """`++` or `--` (`op`) before (`prefix`) or behind a Variable, Map or MapAccess."""

    op: str
    target: Expr
    prefix: bool


class Binary(Expr):
    """`* / % + - << >> < > <= >= == != & ^ | && ||`, all left-associative."""

    op: str
    left: Expr
    right: Expr


class Ternary(Expr):
    """`cond ? then : orelse`; `then` is None in `cond ?: orelse`."""

    cond: Expr
    then: Expr | None
    orelse: Expr


class Member(Expr):
    """`base.name`, or with `arrow` `base->name`."""

    base: Expr
    name: str
    arrow: bool = False
    name_span: Span | None = None

    def __repr__(self) -> str:
        return f"Member(base={self.base!r}, name={self.name!r}, arrow={self.arrow!r})"


class TupleIndex(Expr):
    """`base.0`."""

    base: Expr
    index: int


class Index(Expr):
    """`base[index]` of an array, pointer or tuple; never of a map (that is MapAccess)."""

    base: Expr
    index: Expr


class Cast(Expr):
    """`(type)operand`."""

    type: Type
    operand: Expr


class Call(Expr):
    """`name(args)`. An argument is a Type only in `typeinfo` and where a type was spelled out."""

    name: str
    args: tuple[Expr | Type, ...]
    name_span: Span | None = None

    def __repr__(self) -> str:
        return f"Call(name={self.name!r}, args={self.args!r})"


class Sizeof(Expr):
    """`sizeof(type)` or `sizeof(expr)`; a lone word comes as Identifier and may name a type."""

    of: Expr | Type


class Offsetof(Expr):
    """`offsetof(type or expr, a.b.c)`; `path` is ("a", "b", "c")."""

    of: Expr | Type
    path: tuple[str, ...]


class Tuple(Expr):
    """`(a, b)`, `(a,)`, `()`."""

    elements: tuple[Expr, ...]


class Record(Expr):
    """`(name=value, ...)`."""

    fields: tuple[tuple[str, Expr], ...]


class Comptime(Expr):
    """`comptime expr`: to be known when compiling."""

    operand: Expr


class IfExpr(Expr):
    """`if cond { ...; a } else { ...; b }` as a value; each block has one."""

    cond: Expr
    then: Block
    orelse: Block | IfExpr


class BlockExpr(Expr):
    """`{ ...; value }` as a value."""

    block: Block


# ---- types --------------------------------------------------------------------------------


class NamedType(Type):
    """A builtin type, a typedef or C's own: int64, bool, string, ksym_t, `unsigned long`, u32, void."""

    name: str


class RecordName(Type):
    """`struct name`, `union name`, `enum name`: `kind` is the keyword."""

    kind: str
    name: str


class PointerType(Type):
    """`to *`."""

    to: Type


class ArrayType(Type):
    """`of[size]`; `size` is None in `of[]`. `string[64]`, `buffer[n]`, `inet[16]` are SizedType."""

    of: Type
    size: Expr | None


class SizedType(Type):
    """`string[n]`, `buffer[n]`, `inet[n]`: the name and its size in bytes."""

    name: str
    size: Expr


class TupleType(Type):
    """`(int64, string)`."""

    elements: tuple[Type, ...]


class RecordType(Type):
    """`(name: type, ...)`."""

    fields: tuple[tuple[str, Type], ...]


class TypeofType(Type):
    """`typeof(expr or type)`."""

    of: Expr | Type


# ---- statements ---------------------------------------------------------------------------


class Block(Syntax):
    """`{ ... }`. `value` is the last expression, without `;` behind it, where a value is wanted.

    Only the blocks of IfExpr and BlockExpr and the bodies of macros can have a value; a block that
    is a statement (a probe's, a loop's, an if's) never has: there the last expression is an ExprStatement.
    """

    statements: tuple[Statement, ...]
    value: Expr | None = None


class ExprStatement(Statement):
    """A call, `@x++`, ... for its effect."""

    expr: Expr


class Assign(Statement):
    """`target op value`; `target` is a Variable, Map or MapAccess; `op` is `=`, `+=`, `<<=`, ..."""

    target: Expr
    op: str
    value: Expr


class Discard(Statement):
    """`_ = value`."""

    value: Expr


class Let(Statement):
    """`let $name [: type] [= value]`."""

    name: str
    type: Type | None
    value: Expr | None


class If(Statement):
    """`if cond { } else ...`; `orelse` is a Block, an If or None."""

    cond: Expr
    then: Block
    orelse: Block | If | None


class ForMap(Statement):
    """`for ($name : @map) { }`."""

    name: str
    map: Map
    body: Block


class ForRange(Statement):
    """`for ($name : start..end) { }`, `end` left out."""

    name: str
    start: Expr
    end: Expr
    body: Block


class While(Statement):
    """`while (cond) { }`."""

    cond: Expr
    body: Block


class Unroll(Statement):
    """`unroll (count) { }`."""

    count: Expr
    body: Block


class BlockStatement(Statement):
    """`{ ... }` as a statement: a scope."""

    block: Block


class Break(Statement):
    """`break`."""


class Continue(Statement):
    """`continue`."""


class Return(Statement):
    """`return [value]`."""

    value: Expr | None


class Import(Statement):
    """`import "path"`, at the top or inside a macro."""

    path: str


# ---- the C part ---------------------------------------------------------------------------


class Include(Syntax):
    """`#include <name>` (`system`) or `#include "name"`. Types come from BTF: recorded only."""

    name: str
    system: bool


class Define(Syntax):
    """`#define name body`.

    value: the constant that it stands for, an int or a str, or None. `expr` is the body as an
    expression of the script (so that `#define ME pid` works), or None where it is none.
    parameters: None, or the names of a function-like macro (which has neither value nor expr).
    """

    name: str
    body: str
    value: int | str | None = None
    expr: Expr | None = None
    parameters: tuple[str, ...] | None = None


class CField(Syntax):
    """A member of a struct or union. `name` is "" for an anonymous member; `bits` of a bitfield or None.

    type: a Type; a struct, union or enum defined on the spot is its CRecord or CEnum, which are Types.
    """

    name: str
    type: Type
    bits: int | None = None
    aligned: int | None = None
    packed: bool = False


class CRecord(Type):
    """`struct name { fields }` or `union`; `name` is "" when anonymous."""

    kind: str
    name: str
    fields: tuple[CField, ...]
    packed: bool = False
    aligned: int | None = None


class CEnum(Type):
    """`enum name { A, B = 4 }` with the values worked out."""

    name: str
    members: tuple[tuple[str, int], ...]
    packed: bool = False


class CTypedef(Syntax):
    """`typedef type name;`. A function type is a pointer to `void`."""

    name: str
    type: Type


class CPart(Syntax):
    """What stands before config and probes, conditional parts decided already.

    types: the top-level CRecord, CEnum and CTypedef, in order.
    """

    includes: tuple[Include, ...]
    defines: tuple[Define, ...]
    types: tuple[CRecord | CEnum | CTypedef, ...]


# ---- top level ----------------------------------------------------------------------------


class AttachPoint(Syntax):
    """One attach point, positional parameters already put in. `*` in a name is a wildcard.

    provider: the long name, in lower case. name: the canonical text (what `probe` prints).
    The other fields by provider, the rest keep their defaults:

    begin end                           -
    self                                target ("signal"), func ("SIGUSR1")
    test bench                          func (the name)
    kprobe kretprobe                    target (module or ""), func, offset; or address
    fentry fexit                        target (module or ""), func; target "bpf": func, ns (program id or "")
    tracepoint                          target (subsystem), func (event)
    rawtracepoint                       target (module or ""), func
    interval profile                    unit (hz s ms us ns), count (> 0); see `nanoseconds`
    software hardware                   func (event), count (period, or 0 for the default)
    uprobe uretprobe                    target (binary), ns ("cpp" or ""), func, offset; or address;
                                        or file, line, column (0 = none)
    usdt                                target (binary), ns (namespace or ""), func
    watchpoint                          address, or func (a symbol), offset; count (length), mode (of "rwx")
    iter                                func (task, ...), pin ("" = none)
    """

    provider: str
    name: str
    target: str = ""
    func: str = ""
    ns: str = ""
    offset: int = 0
    address: int | None = None
    unit: str = ""
    count: int = 0
    mode: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    pin: str = ""

    @property
    def wildcard(self) -> bool:
        """Whether target, namespace or function has a `*`."""
        return "*" in self.target or "*" in self.func or "*" in self.ns

    @property
    def nanoseconds(self) -> int:
        """The period of an interval or profile probe."""
        if self.unit == "hz":
            return 1_000_000_000 // self.count
        return self.count * {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}[self.unit]


class Probe(Syntax):
    """`[name=]ap, ap /predicate/ { body }`."""

    attach: tuple[AttachPoint, ...]
    predicate: Expr | None
    body: Block
    name: str = ""


class MacroParameter(Syntax):
    """sigil: "$" a variable, "@" a map, "" any expression."""

    sigil: str
    name: str


class Macro(Syntax):
    """`macro name(parameters) { body }`; the body's value is the macro's."""

    name: str
    parameters: tuple[MacroParameter, ...]
    body: Block


class Parameter(Syntax):
    """`$name: type` of a function."""

    name: str
    type: Type


class Function(Syntax):
    """`fn name($a: type, ...): type { body }`; `returns` is None for none."""

    name: str
    parameters: tuple[Parameter, ...]
    returns: Type | None
    body: Block


class MapDeclaration(Syntax):
    """`let @name = kind(size);`: kind is hash, lruhash, percpuhash, percpulruhash (checked later)."""

    name: str
    kind: str
    size: Expr


class ConfigEntry(Syntax):
    """`key = value` of `config = { ... }`; value is Integer, Boolean, String or Identifier."""

    key: str
    value: Expr


class Program(Syntax):
    """A whole script. `declarations` has probes, macros, functions and map declarations in source order."""

    c: CPart
    config: tuple[ConfigEntry, ...]
    imports: tuple[Import, ...]
    declarations: tuple[Probe | Macro | Function | MapDeclaration, ...]

    @property
    def probes(self) -> tuple[Probe, ...]:
        """The probes, in order."""
        return tuple(i for i in self.declarations if isinstance(i, Probe))

    @property
    def macros(self) -> tuple[Macro, ...]:
        """The macros, in order."""
        return tuple(i for i in self.declarations if isinstance(i, Macro))

    @property
    def functions(self) -> tuple[Function, ...]:
        """The functions, in order."""
        return tuple(i for i in self.declarations if isinstance(i, Function))

    @property
    def maps(self) -> tuple[MapDeclaration, ...]:
        """The map declarations, in order."""
        return tuple(i for i in self.declarations if isinstance(i, MapDeclaration))
