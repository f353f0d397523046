"""Any tree prints to text that parses to the same tree."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pystap.diag import Bag, render
from pystap.lang.stp import ast
from pystap.lang.stp.expressions import PRECEDENCE
from pystap.lang.stp.formats import parse_format
from pystap.lang.stp.lexer import KEYWORDS
from pystap.lang.stp.parser import PreprocEnv, parse
from pystap.lang.stp.printer import print_file
from pystap.lang.stp.text import canonical, decode, quote
from pystap.lang.stp.values import PRINTS
from pystap.source import NOWHERE, Source

S = NOWHERE
ENV = PreprocEnv(guru=True)

names = st.sampled_from(["a", "b", "x1", "_y", "long_name", "probes", "i$f"])
members = st.sampled_from(["next", "limit", "f", "in", "pid"])
numbers = st.integers(-(2**63), 2**63 - 1)
small = st.integers(-99, 10**6)
texts = st.text(max_size=6) | st.binary(max_size=6).map(lambda b: b.decode("utf-8", "surrogateescape"))
code = st.sampled_from([" 1 ", "/* pure */ x", "", "\n a(b);\n"])

BINARY = sorted(set(PRECEDENCE) - {"in", "=~", "!~"})
ASSIGN = ["=", "+=", "-=", "*=", "/=", "%=", "<<=", ">>=", "&=", "^=", "|=", ".="]
STATS = ["@count", "@sum", "@min", "@max", "@avg", "@variance"]


def tup(
    items: st.SearchStrategy[object], least: int = 0, most: int = 3
) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(items, min_size=least, max_size=most).map(tuple)


def b(kind: type, *fields: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Build nodes of a kind from strategies for its fields after the span."""
    return st.builds(lambda *values: kind(S, *values), *fields)


