"""Variables that only the function's entry tells: registers had them then, and a probe of the entry keeps them.

What a call was given is known here in another way: each is compared with what the work did.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

from pystap.debuginfo import DebugInfo
from pystap.debuginfo.expressions import parts
from pystap.kernel.debugfiles import candidates, wanted_id
from tests.live.scenarios.conftest import stage
from tests.live.tracer import Tracer

from .conftest import ADDRESSES, Wire

__all__ = ["stage"]


def place(name: str, file: str, line: int, variable: str) -> str:
    """Return a probe point, a line counted from the function's; there a variable is what a register held at the entry."""
    info = DebugInfo(candidates("", wanted_id(""))[0])
    (function,) = info.find(name, file)
    spot = next(s for s in info.addresses(function, function.line + line) if s.within == name)
    location = info.variables_at(spot.address, name)[variable][0]
    assert parts(location, "entry"), location
    return f'kernel.statement("{name}@{file}+{line}")'


def test_sizes_of_writes(script, stage: str, tmp_path: Path) -> None:
    """$count in vfs_write behind the write itself."""
    point = place("vfs_write", "fs/read_write.c", 24, "count")
    sizes = [1, 20, 300, 4000, 50000, 77] * 3
    text = (
        f"probe {point} {{\n"
        ' if (pid() == target() && kernel_string($file->f_path->dentry->d_name->name) == "written")\n'
        '  printf("%d %d\\n", $count, $ret)\n'
        "}\n"
    )
    work = f"with open({str(tmp_path / 'written')!r}, 'wb', 0) as f:\n for n in {sizes}: f.write(bytes(n))\n"
    (tmp_path / "work.py").write_text(work)
    with Tracer("-c", f"{sys.executable} {tmp_path / 'work.py'}", script(text), stage=stage) as tracer:
        tracer.wait()
    assert [tuple(map(int, row.split())) for row in tracer.clean().splitlines()] == [(n, n) for n in sizes]


def test_what_arp_was_given(wire: Wire, script, stage: str) -> None:
    point = place("arp_send_dst", "net/ipv4/arp.c", 15, "src_ip")
    text = (
        f"probe {point} {{\n"
        ' printf("%s %d %x %s %s\\n", kernel_string($dev->name), $type, $ptype,\n'
        "   format_ipaddr($src_ip, AF_INET()), format_ipaddr($dest_ip, AF_INET()))\n"
        "}\n"
    )
    wire.forget()
    with Tracer(script(text), stage=stage) as tracer:
        wire.ping(1)
    rows = Counter(row for row in tracer.clean().splitlines() if row.startswith(("left ", "right ")))
    left, right = ADDRESSES
    assert rows[f"left 1 806 {left} {right}"] == 1 and rows[f"right 2 806 {right} {left}"] == 1, rows


def test_the_device_that_a_packet_came_by(wire: Wire, script, stage: str) -> None:
    """In interrupts, on their own stack, and with all parameters shown."""
    point = place("ip_rcv", "net/ipv4/ip_input.c", 6, "orig_dev")
    text = (
        "global n, wrong, shown\n"
        f"probe {point} {{\n"
        ' if (kernel_string($dev->name) == "right") {\n'
        "  n++\n"
        "  if ($orig_dev != $dev || $pt->type != htons(0x800)) wrong++\n"
        '  if ($$parms =~ "orig_dev=0x") shown++\n'
        " }\n"
        "}\n"
        'probe end { printf("%d %d %d\\n", n, wrong, shown) }\n'
    )
    before = wire.right.snmp("Ip", "InReceives")
    with Tracer(script(text), stage=stage) as tracer:
        wire.ping(30)
    count = wire.right.snmp("Ip", "InReceives") - before
    assert count >= 30 and tracer.clean() == f"{count} 0 {count}\n"


ACCEPTING = """
import socket, sys
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
for n in range(3):
    c, _ = s.accept()
    print("got", flush=True)
"""


def test_calls_that_began_before_are_passed_over(script) -> None:
    """The first accept sleeps in the function when the probe comes: what it was given isn't known."""
    import socket

    point = place("inet_csk_accept", "net/ipv4/inet_connection_sock.c", 51, "arg")
    with subprocess.Popen([sys.executable, "-c", ACCEPTING], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        text = f'probe {point} {{ if (pid() == {server.pid}) printf("%d %d\\n", $arg->err, $arg->kern) }}\n'
        with Tracer(script(text)) as tracer:
            for _ in range(3):
                socket.create_connection(("127.0.0.1", port)).close()
                assert server.stdout.readline() == "got\n"
    assert tracer.clean() == "-22 0\n" * 2  # EINVAL until there is another; the first of the three isn't seen
