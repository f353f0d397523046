"""What only a guarded branch reads is made behind the guard."""

from __future__ import annotations

from staging_kit import EVENT, Made, depth_of


def test_what_only_a_guarded_branch_reads_is_made_behind_the_guard() -> None:
    made = Made(f"{EVENT} {{ s = user_string(offset); if (pid() == 5) println(s) }}")
    assert (
        depth_of(made.body, "load_str") == depth_of(made.body, "reserve") == 1
    )  # the system call, the guard
    assert "pid" not in made.user


def test_what_both_branches_or_what_follows_reads_stays() -> None:
    for rest in ("if (pid() == 5) println(s); else print(s)", "if (pid() == 5) println(s); print(s)"):
        made = Made(f"{EVENT} {{ s = user_string(offset); {rest} }}")
        assert depth_of(made.body, "reserve") == 0, rest


def test_a_value_that_changes_before_the_guard_is_read_before_it() -> None:
    text = f'{EVENT} {{ x = user_string(offset); y = x; x = user_string(fildes); if (pid() == 5) printf("%s %s", y, x) }}'
    user = Made(text).user
    assert user.index("y = ") < user.rindex("x = ") < user.index("printf")


def test_a_global_is_read_where_the_script_reads_it() -> None:
    made = Made(
        f"global n {EVENT} {{ old = n; n = 5; if (pid() == 5) println(old) }} probe end {{ println(n) }}"
    )
    user = made.user
    assert user.index("old") < user.index("5")
