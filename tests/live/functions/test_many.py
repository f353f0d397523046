"""Many functions of one pattern: one program, as many links as the way to attach needs, every call counted."""

from __future__ import annotations

import re

from tests.live.functions.conftest import CONNECT
from tests.live.network import Namespace
from tests.live.tracer import Tracer

CALLS = 25


def _rows(out: str) -> dict[str, list[str]]:
    return {line.split()[0]: line.split()[1:] for line in out.splitlines() if line}


def test_calls_and_returns(rung: list[str], net: Namespace) -> None:
    """The functions that a connection goes through, each as often as there are connections."""
    text = """
    global calls, ends, names
    probe kernel.function("tcp_v4_*con*").call { calls[ppfunc()]++ names[$$name]++ }
    probe kernel.function("tcp_v4_*con*").return { ends[probefunc()]++ }
    probe end { foreach (f+ in calls) printf("%s %d %d %d\\n", f, calls[f], ends[f], names[f]) }
    """
    with Tracer(*rung, "-e", text) as tracer:
        net.run(CONNECT, str(CALLS))
    rows = _rows(tracer.clean())
    # in a namespace of the test's own; the machine's own traffic may add to it
    assert int(rows["tcp_v4_connect"][0]) >= CALLS
    for name in ("tcp_v4_connect", "tcp_v4_conn_request"):
        calls, ends, names = map(int, rows[name])
        assert calls == ends == names and calls >= CALLS, name


def test_of_one_process(probes: None, stage: str, net: Namespace) -> None:
    text = """
    global seen, points
    probe kernel.function("tcp_v4_c*") { seen[pid(), ppfunc()]++; points[pp()] = 1 }
    probe end { foreach ([p, f] in seen) printf("%d %s %d\\n", p, f, seen[p, f]) foreach (q+ in points) println(q) }
    """
    with Tracer("-e", text, stage=stage) as tracer:
        pid = net.run(CONNECT, str(CALLS)).strip()
    out = tracer.clean()
    assert f"{pid} tcp_v4_connect {CALLS}\n" in out
    assert re.search(
        r'^kernel\.function\("tcp_v4_connect(@net/ipv4/tcp_ipv4\.c(:\d+)?)?"\)$', out, re.MULTILINE
    )


def test_callers_in_calls_and_returns(rung: list[str], net: Namespace) -> None:
    """Who called is the same at the entry and at the return, in whichever way they are attached; so is its module."""
    text = """
    global at, differ, n
    probe kernel.function("tcp_v4_c*").call { at[tid(), ppfunc()] = symname(caller_addr()) . modname(stack(1)) }
    probe kernel.function("tcp_v4_c*").return {
        if (!([tid(), ppfunc()] in at)) next
        n++
        if (at[tid(), ppfunc()] != symname(caller_addr()) . modname(stack(1))) differ[ppfunc(), symname(caller_addr())]++
    }
    probe kernel.function("tcp_v4_connect").return { printf("%s %s\\n", caller(), symname(stack(1))) }
    probe end { printf("%d\\n", n) foreach ([f, c] in differ) printf("%s %s\\n", f, c) }
    """
    with Tracer(*rung, "-e", text) as tracer:
        net.run(CONNECT, str(CALLS))
    lines = tracer.clean().splitlines()
    assert len([line for line in lines if line.startswith("__inet_stream_connect 0x")]) >= CALLS, tracer.out
    assert all(line.endswith(" __inet_stream_connect") for line in lines if line.startswith("__inet")), (
        tracer.out
    )
    assert lines[-1].isdecimal() and int(lines[-1]) >= CALLS, tracer.out


