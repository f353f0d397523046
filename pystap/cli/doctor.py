"""`pystap doctor`: what this kernel and this user can do, and what follows from it."""

from __future__ import annotations

import os
import sys

# feature of kernel.features, what it is for
_MEANING: tuple[tuple[str, str], ...] = (
    ("tp_btf", "kernel.trace, netdev.*, syscall.*, scheduler.*: tracepoints with types, at 0.1 ms to detach"),
    ("raw_tracepoint", "tracepoints without types"),
    ("tracepoint_perf", "system calls, where tasks in the kernel are preempted anywhere"),
    ("fentry", "kernel.function, fentry: functions with typed arguments"),
    ("kprobe", "kernel.function, kprobe: functions"),
    ("kretprobe", "kernel.function(..).return, kretprobe"),
    ("kprobe_multi", "many functions in one system call"),
    ("perf_clock", "timer.profile, profile: sampling"),
    ("perf_hardware", "perf.hw, hardware: the processor's counters"),
    ("uprobe", "process(..).function, uprobe: pystap has none of these yet"),
    ("iterator", "walking tasks and sockets"),
    ("netfilter", "netfilter.*"),
    ("bpf_loop", "loops in the kernel stage"),
    ("rdonly_cast", "reading kernel memory at the price of a load"),
    ("ring_array", "a ring for each CPU"),
)


def doctor() -> int:
    """Print the report; return 0 when tracing is possible at all."""
    from ..kernel.features import Features, explain_missing, lockdown
    from ..kernel.target import machine, release
    from .live import live_target

    out = sys.stdout.write
    out(f"kernel {release()}, {machine()}; Python {sys.version.split()[0]}; user id {os.geteuid()}\n")
    missing = explain_missing()
    for reason in missing:
        out(f"  no   {reason}\n")
    if missing:
        out("tracing is not possible here" + ("" if os.geteuid() == 0 else "; try as root") + "\n")
        return 1
    out(f"lockdown: {lockdown() or 'none'}\n")
    target = live_target()
    if target.untyped:
        from ..probes.base import WITHOUT_TYPES

        out(f"  no   type information (BTF): {target.untyped}\n")
        out(f"       {WITHOUT_TYPES.partition(' (')[0]}\n")
    features = Features(target.btf)
    for name, meaning in _MEANING:
        works, why = features.has(name)
        out(f"  {'yes' if works else 'no ':3}  {name:16} {meaning}\n")
        if not works:
            out(f"       {'':16} ({why})\n")
    if not features.has("fentry")[0] and not features.has("kprobe")[0]:
        out(
            "kernel functions can't be probed here: well-known ones are served by tracepoints that stand in\n"
        )
    return 0
