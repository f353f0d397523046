"""What a bridge sends by itself: the packets that are sent to its own device, and no others'."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.live import probing
from tests.live.network import Namespace, namespace
from tests.live.tracer import Tracer

SETUP = """
import os, socket, subprocess, sys
open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w").write("1")  # no packets of the bridge's own making
for words in ("link add stp-br type bridge", "link set stp-br up", "addr add 10.213.8.1/24 dev stp-br",
              "neigh add 10.213.8.2 lladdr 02:00:00:00:00:01 dev stp-br"):
    subprocess.run(["ip", *words.split()], check=True)
"""
SENDING = """
import os, socket
open("/proc/self/comm", "w").write("bridger")
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(5):
    s.sendto(b"x", ("10.213.8.2", 9))
    s.sendto(b"x", ("127.0.0.1", 9))
print(os.getpid())
"""
WORKLOAD = SETUP + SENDING
LINE = re.compile(r"^ *\d+ bridger\((\d+)\): (->|<-) (\S+)$", re.M)


PAIR = [("->", "br_dev_xmit,devname=stp-br"), ("<-", "br_dev_xmit")]


def _load() -> None:
    """Load the module, where it is one."""
    with namespace() as other:
        subprocess.run(["ip", "-n", other.name, "link", "add", "stp-first", "type", "bridge"], check=True)


def test_sent_by_the_bridge(script, stage, net: Namespace) -> None:
    _load()
    with Tracer(script("bridge-sends.stp", "004-8.5-br-dev-xmit.stp"), stage=stage) as tracer:
        pid = net.run(WORKLOAD).strip()
    sent = net.run("print(open('/sys/class/net/stp-br/statistics/tx_packets').read())")
    lines = [m[1:] for m in LINE.findall(tracer.clean()) if m[0] == pid]
    # a report of group membership (IGMP) may leave in the workload's name, when its timer ends just then
    assert lines == PAIR * (len(lines) // 2) and 5 <= len(lines) // 2 <= int(sent), (lines, sent)


def test_armed_when_the_module_comes(script, stage) -> None:
    """The tracer is told of the module at once, but attaches in its own time: it is waited for, with packets."""
    if why := probing.lacks("kprobe"):
        pytest.skip(why)
    if subprocess.run(["modprobe", "-r", "bridge"], capture_output=True).returncode:
        pytest.skip("the module is in use, or the kernel's own")
    path = script("bridge-sends.stp", "004-8.5-br-dev-xmit.stp")
    with namespace() as net, Tracer(path, stage=stage) as tracer:
        net.run(WORKLOAD)
        for _ in range(100):
            if "<- br_dev_xmit" in tracer.so_far():
                break
            net.run(SENDING)
        pid = net.run(SENDING).strip()
    assert "W308" in tracer.err and "bridge" in tracer.err
    lines = [m[1:] for m in LINE.findall(tracer.clean()) if m[0] == pid]
    assert lines in (PAIR * 5, PAIR * 6)  # a report of membership, as above
