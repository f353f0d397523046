"""What the kernel runs of a handler and what the user stage does: guards, captures, faults, returns (R4, R7, R9)."""

from __future__ import annotations

import pytest
from staging_kit import EVENT, Made, depth_of, order

from pystap.ir.nodes import Const, If, Label, Leave, Local, Loop, Op, Scope, Stmt, Try
from pystap.ir.printer import body_text
from pystap.staging.shape import flatten, nest

USES = 'probe end { printf("%d", n) }'


def test_the_record_is_reserved_behind_the_guards() -> None:
    made = Made(f"{EVENT} {{ if (pid() != target()) next; if (offset < 3) next; println(whence) }}")
    assert depth_of(made.body, "reserve") == 2
    assert order(made.kernel, "call pid", "lt offset 3", "reserve", "put")
    assert made.user == 'printf "%d\\n" whence'  # without them


def test_the_record_is_reserved_before_the_first_effect() -> None:
    made = Made(f"global n\n{EVENT} {{ if (offset > 3) {{ n++; println(whence) }} }}\n{USES}")
    assert depth_of(made.body, "reserve") == 1
    assert order(made.kernel, "gt offset 3", "reserve", "add_to n 1")


def test_one_of_two_branches_that_print() -> None:
    made = Made(f"{EVENT} {{ if (offset > 3) println(1); else println(whence) }}")
    assert depth_of(made.body, "reserve") == 0
    assert len(made.ops("reserve")) == 1
    assert made.user.startswith("if t")
    assert "else" in made.user


def test_what_only_the_record_needs_is_read_behind_the_reservation() -> None:
    made = Made(f'{EVENT} {{ x = offset * 3; y = whence; if (y == 2) printf("%d %d\\n", x, y) }}')
    assert order(made.kernel, "sys_arg 2", "reserve", "sys_arg 1", "mul offset 3", "put")
    kept = Made(f'{EVENT} {{ x = offset * 3; if (x == 2) printf("%d\\n", x) }}')
    assert order(kept.kernel, "mul offset 3", "reserve", "put")


def test_what_changes_is_not_moved_over_its_change() -> None:
    made = Made(
        f'{EVENT} {{ x = offset; y = x * 3; if (whence == 2) {{ x = 1; printf("%d %d\\n", x, y) }} }}'
    )
    assert order(made.kernel, "mul x 3", "x = 1", "put")


def test_conditions_of_the_user_stage_take_their_bodies_with_them() -> None:
    made = Made(f'{EVENT} {{ if (strlen(execname()) == 3) printf("%d\\n", tid()) }}')
    assert order(made.user, "call strlen", "eq", "if", "printf")
    assert depth_of(made.body, "put") == 0  # captured whether or not it is asked for
    assert order(made.kernel, "reserve", "call tid", "put")
    assert made.notes("mirror") == ["decided in the user stage"]


def test_a_read_that_may_fault_is_captured_with_its_error() -> None:
    made = Made(f'{EVENT} {{ if (strlen(execname()) == 3) printf("%d\\n", kernel_int(offset)) }}')
    (load,) = made.ops("load")
    assert load.attr.fault == "capture"
    (asked,) = made.ops("fault_of")
    assert asked.attr is load.dst
    assert order(made.user, "if", "raise_site fault offset", "printf")
    assert not order(made.user, "raise_site", "if")


def test_a_captured_read_whose_value_nobody_wants_still_has_its_error() -> None:
    made = Made(f"{EVENT} {{ if (strlen(execname()) == 3) {{ if (kernel_int(offset)) {{ }} println(1) }} }}")
    assert ("raise_site" in made.user) == bool(made.ops("load"))


def test_a_captured_read_that_is_one_of_several_assignments() -> None:
    body = 'if (strlen(execname()) == 3) y = 1; else y = kernel_int(offset); printf("%d\\n", y)'
    made = Made(f"{EVENT} {{ {body} }}")
    assert order(made.user, "y = 1", "raise_site fault", "y = ", "printf")
    (load,) = made.ops("load")
    assert load.dst is not None
    assert load.dst in [op.args[0] for op in made.ops("put")]


