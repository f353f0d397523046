"""Small scripts and the IR that they become."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .tools import attempt, begin, body_text, function_text, handler_text, lines, module


@pytest.mark.parametrize(
    "script, ir",
    [
        ("x = 1 + 2 println(x)", ["x = add 1 2", 'printf "%d\\n" x']),
        ('println("a" . "b")', ['t1 = concat "a" "b"', 'printf "%s\\n" t1']),
        ('print("é")', ['printf "\xc3\xa9"']),
        ("exit()", ["exit 0"]),
        ('error("x")', ['raise "x"']),
        ('log("x") warn("y")', ['line "x"', 'warn "y"']),
        ("x = -3 println(~x)", ["x = -3", "t1 = not x", 'printf "%d\\n" t1']),
        (
            "println(7 >> 1) println(7 >>> 1)",
            ["t1 = sar 7 1", 'printf "%d\\n" t1', "t2 = shr 7 1", 'printf "%d\\n" t2'],
        ),
        ("println(7 / 0)", ["t1 = sdiv_or_error 7 0", 'printf "%d\\n" t1']),
        ("println(7 % 2)", ["t1 = smod_or_error 7 2", 'printf "%d\\n" t1']),
        ('printd("-", 1, "b", 3)', ['printf "%d-b-%d" 1 3']),
        ('printdln("%", 1, 2)', ['printf "%d%%%d\\n" 1 2']),
        ("x = sprint(5) print(x)", ['x = sprintf "%d" 5', 'printf "%s" x']),
        (
            'printf("%5.2s|%-*d|%i|%p|%x%%", "a", 3, 4, 5, 6, 7)',
            ['printf "%5.2s|%-*d|%d|%p|%x%%" "a" 3 4 5 6 7'],
        ),
        ('println(sprintf("abc"))', ['printf "abc\\n"']),
        ('println("a" == "b")', ['t1 = str_eq "a" "b"', 'printf "%d\\n" t1']),
        ('println("a" < "b")', ['t1 = str_cmp "a" "b"', "t2 = lt t1 0", 'printf "%d\\n" t2']),
        ('println("a" =~ "b.*")', ['t1 = call str_match "a" "b.*"', "t2 = ne t1 0", 'printf "%d\\n" t2']),
        ('println("a" !~ "b")', ['t1 = call str_match "a" "b"', "t2 = lnot t1", 'printf "%d\\n" t2']),
    ],
)
def test_expressions(script: str, ir: list[str]) -> None:
    assert lines(script) == ir


def test_operands_keep_the_value_of_their_turn() -> None:
    assert lines("x = 1 y = x + x++ println(y) println(x)")[:4] == [
        "x = 1",
        "t1 = x",
        "t2 = x",
        "x = add x 1",
    ]
    assert lines("x = 1 y = x + x++ println(y) println(x)")[4] == "y = add t1 t2"
    # without an assignment behind it nothing is copied
    assert "y = add x x" in lines("x = 1 y = x + x println(y)")


def test_increments() -> None:
    head = "global g, a"
    assert lines("g++ ++g g-- a[1]++ println(g + a[1])", head)[:4] == [
        "add_to g 1",
        "add_to g 1",
        "add_to g -1",
        "add_to a 1 1",
    ]
    assert lines("println(g++)", head)[0] == "t1 = add_fetch (g, old) 1"
    assert lines("println(--g)", head)[0] == "t1 = add_fetch (g, new) -1"
    assert lines("println(a[2]++)", head)[0] == "t1 = add_fetch (a, old) 2 1"
    assert lines("x = 3 println(x++)") == ["x = 3", "t1 = x", "x = add x 1", 'printf "%d\\n" t1']
    assert lines("x = 3 println(++x)") == ["x = 3", "x = add x 1", 'printf "%d\\n" x']


def test_assignments() -> None:
    head = "global g, s, a"
    assert lines("g += 5 println(g)", head)[0] == "add_to g 5"
    assert lines("g -= 5 println(g)", head)[0] == "add_to g -5"
    assert lines("println(g += 5)", head)[0] == "t1 = add_fetch (g, new) 5"
    assert lines("g *= 5 println(g)", head)[:3] == ["t1 = get g", "t2 = mul t1 5", "set g t2"]
    assert lines('s .= "x" println(s)', head)[:3] == ["t1 = get s", 't2 = concat t1 "x"', "set s t2"]
    assert lines("a[1, 2] = 3 println(a[1, 2])", head)[:2] == ["set a 1 2 3", "t1 = get a 1 2"]
    assert lines("x = y = 3 println(x + y)")[:2] == ["y = 3", "x = y"]


def test_short_circuits() -> None:
    text = begin("x = 1 println(x && x / 0)")
    assert text.split("\n")[1:5] == ["t1 = 0", "if x", "    t2 = sdiv_or_error x 0", "    t1 = ne t2 0"]
    text = begin("x = 1 println(x || x / 0)")
    assert text.split("\n")[1:5] == ["t1 = 1", "if x", "else", "    t2 = sdiv_or_error x 0"]


def test_ternary() -> None:
    assert lines('x = 1 println(x ? "a" : "b")')[1:] == [
        *("if x", '    t1 = "a"', "else", '    t1 = "b"', 'printf "%s\\n" t1')
    ]


def test_loops() -> None:
    assert lines("for (i = 0; i < 3; i++) { if (i == 1) continue; if (i == 2) break }") == [
        *(
            "i = 0",
            "loop loop",
            "    t1 = lt i 3",
            "    if t1",
            "    else",
            "        leave loop",
            "    scope turn",
        ),
        *(
            "        t2 = eq i 1",
            "        if t2",
            "            leave turn",
            "        t3 = eq i 2",
            "        if t3",
        ),
        *("            leave loop", "    i = add i 1"),
    ]
    assert lines("while (1) break") == [
        "loop loop",
        "    if 1",
        "    else",
        "        leave loop",
        "    leave loop",
    ]


@pytest.mark.parametrize(
    "head, ir",
    [
        ("k in a", "foreach foreach [k, j] in a"),
        ("k in a+", "sort value up"),
        ("k in a-", "sort value down"),
        ("k- in a", "sort key 0 down"),
        ("v- = k in a", "foreach foreach v = [k, j] in a sort value down"),
        ("k in a- limit 5", "sort value down limit 5"),
    ],
)
def test_foreach(head: str, ir: str) -> None:
    text = begin(
        f"a[1, 2] = 3 foreach ({head.replace('k', '[k, j]', 1).replace('[k, j]-', '[k-, j]')}) println(k + j)",
        "global a",
    )
    assert ir in text


def test_foreach_of_aggregates() -> None:
    head = "global s"
    assert "sort stat count down" in begin("s[1] <<< 2 foreach (k in s-) println(k)", head)
    assert "sort stat max up" in begin("s[1] <<< 2 foreach (k in s @max+) println(k)", head)
    made = module("global s probe begin { s[1] <<< 2 foreach (k in s @max+) println(@avg(s[k])) }")
    assert made.globals[0].stat is not None
    assert made.globals[0].stat.ops == {"max", "avg"}


def test_slices() -> None:
    text = lines(
        'a["x", 1] = 2 foreach ([k, j] in a["x", *]) println(j) delete a["x", *] delete a[*, *]', "global a"
    )
    assert 'foreach foreach [k, j] in a slice ["x", *]' in text
    assert 'delete_slice (a, (True, False)) "x"' in text
    assert text[-1] == "clear a"
    assert 'foreach in [] in a slice ["x", *] limit 1' in lines(
        'a["x", 1] = 1 if (["x", *] in a) exit()', "global a"
    )


def test_foreach_assigns_globals() -> None:
    text = lines("a[1] = 2 foreach (g in a) println(g)", "global a, g")
    assert text[1:3] == ["foreach foreach [g] in a", "    set g g"]


def test_try() -> None:
    assert lines('try { error("x") } catch (m) { println(m) }') == [
        *("try", '    raise "x"', "catch m", '    printf "%s\\n" m')
    ]


def test_aggregates() -> None:
    text = "global s, h probe begin { s <<< 1 h[1] <<< 2 print(@hist_log(s)) print(@hist_linear(h[1], 0, 9, 3)) %s }"
    made = module(text % "println(@variance(s, 3)) println(@hist_log(s)[4])")
    s, h = made.globals
    assert s.stat is not None and h.stat is not None
    assert (s.stat.hist_log, s.stat.linear, s.stat.ops) == (0, None, {"variance"})
    assert (h.stat.hist_log, h.stat.linear, h.stat.ops) == (None, (0, 9, 3), frozenset())
    body = body_text(made.handlers[0].body)
    assert "stat (s, variance, (3))" in body
    assert "hist_bucket (s, log, ()) 4" in body


def test_globals() -> None:
    text = (
        'global a = 5, b = "x", c[10], d%, e, unused probe begin { c[1] = 1 d["x", 1] = b println(a) e = a }'
    )
    made = module(text)
    assert [(g.name, g.keys, g.value, g.capacity, g.wrap, g.initial, g.display) for g in made.globals] == [
        ("a", (), "i64", 2048, False, 5, ""),
        ("b", (), "str", 2048, False, "x", ""),
        ("c", ("i64",), "i64", 10, False, None, "unread"),
        ("d", ("str", "i64"), "str", 2048, True, None, "unread"),
        ("e", (), "i64", 2048, False, None, "unread"),
    ]


def test_options() -> None:
    made = module("global a = 5, s, r probe begin { r[a] = s println(target()) }", overrides=(("a", "0x10"), ("s", "é")),
                  target_pid=77, maxmapentries=9, display_globals=False)  # fmt: skip
    assert [(g.initial, g.capacity, g.display) for g in made.globals] == [
        *((16, 9, ""), ("é".encode().decode("latin-1"), 9, ""), (None, 9, ""))
    ]
    assert 'printf "%d\\n" 77' in body_text(made.handlers[0].body)


def test_unread_aggregate_keeps_what_is_displayed() -> None:
    made = module("global s probe begin { s <<< 1 }")
    assert made.globals[0].stat is not None
    assert made.globals[0].stat.ops == {"count", "sum", "min", "max", "avg"}


def test_functions() -> None:
    made = module(
        "function f(a, b) { if (a) return b; c = a } function r(n) { return n ? r(n - 1) : 0 }"
        'function p(x:string) { println(x) } probe begin { println(f(1, 2)) println(r(3)) p("x") }'
    )
    f, r, p = made.functions
    assert (f.recursive, r.recursive, p.recursive) == (False, True, False)
    assert p.result is None and r.result is not None
    assert function_text(f).split("\n")[0] == "function f(a: i64, b: i64) -> f.result: i64"


def test_mutual_recursion() -> None:
    made = module("function a(n) { return n ? b(n - 1) : 0 } function b(n) { return a(n) } function c(n) { return a(n) }"
                  "probe begin { println(c(1)) }")  # fmt: skip
    assert {f.name: f.recursive for f in made.functions} == {"a": True, "b": True, "c": False}


def test_overloads_by_arity_and_by_next() -> None:
    made = module(
        "function f() { return 1 } function f(x) { if (x > 5) next; return x } function f(x) { return x * 2 }"
        "probe begin { println(f() + f(3)) }"
    )
    one = next(f for f in made.functions if not f.params)
    two = next(f for f in made.functions if f.params)
    assert len(made.functions) == 2 and one is not two
    assert function_text(two).split("\n")[1:] == [
        *("    scope next", "        t1 = gt x 5", "        if t1", "            leave next"),
        *(
            "        f.result = x",
            "        leave end",
            "        leave end",
            "    f.result = mul x 2",
            "    leave end",
        ),
    ]


def test_priorities_order_overloads() -> None:
    made = module(
        "function f(x):2 { return x } function f(x):1 { if (x) next; return 5 } probe begin { println(f(1)) }"
    )
    assert "lnot" not in function_text(made.functions[0])
    assert function_text(made.functions[0]).index("if") < function_text(made.functions[0]).index(
        "f.result = x"
    )


def test_functions_of_the_probe_are_cloned() -> None:
    made = module(
        "function n() { return $next->pid + length() } function length() { return strlen(pp()) }"
        'probe kernel.trace("sched_switch") { println(n()) } probe kernel.trace("sched_switch") { println(n()) }'
    )
    assert [f.name for f in made.functions if f.name[0] == "n"] == ["n", "n.2"]


def test_wrappers_are_written_in_place() -> None:
    assert lines('printf("%s %d", execname(), gettimeofday_s())') == [
        *(
            "t1 = call execname",
            "t2 = call realtime_ns",
            "t3 = sdiv_or_error t2 1000000000",
            'printf "%s %d" t1 t3',
        )
    ]


def test_wrapper_arguments_run_once_and_in_order() -> None:
    assert lines("i = 1 println(MKDEV(i++, i++))")[1:5] == ["t1 = i", "i = add i 1", "t3 = i", "i = add i 1"]


def test_loads() -> None:
    made = module('probe netdev.transmit { printf("%s %d", dev_name, length) }')
    text = handler_text(made.handlers[0]).split("\n")
    assert text[0] == 'handler kernel.trace("net_dev_queue")  (tp_btf net_dev_queue)'
    kinds = [line.split("=")[1].split("+")[0].strip() for line in text[1:-1]]
    assert kinds == ["ctx_arg (0, True)", "load <u8", "load_str <u16", "ctx_arg (0, True)", "load <u4"]
    assert "net_device" in text[3] and "sk_buff" in text[5]


def test_signs_and_bit_fields() -> None:
    text = body_text(
        module('probe kernel.trace("inet_sock_set_state") { printf("%d %d", $oldstate, $sk->sk_protocol) }')
        .handlers[0]
        .body
    )
    assert "sext 32" in text and "load <u2" in text
    text = body_text(
        module('probe kernel.trace("kfree_skb") { println($skb->cloned) println($reason) }').handlers[0].body
    )
    assert "and" in text and "ctx_arg (2, False)" in text


def test_symbolic_words() -> None:
    made = module(
        'probe kernel.trace("sched_switch") { println(pp()) println(ppfunc()) println($$name) println(is_return()) }'
    )
    assert body_text(made.handlers[0].body).split("\n") == [
        'printf "kernel.trace(\\"sched_switch\\")\\n"',
        'printf "sched_switch\\n"',
        'printf "sched_switch\\n"',
        'printf "%d\\n" 0',
    ]


def test_conditions_guard_the_handler() -> None:
    made = module("global on probe begin if (on > 1) { exit() } probe end { on = 1 }")
    assert body_text(made.handlers[0].body).split("\n")[:5] == [
        *("t1 = get on", "t2 = gt t1 1", "if t2", "else", "    leave handler")
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=16))
def test_recursion_is_what_reachability_says(calls: list[tuple[int, int]]) -> None:
    bodies = {n: "".join(f"f{b}() " for a, b in calls if a == n) for n in range(8)}
    text = "".join(f"function f{n}() {{ {body} x++ }}\n" for n, body in bodies.items())
    made = module(text + "probe begin { " + " ".join(f"f{n}()" for n in range(8)) + " }")
    reach = {n: {b for a, b in calls if a == n} for n in range(8)}
    for _ in range(8):
        for n in reach:
            reach[n] = reach[n].union(*(reach[b] for b in reach[n])) if reach[n] else reach[n]
    assert {f.name: f.recursive for f in made.functions} == {f"f{n}": n in reach[n] for n in range(8)}


def test_long_chains() -> None:
    made = module("probe begin { x = " + " + ".join(["1"] * 1000) + " println(x) }")
    assert len(made.handlers[0].body) == 1000
    ladder = " else ".join(f"if (pid() == {i}) println({i})" for i in range(900))
    assert attempt(f"probe begin {{ {ladder} }}")[0] is not None


def test_whether_the_handler_assigns_a_variable() -> None:
    alias = "probe a = begin { x = 1 }, { if (@probewrite(x)) println(x) println(@probewrite(x)) } "
    for handler, known in (("x = 2", 1), ("x++", 1), ("y = x println(y)", 0), ("", 0)):
        text = body_text(module(f"{alias} probe a {{ {handler} }}").handlers[0].body)
        assert f'printf "%d\\n" {known}' in text, handler
