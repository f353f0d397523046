"""The scripts that are measured, in bpftrace's language (both tools) and SystemTap's (pystap)."""

from __future__ import annotations

import random

# Tracepoints with a `tracepoint:` twin in tracefs, that a quiet machine seldom or never hits.
TRACEPOINTS = (
    "sched/sched_process_exec",
    "sched/sched_process_fork",
    "sched/sched_process_free",
    "sched/sched_process_hang",
    "sched/sched_migrate_task",
    "sched/sched_wait_task",
    "signal/signal_generate",
    "signal/signal_deliver",
    "task/task_rename",
    "task/task_newtask",
    "oom/mark_victim",
    "oom/oom_score_adj_update",
    "tcp/tcp_receive_reset",
    "tcp/tcp_retransmit_skb",
    "tcp/tcp_send_reset",
    "skb/kfree_skb",
    "udp/udp_fail_queue_rcv_skb",
    "workqueue/workqueue_activate_work",
)

_STATES = (
    "NONE",
    "ESTABLISHED",
    "SYN-SENT",
    "SYN-RECEIVED",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "TIME-WAIT",
    "CLOSED",
    "CLOSE-WAIT",
    "LAST-ACK",
    "LISTEN",
    "CLOSING",
    "NEW-SYN",
)

_STATES_BT = """\
BEGIN
{
	printf("%-16s %6s %-16s %6s  %s\\n", "LOCAL", "PORT", "REMOTE", "PORT", "CHANGE");
NAMES}

tracepoint:sock:inet_sock_set_state
{
	$sock = (struct sock *)args->skaddr;
	$from = args->oldstate;
	$to = args->newstate;
	$port = $sock->__sk_common.skc_num;
	$peer = $sock->__sk_common.skc_dport;
	$peer = ($peer >> 8) | (($peer << 8) & 0xff00);
	$local = ntop(0);
	$remote = ntop(0);
	if ($sock->__sk_common.skc_family == 2) {
		$local = ntop(2, $sock->__sk_common.skc_rcv_saddr);
		$remote = ntop(2, $sock->__sk_common.skc_daddr);
	} else {
		$local = ntop(10, $sock->__sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
		$remote = ntop(10, $sock->__sk_common.skc_v6_daddr.in6_u.u6_addr8);
	}
	printf("%-16s %6d %-16s %6d  %s > %s\\n", $local, $port, $remote, $peer, @name[$from], @name[$to]);
}

END
{
	clear(@name);
}
"""

_STATES_STP = """\
global name

probe begin
{
	printf("%-16s %6s %-16s %6s  %s\\n", "LOCAL", "PORT", "REMOTE", "PORT", "CHANGE")
NAMES}

probe kernel.trace("inet_sock_set_state")
{
	from = $oldstate
	to = $newstate
	port = $sk->__sk_common->skc_num
	peer = $sk->__sk_common->skc_dport
	peer = (peer >> 8) | ((peer << 8) & 0xff00)
	family = $sk->__sk_common->skc_family
	if (family == 2) {
		local = ip_ntop($sk->__sk_common->skc_rcv_saddr)
		remote = ip_ntop($sk->__sk_common->skc_daddr)
	} else {
		local = sprintf("%16M", &$sk->__sk_common->skc_v6_rcv_saddr)
		remote = sprintf("%16M", &$sk->__sk_common->skc_v6_daddr)
	}
	printf("%-16s %6d %-16s %6d  %s > %s\\n", local, port, remote, peer, name[from], name[to])
}
"""


def states(lang: str) -> str:
    """Return a script of the size of tcpstates that prints each TCP socket's changes of state."""
    if lang == "bt":
        names = "".join(f'\t@name[{number}] = "{name}";\n' for number, name in enumerate(_STATES))
        return _STATES_BT.replace("NAMES", names)
    names = "".join(f'\tname[{number}] = "{name}"\n' for number, name in enumerate(_STATES))
    return _STATES_STP.replace("NAMES", names)


def unseen(lang: str, text: str) -> str:
    """Return the script with a comment that makes it one that nobody has seen before."""
    return f"{'//' if lang == 'bt' else '#'} {random.getrandbits(64):016x}\n{text}"


TWENTY_MARKS = (b"first ", b"last ")


def twenty(lang: str) -> str:
    """Return a script on twenty tracepoints; the first and the last print beacons: when both speak, all is attached.

    (bpftrace attaches from the last to the first.)
    """
    if lang == "bt":
        first = 'tracepoint:tcp:tcp_destroy_sock { printf("first %s\\n", ntop(args->saddr)); }\n'
        last = 'tracepoint:sock:inet_sock_set_state { printf("last %s\\n", ntop(args->saddr)); }\n'
        counts = [f"tracepoint:{name.replace('/', ':')} {{ @n = count(); }}\n" for name in TRACEPOINTS]
        return first + "".join(counts) + last
    show = '{{ printf("{} %s\\n", ip_ntop($sk->__sk_common->skc_rcv_saddr)) }}\n'
    first = 'probe kernel.trace("tcp_destroy_sock") ' + show.format("first")
    last = 'probe kernel.trace("inet_sock_set_state") ' + show.format("last")
    counts = [f'probe kernel.trace("{name.split("/")[1]}") {{ n <<< 1 }}\n' for name in TRACEPOINTS]
    return "global n\n" + first + "".join(counts) + last


