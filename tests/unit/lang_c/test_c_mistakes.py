"""What is outside the subset, and what is wrong, is said at its place; nothing passes in silence."""

from __future__ import annotations

import pytest

pytest.importorskip("pycparser")

from c_kit import attempt, body_errors, errors


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("((struct sock *)STAP_ARG_x)->sk_mark = 3;", ("E402", "(")),
        ("jiffies = 3;", ("E402", "jiffies")),
        ("struct sock *k = 0; k->sk_err++;", ("E402", "k")),
        ("printk(\"a\");", ("E402", "printk")),
        ("schedule();", ("E402", "schedule")),
        ("static int k;", ("E402", "k")),
        ("struct iphdr h;", ("E402", "h")),
        ("int a[3];", ("E402", "a")),
        ("goto out; out: ;", ("E402", "goto")),
        ("asm(\"nop\");", ("E402", "asm")),
        ("STAP_RETVALUE = ({ 1; });", ("E402", "{")),
        ("typeof(3) x;", ("E402", "typeof")),
        ("double d = 1;", ("E402", "double")),
        ("return 3;", ("E402", "return")),
        ("STAP_RETVALUE = STAP_ARG_s[0];", ("E402", "STAP_ARG_s")),
        ("STAP_RETVALUE = (long)&STAP_ARG_x;", ("E402", "STAP_ARG_x")),
        ("long v = 1; STAP_RETVALUE = kread(&v);", ("E402", "v")),
        ("STAP_RETVALUE = STAP_ARG_s;", ("E402", "STAP_ARG_s")),
        ("STAP_RETVALUE = 1 + STAP_ARG_s;", ("E402", "STAP_ARG_s")),
        ("struct { int a; } *p = 0;", ("E402", "*")),
        ("int (*f)(void) = 0; STAP_RETVALUE = f();", ("E209", "f")),
        ("CONTEXT->busy = 1;", ("E402", "CONTEXT")),
        ("STAP_RETVALUE = this_cpu_read(runqueues);", ("E209", "this_cpu_read")),
        ("#define S(x) #x\n", ("E402", "#")),
        ("if (STAP_ARG_x { }", ("E160", "{")),
        ("STAP_RETVALUE = 1", ("E160", " ")),
        ("STAP_RETVALUE = @;", ("E160", "@")),
        ("break;", ("E160", "break")),
        ("#if 1\n", ("E161", "#")),
        ("#else\n", ("E161", "#")),
        ("#if 1 +\n#endif\n", ("E161", "#")),
        ("#error no\n", ("E161", "#")),
        ("STAP_RETVALUE = STAP_ARG_z;", ("E209", "STAP_ARG_z")),
        ("STAP_RETVALUE = THIS->z;", ("E209", "THIS")),
        ("STAP_RETVALUE = nosuch;", ("E209", "nosuch")),
        ("STAP_RETVALUE = nosuch(1);", ("E209", "nosuch")),
        ("STAP_RETVALUE = ntohs(1, 2);", ("E210", "ntohs")),
        ("STAP_RETVALUE = min(1);", ("E161", "m")),
        ("struct sokk *p = 0;", ("E237", "*")),
        ("STAP_RETVALUE = ((struct sock *)STAP_ARG_x)->nosuch;", ("E231", "nosuch")),
        ("struct sock *p = 0; STAP_RETVALUE = p.sk_err;", ("E231", "p")),
        ("struct sock *p = 0; STAP_RETVALUE = p->__sk_common->skc_family;", ("E231", "p")),
        ("STAP_RETVALUE = STAP_ARG_x->sk_err;", ("E231", "STAP_ARG_x")),
        ("STAP_RETVALUE = *(void *)STAP_ARG_x;", ("E232", "(")),
        ("STAP_RETVALUE = 3[4];", ("E232", "3")),
        ("STAP_RETVALUE = offsetof(struct iphdr, sadr);", ("E231", "offsetof")),
        ("STAP_RETVALUE = kderef(3, STAP_ARG_x);", ("E218", "3")),
        ("char b[9]; snprintf(b, 9, \"%d %d\", 1);", ("E216", "\"%d %d\"")),
        ("char b[9]; snprintf(b, 9, \"%d\", 1, 2);", ("E216", "\"%d\"")),
        ("char b[9]; snprintf(b, 9, STAP_ARG_s);", ("E402", "STAP_ARG_s")),
        ("snprintf(STAP_RETVALUE, 9, \"%d\", 1);", ("E402", "STAP_RETVALUE")),
    ],
)  # fmt: skip
def test_mistake(code: str, expected: tuple[str, str]) -> None:
    found = body_errors(code)
    assert [f[0] for f in found] == [expected[0]], found
    assert found[0][1] == expected[1], found


