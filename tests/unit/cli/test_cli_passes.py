"""-p N, the lines of -v, languages, listings, warnings, explain: what compiles and doesn't run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cli_kit import ROOT, Command

HELLO = 'probe begin { println("hello") exit() }'
COUNT = 'global n probe kernel.trace("kfree_skb") { n[execname()] <<< 1 } probe timer.s(1) { println(@count(n["a"])) }'


def test_pass_1_prints_the_parsed_script(pystap: Command) -> None:
    out = pystap("-p1", "-e", HELLO).worked()
    assert out == 'probe begin {\n    println("hello");\n    exit();\n}\n'


def test_pass_1_needs_no_types(pystap: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without BTF, or none at all, is no reason not to parse."""
    monkeypatch.setattr("pystap.kernel.target.vmlinux_btf", _no_btf)
    pystap("-p1", "-e", 'probe kernel.function("nowhere") { println($x) }').worked()
    pystap("-p1", "--lang=bt", "-e", "kprobe:nowhere { print(arg0); }").worked()


CASES_WITHOUT_TYPES = [
    (
        'probe kernel.trace("sched_switch") { println($next->pid) }',
        "'$next' needs the kernel's type information",
    ),
    ("probe begin { println(task_current()) }", "'struct task_struct' needs the kernel's type information"),
    ('probe begin { println(@cast(1, "struct sock")->sk_family) }', "'struct sock' needs the kernel's type"),
    ('probe begin { println(@var("init_task")->pid) }', "needs the kernel's type information"),
]


@pytest.mark.parametrize(("script", "words"), CASES_WITHOUT_TYPES)
def test_what_needs_types_says_so(
    pystap: Command, monkeypatch: pytest.MonkeyPatch, script: str, words: str
) -> None:
    """On a kernel without BTF: the place, what lacks, and what there is without it."""
    monkeypatch.setattr("pystap.kernel.target.vmlinux_btf", _no_btf)
    monkeypatch.setattr("pystap.cli.live._tracepoints", lambda: {"sched_switch": "sched"})
    monkeypatch.setattr("pystap.sema.stp.check_types.symbol_known", lambda c, e: True)
    done = pystap("-p2", "-e", script)
    done.failed(
        "E310", words, "CONFIG_DEBUG_INFO_BTF=y", "<input>:1:", "without it there are begin, end, timers"
    )
    assert "W313" not in done.err


def test_what_works_without_types(pystap: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pystap.kernel.target.vmlinux_btf", _no_btf)
    monkeypatch.setattr("pystap.cli.live._tracepoints", lambda: {"sched_switch": "sched"})
    for script in (
        HELLO,
        'global n probe kernel.trace("sched:sched_sw*") { n[execname(), pid(), ppfunc()]++ }',
        'probe syscall.openat { println(argstr) } probe syscall.read.return { printf("%s %d", retstr, $return) }',
        "global n probe timer.profile { n[execname()]++ }",
    ):
        pystap("-p3", "-e", script).worked()
    parent = pystap("-p3", "-e", "probe timer.profile { println(ppid()) }")
    parent.failed("E310", "ppid() needs the kernel's type information")
    typo = pystap("-p2", "-e", 'probe kernel.trace("sched_swich") {}')
    typo.failed("E303", "did you mean 'sched_switch'?", "W313")


def _no_btf() -> bytes:
    from pystap.kernel.sys import KernelError

    raise KernelError(2, "opening the BTF of vmlinux")


def test_damaged_types(pystap: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pystap.kernel.target.vmlinux_btf", lambda: b"\x9f\xeb\x01\x00 nonsense")
    pystap("-p2", "-e", HELLO).failed("E310")


def test_pass_2_prints_the_typed_script(pystap: Command) -> None:
    out = pystap("-p2", "-e", COUNT).worked()
    assert "handler" in out and "kfree_skb" in out


def test_pass_2_finds_wrong_names_and_pass_1_does_not(pystap: Command) -> None:
    pystap("-p1", "-e", "probe begin { foo() }").worked()
    pystap("-p2", "-e", "probe begin { foo() }").failed("E209")


def test_pass_3_prints_the_code(pystap: Command) -> None:
    out = pystap("-p3", "-e", COUNT).worked()
    assert "tp_btf kfree_skb" in out and "exit" in out


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("parse", "println("),
        ("sema", 'printf "hello'),
        ("stage", "user"),
        ("ebpf", ""),
        ("python", "def "),
        ("link", "Program("),
    ],
)
def test_dump_after(pystap: Command, name: str, text: str) -> None:
    out = pystap("-p3", f"--dump-after={name}", "-e", HELLO).worked()
    assert text in out


def test_lines_of_the_passes(pystap: Command) -> None:
    err = pystap("-v", "-p3", "-e", COUNT).err
    took = r" in \d+usr/\d+sys/\d+real ms\.\n"
    want = (
        rf"Pass 1: parsed <input>{took}Pass 2: analyzed script: 2 probes, 0 functions, 1 global{took}"
        rf"Pass 3: compiled 1 eBPF program, \d+ instructions{took}"
    )
    assert re.fullmatch(want, err), err
    assert pystap("-v", "-p1", "-e", COUNT).err.count("Pass ") == 1


# -- language


def test_language_by_suffix_and_first_line(pystap: Command) -> None:
    bt = 'BEGIN { printf("hello\\n"); exit(); }\n'
    Path("a.bt").write_text(bt)
    Path("a.txt").write_text("#!/usr/bin/env bpftrace\n" + bt)
    Path("b.txt").write_text("#!/usr/bin/env stap\n" + HELLO)
    Path("c.txt").write_text(bt)
    assert "begin\n{" in pystap("-p1", "a.bt").worked()
    assert "begin\n{" in pystap("-p1", "a.txt").worked()
    assert "probe begin" in pystap("-p1", "b.txt").worked()
    assert "begin\n{" in pystap("-p1", "--lang=bt", "c.txt").worked()
    assert pystap("-p1", "c.txt").status == 1  # SystemTap's, if nothing says otherwise


