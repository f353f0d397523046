"""R4's loops on the live kernel: what a loop reads on its way is what was there at the event.

The workload changes its list as soon as its call has returned, and lies in another process than the tracer: a read that
the user stage makes later finds something else, or nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.live.tracer import Tracer, run

BOTH = pytest.mark.parametrize("stage", ["auto", "mirror"])
CALLS = 400
# lseek(-1, address of a list, how many nodes) again and again; each node: next, number, name; then all is overwritten
LISTS = f"""
import ctypes, os
libc = ctypes.CDLL(None)
libc.lseek.argtypes = (ctypes.c_int, ctypes.c_long, ctypes.c_int)
class Node(ctypes.Structure):
    _fields_ = [("next", ctypes.c_ulong), ("number", ctypes.c_long), ("name", ctypes.c_char * 80)]
nodes = (Node * 8)()
def at(n): return ctypes.addressof(nodes) + n * ctypes.sizeof(Node)
for call in range({CALLS}):
    length = call % 7
    order = [(call + 3 * n) % 8 for n in range(length)]
    for n, place in enumerate(order):
        nodes[place].next = at(order[n + 1]) if n + 1 < length else 0
        nodes[place].number = 10 * call + n
        nodes[place].name = b"%d" % call * (n * 5)
    libc.lseek(-1, at(order[0]) if order else 0, length)
    for node in nodes:
        node.next, node.number, node.name = 16, -1, b"too late"
"""
OURS = "probe syscall.lseek { if (pid() != target() || fildes != -1 || whence > 7) next; p = offset; "
STEP = "p = user_long(p); "


def trace_lists(folder: Path, script: str, stage: str, words: tuple[str, ...] = ()) -> Tracer:
    """Run a script over the workload."""
    program, path = folder / "lists.py", folder / "script.stp"
    program.write_text(LISTS)
    path.write_text(script)
    words = ("-s16", *words)  # room for all records at once
    return run("-c", f"{sys.executable} {program}", *words, str(path), stage=stage)


def numbers(call: int) -> list[int]:
    """The numbers in the list of a call."""
    return [10 * call + n for n in range(call % 7)]


@BOTH
def test_r4_a_list_is_walked_where_it_is(tmp_path: Path, stage: str) -> None:
    script = OURS + 'while (p) { printf("%d:%s ", user_long(p + 8), user_string(p + 16)); ' + STEP + "}\n"
    script += '  printf("%d\\n", whence) }\n'
    wanted = ""
    for call in range(CALLS):
        wanted += "".join(f"{n}:{(str(call) * (5 * at))} " for at, n in enumerate(numbers(call)))
        wanted += f"{call % 7}\n"
    assert trace_lists(tmp_path, script, stage).clean() == wanted


@BOTH
def test_r4_ways_out_of_a_loop(tmp_path: Path, stage: str) -> None:
    """break, continue, next and return, decided by what the loop reads; a loop in a loop; the end of a tapset function."""
    script = "function last:long(p:long) { while (1) { if (!user_long(p)) return user_long(p + 8); p = user_long(p) } }\n"
    script += OURS + 'if (p) printf("last %d:", last(p)); while (p) { n = user_long(p + 8); q = p; ' + STEP
    script += (
        'if (n % 10 == 1) continue; if (n % 10 == 5) break; if (n % 100 == 43) { println(" next"); next }\n'
    )
    script += (
        '  for (i = 0; q && i < 2; i++) { printf(" %d", user_long(q + 8)); q = user_long(q) } printf(",") }\n'
    )
    script += '  println("") }\n'
    wanted = ""
    for call in range(CALLS):
        mine = numbers(call)
        line = f"last {mine[-1]}:" if mine else ""
        for at, n in enumerate(mine):
            if n % 10 == 1:
                continue
            if n % 10 == 5:
                break
            if n % 100 == 43:
                line += " next"
                break
            line += "".join(f" {x}" for x in mine[at : at + 2]) + ","
        wanted += line + "\n"
    assert trace_lists(tmp_path, script, stage).clean() == wanted


@BOTH
def test_r4_an_error_in_a_turn_is_raised_in_that_turn(tmp_path: Path, stage: str) -> None:
    """What was printed before it stays; a try block around the loop or in it catches it."""
    walk = 'while (1) { printf("%d ", 100 / ((user_long(p + 8) % 10) - 2)); ' + STEP + "}"
    inner = 'for (i = 0; p; i++) { try { printf("%d ", 100 / ((user_long(p + 8) % 10) - 2)) } catch (m) { printf("%d:%s ", i, m) } '
    script = OURS + "if (whence == 6) try { " + walk + ' } catch (m) { printf("%s;", m) }\n'
    script += "  p = offset; " + inner + STEP + '} println("") }\n'
    line = ""
    done = trace_lists(tmp_path, script, stage)
    for call in range(CALLS):
        if call % 7 == 6:
            line += "-50 -100 division by 0;"
        found = ["-50", "-100", "2:division by 0", "100", "50", "33"]
        line += "".join(f"{word} " for word in found[: call % 7]) + "\n"
    assert done.clean() == line


@BOTH
def test_r4_effects_in_a_loop_of_the_kernel(tmp_path: Path, stage: str) -> None:
    """A global that the loop changes has all of its turns, and no more."""
    script = (
        "global seen, sum\n"
        + OURS
        + "while (p) { seen[user_long(p + 8) % 10] <<< 1; sum += user_long(p + 8); "
    )
    script += 'printf("."); ' + STEP + '} }\nprobe end { printf("\\n%d", sum); '
    script += 'foreach (k+ in seen) printf(" %d:%d", k, @count(seen[k])) println("") }\n'
    all_of_them = [n for call in range(CALLS) for n in numbers(call)]
    counts = " ".join(f"{k}:{sum(n % 10 == k for n in all_of_them)}" for k in range(6))
    wanted = "." * len(all_of_them) + f"\n{sum(all_of_them)} {counts}\n"
    assert trace_lists(tmp_path, script, stage).clean() == wanted


@BOTH
@pytest.mark.parametrize(
    ("words", "call", "error"),
    [
        (("-DMAXACTION=4",), 4, "MAXACTION exceeded"),  # the test that ends a loop is a turn, too
        (("-DMAXLOG=72",), 5, "the log of what loops print in one run is full"),
    ],
)
def test_r10_a_loop_too_long_ends_behind_what_it_printed(
    tmp_path: Path, stage: str, words: tuple[str, ...], call: int, error: str
) -> None:
    """MAXACTION's excess, and a log that is full, are errors of that turn: nothing is silently missing."""
    script = OURS + 'while (p) { printf("%d ", user_long(p + 8)); ' + STEP + '} println("") }\n'
    script += 'probe error { println("error") }\n'
    done = trace_lists(tmp_path, script, stage, words)
    wanted = "".join("".join(f"{n} " for n in numbers(before)) + "\n" for before in range(call))
    assert done.status == 1
    assert done.out == wanted + "".join(f"{n} " for n in numbers(call)[:4]) + "error\n", done.err
    assert error in done.err


