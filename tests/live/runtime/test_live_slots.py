"""Collected scalars of any size: a per-CPU array of the kernel would hold no more than 32 KiB of them."""

from __future__ import annotations

from tests.live.tracer import run

HISTOGRAMS = 40  # of 15 KiB each
CALLS = 3000


def test_many_large_histograms_count_every_call_on_every_cpu() -> None:
    calls = f"for n in range({CALLS}): os.sched_setaffinity(0, {{cpus[n % len(cpus)]}}); os.getsid(0)"
    command = f"import os; cpus = sorted(os.sched_getaffinity(0))\n{calls}"
    probe = "tracepoint:syscalls:sys_enter_getsid /pid == cpid/ {{ @h{0} = hist({0} + 64, 5); }}\n"
    script = "".join([probe.format(n) for n in range(HISTOGRAMS)])
    out = run("--lang", "bt", "-e", script, "-c", f'/usr/bin/python3 -c "{command}"').clean()
    rows = [line.split("|")[0].split()[-1] for line in out.splitlines() if line.endswith("|")]
    assert rows == [str(CALLS)] * HISTOGRAMS
