"""What the random scripts have found: each was wrong once."""

from __future__ import annotations

import pytest

from .run import LSEEK, Driver, Event, check, compiled, plain
from .scripts import NOWHERE, SOMEWHERE

ONE = [Event("enter", 0, LSEEK, (3, 7, 0)), Event("leave", 0, LSEEK, (3, 7, 0), -9)]
HEAD = 'global n, m = 5, t, u, a\nprobe end, error { printf("== %d %d\\n", n, m) }\n'
FOUND = {
    "a key that is rendered from constants has no words": """
        probe syscall.lseek { t[substr("", 0, 1)] += 1 }
        probe end { foreach (w in t) printf("%s %d\\n", w, t[w]) }""",
    "a user handler's key is longer than those of event handlers": """
        probe syscall.lseek { t[offset, name] = 0 }
        probe begin { t[1, "a long text of more than sixteen bytes"]++ }
        probe end { foreach ([k, w] in t) printf("%d %s %d\\n", k, w, t[k, w]) }""",
    "a user handler's key is made at run time": """
        probe syscall.lseek { n += (["a"] in t) }
        probe begin { t[sprintf("%d-%s", 4522653645339744302, "lseek")] = 4 }
        probe end { foreach (w in t) printf("%s %d\\n", w, t[w]) }""",
    "a user handler looks for a key that does not fit": """
        probe syscall.lseek { t["ab"] = 4 }
        probe end { printf("%d %d %d\\n", t["abc"], ["abc"] in t, t["ab"]); delete t["abc"]; println(t["ab"]) }""",
    "the least and the greatest": """
        probe syscall.lseek { a <<< offset; a <<< whence }
        probe end { printf("%d %d %d\\n", @min(a), @max(a), @avg(a)) }""",
    "an error of the user stage keeps what follows from happening": """
        probe syscall.lseek { x = offset / (strlen(execname()) == 77); n++; printf("%d", x) }""",
    "an error of the user stage inside try does not": """
        probe syscall.lseek { try { x = offset / strlen("") } catch (e) { println(e) } n++; printf("%d", x) }""",
    "a division by 0 behind output": """
        probe syscall.lseek { println("before"); x = 1 % fildes; printf("%d %d\\n", x, 1 % whence) }""",
    "an error of the script behind output": """
        probe syscall.lseek { println("before"); n++; if (whence == 0) error("here"); println("after") }""",
    "a division by 0 in a loop behind output": """
        probe syscall.lseek { println("before"); for (i = 3; i >= 0; i--) x += offset / i; printf("%d\\n", x) }""",
    "a captured read is one of several assignments": f"""
        probe syscall.lseek {{
          if (offset == 4 && strlen(execname()) == 3) y = 1; else y = kernel_uint16({SOMEWHERE + 8:#x})
          printf("%d\\n", y) }}""",
    "a captured read that fails, of several assignments": f"""
        probe syscall.lseek {{
          if (strlen(execname()) == 3) y = 1; else try {{ y = 7; y = kernel_uint16({NOWHERE:#x}) }} catch {{ }}
          printf("%d\\n", y) }}""",
    "the value of a captured read is not used": f"""
        probe syscall.lseek {{ if (strlen(execname()) == 4) if (kernel_int({NOWHERE:#x}) == 1) println("no") }}""",
    "a caught error has the address": f"""
        probe syscall.lseek {{ try {{ n += kernel_int({NOWHERE + 16:#x}) }} catch (e) {{ println(e) }} }}""",
    "the only program does nothing in the end": """
        probe syscall.lseek { if (t[1]) next }
        probe end { t[1]++; foreach (k in t) println(t[k]) }""",
    "two branches ask for the result of an addition": """
        probe syscall.lseek { n += --x; if (x) u[@count(a)] = n; if (n <<= 1) next; n = 3 }
        probe end { foreach (k in u) printf("%d %d\\n", k, u[k]); printf("%d\\n", @count(a)) }
        probe begin { a <<< 1 }""",
}


@pytest.mark.parametrize("name", FOUND)
def test_found(name: str) -> None:
    text = HEAD + FOUND[name]
    text = text.replace("global n, m = 5, t, u, a", _globals(text), 1)
    check(text, ONE)


def _globals(text: str) -> str:
    """Declare what the script uses."""
    used = [g for g, sign in (("t", "t["), ("u", "u["), ("a", "(a)")) if sign in text]
    return ", ".join(["global n, m = 5", *used])


def test_what_is_compared_is_something() -> None:
    """The evaluator prints and counts by itself, so that equal does not mean equally empty."""
    found = plain(
        HEAD.split("\n")[1].join(["global n, m = 5\n", "\nprobe syscall.lseek { n++; println(offset) }"]), ONE
    )
    assert found.told() == "7\n\n== 1 5\nended well"


def test_a_division_by_0_behind_output_names_its_place() -> None:
    text = 'probe syscall.lseek { println("before"); printf("%d\\n", 1 % fildes) }'
    for stage in ("auto", "mirror"):
        found = Driver(compiled(text, stage)).run([Event("enter", 0, LSEEK, (0, 0, 0))])
        assert found.out == "before\n"
        assert found.said == ["ERROR: division by 0 near operator '%' at t.stp:1:57\n"]


@pytest.mark.parametrize("update", ["++", "= 1", "<<< 1"])
def test_more_keys_than_an_array_has_room_for(update: str) -> None:
    """The run fails; where the keys are collected in the kernel, a little later."""
    text = f"global t[3]\nprobe syscall.lseek {{ t[offset] {update} }}\n"
    text += 'probe end { foreach (k in t) n++; println("end") }'
    events = [Event("enter", 0, LSEEK, (0, k, 0)) for k in (1, 2, 3, 1, 4, 5)]
    for stage in ("auto", "mirror"):
        found = Driver(compiled(text, stage)).run(events)
        assert found.failed
        assert "end" not in found.out
        (said,) = found.said
        assert said.startswith("ERROR: Array overflow, check MAXMAPENTRIES near identifier 't'")
    fits = Driver(compiled(text)).run(events[:4])
    assert (fits.out, fits.failed) == ("end\n", False)
