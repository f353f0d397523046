"""What the kernel runs ahead, under conditions of the user stage: only a read whose address it can't know is late."""

from __future__ import annotations

import pytest
from staging_kit import EVENT, Made, order

from pystap.ir.nodes import If, Label, Leave, Local, Loop, Op, Scope
from pystap.ir.printer import body_text
from pystap.source import NOWHERE
from pystap.staging.names import name_values

PICK = "function pick:long(p:long) { if (kernel_int(p)) return kernel_long(p + 8); return kernel_long(p + 16) }\n"
USER = 'if (execname() =~ "a.*")'


@pytest.mark.parametrize("stage", ["auto", "mirror"])
@pytest.mark.parametrize(
    "body",
    [
        f'{USER} {{ a = whence == 2 ? kernel_long(offset) : offset + 8; printf("%d\\n", kernel_long(a)) }}',
        f'{USER} next; a = whence == 2 ? kernel_long(offset) : offset; printf("%d\\n", kernel_long(a))',
        f'{USER} next; printf("%d\\n", kernel_long(pick(offset)))',
        f'{USER} x = 3; else next; printf("%d %d\\n", x, kernel_long(pick(offset)))',
        f'{USER} {{ a = offset; if (whence) a = kernel_long(a); if (fildes) a += 4; printf("%d\\n", kernel_int(a)) }}',
        f'{USER} {{ a = kernel_long(offset); a = kernel_long(a); printf("%d\\n", kernel_long(a)) }}',
        f'a = offset; {USER} {{ a = kernel_long(a); a = kernel_long(a); printf("%d ", kernel_long(a)) }} println(a)',
        f'try {{ {USER} {{ a = whence ? kernel_long(8) : offset; printf("%d", kernel_int(a)) }} }} catch (e) {{ println(e) }}',
    ],
)
def test_what_the_kernel_knows_is_read_in_time(body: str, stage: str) -> None:
    made = Made(f"{PICK}{EVENT} {{ {body} }}", stage)
    assert made.notes("late") == []
    assert "= load" not in made.user


def test_what_the_user_stage_alone_knows_is_late() -> None:
    for body in (
        f'{USER} a = kernel_long(offset); else a = kernel_long(offset + 8); printf("%d", kernel_long(a))',
        f'{USER} {{ a = offset; if (strlen(execname()) == 3) a = kernel_long(a); printf("%d", kernel_long(a)) }}',
    ):
        made = Made(f"{EVENT} {{ {body} }}")
        assert len(made.notes("late")) == 1, body


def test_an_effect_is_not_run_ahead() -> None:
    body = (
        f'{USER} {{ a = offset; if (whence) {{ n = 3; a = kernel_long(a) }} printf("%d", kernel_long(a)) }}'
    )
    made = Made(f"global n\n{EVENT} {{ {body}; if (n == 7) println(1) }}\nprobe end {{ println(n) }}")
    assert made.home("n") == "user"
    assert made.notes("late") == []
    assert "set n" not in made.kernel
    ending = Made(
        f'{EVENT} {{ {USER} {{ a = offset; if (whence) {{ exit(); a = kernel_long(a) }} printf("%d", kernel_long(a)) }} }}'
    )
    assert "exit" not in ending.kernel
    assert "exit" in ending.user


def test_an_error_of_what_is_run_ahead_is_the_user_stages() -> None:
    made = Made(
        f'{EVENT} {{ {USER} {{ a = whence ? kernel_long(offset) : 10 / fildes; printf("%d", kernel_long(a)) }} }}'
    )
    assert made.notes("late") == []
    assert order(made.kernel, "scope caught", "leave caught")
    assert "exit" not in made.kernel  # the run goes on where the user stage doesn't come there
    assert "raise_site" in made.user
    assert "division by 0" in made.user


def test_each_value_has_a_name() -> None:
    p, q, label = Local("p", "i64"), Local("q", "i64"), Label("loop")
    body = [
        Op(p, "ctx_arg", (), (0, False)),
        Op(q, "mov", (p,)),  # one reaches it
        Loop(label, [Op(p, "add", (p, q)), If(q, [Leave(label)], [])], NOWHERE),
        Op(None, "exit", (p,)),
    ]
    assert name_values(body)
    ((first, copy, use, loop, end)) = body
    assert isinstance(first, Op) and isinstance(copy, Op) and isinstance(use, Op) and isinstance(loop, Loop)
    assert first.dst is not p and copy.args == (first.dst,) and copy.dst is p
    assert use.args == (first.dst,)
    step = loop.body[0]
    assert (
        isinstance(step, Op) and step.args[0] is p and step.dst is p
    )  # two reach it, and none its own alone
    assert isinstance(end, Op) and end.args == (p,)
    assert not name_values([Op(p, "mov", (q,))])


def test_values_that_have_no_read_in_common_have_nothing_in_common() -> None:
    p, c, label = Local("p", "i64"), Local("c", "i64"), Label("scope")
    body = []
    for n in (1, 2):
        ways = If(c, [Op(p, "sys_arg", (), n), Leave(label)], [Op(p, "sys_arg", (), n + 2)])
        body += [Scope(label, [ways]), Op(None, "exit", (p,))]
    assert name_values(body)
    used = [s.args[0] for s in body if isinstance(s, Op)]
    assert used[0] is not used[1]
    text = body_text(body)
    assert text.count("sys_arg") == 4
