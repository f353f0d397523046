"""Places in functions, with debug information: how often they are reached, and what variables hold there.

Lines are counted from where the function begins (`+n`), as a kernel's updates move functions more often than they change
them.
"""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.live.tracer import Tracer, run

from .conftest import ADDRESSES, MACS, Wire

ONLY = 'kernel_string($dev->name) == "left" || kernel_string($dev->name) == "right"'


@pytest.mark.parametrize("stage", ["auto", "mirror"])
def test_a_line_is_reached_once_a_packet(wire: Wire, script, stage: str) -> None:
    text = (
        "global n, wrong\n"
        'probe kernel.statement("ip_rcv@net/ipv4/ip_input.c+6") {\n'
        f" if ({ONLY}) {{ n[kernel_string($dev->name)]++; if ($skb->dev != $dev) wrong++ }}\n"
        "}\n"
        'probe end { printf("left=%d right=%d wrong=%d\\n", n["left"], n["right"], wrong) }\n'
    )
    before = wire.right.snmp("Ip", "InReceives"), wire.left.snmp("Ip", "InReceives")
    with Tracer(script(text), stage=stage) as tracer:
        wire.ping(20)
    after = wire.right.snmp("Ip", "InReceives"), wire.left.snmp("Ip", "InReceives")
    assert after[0] - before[0] >= 20
    assert tracer.clean() == f"left={after[1] - before[1]} right={after[0] - before[0]} wrong=0\n"


def test_where_it_is(wire: Wire, script) -> None:
    text = (
        'probe kernel.statement("ip_rcv@net/ipv4/ip_input.c+6") {\n'
        f' if ({ONLY}) printf("%s|%s|%s|%s|%s\\n", pp(), ppfunc(), probefunc(), $$parms, $$locals)\n'
        "}\n"
    )
    with Tracer(script(text)) as tracer:
        wire.ping(1)
    row = r"kernel\.statement\(\"ip_rcv@net/ipv4/ip_input\.c:\d+\"\)\|ip_rcv\|ip_rcv\|"
    row += r"skb=0x[0-9a-f]+ dev=0x[0-9a-f]+ (?:pt|orig_dev)=\S+ (?:pt|orig_dev)=\S+\|net=0x[0-9a-f]+"
    lines = tracer.clean().splitlines()
    assert len(lines) == 2 and all(re.fullmatch(row, line) for line in lines), lines


def test_variables_have_their_values(wire: Wire, script) -> None:
    """$len, a local, is the segment's length; ports through another local, a pointer to the header."""
    sizes = [1, 333, 1024, 77, 1000]
    text = (
        'probe kernel.statement("tcp_rcv_established@net/ipv4/tcp_input.c+10") {\n'
        " if (ntohs($th->dest) == 4242)\n"
        '  printf("%d %d %d\\n", ntohs($th->dest), $len - $th->doff * 4, $skb->len - $th->doff * 4)\n'
        "}\n"
    )
    with Tracer(script(text)) as tracer:
        wire.talk(4242, sizes)
    rows = [tuple(map(int, line.split())) for line in tracer.clean().splitlines()]
    assert [length for _, length, _ in rows if length] == sizes
    assert all(length == by_skb for _, length, by_skb in rows)


def test_arp_requests_and_answers(wire: Wire, script) -> None:
    """Parameters in registers and on the stack (the seventh and on), also where the function is inlined."""
    text = (
        "function mac:string (a:long) {\n"
        ' return sprintf("%02x:%02x:%02x:%02x:%02x:%02x", kernel_char(a) & 255, kernel_char(a + 1) & 255,\n'
        "  kernel_char(a + 2) & 255, kernel_char(a + 3) & 255, kernel_char(a + 4) & 255, kernel_char(a + 5) & 255)\n"
        "}\n"
        'probe kernel.statement("arp_send_dst@net/ipv4/arp.c+13") {\n'
        f' if ({ONLY}) printf("%s %d %s %s %s\\n", kernel_string($dev->name), $type, mac($src_hw),\n'
        "   format_ipaddr($src_ip, AF_INET()), format_ipaddr($dest_ip, AF_INET()))\n"
        "}\n"
    )
    wire.forget()
    with Tracer(script(text)) as tracer:
        wire.ping(1)
    rows = Counter(tracer.clean().splitlines())
    left, right = ADDRESSES
    assert rows[f"left 1 {MACS[0]} {left} {right}"] == 1, rows
    assert rows[f"right 2 {MACS[1]} {right} {left}"] == 1, rows


def test_inlined_copies_count(wire: Wire, script) -> None:
    """A function that is only a part of others, against one that calls it once each time."""
    text = (
        "global copies, whole\n"
        'probe kernel.function("ip_rcv_finish@net/ipv4/ip_input.c").inline {\n'
        ' d = $skb->dev; if (kernel_string(d->name) == "right") copies++\n'
        "}\n"
        'probe kernel.function("ip_rcv@net/ipv4/ip_input.c") {\n'
        ' if (kernel_string($dev->name) == "right") whole++\n'
        "}\n"
        'probe end { printf("%d %d\\n", copies, whole) }\n'
    )
    before = wire.right.snmp("Ip", "InReceives")
    with Tracer(script(text)) as tracer:
        wire.ping(12)
    count = wire.right.snmp("Ip", "InReceives") - before
    assert tracer.clean() == f"{count} {count}\n"


def test_the_segment_size_of_a_connection(wire: Wire, script) -> None:
    text = (
        'probe kernel.statement("tcp_parse_options@net/ipv4/tcp_input.c+34") {\n'
        ' printf("%d\\n", ntohs(kernel_short($ptr)))\n'
        "}\n"
    )
    with Tracer(script(text)) as tracer:
        wire.talk(4243, [10], mss=1111)
    assert "1111" in tracer.clean().split()