def test_a_read_that_the_kernel_decides_on_faults_there() -> None:
    made = Made(f'{EVENT} {{ if (whence == 3) printf("%d\\n", kernel_int(offset)) }}')
    (load,) = made.ops("load")
    assert load.attr.fault == "error"
    assert depth_of(made.body, "load") == 1
    assert "raise_site" not in made.user


@pytest.mark.parametrize(
    ("body", "raising"),
    [
        ("println(1); x = kernel_int(offset)", "raise_site fault offset"),
        ("println(1); x = whence / offset", 'raise / "division by 0"'),
        ('println(1); if (offset == 2) error("so"); x = whence', 'raise "so"'),
        ("println(1); for (i = 0; i < 3; i++) x += whence / i", "sdiv_or_error"),
    ],
)
def test_a_fault_behind_output_is_raised_behind_it(body: str, raising: str) -> None:
    made = Made(f'{EVENT} {{ {body}; printf("%d\\n", x) }}')
    assert order(made.user, 'printf "%d\\n" 1', raising)
    before = Made(f'{EVENT} {{ {body.replace("println(1); ", "")}; printf("%d\\n", x) }}')
    assert raising not in before.user


def test_a_division_that_cannot_fail_stays_in_the_kernel() -> None:
    made = Made(f'{EVENT} {{ println(1); printf("%d\\n", offset / 7) }}')
    assert "raise" not in made.user
    assert "sdiv_or_error offset 7" in made.kernel


def test_a_read_of_an_address_that_the_user_stage_made_is_late() -> None:
    made = Made(f'{EVENT} {{ printf("%d\\n", kernel_int(strtol(execname(), 16))) }}')
    assert len(made.notes("late")) == 1
    assert "= load" in made.user
    assert "load <i4" not in made.kernel
    assert Made(f'{EVENT} {{ printf("%d\\n", kernel_int(offset)) }}').notes("late") == []


def test_no_kernel_effect_depends_on_the_user_stage() -> None:
    for body in (
        "if (strlen(execname()) == 3) next; n++",
        "if (strlen(execname()) == 3) n++",
        "while (strlen(execname()) == i) { i++; n++ }",
        'printf("%d", offset / strlen(execname())); n++',
        'printf("%d", kernel_int(strlen(execname()))); n++',
        'printf("%s %d", execname(), stringat(execname(), 3)); n++',
    ):
        made = Made(f"global n\n{EVENT} {{ {body} }}\n{USES}")
        assert made.home("n") == "user", body
        assert "add_to n" in made.user, body
    for body in (
        "n++; if (strlen(execname()) == 3) next",
        'try { printf("%d", offset / strlen(execname())) } catch { } n++',
        'printf("%d", strlen(execname())); n++',
    ):
        made = Made(f"global n\n{EVENT} {{ {body} }}\n{USES}")
        assert made.home("n") == "delta", body
        assert "add_to n" in made.kernel, body


def test_loops_run_where_their_work_is_done() -> None:
    kernel = Made(f"global n\n{EVENT} {{ for (i = 0; i < 3; i++) n += i * offset }}\n{USES}")
    assert kernel.home("n") == "delta"
    assert "loop" in kernel.kernel
    user = Made(f'{EVENT} {{ for (i = 0; i < 3; i++) printf("%d %d\\n", i, offset) }}')
    assert "loop" in user.user
    assert "loop" not in user.kernel
    assert user.fields == ["offset"]


def test_try_runs_where_its_message_is_made() -> None:
    kernel = Made(f"global n\n{EVENT} {{ try {{ n += kernel_int(offset) }} catch {{ n++ }} }}\n{USES}")
    assert "try" in kernel.kernel
    assert kernel.staged.records == []
    user = Made(f"{EVENT} {{ try {{ x = kernel_int(offset) }} catch (e) {{ println(e) }} println(x) }}")
    assert "try" in user.user
    assert "try" not in user.kernel


def test_fetch_and_add_is_read_in_the_kernel_and_captured() -> None:
    made = Made(f"global n\n{EVENT} {{ n++; if (n == 3) println(n) }}\n{USES}")
    assert made.home("n") == "shared"
    assert len(made.ops("add_fetch")) == 1
    assert "get n" not in made.kernel + made.user


