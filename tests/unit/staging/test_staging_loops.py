"""Loops that the kernel controls and logs (R4), and those that it can't."""

from __future__ import annotations

from typing import Any

import pytest
from staging_kit import EVENT, TARGET, Made, order

from pystap.compiler import Compilation, mirrored_instead, run_passes
from pystap.diag import Bag
from pystap.ir.walk import statements
from pystap.options import Options
from pystap.source import Source
from pystap.staging.plan import KernelProgram, LogLoop

WALK = "p = offset; while (p && n++ < 10) { %s p = kernel_long(p) }"


def made(body: str, before: str = "", stage: str = "auto") -> Made:
    return Made(f"{before}\n{EVENT} {{ {body} }}", stage)


def loops(one: Made) -> int:
    """How many loops of the first program log."""
    return sum(isinstance(s, LogLoop) for s in statements(one.body))


@pytest.mark.parametrize("stage", ["auto", "mirror"])
@pytest.mark.parametrize(
    "body",
    [
        WALK % 'printf("%d\\n", p);',
        WALK % "println(kernel_string(p));",
        WALK % "if (p == 7) continue; println(p);",
        WALK % "if (p == 7) break; println(p);",
        WALK % "if (p == 7) next; println(p);",
        WALK % "try { println(kernel_long(p + 8)) } catch (m) { println(m) }",
        "try { " + WALK % "println(p);" + " } catch { println(2) }",
        WALK % "q = p; for (i = 0; i < 3; i++) { println(q); q = kernel_long(q) }",
        WALK % "m++; m *= 2; println(m);",
        WALK % "if (strlen(execname()) == 3) println(kernel_string(p));",
        WALK % "sum[p] <<< 1; println(p);",
        'printf("%d", 10 / strlen(execname())); ' + WALK % "println(p);",
        "f(offset)",
        "if (strlen(execname()) == 3) { " + WALK % "println(p);" + " }",
        "try { " + WALK % "println(10 / strlen(execname()));" + " } catch { println(1) }",
        "if (strlen(execname()) == 3) next; " + WALK % "println(p);",
        "if (strlen(execname()) == 3) { "
        + WALK % "println(p);"
        + " } else { q = whence; while (q && k++ < 10) { println(q); q = kernel_long(q) } }",
        "while (1) { p = kernel_long(p); if (!p) break; println(p) }",
    ],
)
def test_a_loop_that_the_kernel_controls_has_no_late_reads(body: str, stage: str) -> None:
    before = (
        "global m, sum\nfunction f(p) { while (1) { println(p); p = kernel_long(p); if (!p) return 3 } }\n"
    )
    after = "probe end { foreach (k in sum) println(k) }" if "sum" in body else ""
    one = made(body, before + after, stage)
    assert one.notes("late") == []
    assert loops(one) >= 1
    assert "runs in the kernel" in one.notes("log")[0]
    assert "append" in one.kernel and "take" in one.user
    assert "load" not in one.user.replace("loop", "")


@pytest.mark.parametrize(
    "body",
    [
        WALK % "if (strlen(kernel_string(p)) == 3) break; println(p);",
        WALK % "if (n > m) next; println(p); m++;",
        "while (m < 10) { m++; println(p); p = kernel_long(p) }",
        "foreach (k in t) { " + WALK % "println(p);" + " }",
    ],
)
def test_a_loop_that_the_user_stage_controls_goes_there(body: str) -> None:
    one = made(body, "global m, t probe end { t[1] = 1 }")
    assert len(one.notes("late")) >= 1
    assert loops(one) == 0
    assert "append" not in one.kernel


@pytest.mark.parametrize(
    "body",
    [
        "for (i = 0; i < 5; i++) println(i)",
        "for (i = 0; i < 5; i++) println(kernel_long(offset))",
        "for (i = 0; i < 5; i++) x += i; println(x)",
        "println(1); for (i = 1; i < 5; i++) x += whence / i; println(x)",
    ],
)
def test_a_loop_whose_reads_are_not_late_logs_nothing(body: str) -> None:
    one = made(body)
    assert loops(one) == 0
    assert one.notes("log") == []
    assert all(record.inside == -1 for record in one.staged.records)


def test_both_halves_have_the_values_in_the_same_order() -> None:
    one = made(WALK % 'if (p & 1) println(kernel_string(p)); printf("%d %d\\n", n, p);')
    kernel = [len(op.args) for op in one.ops("append")]
    takes = one.user.count("take")
    assert sum(kernel) == takes
    assert order(
        one.kernel, "reserve", "loop", "append", "if", "load_str", "append", "load", "append", "leave handler"
    )
    assert order(one.user, "turns", "loop", "take", "if", "raise_site", "printf", "take", "raise_site")


def test_what_does_not_turn_is_a_field() -> None:
    one = made("x = whence * 3; " + WALK % 'printf("%d %d\\n", x, p);')
    assert one.fields == ["x", "used", "inside", "log"]
    assert one.kernel.index("put") < one.kernel.index("loop")


def test_an_error_in_a_turn_ends_the_run_in_both_stages() -> None:
    one = made(WALK % "println(p);")
    assert order(one.kernel, "capture", "fault_of", "append", "if fault", "append", "exit", "leave handler")
    assert order(one.user, "take", "if fault", "take", "raise_site")


