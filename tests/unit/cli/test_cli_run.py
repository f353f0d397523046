"""Running, with a door that has no kernel behind it: refusals, fallbacks, output, statuses."""

from __future__ import annotations

import errno
import signal
from pathlib import Path

import pytest
from cli_kit import Command

from pystap.kernel.prog import VerifierError
from pystap.kernel.sys import KernelError
from pystap.program import Program
from pystap.runtime.door import Door

TICK = 'probe kernel.trace("kfree_skb") { println(pid()) } probe timer.ms(1) { println("tick") exit() }'
LINES = """\
probe kernel.trace("kfree_skb")
{
  if (pid() == 5)
    println(execname())
}
probe timer.ms(1) { println("tick") exit() }
"""
LOG = """\
0: R1=ctx() R10=fp0
; println(execname()) @ <input>:4
7: (79) r0 = *(u64 *)(r8 +0)
R8 !read_ok
processed 8 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""


class NoDoor(Door):
    """A door that lets everything through. refuse: programs whose loading fails, and how."""

    refuse: KernelError | None = None
    only_first = True
    attach_refuses: KernelError | None = None
    loads = 0
    closed = 0

    def make_maps(self, program: Program) -> None:
        pass

    def load(self, program: Program) -> None:
        cls = type(self)
        cls.loads += 1
        if cls.refuse is not None and (cls.loads == 1 or not cls.only_first):
            raise cls.refuse

    def attach(self) -> list[str]:
        if type(self).attach_refuses is not None:
            raise type(self).attach_refuses
        return []

    def quiesce(self) -> None:
        pass

    def close(self) -> None:
        type(self).closed += 1
        super().close()


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> type[NoDoor]:
    """The class of this test's door, in the place of the real one."""

    class Mine(NoDoor):
        pass

    monkeypatch.setattr("pystap.runtime.door.Door", Mine)
    monkeypatch.setattr("pystap.kernel.features.explain_missing", list)
    return Mine


def test_a_run(pystap: Command, door: type[NoDoor]) -> None:
    ran = pystap("-v", "-e", TICK)
    assert (ran.status, ran.out) == (0, "tick\n")
    passes = [line.split(" in ")[0] for line in ran.err.splitlines()]
    assert passes[3:] == ["Pass 4: loaded 1 eBPF program", "Pass 5: starting run.", "Pass 5: run completed"]
    assert door.loads == 1 and door.closed >= 1


def test_pass_4_loads_and_runs_nothing(pystap: Command, door: type[NoDoor]) -> None:
    ran = pystap("-p4", "-o", "out", "-e", TICK)
    assert (ran.status, ran.out) == (0, "") and door.loads == 1 and door.closed >= 1
    assert not Path("out").exists(), "-o belongs to the run"


def test_the_status_is_the_scripts(pystap: Command, door: type[NoDoor]) -> None:
    assert pystap("-e", "probe begin { exit() }").status == 0
    ran = pystap("-e", 'probe begin { error("bad") } probe error { println("handled") }')
    assert ran.status == 1 and ran.err.startswith("ERROR: bad near") and ran.out == "handled\n"
    assert pystap("--lang=bt", "-q", "-e", "BEGIN { exit(3); }").status == 3


# -- this kernel, this user


def test_no_rights(pystap: Command, door: type[NoDoor], monkeypatch: pytest.MonkeyPatch) -> None:
    reason = "user 1000 lacks CAP_PERFMON and CAP_BPF: run it as root"
    monkeypatch.setattr("pystap.kernel.features.explain_missing", lambda: [reason])
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    for last in ("-p4", "-p5"):
        pystap(last, "-e", TICK).failed("E311", reason, "run it as root (sudo)")
    pystap("-p3", "-e", TICK).worked()
    ran = pystap("doctor")
    assert ran.status == 1 and f"  no   {reason}\n" in ran.out and "try as root" in ran.out


