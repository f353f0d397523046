"""C code of scripts on the live kernel, in both stages, against what /proc and the traffic's maker say."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("pycparser")

from tests.live.network import Namespace, namespace
from tests.live.tracer import ROOT, Tracer, run

JIFFIES = """
%{
#include <linux/jiffies.h>
%}
function get_jiffies() %{ THIS->__retvalue = jiffies; %}
"""

PACKETS = """
%{
#include <linux/ip.h>
static inline int is_icmp(struct iphdr *ip) { return ip->protocol == IPPROTO_ICMP; }
%}
function proto(skb) %{ /* pure */
  struct iphdr *ip = ip_hdr((struct sk_buff *)STAP_ARG_skb);
  if (!ip) STAP_RETURN(-1);
  STAP_RETURN(is_icmp(ip) ? ip->ihl * 1000 + ip->version * 100 + ip->protocol : 0);
  CATCH_DEREF_FAULT();
%}
function len(skb) %{ STAP_RETVALUE = kread(&((struct sk_buff *)(uintptr_t)THIS->skb)->len); %}
function ends:string(skb:long) %{
  struct iphdr *ip = ip_hdr((struct sk_buff *)STAP_ARG_skb);
  snprintf(STAP_RETVALUE, MAXSTRINGLEN, "%pI4>%pI4", &ip->saddr, &ip->daddr);
%}
function dev:string(skb:long) %{
  struct sk_buff *skb = (struct sk_buff *)STAP_ARG_skb;
  strlcpy(STAP_RETVALUE, skb->dev->name, MAXSTRINGLEN);
%}
probe kernel.trace("net_dev_queue") {
  if (proto($skb) > 0)
    printf("%d %d %s %s %d\\n", proto($skb), len($skb), ends($skb), dev($skb), %{ current->tgid %} == pid())
}
"""

PING = """
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
for n in range(5):
    packet = struct.pack("!BBHHH", 8, 0, 0, 1, n)
    total = sum(struct.unpack("!4H", packet))
    s.sendto(struct.pack("!BBHHH", 8, 0, ~total & 0xffff, 1, n), ("127.0.0.1", 0))
"""


@pytest.fixture
def net() -> Namespace:
    with namespace() as ns:
        yield ns


def test_jiffies_go_with_the_clock() -> None:
    """Two readings, a known time apart, differ by HZ times that."""
    script = JIFFIES + (
        "global first, start probe begin { first = get_jiffies() start = gettimeofday_ms() }\n"
        'probe timer.ms(2000) { printf("%d %d %d\\n", get_jiffies() - first, gettimeofday_ms() - start, %{ HZ %}) exit() }'
    )
    done = run("-g", "-e", script)
    passed, milliseconds, hz = map(int, done.clean().split())
    assert abs(passed - milliseconds * hz / 1000) <= 3
    assert hz in (100, 250, 300, 1000)


def test_jiffies_are_the_kernels_own() -> None:
    """The kernel starts them at -300 s, cut to 32 bits; /proc/uptime tells the rest."""
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    done = run("-g", "-e", JIFFIES + 'probe begin { printf("%d %d", get_jiffies(), %{ HZ %}) exit() }')
    value, hz = map(int, done.clean().split())
    start = (1 << 32) - 300 * hz
    assert abs((value - start) / hz - before) < 60


@pytest.mark.parametrize("stage", ["auto", "mirror"])
def test_packets(net: Namespace, stage: str) -> None:
    with Tracer("-g", "-e", PACKETS, stage=stage) as tracer:
        net.run(PING)
        tracer.wait_for("\n", 10)
    # five echo requests and five replies, 8 bytes of ICMP in 20 of IP in 14 of Ethernet
    assert tracer.clean().splitlines() == ["5401 42 127.0.0.1>127.0.0.1 lo 1"] * 10


def test_handlers_with_c_stay_in_the_kernel(tmp_path: Path) -> None:
    script = tmp_path / "packets.stp"
    script.write_text(PACKETS)
    command = [sys.executable, "-m", "pystap", "explain", "-g", str(script)]
    text = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert 'kernel.trace("net_dev_queue"): kernel stage' in text


def test_a_fault_is_the_scripts_error() -> None:
    script = (
        "function f(x) %{ STAP_RETVALUE = ((struct task_struct *)STAP_ARG_x)->pid; %}\n"
        'probe begin { try { f(8) print("no") } catch (m) { print(m) } exit() }'
    )
    assert run("-g", "-e", script).clean().startswith("read fault")


def test_kernel_variables() -> None:
    """Where the kernel's symbols include its data they are read; elsewhere the error names the variable."""
    script = (
        "%{\nextern int nr_threads;\n%}\n"
        'probe begin { printf("%s %d %d", %{ /* string */ init_task.comm %}, %{ nr_threads %}, %{ init_task.pid %}) exit() }'
    )
    done = run("-g", "-e", script)
    with open("/proc/kallsyms") as file:
        known = any(line.split()[2] == "init_task" for line in file)
    if not known:
        assert done.status == 1
        assert "this kernel has no symbol 'init_task'" in done.err
        return
    comm, threads, pid = done.clean().rsplit(" ", 2)
    assert (comm, pid) == ("swapper/0", "0")
    with open("/proc/loadavg") as file:
        assert abs(int(threads) - int(file.read().split()[3].partition("/")[2])) < 200
