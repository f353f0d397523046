"""Messages of TCP sockets: what is asked for at the entry, what came at the return, by every call that there is."""

from __future__ import annotations

import json
import re

import pytest

from tests.live import probing
from tests.live.network import Namespace
from tests.live.standins.capture import CAPTURE
from tests.live.tracer import Tracer

RECEIVE = """
import ctypes, json, os, socket, sys, threading
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
server = socket.socket(family)
server.bind((sys.argv[1], 3308))
server.listen(1)
client = socket.socket(family)
client.connect((sys.argv[1], 3308))
other, _ = server.accept()
client.sendall(b"x" * 100)
other.recv(7)
other.recvfrom(9)
other.recvmsg(20)
other.recvmsg_into([bytearray(3), bytearray(5)])
os.read(other.fileno(), 11)
os.readv(other.fileno(), [bytearray(2), bytearray(4), bytearray(8)])
other.setblocking(False)
other.recv(1000)
try:
    other.recv(13)
except BlockingIOError:
    pass
# other sockets and files
a, b = socket.socketpair()
a.send(b"x" * 50); b.recv(17)
u = socket.socket(family, socket.SOCK_DGRAM)
u.bind((sys.argv[1], 3308)); u.sendto(b"x", (sys.argv[1], 3308)); u.recv(19)
os.read(os.open("/dev/zero", os.O_RDONLY), 23)
print(json.dumps([os.getpid(), open("/proc/self/comm").read().strip(), client.getsockname()[1]]))
"""
SIZES = [7, 9, 20, 8, 11, 14, 1000, 13]
CAME = [7, 9, 20, 8, 11, 14, 31, -11]
ROW = re.compile(r"^ *\d+ (.+)\((\d+)\): -> tcp.recvmsg src:(\S+):(\d+) dst:(\S+):(\d+) size=(\d+)$", re.M)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_receiving(script, stage, net: Namespace, host: str) -> None:
    with Tracer(script("received.stp", "004-6.2.1-tcp-recvmsg.stp"), stage=stage) as tracer:
        pid, comm, port = json.loads(net.run(RECEIVE, host))
    rows = [r for r in ROW.findall(tracer.clean()) if r[1] == str(pid)]
    assert rows == [(comm, str(pid), host, "3308", host, str(port), str(size)) for size in SIZES]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_received(stage, net: Namespace, host: str) -> None:
    text = (
        'probe tcp.recvmsg.return { if (sport == 3308) printf("%d %s:%d %d\\n", pid(), daddr, dport, size) }'
    )
    with Tracer("-e", text, stage=stage) as tracer:
        pid, _, port = json.loads(net.run(RECEIVE, host))
    assert tracer.clean().splitlines() == [f"{pid} {host}:{port} {size}" for size in CAME]


SEND = """
import os, socket
open("/proc/self/comm", "w").write("sender")
server = socket.socket()
server.bind(("127.0.0.1", 3309)); server.listen(1)
client = socket.socket()
client.connect(("127.0.0.1", 3309))
other, _ = server.accept()
client.send(b"x" * 3)
client.sendall(b"x" * 5)
client.sendmsg([b"x" * 7, b"y" * 9])
os.write(client.fileno(), b"x" * 11)
os.writev(client.fileno(), [b"x" * 13, b"x" * 15, b"x"])
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.sendto(b"x" * 17, ("127.0.0.1", 3309))
try:
    u.sendto(b"x" * 100000, ("127.0.0.1", 3309))
except OSError as error:
    assert error.errno == 90
a, b = socket.socketpair()
a.send(b"x" * 50)
six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
six.sendto(b"x" * 60, ("::1", 3309))
"""


def test_sending(script, stage, net: Namespace) -> None:
    with Tracer(script("sent.stp", "004-7-args-return.stp"), stage=stage) as tracer:
        net.run(SEND)
    rows = [x.partition(":")[2] for x in tracer.clean().splitlines() if x.startswith("process=sender:")]
    sizes = [3, 5, 16, 11, 29, 17, 100000]
    assert rows == [w for n in sizes for w in (f"size={n}", f"ret={-90 if n == 100000 else n}")]


OPTIONS = """
import socket
t = socket.socket()
t.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
t.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 7)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
try:
    t.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, -1)
except OSError:
    pass
"""


def test_options(stage, net: Namespace) -> None:
    text = (
        'probe tcp.setsockopt { if (level == 6) printf("%d %s %d ", family, optstr, optlen) }'
        ' probe tcp.setsockopt.return { printf("%d\\n", ret) }'
    )
    with Tracer("-e", text, stage=stage) as tracer:
        net.run(OPTIONS)
    assert tracer.clean() == "2 TCP_NODELAY 4 0\n2 TCP_KEEPIDLE 4 0\n2 TCP_KEEPIDLE 4 -22\n"


