"""The shape of SystemTap trees: precedence, fields of the nodes, spans."""

from __future__ import annotations

import pytest

from pystap.diag import Bag, render
from pystap.lang.stp import ast
from pystap.lang.stp.formats import STAR, Directive
from pystap.lang.stp.parser import PreprocEnv, parse
from pystap.source import Source

ENV = PreprocEnv(kernel_v="6.18.5", guru=True)


def tree(text: str, env: PreprocEnv = ENV) -> ast.File:
    bag = Bag()
    out = parse(Source("t.stp", text), env, bag)
    assert not bag.items, "".join(render(d) for d in bag.items)
    return out


def body(text: str) -> tuple[ast.Stmt, ...]:
    return tree("function f() { " + text + " }").functions[0].body.body  # type: ignore[union-attr]


def expr(text: str) -> ast.Expr:
    (only,) = body(text + ";")
    assert isinstance(only, ast.ExprStmt)
    return only.expr


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("a = b = c", "a = (b = c)"),
        ("a = b ? c : d", "a = (b ? c : d)"),
        ("a ? b : c ? d : e", "a ? b : (c ? d : e)"),
        ("a ? b ? c : d : e", "a ? (b ? c : d) : e"),
        ("a || b ? c : d", "(a || b) ? c : d"),
        ("a || b && c", "a || (b && c)"),
        ("a && b | c", "a && (b | c)"),
        ("a | b ^ c", "a | (b ^ c)"),
        ("a ^ b & c", "a ^ (b & c)"),
        ("a & b in c", "a & (b in c)"),
        ("a == b in c", "(a == b) in c"),
        ("a & b == c", "a & (b == c)"),
        ("a < b == c", "(a < b) == c"),
        ("a == b < c", "(a == b) < c"),
        ("a < b << c", "a < (b << c)"),
        ("a << b >> c >>> d", "((a << b) >> c) >>> d"),
        ("a << b . c", "a << (b . c)"),
        ("a . b . c", "(a . b) . c"),
        ("a . b + c", "a . (b + c)"),
        ("a - b - c", "(a - b) - c"),
        ("a + b * c", "a + (b * c)"),
        ("a / b * c % d", "((a / b) * c) % d"),
        ("a * -b", "a * (-b)"),
        ("-a . b", "(-a) . b"),
        ("!a in b", "(!a) in b"),
        ("-a++", "-(a++)"),
        ("!~a", "!(~a)"),
        ('a . b =~ "x"', '(a . b) =~ "x"'),
        ('a =~ "x" && b', '(a =~ "x") && b'),
        ('a =~ "x" in b', '(a =~ "x") in b'),
        ("[a, b] in c && d", "([a, b] in c) && d"),
        ("a && [b, c] in d || e", "(a && ([b, c] in d)) || e"),
        ("$a->b + &$c * $d[1]", "($a->b) + ((&$c) * ($d[1]))"),
    ],
)
def test_precedence(text: str, means: str) -> None:
    assert ast.same(expr(text), expr(means))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a - (b - c)", "a - b - c"),
        ("(a ? b : c) ? d : e", "a ? b : c ? d : e"),
        ("-(a + b)", "-a + b"),
        ("($x)->y", "$x->y"),
        ("$x->y", "$x->z"),
        ("a->b", "&a->b"),
        ("$x$", "$x$$"),
        ("++a", "a++"),
        ("a[1]", "a[2]"),
        ('"1"', "1"),
        ("f(a, b)", "f(b, a)"),
    ],
)
def test_same_tells_trees_apart(one: str, other: str) -> None:
    assert not ast.same(expr(one), expr(other))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("017", 15),
        ("0x1F", 31),
        ("0XfF", 255),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", -(2**63)),
        ("18446744073709551615", -1),
        ("0xffffffffffffffff", -1),
        ("01777777777777777777777", -1),
    ],
)
def test_numbers_are_signed_64_bit(text: str, value: int) -> None:
    node = expr(text)
    assert isinstance(node, ast.Number)
    assert node.value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"a\a\b\t\n\v\f\r\\\""', b'a\a\b\t\n\v\f\r\\"'),
        (r'"\0\7\101\1011\400"', b"\0\x07AA1\0"),
        (r'"\x41\x4g\xe9"', b"A\x04g\xe9"),
        (r'"\q\xg"', b"qxg"),
        ('"é\\xc3\\xa9"', "éé".encode()),
        ('"\\xc3" "\\xa9"', "é".encode()),
        ('"a" /* c */ "b"', b"ab"),
    ],
)
def test_strings_are_exact_bytes(text: str, value: bytes) -> None:
    node = expr(text)
    assert isinstance(node, ast.String)
    assert node.value.encode("utf-8", "surrogateescape") == value


