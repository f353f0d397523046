"""Aliases on functions that nothing stands in for, beside what the test itself did."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import probing
from tests.live.network import namespace
from tests.live.tracer import Tracer, run


@pytest.fixture(autouse=True)
def _functions() -> None:
    if why := probing.lacks("kprobe"):
        pytest.skip(why)


# One namespace with the bridge, and one at each of its two ports; ports forward at once.
BRIDGE = """
import subprocess, sys
left, right = sys.argv[1:]
def ip(words, name=""):
    subprocess.run(["ip", *(["-n", name] if name else []), *words.split()], check=True)
for file in ("default", "all"):
    open(f"/proc/sys/net/ipv6/conf/{file}/disable_ipv6", "w").write("1")
ip("link add tap-br type bridge forward_delay 0 mcast_snooping 0")
for end, other, last in (("l", left, 1), ("r", right, 2)):
    ip(f"link add tap-{end} type veth peer name eth0 netns {other}")
    ip(f"link set tap-{end} master tap-br up")
    ip(f"link set eth0 address 02:00:00:00:00:0{last}", other)
    ip(f"addr add 10.213.7.{last}/24 dev eth0", other)
    ip("link set eth0 up", other)
ip("link set tap-br address 02:00:00:00:00:09 up")
ip("addr add 10.213.7.9/24 dev tap-br")
"""
FRAMES = r"""
probe netfilter.bridge.pre_routing, netfilter.bridge.local_in, netfilter.bridge.forward, netfilter.bridge.local_out,
    netfilter.bridge.post_routing {
  printf("%s in=%s out=%s %x len=%d %s %d\n", pn(), indev_name, outdev_name, protocol, length, data_hex, llcproto_stp)
}
probe netfilter.arp.forward { printf("arp %s>%s %d %s %s>%s\n", indev_name, outdev_name, ar_op, ar_sha, ar_sip, ar_tip) }
"""
UDP = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b"x", ("10.213.7.2", 9))
s.sendto(b"yy", ("10.213.7.9", 9))
"""
STP = """
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
bpdu = bytes.fromhex("0000" "00" "00" "81" "8001020000000007" "00000013" "8002020000000008" "8003" "0100" "1400" "0200" "0f00")
s.send(bytes.fromhex("0180c2000000" "020000000001" "0026" "424203") + bpdu)
"""
STP_ROWS = r"""
probe netfilter.bridge.pre_routing {
  if (protocol != llcproto_stp) next
  printf("%s %d %d %d %x %x %s %d %x %s %x %d %d %d %d\n", indev_name, br_prid, br_vid, br_type, br_flags, br_rid, br_rmac,
    br_cost, br_bid, br_mac, br_poid, br_msg / 256, br_max / 256, br_htime / 256, br_fd / 256)
  exit()
}
"""


@pytest.fixture
def bridge() -> Iterator[tuple]:
    subprocess.run(["modprobe", "-q", "bridge"], check=False)
    with namespace() as middle, namespace() as left, namespace() as right:
        middle.run(BRIDGE, left.name, right.name)
        middle.run("""
import time
while "forwarding" not in open("/sys/class/net/tap-br/operstate").read() and not all(
    open(f"/sys/class/net/tap-{e}/brport/state").read().strip() == "3" for e in "lr"): time.sleep(0.02)
""")
        yield middle, left, right


