"""Aliases of NFS's server and of remote procedure calls: the kernel mounts what it serves itself, in a namespace."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.live import probing
from tests.live.network import namespace
from tests.live.tracer import Tracer

# Version 4 alone, which needs no other service. In the server's grace period no file may be opened or removed, but
# directories are made and looked up at once.
SERVE = r"""
import ctypes, os, socket, subprocess, tempfile
libc = ctypes.CDLL(None, use_errno=True)
def put(path, text):
    fd = os.open(path, os.O_RDWR)
    os.write(fd, text.encode())
    os.close(fd)
def mount(what, where, kind, options=b""):
    if libc.mount(what, os.fsencode(where), kind, 0, options):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
folder = tempfile.mkdtemp()
served, seen = f"{folder}/served", f"{folder}/seen"
os.mkdir(served)
os.mkdir(seen)
mount(b"nfsd", "/proc/fs/nfsd", b"nfsd")
mount(b"none", served, b"tmpfs")
put("/proc/fs/nfsd/versions", "-3 +4 +4.1 +4.2\n")
put("/proc/net/rpc/auth.unix.ip/channel", "nfsd 127.0.0.1 2147483647 here\n")
put("/proc/net/rpc/nfsd.export/channel", f"here {served} 2147483647 {0x2000 | 0x400 | 0x2} 65534 65534 0\n")
put("/proc/net/rpc/nfsd.fh/channel", f"here 1 \\x00000000 2147483647 {served}\n")
listening = socket.create_server(("127.0.0.1", 2049))
put("/proc/fs/nfsd/portlist", f"{listening.fileno()}\n")
put("/proc/fs/nfsd/threads", "1\n")
try:
    mount(b"127.0.0.1:/", seen, b"nfs4", b"vers=4.2,proto=tcp,sec=sys,addr=127.0.0.1,clientaddr=127.0.0.1")
    os.mkdir(f"{seen}/tapset-made")
    os.mkdir(f"{served}/tapset-there")
    os.stat(f"{seen}/tapset-there")
    libc.umount2(os.fsencode(seen), 0)
finally:
    put("/proc/fs/nfsd/threads", "0\n")
    libc.umount2(os.fsencode(served), 2)
    libc.umount2(b"/proc/fs/nfsd", 2)
    os.rmdir(served)
    os.rmdir(seen)
    os.rmdir(folder)
"""
SCRIPT = r"""
global dispatched, processed, executed
probe nfsd.proc.create {
  printf("proc %s %s %s v%d proto %d mode %d ids %d %d fh %s\n", name, client_ip, filename, version, proto, createmode, uid,
    gid, fh)
}
probe nfsd.create { printf("create %s %s %d %s\n", client_ip, filename, filelen, ftype(type >> 12)) }
probe nfsd.create.return { printf("created %s\n", retstr) }
probe nfsd.proc.lookup { printf("lookup %s %s\n", filename, client_ip) }
probe nfsd.dispatch { dispatched[client_ip, proto, version, prog]++ }
probe sunrpc.svc.process { processed[sv_name, ip_ntop(peer_ip), sv_prog]++ }
probe sunrpc.clnt.create_client { printf("client %s %s %d %d %d\n", progname, servername, prot, port, prog) }
probe sunrpc.sched.execute { executed[prog, vers, prot]++ }
probe end {
  foreach ([ip, p, v, g] in dispatched) printf("dispatched %s %d %d %d: %d\n", ip, p, v, g, dispatched[ip, p, v, g])
  foreach ([n, ip, g] in processed) printf("processed %s %s %d: %d\n", n, ip, g, processed[n, ip, g])
  foreach ([g, v, p] in executed) printf("executed %d %d %d: %d\n", g, v, p, executed[g, v, p])
}
"""


def test_made_through_nfs() -> None:
    if why := probing.lacks("kprobe"):
        pytest.skip(why)
    for module in ("nfsd", "nfsv4"):
        if subprocess.run(["modprobe", "-q", module], check=False).returncode:
            pytest.skip(f"there is no module {module}")
    with namespace() as net, Tracer("-e", SCRIPT) as tracer:
        net.run(SERVE)
    out = tracer.out
    assert tracer.err == ""
    made = (
        r"proc nfsd.proc4.create 127.0.0.1 tapset-made v4 proto 6 mode 2 ids 0 0 fh 8: (?:[0-9a-f]{8} ?){6}\n"
    )
    assert len(re.findall(made, out)) == 1, out
    assert out.count("create 127.0.0.1 tapset-made 11 DIR\n") == 1 and "created NFS_OK\n" in out, out
    assert "lookup tapset-there 127.0.0.1\n" in out
    assert re.search(r"^client nfs\d? 127.0.0.1 6 2049 100003$", out, re.M), out
    calls = re.findall(r"^dispatched 127.0.0.1 6 4 100003: (\d+)$", out, re.M)
    assert len(calls) == 1 and int(calls[0]) >= 5, out
    assert f"processed nfsd 127.0.0.1 100003: {calls[0]}\n" in out, out
    tasks = re.findall(r"^executed 100003 4 6: (\d+)$", out, re.M)
    assert len(tasks) == 1 and int(tasks[0]) >= int(calls[0]) - 1, out