def test_standard_input(pystap: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import sys

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(HELLO.encode())))
    assert "println" in pystap("-p1", "-").worked()


def test_arguments_reach_the_script(pystap: Command) -> None:
    assert "7" in pystap("-p1", "-e", "probe begin { println($1 + 1) }", "7").worked()


# -- warnings


WARNS = "global x probe begin { if (x) println(3) }"


def test_warnings(pystap: Command) -> None:
    ran = pystap("-p2", "-e", WARNS)
    assert ran.status == 0 and "warning[W202]: the global 'x'" in ran.err and "--> <input>:1:8" in ran.err
    assert pystap("-p2", "-w", "-e", WARNS).err == ""
    ran = pystap("-p2", "-W", "-e", WARNS)
    assert ran.status == 1 and "error[W202]" in ran.err and ran.out == ""


# -- help, version, tools


def test_help_and_version(pystap: Command) -> None:
    out = pystap("--help").worked()
    assert out.startswith("usage: pystap") and "  nettop  " in out
    assert pystap("-h").worked() == out
    assert pystap("-V").worked().startswith("pystap ")
    assert pystap("--version").worked() == pystap("-V").worked()


def test_every_option_is_in_the_help(pystap: Command) -> None:
    out = pystap("--help").worked()
    shorts = [f"-{letter}" for letter in "evpocxTgGDswfq"]
    for option in [*shorts, "--lang", "--stage", "--dump-after", "--unsafe", "--no-standins"]:
        assert re.search(rf"(?m)^.*{option}\b", out), option


def test_tools(pystap: Command) -> None:
    usage = pystap("nettop", "--help").worked()
    assert usage.startswith("pystap nettop: Packets") and "usage: pystap nettop [OPTIONS] [INTERVAL" in usage
    assert "timer.ms(5000)" in pystap("-p1", "nettop").worked()
    for words in (["2"], ["-i2"], ["-i", "2"], ["--interval=2"], ["--interval", "2.0"]):
        assert "timer.ms(2000)" in pystap("-p1", "nettop", *words).worked()


def test_a_file_goes_before_a_tool_and_a_folder_does_not(pystap: Command) -> None:
    Path("nettop").mkdir()
    assert "timer.ms(5000)" in pystap("-p1", "nettop").worked()
    Path("nettop").rmdir()
    Path("nettop").write_text(HELLO)
    assert "hello" in pystap("-p1", "nettop").worked()


@pytest.mark.parametrize("path", sorted((ROOT / "pystap" / "tools").glob("*.stp")), ids=lambda p: p.stem)
def test_every_tool_says_what_it_does(pystap: Command, path: Path) -> None:
    from pystap.cli.toolbox import summary

    assert len(summary(path.stem)) > 20
    assert f"usage: pystap {path.stem}" in pystap(path.stem, "--help").worked()


# -- explain


def test_explain(pystap: Command) -> None:
    out = pystap("explain", "-e", COUNT).worked()
    assert re.search(r"^ *KU? 1 \| ", out, re.M) or re.search(r"^KU 1 \| ", out, re.M), out
    assert 'kernel.trace("kfree_skb"): kernel stage, by BTF tracepoint kfree_skb' in out
    assert "timer.s(1): user stage" in out
    assert re.search(r"^  n\[16 bytes\]: kernel, per CPU", out, re.M)
    assert "mirrored" not in out
    assert re.search(r"^  n\.0: percpu_hash", out, re.M)


def test_explain_says_why_a_handler_is_mirrored(pystap: Command) -> None:
    out = pystap(
        *("explain", "-e"),
        'global n probe kernel.trace("kfree_skb") {\n  foreach (k in n) println(k)\n  n[execname()]++\n}',
    ).worked()
    assert re.search(
        r'kernel.trace\("kfree_skb"\): mirrored, by BTF tracepoint kfree_skb; one record of \d+ bytes', out
    )
    assert re.search(r"^      mirrored: line 2: .+", out, re.M), out
    assert re.search(r"^ M 2 \| ", out, re.M), out


def test_explain_says_which_loops_log(pystap: Command) -> None:
    loop = 'for (i = 0; i < 9; i++) {\n  printf("%d", p)\n p = kernel_long(p) }'
    out = pystap("explain", "-e", f'probe kernel.trace("kfree_skb") {{ p = $location\n {loop} }}').worked()
    assert re.search(r'kernel.trace\("kfree_skb"\): kernel stage, by .+; one record of \d+ bytes a run', out)
    assert re.search(
        r"^      loop: line 2: runs in the kernel; .+ logged, \d+ bytes a run at most", out, re.M
    ), out
    assert "late" not in out


def test_options_may_stand_before_explain(pystap: Command) -> None:
    Path("a.stp").write_text(COUNT)
    out = pystap("explain", "a.stp").worked()
    assert pystap("-w", "explain", "a.stp").worked() == out
    pystap("doctor", "a.stp").failed("E901")


def test_explain_of_a_forced_mirror(pystap: Command) -> None:
    assert "mirrored, by" in pystap("explain", "--stage=mirror", "-e", COUNT).worked()


def test_explain_a_wrong_script(pystap: Command) -> None:
    ran = pystap("explain", "-e", "probe begin { foo() }")
    ran.failed("E209")
    assert ran.out == ""