# name: (bpftrace's text, SystemTap's text) on the entry of every system call
SYSCALL_BODIES = {
    "store": ("{ @x = 1; }", "{ x = 1 }"),
    "count": ("{ @ = count(); }", "{ x <<< 1 }"),
    "count by pid, comm": ("{ @[pid, comm] = count(); }", "{ x[pid(), execname()] <<< 1 }"),
    "hist": ("{ @ = hist(args->id); }", "{ x <<< $id }"),
    "sum by number": ("{ @[args->id] = sum(1); }", "{ x[$id] += 1 }"),
    "guard only": (
        '{ if (args->id == 100000) { printf("%d\\n", pid); } }',
        '{ if ($id == 100000) printf("%d\\n", pid()) }',
    ),
}

TEN = "10 probes"  # on one event
_TEN_BT = "tracepoint:raw_syscalls:sys_enter {{ @n{0} = count(); }}\n"
_TEN_STP = (
    'global n{0}\nprobe kernel.trace("sys_enter") {{ n{0} <<< 1 }}\nprobe end {{ println(@count(n{0})) }}\n'
)

_STP_REPORTS = {
    "count": "println(@count(x))",
    "count by pid, comm": 'foreach ([p, c] in x) printf("%d %s %d\\n", p, c, @count(x[p, c]))',
    "hist": "print(@hist_log(x))",
}


def syscalls(lang: str, name: str) -> str:
    """Return the script that does `name` at the entry of every system call."""
    if name == TEN:
        one = _TEN_BT if lang == "bt" else _TEN_STP
        return "".join(one.format(number) for number in range(10))
    bt, stp = SYSCALL_BODIES[name]
    if lang == "bt":
        return f"tracepoint:raw_syscalls:sys_enter {bt}\n"
    report = _STP_REPORTS.get(name)
    end = f"probe end {{ {report} }}\n" if report else ""
    variable = "global x\n" if "x" in stp.split("$")[0].replace("execname", "") else ""
    return f'{variable}probe kernel.trace("sys_enter") {stp}\n{end}'


def each_call(lang: str, pid: int) -> str:
    """Return the script that prints a line for each system call of a process."""
    if lang == "bt":
        show = 'printf("%d %s %d\\n", pid, comm, args->id);'
        return f"tracepoint:raw_syscalls:sys_enter /pid == {pid}/ {{ {show} }}\n"
    show = 'printf("%d %s %d\\n", pid(), execname(), $id)'
    return f'probe kernel.trace("sys_enter") {{ if (pid() == {pid}) {show} }}\n'


def many_probes(lang: str, count: int) -> str:
    """Return a script of `count` probes."""
    if lang == "bt":
        probe = "tracepoint:raw_syscalls:sys_enter /args->id == {0}/ {{ @n{0} = count(); }}\n"
        return "".join(probe.format(number) for number in range(count))
    probe = 'global n{0}\nprobe kernel.trace("sys_enter") {{ if ($id == {0}) n{0} <<< 1 }}\n'
    return "".join(probe.format(number) for number in range(count))


def many_statements(lang: str, count: int) -> str:
    """Return a script of one probe with `count` statements."""
    if lang == "bt":
        body = "".join(
            f"\tif (args->id == {number}) {{ @n[{number}] = count(); }}\n" for number in range(count)
        )
        return f"tracepoint:raw_syscalls:sys_enter\n{{\n{body}}}\n"
    body = "".join(f"\tif ($id == {number}) n[{number}] <<< 1\n" for number in range(count))
    return f'global n\nprobe kernel.trace("sys_enter")\n{{\n{body}}}\n'


_MIXED_BT = (
    "\t@n[args->id, {0}] = count();\n",
    "\tif (args->id > {0}) {{ @a = count(); }} else {{ @t[pid] = sum({0}); }}\n",
    '\tif (args->id == {0}) {{ printf("%d %s %d\\n", pid, comm, {0}); }}\n',
    "\t@s[tid + {0}] = sum(1);\n",
)
_MIXED_STP = (
    "\tn[$id, {0}] <<< $id\n",
    "\tif ($id > {0}) a <<< 1; else t[pid()] <<< {0}\n",
    '\tif ($id == {0}) printf("%d %s %d\\n", pid(), execname(), {0})\n',
    "\ts[tid() + {0}] += 1\n",
)


def mixed_statements(lang: str, count: int) -> str:
    """Return a script of one probe with `count` statements of four kinds: updates, branches, texts, sums."""
    kinds = _MIXED_BT if lang == "bt" else _MIXED_STP
    body = "".join(kinds[number % len(kinds)].format(number) for number in range(count))
    if lang == "bt":
        return f"tracepoint:raw_syscalls:sys_enter\n{{\n{body}}}\n"
    return f'global n, a, t, s\nprobe kernel.trace("sys_enter")\n{{\n{body}}}\n'
