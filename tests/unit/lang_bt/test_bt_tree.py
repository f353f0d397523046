"""What the parser makes of single constructs."""

from __future__ import annotations

import pytest
from bt_chunks import good, parsed

from pystap.lang.bt import ast
from pystap.lang.bt.printer import expression


def expr(text: str) -> ast.Expr:
    """Return the expression of a text."""
    statement = good(f"begin {{ $r = {text}; }}").probes[0].body.statements[0]
    assert isinstance(statement, ast.Assign)
    return statement.value


def shape(node: ast.Expr) -> str:
    """Return an expression with all of its parentheses."""
    if isinstance(node, ast.Binary):
        return f"({shape(node.left)}{node.op}{shape(node.right)})"
    if isinstance(node, ast.Ternary):
        then = "" if node.then is None else shape(node.then)
        return f"({shape(node.cond)}?{then}:{shape(node.orelse)})"
    if isinstance(node, ast.Unary):
        return f"({node.op}{shape(node.operand)})"
    return expression(node)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1 + 2 * 3", "(1+(2*3))"),
        ("1 - 2 - 3", "((1-2)-3)"),
        ("8 / 4 % 3", "((8/4)%3)"),
        ("1 << 2 + 3", "(1<<(2+3))"),
        ("1 < 2 == 3 > 4", "((1<2)==(3>4))"),
        ("1 & 2 == 3", "(1&(2==3))"),
        ("1 | 2 ^ 3 & 4", "(1|(2^(3&4)))"),
        ("1 || 2 && 3 | 4", "(1||(2&&(3|4)))"),
        ("1 ? 2 : 3 ? 4 : 5", "(1?2:(3?4:5))"),
        ("1 ?: 2 || 3", "(1?:(2||3))"),
        ("1 ? 2 ? 3 : 4 : 5", "(1?(2?3:4):5)"),
        ("-1 + !2", "((-1)+(!2))"),
        ("-$a * ~$b", "((-$a)*(~$b))"),
        ("(1 + 2) * 3", "((1+2)*3)"),
        ("(pid) - 1", "(pid-1)"),
        ("(pid) & 1", "(pid&1)"),
    ],
)
def test_precedence(text: str, wanted: str) -> None:
    assert shape(expr(text)) == wanted


@pytest.mark.parametrize(
    ("text", "value", "suffix", "unit"),
    [
        ("0", 0, "", ""),
        ("42", 42, "", ""),
        ("1234567890123456789", 1234567890123456789, "", ""),
        ("18446744073709551615", 2**64 - 1, "", ""),
        ("0xFf", 255, "", ""),
        ("017", 15, "", ""),
        ("1e6", 1_000_000, "", ""),
        ("1_000", 1000, "", ""),
        ("5UL", 5, "ul", ""),
        ("5lu", 5, "ul", ""),
        ("5LLU", 5, "ull", ""),
        ("7ns", 7, "", "ns"),
        ("7us", 7_000, "", "us"),
        ("7ms", 7_000_000, "", "ms"),
        ("7s", 7 * 10**9, "", "s"),
        ("7m", 420 * 10**9, "", "m"),
        ("1h", 3600 * 10**9, "", "h"),
        ("1d", 86400 * 10**9, "", "d"),
        ("1e3us", 10**6, "", "us"),
    ],
)
def test_numbers(text: str, value: int, suffix: str, unit: str) -> None:
    node = expr(text)
    assert isinstance(node, ast.Integer)
    assert (node.value, node.suffix, node.unit) == (value, suffix, unit)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (r"a\nb\t\"\\", b'a\nb\t"\\'),
        (r"\0\01\101A", b"\0\x01AA"),
        (r"\x41\xff\377\xc3\xa9", b"A\xff\xff\xc3\xa9"),
        ("é", "é".encode()),
        (r"\xgone"[:0] + r"\x4z", b"\x04z"),
        (r"\1234", b"S4"),
        ("// no comment { }", b"// no comment { }"),
    ],
)
def test_strings_are_byte_exact(text: str, wanted: bytes) -> None:
    node = expr(f'"{text}"')
    assert isinstance(node, ast.String)
    assert node.value.encode("utf-8", "surrogateescape") == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("(uint8)1", "NamedType(name='uint8')"),
        ("(unsigned)-1", "NamedType(name='unsigned int')"),
        ("(long unsigned int long)1", "NamedType(name='unsigned long long')"),
        ("(struct s *)$x", "PointerType(to=RecordName(kind='struct', name='s'))"),
        ("(t *)(1)", "PointerType(to=NamedType(name='t'))"),
        ("(t)(1)", "NamedType(name='t')"),
        ("(t)$x", "NamedType(name='t')"),
        ("(const volatile char * const)$x", "PointerType(to=NamedType(name='char'))"),
        ("(string[8])$x", "SizedType(name='string', size=Integer(value=8, suffix='', unit=''))"),
        ("(uint8[2])$x", "ArrayType(of=NamedType(name='uint8'), size=Integer(value=2, suffix='', unit=''))"),
        ("(bool[])$x", "ArrayType(of=NamedType(name='bool'), size=None)"),
        ("(typeof(1))$x", "TypeofType(of=Integer(value=1, suffix='', unit=''))"),
        ("((uint8, bool))$x", "TupleType(elements=(NamedType(name='uint8'), NamedType(name='bool')))"),
    ],
)
def test_casts(text: str, wanted: str) -> None:
    node = expr(text)
    assert isinstance(node, ast.Cast)
    assert repr(node.type) == wanted


