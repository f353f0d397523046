"""Small scripts and the IR that they become."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystap.ir.nodes import Const, Local, Op
from pystap.opt.arith import fold

from .tools import Symbols, begin, event, handler, lines, module


@pytest.mark.parametrize(
    "script, ir",
    [
        ("$a = 1 + 2 * 3; print($a);", ["a = 7", "print_value int a"]),
        ('printf("é");', ['printf "\xc3\xa9"']),
        ("exit(3);", ["exit 3", "leave end"]),
        ("@x++; @x--; ++@x; @x += 4; @x -= 4;", [f"add_to @x {n}" for n in (1, -1, 1, 4, -4)]),
        ("$q = @z++; $r = --@z;", ["q = add_fetch (@z, old) 1", "r = add_fetch (@z, new) -1"]),
        ("@z *= 2;", ["t1 = get @z", "t2 = mul t1 2", "set @z t2"]),
        ('@c = count(); @s[1, "a"] = sum(-3);', ["push @c 1", 'push @s 1 "a" -3']),
        ('@s[(1, "a")] = 2;', ['set @s 1 "a" 2']),
        ("delete(@x[1]); @x[1] = 2;", ["t1 = has @x 1", "delete @x 1", "set @x 1 2"]),
        ("$d = delete(@x, 1); @x[1] = 2;", ["t1 = has @x 1", "delete @x 1", "d = t1", "set @x 1 2"]),
        ('@m["k"] = (1, "v");', ['t1 = tuple 1 "v"', 'set @m "k" t1']),
        ('$t = (1, "v"); print($t.1);', ["t.0 = 1", 't.1 = "v"', "print_value str t.1"]),
        (
            'printf("%d %d %d", $a, $a++, ++$a);',
            [
                "t1 = a",
                "t2 = a",
                "a = add t2 1",
                "t4 = a",
                "a = add t4 1",
                "t6 = a",
                'printf "%d %d %d" t1 t2 t6',
            ],
        ),
        ("$x = (uint8)nsecs;", ["t1 = call boottime_ns", "x = zext 8 t1"]),
        ("$x = (int32)nsecs;", ["t1 = call boottime_ns", "x = sext 32 t1"]),
        ("$x = (uint64)pid;", ["x = call pid"]),
        ("$x = (bool)pid;", ["t1 = call pid", "x = ne t1 0"]),
        ("print(sizeof(uint32) + offsetof(struct sock, sk_protocol) * 0);", ["print_value uint 4"]),
        ("print(AF_INET6 + TCP_LISTEN + EAGAIN * 0);", ["print_value uint 20"]),
        ("print(1 ? 2 : nope);", ["print_value int 2"]),
        ('print("a" == "a");', ["print_value bool 1"]),
    ],
)
def test_begin(script: str, ir: list[str]) -> None:
    prefix = "$a = 0; " if "$a++" in script else ""
    got = lines("\n".join(begin(prefix + script)))
    if "print(" in script and '"true"' in ir[-1]:
        got = got[-1:]
        assert got[0].startswith("print_value str")
        return
    assert got == (["a = 0", *ir] if prefix else ir)


@pytest.mark.parametrize(
    "script, ops",
    [
        ("pid / 2", "udiv_or_zero"),
        ("(int32)pid / 2", "sdiv_or_zero"),
        ("(int32)pid % pid", "smod_or_zero"),
        ("(int64)pid % nsecs", "umod_or_zero"),
        ("nsecs >> 2", "shr"),
        ("(int64)nsecs >> 2", "sar"),
        ("pid < 5", "ult"),
        ("(int32)pid < 5", "lt"),
        ("(int32)pid < uid", "lt"),
        ("(int64)pid < nsecs", "ult"),
        ("nsecs > -1", "ugt"),
        ("pid > -1", "gt"),
        ("nsecs == -1", "eq"),
    ],
)
def test_the_sign_of_an_operation_is_that_of_its_operands(script: str, ops: str) -> None:
    rows = begin(f"$r = {script};")
    assert rows[-1].split()[2] == ops


def test_a_predicate_is_nested_conditions() -> None:
    rows = handler(module('rawtracepoint:sched_switch /pid == 1 && comm == "x"/ { @ = count(); }'))
    assert rows == [
        "t1 = call pid",
        "t2 = eq t1 1",
        "if t2",
        "    t3 = call execname",
        '    t4 = str_eq t3 "x"',
        "    if t4",
        "        push @ 1",
    ]


def test_or_reads_its_right_side_only_when_needed() -> None:
    rows = event("if (pid == 1 || args.prev->pid) { exit(); }")
    assert rows[:6] == [
        "t1 = call pid",
        "l3 = eq t1 1",
        "if l3",
        "else",
        "    t4 = ctx_arg (1, True)",
        "    t5 = load <i4 +1264 task_struct zero> t4",
    ]


def test_memory_is_read_where_its_value_is_used_and_reads_0_on_a_fault() -> None:
    rows = event("$p = args.prev->parent; $q = &$p->comm; @[$p->comm, $p->prio] = max($p->flags);")
    assert rows[0] == "t1 = ctx_arg (1, True)"
    assert all("zero" in row for row in rows if "load" in row)
    assert sum("load" in row for row in rows) == 4
    assert rows[2].startswith("q = add p")


def test_bit_fields_are_shifted_and_cut() -> None:
    rows = event("print(args.skb->cloned);", "rawtracepoint:net_dev_queue")
    assert [row.split()[2] for row in rows[1:-1]] in (["load", "shr", "and"], ["load", "and"])


def test_a_loop_over_a_map_gives_keys_and_value() -> None:
    rows = begin('@m[1, "x"] = 5; for ($kv : @m) { if ($kv.0.0 == 1) { break; } print($kv.1); }')
    assert rows[1:] == [
        "foreach for kv.1 = [kv.0.0, kv.0.1] in @m",
        "    scope continue",
        "        t1 = eq kv.0.0 1",
        "        if t1",
        "            leave for",
        "        print_value int kv.1",
    ]


def test_aggregates_in_a_loop_are_read_by_key() -> None:
    rows = begin("@m[1] = sum(5); for ($kv : @m) { print($kv.1); }")
    assert rows[-2:] == ["        t1 = stat (@m, sum, ()) kv.0.0", "        print_value int t1"]


def test_a_range_is_counted_and_its_variable_is_the_turn_s() -> None:
    assert begin("for ($i : 2..5) { if ($i == 3) { continue; } @s += $i; }") == [
        "i1 = 2",
        "loop for",
        "    t2 = lt i1 5",
        "    if t2",
        "    else",
        "        leave for",
        "    i = i1",
        "    scope continue",
        "        t3 = eq i 3",
        "        if t3",
        "            leave continue",
        "        add_to @s i",
        "    i1 = add i1 1",
    ]


def test_macros_have_variables_of_their_own() -> None:
    rows = begin_with("macro f($x, e) { $t = e; $x += $t; $x }", "$t = 1; $y = 2; $z = f($y, $t + 1);")
    assert rows[:3] == ["t = 1", "y = 2", "t (2) = add t 1"] or rows[2].endswith("= add t 1")
    assert rows[-2:] == ["y = add y t2", "z = y"] or rows[-1].startswith("z = ")


def begin_with(head: str, body: str) -> list[str]:
    """The IR of a BEGIN probe behind other declarations."""
    return handler(module(f"{head}\nBEGIN {{ {body} }}"))


def test_a_map_read_before_its_first_assignment_gets_its_type() -> None:
    made = module('END { printf("%s\\n", @late[1]); } BEGIN { @late[1] = "x"; }')
    assert made.globals[0].value == "str"
    assert lines("\n".join(handler(made, 0)))[0] == "t1 = get @late 1"


@pytest.mark.parametrize(
    "script, keys, value, fmt",
    [
        ("@x = 1;", (), "i64", ((), "int")),
        ("@x = nsecs;", (), "i64", ((), "uint")),
        ('@x[1, "a"] = "s";', ("i64", "str"), "str", (("int", "str"), "str")),
        ("@x[pid] = ksym(1);", ("i64",), "i64", (("uint",), "ksym")),
        ("@x[(1, (2, 3))] = 1;", ("i64", "i64", "i64"), "i64", (("int", ("tuple", ("int", "int"))), "int")),
        ("@x[ntop(1)] = (1, comm);", ("str",), "tuple", (("inet",), ("tuple", ("int", "str")))),
        ("@x[usym(1)] = 1;", ("i64", "i64"), "i64", (("usym",), "int")),
        ("@x = count();", (), "stat", ((), ("stat", "count", False))),
        (
            '@x[strftime("%H", nsecs)] = hist(1);',
            ("i64",),
            "stat",
            ((("timestamp", "%H"),), ("stat", "hist", True)),
        ),
    ],
)
def test_maps_know_how_they_are_shown(script: str, keys: object, value: str, fmt: object) -> None:
    glob = module(f"BEGIN {{ {script} }}").globals[0]
    assert (glob.name, glob.keys, glob.value, glob.fmt) == ("@x", keys, value, fmt)
    assert (glob.display, glob.full, glob.capacity) == ("map", "warn", 4096)


def test_what_aggregates_keep() -> None:
    made = module("BEGIN { @h = hist(nsecs, 2); @l = lhist(1, 0, 10, 5); @s = stats(-1); @m = min(pid); }")
    stats = {g.name: g.stat for g in made.globals}
    assert stats["@h"].hist_log == 2 and stats["@h"].signed  # hist() takes an int64
    assert stats["@l"].linear == (0, 10, 5)
    assert stats["@s"].ops == {"count", "sum", "avg"} and stats["@s"].signed
    assert "min" in stats["@m"].ops


def test_settings_reach_the_maps() -> None:
    made = module(
        "config = { max_map_keys = 7; print_maps_on_exit = 0; }\nlet @l = lruhash(3);\nBEGIN { @a[1] = 1; @l[1] = 1; }"
    )
    by = {g.name: g for g in made.globals}
    assert (by["@a"].capacity, by["@a"].display, by["@a"].wrap) == (7, "", False)
    assert (by["@l"].capacity, by["@l"].wrap) == (3, True)


def test_positional_parameters() -> None:
    assert begin("print($1 + 1); print(str($2)); print($#); print($9);", "5", "word") == [
        "print_value int 6",
        'print_value str "word"',
        "print_value int 2",
        "print_value int 0",
    ]
    assert begin('print(getopt("n", 3)); print(getopt("s", "x"));', "--n=7") == [
        "print_value int 7",
        'print_value str "x"',
    ]


def test_kernel_addresses_are_known_when_compiling() -> None:
    rows = begin('print(kaddr("jiffies"));', symbols=Symbols(jiffies=0xFFFFFFFF81000000))
    assert rows == [f"print_value uint {0xFFFFFFFF81000000 - 2**64}"]


def test_elapsed_starts_before_the_first_handler() -> None:
    made = module("BEGIN { print(elapsed); }")
    assert made.handlers[0].event.args == {"order": -1}
    assert handler(made, 0) == ["now = call boottime_ns", "set elapsed now"]


def test_unsafe_functions_need_a_word() -> None:
    assert begin('system("echo %d", 1);', unsafe=True) == ['t1 = sprintf "echo %d" 1', "call system t1"]


# ---- constants and values give the same -----------------------------------------------------

_LITERALS = st.integers(-(1 << 40), 1 << 62)
_OPS = ["+", "-", "*", "/", "%", ">>", "<<", "&", "|", "^", "<", "<=", ">", ">=", "==", "!="]


def _expressions(leaf: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def wider(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        two = st.tuples(inner, st.sampled_from(_OPS), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
        cast = st.tuples(st.sampled_from(["int8", "uint8", "int16", "int32", "uint32", "int64"]), inner)
        return two | cast.map(lambda t: f"({t[0]}){t[1]}") | inner.map(lambda e: f"(~{e})")

    return st.recursive(leaf, wider, max_leaves=8)


def _evaluate(rows: list[object]) -> int:
    """Run straight IR on constants; return what is printed."""
    known: dict[Local, int] = {}
    for op in rows:
        assert isinstance(op, Op)
        args = [a.value if isinstance(a, Const) else known[a] for a in op.args]  # type: ignore[index]
        if op.name == "printf":
            return args[0]
        value = args[0] if op.name == "mov" else fold(op.name, args, op.attr)
        assert value is not None and op.dst is not None
        known[op.dst] = value
    raise AssertionError("nothing is printed")


@given(_expressions(_LITERALS.map(lambda n: f"({n})")))
@settings(max_examples=500, deadline=None)
def test_folding_gives_what_running_gives(expression: str) -> None:
    """A literal, and a variable that holds it, are the same to every operator."""
    folded = module(f'BEGIN {{ printf("%d", {expression}); }}').handlers[0].body
    names: dict[str, str] = {}
    text = ""
    for part in expression.replace("(", " ( ").replace(")", " ) ").split():
        if part.lstrip("-").isdigit():
            part = names.setdefault(part, f"$v{len(names)}")
        text += part + " "
    sets = " ".join(f"{variable} = {value};" for value, variable in names.items())
    run = module(f'BEGIN {{ {sets} printf("%d", {text}); }}').handlers[0].body
    assert _evaluate(list(folded)) == _evaluate(list(run))
