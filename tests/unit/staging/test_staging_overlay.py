"""Fields that no run has together share their place in the record."""

from __future__ import annotations

from staging_kit import EVENT, Made

from pystap.program import REC_HEADER


def size(body: str) -> int:
    """The record's size."""
    return Made(f"{EVENT} {{ {body} }}").staged.records[0].size


def test_a_record_is_as_long_as_the_longest_way() -> None:
    one = size('printf("%d %s %d", offset, execname(), whence)')
    body = 'printf("%d ", fildes)'
    for n in range(50):
        body = (
            f'if (offset == {n}) printf("%d %s %d", tid() + {n}, execname(), whence + {n}); else {{ {body} }}'
        )
    assert size(body) == one + 8  # and which way it was


def test_the_way_is_one_number() -> None:
    body = "if (offset == 1) println(tid()); else if (offset == 2) println(uid()); else if (whence) println(gid());"
    made = Made(f"{EVENT} {{ {body} else println(7) }}")
    assert len(made.fields) == 2
    assert [made.kernel.count(f"put Field(offset=16, type='i64', size=8) {n}\n") for n in (1, 2, 3, 4)] == [
        1,
        1,
        1,
        0,
    ]
    assert "eq way 1" in made.user and "eq way 3" in made.user
    short = Made(f"{EVENT} {{ if (offset == 1) println(tid()); else if (offset == 2) println(uid()) }}")
    assert "way" not in short.user
    early = Made(f"{EVENT} {{ {body} else {{ if (fildes) next; println(7) }} println(8) }}")
    assert "eq way 3" in early.user


def test_what_one_run_may_have_lies_apart() -> None:
    both = 'if (offset) printf("%d", tid()); else printf("%d", ppid());'
    assert size(both) == REC_HEADER + 8 * 2
    assert (
        size(both + both.replace("offset", "whence").replace("tid", "uid").replace("ppid", "gid"))
        == REC_HEADER + 8 * 4
    )
    again = "x = tid(); y = ppid(); if (offset) println(x); else println(y); "
    assert size(again) == REC_HEADER + 8 * 2
    assert size(again + "println(x)") == REC_HEADER + 8 * 3
    outer = "if (offset) { println(tid()); if (whence) println(uid()) } else if (fildes) println(gid()); else println(ppid())"
    assert size(outer) == REC_HEADER + 8 * 4


def test_only_what_is_alike_shares() -> None:
    made = Made(
        f'{EVENT} {{ if (offset) printf("%s", execname()); else printf("%s %d", user_string_n(offset, 40), tid()) }}'
    )
    fields = made.staged.records[0].fields
    kinds = [(f.type, f.size) for f in fields]
    assert sorted(kinds).count(("str", 16)) == 0  # the longer one's place serves both
    assert len({f.offset for f in fields}) == len(fields)


def test_a_place_of_two_is_read_by_both() -> None:
    made = Made(f'{EVENT} {{ if (offset) printf("%d", tid()); else printf("%d", ppid()) }}')
    assert len(made.fields) == 2
    (shared,) = set(made.fields) - {made.user.split()[1]}
    assert made.user.count(shared) >= 2


def test_branches_in_a_loop_are_of_one_run() -> None:
    loop = "for (i = 0; i < 2; i++) if (i) x = tid(); else y = ppid(); "
    assert size(loop + 'printf("%d %d", x, y)') == REC_HEADER + 8 * 2