def test_no_bpf(pystap: Command, door: type[NoDoor], monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without bpf(2), asked through the real function."""

    def refused(*_: object) -> int:
        raise KernelError(38, "asking for programs")

    monkeypatch.undo()
    monkeypatch.setattr("pystap.kernel.features.bpf", refused)
    pystap("-p4", "-e", TICK).failed("E311", "has no bpf(2)")


def test_no_types_at_all(pystap: Command, door: type[NoDoor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pystap.kernel.features.explain_missing", lambda: ["this kernel has no BTF"])
    pystap("-e", TICK).failed("E311", "this kernel has no BTF")


# -- refusals


def test_a_refused_handler_is_mirrored(pystap: Command, door: type[NoDoor]) -> None:
    door.refuse = VerifierError(LOG, 13, "loading program h0")
    ran = pystap("-e", LINES)
    assert (ran.status, ran.out) == (0, "tick\n"), ran.err
    assert "warning[W320]: mirrored instead: the kernel's verifier refused: R8 !read_ok\n" in ran.err
    assert "--> <input>:4:5" in ran.err and " 4 |     println(execname())" in ran.err
    assert door.loads == 2 and door.closed >= 2
    door.loads = 0
    assert pystap("-w", "-e", LINES).err == ""


def test_a_refusal_is_an_error_where_tests_want_it_so(
    pystap: Command, door: type[NoDoor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYSTAP_NO_FALLBACK", "1")
    door.refuse = VerifierError(LOG, 13, "loading program h0")
    ran = pystap("-e", LINES)
    ran.failed("E322", "R8 !read_ok", "--> <input>:4:5", "note: 7: (79) r0", "bug in pystap")
    assert ran.out == "" and door.loads == 1 and door.closed >= 1 and "processed 8" not in ran.err


def test_a_mirrored_handler_refused_too(pystap: Command, door: type[NoDoor]) -> None:
    door.refuse, door.only_first = VerifierError(LOG, 13, "loading program h0"), False
    pystap("-e", LINES).failed("E322", "W320")
    assert door.loads == 2
    pystap("--stage=mirror", "-e", LINES).failed("E322")
    assert door.loads == 3


def test_an_old_kernels_log_names_the_line_by_its_text(pystap: Command, door: type[NoDoor]) -> None:
    door.refuse, door.only_first = VerifierError(LOG.replace(" @ <input>:4", ""), 13, "loading"), False
    pystap("-e", LINES).failed("E322", "--> <input>:4:5")


def test_a_refused_system_call(pystap: Command, door: type[NoDoor]) -> None:
    door.refuse = KernelError(1, "loading program h0")
    pystap("-e", TICK).failed("E320", "the kernel refused: loading program h0: Operation not permitted")
    door.refuse, door.attach_refuses = None, KernelError(16, "attaching to kfree_skb")
    pystap("-e", TICK).failed("E320", "attaching to kfree_skb: Device or resource busy")
    assert door.closed >= 2


@pytest.mark.parametrize(
    ("number", "what", "say"),
    [
        (errno.EMFILE, "making map rings", "ulimit -n"),
        (errno.ENOENT, "opening hardware:cycles:1000 on CPU 0", "no such counter"),
        (errno.EINVAL, "opening cpu-clock on CPU 0", "kernel.perf_event_max_sample_rate"),
        (errno.E2BIG, "making map x.0", "fewer buckets"),
        (errno.ENOMEM, "making map calls", "-D MAXMAPENTRIES"),
    ],
)
def test_what_to_do_about_a_refusal(
    pystap: Command, door: type[NoDoor], number: int, what: str, say: str
) -> None:
    door.refuse = KernelError(number, what)
    pystap("-e", TICK).failed("E320", f"the kernel refused: {what}", "help: ", say)


def test_too_big_for_the_kernel_stage(
    pystap: Command, door: type[NoDoor], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pystap.backend import ebpf

    real, calls = ebpf.generate, []

    def generate(program: object, homes: object, errors: object, machine: object, *how: object) -> object:
        calls.append(program)
        if getattr(how[0], "stage", "") != "mirror":
            raise ebpf.TooBig("needs 900 bytes of stack", program.body[-1].span)  # type: ignore[attr-defined]
        return real(program, homes, errors, machine, *how)  # type: ignore[arg-type]

    monkeypatch.setattr("pystap.backend.ebpf.generate", generate)
    ran = pystap("-e", TICK)
    assert (ran.status, ran.out) == (0, "tick\n"), ran.err
    assert (
        "warning[W320]: mirrored instead: the kernel stage can't run this handler" in ran.err
        and "900 bytes of stack" in ran.err
    )
    assert "--> <input>:1:" in ran.err and len(calls) > 1
    monkeypatch.setenv("PYSTAP_NO_FALLBACK", "1")
    pystap("-e", TICK).failed("E321", "900 bytes of stack", "--> <input>:1:")


# -- output


def test_output_to_a_file(pystap: Command, door: type[NoDoor]) -> None:
    ran = pystap("-o", "out", "-e", TICK)
    assert (ran.status, ran.out, Path("out").read_text()) == (0, "", "tick\n")


def test_output_nowhere(pystap: Command, door: type[NoDoor]) -> None:
    pystap("-o", "no/out", "-e", TICK).failed("E921", "no/out: No such file or directory")
    pystap("-o", ".", "-e", TICK).failed("E921", ".: Is a directory")
    assert door.loads == 0


def test_output_to_a_full_disk(pystap: Command, door: type[NoDoor]) -> None:
    pystap("-o", "/dev/full", "-e", TICK).failed(
        "E922", "/dev/full can't be written: No space left on device"
    )
    assert door.closed >= 1


# -- -c and -x


@pytest.mark.parametrize(
    ("command", "say"),
    [
        ("/nowhere/command", "No such file"),
        ("nocommandofthisname", "No such file"),
        ("/tmp", "Permission denied"),
        ("/etc/passwd", "Permission denied"),
    ],
)
def test_a_command_that_cant_start(pystap: Command, door: type[NoDoor], command: str, say: str) -> None:
    pystap("-c", command, "-e", TICK).failed("E920", "-c can't be started", command, say)
    assert door.loads == 0


def test_a_command(pystap: Command, door: type[NoDoor]) -> None:
    """It starts when the script traces, target() is its process, and its end is the run's."""
    script = 'probe begin { printf("%d", target() > 0) } probe end { println(" end") }'
    ran = pystap("-c", "touch made", "-e", script)
    assert (ran.status, ran.out) == (0, "1 end\n") and Path("made").exists()


def test_a_command_is_not_run_by_a_script_that_is_wrong(pystap: Command, door: type[NoDoor]) -> None:
    pystap("-c", "touch made", "-e", "probe begin { foo() }").failed("E209")
    pystap("-p3", "-c", "touch made", "-e", TICK).worked()
    assert not Path("made").exists()


def test_no_such_process(pystap: Command, door: type[NoDoor]) -> None:
    pystap("-x", "4194304", "-e", TICK).failed("E923", "-x 4194304: there is no such process")
    pystap("-p3", "-x", "4194304", "-e", TICK).worked()  # compiling asks nobody


# -- ends


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_runs_the_end_handlers(pystap: Command, door: type[NoDoor], number: int) -> None:
    script = 'probe timer.ms(1) { if (!sent++) system("") } probe end { println("end") } global sent'
    real = door.go

    def go(self: NoDoor) -> None:
        real(self)
        signal.raise_signal(number)

    door.go = go  # type: ignore[method-assign]
    ran = pystap("-e", script)
    assert ran.status == 0 and ran.out.endswith("end\n"), (ran.out, ran.err)


def test_a_time_limit(pystap: Command, door: type[NoDoor]) -> None:
    ran = pystap("-T", "0.05", "-e", 'probe begin { println("a") } probe end { println("b") }')
    assert (ran.status, ran.out) == (0, "a\nb\n")
