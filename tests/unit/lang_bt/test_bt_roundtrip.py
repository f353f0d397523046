"""Any tree that the printer prints parses to an equal tree."""

from __future__ import annotations

import string
from collections.abc import Callable

from bt_chunks import good, parsed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pystap.lang.bt import ast
from pystap.lang.bt.expressions import PRECEDENCE
from pystap.lang.bt.lexer import KEYWORDS
from pystap.lang.bt.literals import UNITS
from pystap.lang.bt.printer import print_program
from pystap.lang.bt.statements import ASSIGN
from pystap.lang.bt.typeexprs import BUILTIN
from pystap.source import NOWHERE

RESERVED = frozenset(KEYWORDS) | BUILTIN | {"true", "false", "_", "const", "volatile", "import"}

words = st.from_regex(r"[a-z_][a-z0-9_]{0,4}", fullmatch=True).filter(lambda w: w not in RESERVED)
members = st.one_of(words, st.sampled_from(sorted(KEYWORDS)))
texts = st.text(
    st.characters(exclude_categories=("Cs",)) | st.sampled_from([chr(c) for c in range(0xDC80, 0xDD00)])
)


def node(kind: Callable[..., object], *fields: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Return trees of one kind."""

    @st.composite  # whose representation is short; that of nested ones is immense otherwise
    def tree(draw: st.DrawFn) -> object:
        return kind(NOWHERE, *(draw(field) for field in fields))

    return tree()


def several(of: st.SearchStrategy[object], least: int = 0, most: int = 3) -> st.SearchStrategy[object]:
    """Return tuples."""
    return st.lists(of, min_size=least, max_size=most).map(tuple)


def durations() -> st.SearchStrategy[object]:
    """Return integers with a unit."""
    pairs = st.tuples(st.integers(0, 1000), st.sampled_from(sorted(UNITS)))
    return pairs.map(lambda p: ast.Integer(NOWHERE, p[0] * UNITS[p[1]], "", p[1]))


integers = st.integers(0, 2**64 - 1)
leaves = st.one_of(
    node(ast.Integer, integers, st.sampled_from(["", "u", "l", "ul", "ll", "ull"])),
    durations(),
    node(ast.Boolean, st.booleans()),
    node(ast.String, texts),
    node(ast.Identifier, words),
    node(ast.Variable, words),
    node(ast.Map, st.just("") | words),
    node(ast.Positional, st.integers(1, 99)),
    node(ast.PositionalCount),
)


def sizable(array: object) -> bool:
    """Whether an array's type isn't spelled as a sized one is."""
    assert isinstance(array, ast.ArrayType)
    return not isinstance(array.of, ast.NamedType) or array.of.name not in ("string", "buffer", "inet")


plain_types = st.one_of(
    node(
        ast.NamedType, st.sampled_from(["int8", "uint64", "bool", "string", "unsigned long", "void"]) | words
    ),
    node(ast.RecordName, st.sampled_from(["struct", "union", "enum"]), words),
    node(ast.SizedType, st.sampled_from(["string", "buffer", "inet"]), node(ast.Integer, st.integers(1, 99))),
)
types = st.recursive(
    plain_types,
    lambda inner: st.one_of(
        node(ast.PointerType, inner),
        node(ast.ArrayType, inner, st.none() | node(ast.Integer, st.integers(1, 99))).filter(sizable),
        node(ast.TupleType, several(inner)),
        node(ast.RecordType, several(st.tuples(words, inner), 1)),
    ),
    max_leaves=4,
)
cast_types = st.recursive(
    plain_types,
    lambda inner: st.one_of(
        node(ast.PointerType, inner),
        node(ast.ArrayType, inner, node(ast.Integer, st.integers(1, 99))).filter(sizable),
    ),
    max_leaves=3,
)


def counted(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Return what can be assigned to."""
    return st.one_of(
        node(ast.Variable, words), node(ast.Map, words), node(ast.MapAccess, words, several(inner, 1))
    )


def expressions(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Return expressions made of others."""
    value_block = blocks(inner, st.nothing()).flatmap(
        lambda b: inner.map(lambda v: ast.Block(NOWHERE, b.statements, v))
    )
    return st.one_of(
        node(ast.Unary, st.sampled_from("!~-+*&"), inner),
        node(ast.IncDec, st.sampled_from(["++", "--"]), counted(inner), st.booleans()),
        node(ast.Binary, st.sampled_from(sorted(PRECEDENCE)), inner, inner),
        node(ast.Ternary, inner, st.none() | inner, inner),
        node(ast.Member, inner, members, st.booleans()),
        node(ast.TupleIndex, inner, st.integers(0, 9)),
        node(ast.Index, inner, inner),
        node(ast.Cast, cast_types, inner),
        node(ast.Call, words, several(inner)),
        node(ast.Sizeof, inner),
        node(ast.Sizeof, st.sampled_from([ast.RecordName(NOWHERE, "struct", "s")])),
        node(ast.Offsetof, st.sampled_from([ast.RecordName(NOWHERE, "struct", "s")]), several(members, 1)),
        node(ast.Tuple, several(inner)),
        node(ast.Record, several(st.tuples(members, inner), 1)),
        node(ast.Comptime, inner),
        node(ast.IfExpr, inner, value_block, value_block),
        node(ast.BlockExpr, value_block),
        node(ast.MapAccess, st.just("") | words, several(inner, 1)),
    )


def blocks(
    value: st.SearchStrategy[object], statement: st.SearchStrategy[object]
) -> st.SearchStrategy[ast.Block]:
    """Return blocks without a value."""
    simple = st.one_of(
        node(ast.ExprStatement, value.filter(stands_alone)),
        node(ast.Assign, counted(value), st.sampled_from(sorted(ASSIGN)), value),
        node(ast.Discard, value),
        node(ast.Let, words, st.none() | types, st.none() | value),
        node(ast.Return, st.none() | value),
        node(ast.Break),
        node(ast.Continue),
        node(ast.Import, texts),
    )
    return node(ast.Block, several(st.one_of(simple, statement)))  # type: ignore[return-value]


def stands_alone(expr: object) -> bool:
    """Whether an expression's statement is no statement of another kind (blocks and ifs are)."""
    return not isinstance(expr, ast.BlockExpr | ast.IfExpr)


values = st.recursive(leaves, expressions, max_leaves=6)


def compound(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Return statements with blocks in them."""
    block = blocks(values, inner)
    return st.one_of(
        node(ast.If, values, block, st.none() | block),
        node(ast.If, values, block, node(ast.If, values, block, st.none())),
        node(ast.ForMap, words, node(ast.Map, words), block),
        node(ast.ForRange, words, values, values, block),
        node(ast.While, values, block),
        node(ast.Unroll, values, block),
        node(ast.BlockStatement, block),
    )


bodies = blocks(values, st.recursive(node(ast.Break), compound, max_leaves=4))

POINTS = [
    "begin",
    "kprobe:f*",
    "uprobe:/bin/sh:f+4",
    'uprobe:/a b:cpp:"x, y"',
    "interval:ms:5",
    "i:1s",
    "iter:task:/p/q",
]


def points() -> st.SearchStrategy[object]:
    """Return attach points."""
    quoted = [p.replace("/a b", '"/a b"') for p in POINTS]
    parsed = [good(p + " { }").probes[0].attach[0] for p in quoted]
    return several(st.sampled_from(parsed), 1)


declarations = st.one_of(
    node(
        ast.Probe, points(), st.none() | values, bodies, st.just("") | words.filter(lambda w: w != "config")
    ),
    node(
        ast.Macro,
        words,
        several(node(ast.MacroParameter, st.sampled_from(["", "$", "@"]), words)),
        st.tuples(bodies, values).map(lambda p: ast.Block(NOWHERE, p[0].statements, p[1])) | bodies,
    ),
    node(ast.Function, words, several(node(ast.Parameter, words, types)), st.none() | types, bodies),
    node(ast.MapDeclaration, words, words, values),
)
CONFIG_VALUES = (ast.Integer, ast.Boolean, ast.String, ast.Identifier)
configs = several(node(ast.ConfigEntry, words, leaves.filter(lambda v: isinstance(v, CONFIG_VALUES))), 0, 2)
EMPTY = ast.CPart(NOWHERE, (), (), ())
programs = node(
    ast.Program, st.just(EMPTY), configs, several(node(ast.Import, texts), 0, 1), several(declarations, 1)
)


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(programs)
def test_print_then_parse(program: ast.Program) -> None:
    text = print_program(program)
    assert repr(good(text)) == repr(program), text


@settings(deadline=None, max_examples=200)
@given(texts)
def test_strings(value: str) -> None:
    tree = ast.Block(NOWHERE, (ast.ExprStatement(NOWHERE, ast.String(NOWHERE, value)),))
    probe = ast.Probe(NOWHERE, good("begin {}").probes[0].attach, None, tree)
    (found,) = good(print_program(ast.Program(NOWHERE, EMPTY, (), (), (probe,)))).probes
    assert repr(found.body) == repr(tree)


@settings(deadline=None, max_examples=300)
@given(st.text(string.printable))
def test_any_text_is_parsed_or_diagnosed(text: str) -> None:
    parsed(text, "1")
    parsed("begin { " + text + " }", "1")
