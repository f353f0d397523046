"""Every stand-in of the table: it compiles with all its variables, warns once, and says where it differs."""

from __future__ import annotations

import pytest

from pystap.probes.standins import StandIn, find, lookup
from pystap.probes.standins.fixes import FIXES
from pystap.probes.standins.table import TABLE
from tests.unit.sema_stp.tools import BTF, attempt

ALL = [one for group in TABLE.values() for one in group]


@pytest.mark.parametrize(
    "one", ALL, ids=lambda o: f"{o.function}{'.return' if o.returns else ''}-{o.words[:24]}"
)
def test_variables(one: StandIn) -> None:
    if one.tracepoint and BTF.find_tracepoint(one.tracepoint) is None:
        pytest.skip("not in the fixture's kernel")
    if BTF.find_func(one.function) is None:
        pytest.skip("the function's types are not in the fixture's kernel")
    names = [n for n, number in one.params if number is not None] + [n for n, _, _ in one.values]
    names = sorted({n for n in names if not n.startswith("__")})
    reads = "".join(f' printf("%d", ${n})' for n in names)
    stack = "" if one.stacks or one is lookup(one.function, one.returns) else " print_backtrace()"
    point = f'kernel.function("{one.function}"){".return" if one.returns else ""}'
    made, bag = attempt(f"probe {point} {{{reads}{stack} }}")
    assert made is not None, bag.items
    assert [d.code for d in bag.items] == ["W301"]
    event = made.handlers[0].event
    kinds = {"tp_btf"} if one.tracepoint else {"netfilter"} if one.hooks else {"sys_enter", "sys_exit"}
    if one is lookup(one.function, one.returns):
        assert event.kind in kinds
    assert ("standin" in (event.args or {})) == (one.function in FIXES)


def test_each_says_what_differs() -> None:
    for one in ALL:
        assert one.differs and not one.differs.endswith(".")
        assert bool(one.tracepoint) + bool(one.calls) + bool(one.hooks) == 1
        assert one.returns or not one.entries


def test_find_gives_plain_ones_only() -> None:
    assert find("tcp_set_state") is lookup("tcp_set_state")
    assert find("inet_csk_accept", True) is None and lookup("inet_csk_accept", True) is not None
    assert find("tcp_v4_rcv") is None
    assert find("nothing_of_the_kind") is None


def test_stacks_choose_another() -> None:
    first, second = lookup("ip_output"), lookup("ip_output", stacks=True)
    assert first is not None and first.hooks
    assert second is not None and second.tracepoint == "net_dev_queue"


def test_ports_are_mended_where_the_function_had_them() -> None:
    from pystap.ir.printer import module_text
    from pystap.opt import optimise
    from pystap.probes.standins.fixes import mend

    made, _ = attempt('probe kernel.function("tcp_set_state") { println(inet_get_local_port($sk)) }')
    assert made is not None
    optimise(made)
    before = module_text(made).count("load")
    mend(made, BTF)
    assert module_text(made).count("load") == before + 1 and "ntohs" in module_text(made)


def test_old_names() -> None:
    from pystap.probes.compat import renamed

    assert (
        renamed("dev_queue_xmit", lambda n: True) == "__dev_queue_xmit"
    )  # copies of an inline function don't count
    assert renamed("dev_queue_xmit", lambda n: False) == "dev_queue_xmit"
    assert renamed("br_deliver", {"br_forward"}.__contains__) == "br_forward"
    assert renamed("do_fork", {"kernel_clone"}.__contains__) == "kernel_clone"
    assert renamed("ip_rcv", {"ip_rcv"}.__contains__) == "ip_rcv"