def test_a_typedef_of_the_script_makes_a_cast_of_what_else_were_a_subtraction() -> None:
    definition = "typedef unsigned char octet;\n"
    probe = "begin { $r = (octet)-1; }"
    (cast,) = good(definition + probe).probes[0].body.statements
    assert isinstance(cast, ast.Assign) and isinstance(cast.value, ast.Cast)
    (difference,) = good(probe).probes[0].body.statements
    assert isinstance(difference, ast.Assign) and isinstance(difference.value, ast.Binary)


def test_keys_and_tuples() -> None:
    two = expr("@m[1, 2]")
    one = expr("@m[(1, 2)]")
    assert isinstance(two, ast.MapAccess) and len(two.keys) == 2
    assert isinstance(one, ast.MapAccess) and isinstance(one.keys[0], ast.Tuple)
    assert isinstance(expr("@m[1][2]"), ast.Index)
    assert isinstance(expr("(@m)[1]"), ast.Index)
    assert isinstance(expr("(1,)"), ast.Tuple)
    assert isinstance(expr("(1)"), ast.Integer)
    assert isinstance(expr("(a=1)"), ast.Record)
    assert isinstance(expr("(a == 1)"), ast.Binary)


def test_words_that_name_types_or_values() -> None:
    assert isinstance(expr("sizeof(foo)"), ast.Sizeof)
    for text, kind in (("foo", ast.Identifier), ("foo *", ast.PointerType), ("int8", ast.NamedType)):
        node = expr(f"sizeof({text})")
        assert isinstance(node, ast.Sizeof) and isinstance(node.of, kind)
    node = expr("offsetof(struct a, b.c.if)")
    assert isinstance(node, ast.Offsetof) and node.path == ("b", "c", "if")


def statements(text: str) -> tuple[ast.Statement, ...]:
    """Return the statements of a probe's body."""
    return good(f"begin {{ {text} }}").probes[0].body.statements


def test_values_of_blocks() -> None:
    (plain,) = statements("if (1) { 2 } else { 3 }")
    assert isinstance(plain, ast.If) and plain.then.value is None and len(plain.then.statements) == 1
    (nested,) = statements("{ { 1 } }")
    assert isinstance(nested, ast.BlockStatement)
    assert isinstance(nested.block.statements[0], ast.BlockStatement)
    value = expr("{ f(); if (1) { 2 } else { { 3 } } }")
    assert isinstance(value, ast.BlockExpr)
    assert isinstance(value.block.value, ast.IfExpr) and len(value.block.statements) == 1
    assert isinstance(value.block.value.orelse, ast.Block)
    assert isinstance(value.block.value.orelse.value, ast.BlockExpr)


@pytest.mark.parametrize(
    ("body", "has_value"),
    [
        ("1", True),
        ("1;", False),
        ("$x = 1", False),
        ("if 1 { 2 } else { 3 }", True),
        ("if 1 { 2 } else { 3 };", False),
        ("if 1 { 2 }", False),
        ("if 1 { 2; } else { 3 }", False),
        ("if 1 { 2 } else if 3 { 4 }", False),
        ("{ 1 }", True),
        ("{ 1; }", False),
        ('print(";")', True),
    ],
)
def test_values_of_macros(body: str, has_value: bool) -> None:
    (macro,) = good(f"macro m() {{ {body} }}").macros
    assert (macro.body.value is not None) == has_value
    assert bool(macro.body.statements) != has_value


def test_loops() -> None:
    over_map, over_range, from_map = statements("for ($a : @m) {} for $b : 1..2 {} for ($c : @m[1]..@n) {}")
    assert isinstance(over_map, ast.ForMap) and over_map.map.name == "m"
    assert isinstance(over_range, ast.ForRange) and over_range.name == "b"
    assert isinstance(from_map, ast.ForRange) and isinstance(from_map.end, ast.Map)


def test_order_and_kinds_of_declarations() -> None:
    program = good("begin {} macro m(a, $b, @c) {} end {} fn f($x : int8) : bool {} let @m = hash(5);")
    names = [type(d).__name__ for d in program.declarations]
    assert names == ["Probe", "Macro", "Probe", "Function", "MapDeclaration"]
    assert [p.sigil for p in program.macros[0].parameters] == ["", "$", "@"]
    assert program.functions[0].returns is not None
    assert program.maps[0].kind == "hash"


def test_config_keeps_the_kinds_of_its_values() -> None:
    (a, b, c, d) = good('config = { a = 5ms; b = warn; c = "x"; d = true; } begin {}').config
    assert isinstance(a.value, ast.Integer) and a.value.value == 5_000_000
    assert isinstance(b.value, ast.Identifier)
    assert isinstance(c.value, ast.String)
    assert isinstance(d.value, ast.Boolean)


def test_spans_cover_what_they_name() -> None:
    program = good("kprobe:f /pid == 1/ { $x = 1 + f(2); }")
    (probe,) = program.probes
    assert probe.span.text == "kprobe:f /pid == 1/ { $x = 1 + f(2); }"
    assert probe.attach[0].span.text == "kprobe:f"
    assert probe.predicate is not None and probe.predicate.span.text == "pid == 1"
    (assign,) = probe.body.statements
    assert isinstance(assign, ast.Assign) and isinstance(assign.value, ast.Binary)
    assert assign.span.text == "$x = 1 + f(2)"
    assert assign.value.right.span.text == "f(2)"


def test_a_division_in_a_predicate_is_not_its_end() -> None:
    (probe,) = good("kprobe:f / 8 / 4 == 2 / { }").probes
    assert probe.predicate is not None and shape(probe.predicate) == "((8/4)==2)"


def test_a_missing_semicolon_costs_no_statement() -> None:
    program, bag = parsed("begin {\n $a = 1\n $b = 2\n}")
    assert [d.code for d in bag.items] == ["E112", "E112"][: len(bag.items)]
    assert len(program.probes[0].body.statements) == 2
