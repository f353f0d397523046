"""Insert-if-absent is one operation of the kernel stage (R5)."""

from __future__ import annotations

import pytest
from staging_kit import EVENT, Made, order

END = 'probe end { foreach (k in t) printf("%d", t[k]) println(n) }'


def made(body: str) -> Made:
    return Made(f"global t, n = 0, m = 0\n{EVENT} {{ {body} }}\n{END} probe end {{ println(m) }}")


@pytest.mark.parametrize(
    ("body", "mode"),
    [
        ("if (!([offset] in t)) t[offset] = whence", "absent"),
        ("if ([offset] in t) next; t[offset] = whence", "absent"),
        ("if (t[offset] == 0) t[offset] = gettimeofday_us()", "zero"),
        (
            "if (!t[offset]) { m++; t[offset] = whence }",
            None,
        ),  # what comes before the store is more than its value
        ("if (!t[offset]) { t[offset] = whence; m++ }", "zero"),
        ("if (t[offset] != 0) next; t[offset] = 1", "zero"),
    ],
)
def test_forms(body: str, mode: str | None) -> None:
    script = made(body)
    inserts = script.ops("insert")
    assert [op.attr[1] for op in inserts] == ([mode] if mode else [])
    assert (script.ops("lock") == []) is (mode is not None)
    assert script.home("t") == "shared"


def test_scalars() -> None:
    script = Made(f"global n\n{EVENT} {{ if (!n) n = gettimeofday_ns() }} probe end {{ println(n) }}")
    assert script.home("n") == "shared"
    assert [op.attr[1] for op in script.ops("insert")] == ["zero"]


@pytest.mark.parametrize(
    "body",
    [
        "if (!([offset] in t)) t[whence] = 1",  # of another key
        "if (!([offset] in t)) t[offset] = 1; else t[offset] = 2",
        "if ([offset] in t) t[offset] = 1",
        "if (t[offset] == 1) t[offset] = 2",
        "k = offset; if (!([k] in t)) { k++; t[k] = 1 }",
        "if (!([offset] in t)) t[offset] = kernel_long(offset)",  # an error only if there is none
    ],
)
def test_what_is_no_insert(body: str) -> None:
    assert "insert" not in made(body).kernel + made(body).user


def test_what_is_stored_once_is_said_once() -> None:
    """The record is made behind the guard; whether another run was faster decides on the output."""
    script = made('if (!([offset] in t)) { t[offset] = 1; printf("new %d\\n", offset) }')
    assert script.home("t") == "shared"
    assert order(script.kernel, "has t", "if ", "reserve", "insert", "put")
    assert order(script.user, "if inserted", "printf")


def test_mirrored() -> None:
    text = f"global t\n{EVENT} {{ if (!([offset] in t)) t[offset] = whence }}\nprobe end {{ println(t[1]) }}"
    script = Made(text, stage="mirror")
    assert "insert" in script.user
    assert "insert" not in script.kernel
