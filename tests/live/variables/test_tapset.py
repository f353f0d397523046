"""The whole library compiles on this kernel, for each way to probe functions, whether or not that way is here."""

from __future__ import annotations

import pytest

from pystap.cli.live import live_target
from pystap.diag import Bag
from pystap.lang.stp import ast
from pystap.lang.stp.parser import PreprocEnv, parse
from pystap.options import Options
from pystap.sema.stp import analyse
from pystap.sema.stp.macros import MACROS
from pystap.source import Source
from tests.unit.sema_stp.test_tapset import ALIAS_LIST, FUNCTION_LIST, OF_CALLS, OF_FUNCTIONS, assigned

TARGET = live_target()
# "none": stand-ins
HOOKS = ("netfilter",) if TARGET.btf.find_struct("bpf_nf_ctx") is not None else ()
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
)


def diagnostics(text: str, rung: str) -> list[str]:
    """Compile a script; return its errors in words."""
    bag = Bag()
    tree = parse(Source("t.stp", text), PreprocEnv(macros=MACROS), bag)
    features = RUNGS[rung]
    target = TARGET.replace(features=lambda name: name in features)
    analyse(tree, target, Options(), bag)
    return [f"{d.code} {d.message}" for d in bag.errors]


# Each with the ways to probe that make a difference.
CASES = [
    pytest.param(dotted, alias, rung, id=f"{dotted}-{rung}")
    for dotted, alias in ALIAS_LIST
    for rung in (RUNGS if dotted.startswith((*OF_FUNCTIONS, "tcp.", "udp.")) else ("none",))
]


@pytest.mark.parametrize("dotted, alias, rung", CASES)
def test_alias(dotted: str, alias: ast.Alias, rung: str) -> None:
    if dotted.startswith("__netfilter"):  # only with the hook behind it
        dotted += ".local_in"
    prints = " ".join(f"println({name})" for name in assigned(alias))
    found = diagnostics(f"probe {dotted} {{ {prints} }}", rung)
    if rung != "none" and dotted in ALWAYS:
        assert found == []
    assert all(error.startswith(ABSENT) for error in found), found


@pytest.mark.parametrize("name, params, result, returns", FUNCTION_LIST, ids=lambda v: str(v))
def test_function(name: str, params: tuple[str, ...], result: str | None, returns: bool) -> None:
    if name.endswith(OF_CALLS):
        return
    args = ", ".join('"a"' if p == "string" else "$next" for p in params)
    call = f"{name}({args})"
    found = diagnostics(
        f'probe kernel.trace("sched_switch") {{ {f"println({call})" if result else call} }}', "none"
    )
    assert found == []
