"""The whole library compiles on this kernel, for each way to probe functions, whether or not that way is here."""

from __future__ import annotations

import subprocess

import pytest

from pystap.cli.live import live_target
from pystap.diag import Bag
from pystap.lang.stp.parser import PreprocEnv, parse
from pystap.options import Options
from pystap.sema.stp import analyse
from pystap.sema.stp.macros import MACROS
from pystap.source import Source
from tests.unit.sema_stp.test_tapset import ALIAS_LIST, OF_CALLS, OF_FUNCTIONS, OF_MODULES, TREES, assigned

for module in sorted(
    {*OF_MODULES.values()}
):  # where there are modules: their types are read from the kernel then
    subprocess.run(["modprobe", "-q", module], capture_output=True, check=False)
TARGET = live_target()
HOOKS = ("netfilter",) if TARGET.btf.find_struct("bpf_nf_ctx") is not None else ()
# "none": stand-ins
RUNGS = {
    "kprobe": ("kprobe", "kretprobe", *HOOKS),
    "fentry": ("kprobe", "kretprobe", "fentry", "fexit", *HOOKS),
    "none": HOOKS,
}
# What not every kernel has: functions that were renamed, made part of their callers, or are of a module.
ABSENT = ("E303", "E304", "E307", "E309")
# Aliases that have to be there on every kernel that can probe functions.
ALWAYS = (
    *("vfs.read", "vfs.read.return", "vfs.write", "vfs.write.return", "vfs.open", "vfs.open.return"),
    *("socket.sendmsg", "socket.sendmsg.return", "socket.recvmsg", "socket.recvmsg.return", "socket.create"),
    *("socket.send", "socket.receive", "socket.close", "socket.read_iter", "socket.write_iter.return"),
    *("tcpmib.ActiveOpens", "tcpmib.CurrEstab", "tcpmib.EstabResets", "tcpmib.PassiveOpens"),
    *("tcpmib.RetransSegs", "tcpmib.OutSegs", "ipmib.InReceives", "ipmib.OutRequests", "netdev.change_mtu"),
    *("netdev.register", "netdev.unregister", "netdev.change_mac", "netdev.set_promiscuity", "netdev.open"),
    *("kprocess.start", "scheduler.cpu_on", "tcp.sendmsg.return", "udp.recvmsg.return", "tcp.disconnect"),
    *("signal.checkperm", "signal.do_action", "signal.flush", "vm.mmap", "vm.pagefault.return", "tty.open"),
)
FAMILIES = sorted({dotted.partition(".")[0] for dotted, _ in ALIAS_LIST})
OF_MODULES_ONLY = ("nfsd", "sunrpc", "scsi")
PLACED = (*OF_FUNCTIONS, "tcp.", "udp.")


def diagnostics(text: str, rung: str) -> list[str]:
    """Compile a script; return its errors in words."""
    bag = Bag()
    tree = parse(Source("t.stp", text), PreprocEnv(macros=MACROS), bag)
    features = RUNGS[rung]
    target = TARGET.replace(features=lambda name: name in features)
    analyse(tree, target, Options(), bag)
    return [f"{d.code} {d.message} at {d.span!r}" for d in bag.errors]


def script(family: str, rung: str) -> str:
    """Return a script that reads every variable of a family's aliases."""
    out = []
    for dotted, alias in ALIAS_LIST:
        placed = dotted.startswith(PLACED)
        if dotted.partition(".")[0] == family and (placed or rung == "none"):
            if dotted == "__netfilter_bridge":
                dotted += ".forward"
            elif dotted.startswith("__netfilter"):  # only with the hook behind it
                dotted += ".local_in"
            out.append(f"probe {dotted}? {{ {' '.join(f'println({name})' for name in assigned(alias))} }}")
    return "\n".join(out)


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("family", FAMILIES)
def test_family(family: str, rung: str) -> None:
    """What can't be placed on this kernel is left out; the rest has the variables that it should."""
    if family in OF_MODULES_ONLY and rung != "kprobe":
        pytest.skip(
            "functions of modules take long to find; how they are probed makes no difference to these"
        )
    text = script(family, rung)
    if text:
        found = diagnostics(text, rung)
        assert all(error.startswith(ABSENT) for error in found), found


@pytest.mark.parametrize("rung", ["kprobe", "fentry"])
def test_what_every_kernel_has(rung: str) -> None:
    aliases = dict(ALIAS_LIST)
    probes = [f"probe {d} {{ {' '.join(f'println({n})' for n in assigned(aliases[d]))} }}" for d in ALWAYS]
    assert diagnostics("\n".join(probes), rung) == []


@pytest.mark.parametrize("name", sorted(TREES))
def test_functions_of_a_file(name: str) -> None:
    calls = []
    for function in TREES[name].functions:
        if not function.name.endswith(OF_CALLS):
            args = ", ".join('"a"' if p.type == "string" else "$next" for p in function.params)
            call = f"{function.name}({args})"
            calls.append(f"println({call})" if function.type else call)
    if calls:
        found = diagnostics(f'probe kernel.trace("sched_switch") {{ {" ".join(calls)} }}', "none")
        lacks = name in OF_MODULES and TARGET.module(OF_MODULES[name]) is None
        assert all(lacks and error.startswith("E237") for error in found), found