def test_frames_of_a_bridge(bridge: tuple) -> None:
    """A datagram through the bridge and one to it, with ARP before each, at the hooks that each passes."""
    _, left, _ = bridge
    with Tracer("-e", FRAMES) as tracer:
        left.run(UDP)
        for _ in range(50):
            if tracer.so_far().count("len=30 ") >= 2:
                break
            left.run("import time; time.sleep(0.1)")
    rows = re.findall(r"netfilter\.bridge\.(\w+) in=(\S*) out=(\S*) (\w+) len=(\d+) (\w*) 66\n", tracer.out)
    assert tracer.err == ""
    through = [(r[0], r[1], r[2]) for r in rows if r[3] == "800" and r[4] == "29" and r[5].endswith("78")]
    assert through == [
        ("pre_routing", "tap-l", ""),
        ("forward", "tap-l", "tap-r"),
        ("post_routing", "", "tap-r"),
    ], tracer.out
    mine = [(r[0], r[1], r[2]) for r in rows if r[3] == "800" and r[4] == "30" and r[5].endswith("7979")]
    assert mine == [("pre_routing", "tap-l", ""), ("local_in", "tap-l", "")], tracer.out
    # the bridge's own answers to ARP
    assert ("local_out", "", "tap-l") in {(r[0], r[1], r[2]) for r in rows if r[3] == "806"}, tracer.out
    arp = re.findall(r"arp (\S+) (\d) (\S+) (\S+)\n", tracer.out)
    assert ("tap-l>tap-r", "1", "02:00:00:00:00:01", "10.213.7.1>10.213.7.2") in arp
    assert ("tap-r>tap-l", "2", "02:00:00:00:00:02", "10.213.7.2>10.213.7.1") in arp


def test_message_of_spanning_tree(bridge: tuple) -> None:
    _, left, _ = bridge
    with Tracer("-e", STP_ROWS) as tracer:
        left.run(STP)
        tracer.process.wait(60)
    assert tracer.out == ("tap-l 0 0 0 81 8001 02:00:00:00:00:07 19 8002 02:00:00:00:00:08 8003 1 20 2 15\n")


FILES = r"""
probe vfs.add_to_page_cache { if (pid() == target()) printf("add %d %d %s\n", ino, index, devname) }
probe vfs.add_to_page_cache.return { if (pid() == target()) printf("added %s\n", retstr) }
probe vfs.remove_from_page_cache { if (pid() == target()) printf("remove %d %d\n", ino, index) }
probe tty.receive { if (pid() == target()) printf("tty %s %d %s %d %d\n", name, count, substr(cp, 0, count), index, MINOR(id)) }
probe vm.munmap.return { if (pid() == target()) unmapped++ }
probe signal.pending.return { if (pid() == target()) printf("pending %s\n", retstr) }
probe signal.check_ignored { if (sig_pid == target()) printf("%s %s\n", pid_name, sig_name) }
global unmapped
probe end { println("unmapped " . (unmapped > 0 ? "some" : "none")) }
"""
WORK = """
import mmap, os, pty, signal
fd = os.open(os.__file__, os.O_RDONLY)  # on a disk, and in no use itself
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
os.read(fd, 10)
other, mine = pty.openpty()
os.write(other, b"hello")
m = mmap.mmap(-1, 8192)
m.close()
signal.sigpending()
os.kill(os.getpid(), signal.SIGWINCH)
print(os.fstat(fd).st_ino, os.ttyname(mine).rpartition("/")[2], flush=True)
"""


def test_files_terminals_and_signals(tmp_path: Path) -> None:
    work = tmp_path / "work.py"
    work.write_text(WORK)
    out = tmp_path / "out"
    done = run("-o", str(out), "-e", FILES, "-c", f"{sys.executable} {work}")
    assert done.status == 0, done.err
    ino, number = done.out.split()
    lines = out.read_text().splitlines()
    added = [line for line in lines if line.startswith(f"add {ino} 0 ")]
    assert len(added) == 1 and re.search(r" [a-z]+\d*$", added[0]) and "added 0" in lines
    # what is written to one end comes as input to the other's line discipline, by the kernel's own thread or at once
    ttys = [line for line in lines if line.startswith("tty ")]
    assert all(line == f"tty pts{number} 5 hello {number} {number}" for line in ttys)
    assert "unmapped some" in lines and "pending 0" in lines, lines[-8:]
    assert any(re.fullmatch(r"\S+ SIGWINCH", line) for line in lines)
