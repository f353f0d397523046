"""Which handlers run under the try-lock, where it is held, and which are mirrored all the same (R5)."""

from __future__ import annotations

import pytest
from staging_kit import EVENT, Made, order

from pystap.ir.nodes import Op
from pystap.ir.walk import statements

HEAD = "global n, m, t, last\n"
END = 'probe end { printf("%d %d %d", n, m, last) foreach (k in t) printf("%d", t[k]) }\n'
OTHER = "probe syscall.getppid "
TICK = "probe timer.s(1) "


def locked(text: str) -> list[bool]:
    """Whether each program takes the lock."""
    return [
        any(isinstance(s, Op) and s.name == "lock" for s in statements(program.body))
        for program in Made(HEAD + text + "\n" + END).staged.kernel
    ]


@pytest.mark.parametrize(
    "body",
    [
        "if (n < 10) { n++; last = pid() }",
        "if (offset > n) n = offset",
        "t[offset] = t[whence] + 1",
        "n = n * 3 + 1",
        "n = offset; m = offset",
        'if (offset > n) { n = offset; printf("%d\\n", n) }',
        "n = n * 2; if (n > 50) println(offset)",
        "delete t[tid()]; if (offset > n) { n = offset; println(n) }",
        "if (whence == 3) { m++; if (offset > n) { n = offset; if (n > 7) println(n) } } else m += 2",
        'if (whence == 7) { if (offset > n) { n = offset; printf("%d\\n", n) } }',
        "if (n == 0 && t[offset] == 0) { n = 1; t[offset] = 1 } else if (n == 1) n = 2",
    ],
)
def test_locked(body: str) -> None:
    assert locked(f"{EVENT} {{ {body} }}") == [True]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{EVENT} {{ n = n * 2; println(offset) }}", "record in every run"),
        (f"{EVENT} {{ if (offset == 1) {{ n = n * 2; println(offset) }} }}", "record in every run"),
        (
            f"{EVENT} {{ t[1] = n * 2; if (t[offset] > 50) println(offset) }}",
            "record in every run",
        ),  # before the first effect, whose result the guard may need
        (f"{EVENT} {{ n = n * 2 }} {OTHER} {{ println(n) }}", "record in every run"),
        (f"{EVENT} {{ n = n * 2 }} probe timer.profile {{ n++ }}", "an interrupt's handler"),
        (f'{EVENT} {{ n = n * 2 }} probe kernel.trace("sched_switch") {{ n++ }}', "an interrupt's handler"),
        (f"{EVENT} {{ n = n * 2; m = n }} {TICK} {{ println(n + m) }}", "while events run"),
        (f"{EVENT} {{ n = n * 2 }} {TICK} {{ n = 0 }}", "while events run"),
        (
            f"{EVENT} {{ n = n * 2; if (n > 5) n = 0 }} {TICK} {{ println(n) }}",
            "while events run",
        ),  # a state between
        (
            f"{EVENT} {{ t[offset] = t[whence] + 1 }} {TICK} {{ foreach (k in t) println(k) }}",
            "while events run",
        ),
    ],
)
def test_mirrored(text: str, why: str) -> None:
    made = Made(HEAD + text + "\n" + END)
    assert not any(locked(text))
    assert why in (made.why("t") if "t[" in text else made.why("n"))


def test_a_glance_at_one_value_needs_no_lock() -> None:
    assert locked(f"{EVENT} {{ if (offset > n) n = offset }} {TICK} {{ println(n) }}") == [True]


def test_alone_an_interrupts_handler_may_lock() -> None:
    assert locked("probe timer.profile { if (cpu() > n) n = cpu() }") == [True]


def test_all_that_touch_a_locked_global_lock_and_no_others() -> None:
    text = f"{EVENT} {{ n = n * 2; m = n }} {OTHER} {{ m++ }} probe syscall.read {{ last = count }}"
    assert locked(text) == [True, True, False]


def test_what_is_of_the_thread_needs_no_lock() -> None:
    assert locked(f"{EVENT} {{ t[tid()] = t[tid()] * 2 }}") == [False]


