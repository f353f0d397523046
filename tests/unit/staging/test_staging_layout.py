"""Keys, records and maps: how things lie."""

from __future__ import annotations

import pytest
from staging_kit import EVENT, Made

from pystap.program import REC_HEADER
from pystap.staging.plan import RecordLocal

END = 'probe end { foreach (k in t) printf("%s %d", k, t[k]) }'


def key(made: Made) -> list[tuple[int, str, int]]:
    """Offset, type and size of each part."""
    return [(p.offset, p.type, p.size) for p in made.spec("t").key]


def test_key_parts_lie_at_whole_words() -> None:
    made = Made(
        f"global t\n{EVENT} {{ t[execname(), offset, name]++ }}\n"
        'probe end { foreach ([a, b, c] in t) printf("%d", t[a, b, c]) }'
    )
    assert key(made) == [(0, "str", 16), (16, "i64", 8), (24, "str", 6)]
    assert made.spec("t").key_size == 32


def test_a_part_has_room_for_its_longest_string() -> None:
    text = f"global t\n{EVENT} {{ t[name]++ }}\nprobe syscall.getppid {{ t[execname()]++ }}\n{END}"
    (part,) = Made(text).spec("t").key
    assert part.size == 16
    (short,) = Made(f'global t\n{EVENT} {{ t[name]++; t["a"]++ }}\n{END}').spec("t").key
    assert short.size == len("lseek") + 1


def test_a_rendered_key_is_its_words() -> None:
    made = Made(f'global t\n{EVENT} {{ t[sprintf("%d-%d", offset, whence)]++ }}\n{END}')
    assert made.home("t") == "delta"
    parts = made.spec("t").key
    assert [(p.type, p.size, p.words) for p in parts] == [("i64", 8, 2), ("i64", 8, 1)]
    assert parts[0].render == "render_0_0"
    assert parts[1].render == ""
    assert "add_to t offset whence 1" in made.kernel
    (render,) = [f for f in made.staged.user if f.kind == "render"]
    assert [p.type for p in render.params] == ["i64", "i64"]
    assert render.result is not None
    assert not [
        f for f in made.staged.user if f.kind == "record"
    ]  # nothing of the event goes to the user stage


def test_a_value_at_two_places_of_a_rendered_key_is_two_words() -> None:
    made = Made(f'global t\n{EVENT} {{ t[sprintf("%d-%d", offset, offset)]++ }}\n{END}')
    assert made.spec("t").key_size == 16
    assert "add_to t offset offset 1" in made.kernel


def test_keys_of_different_forms_are_the_user_stage_s() -> None:
    text = f'global t\n{EVENT} {{ t[sprintf("%d", offset)]++; t[execname()]++ }}\n{END}'
    made = Made(text)
    assert made.why("t") == "its keys have different forms"
    other = text.replace("execname()", 'sprintf("%x", offset)')
    assert Made(other).why("t") == "its keys have different forms"
    same = text.replace("execname()", 'sprintf("%d", whence)')
    assert Made(same).home("t") == "delta"


def test_a_rendered_string_needs_words_and_only_numbers() -> None:
    constant = Made(f'global t\n{EVENT} {{ t[sprintf("%d", 3)]++ }}\n{END}')
    assert constant.home("t") == "user"
    string = Made(f'global t\n{EVENT} {{ t[sprintf("%s", execname())]++ }}\n{END}')
    assert string.home("t") == "user"


def test_fields_of_a_record() -> None:
    made = Made(f'{EVENT} {{ printf("%d %s %d\\n", offset, execname(), tid()) }}')
    (spec,) = made.staged.records
    assert [(f.offset, f.type, f.size) for f in spec.fields] == [
        (REC_HEADER, "i64", 8),
        (REC_HEADER + 8, "str", 16),
        (REC_HEADER + 24, "i64", 8),
    ]
    assert spec.size == REC_HEADER + 32
    (reserve,) = made.ops("reserve")
    assert (reserve.attr.id, reserve.attr.size) == (spec.id, spec.size)
    assert len(made.fields) == 3


def test_a_value_is_captured_once() -> None:
    made = Made(f'{EVENT} {{ printf("%d %d\\n", offset, offset); println(offset) }}')
    assert made.fields == ["offset"]
    assert len(made.ops("put")) == 1


def test_a_variable_that_changes_is_captured_at_each_place() -> None:
    made = Made(f"{EVENT} {{ x = offset; if (whence) x = 5; println(x); x++; println(x) }}")
    assert made.fields.count("x") == 2
    assert len(made.ops("put")) >= 2


def test_strings_are_made_in_the_record() -> None:
    made = Made(f'{EVENT} {{ printf("%s\\n", execname()) }}')
    (call,) = [op for op in made.ops("call") if op.attr == "execname"]
    assert isinstance(call.dst, RecordLocal)
    assert call.dst.field == made.staged.records[0].fields[0]
    assert not made.ops("put")


@pytest.mark.parametrize(
    "use",
    [
        'if (s == "cat") n++',  # read by the kernel after it
        "t[s]++",
        'if (whence) s = "other"',
    ],
)
def test_strings_that_others_read_are_not(use: str) -> None:
    head = "global n, t\n" + 'probe end { printf("%d %d", n, t["a"]) }\n'
    made = Made(f'{head}{EVENT} {{ s = execname(); n++; t["b"]++; {use}; println(s) }}')
    calls = [op for op in made.ops("call") if op.attr == "execname"]
    assert calls
    assert not any(isinstance(op.dst, RecordLocal) for op in calls)
    assert made.ops("put")


def test_a_handler_without_output_has_no_record() -> None:
    made = Made(f"global n\n{EVENT} {{ if (offset > 3) n++ }}\nprobe end {{ println(n) }}")
    assert made.staged.records == []
    assert not made.ops("reserve")
    assert "rings" not in [m.name for m in made.staged.maps]


def test_a_handler_that_does_nothing_is_not_attached() -> None:
    made = Made(f"global n = 0\n{EVENT} {{ x = offset }}\nprobe begin {{ println(n) }}")
    assert made.staged.kernel == []
    assert made.notes("empty")


@pytest.mark.parametrize("body", ["if (t[1]) next", "x = t[1]", "x = n", "if ([1] in t) x = n"])
def test_without_kernel_programs_nothing_lives_in_their_maps(body: str) -> None:
    end = 'probe end { n++; foreach (k in t) printf("%d %d", t[k], n) }'
    made = Made(f"global t, n = 4\n{EVENT} {{ {body} }}\n{end}")
    assert made.staged.kernel == []
    assert {h.spec.home for h in made.staged.homes.values()} == {"user"}


@pytest.mark.parametrize(("capacity", "flags"), [(100, 0), (100000, 1)])
def test_large_tables_are_not_allocated_before_their_keys_come(capacity: int, flags: int) -> None:
    made = Made(
        f"global t[{capacity}]\n{EVENT} {{ t[offset]++ }}\nprobe end {{ foreach (k in t) println(k) }}"
    )
    (table,) = [m for m in made.staged.maps if m.name == "t.0"]
    assert (table.max_entries, table.flags) == (capacity, flags)
