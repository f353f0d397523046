"""Where globals live, and why (R1, R5)."""

from __future__ import annotations

import pytest
from staging_kit import EVENT, Made

END = 'probe end { printf("%d", n) }'
ARRAY_END = 'probe end { foreach (k in t) printf("%d", t[k]) }'
STRING_END = 'probe end { foreach (k in t) printf("%s %d", k, t[k]) }'


def scalar(body: str, rest: str = END, head: str = "global n") -> Made:
    """A script with one event handler and one scalar."""
    return Made(f"{head}\n{EVENT} {{ {body} }}\n{rest}")


@pytest.mark.parametrize(
    ("body", "home"),
    [
        ("n++", "delta"),
        ("n += offset; n -= 3", "delta"),
        ("n++; println(n)", "shared"),
        ("n = offset", "shared"),
        ("if (n++ == 3) exit()", "shared"),
        ("n = n * 2", "shared"),  # under the lock
        ("n++; n = n * 2", "shared"),
        ("if (n < 5) n = offset", "shared"),
        ("n = n * 2; println(n)", "user"),  # a record in every run anyway
    ],
)
def test_scalars(body: str, home: str) -> None:
    assert scalar(body).home("n") == home


def test_a_scalar_that_only_user_handlers_change_is_read_where_it_is() -> None:
    made = scalar("if (n) println(offset)", "probe timer.s(1) { n = !n }")
    assert made.home("n") == "shared"
    assert made.user == 'printf "%d\\n" offset\n'.rstrip("\n")


def test_a_scalar_that_nobody_changes_is_a_constant() -> None:
    assert "get n" not in scalar("if (n != offset) println(1)", head="global n = 3").kernel


def test_a_scalar_that_no_event_touches() -> None:
    assert scalar("println(offset)").home("n") == "user"


def test_mirrored_everything_lives_in_the_user_stage() -> None:
    made = Made(f"global n, t\n{EVENT} {{ n++; t[execname()] <<< 1 }}\n{END}", stage="mirror")
    assert {h.spec.home for h in made.staged.homes.values()} == {"user"}
    assert "add_to n 1" in made.user
    assert "add_to" not in made.kernel
    assert "push" not in made.kernel


@pytest.mark.parametrize(
    ("body", "home"),
    [
        ("t[offset]++", "delta"),
        ("t[offset]++; t[whence] += 2", "delta"),
        ("t[offset] = 1", "shared"),
        ("delete t[offset]", "shared"),
        ("if (!([offset] in t)) println(offset)", "shared"),
        ("if (!([offset] in t)) t[offset] = 1", "shared"),  # one step
        ("if (!([tid()] in t)) t[tid()] = 1", "shared"),  # but this thread is alone with its key
        ("t[tid()] = t[tid()] * 2 + 1; delete t[tid()]", "shared"),
        ("t[tid()] = t[offset] + 1", "shared"),  # under the lock
        ("t[tid()] = t[offset] + 1; println(1)", "user"),
        ("foreach (k in t) x += k; println(x); t[offset]++", "user"),
        ("delete t; t[offset] = 1", "user"),
    ],
)
def test_arrays(body: str, home: str) -> None:
    assert Made(f"global t\n{EVENT} {{ {body} }}\n{ARRAY_END}").home("t") == home


def test_a_thread_key_must_stand_at_one_place_of_every_key() -> None:
    both = "t[tid(), 1] = t[tid(), 1] + 1"
    both, crossed = f"{both}; println(1)", "t[tid(), 1] = t[1, tid()] + 1; println(1)"
    end = 'probe end { foreach ([a, b] in t) printf("%d", t[a, b]) }'
    assert Made(f"global t\n{EVENT} {{ {both} }} {end}").home("t") == "shared"
    assert Made(f"global t\n{EVENT} {{ {crossed} }} {end}").home("t") == "user"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            f"{EVENT} {{ if (n < 5) n = offset; println(2) }} {END}",
            "its handler reads and changes it in several steps, and makes a record in every run",
        ),
        (f"{EVENT} {{ if (strlen(execname()) > 3) n++ }} {END}", "a condition of the user stage decides"),
        (f"{EVENT} {{ n += strlen(execname()) }} {END}", "its new value is made in the user stage"),
        (f"{EVENT} {{ println(offset / strlen(execname())); n++ }} {END}", "a condition of the user stage"),
    ],
)
def test_reasons(text: str, why: str) -> None:
    made = Made("global n\n" + text)
    assert made.home("n") == "user"
    assert why in made.why("n")
    assert made.notes("mirror")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x = strlen(execname()); if (whence) x = 2; t[x] = 1", "a key is made in the user stage"),
        ("foreach (k in t) x += k; t[offset] = x", "foreach in an event handler walks it"),
        ('if ([sprintf("%d", offset)] in t) println(1)', "a key is a rendered text"),
    ],
)
def test_reasons_of_arrays(text: str, why: str) -> None:
    end = STRING_END if "sprintf" in text else ARRAY_END
    made = Made(f"global t\n{EVENT} {{ {text} }}\n{end}")
    assert why in made.why("t")


