"""What can't be probed says why and what there is instead; suffixes and forms of the words, on a kernel that is made up."""

from __future__ import annotations

import re

import pytest

from pystap.cli.listings.points import listing
from pystap.diag import Bag, CompileError
from pystap.kernel.functions import Functions
from pystap.kernel.symbols import Kallsyms
from pystap.sema.target import Target
from tests.unit.functions.test_many import HAVE, compiled
from tests.unit.sema_stp.tools import BTF

ADDRESS = 0xFFFFFFFF81000000
SYMBOLS = (
    "_stext",
    "tcp_set_state",
    "__ksymtab_tcp_set_state",
    "tcp_twin",
    "tcp_twin",
    "__noinstr_text_start",
    "quiet_entry",
    "__noinstr_text_end",
    "_sinittext",
    "early_start",
    "_einittext",
    "shielded",
    "_end",
)
MODULES = ("br_open\t[bridge]", "br_close\t[bridge]", "veth_open\t[veth]")


class NoFiles:
    """No modules but those that are loaded."""

    def all(self) -> dict[str, str]:
        return {}

    def built_in(self, module: str) -> bool:
        return module == "tcp_cubic"

    def read(self, module: str) -> None:
        return None


def kernel(btf: object = BTF) -> Target:
    names = [*SYMBOLS, *MODULES]
    lines = [f"{ADDRESS + 16 * n:016x} T {name}\n" for n, name in enumerate(names)]
    functions = Functions(Kallsyms("".join(lines).encode()), loaded=("bridge", "veth"), files=NoFiles())  # type: ignore[arg-type]
    at = ADDRESS + 16 * SYMBOLS.index("shielded")
    functions._black = ((at, at + 16),)
    return Target(
        btf, release="6.18.0", features=HAVE.__contains__, functions=functions, module=lambda name: None
    )


def errors(point: str) -> str:
    made, bag = compiled(f"global n probe {point} {{ n++ }}", kernel())
    assert made is None
    return " ".join(f"{d.code} {d.message} {' '.join(d.hints)}" for d in bag.errors)


def probed(point: str) -> tuple[list[tuple[str, str]], Bag]:
    """Return (module, function) of all that a probe point means."""
    made, bag = compiled(f"global n probe {point} {{ n++ }}", kernel())
    assert made is not None, bag.items
    found: set[tuple[str, str]] = set()
    for handler in made.handlers:
        args = handler.event.args or {}
        listed = [(one[1], one[2]) for one in args.get("functions", ())]
        found.update(listed or [(args.get("module", ""), handler.event.name)])
    return sorted(found), bag


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ('kernel.function("tcp_set_stat")', "E304 this kernel has no function 'tcp_set_stat' did you mean 'tcp_set_state'?"),
        ('kernel.function("quiet_entry")', "'quiet_entry' can't be traced: it runs where tracing can't (noinstr)"),
        ('kernel.function("early_start")', "'early_start' can't be traced: it belongs to the start of the kernel (__init)"),
        ('kernel.function("shielded")', "'shielded' can't be traced: the kernel keeps probes out of it"),
        ('kernel.function("tcp_ack_probe")', 'it is inlined into its callers kernel.function("tcp_ack_probe@net/ipv4/tcp_input.c").inline probes where'),
        ('kernel.function("tcp_v4_fill_cb")', "other kernels have it in net/ipv4/tcp_ipv4.c: here it is inlined"),
        ('kernel.function("br_open")', 'there is module("bridge").function("br_open")'),
        ('module("bridge").function("tcp_set_state")', 'there is kernel.function("tcp_set_state")'),
        ('module("bridges").function("br_open")', "no module 'bridges' did you mean 'bridge'?"),
        ('module("tcp_cubic").function("x")', "'tcp_cubic' is no module of this kernel, but part of it"),
        ('module("zz*").function("x")', "no module of this kernel matches 'zz*'"),
        ('kernel.function("tcp_twin").exported', "no function of this kernel that matches 'tcp_twin' is exported"),
        (f"kernel.function({ADDRESS + 16 + 3:#x})", f"no function begins at {ADDRESS + 16 + 3:#x}: that is tcp_set_state+0x3"),
        (f"kernel.function({ADDRESS + 3 * 16:#x})", "several functions are called 'tcp_twin'"),
        ("kernel.function(16)", "no function of this kernel is at 0x10"),
        ('kernel.function("quiet_*")', "what matches 'quiet_*' in this kernel can't be traced: quiet_entry (it runs where tracing can't"),
        ("kernel.statement(0x10).absolute", "E304 no code of this kernel is at 0x10"),
        ('kernel.function("")', "E302 'function' needs a name"),
        ('kernel.function("@net/socket.c")', "E302 'function' needs a name"),
        ('kernel.function("tcp_set_state").call.return', "E301 '.call' and '.return' can't go together"),
        ('kernel.function("tcp_set_state").inline.return', "E301 '.inline' and '.return' can't go together"),
        ('kernel.function("tcp_set_state").return.return', "E301 '.return' stands twice"),
        ('kernel.function("tcp_set_state").return(5)', "E302 'return' takes no argument"),
        ('kernel.function("tcp_set_state").return.maxactive', "E302 'maxactive' needs a number of at least 1"),
        ('kernel.function("tcp_set_state").entry', "can't follow 'kernel.function(\"tcp_set_state\")' what can: call, return"),
        ('kernel.function("tcp_set_state").callee("nosuch").call', "'nosuch' has no code of its own that 'tcp_set_state' could call"),
    ],
)  # fmt: skip
def test_says_why(point: str, words: str) -> None:
    assert words in errors(point)