def test_it_is_held_behind_the_guards_and_before_the_first_effect() -> None:
    body = "if (whence != 5) next; m++; x = offset * 3; if (x > n) n = x"
    made = Made(f"{HEAD}{EVENT} {{ {body} }}\n{END}")
    assert order(made.kernel, "if ", "lock", "add_to m", "get n", "set n", "unlock")
    assert made.kernel.count("unlock") == 1


def test_a_record_is_reserved_and_numbered_under_it() -> None:
    made = Made(f"{HEAD}{EVENT} {{ if (offset > n) {{ n = offset; println(n) }} }}\n{END}")
    assert order(made.kernel, "lock", "get n", "if ", "reserve", "set n", "put", "unlock")


@pytest.mark.parametrize(
    ("body", "reads"),
    [
        ("if (offset > n) n = offset", 2),
        ("if (n < 10) { n++; last = pid() }", 2),
        ("if (offset > n) n = offset; else last = 1", 1),
        ("if (offset > n) { n = 3; if (t[1]) n = offset }", 1),  # 3 may be there between two writes
        ("if (offset > n && m) n = offset", 1),
        ("if (offset > n) n = offset; m = m + last", 1),
    ],
)
def test_a_look_without_the_lock_that_says_there_is_nothing_to_do(body: str, reads: int) -> None:
    made = Made(f"{HEAD}{EVENT} {{ {body} }}\n{END} probe begin {{ last = 4; m = 1; delete t }}")
    assert made.kernel.count("get n") == reads
    assert order(made.kernel, *(["get n", "if ", "lock"] if reads == 2 else ["lock", "get n"]), "unlock")


def test_an_effect_goes_behind_a_guard_that_prints() -> None:
    made = Made(
        f"{HEAD}{EVENT} {{ delete t[tid()]; t[tid()] = 3; if (offset > n) {{ n = offset; println(n) }} }}"
    )
    assert order(
        made.kernel,
        "get n",
        "lock",
        "get n",
        "reserve",
        "delete t",
        "set t t2 3",
        "set n",
        "else",
        "unlock",
        "else",
    )
    assert (
        made.kernel.count("delete t") == made.kernel.count("set t t2 3") == 3
    )  # with the lock, either way, and without it
    for body in (
        "t[1] = 3; if (offset > n + t[offset]) { n = offset; println(n) }",  # read behind it
        "delete t[tid()]; x = 3 / whence; if (offset > n) { n = offset; println(x) }",  # if that fails, it has happened
        'delete t[tid()]; if (offset > n) { n = offset; println(n) } else { n++; println("no") }',
    ):
        assert "delete t" not in (kernel := Made(f"{HEAD}{EVENT} {{ {body} }}").kernel) or order(
            kernel, "reserve", "delete t", "if"
        )


def test_a_run_without_a_record_reserves_none() -> None:
    made = Made(
        f"{HEAD}{EVENT} {{ if (offset) m <<< 1; else {{ m <<< 2; println(whence) }} }} probe end {{ println(@sum(m)) }}"
    )
    assert order(made.kernel, "if", "push m 1", "else", "reserve", "push m 2")
    assert made.user == 'printf "%d\\n" whence'


def test_next_leads_to_its_end() -> None:
    body = "if (n == 3) next; if (n == offset) { n = whence; if (m == 1) next; m = n }"
    made = Made(f"{HEAD}{EVENT} {{ {body} }}\n{END}")
    assert "leave handler" not in made.kernel
    assert made.kernel.rstrip().endswith("unlock")


def test_explained() -> None:
    made = Made(f"{HEAD}{EVENT} {{ if (offset > n) {{ n = offset; m = 1 }} }}\n{END}")
    assert made.notes("lock") == ["runs under the lock, for m, n"]


def test_mirror_mirrors() -> None:
    made = Made(f"{HEAD}{EVENT} {{ n = n * 2 }}\n{END}", stage="mirror")
    assert made.home("n") == "user"
    assert not made.notes("lock")
