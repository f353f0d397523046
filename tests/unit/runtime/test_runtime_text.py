"""The texts that scripts' users parse, written out by hand."""

from __future__ import annotations

import pytest
from runtime_kit import context, glob, program

from pystap.runtime import text
from pystap.runtime.door import Door
from pystap.runtime.printing import Printing
from pystap.runtime.stat import FullStat, Stat, stat_maker
from pystap.runtime.state import State
from pystap.types.hist import LOG_BUCKETS, linear_buckets, log_bucket

RULER = "value |-------------------------------------------------- count\n"


def log(**counts: int) -> list[int]:
    """Buckets of values, v5=3 for three times 5, m5 for -5."""
    buckets = [0] * LOG_BUCKETS
    for name, count in counts.items():
        buckets[log_bucket(int(name[1:]) * (-1 if name[0] == "m" else 1))] += count
    return buckets


def test_log_histogram_with_two_empty_rows_around() -> None:
    assert text.stp_hist_log(log(v16=1, v40=3)) == (
        RULER
        + "    4 |                                                   0\n"
        + "    8 |                                                   0\n"
        + "   16 |@                                                  1\n"
        + "   32 |@@@                                                3\n"
        + "   64 |                                                   0\n"
        + "  128 |                                                   0\n\n"
    )


def test_log_histogram_is_scaled_to_its_width_and_leaves_long_gaps_out() -> None:
    assert text.stp_hist_log(log(v1=1650, v1000=33, v1000000=32)) == (
        "  value |-------------------------------------------------- count\n"
        + "      0 |                                                      0\n"
        + "      1 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@ 1650\n"
        + "      2 |                                                      0\n"
        + "      4 |                                                      0\n"
        + "        ~\n"
        + "    128 |                                                      0\n"
        + "    256 |                                                      0\n"
        + "    512 |@                                                    33\n"
        + "   1024 |                                                      0\n"
        + "   2048 |                                                      0\n"
        + "        ~\n"
        + " 131072 |                                                      0\n"
        + " 262144 |                                                      0\n"
        + " 524288 |                                                     32\n"
        + "1048576 |                                                      0\n"
        + "2097152 |                                                      0\n\n"
    )


def test_the_longest_bar_may_be_one_short() -> None:
    """16689 values over 50 places: 334 for each, 49 of them."""
    row = text.stp_hist_log(log(v1024=16689)).split("\n")[3]
    assert row == " 1024 |" + "@" * 49 + "  16689"


def test_log_histogram_of_negative_values() -> None:
    rows = text.stp_hist_log(log(m1=1, v0=2, m5=1)).split("\n")[1:-2]
    assert [row.partition("|")[0].strip() for row in rows] == ["-16", "-8", "-4", "-2", "-1", "0", "1", "2"]
    assert [row.split()[-1] for row in rows] == ["0", "0", "1", "0", "1", "2", "0", "0"]


def test_no_rows_below_zero_without_negative_values() -> None:
    rows = text.stp_hist_log(log(v0=2)).split("\n")[1:-2]
    assert [row.partition("|")[0].strip() for row in rows] == ["0", "1", "2"]


def linear(low: int, high: int, step: int, *values: int) -> str:
    """A linear histogram of values."""
    from pystap.types.hist import linear_bucket

    buckets = [0] * linear_buckets(low, high, step, "stat")
    for value in values:
        buckets[linear_bucket(value, low, high, step, "stat")] += 1
    return text.stp_hist_linear(buckets, low, step)


def test_linear_histogram() -> None:
    assert linear(0, 1000, 200, 5, 210, 210) == (
        RULER
        + "    0 |@                                                  1\n"
        + "  200 |@@                                                 2\n"
        + "  400 |                                                   0\n"
        + "  600 |                                                   0\n\n"
    )


def test_linear_histogram_has_rows_for_what_lies_outside() -> None:
    rows = linear(0, 100, 10, -5, 250, 250).split("\n")
    assert rows[1] == "   <0 |@                                                  1"
    assert rows[2] == "    0 |                                                   0"
    assert rows[4] == "      ~"
    assert rows[-3] == " >100 |@@                                                 2"