def test_a_static_variable(wire: Wire, script) -> None:
    """The function's name as the compiler put it into the kernel, wherever the kernel was moved to."""
    text = (
        'probe kernel.statement("tcp_parse_options@net/ipv4/tcp_input.c+34") {\n'
        ' printf("<%s>\\n", kernel_string(&$__func__))\n'
        "}\n"
    )
    with Tracer(script(text)) as tracer:
        wire.talk(4244, [10])
    assert set(tracer.clean().split()) == {"<tcp_parse_options>"}


def test_a_function_inlined_in_a_module(wire: Wire, script) -> None:
    """tcp_in_window of nf_conntrack: its own locals, computed from registers and the stack."""
    import subprocess

    nft = "add table ip t; add chain ip t c { type filter hook input priority 0; }; add rule ip t c ct state new counter"
    subprocess.run(["ip", "netns", "exec", wire.right.name, "nft", nft], check=True)
    text = (
        'probe module("nf_conntrack").statement("tcp_in_window@net/netfilter/nf_conntrack_proto_tcp.c+6") {\n'
        ' sport = ntohs(@cast($tcph, "struct tcphdr")->source); dport = ntohs(@cast($tcph, "struct tcphdr")->dest)\n'
        " if (sport == 11111 || dport == 11111) {\n"
        '  seen = &@cast($state, "struct ip_ct_tcp", "kernel:nf_conntrack")->seen[$dir]\n'
        '  printf("%d %d %d %d %d\\n", $dir, sport, dport, $tcph->syn, seen->td_maxwin > 0)\n'
        " }\n"
        "}\n"
    )
    with Tracer(script(text)) as tracer:
        wire.talk(11111, [5, 6])
    rows = [tuple(map(int, line.split())) for line in tracer.clean().splitlines()]
    assert rows, tracer.err
    assert all((row[2] == 11111) == (row[0] == 0) for row in rows), rows
    assert {row[0] for row in rows} == {0, 1}
    assert all(row[4] for row in rows if not row[3]), rows  # what a side has announced is seen from then on


def test_what_is_there_instead(script) -> None:
    done = run("-p2", script('probe kernel.statement("ip_rcv@net/ipv4/ip_input.c:386") { println($dev) }'))
    assert re.search(r"ip_rcv is net/ipv4/ip_input\.c:\d+-\d+ in this kernel", done.err), done.err
    assert "the nearest lines with code: " in done.err
    done = run("-p2", script('probe kernel.statement("ip_rcv@net/ipv4/ip_input.c+6") { println($nosuch) }'))
    assert "there is no '$nosuch'" in done.err and "$dev" in done.err, done.err
    done = run("-p2", script('probe kernel.statement("ip_rcv@net/ipv4/arp.c+6") { println($dev) }'))
    assert "it is in net/ipv4/ip_input.c:" in done.err, done.err


def test_a_variable_that_is_optimized_out(script) -> None:
    """ip_rcv's $net at its return: a register had it, which is used otherwise by then."""
    text = 'probe kernel.statement("tcp_v4_rcv@net/ipv4/tcp_ipv4.c+5") { println($nsk) }'
    done = run("-p2", script(text))
    assert "'$nsk' " in done.err and re.search(r"'\$nsk' can be read at the lines \d+", done.err), done.err
    done = run("-p2", script(text.replace("println($nsk)", 'printf("%d", @defined($nsk) ? 1 : 2)')))
    assert done.status == 0, done.err


def test_a_function_that_is_only_inlined(script) -> None:
    """Without a suffix it is probed in its copies, as SystemTap does; of its calls there are none, and why is said."""
    name = "skb_queue_empty"  # of a header
    done = run("-p2", script(f'probe kernel.function("{name}") {{ println(pp()) }}'))
    assert done.status == 0 and f"'{name}' is probed where it is inlined, as .inline does: in " in done.err, (
        done.err
    )
    assert re.search(rf'{name}@include/linux/skbuff\.h:\d+"\)\.inline', done.out)
    for suffix in (".call", ".return"):
        done = run("-p2", script(f'probe kernel.function("{name}"){suffix} {{ println(pp()) }}'))
        assert done.status == 1 and "no code of its own" in done.err, done.err
        assert "it is inlined into " in done.err and "first_packet_length" in done.err, done.err
        assert f'kernel.function("{name}").inline' in done.err


def test_listed() -> None:
    """Places are listed one by one, with their variables, also more than one probe may be."""
    points = (
        'kernel.statement("ip_rcv@net/ipv4/ip_input.c:*")',
        'kernel.statement("*@net/ipv4/ip_input.c:*")',
        'kernel.function("tcp_v4_rcv").label("*")',
        'kernel.function("ip_rcv_finish@net/ipv4/ip_input.c").inline',
    )
    done = run("-L", ", ".join(points))
    lines = done.clean().splitlines()
    assert len(lines) > 64
    assert any(
        re.fullmatch(r'kernel\.statement\("ip_rcv@net/ipv4/ip_input\.c:\d+"\) \$skb:.* \$net:.*', x)
        for x in lines
    )
    assert any(
        re.match(r'kernel\.function\("tcp_v4_rcv@.*"\)\.label\("discard_it"\) \$skb:', x) for x in lines
    )
    assert any(
        re.match(r'kernel\.function\("ip_rcv_finish@.*"\)\.inline .*\$skb:struct sk_buff\*', x) for x in lines
    )
