"""-l, -L, the dumps and bpftrace's listing, against the fixture's kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from pystap.btf import Btf
from pystap.cli.listings import bpftrace, dumps
from pystap.cli.listings.points import listing, matches
from pystap.diag import CompileError
from pystap.sema.target import Target

ROOT = Path(__file__).resolve().parents[3]
BTF = Btf((ROOT / "tests" / "fixtures" / "kernel.btf").read_bytes())
TARGET = Target(BTF, release="6.18.0")
SYSTEMS = {"sched_switch": "sched", "sched_wakeup": "sched", "kfree": "kmem", "kfree_skb": "skb"}


def points(pattern: str, variables: bool = False) -> list[str]:
    return listing(pattern, TARGET, SYSTEMS, variables)


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.*", True),
        ("a.b.c", "a.*", False),
        ("a.b.c", "a.**", True),
        ("a.b.c", "a.*.c", True),
        ("a.bc", "a.b?", True),
        ("a.b", "b.*", False),
    ],
)
def test_patterns(name: str, pattern: str, expected: bool) -> None:
    assert matches(name, pattern) is expected


def test_tracepoints() -> None:
    assert points('kernel.trace("sched_switch")') == ['kernel.trace("sched:sched_switch")']
    assert points('kernel.trace("sched:sched_w*")')[:1] == ['kernel.trace("sched:sched_wakeup")']
    assert points('kernel.trace("net_dev_queue")') == [
        'kernel.trace("net_dev_queue")'
    ]  # its system isn't known
    assert points('kernel.trace("skb:sched_switch")') == []
    expected = (
        'kernel.trace("sched:sched_switch") $preempt:bool $prev:struct task_struct* $next:struct task_struct* '
        "$prev_state:unsigned int"
    )
    assert points('kernel.trace("sched_switch")', True) == [expected]


def test_functions() -> None:
    assert points('kernel.function("tcp_v?_rcv")') == [
        'kernel.function("tcp_v4_rcv@net/ipv4/tcp_ipv4.c")',
        'kernel.function("tcp_v6_rcv@net/ipv6/tcp_ipv6.c")',
    ]
    assert points('kernel.function("tcp_sendmsg@net/ipv4/tcp.c")', True) == [
        'kernel.function("tcp_sendmsg@net/ipv4/tcp.c") $sk:struct sock* $msg:struct msghdr* $size:size_t'
    ]
    assert points('kernel.function("tcp_sendmsg").return', True) == [
        'kernel.function("tcp_sendmsg@net/ipv4/tcp.c").return $return:int $sk:struct sock* $msg:struct msghdr* $size:size_t'
    ]
    assert points('kernel.function("tcp_close").return', True)[0].count("$return") == 0  # it returns nothing
    assert points('kernel.function("nosuch*")') == []


def test_syscalls() -> None:
    assert points("syscall.readl*") == ["syscall.readlink", "syscall.readlinkat"]
    (line,) = points("syscall.read", True)
    words = line.split()
    assert words[0] == "syscall.read"
    for word in ("name:string", "fd:long", "buf_uaddr:long", "count:long", "argstr:string"):
        assert word in words
    assert words.index("fd:long") < words.index("count:long") < words.index("argstr:string")
    assert points("nd_syscall.close.return") == ["nd_syscall.close.return"]
    (line,) = points("syscall.openat.return", True)
    assert "retstr:string" in line
    assert len(points("syscall.*")) > 300


def test_aliases() -> None:
    assert points("netdev.rec*") == ["netdev.receive"]
    (line,) = points("netdev.receive", True)
    assert line.startswith(
        "netdev.receive dev_name:string length:long protocol:long truesize:long $skb:struct sk_buff*"
    )
    assert "ioblock.request" in points("*.request")
    assert not any(line.startswith("_") for line in points("**"))


def test_single_points_and_lists() -> None:
    assert points("begin") == ["begin"]
    assert points("timer.s(5), begin") == ["timer.s(5)", "begin"]
    assert points("nosuch.thing?, begin") == ["begin"]


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("nosuch", "E301"),
        ("begin {", "E1"),
        ("", "E1"),
        ("kernel.trace", "E302"),
        ("syscall.read.nosuch", "E301"),
    ],
)
def test_mistakes(pattern: str, code: str) -> None:
    with pytest.raises(CompileError) as caught:
        points(pattern)
    assert caught.value.diagnostic.code.startswith(code)


def test_dumps() -> None:
    functions = dumps.functions(TARGET)
    assert functions == sorted(functions)
    for line in ("execname:string ()", "strlen:long (s:string)", "ntohs:long (x:long)", "exit:unknown ()"):
        assert line in functions
    assert not any(line.startswith("_") for line in functions)
    aliases = dumps.probe_aliases(TARGET)
    assert "init = begin(-9223372036854775808)" in aliases
    types = dumps.probe_types()
    for form in ("begin", "never", 'kernel.trace("name")', "syscall.NAME[.return]"):
        assert form in types


def test_bpftrace() -> None:
    def found(pattern: str, verbose: bool = False) -> list[str]:
        return bpftrace.listing(pattern, BTF, SYSTEMS, verbose)

    assert found("tracepoint:sched:*") == ["tracepoint:sched:sched_switch", "tracepoint:sched:sched_wakeup"]
    assert found("t:kmem:*") == ["tracepoint:kmem:kfree"]
    assert found("kprobe:tcp_v?_rcv") == ["kprobe:tcp_v4_rcv", "kprobe:tcp_v6_rcv"]
    assert found("kretprobe:tcp_v4_rcv") == ["kretprobe:tcp_v4_rcv"]
    assert found("fentry:tcp_v4_rcv", True) == ["fentry:vmlinux:tcp_v4_rcv", "    struct sk_buff * skb"]
    assert found("kfunc:vmlinux:tcp_v4_rcv") == ["fentry:vmlinux:tcp_v4_rcv"]
    assert found("fexit:tcp_v4_rcv", True)[-1] == "    int retval"
    assert found("software:page*") == ["software:page-faults:"]
    assert found("rawtracepoint:sched_switch", True)[1:3] == [
        "    bool preempt",
        "    struct task_struct * prev",
    ]
    assert found("iter:task") == ["iter:task"]
    assert found("*tcp_v4_rcv*") == ["fentry:vmlinux:tcp_v4_rcv", "kprobe:tcp_v4_rcv"]
    assert found("struct path", True) == [
        "struct path {",
        "        struct vfsmount *mnt;",
        "        struct dentry *dentry;",
        "};",
    ]
    assert found("struct sockaddr*") == ["struct sockaddr", "struct sockaddr_in", "struct sockaddr_in6"]
    assert found("nosuch:*") == []
    every = found("")
    assert {line.partition(":")[0] for line in every} == {
        *("fentry", "hardware", "iter", "kprobe", "rawtracepoint", "software", "tracepoint")
    }


def test_functions_of_source_files() -> None:
    found = points('kernel.function("*@net/ipv4/tcp_ipv4.c").return')
    assert 'kernel.function("tcp_v4_rcv@net/ipv4/tcp_ipv4.c").return' in found
    assert all(line.endswith('@net/ipv4/tcp_ipv4.c").return') for line in found)
    assert points('kernel.function("tcp_*rcv@*/tcp_ipv?.c")') == [
        'kernel.function("tcp_v4_rcv@net/ipv4/tcp_ipv4.c")',
        'kernel.function("tcp_v6_rcv@net/ipv6/tcp_ipv6.c")',
    ]
    with pytest.raises(CompileError, match=r"no source file .net/ipv4/tpc\.c. is known"):
        points('kernel.function("*@net/ipv4/tpc.c")')
    with pytest.raises(CompileError, match=r"'tcp_v4_rcv' is in net/ipv4/tcp_ipv4\.c, not in 'tcp\.c'"):
        points('kernel.function("tcp_v4_rcv@tcp.c")')
    with pytest.raises(CompileError, match="no function 'tcp_v4_rc'"):
        points('kernel.function("tcp_v4_rc")')
