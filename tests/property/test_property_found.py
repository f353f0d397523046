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
    "a key is rendered from a variable that changes before it is used": """
        probe syscall.lseek { x = whence; s = sprintf("%d", x); x = 2; u[s] <<< 1; u[sprintf("%d", x)] <<< 1 }
        probe end { foreach (w in u) printf("%s %d\\n", w, @count(u[w])) }""",
    "a loop's reads behind an error of the user stage": f"""
        probe syscall.lseek {{
          p = {SOMEWHERE:#x}; while (p && n++ < 5) {{ printf("%d ", 10 / (strlen(execname()) - n)); p += kernel_char(p) }} }}""",
    "a read in a loop that a try block catches": f"""
        probe syscall.lseek {{
          p = {SOMEWHERE:#x}; for (i = 0; i < 4; i++) {{
            try {{ printf("%d ", kernel_char(p)); s = kernel_string(p) }} catch (e) {{ printf("%s;", e); p = {SOMEWHERE:#x} }}
            printf("%s ", s); p = i == 1 ? {NOWHERE:#x} : p + kernel_char(p) }} }}""",
    "an address is chosen behind a condition of the user stage": f"""
        probe syscall.lseek {{
          if (strlen(execname()) > offset) next
          a = whence ? {SOMEWHERE:#x} : {SOMEWHERE + 8:#x}; if (fildes == 3) a += 8
          printf("%d %d\\n", whence, kernel_uint16(a)) }}""",
    "an address comes by a read that fails, behind a condition of the user stage": f"""
        probe syscall.lseek {{
          if (strlen(execname()) == 4) {{ a = {SOMEWHERE:#x}; try {{ println(1)
            if (whence) a = kernel_long({NOWHERE:#x}) + whence; else a = offset / whence; printf("%d\\n", kernel_char(a)) }} catch (e) {{
            printf("%s %d\\n", e, kernel_char(a)) }} }} else {{ if (whence) a = kernel_long({NOWHERE:#x}); println(a) }} }}""",
    "an error that nothing comes to, behind a condition of the user stage": f"""
        probe syscall.lseek {{
          if (strlen(execname()) == 77) {{ a = {NOWHERE:#x}; if (whence < 9) a = kernel_long(a); printf("%d\\n", kernel_char(a)) }}
          n++; printf("%d %d\\n", n, a) }}""",
    "a variable is an address, and another thing elsewhere": f"""
        probe syscall.lseek {{
          a = offset; printf("%d ", a)
          if (strlen(execname()) == 4) {{ a = {SOMEWHERE:#x}; if (whence) a += 2; printf("%d ", kernel_uint16(a)); a = fildes; a += whence }}
          else a++
          printf("%d\\n", a) }}""",
    "names of system calls are compared": """
        probe syscall.* {
          if (name == "lseek") n++; else if (name != "no such") m = 77
          printf("%d%d%d", name == "lseek" || name == "read", name == "", name != "lseek")
          t[name, name == "lseek"] = 3 }
        probe end { foreach ([w, k] in t) printf("%s %d\\n", w, k) }""",
    "a long chain, and what is left in its middle": f"""
        probe syscall.lseek {{
          println(0); x = kernel_char({SOMEWHERE:#x})
          if (offset == 1 && x > 300) printf("one %s\\n", execname())
          else if (offset == 2) printf("two %d %d\\n", whence, kernel_char({NOWHERE:#x}))
          else if (whence == 7) {{ if (fildes == 3) next; println("seven") }}
          else if (whence == 0) {{ printf("%d %s %d\\n", whence, name, tid()); n++ }}
          else if (kernel_char({NOWHERE:#x})) println(4)
          else printf("%s\\n", kernel_string({SOMEWHERE:#x}))
          printf("%d %d\\n", offset + whence, x) }}""",
    "branches that exclude one another, and a value that both and neither want": """
        probe syscall.lseek {
          x = offset * 3; y = fildes * 5; z = whence * 7
          if (whence) { printf("%d %s\\n", x, execname()); m = 1 } else { printf("%d %s\\n", y, name); m = 2 }
          if (fildes) printf("%d\\n", z); else printf("%d %d\\n", z * 2, x)
          printf("%d %d %s\\n", y, m, execname()) }""",
    "loops under conditions of the user stage": f"""
        probe syscall.lseek {{
          if (strlen(execname()) == 4 + whence) {{ p = {SOMEWHERE:#x}; for (i = 0; i < 3; i++) {{ printf("%d ", kernel_char(p)); p += 1 + kernel_char(p) % 2 }} }}
          else {{ p = {SOMEWHERE + 4:#x}; for (i = 0; i < 2; i++) {{ printf("%d,", kernel_char(p)); p += 1 + kernel_char(p) % 2 }} }}
          q = {SOMEWHERE:#x}; for (k = 0; k < 2; k++) {{ printf("%d;", kernel_char(q)); q += 1 + kernel_char(q) % 2 }}
          if (strlen(execname()) == 4) next
          q = {SOMEWHERE:#x}; while (q && n++ < 4) {{ printf("%d:%s;", kernel_char(q), kernel_string(q)); q += kernel_char(q) % 2 }}
          println(n) }}""",
    "a loop that fails or never ends, where nothing comes to it": f"""
        probe syscall.lseek {{
          if (strlen(execname()) == 77) {{ p = {NOWHERE:#x}; while (p) {{ println(p); p = kernel_long(p) }} }}
          if (strlen(execname()) == 78) {{ p = {SOMEWHERE:#x}; while (1) {{ printf("%d", kernel_char(p)); p += kernel_char(p) * 0 }} }}
          if (strlen(execname()) == 79) {{ p = {SOMEWHERE:#x}; while (1) p += kernel_char(p) * 0; println(kernel_char(p)) }}
          n++; for (i = 0; i < 3; i++) printf("%d", i); println(n) }}""",
    "a loop that fails, where the user stage comes to it": f"""
        probe syscall.lseek {{
          if (strlen(execname()) == 4) {{ p = {SOMEWHERE:#x}; try {{ while (p) {{ printf("%d ", p & 0xff); p = whence ? kernel_long({NOWHERE:#x}) : 0 }} }} catch (e) {{ println(e) }} }}
          println("behind it") }}""",
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
    "a handler before ends the run in the user stage": """
        probe syscall.lseek { println("one"); if (strlen(execname()) == 4) exit() }
        probe syscall.lseek { n++; println("two") }
        probe syscall.lseek { if (whence == 1) exit(); m = offset }
        probe error { printf("error %d\\n", n) }""",
    "a handler before fails in the user stage": """
        probe syscall.* { println(offset / strlen("")) }
        probe syscall.lseek { n++; t[whence] <<< 1; if (offset == 1) n += 5 / whence }
        probe error { printf("error %d\\n", n) }""",
    "a handler before fails in the kernel": """
        probe syscall.lseek { m = offset / whence }
        probe syscall.lseek { n++ }
        probe error { printf("error %d\\n", n) }""",
    "a handler before ends the run in the kernel": """
        probe syscall.lseek { if (whence == 0) exit(); m = 3 }
        probe syscall.lseek { n++; println("two") }""",
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
@pytest.mark.parametrize(
    "rest",
    [
        "",  # nobody reads it
        "probe end { println(READ(t[1])) }",
        "probe end { delete t; println(READ(t[1])) }",
        "probe timer.s(100) { delete t[2] }",
        "probe timer.s(100) { foreach (k in t) println(k) }",
    ],
)
def test_more_keys_than_an_array_has_room_for(update: str, rest: str) -> None:
    """The run fails at that event, and so come the error handlers and not those of the end."""
    text = f"global t[3], m\nprobe syscall.lseek {{ m++; println(offset); t[offset] {update}; println(whence) }}\n"
    text += rest.replace("READ", "@count" if "<" in update else "")
    text += '\nprobe end { println("end") } probe error { printf("error %d\\n", m) }'
    events = [Event("enter", 0, LSEEK, (0, k, 9)) for k in (1, 2, 3, 1, 4, 5)]
    for stage in ("auto", "mirror"):
        found = Driver(compiled(text, stage)).run(events, eager=False)
        assert found.failed
        assert found.out == "1\n9\n2\n9\n3\n9\n1\n9\n4\nerror 5\n", stage
        (said,) = found.said
        assert said.startswith("ERROR: Array overflow, check MAXMAPENTRIES near identifier 't'")
    fits = Driver(compiled(text)).run(events[:4])
    assert fits.out.endswith("end\n")
    assert not fits.failed


@pytest.mark.parametrize("stage", ["auto", "mirror"])
def test_an_array_that_was_only_partly_emptied_is_full_in_the_end(stage: str) -> None:
    """What was merged before counts: the kernel stage alone can't know."""
    text = """global t[3]
        probe syscall.lseek { t[offset]++ }
        probe timer.s(100) { delete t[1] }
        probe end { println("end") } probe error { println("error") }"""
    events = [Event("enter", 0, LSEEK, (0, k, 9)) for k in (1, 2, 3)]
    more = [Event("tick"), *[Event("enter", 0, LSEEK, (0, k, 9)) for k in (4, 5)]]
    found = Driver(compiled(text, stage)).run(events + more, eager=stage == "mirror")
    assert (found.out, found.failed, len(found.said)) == ("error\n", True, 1)
    found = Driver(compiled(text, stage)).run(events + more[:2])
    assert (found.out, found.failed, found.said) == ("end\n", False, [])