def some(value: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | value


name = b(ast.Name, names)
number = b(ast.Number, numbers)
string = b(ast.String, texts)
leaves = name | number | string


def lvalues(e: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    no, plain = st.just(False), st.just(0)
    return (
        name
        | b(ast.Index, name, tup(e, 1))
        | b(ast.Target, accessors(e), no, plain, st.sampled_from(["$x", "$return", "$$vars"]))
        | b(ast.Cast, accessors(e), no, plain, e, texts, some(texts))
        | b(ast.Var, accessors(e), no, plain, texts, some(texts))
        | b(ast.Deref, from_field(e), no, plain, e)
    )


def accessors(e: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return tup(b(ast.Field, members) | b(ast.Element, e), 0, 2)


def from_field(e: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.builds(lambda first, rest: (first, *rest), b(ast.Field, members), accessors(e))


def reads(e: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Target-side values with `&` and pretty-printing."""
    yes, pretty = st.booleans(), st.integers(0, 2)
    return (
        b(ast.Target, accessors(e), yes, pretty, st.sampled_from(["$x", "$$parms"]))
        | b(ast.Cast, accessors(e), yes, pretty, e, texts, some(texts))
        | b(ast.Var, accessors(e), yes, pretty, texts, some(texts))
        | b(ast.Deref, from_field(e), yes, pretty, e)
    )


def hist(e: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    linear = b(ast.HistOp, st.just("@hist_linear"), e, st.just((0, 100, 7)) | st.just((-5, 5, 1)))
    return b(ast.HistOp, st.just("@hist_log"), e) | linear


FORMATS = ["", "x", "%d\n", "%5s %%|%-*.*x", "é%#M", "\\", '"']


def printing(e: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    def form(text: str) -> object:
        return parse_format(text, S, lambda i, j: S, [])

    plain = st.sampled_from(["print", "println", "sprint", "sprintln"])
    joined = st.sampled_from(["printd", "printdln", "sprintd", "sprintdln"])
    formatted = st.sampled_from(["printf", "sprintf"])
    return (
        b(ast.Print, plain, st.tuples(e | hist(e)))
        | b(ast.Print, joined, tup(e, 1), st.none(), string)
        | b(ast.Print, formatted, tup(e), st.sampled_from(FORMATS).map(form))
    )


def at_ops(e: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    j = st.just
    return (
        b(ast.AtOp, st.sampled_from(["@defined", "@entry"]), st.tuples(e))
        | b(ast.AtOp, st.sampled_from(["@perf", "@const", "@enum"]), st.tuples(string))
        | b(ast.AtOp, j("@probewrite"), st.tuples(name))
        | b(ast.AtOp, j("@enumname"), st.tuples(e) | st.tuples(e, string) | st.tuples(e, string, string))
        | b(ast.AtOp, st.sampled_from(["@kderef", "@uderef"]), st.tuples(number, e))
        | b(ast.AtOp, st.sampled_from(["@kregister", "@uregister"]), st.tuples(number))
    )


def compound(e: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    call = st.builds(lambda n, a: ast.Call(S, n, a, S), names, tup(e))
    variance = b(ast.StatOp, st.just("@variance"), e, st.just((4,)))
    return (
        b(ast.Binary, st.sampled_from(BINARY), e, e)
        | b(ast.Binary, st.sampled_from(BINARY), e, e)
        | b(ast.Unary, st.sampled_from("+-!~"), e)
        | b(ast.Ternary, e, e, e)
        | b(ast.Regex, st.sampled_from(["=~", "!~"]), e, string)
        | b(ast.ArrayIn, tup(some(e), 1), name)
        | b(ast.Assign, st.sampled_from(ASSIGN), lvalues(e), e)
        | b(ast.Assign, st.just("<<<"), name | b(ast.Index, name, tup(e, 1)), e)
        | b(ast.IncDec, st.sampled_from(["++", "--"]), st.booleans(), lvalues(e))
        | b(ast.Index, hist(e), st.tuples(e))
        | b(ast.StatOp, st.sampled_from(STATS), e)
        | b(ast.EmbeddedExpr, code)
        | variance
        | call
        | lvalues(e)
        | reads(e)
        | printing(e)
        | at_ops(e)
    )


expressions = st.recursive(leaves, compound, max_leaves=12)


def sorts(keys: int) -> st.SearchStrategy[object]:
    by = st.just("value") | st.sampled_from(STATS)
    sign = st.sampled_from([1, -1])
    return b(ast.Sort, st.just("key"), sign, st.integers(0, keys - 1)) | b(ast.Sort, by, sign)


@st.composite
def foreaches(draw: st.DrawFn, body: st.SearchStrategy[object]) -> object:
    keys = draw(tup(name, 1))
    value, limit = draw(some(name)), draw(some(expressions))
    array = draw(name | hist(expressions))
    slice_ = None
    by_value = sorts(len(keys))
    if isinstance(array, ast.Name):
        slice_ = draw(some(tup(some(expressions), 1)))
    return ast.Foreach(S, keys, array, draw(body), value, slice_, draw(some(by_value)), limit)  # type: ignore[arg-type]


def closed(s: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Statements that an `else` behind them cannot join."""
    return b(ast.Block, tup(s)) | b(ast.ExprStmt, expressions)


def statements(s: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    block = b(ast.Block, tup(s))
    body = s | b(ast.Empty)
    e = expressions
    delete = name | b(ast.Index, name, tup(some(e), 1))
    loops = block | b(ast.Break) | b(ast.Continue)
    return (
        block
        | b(ast.If, e, body)
        | b(ast.If, e, closed(s), body)
        | b(ast.While, e, loops)
        | b(ast.For, some(e), some(e), some(e), body)
        | foreaches(body | loops)
        | b(ast.Try, block, block, some(name))
        | b(ast.Delete, delete)
        | b(ast.Return, some(e))
    )


simple = b(ast.ExprStmt, expressions) | b(ast.Next) | b(ast.Return) | b(ast.EmbeddedStmt, code)
statement = st.recursive(simple, statements, max_leaves=6)
blocks = b(ast.Block, tup(statement))
# a handler has no `return`: what these trees are about is in the functions
handlers = b(ast.Block, tup(b(ast.ExprStmt, expressions)))

component = b(ast.Component, st.sampled_from(["a", "if", "*", "**", "x*y*", "*9"]), some(small | texts))


@st.composite
def points(draw: st.DrawFn) -> object:
    suffix = draw(st.integers(0, 2))
    return ast.ProbePoint(S, draw(tup(component, 1)), suffix > 0, suffix > 1, draw(some(expressions)))  # type: ignore[arg-type]


alias_name = b(ast.ProbePoint, tup(b(ast.Component, names | members), 1))
type_ = some(st.sampled_from(["long", "string"]))
variable = b(ast.Global, names, some(st.integers(1, 10**6)), st.booleans(), st.none(), st.booleans()) | b(
    ast.Global, names, st.none(), st.just(False), some(number | string), st.booleans()
)
function = st.builds(
    lambda n, p, body, t, prio, priv: ast.Function(S, n, p, body, S, t, prio, priv),
    names,
    tup(b(ast.Param, names, type_)),
    blocks | b(ast.EmbeddedStmt, code),
    type_,
    some(small),
    st.booleans(),
)
probe = b(ast.Probe, tup(points(), 1), handlers)
alias = b(ast.Alias, tup(alias_name, 1), tup(points(), 1), handlers, some(handlers))
late = b(ast.Alias, tup(alias_name, 1), tup(points(), 1), st.none(), handlers)
item = variable | function | probe | alias | late | b(ast.Embedded, code)


@settings(deadline=None)
@given(tup(item))
def test_printed_tree_parses_to_itself(items: tuple[ast.Item, ...]) -> None:
    tree = ast.File(S, Source("t", ""), items)
    text = print_file(tree)
    bag = Bag()
    again = parse(Source("t.stp", text), ENV, bag)
    assert not bag.items, text + "".join(render(d) for d in bag.items)
    assert ast.same(tree, again), text
    assert print_file(again) == text


@given(texts)
def test_quoted_text_decodes_to_itself(text: str) -> None:
    literal = quote(text)
    assert literal[0] == literal[-1] == '"' and "\n" not in literal
    assert decode(literal[1:-1]) == canonical(text)


def test_the_names_used_here_are_names() -> None:
    assert not {"a", "b", "x1", "_y", "long_name", "probes"} & (KEYWORDS | PRINTS)