def test_bytes_and_characters_of_the_same_text_are_equal() -> None:
    assert ast.same(expr('"\\xc3\\xa9"'), expr('"é"'))


def test_globals() -> None:
    a, b, c, d = tree('global a = -5, b%[10], private_ = "x" private c[3]%').globals
    assert (a.name, a.init.value, a.size, a.wrap, a.private) == ("a", -5, None, False, False)  # type: ignore[union-attr]
    assert (b.name, b.init, b.size, b.wrap) == ("b", None, 10, True)
    assert (c.name, c.init.value) == ("private_", "x")  # type: ignore[union-attr]
    assert (d.name, d.size, d.wrap, d.private) == ("c", 3, True, True)


def test_function() -> None:
    (f,) = tree("private function f:string(a:long, b):7 { return 1 }").functions
    assert (f.name, f.type, f.priority, f.private) == ("f", "string", 7, True)
    assert [(p.name, p.type) for p in f.params] == [("a", "long"), ("b", None)]
    assert f.name_span.text == "f"
    (g,) = tree("function g() %{ x %}").functions
    assert isinstance(g.body, ast.EmbeddedStmt) and g.body.code == " x "
    assert (g.type, g.priority, g.private) == (None, None, False)


def test_alias() -> None:
    one, two, three = tree("probe a = b.c = begin, end {x=1}, {y=2} probe d += e {} probe f = g {}").aliases
    assert [n.text for n in one.names] == ["a", "b.c"]
    assert [p.text for p in one.points] == ["begin", "end"]
    assert one.prologue and one.epilogue and len(one.prologue.body) == len(one.epilogue.body) == 1
    assert two.prologue is None and two.epilogue is not None
    assert three.prologue is not None and three.epilogue is None


def points(text: str) -> list[str]:
    return [p.text for p in tree(f"probe {text} {{}}").probes[0].points]


def test_brace_expansion() -> None:
    assert points("{a,b.{c,d}}.e") == ["a.e", "b.c.e", "b.d.e"]
    assert points("a.{b,c}.{d,e}") == ["a.b.d", "a.b.e", "a.c.d", "a.c.e"]
    assert points('process("x").{function("f"),begin}') == [
        'process("x").function("f")',
        'process("x").begin',
    ]


def test_suffixes_and_conditions_reach_every_alternative() -> None:
    a, b, c, d = tree("probe a.{b,c}? if (x), d!, {e} {}").probes[0].points
    assert (a.optional, a.sufficient, b.optional, b.sufficient) == (True, False, True, False)
    assert isinstance(a.condition, ast.Name) and a.condition is b.condition
    assert (c.optional, c.sufficient, c.condition) == (True, True, None)
    assert (d.optional, d.sufficient, d.text) == (False, False, "e")
    e, f = tree("probe {a?,b!}.c {}").probes[0].points
    assert (e.optional, e.sufficient, f.optional, f.sufficient) == (True, False, True, True)


def test_components() -> None:
    (point,) = tree('probe kernel.*_x*.**.f("a" "b").n(-3).h(0xffffffff81000000).return {}').probes[0].points
    assert [(c.name, c.arg) for c in point.components] == [
        ("kernel", None),
        ("*_x*", None),
        ("**", None),
        ("f", "ab"),
        ("n", -3),
        ("h", 0xFFFFFFFF81000000 - 2**64),
        ("return", None),
    ]


def foreach(text: str) -> ast.Foreach:
    (node,) = body(f"foreach ({text}) x")
    assert isinstance(node, ast.Foreach)
    return node