USER = "if (strlen(execname()) > 100 * (whence % 2)) "  # that is, where whence is even


@BOTH
def test_r4_loops_under_conditions_of_the_user_stage(tmp_path: Path, stage: str) -> None:
    """The kernel runs them in any case, for their reads; what it logged of those that aren't come to is passed over."""
    script = (
        OURS.replace("p = offset; ", "")
        + USER
        + '{ p = offset; while (p) { printf("%d:%s ", user_long(p + 8), user_string(p + 16)); '
        + STEP
        + "} }\n"
    )
    script += '  else { r = offset; for (i = 0; r && i < 2; i++) { printf("%d,", user_long(r + 8)); r = user_long(r) } '
    script += 'printf("odd ") }\n'
    script += '  q = offset; while (q) { printf(".%d", user_long(q + 8) % 10); q = user_long(q) }\n'
    script += '  printf(" %d\\n", whence) }\n'
    wanted = ""
    for call in range(CALLS):
        mine = numbers(call)
        if call % 7 % 2:
            wanted += "".join(f"{n}," for n in mine[:2]) + "odd "
        else:
            wanted += "".join(f"{n}:{str(call) * (5 * at)} " for at, n in enumerate(mine))
        wanted += "".join(f".{n % 10}" for n in mine) + f" {call % 7}\n"
    done = trace_lists(tmp_path, script, stage)
    assert done.clean() == wanted
    assert "late" not in done.err, done.err


@BOTH
@pytest.mark.parametrize(
    ("words", "error"), [(("-DMAXACTION=4",), "MAXACTION"), (("-DMAXLOG=72",), "MAXLOG")]
)
def test_r10_a_loop_too_long_that_nothing_comes_to_is_no_error(
    tmp_path: Path, stage: str, words: tuple[str, ...], error: str
) -> None:
    loop = '{ p = offset; while (p) { printf("%d ", user_long(p + 8)); ' + STEP + "} }"
    script = OURS.replace("p = offset; ", "") + f"if (strlen(execname()) > 100) {loop} println(whence) }}\n"
    done = trace_lists(tmp_path, script, stage, words)
    assert done.clean() == "".join(f"{call % 7}\n" for call in range(CALLS))
    script = (
        OURS.replace("p = offset; ", "")
        + f'if (strlen(execname()) < 100) {loop} println("") }}\nprobe error {{ println("error") }}\n'
    )
    done = trace_lists(tmp_path, script, stage, words)
    assert done.status == 1
    assert error in done.err
    assert done.out.endswith(
        "".join(f"{n} " for n in numbers(4 if error == "MAXACTION" else 5)[:4]) + "error\n"
    )
