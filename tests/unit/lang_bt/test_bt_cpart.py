"""The C part: macros, conditions and type definitions."""

from __future__ import annotations

import pytest
from bt_chunks import good

from pystap.diag import Bag
from pystap.lang.bt import ast
from pystap.lang.bt.parser import parse
from pystap.source import Source


def c(text: str) -> ast.CPart:
    """Return the C part of a script."""
    return good(text + "\nbegin { }\n").c


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("42", 42),
        ("(1 << 4) | 3", 19),
        ("-7 / 2", -3),
        ("-7 % 3", -1),
        ("7 > 3 && 2 != 2 || 1", 1),
        ("1 ? 2 : 3", 2),
        ("0 ?: 9", 9),
        ("~0", -1),
        ("!5", 0),
        ("'A'", 65),
        ("'\\n'", 10),
        ("0xffffffffUL", 0xFFFFFFFF),
        ("-9223372036854775807 - 1 - 1", 2**63 - 1),
        ("OTHER * 2", 14),
        ("GREEN + 1", 6),
        ('"text"', "text"),
        ("1 / 0", None),
        ("1 << 64", None),
        ("pid", None),
        ("f(1)", None),
        ("", None),
        ("+ +", None),
        ("SELF", None),
    ],
)
def test_values_of_macros(body: str, value: int | str | None) -> None:
    part = c(f"enum color {{ RED, GREEN = 5 }};\n#define SELF {body}\n#define OTHER 7")
    define = part.defines[0]
    assert define.name == "SELF"
    assert define.value == value


def test_macros_as_expressions() -> None:
    me, twice, first, second, hidden = c(
        "#define ME pid\n#define TWICE(x) ((x) * 2)\n#define A B\n#define B A\n#define BAD a ## b"
    ).defines
    assert isinstance(me.expr, ast.Identifier) and me.value is None
    assert twice.parameters == ("x",) and twice.expr is None and twice.body == "((x) * 2)"
    assert isinstance(first.expr, ast.Identifier) and isinstance(second.expr, ast.Identifier)
    assert hidden.expr is None and hidden.body == "a ## b"


def test_macros_may_be_defined_again_and_undone() -> None:
    assert [(d.name, d.value) for d in c("#define A 1\n#define B A\n#define A 2\n#undef C").defines] == [
        ("A", 2),
        ("B", 2),
    ]
    assert c("#define A 1\n#undef A").defines == ()


@pytest.mark.parametrize(
    ("condition", "taken"),
    [
        ("#if 1", True),
        ("#if 0", False),
        ("#if UNKNOWN", False),
        ("#if defined(X)", True),
        ("#if defined X && X == 3", True),
        ("#if !defined(Y)", True),
        ("#ifdef X", True),
        ("#ifdef Y", False),
        ("#ifndef X", False),
        ("#ifdef BPFTRACE_HAVE_BTF", True),
        ("#if KERNEL_VERSION(6, 1, 300) == ((6 << 16) + (1 << 8) + 255)", True),
        ("#if F(2) == 5", True),
        ("#if 0\n#elif X", True),
        ("#if 0\n#elif 0\n#elif 1", True),
        ("#if 1\n#endif\n#if 0\n#else", True),
        ("#if 0\n#if 1\n#else\n#endif\n#elif 1", True),
        ("#if 0 \\\n || 1", True),
    ],
)
def test_conditions(condition: str, taken: bool) -> None:
    text = f"#define X 3\n#define F(a) (a + X)\n{condition}\n#define YES\n#else\n#define NO\n#endif"
    if condition.endswith("#else"):
        text = text.replace("#else\n#define NO\n", "")
    names = {d.name for d in c(text).defines}
    assert ("YES" in names) == taken
    assert ("NO" in names) != taken or condition.endswith("#else")