@pytest.mark.parametrize(
    ("text", "sort"),
    [
        ("k in a", None),
        ("k+ in a", ("key", 1, 0)),
        ("[j, k-] in a", ("key", -1, 1)),
        ("v- = k in a", ("value", -1, 0)),
        ("v-= k in a", ("value", -1, 0)),
        ("v+=[j, k] in a", ("value", 1, 0)),
        ("v = k+ in a", ("key", 1, 0)),
        ("v = [j, k+] in a", ("key", 1, 1)),
        ("k in a-", ("value", -1, 0)),
        ("k in a[*, 1] + limit 3", ("value", 1, 0)),
        ("k in a @sum-", ("@sum", -1, 0)),
        ("k in a @variance + limit 2", ("@variance", 1, 0)),
    ],
)
def test_foreach_sort(text: str, sort: tuple[str, int, int] | None) -> None:
    node = foreach(text)
    found = node.sort and (node.sort.by, node.sort.direction, node.sort.key)
    assert found == sort
    assert (node.value is not None) == ("v" in text.split(" in ")[0])
    assert (node.limit is not None) == ("limit" in text)


def test_foreach_parts() -> None:
    node = foreach("v = [j, k] in a[*, n + 1] limit 5")
    assert [k.name for k in node.keys] == ["j", "k"]
    assert node.value is not None and node.value.name == "v"
    assert node.slice is not None and node.slice[0] is None and isinstance(node.slice[1], ast.Binary)
    assert isinstance(node.array, ast.Name) and node.array.name == "a"
    assert isinstance(node.limit, ast.Number)
    hist = foreach("b in @hist_linear(s[1], 0, 10, 2)").array
    assert isinstance(hist, ast.HistOp) and hist.params == (0, 10, 2)


def test_target() -> None:
    node = expr("&$x->a[i]->b$$")
    assert isinstance(node, ast.Target)
    assert (node.name, node.address_of, node.pretty) == ("$x", True, 2)
    first, index, last = node.accessors
    assert isinstance(first, ast.Field) and first.name == "a"
    assert isinstance(index, ast.Element) and isinstance(index.index, ast.Name)
    assert isinstance(last, ast.Field) and last.name == "b"
    plain = expr("$$parms$")
    assert isinstance(plain, ast.Target) and (plain.name, plain.pretty, plain.accessors) == ("$$parms", 1, ())
    spaced = expr("$x[1]$$")
    assert isinstance(spaced, ast.Target) and spaced.pretty == 2 and len(spaced.accessors) == 1


def test_cast_var_and_deref() -> None:
    cast = expr('@cast(p + 1, "struct x", "kernel:y")->z[2]')
    assert isinstance(cast, ast.Cast)
    assert (cast.type, cast.module, len(cast.accessors)) == ("struct x", "kernel:y", 2)
    assert isinstance(cast.operand, ast.Binary)
    var = expr('@var("a@b.c")$')
    assert isinstance(var, ast.Var) and (var.name, var.module, var.pretty) == ("a@b.c", None, 1)
    deref = expr("a[1]->next[2]->limit")
    assert isinstance(deref, ast.Deref) and isinstance(deref.operand, ast.Index)
    assert len(deref.accessors) == 3


def test_at_operators_keep_their_arguments() -> None:
    node = expr('@enumname(v, "enum x")')
    assert isinstance(node, ast.AtOp) and node.op == "@enumname" and len(node.args) == 2
    node = expr("@kderef(8, $x)")
    assert isinstance(node, ast.AtOp) and isinstance(node.args[0], ast.Number)
    stat = expr("@variance(s, 4)")
    assert isinstance(stat, ast.StatOp) and (stat.op, stat.params) == ("@variance", (4,))