def test_a_trigger_and_a_pattern(probes: None, stage: str, net: Namespace) -> None:
    """Handlers of one function run in the script's order: the trigger's call is the first that the pattern's handler shows."""
    text = """
    global trace
    probe kernel.function("tcp_v4_connect").call { trace[tid()] = 1 }
    probe kernel.function("*@net/ipv4/tcp_ipv4.c").call { if (tid() in trace) printf("%s->%s %s\\n", thread_indent(1), ppfunc(), $$parms) }
    probe kernel.function("*@net/ipv4/tcp_ipv4.c").return { if (tid() in trace) printf("%s<-%s\\n", thread_indent(-1), ppfunc()) }
    probe kernel.function("tcp_v4_connect").return { delete trace[tid()] }
    """
    with Tracer("-e", text, stage=stage) as tracer:
        net.run(CONNECT, str(CALLS))
    lines = [line.split("):", 1)[1].split()[0] for line in tracer.clean().splitlines()]
    assert lines.count("->tcp_v4_connect") == lines.count("<-tcp_v4_connect") == CALLS
    inside = 0
    for line in lines:
        inside += (line == "->tcp_v4_connect") - (line == "<-tcp_v4_connect")
        assert inside or line == "<-tcp_v4_connect", line


def test_parameters_by_signature(probes: None, net: Namespace) -> None:
    """Functions with the same parameter are one program; those without it are another."""
    text = """
    global ports, others
    probe kernel.function("tcp_v4_*") {
        if (@defined($uaddr)) ports[ppfunc(), $addr_len]++
        else others[ppfunc()]++
    }
    probe end { foreach ([f, n] in ports) printf("%s %d %d\\n", f, n, ports[f, n]) foreach (f in others) println(f) }
    """
    with Tracer("-e", text) as tracer:
        net.run(CONNECT, str(CALLS))
    out = tracer.clean()
    assert f"tcp_v4_connect 16 {CALLS}\n" in out
    assert "\ntcp_v4_rcv\n" in out


def test_every_function_of_a_file(probes: None, net: Namespace) -> None:
    text = """
    global calls, ends
    probe kernel.function("__x64_sys_*@net/socket.c").return { ends[ppfunc(), pid()]++ }
    probe kernel.function("__x64_sys_*@net/socket.c").call { calls[ppfunc(), pid()]++ }
    probe end { foreach ([f, p] in calls) printf("%d %s %d %d\\n", p, f, calls[f, p], ends[f, p]) }
    """
    with Tracer("-e", text) as tracer:
        pid = net.run(CONNECT, str(CALLS)).strip()
    rows = {r[1]: (int(r[2]), int(r[3])) for r in map(str.split, tracer.clean().splitlines()) if r[0] == pid}
    assert rows["__x64_sys_connect"] == (CALLS, CALLS)
    assert rows["__x64_sys_accept4"] == (CALLS, CALLS)
    calls, ends = rows["__x64_sys_socket"]  # Python tries one or two itself
    assert calls == ends > CALLS
    assert rows["__x64_sys_listen"] == (1, 1)


def test_bpftrace(rung: list[str], net: Namespace) -> None:
    text = "kprobe:tcp_v4_c* { @[pid, func] = count(); @p[probe] = count(); }"
    with Tracer(*rung, "--lang=bt", "-e", text) as tracer:
        pid = net.run(CONNECT, str(CALLS)).strip()
    assert f"@[{pid}, tcp_v4_connect]: {CALLS}\n" in tracer.clean()
    assert "@p[kprobe:tcp_v4_connect]: " in tracer.out


def test_bpftrace_at_an_offset(probes: None, net: Namespace) -> None:
    """Behind what tracing itself uses: 5 bytes, 9 with the mark of a function's beginning; in between no probe can be."""
    for offset in (5, 9):
        text = f"kprobe:tcp_v4_connect+{offset} {{ @[pid] = count(); }}"
        with Tracer("--lang=bt", "-e", text) as tracer:
            pid = net.run(CONNECT, str(CALLS)).strip()
        if not tracer.status:
            assert f"@[{pid}]: {CALLS}\n" in tracer.clean()
            return
        assert "no instruction begins at that offset" in tracer.err
    raise AssertionError(tracer.err)
