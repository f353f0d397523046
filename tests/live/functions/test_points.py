"""Every form of a probe point on functions sees the same calls, which the workload counts."""

from __future__ import annotations

import subprocess

import pytest

from tests.live.functions.conftest import CALL, CALLS, WORK, rows, run_python
from tests.live.network import Namespace
from tests.live.tracer import Tracer, run


def address(symbol: str) -> int:
    with open("/proc/kallsyms") as file:
        return next(int(line.split()[0], 16) for line in file if line.split()[2] == symbol)


@pytest.mark.usefixtures("probes")
def test_all_forms_count_alike(command: str) -> None:
    at = address(CALL)
    forms = [
        f'kernel.function("{CALL}")',
        f'kernel.function("{CALL}").call',
        f'kernel.function("{CALL}").return',
        f'kernel.function("{CALL}").return.maxactive(5)',
        f'kernel.function("{CALL}@kernel/sys.c")',
        f'kernel.function("{CALL}@sys.c").return',
        'kernel.function("__x64_sys_umas[k]")',
        'kernel.function("__x64_sys_um?sk@kernel/*.c").call',
        f"kernel.function({at:#x})",
        f"kernel.statement({at:#x}).absolute",
        f"kprobe.statement({at:#x}).absolute",
        f'kprobe.function("{CALL}")',
        f'kprobe.function("{CALL}").call',
        f'kprobe.function("{CALL}").return',
        'kprobe.function("__x64_sys_umas*").return',
        f'kernel.function("no_such_function")?, kernel.function("{CALL}")?',
        f'kernel.function("no_such_function")!, kernel.function("{CALL}")!, kernel.function("do_exit")',
        f'kernel.function("{CALL}") if (on)',
        f'kernel.function("{CALL}").return if (on)',
        "mine.entry",
        "mine.left",
        "mine.any.return",
        "mine.l*",
        "mine.either",
    ]
    twice = [f'kernel.function("{CALL}").{{call,return}}', "mine.entry, mine.left", "mine.e*y, mine.left"]
    never = [f'kernel.function("{CALL}") if (off)', f'kernel.function("{CALL}").return ? if (off)']
    script = f"""
    global n, on = 1, off
    probe mine.entry = kernel.function("{CALL}").call {{ }}
    probe mine.left = kernel.function("{CALL}").return {{ }}
    probe mine.any = kernel.function("{CALL}") {{ }}
    probe mine.either = kernel.function("no_such_function") ?, kernel.function("{CALL}") {{ }}
    probe timer.s(1000) {{ on = 1 off = 0 }}
    """
    for number, form in enumerate(forms + twice + never):
        script += f"probe {form} {{ if (pid() == target()) n[{number}]++ }}\n"
    script += (
        f'probe end {{ for (i = 0; i < {len(forms + twice + never)}; i++) printf("%d: %d\\n", i, n[i]) }}'
    )
    done = run("-g", "-e", script, "-c", command)
    found = rows(done.clean())
    wanted = [CALLS] * len(forms) + [2 * CALLS] * len(twice) + [0] * len(never)
    wrong = {
        form: found[str(number)]
        for number, (form, count) in enumerate(zip(forms + twice + never, wanted, strict=True))
        if found[str(number)] != count
    }
    assert not wrong, (wrong, done.err)


@pytest.mark.usefixtures("probes")
def test_another_name_of_the_same_code(command: str) -> None:
    """System calls without arguments are aliases: the kernel lists, and has types of, the first name alone."""
    script = """
    global n
    probe kernel.function("__x64_sys_getppid") { if (pid() == target()) n["name"]++ }
    probe kernel.function("__x64_sys_getpp?d") { if (pid() == target()) n["pattern"]++ }
    probe kernel.function("__x64_sys_getppid").return { if (pid() == target() && $return == ppid()) n["return"]++ }
    probe kernel.function("*_sys_getppid").return { if (pid() == target()) n["all"]++ }
    probe end { foreach (k in n) printf("%s: %d\\n", k, n[k]) }
    """
    done = run("-e", script, "-c", command)
    assert rows(done.clean()) == dict.fromkeys(("name", "pattern", "return", "all"), CALLS), done.err


@pytest.mark.usefixtures("probes")
def test_callees_are_calls_from_one_function(command: str) -> None:
    """vfs_read is reached by read and by pread: each way is counted by itself."""
    script = """
    global n
    probe kernel.function("ksys_read").callee("vfs_read").call { if (pid() == target()) n["read"]++ }
    probe kernel.function("ksys_read").callee("vfs_read").return { if (pid() == target() && $return >= 0) n["read ends"]++ }
    probe kernel.function("*sys_pread64").callee("vfs_read") ? { if (pid() == target() && $count == 1) n["pread"]++ }
    probe kernel.function("ksys_read") { if (pid() == target()) n["ksys_read"]++ }
    probe kernel.function("do_exit").callee("vfs_read").call { n["never"]++ }
    probe end { foreach (k in n) printf("%s: %d\\n", k, n[k]) }
    """
    done = run("-e", script, "-c", command)
    found = rows(done.clean())
    assert found["ksys_read"] == found["read"] == found["read ends"] >= 7, (found, done.err)
    assert found["pread"] == 5 and "never" not in found, (found, done.err)


