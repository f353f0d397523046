"""The last events before an exit(): what was counted was printed, and what wasn't printed wasn't counted."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.live.rules.workload import CALLS, OURS, trace_calls
from tests.live.tracer import run

BOTH = pytest.mark.parametrize("stage", ["auto", "mirror"])
END = 'probe end { printf("end %d\\n", n) }\n'


def told(out: str) -> tuple[int, int]:
    """(lines of events, what the end's handler says of them)."""
    *lines, last = out.splitlines()
    assert last.startswith("end "), last
    return lines.count("event"), int(last.split()[1])


@BOTH
def test_exit_in_the_kernel_stage_beside_one_of_the_user_stage(tmp_path: Path, stage: str) -> None:
    script = "global n\n" + OURS + "if (++n == 30000) exit() }\n" + OURS + 'println("event") }\n'
    script += "probe timer.s(1000) { exit() }\n" + END
    done = trace_calls(tmp_path, script, 30000, stage=stage, words=("-s16",))
    assert told(done.clean()) == (29999, 30000), done.err


@BOTH
def test_exit_in_a_timer(tmp_path: Path, stage: str) -> None:
    script = (
        "global n\n"
        + OURS
        + 'n++; println("event") }\n'
        + "probe timer.ms(50) { if (n > 1000) exit() }\n"
        + END
    )
    done = trace_calls(tmp_path, script, 200000, stage=stage, words=("-s64",))
    lines, counted = told(done.clean())
    assert lines == counted > 0


@BOTH
def test_exit_at_an_event_that_the_user_stage_decides(tmp_path: Path, stage: str) -> None:
    script = 'global n, s\nprobe syscall.getpgid { if (ppid() != target()) next; s = s . "x"\n'
    script += "if (strlen(s) == 300) exit() }\n" + OURS + 'n++; println("event") }\n' + END
    pairs = CALLS.replace("getppid()", "getppid(); os.getpgid(0)")
    (tmp_path / "pairs.py").write_text(pairs)
    (tmp_path / "script.stp").write_text(script)
    command = f"python3 {tmp_path}/pairs.py 5000 2"
    lines, counted = told(
        run(f"--stage={stage}", "-s16", "-c", command, str(tmp_path / "script.stp")).clean()
    )
    assert lines == counted >= 299


@BOTH
def test_exit_in_an_iterators_handler(tmp_path: Path, stage: str) -> None:
    script = "config = { print_maps_on_exit = false }\n"
    script += 'iter:ksym { @n++; @s = strftime("%Y", 1); printf("event\\n"); if (@n == 100) { exit(); } }\n'
    script += 'END { printf("end %d\\n", @n); }\n'
    (tmp_path / "script.bt").write_text(script)
    done = run(f"--stage={stage}", "-q", str(tmp_path / "script.bt"))
    assert told(done.clean()) == (100, 100)


def trace_until_an_error(folder: Path, script: str, stage: str, *words: str) -> tuple[int, int, str]:
    """(lines of events, what the end's or the error's handler says of them, what is said besides)."""
    (folder / "calls.py").write_text(CALLS)
    (folder / "script.stp").write_text(script)
    done = run(
        *(f"--stage={stage}", "-s64", *words, "-c", f"{sys.executable} {folder}/calls.py 5000 2"),
        str(folder / "script.stp"),
    )
    return *told(done.out), done.err


@BOTH
def test_an_error_at_an_event(tmp_path: Path, stage: str) -> None:
    script = "global n, s\n" + OURS + 'n++; s = s . "x"; println("event")\n'
    script += 'if (strlen(s) == 300) { s = ""; println(1 / strlen(s)) } }\n' + END
    lines, counted, said = trace_until_an_error(tmp_path, script.replace("end {", "error {"), stage)
    assert lines == counted >= 300
    assert said.count("ERROR: division by 0") == 1
    lines, counted, said = trace_until_an_error(tmp_path, script, stage, "-DMAXERRORS=1000")
    assert lines == counted == 10000
    assert said.count("ERROR: division by 0") == 10000 // 300


@BOTH
def test_an_error_in_a_timer(tmp_path: Path, stage: str) -> None:
    script = "global n, zero\nprobe begin { zero = 0 }\n" + OURS + 'n++; println("event") }\n'
    script += "probe timer.ms(10) { if (n > 100) println(1 / zero) }\n" + END.replace("end {", "error {")
    lines, counted, said = trace_until_an_error(tmp_path, script, stage)
    assert lines == counted > 100
    assert said.count("ERROR: division by 0") == 1