def test_predefined_macros_come_from_the_caller() -> None:
    text = "#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 0, 0)\n#define NEW 1\n#endif\nbegin { }"
    bag = Bag()
    program = parse(Source("t", text), [], bag, {"LINUX_VERSION_CODE": 0x061200})
    assert [d.name for d in program.c.defines] == ["NEW"] and bag.items == []
    assert parse(Source("t", text), [], bag).c.defines == ()


def record(text: str) -> ast.CRecord:
    """Return the only record of a definition."""
    (found,) = c(text).types
    assert isinstance(found, ast.CRecord)
    return found


def test_members() -> None:
    found = record(
        "struct s { unsigned int a : 3, : 5, b; char *name, text[4][8]; struct { int deep; };"
        " void (*call)(int, char); int (*rows)[2]; enum e kind; u64 last __attribute__((aligned(16))); };"
    )
    shown = [(f.name, f.bits, type(f.type).__name__) for f in found.fields]
    assert shown == [
        ("a", 3, "NamedType"),
        ("", 5, "NamedType"),
        ("b", None, "NamedType"),
        ("name", None, "PointerType"),
        ("text", None, "ArrayType"),
        ("", None, "CRecord"),
        ("call", None, "PointerType"),
        ("rows", None, "PointerType"),
        ("kind", None, "RecordName"),
        ("last", None, "NamedType"),
    ]
    text = found.fields[4].type
    assert isinstance(text, ast.ArrayType) and isinstance(text.of, ast.ArrayType)
    assert isinstance(text.size, ast.Integer) and text.size.value == 4
    assert isinstance(text.of.size, ast.Integer) and text.of.size.value == 8
    assert repr(found.fields[6].type) == "PointerType(to=NamedType(name='void'))"
    rows = found.fields[7].type
    assert isinstance(rows, ast.PointerType) and isinstance(rows.to, ast.ArrayType)
    assert found.fields[9].aligned == 16


@pytest.mark.parametrize(
    ("text", "packed", "aligned"),
    [
        ("struct a { int x; };", False, None),
        ("struct __attribute__((packed)) a { int x; };", True, None),
        ("struct a { int x; } __attribute__((__packed__, __aligned__(8)));", True, 8),
        ("struct a { int x; } __attribute__((aligned));", False, 16),
        ("struct a { int x; } __packed;", True, None),
        ("#define PK __attribute__((packed))\nstruct a { int x; } PK;", True, None),
        ('struct a { int x; } __attribute__((unused, section("x")));', False, None),
    ],
)
def test_attributes(text: str, packed: bool, aligned: int | None) -> None:
    found = record(text)
    assert (found.packed, found.aligned) == (packed, aligned)


def test_enums() -> None:
    first, second = c("enum a { A, B = 7, C, D = B | 8, E = -1, F }; enum { G = C };").types
    assert isinstance(first, ast.CEnum) and isinstance(second, ast.CEnum)
    assert first.members == (("A", 0), ("B", 7), ("C", 8), ("D", 15), ("E", -1), ("F", 0))
    assert second.members == (("G", 8),) and second.name == ""


def test_a_size_that_needs_a_layout_stays_an_expression() -> None:
    field = record("struct s { char pad[sizeof(struct other) * 2]; };").fields[0]
    assert isinstance(field.type, ast.ArrayType) and isinstance(field.type.size, ast.Binary)


def test_typedefs() -> None:
    a, b, record_type = c("typedef unsigned long a_t, *b_t; typedef struct { int x; } c_t;").types
    assert isinstance(a, ast.CTypedef) and repr(a.type) == "NamedType(name='unsigned long')"
    assert isinstance(b, ast.CTypedef) and isinstance(b.type, ast.PointerType)
    assert isinstance(record_type, ast.CTypedef) and isinstance(record_type.type, ast.CRecord)


def test_includes_are_recorded() -> None:
    part = c('#include <linux/sched.h> // why\n# include "mine.h"')
    assert [(i.name, i.system) for i in part.includes] == [("linux/sched.h", True), ("mine.h", False)]