def test_aggregates() -> None:
    end = 'probe end { printf("%d", @count(n)) }'
    assert Made(f"global n\n{EVENT} {{ n <<< offset }} {end}").home("n") == "delta"
    read = Made(f"global n\n{EVENT} {{ n <<< offset; println(@count(n)) }} {end}")
    assert read.home("n") == "user"
    assert read.why("n") == "its aggregate is read in an event handler"


def test_strings_are_values_of_the_user_stage() -> None:
    made = Made(f"global s\n{EVENT} {{ s = execname() }} probe end {{ println(s) }}")
    assert made.home("s") == "user"
    assert made.why("s") == "its values are of type str"


def test_an_array_that_wraps_keeps_the_order_of_its_keys() -> None:
    made = Made(f"global t%\n{EVENT} {{ t[offset] = 1 }} {ARRAY_END}")
    assert made.home("t") == "user"
    assert "oldest" in made.why("t")


def test_what_one_handler_needs_counts_for_all() -> None:
    text = f"global n, m\n{EVENT} {{ n++; m++ }}\nprobe syscall.getppid {{ if (n > 3) n = 0; println(n) }}\n"
    made = Made(text + 'probe end { printf("%d %d", n, m) }')
    assert made.home("n") == "user"
    assert made.home("m") == "delta"


@pytest.mark.parametrize(
    ("begin", "home", "size"),
    [
        ('t["ab"] = 1', "shared", 6),  # lseek and its NUL
        ('t["a name that is longer"] = 1', "shared", 22),
        ('t[sprintf("%d", 7)] = 1', "user", 0),
        ("foreach (k in t) println(t[k])", "shared", 6),
        ('if (["a name that is longer"] in t) println(1); delete t[sprintf("%d", 7)]', "shared", 6),
        ('t["' + 200 * "x" + '"] = 1', "user", 0),
    ],
)
def test_user_handlers_keys_have_room_in_a_shared_array(begin: str, home: str, size: int) -> None:
    made = Made(f"global t\n{EVENT} {{ t[name] = 1 }}\nprobe begin {{ {begin} }}\n{STRING_END}")
    spec = made.spec("t")
    assert spec.home == home
    if home == "shared":
        assert spec.key[0].size == size


def test_functions_of_user_handlers_count_and_those_of_events_do_not() -> None:
    head = "global t\nfunction f(w:string) { t[w] = 1 }\n"
    assert Made(f"{head}{EVENT} {{ f(name) }}\n{STRING_END}").home("t") == "shared"
    assert Made(f'{head}{EVENT} {{ f(name) }}\nprobe begin {{ f("x") }}\n{STRING_END}').home("t") == "user"


@pytest.mark.parametrize(("report", "resets"), [("", False), ("delete t;", True), ('t["x"] = 1;', True)])
def test_generations_are_for_what_user_handlers_reset(report: str, resets: bool) -> None:
    made = Made(f"global t\n{EVENT} {{ t[execname()]++ }}\nprobe timer.s(1) {{ {report} }}\n{STRING_END}")
    assert made.home("t") == "delta"
    assert made.spec("t").resets is resets
    names = {m.name for m in made.staged.maps}
    assert "t.0" in names
    assert ("t.1" in names) is resets


def test_what_a_user_handler_reads_is_brought_up_to_date_before_it() -> None:
    made = Made(f"global n, m\n{EVENT} {{ n++; m++ }}\nprobe timer.s(1) {{ println(n) }}\n")
    (timer,) = [f for f in made.staged.user if f.kind == "handler"]
    assert [g.name for g in timer.sync] == ["n"]


def test_recursive_functions_run_in_the_user_stage() -> None:
    text = "global n\nfunction f(x) { n++; if (x > 0) return f(x - 1); return 0 }\n"
    made = Made(f"{text}{EVENT} {{ f(offset) }} {END}")
    assert made.home("n") == "user"
    assert "call f(offset)" in made.user


@pytest.mark.parametrize(
    ("condition", "home"),
    [("offset == 3", "delta"), ('execname() =~ "^a"', "user")],
)
def test_what_changes_with_output_when_the_user_stage_may_exit(condition: str, home: str) -> None:
    """Behind exit() no record runs: what its run changes must be of the user stage as well."""
    rest = "probe syscall.getppid { n++; println(1) }\nprobe syscall.gettid { only++ }\n"
    rest += "probe end { println(n + only) }"
    made = scalar(f"if ({condition}) exit()", rest, head="global n, only")
    assert (made.home("n"), made.home("only")) == (home, "delta")
    own = scalar(f"n++; if ({condition}) exit(); println(1)")
    assert own.home("n") == home