@pytest.mark.usefixtures("probes")
@pytest.mark.parametrize("points", [".call", ".return", "both"])
def test_who_called(points: str, command: str) -> None:
    """The caller is the same at the entry and at the return, however the function is attached to."""
    body = (
        'if (pid() == target() && @entry($count) == 1) n["%s", symname(caller_addr()), symname(stack(0))]++'
    )
    script = "global n\n"
    if points != ".return":
        text = body.replace("@entry($count)", "$count") % "call"
        script += f'probe kernel.function("vfs_read").call {{ {text} }}\n'
    if points != ".call":
        script += f'probe kernel.function("vfs_read").return {{ {body % "return"} }}\n'
    script += 'probe end { foreach ([w, c, f] in n) printf("%s %s %s: %d\\n", w, c, f, n[w, c, f]) }'
    done = run("-e", script, "-c", command)
    found = rows(done.clean())
    for word in ("call", "return") if points == "both" else (points[1:],):
        callers = {line.split()[1]: n for line, n in found.items() if line.startswith(f"{word} ")}
        assert callers.pop("ksys_read", 0) >= 7, (found, done.err)
        assert sum(callers.values()) == 5 and all("pread64" in name for name in callers), (found, done.err)
        if word == "call":
            assert all(line.split()[2] == "vfs_read" for line in found if line.startswith("call ")), found


@pytest.mark.usefixtures("probes")
def test_several_probes_of_one_function(command: str) -> None:
    """Entry, return and its view of the entry, twice each, in the order of the script."""
    script = f"""
    global n, first, wrong
    probe kernel.function("{CALL}") {{ if (pid() == target()) first[tid()] = gettimeofday_ns() }}
    probe kernel.function("{CALL}") {{ if (pid() == target()) {{ n["calls"]++; if (!first[tid()]) wrong++ }} }}
    probe kernel.function("{CALL}").return {{
        if (pid() == target()) {{ n["returns"]++; if (@entry(gettimeofday_ns()) < first[tid()]) wrong++ }}
    }}
    probe kernel.function("{CALL}").return {{
        if (pid() == target()) {{ n["values"] += ($return == 18); delete first[tid()] }}
    }}
    probe end {{ foreach (k in n) printf("%s: %d\\n", k, n[k]); printf("wrong: %d\\n", wrong) }}
    """
    done = run("-e", script, "-c", command)
    assert rows(done.clean()) == {"calls": CALLS, "returns": CALLS, "values": CALLS, "wrong": 0}


SEND = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[1])): s.sendto(b"x" * 100, ("10.92.0.2", 9))
"""


def test_a_function_within_itself(stage: str, bridge_module: None, net: Namespace) -> None:
    """A datagram to a bridge is sent twice, the second time within the first: each return has its own entry."""
    for words in (
        "link add br0 type bridge",
        "link add p0 type veth peer name p1",
        "link set p0 master br0 up",
        "link set p1 up",
        "addr add 10.92.0.1/24 dev br0",
        "link set br0 up",
        "neigh add 10.92.0.2 lladdr 02:00:00:00:00:02 dev br0 nud permanent",
    ):
        subprocess.run(["ip", "-n", net.name, *words.split()], check=True)
    script = """
    probe kernel.function("__dev_queue_xmit") {
        if (execname() == "python3" && $skb->len == 142) printf("> %s\\n", kernel_string($skb->dev->name))
    }
    probe kernel.function("__dev_queue_xmit").return {
        if (execname() == "python3" && @entry($skb->len) == 142) printf("< %s\\n", @entry(kernel_string($skb->dev->name)))
    }
    """
    with Tracer("-e", script, stage=stage) as tracer:
        net.run(SEND, "6")
    assert tracer.clean().splitlines() == ["> br0", "> p0", "< p0", "< br0"] * 6


@pytest.mark.usefixtures("bridge_module")
def test_one_name_in_two_modules_and_the_kernel() -> None:
    """Pattern of modules: those functions, and no others; kprobe.module as module."""
    subprocess.run(["modprobe", "dummy", "numdummies=0"], check=True)
    script = """
    global n
    probe module("{dummy,veth}").function("*_setup") { n[probemod(), ppfunc(), "all"]++ }
    probe module("[dv][ue][mt]*").function("*_setup").return { n[probemod(), ppfunc(), "returns"]++ }
    probe kprobe.module("dummy").function("dummy_setup") { n[probemod(), ppfunc(), "kprobe"]++ }
    probe kprobe.module("veth").function("veth_setup").return { n[probemod(), ppfunc(), "kprobe"]++ }
    probe end { foreach ([m, f, w] in n) printf("%s %s %s: %d\\n", m, f, w, n[m, f, w]) }
    """.replace('module("{dummy,veth}")', 'module("dummy").function("*_setup"), module("veth")', 1)
    links = "ip link add d0 type dummy; ip link add d1 type dummy; ip link add v0 type veth peer name v1"
    with Tracer("-e", script) as tracer:
        subprocess.run(["unshare", "-n", "sh", "-c", links], check=True)
    found = rows(tracer.clean())
    for what in ("all", "returns", "kprobe"):
        assert found[f"dummy dummy_setup {what}"] == 2, (found, tracer.err)
        assert found[f"veth veth_setup {what}"] == 2, (found, tracer.err)


def test_workload_does_what_it_says(probes: None, command: str) -> None:
    """The workload itself, by system calls: an oracle that needs no function."""
    script = """
    global n
    probe syscall.getppid { if (pid() == target()) n++ }
    probe end { printf("%d\\n", n) }
    """
    assert run("-e", script, "-c", command).clean() == f"{CALLS}\n"
    assert run_python(WORK) == ""