def test_an_error_in_a_try_block_leaves_it_in_the_kernel() -> None:
    one = made("try { " + WALK % "println(p);" + " } catch { println(2) }")
    assert order(one.kernel, "scope done", "scope caught", "loop", "leave caught", "leave done")
    assert order(one.user, "try", "loop", "raise_site", "catch")
    assert "exit" not in one.kernel


def test_a_global_is_not_changed_behind_an_error_of_the_user_stage() -> None:
    report = "global m\nprobe end { println(m) }"
    assert made(WALK % "m++; println(p);", report).home("m") == "delta"
    assert made(WALK % "m++; println(10 / strlen(execname()));", report).home("m") == "user"


@pytest.mark.parametrize(
    ("loop", "size"),
    [
        ("for (i = 0; i < 5; i++) { println(p); p = kernel_long(p) }", 6 * (8 + 8 + 8 + 8)),
        ("for (i = 2; i <= 5; i += 3) { println(p); p = kernel_long(p) }", 7 * (8 + 8 + 8 + 8)),
        (
            "for (i = 0; i < 5; i++) for (k = 0; k < 2; k++) { println(p); p = kernel_long(p) }",
            6 * (8 + 3 * 32),
        ),
        ("for (i = 0; i < whence; i++) { println(p); p = kernel_long(p) }", 4096),
        ("for (i = 0; i < 5; i++) { println(p); p = kernel_long(p); if (p) i = 0 }", 4096),
        ("for (i = 0; i < 5; ) { println(p); p = kernel_long(p); if (p) i++ }", 4096),
        ("for (i = 0; i < 5000; i++) { println(p); p = kernel_long(p) }", 4096),
    ],
)
def test_a_log_has_room_for_what_its_loops_can_do(loop: str, size: int) -> None:
    one = made(f"p = offset; {loop}")
    assert one.ops("append")[0].attr.log.size == size
    assert one.staged.records[0].size == one.ops("append")[0].attr.log.offset + size


def test_some_logs_fit_into_a_ring() -> None:
    one = Made(f"{EVENT} {{ {WALK % 'println(p);'} }}", buffer=4096)
    assert one.ops("append")[0].attr.log.size == 1024
    assert Made(f"{EVENT} {{ {WALK % 'println(p);'} }}", max_log=200).ops("append")[0].attr.log.size == 200


# what had the warning of late reads when loops were the user stage's
ONCE_LATE = {
    "stp": [
        'probe kernel.trace("netif_rx") { p = $skb->dev->dev_list->next; '
        'for (i = 0; i < 5; i++) { printf("%d %p\\n", i, p); p = @cast(p, "list_head")->next } }',
        "probe syscall.lseek { t = task_current(); while (t && n++ < 10) "
        '{ printf("%d %s\\n", task_pid(t), task_execname(t)); t = task_parent(t) } }',
        'function chain:string(t:long) { while (t && n++ < 8) { s = s . sprintf("%d<", task_pid(t)); '
        "t = task_parent(t) } return s } probe syscall.lseek { println(chain(task_current())) }",
        'probe syscall.lseek { while (n < 10) { printf("%s ", kernel_string(p)); p = kernel_long(p); n++ } }',
    ],
    "bt": [
        "rawtracepoint:sys_enter { $t = (struct task_struct *)curtask; $i = 0; "
        'while ($i < 5) { printf("%d %s\\n", $t->pid, $t->comm); $t = $t->real_parent; $i++; } }',
        "rawtracepoint:sys_enter { $t = (struct task_struct *)curtask; "
        'unroll(5) { printf("%d %s\\n", $t->pid, $t->comm); $t = $t->real_parent; } }',
    ],
}


@pytest.mark.parametrize("stage", ["auto", "mirror"])
@pytest.mark.parametrize(("lang", "text"), [(lang, text) for lang in ONCE_LATE for text in ONCE_LATE[lang]])
def test_once_late(lang: str, text: str, stage: str) -> None:
    bag = Bag()
    c = Compilation(Source(f"t.{lang}", text), lang, TARGET, Options(stage=stage), bag)
    assert run_passes(c, 3), [d.message for d in bag.errors]
    assert "W310" not in [d.code for d in bag.items]
    assert c.staged is not None
    assert [n.kind for n in c.staged.notes if n.kind in ("late", "log")] == ["log"]


def test_a_walk_too_big_for_the_kernel_is_the_user_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last resort, which says so, and warns of its late reads."""
    from pystap.backend import ebpf

    real = ebpf.generate

    def generate(program: KernelProgram, *args: Any) -> Any:
        if any(isinstance(s, LogLoop) for s in statements(program.body)):
            raise ebpf.TooBig("needs 900 bytes of stack", program.body[-1].span)  # type: ignore[attr-defined]
        return real(program, *args)

    monkeypatch.setattr("pystap.backend.ebpf.generate", generate)
    text = f"{EVENT} {{ {WALK % 'println(p);'} }}"
    c: Compilation | None = Compilation(Source("t.stp", text), "stp", TARGET, Options(), Bag())
    stages = []
    while c is not None and not run_passes(c, 3):
        stages.append((c.options.stage, c.options.max_log))
        c = mirrored_instead(c)
    assert stages == [("auto", 4096), ("mirror", 4096)]
    assert c is not None
    assert [d.code for d in c.bag.items] == ["W320", "W310"]