def test_format_parts() -> None:
    node = expr(r'printf("a%%%-5.3ld\xff%*.*s%#X", 1, 2, 3, x, 4)')
    assert isinstance(node, ast.Print) and node.format is not None
    a, number, byte, text, last = node.format.parts
    assert (a, byte) == (b"a%", b"\xff")
    assert not isinstance(number, bytes) and not isinstance(text, bytes) and not isinstance(last, bytes)
    assert (number.flag, number.width, number.precision, number.length, number.conv) == ("-", 5, 3, "l", "d")
    assert (text.width, text.precision, text.arity) == (STAR, STAR, 3)
    assert (last.flag, last.conv, last.width, last.precision) == ("#", "X", None, None)
    assert node.format.arity == 5
    assert [p.span.text for p in node.format.parts if isinstance(p, Directive)] == ["%-5.3ld", "%*.*s", "%#X"]


def test_print_kinds() -> None:
    node = expr('sprintdln(", ", a, b)')
    assert isinstance(node, ast.Print)
    assert (node.kind, len(node.args), node.format) == ("sprintdln", 2, None)
    assert node.delimiter is not None and node.delimiter.value == ", "


def test_statements_without_separators() -> None:
    kinds = [
        type(s).__name__ for s in body("a = 1 b++ f(a) delete c if (a) b else c; while (1) break return")
    ]
    assert kinds == ["ExprStmt", "ExprStmt", "ExprStmt", "Delete", "If", "While", "Return"]


def test_else_belongs_to_the_nearest_if() -> None:
    (outer,) = body("if (a) if (b) c = 1; else d = 1")
    assert isinstance(outer, ast.If) and outer.other is None
    assert isinstance(outer.then, ast.If) and outer.then.other is not None


def test_return_value_is_optional() -> None:
    one, two, three = body("if (a) return; if (b) { return } return c")
    assert isinstance(one, ast.If) and isinstance(one.then, ast.Return) and one.then.value is None
    assert isinstance(two, ast.If) and isinstance(two.then, ast.Block)
    assert isinstance(three, ast.Return) and isinstance(three.value, ast.Name)


def test_spans_cover_their_text() -> None:
    text = "a + f(b, c[1]) * -$d->e"
    node = expr(text)
    assert isinstance(node, ast.Binary)
    assert node.span.text == text
    assert node.right.span.text == "f(b, c[1]) * -$d->e"
    assert isinstance(node.right, ast.Binary)
    assert node.right.left.span.text == "f(b, c[1])"
    assert node.right.right.span.text == "-$d->e"


def test_spans_of_items() -> None:
    text = "global aa = 1\nprobe begin, end {\n  x = 1\n}\n"
    file = tree(text)
    assert file.globals[0].span.text == "aa"
    probe = file.probes[0]
    assert probe.span.text == text[text.index("probe") : -1]
    assert [p.span.text for p in probe.points] == ["begin", "end"]
    assert probe.body.body[0].span.line == 3


def test_span_of_a_macro_names_its_use() -> None:
    text = "@define m(x) %( 1 + @x + 2 %)\nprobe begin { y = @m(z) }\n"
    (stmt,) = tree(text).probes[0].body.body
    assert isinstance(stmt, ast.ExprStmt) and isinstance(stmt.expr, ast.Assign)
    assert stmt.expr.span.text == "y = @m"
    value = stmt.expr.value
    assert isinstance(value, ast.Binary) and isinstance(value.left, ast.Binary)
    assert (value.right.span.text, value.right.span.line) == ("2", 1)
    assert value.right.span.via is not None and value.right.span.via.line == 2
    assert value.left.right.span.text == "z" and value.left.right.span.line == 2


def test_span_of_a_script_argument_names_its_use() -> None:
    (stmt,) = tree("probe begin { y = $1 }", PreprocEnv(("5 + x",))).probes[0].body.body
    assert isinstance(stmt, ast.ExprStmt) and isinstance(stmt.expr, ast.Assign)
    span = stmt.expr.value.span
    assert (span.source.name, span.text) == ("<argument 1>", "5 + x")
    assert span.via is not None and span.via.text == "$1"


def test_walk_visits_every_node_once() -> None:
    file = tree("probe a if (b) { foreach (v = k in c limit d) { e[f] = -g ? $h[i] : 1 } }")
    names = sorted(n.name for n in ast.walk(file) if isinstance(n, ast.Name))
    assert names == ["b", "c", "d", "e", "f", "g", "i", "k", "v"]