@pytest.mark.parametrize(
    ("point", "functions"),
    [
        ('module("*").function("*_open")', [("bridge", "br_open"), ("veth", "veth_open")]),
        ('module("br*").function("br_*")', [("bridge", "br_close"), ("bridge", "br_open")]),
        ('kprobe.module("bridge").function("br_open")', [("bridge", "br_open")]),
        ('kprobe.function("tcp_set_state")', [("", "tcp_set_state")]),
        ('kernel.function("tcp_*").exported', [("", "tcp_set_state")]),
        ('kernel.function("tcp_twin")', [("", "tcp_twin")]),
        (f"kernel.function({ADDRESS + 16:#x})", [("", "tcp_set_state")]),
        (
            'kernel.function("tcp_set_state").callee("shielded").call?, kernel.function("tcp_twin")',
            [("", "tcp_twin")],
        ),
        ('kernel.function("tcp_twin").callee("tcp_set_state").call', [("", "tcp_set_state")]),
        ('kernel.function("tcp_twin").callee("tcp_set_state").return', [("", "tcp_set_state")]),
        ('kernel.function("tcp_twin").callee("tcp_set_state")', [("", "tcp_set_state")]),
        ('module("bridge").function("br_open").callee("tcp_set_state").call', [("", "tcp_set_state")]),
        ('module("bridge").function("br_open").callee("br_close").return', [("bridge", "br_close")]),
        ('kernel.function("nothing")?, kernel.function("tcp_set_state")', [("", "tcp_set_state")]),
        ('kernel.function("nothing")!, kernel.function("tcp_set_state")', [("", "tcp_set_state")]),
        ('kernel.function("tcp_set_state")!, module("veth").function("veth_open")', [("", "tcp_set_state")]),
        ('kernel.function("tcp_set_state") if (n < 3)', [("", "tcp_set_state")]),
    ],
)
def test_what_is_probed(point: str, functions: list[tuple[str, str]]) -> None:
    found, bag = probed(point)
    assert found == functions
    assert not bag.errors


def test_patterns_leave_out_what_cannot_be_traced() -> None:
    found, _ = probed('kernel.function("[a-z]*")')
    assert {name for _, name in found} >= {"tcp_set_state", "tcp_twin"}
    assert not {name for _, name in found} & {"quiet_entry", "early_start"}


def test_maxactive_has_no_effect() -> None:
    _, bag = probed('kernel.function("tcp_set_state").return.maxactive(20)')
    assert [d.code for d in bag.items] == ["W309"]


def test_a_condition_is_tested() -> None:
    made, _ = compiled('global n probe kernel.function("tcp_set_state") if (n < 3) { n++ }', kernel())
    assert made is not None
    assert "slt n" in str(made.handlers[0].body) or "name='lt" in str(made.handlers[0].body)


@pytest.mark.parametrize(
    ("pattern", "lines"),
    [
        ('kprobe.function("tcp_[st]*")', ['kprobe.function("tcp_set_state")', 'kprobe.function("tcp_twin")']),
        ('kprobe.module("br*").function("*").return', [
            'kprobe.module("bridge").function("br_close").return', 'kprobe.module("bridge").function("br_open").return']),
        ('module("v*").function("veth_o*")', ['module("veth").function("veth_open@drivers/net/veth.c")']),
        ('kernel.function("tcp_set_state").exported', ['kernel.function("tcp_set_state@net/ipv4/tcp.c").exported']),
        ('kernel.function("tcp_twin").callee("tcp_set_state").call', ['kernel.function("tcp_twin").callee("tcp_set_state").call']),
    ],
)  # fmt: skip
def test_listed(pattern: str, lines: list[str]) -> None:
    assert listing(pattern, kernel(), {}, False) == lines


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ('kprobe.module("bridge")', "alone is no probe point"),
        ('kprobe.function("tcp_set_state").return.call', "can't go together"),
        ('kernel.statement("tcp_set_state@net/ipv4/tcp.c:*")', "lines need the debug information"),
    ],
)
def test_not_listed(pattern: str, words: str) -> None:
    with pytest.raises(CompileError, match=re.escape(words)):
        listing(pattern, kernel(), {}, False)
