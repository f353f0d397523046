"""The staging rules on the live kernel, each with what goes wrong without it.

docs/architecture.md has the rules, R0 to R14.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.rules.workload import OURS, OURS_RETURN, trace_calls
from tests.live.tracer import Tracer

BOTH = pytest.mark.parametrize("stage", ["auto", "mirror"])


@BOTH
def test_r0_handlers_are_atomic_and_ordered(tmp_path: Path, stage: str) -> None:
    """A handler that reads, decides and writes in several steps, on two CPUs at once."""
    script = "global n, odd, even\n" + OURS + "if (n % 2) odd++; else even++; n = n + 1 }\n"
    script += 'probe end { printf("%d %d %d\\n", n, odd, even) }\n'
    assert trace_calls(tmp_path, script, 20000, stage=stage).clean() == "40000 20000 20000\n"


@BOTH
def test_r1_target_is_a_constant_and_the_command_waits(tmp_path: Path, stage: str) -> None:
    """The very first calls of the command are seen."""
    script = 'probe syscall.execve { if (pid() == target()) printf("exec\\n") }\n'
    script += 'probe syscall.exit_group { if (pid() == target()) printf("exit\\n") }\n'
    done = trace_calls(tmp_path, script, 1, 1, stage)
    lines = done.clean().split()
    assert lines[0] == "exec" and lines[-1] == "exit", lines


def test_r2_kernel_calls_of_user_handlers(tmp_path: Path) -> None:
    script = """probe begin { t = pid2task(target()); printf("%d %d\\n", task_pid(t), task_tid(task_parent(t)) > 0); exit() }"""
    done = trace_calls(tmp_path, script, 1, 1)
    pid, has_parent = done.clean().split()
    assert int(pid) > 1 and has_parent == "1"


@BOTH
def test_r3_strings_are_keys_by_what_they_are_rendered_from(tmp_path: Path, stage: str) -> None:
    script = (
        "global by\nprobe syscall.{getppid,exit_group} { if (ppid() == target()) by[name, execname()]++ }\n"
    )
    script += 'probe end { foreach ([n, e] in by) printf("%s %s %d\\n", n, e, by[n, e]) }\n'
    lines = sorted(trace_calls(tmp_path, script, 500, stage=stage).clean().splitlines())
    comm = Path(sys.executable).resolve().name[:15]
    assert [line.split()[0::2] for line in lines] == [["exit_group", "2"], ["getppid", "1000"]], lines
    assert all(line.split()[1] in (comm, "python3", "python") for line in lines)


@BOTH
def test_r4_a_fault_is_raised_where_it_is_evaluated_or_never(tmp_path: Path, stage: str) -> None:
    """Whether the address is read is decided in the user stage; only then its fault counts."""
    script = "global n\n" + OURS
    script += 'if (n++ < 0) printf("%d\\n", kernel_long(8)); else if (n == 3) '
    script += 'try { printf("%d\\n", kernel_long(16)) } catch (m) { printf("caught\\n") } }\n'
    assert trace_calls(tmp_path, script, 5, 1, stage).clean() == "caught\n"


@BOTH
def test_r5_no_update_is_lost(tmp_path: Path, stage: str) -> None:
    script = "global plain, read_back, by_cpu, sizes\n"
    script += OURS + "plain++; by_cpu[cpu()]++; sizes <<< 7 }\n"
    script += OURS + "read_back[++read_back_n] = 1 }\nglobal read_back_n\n"
    script += "probe end { foreach (c in by_cpu) sum += by_cpu[c]\n"
    script += "  foreach (n in read_back) seen += read_back[n]\n"
    script += '  printf("%d %d %d %d %d\\n", plain, sum, @count(sizes), @sum(sizes), seen) }\n'
    done = trace_calls(tmp_path, script, 30000, stage=stage, words=("-DMAXMAPENTRIES=70000", "-s16"))
    assert done.clean() == "60000 60000 60000 420000 60000\n"


@BOTH
def test_r6_nothing_after_exit(tmp_path: Path, stage: str) -> None:
    """exit() lets its handler finish; what other CPUs did in the meantime is dropped, and no loss."""
    script = "global n\n" + OURS + 'if (++n == 100) exit(); printf("%d\\n", n) }\n'
    script += 'probe end { printf("end %d\\n", n) }\n'
    done = trace_calls(tmp_path, script, 50000, stage=stage)
    assert done.clean() == "".join(f"{n}\n" for n in range(1, 101)) + "end 100\n"
    # but for runs that the kernel itself leaves out (it may put one off and run another on that CPU)
    assert not re.findall(r"skipped(?!: another program)", done.err), done.err


@BOTH
def test_r7_order_over_all_cpus_and_exact_losses(tmp_path: Path, stage: str) -> None:
    """A ring too small for the flood: what was printed and what was skipped add up, in order."""
    script = "global made\n" + OURS + 'made++; printf("%d %s\\n", pid(), execname()) }\n'
    script += 'probe end { printf("made %d\\n", made) }\n'
    done = trace_calls(tmp_path, script, 150000, stage=stage, words=("-s", "1"))
    lines = done.out.splitlines()
    skipped = sum(
        int(n) for n in re.findall(r"(\d+) runs? skipped|skipped probes: (\d+)", done.err) for n in n if n
    )
    assert lines[-1] == f"made {len(lines) - 1}", (lines[-1], done.err)
    # what runs the kernel itself leaves out would have done, nobody knows: some were of other processes
    unknown = sum(int(n) for n in re.findall(r"(\d+) runs? skipped: another program", done.err))
    assert 300000 <= len(lines) - 1 + skipped <= 300000 + unknown, (len(lines) - 1, skipped, done.err)


@BOTH
def test_r7_one_runs_output_is_contiguous(tmp_path: Path, stage: str) -> None:
    script = OURS + 'printf("<%d", tid()); printf(" %d", cpu()); if (cpu() >= 0) printf(" %d>\\n", tid()) }\n'
    out = trace_calls(tmp_path, script, 3000, stage=stage).clean()
    lines = out.splitlines()
    assert len(lines) == 6000
    assert all((m := re.fullmatch(r"<(\d+) \d+ (\d+)>", line)) and m[1] == m[2] for line in lines)


@BOTH
def test_r8_reports_are_not_torn(tmp_path: Path, stage: str) -> None:
    """Every report has as much in one array as in the other, and all reports together have everything."""
    script = "global one, two, total\n" + OURS + "one[cpu()] <<< 3; two[cpu()] <<< 5 }\n"
    script += "probe timer.ms(50), end { a = 0; b = 0; s = 0\n"
    script += "  foreach (c in one) { a += @count(one[c]); s += @sum(one[c]) }\n"
    script += "  foreach (c in two) b += @count(two[c])\n"
    script += '  if (a != b || s != 3 * a) printf("torn %d %d %d\\n", a, b, s)\n'
    script += "  total += a; delete one; delete two }\n"
    script += 'probe end(1) { printf("%d\\n", total) }\n'
    assert trace_calls(tmp_path, script, 200000, stage=stage, words=("-s64",)).clean() == "400000\n"


@BOTH
def test_r9_a_return_needs_its_entry(tmp_path: Path, stage: str) -> None:
    """A call that began before tracing did is not seen to return."""
    sleeper = "import os, sys\nos.read(0, 1)\nos.getppid()\nos.read(0, 1)\n"
    process = subprocess.Popen([sys.executable, "-c", sleeper], stdin=subprocess.PIPE)
    try:
        script = tmp_path / "script.stp"
        script.write_text(
            'probe syscall.read.return { if (pid() == target()) printf("%d\\n", retval) }\n'
            'probe syscall.getppid { if (pid() == target()) printf("between\\n") }\n'
        )
        state = Path(f"/proc/{process.pid}/syscall")
        while not state.read_text().startswith("0 0x0 "):  # it waits in read(0, ...)
            pass
        with Tracer("-x", str(process.pid), str(script), stage=stage) as tracer:
            assert process.stdin is not None
            process.stdin.write(b"x")
            process.stdin.flush()
            tracer.wait_for("between")
            process.stdin.write(b"y")
            process.stdin.flush()
            tracer.wait_for("1\n")
        assert tracer.clean().split()[:2] == ["between", "1"]
    finally:
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


@BOTH
def test_r10_loops_are_bounded(tmp_path: Path, stage: str) -> None:
    script = "global sums\n" + OURS + "s = 0; for (i = 0; i < 100; i++) s += i; sums[s]++ }\n"
    script += 'probe end { foreach (s in sums) printf("%d %d\\n", s, sums[s]) }\n'
    assert trace_calls(tmp_path, script, 100, stage=stage).clean() == "4950 200\n"
    endless = (
        "global n\n" + OURS + "s = 0; while (1) s += tid(); n <<< s }\n" + 'probe end { println("end") }\n'
    )
    done = trace_calls(tmp_path, endless, 100, stage=stage)
    assert done.status == 1 and "MAXACTION" in done.err and "Traceback" not in done.err
    assert "end" not in done.out


@BOTH
def test_r11_a_read_fault_is_an_error(tmp_path: Path, stage: str) -> None:
    script = "global n\n" + OURS + 'n++; printf("%d\\n", @cast(16, "struct task_struct")->pid) }\n'
    script += 'probe error { println("error") }\nprobe end { println("end") }\n'
    done = trace_calls(tmp_path, script, 10, stage=stage)
    assert done.status == 1 and "fault" in done.err and done.out == "error\n", (done.err, done.out)


@BOTH
def test_r11_what_came_before_a_fault_happened(tmp_path: Path, stage: str) -> None:
    script = "global n\n" + OURS + 'n++; println("before"); x = kernel_long(8); println("after"); n += x }\n'
    script += 'probe error { printf("%d\\n", n) }\n'
    done = trace_calls(tmp_path, script, 10, stage=stage)
    assert done.status == 1 and "fault" in done.err and done.out == "before\n1\n", (done.err, done.out)


@BOTH
def test_r12_an_aggregate_read_in_an_event(tmp_path: Path, stage: str) -> None:
    """Its value is that of all CPUs together."""
    script = "global a\n" + OURS + 'a <<< 1; if (@count(a) == 1500) printf("%d\\n", @sum(a)) }\n'
    assert trace_calls(tmp_path, script, 1000, stage=stage).clean() == "1500\n"


@BOTH
def test_r13_programs_nest(tmp_path: Path, stage: str) -> None:
    """Samples interrupt the other programs and update the same globals with the same key."""
    script = "global both, calls\n" + OURS + 'both["x"] <<< 1; calls <<< 1 }\n'
    script += 'global samples\nprobe timer.profile { both["x"] <<< 1; samples <<< 1 }\n'
    script += 'probe end { printf("%d %d\\n", @count(calls), @count(both["x"]) - @count(calls) - @count(samples)) }\n'
    assert trace_calls(tmp_path, script, 100000, stage=stage, words=("-s64",)).clean() == "200000 0\n"


@BOTH
def test_r14_handlers_of_one_event_in_source_order(tmp_path: Path, stage: str) -> None:
    script = OURS + 'printf("a%d ", tid()) }\n' + OURS + 'printf("b%d\\n", tid()) }\n' + "global n\n"
    script += OURS_RETURN + "n++ }\n" + 'probe end { printf("%d\\n", n) }\n'
    out = trace_calls(tmp_path, script, 500, 1, stage).clean()
    lines = out.splitlines()
    assert lines.pop() == "500"
    assert len(lines) == 500 and all((m := re.fullmatch(r"a(\d+) b(\d+)", x)) and m[1] == m[2] for x in lines)


@BOTH
def test_r8_a_user_handler_changes_what_events_read(tmp_path: Path, stage: str) -> None:
    """A timer takes away from what events add to and read: nothing is lost in between."""
    script = "global n, taken\n" + OURS + "if (++n > 1000000) exit() }\n"
    script += "probe timer.ms(10) { taken += n; n = 0 }\n"
    script += 'probe end { printf("%d\\n", n + taken) }\n'
    assert trace_calls(tmp_path, script, 100000, stage=stage, words=("-s64",)).clean() == "200000\n"