def test_size_of_an_unknown_type() -> None:
    """The parser's releases give its place differently."""
    ((code, place),) = body_errors("STAP_RETVALUE = sizeof(struct nosuch);")
    assert (code, place in ("nosuch", "sizeof")) == ("E237", True)


def test_places_are_exact() -> None:
    """Comments, macros and several lines don't shift them."""
    text = "\n\nfunction f(x) %{ /* one\n two */ int a = 1; // three\n STAP_RETVALUE = a + nosuch; %}\nprobe begin { f(1) }"
    (error,) = attempt(text).bag.errors
    assert error.span is not None
    assert (error.span.line, error.span.column, error.span.text) == (5, 22, "nosuch")


def test_place_in_a_macro_is_the_place_of_its_use() -> None:
    head = "%{\n#define BAD(p) ((p)->nosuch)\n%}\n"
    text = (
        f"{head}function f(x) %{{ struct sock *k = 0;\n STAP_RETVALUE = BAD(k); %}}\nprobe begin {{ f(1) }}"
    )
    (error,) = attempt(text).bag.errors
    assert error.span is not None
    assert (error.code, error.span.line) == ("E231", 5)


@pytest.mark.parametrize(
    ("head", "code"),
    [
        ("struct mine { int a; };", "E402"),
        ("int counter;", "E402"),
        ("static int counter = 3;", "E402"),
        ("static inline int f(int n) { return n ? f(n - 1) : 0; }", "E402"),
        ("int f(void) { return }", "E160"),
        ("typedef struct nosuch nosuch_t;", "E237"),
        ("#define F(x", "E161"),
    ],
)
def test_top_level(head: str, code: str) -> None:
    found = errors(f"%{{\n{head}\n%}}\nprobe begin {{ print(%{{ f(3) %}}) }}")
    assert code in [f[0] for f in found], found


def test_several_at_once() -> None:
    found = errors(
        "function f() %{ asm(1); %} function g() %{ nosuch(); %} function h() %{ goto x; %} probe begin { f() g() h() }"
    )
    assert [f[0] for f in found] == ["E402", "E402"]  # the forms, then the meanings


def test_uncalled_functions_are_checked_for_form() -> None:
    assert [f[0] for f in errors("function f() %{ int = 3; %} probe begin { }")] == ["E160"]


def test_guru_mode_is_needed() -> None:
    from c_kit import BTF

    from pystap.compiler import Compilation, run_passes
    from pystap.diag import Bag
    from pystap.options import Options
    from pystap.sema.target import Target
    from pystap.source import Source

    made = Compilation(Source("t", "probe begin { print(%{ 1 %}) }"), "stp", Target(BTF), Options(), Bag())
    run_passes(made, 3)
    assert [d.code for d in made.bag.errors] == ["E124"]


def test_without_pycparser(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pycparser.c_parser", None)
    (error,) = attempt("probe begin { print(%{ 1 %}) }").bag.errors
    assert error.code == "E407"
    assert any(
        "pip install pycparser" in hint and "apt install python3-pycparser" in hint for hint in error.hints
    )


def test_deep_nesting_is_a_diagnostic() -> None:
    deep = "(" * 5000 + "1" + ")" * 5000
    assert [f[0] for f in body_errors(f"STAP_RETVALUE = {deep};")] == ["E160"]
    found = body_errors(f"STAP_RETVALUE = {'1 + ' * 3000} 1;")
    assert [f[0] for f in found] in (
        [],
        ["E160"],
    )  # one C parser takes it, another doesn't: never an exception


def test_macros_that_grow() -> None:
    lines = ["#define A0 1 + 1"] + [f"#define A{n} A{n - 1} + A{n - 1}" for n in range(1, 40)]
    head = "\n".join(lines)
    found = body_errors("STAP_RETVALUE = A39;", head)
    assert [f[0] for f in found] == ["E161"]
