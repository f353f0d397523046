"""Values as text: `$x$`, `$x$$`, `$$parms$`: what is read, and the words it is shown with."""

from __future__ import annotations

import struct

import pytest

from pystap.btf.layout import field_path
from pystap.ir.nodes import Op, Text
from pystap.ir.ops import Load
from pystap.ir.walk import statements
from pystap.runtime.functions.strings import struct_text

from .tools import BTF, body_text, module


def form(text: str) -> tuple[int, str]:
    """Return (bytes that are read, the form of their text) of a handler that shows one value."""
    made = module(f'probe kernel.trace("sched_switch") {{ println({text}) }}')
    ops = [s for s in statements(made.handlers[0].body) if isinstance(s, Op)]
    read = next(o for o in ops if o.name == "load_buf")
    shown = next(o for o in ops if o.attr == "struct_text")
    assert isinstance(read.attr, Load) and isinstance(shown.args[1], Text)
    return read.attr.size, shown.args[1].value


def test_members_of_a_struct() -> None:
    size, words = form("$prev->thread_info$")
    task = BTF.find_struct("thread_info")
    assert task is not None
    data = bytearray(size)
    for number, member in enumerate(task.members, 1):
        at = field_path(BTF, task, (member.name,)).offsets[0]
        data[at] = number
    shown = ", ".join(f".{m.name}={n}" for n, m in enumerate(task.members, 1))
    assert struct_text(bytes(data), words) == "{" + shown + "}"


def test_levels() -> None:
    one, two = form("$prev->se$")[1], form("$prev->se$$")[1]
    assert ".load={...}" in one and ".load={.weight=" in two
    deep = form("$prev->mm->mmap_lock$$")[1]
    assert "{...}" not in deep and deep.count("{") > 3, "all levels"
    assert "[" not in form("$prev->cpus_mask$$")[1] or ".bits=[" in form("$prev->cpus_mask$$")[1]


def test_a_long_struct_ends_where_nothing_shows_any_more() -> None:
    size, words = form("$prev$")
    assert size < 2048 and words.endswith(", ...}")
    seen = struct_text(bytes(size), words)
    assert len(seen) >= 511


@pytest.mark.parametrize(
    "spec, data, text",
    [
        ("0:4:d", struct.pack("<i", -5), "-5"),
        ("0:4:u", struct.pack("<I", 4294967295), "4294967295"),
        ("2:2:x", b"\0\0\x34\x12", "0x1234"),
        ("0:8:s", b"abc\0defg", "abc"),
        ("0:4:u:3:5", struct.pack("<I", 0b10110 << 3 | 7), "22"),
        ("0:4:d:3:5", struct.pack("<I", 0b10110 << 3 | 7), "-10"),
        ("0:1:d", b"\xff", "-1"),
    ],
)
def test_values(spec: str, data: bytes, text: str) -> None:
    assert struct_text(data, f"<\1{spec}\1>") == f"<{text}>"


def test_strings_behind_pointers() -> None:
    """What a `char *` leads to is read by itself, a pointer to bytes is shown as such."""
    shown = 'k = @cast(8, "kobject"); println(@cast(8, "kobject")$) println(k->name$)'
    text = body_text(module(f'probe kernel.trace("sched_switch") {{ {shown} }}').handlers[0].body)
    assert text.count("load_str") == 2 and text.count('"<unknown>"') == 2
    assert "{.name=" in text and "%s" in text


def test_what_cannot_be_read_is_an_error_in_words() -> None:
    made = module(
        'probe kernel.trace("sched_switch") { println($prev->mm$) println($prev$) println($preempt$) }'
    )
    text = body_text(made.handlers[0].body)
    assert text.count('"ERROR"') == 2
    assert 'sprintf "%d"' in text or 'sprintf "%u"' in text


def test_lists() -> None:
    text = body_text(
        module('probe kernel.trace("sched_switch") { println($$parms$) println($$parms) }').handlers[0].body
    )
    assert '"preempt=%s prev=%s next=%s prev_state=%s"' in text
    assert '"preempt=%#x prev=%#x next=%#x prev_state=%#x"' in text
    assert text.count("load_buf") == 2
