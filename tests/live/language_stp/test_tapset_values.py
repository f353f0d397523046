"""Functions of the tapset beside /proc and what a process knows of itself: in a user and a pid namespace of its own."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from tests.live.tracer import run

WORK = """
import ctypes, json, os, resource, socket, struct, sys, time
resource.setrlimit(resource.RLIMIT_FSIZE, (123456, 1 << 40))
data = ctypes.create_string_buffer(b"\\xfe\\xff\\xff\\xffhello world\\0more", 64)
file = open(__file__)
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
other, _ = server.accept()
while time.process_time() < 0.1:
    os.stat("/")
def status(pid):
    return {k: v.split() for k, _, v in (line.partition(":") for line in open(f"/proc/{pid}/status"))}
own = status("self")
parents, pid = [], int(own["Pid"][0])
while pid:
    about = status(pid)
    parents.append([open(f"/proc/{pid}/comm").read().rstrip("\\n"), pid])
    pid = int(about["PPid"][0])
pages = [int(n) for n in open("/proc/self/statm").read().split()]
before = time.clock_gettime(time.CLOCK_MONOTONIC)
stime = resource.getrusage(resource.RUSAGE_SELF).ru_stime
window = struct.unpack("I", client.getsockopt(6, 11, 104)[80:84])[0]
ctypes.CDLL(None).lseek(999, ctypes.c_long(ctypes.addressof(data)), file.fileno() * 1000 + client.fileno())
print(json.dumps([own, parents, pages, before, stime, window]), file=sys.stderr)
"""
SCRIPT = r"""
function of_fd:long(fd:long) { return task_fd_lookup(task_current(), fd) }
probe syscall.lseek {
  if (fildes != 999) next
  t = task_current()
  sk = @cast(@cast(of_fd(whence % 1000), "struct file")->private_data, "struct socket")->sk
  asmlinkage()
  printf("tid %d %d pgrp %d sid %d ns %d %d %d\n", tid(), kernel_int(&@cast(t, "struct task_struct")->pid), pgrp(),
    sid(), ns_pid(), ns_tid(), task_ns_pid(t))
  printf("ids %d %d %d ns %d %d\n", euid(), uid(), task_gid(t), task_ns_euid(t), task_ns_egid(t))
  printf("memory %d %d\n", proc_mem_rss(), proc_mem_txt())
  printf("limit %d stime %d window %d\n", task_rlimit_fsize(t), task_stime(), tcp_get_info_snd_cwnd(sk))
  printf("file %s\n", d_name(@cast(of_fd(whence / 1000), "struct file")->f_path->dentry))
  printf("user %d %d %s|%s\n", user_char_warn(offset), user_int32(offset), user_string_n2(offset + 4, 5, "bad"),
    user_string_n_warn(offset + 4, 7))
  printf("args %d %d %d %s\n", s32_arg(1), ulong_arg(2) == offset, is_return(), syscall_name(8))
  printf("clock %d %d\n", cpu_clock_ms(cpu()), local_clock_s())
  println(pstrace(t))
  exit()
}
probe begin {
  printf("%d %d%d %s %s %s %s\n", AF_INET6(), WIFEXITED(0x300), WIFEXITED(9), format_ipaddr(htonl(0x7f000001), 2),
    fp_to_string(fp_div(long_to_fp(7), long_to_fp(2)), 1), sock_prot_num2str(17), string_quoted("a\"b\n"))
}
"""


def test_values(tmp_path: Path) -> None:
    work = tmp_path / "work.py"
    work.write_text(WORK)
    inside = "/usr/bin/unshare --user --map-user=77 --map-group=88 --pid --fork"
    done = run("-e", SCRIPT, "-c", f"{inside} {sys.executable} {work}")
    own, parents, pages, before, stime, window = json.loads(done.err.splitlines()[-1])
    lines = done.out.splitlines()
    tid, group, session = int(own["Pid"][0]), int(own["NSpgid"][0]), int(own["NSsid"][0])
    assert lines[0] == '10 10 127.0.0.1 3.5 UDP "a\\"b\\n"'
    assert lines[1] == f"tid {tid} {tid} pgrp {group} sid {session} ns 1 1 1"
    assert own["Uid"] == ["77"] * 4 and own["Gid"] == ["88"] * 4
    assert lines[2] == "ids 0 0 0 ns 77 88"
    rss, text = map(int, lines[3].split()[1:])
    assert (
        pages[1] - 64 <= rss <= pages[1] + 512 and text == pages[3]
    )  # what it has read since has pages, too
    limit, system, cwnd = (int(word) for word in lines[4].split()[1::2])
    assert limit == 123456 and cwnd == window
    assert abs(system / 1e9 - stime) < 0.5
    assert lines[5] == "file work.py"
    assert lines[6] == "user -2 -2 hello|hello w"
    assert lines[7] == "args 999 1 0 lseek"
    milliseconds, seconds = map(int, lines[8].split()[1:])
    assert before - 1 < milliseconds / 1000 < before + 60 and abs(milliseconds // 1000 - seconds) <= 1
    # a parent is the thread that made the process, whose name may be another than its process's
    shown = re.findall(r"\((\d+)\)(?: |$)", lines[9])
    assert shown == [str(pid) for _, pid in parents] + ["0"] and lines[9].startswith(
        f"{parents[0][0]}({tid}) "
    )