TALK = (
    CAPTURE
    + """
import json, sys, time
port = int(sys.argv[1])
server = socket.socket()
server.bind(("127.0.0.1", port)); server.listen(1)
client = socket.socket()
client.connect(("127.0.0.1", port))
other, _ = server.accept()
for n in range(5):
    client.send(b"x")
    other.recv(10)
client.close()
assert other.recv(1) == b""
time.sleep(0.1)
other.close()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.sendto(b"x", ("127.0.0.1", port if len(sys.argv) > 2 else 9))
six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
six.sendto(b"x", ("::1", port))
time.sleep(0.2)
found = []
for protocol, data in incoming((4,)):  # what went out; over lo the same comes in
    s = segment(protocol, data)
    if s:
        tcp = data[(data[0] & 15) * 4:]
        found.append([*s, *struct.unpack(">II", tcp[4:12])])
print(json.dumps([client.fileno(), found, u.getsockname()[1]]))
"""
)


def test_established(script, stage, net: Namespace) -> None:
    with Tracer(script("established.stp", "004-15.1-sock.stp"), "3311", stage=stage) as tracer:
        _, captured, _ = json.loads(net.run(TALK, "3311"))
    to_server = [s for s in captured if s[3] == 3311]
    # neither the handshake (two segments) nor what comes after the client's FIN is for an established socket
    fin = next(n for n, s in enumerate(to_server) if s[9])
    count = fin + 1 - 2
    point = probing.point("tcp_rcv_established", "net/ipv4/tcp_input.c")
    lines = tracer.clean().splitlines()
    assert count >= 6 and len(lines) == count
    assert all(re.fullmatch(f"pp={point},ip=127.0.0.1,port=3311", line) for line in lines), lines


def transmit() -> str:
    """Return what pp() gives where a packet is handed to its device."""
    return probing.point("dev_queue_xmit", "net/core/dev.c", "__dev_queue_xmit")


def test_transmitted(script, stage, net: Namespace) -> None:
    with Tracer(script("transmitted.stp", "004-9-cast.stp"), stage=stage) as tracer:
        _, captured, _ = json.loads(net.run(TALK, "443"))
    first = re.compile(
        rf"^TIME=[^,]+,PP={transmit()},"
        r"syn=(\d),ack=(\d),fin=(\d),rst=(\d) \[127.0.0.1:(\d+)-> 127.0.0.1:443\]\n"
        r"net_device=0x[0-9a-f]+, dev=lo, seq=(\d+) ack=(\d+)$",
        re.M,
    )
    got = [tuple(map(int, m)) for m in first.findall(tracer.clean())]
    want = [(s[8], s[5], s[9], s[7], s[2], s[10], s[11]) for s in captured if s[3] == 443]
    assert len(want) >= 8 and got == want


def test_by_protocol(script, stage, net: Namespace) -> None:
    with Tracer(script("by-protocol.stp", "004-10-union.stp"), stage=stage) as tracer:
        _, captured, port = json.loads(net.run(TALK, "443", "both"))
    out = tracer.clean()
    rows = [m[1] for x in out.splitlines() if (m := re.fullmatch(f"PP={transmit()}, (.*)", x))]
    tcp = [x for x in rows if ":443], seq=" in x]
    assert tcp == [f"[127.0.0.1:{s[2]}->127.0.0.1:443], seq={s[10]}" for s in captured if s[3] == 443]
    assert f"dev=lo, [127.0.0.1:{port}->127.0.0.1:443]" in rows


PACKETS = """
import os, socket
open("/proc/self/comm", "w").write("packeteer")
nobody = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
taker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
taker.bind(("127.7.7.7", 3312))
six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
sixth = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
sixth.bind(("::1", 3312))
for _ in range(5):
    nobody.sendto(b"x", ("127.7.7.7", 3312))
    taker.recv(10)
for _ in range(3):
    six.sendto(b"x", ("::1", 3312))
    sixth.recv(10)
# a datagram for nobody is answered by ICMP
nobody.sendto(b"x", ("127.7.7.7", 3313))
# TCP is not asked for over IPv4
server = socket.socket(); server.bind(("127.7.7.7", 3314)); server.listen(1)
socket.socket().connect(("127.7.7.7", 3314))
"""


def test_by_ethertype(script, stage, net: Namespace) -> None:
    with Tracer(script("by-ethertype.stp", "004-15.3-ethertype.stp"), stage=stage) as tracer:
        net.run(PACKETS)
    lines = [x for x in tracer.clean().splitlines() if "127.7.7.7" in x]
    assert lines == ["saddr=127.0.0.1->daddr=127.7.7.7"] * 6 + ["saddr=127.7.7.7->daddr=127.0.0.1"]
    assert tracer.out.splitlines().count("saddr=::1->daddr=::1") >= 3


def test_by_process(script, stage, net: Namespace) -> None:
    workload = PACKETS.partition("# a datagram")[0]  # what follows is sent by more than the process
    with Tracer(script("process-packets.stp", "004-13-arguments.stp"), "packeteer", stage=stage) as tracer:
        net.run(workload)
    lines = tracer.clean().splitlines()
    assert len(lines) == 8
    assert all(re.fullmatch(f"procname=packeteer,pp={transmit()}", line) for line in lines), lines