def test_returns_need_their_entry() -> None:
    made = Made(f"global n\nprobe syscall.lseek.return {{ n++ }}\n{USES}")
    kinds = [p.event.kind for p in made.staged.kernel]
    assert kinds == ["sys_exit", "sys_enter", "tp_btf"]
    assert order(made.kernel, "call task_current", "get returning threads", "eq", "if", "add_to n 1")
    entry = made.staged.kernel[1]
    assert entry.event.args["numbers"] == [8]
    assert "add_to" not in body_text(entry.body)
    ending = made.staged.kernel[2]
    assert ending.event.name == "sched_process_exit" and "delete" in body_text(ending.body)
    assert made.home("returning threads") == "shared"
    assert "returning threads" not in [
        h.spec.name for h in Made(f"{EVENT} {{ println(1) }}").staged.homes.values()
    ]


def test_returns_are_paired_when_mirrored_too() -> None:
    made = Made("global n\nprobe syscall.{lseek,getppid}.return { n++ }\n" + USES, stage="mirror")
    assert made.home("returning threads") == "shared"
    assert made.home("n") == "user"
    (entry,) = [p for p in made.staged.kernel if p.event.kind == "sys_enter"]
    assert entry.event.args["numbers"] == [8, 110]


def test_every_call_of_a_range_is_one_comparison() -> None:
    made = Made(f"{EVENT}, syscall.mmap, syscall.getppid {{ println(1) }}")
    numbers = [p.event.args["numbers"] for p in made.staged.kernel]
    assert sorted(n for one in numbers for n in one) == [8, 9, 110]


# -- early leaves


def guarded(*body: Stmt) -> str:
    return body_text(list(body))


X, Y = Local("x", "i64"), Local("y", "i64")


def out(n: int) -> Op:
    """A statement to tell apart."""
    return Op(Y, "mov", (Const(n),))


def test_what_follows_an_early_leave_is_nested() -> None:
    end = Label("end")
    found = nest([out(1), If(X, [out(2), Leave(end)], []), out(3), out(4)], frozenset({end}))
    assert guarded(*found) == guarded(out(1), If(X, [out(2)], [out(3), out(4)]))


def test_leaves_in_the_else_branch() -> None:
    end = Label("end")
    found = nest([If(X, [out(1)], [Leave(end)]), out(2)], frozenset({end}))
    assert guarded(*found) == guarded(If(X, [out(1), out(2)], []))


def test_leaves_of_an_outer_label_stay() -> None:
    end, outer = Label("end"), Label("outer")
    body: list[Stmt] = [If(X, [Leave(outer)], []), out(1)]
    assert guarded(*nest(list(body), frozenset({end}))) == guarded(*body)


def test_a_scope_s_own_label_is_its_end() -> None:
    inner = Label("f")
    found = nest([Scope(inner, [If(X, [out(1), Leave(inner)], []), out(2)]), out(3)], frozenset())
    assert guarded(*found) == guarded(Scope(inner, [If(X, [out(1)], [out(2)])]), out(3))


def test_a_handler_s_label_inside_a_scope_that_is_not_last_stays() -> None:
    end, inner = Label("end"), Label("f")
    body: list[Stmt] = [Scope(inner, [If(X, [Leave(end)], []), out(1)]), out(2)]
    text = guarded(*body)
    assert guarded(*nest(body, frozenset({end}))) == text


def test_leaves_in_loops_are_not_the_end() -> None:
    end, loop = Label("end"), Label("loop")
    body: list[Stmt] = [Loop(loop, [If(X, [Leave(loop)], []), out(1)]), Try([out(2)], None, [Leave(end)])]
    found = nest(body, frozenset({end}))
    assert guarded(found[0]) == guarded(Loop(loop, [If(X, [Leave(loop)], []), out(1)]))
    assert guarded(found[1]) == guarded(Try([out(2)], None, []))


def test_scopes_that_nobody_leaves_are_flattened() -> None:
    one, two = Label("one"), Label("two")
    body: list[Stmt] = [Scope(one, [out(1), Scope(two, [If(X, [Leave(two)], []), out(2)])])]
    assert guarded(*flatten(body, {two})) == guarded(out(1), Scope(two, [If(X, [Leave(two)], []), out(2)]))
