"""Two network namespaces of a test's own, joined by a veth pair, and processes that look like ping."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.live.network import Namespace, namespace

HERE, THERE = "10.213.7.1", "10.213.7.2"
HERE6, THERE6 = "fd00:d3::1", "fd00:d3::2"
NEAR, FAR = "stp-near", "stp-far"  # the devices


# A device sends nothing by itself once it is up: no solicitations, reports to groups at once, no probes of neighbours.
SILENT = """
cd /proc/sys/net/ipv6/conf/$0
echo 0 > router_solicitations; echo 0 > accept_dad; echo 1 > addr_gen_mode
echo 1 > mldv1_unsolicited_report_interval; echo 1 > mldv2_unsolicited_report_interval
for family in ipv4 ipv6; do echo 600 > /proc/sys/net/$family/neigh/$0/delay_first_probe_time; done
"""


@contextmanager
def pair() -> Iterator[tuple[Namespace, Namespace]]:
    """Make (here, there), each with an address of both families that the other one can reach."""
    with namespace() as here, namespace() as there:

        def ip(*words: str) -> None:
            subprocess.run(["ip", *words], check=True)

        ip("-n", here.name, "link", "add", NEAR, "type", "veth", "peer", "name", FAR, "netns", there.name)
        for ns, device, four, six in ((here, NEAR, HERE, HERE6), (there, FAR, THERE, THERE6)):
            ip("netns", "exec", ns.name, "sh", "-ec", SILENT, device)
            ip("-n", ns.name, "addr", "add", f"{four}/24", "dev", device)
            ip("-n", ns.name, "addr", "add", f"{six}/64", "dev", device, "nodad")
            ip("-n", ns.name, "link", "set", device, "up")
        yield here, there


# ping(host, count): a process named ping sends echo requests and waits for each answer (which may be sent in the same
# process's context); ping(host, count, False) doesn't wait. MUTE: no answers from this namespace.
MUTE = "open('/proc/sys/net/ipv4/icmp_echo_ignore_all', 'w').write('1')"
PING = """
import os, socket, struct, sys
open("/proc/self/comm", "w").write("ping")
def ping(host, count, wait=True):
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    s.settimeout(10)
    for n in range(1, count + 1):
        head = struct.pack(">BBHHH", 8, 0, 0, os.getpid() & 0xffff, n)
        total = sum(struct.unpack(">4H", head))
        total = (total & 0xffff) + (total >> 16)
        s.sendto(struct.pack(">BBHHH", 8, 0, ~total & 0xffff, os.getpid() & 0xffff, n), (host, 0))
        while wait:
            answer = s.recv(100)[20:]
            if answer[0] == 0 and answer[4:8] == struct.pack(">HH", os.getpid() & 0xffff, n):
                break
"""