def test_elision_can_be_changed_and_turned_off() -> None:
    buckets = log(v1=1, v1000=1)
    assert text.stp_hist_log(buckets, 50, 0).count("\n") == 1 + 2 + 2 + 1
    assert "~" not in text.stp_hist_log(buckets, 50, -1)
    assert len(text.stp_hist_log(buckets, 10).split("\n")[0]) == len("value |---------- count")


@pytest.mark.parametrize(
    ("keys", "value", "line"),
    [
        (None, 5, "x=5\n"),
        (None, 'a"b\n', 'x="a\\"b\\n"\n'),
        (("k", 1), 3, 'x["k",1]=3\n'),
        ((1,), "v", 'x[1]="v"\n'),
    ],
)
def test_unread_globals(keys: tuple[object, ...] | None, value: object, line: str) -> None:
    assert text.stp_global("x", keys, value) == line


def test_unread_aggregates() -> None:
    stat = Stat()
    assert text.stp_global_stat("s", None, stat) == "s @count=0\n"
    for value in (4, 8, -3):
        stat.push(value)
    assert text.stp_global_stat("s", ("k",), stat) == 's["k"] @count=3 @min=-3 @max=8 @sum=9 @avg=3\n'


def test_unread_arrays_by_falling_value() -> None:
    prog = program("", globals=(glob("a", 0, "user", ("str", "i64")), glob("n", 1, "user")))
    ctx = context(Door(), prog)
    state = State(ctx)
    ctx.namespace["_g0"].update({("x", 1): 2, ("y", 2): 9, ("z", 3): 2})
    Printing(ctx).display(prog.globals, state)
    assert ctx.sink.text == 'a["y",2]=9\na["x",1]=2\na["z",3]=2\nn=0\n'  # type: ignore[attr-defined]


# -- bpftrace, as its 0.17 prints it


def bt_text(value: object, kind: str = "", keys: tuple[str, ...] = (), **more: object) -> str:
    """What print(@m) prints."""
    is_stat = bool(kind)
    spec = glob("@m", 0, "user", keys, "stat" if is_stat else "i64", stat_kind=kind, **more)
    prog = program("", lang="bt", globals=(spec,))
    ctx = context(Door(), prog)
    State(ctx)
    make = stat_maker(spec) if is_stat else None
    held: object = value
    if make is not None:
        pushed = {k: make() for k in value} if isinstance(value, dict) else make()
        for key, values in value.items() if isinstance(value, dict) else [(None, value)]:
            for one in values:
                (pushed[key] if isinstance(pushed, dict) else pushed).push(one)
        held = pushed
    ctx.namespace["_g0"] = held
    Printing(ctx).map(0)
    return ctx.sink.text  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize(
    ("value", "kind", "line"),
    [
        (1, "", "@m: 1\n"),
        ([5, 6], "count", "@m: 2\n"),
        ([5, 7], "sum", "@m: 12\n"),
        ([5, 8], "avg", "@m: 6\n"),
        ([5, -8], "min", "@m: -8\n"),
        ([5, 8], "max", "@m: 8\n"),
        ([4, 8], "stats", "@m: count 2, average 6, total 12\n"),
    ],
)
def test_scalar_maps(value: object, kind: str, line: str) -> None:
    assert bt_text(value, kind) == line


def test_keyed_maps_by_rising_value_with_an_empty_line_after() -> None:
    assert bt_text({(1, "x"): 5, (2, "y"): 3}, "", ("i64", "str")) == "@m[2, y]: 3\n@m[1, x]: 5\n\n"
    assert bt_text({"z": [7]}, "stats", ("str",)) == "@m[z]: count 1, average 7, total 7\n\n"


def test_log_histograms() -> None:
    assert bt_text([5, 6, 100, -3, 0], "hist", (), hist_log=0) == (
        "@m: \n"
        "(..., 0)               1 |@@@@@@@@@@@@@@@@@@@@@@@@@@                          |\n"
        "[0]                    1 |@@@@@@@@@@@@@@@@@@@@@@@@@@                          |\n"
        "[1]                    0 |                                                    |\n"
        "[2, 4)                 0 |                                                    |\n"
        "[4, 8)                 2 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|\n"
        "[8, 16)                0 |                                                    |\n"
        "[16, 32)               0 |                                                    |\n"
        "[32, 64)               0 |                                                    |\n"
        "[64, 128)              1 |@@@@@@@@@@@@@@@@@@@@@@@@@@                          |\n"
        "\n"
    )


def test_bounds_with_units_and_keyed_histograms() -> None:
    assert bt_text({"a": [3, 3], "b": [1500], "c": [5 << 20]}, "hist", ("str",), hist_log=0).split("\n")[
        :7
    ] == [
        "@m[b]: ",
        "[1K, 2K)               1 |" + "@" * 52 + "|",
        "",
        "@m[c]: ",
        "[4M, 8M)               1 |" + "@" * 52 + "|",
        "",
        "@m[a]: ",
    ]


def test_linear_histograms() -> None:
    rows = bt_text([5, 25, 500, -1], "lhist", (), linear=(0, 30, 10)).split("\n")
    assert [row.partition("|")[0].rstrip() for row in rows[1:6]] == [
        "(..., 0)               1",
        "[0, 10)                1",
        "[10, 20)               0",
        "[20, 30)               1",
        "[30, ...)              1",
    ]


def test_top_and_div() -> None:
    spec = glob("@m", 0, "user", ("i64",))
    ctx = context(Door(), program("", lang="bt", globals=(spec,)))
    State(ctx)
    ctx.namespace["_g0"].update({1: 100, 2: 300, 3: 200})
    Printing(ctx).map(0, 2, 10)
    assert ctx.sink.text == "@m[3]: 20\n@m[2]: 30\n\n"  # type: ignore[attr-defined]


def test_values_by_themselves() -> None:
    ctx = context(Door(), program("", lang="bt"))
    for value in (5, "x", (1, "ab", (2,)), b"a\0"):
        Printing(ctx).value(value)
    assert ctx.sink.text == "5\nx\n(1, ab, (2))\na\\x00\n"  # type: ignore[attr-defined]


def test_maps_at_the_end_come_after_empty_lines_and_sorted_by_name() -> None:
    specs = (glob("@b", 0, "user"), glob("@a", 1, "user", ("i64",)), glob("@e", 2, "user", ("i64",)))
    ctx = context(Door(), program("", lang="bt", globals=specs))
    state = State(ctx)
    ctx.namespace["_g0"] = 7
    ctx.namespace["_g1"].update({1: 2})
    Printing(ctx).display(specs, state)
    assert ctx.sink.text == "\n\n@a[1]: 2\n\n@b: 7\n"  # type: ignore[attr-defined]


def test_a_map_without_keys_is_shown_where_it_is_set() -> None:
    names = ("@a", "@b", "@b.set", "@c", "@c.set")
    specs = tuple(
        glob(name, n, "user", display="flag" if name.endswith(".set") else "map")
        for n, name in enumerate(names)
    )
    ctx = context(Door(), program("", lang="bt", globals=specs))
    state = State(ctx)
    ctx.namespace.update({"_g0": 0, "_g1": 0, "_g2": 1, "_g3": 5, "_g4": 0})
    Printing(ctx).display(specs, state)
    assert ctx.sink.text == "\n\n@b: 0\n"  # type: ignore[attr-defined]


# -- aggregates


def test_what_aggregates_keep() -> None:
    plain = stat_maker(glob("s", 0, "user", (), "stat", stat_fields=(("count", 0), ("sum", 8))))
    assert plain is Stat
    full = stat_maker(glob("s", 0, "user", (), "stat", stat_fields=(("count", 0), ("log", 8)), hist_log=0))()
    assert isinstance(full, FullStat)
    full.push(5)
    assert full.buckets_log[log_bucket(5)] == 1


def test_unsigned_aggregates_compare_without_a_sign() -> None:
    make = stat_maker(glob("@m", 0, "user", (), "stat", stat_kind="max", signed=False))
    stat = make()
    stat.push(-1)
    stat.push(5)
    assert (stat.max, stat.min) == ((1 << 64) - 1, 5)


def test_sums_wrap_when_they_are_read() -> None:
    from pystap.runtime.stat import stat_or_0

    stat = Stat()
    stat.push((1 << 63) - 1)
    stat.push(1)
    assert stat_or_0(stat, "sum") == -(1 << 63)
