"""What target variables are, form by form, beside a workload that knows the values: signs and widths of parameters and
results on every rung, structs by value, addresses, indexes, casts, texts of structs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live import probing
from tests.live.tracer import Tracer

RUNGS = {"": (), "kprobe": ("kprobe", "kretprobe"), "kprobe_multi": ("kprobe_multi",)}
SENT = 5000
OWNER = 4242

WORKLOAD = f"""
import mmap, os, select, socket, stat, sys
open('/proc/self/comm', 'w').write('formtest')
name = sys.argv[1] + '/pystapforms'
os.umask(0)
fd = os.open(name, os.O_RDWR | os.O_CREAT, 0o640)
os.write(fd, b'x' * 100)
os.pread(fd, 77, 5)
try:
    socket.socket(-2, 5, -7)
except OSError:
    pass
os.mkdir(name + 'd', 0o750)
os.mknod(name + 'n', stat.S_IFCHR | 0o600, os.makedev(1, 3))
with socket.socket() as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, {SENT})
os.chown(name, {OWNER}, {OWNER} + 1)
os.fstat(fd)
select.select([fd], [], [], 0.25)
open('/proc/self/limits').read()
with socket.socket(socket.AF_UNIX) as s:
    s.connect_ex('/tmp/formtest0123456789')
mmap.mmap(-1, 3 * 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ).close()
"""

# Each line of output: a word, and a value. The words and values that must come are behind "#=".
SCRIPT = """
probe kernel.function("vfs_read").call {
  if (execname() != "formtest" || $count != 77) next
  d = $file->f_path->dentry
  t = task_current()
  i = tid() - tid()
  printf("name %s\\n", kernel_string(d->d_name->name))            #= pystapforms
  printf("len %d\\n", $file->f_path->dentry->d_name->len)         #= 11
  printf("size %d\\n", d->d_inode->i_size)                        #= 100
  printf("flags %d\\n", $file->f_flags & 3)                       #= 2
  printf("pos %d\\n", $pos[0])                                    #= 5
  printf("pos-i %d\\n", $pos[i])                                  #= 5
  printf("place %d\\n", &d->d_name == &$file->f_path->dentry->d_name)  #= 1
  printf("struct %d\\n", &$file->f_path == $file->f_path)         #= 1
  printf("cast %d\\n", &@cast($file, "struct file")->f_path == &$file->f_path)  #= 1
  printf("whole %d\\n", &@cast($file, "file") == $file)           #= 1
  printf("letters %c%c\\n", @cast(t, "task_struct")->comm[1], @cast(t, "task_struct")->comm[i + 3])  #= om
  printf("array %d\\n", &@cast(t, "task_struct")->comm[i + 3] - @cast(t, "task_struct")->comm)  #= 3
  printf("before %c\\n", @cast(&@cast(t, "task_struct")->comm[3], "char")[-1])  #= r
  printf("comm %s\\n", @cast(t, "task_struct", "kernel<linux/sched.h>")->comm$)  #= "formtest"
  printf("short %s\\n", $count$)                                  #= 77
  printf("member %s\\n", d->d_inode->i_size$)                     #= 100
  printf("null %s\\n", @cast(0, "struct file")$)                  #= ERROR
  printf("bad %s\\n", @cast(0xdead000000000100, "struct file")$$) #= ERROR
  printf("locals %s.\\n", $$locals . $$return)                    #= .
  printf("vars %d\\n", $$vars == $$parms)                         #= 1
  printf("inner %d\\n", @container_of(&$file->f_flags, "struct file", f_flags)->f_flags == $file->f_flags)  #= 1
  printf("sizes %d\\n", @cast_sizeof("struct list_head"))         #= 16
  printf("defined %d\\n", @defined($file->nothing) ? $file->nothing : @defined($nothing) ? $nothing->x : 3)  #= 3
  printf("chosen %d\\n", @choose_defined($nothing, $count))       #= 77
  printf("function %d\\n", of_file($file) == d->d_inode)          #= 1
  printf("event %d\\n", counted())                                #= 78
  kept[tid()] = $file
}
global kept
function of_file(f) { e = f->f_path->dentry; return e->d_inode }
function counted() { return $count + 1 }
probe kernel.function("vfs_read").return {
  if (execname() != "formtest" || @entry($count) != 77) next
  printf("kept %d\\n", kept[tid()]->f_flags & 3)                  #= 2
  printf("entry %d\\n", $count + @entry($count + 3))              #= 157
  printf("back %d\\n", $return)                                   #= 77
  printf("words %s\\n", $$return)                                 #= return=0x4d
}
probe kernel.function("__sys_socket") { if (execname() == "formtest" && ($type & 15) == 5) printf("ints %d %d\\n", $family, $protocol) }  #= -2 -7
probe kernel.function("__sys_socket").return { if (execname() == "formtest" && $return < 0) printf("result %d %s\\n", $return, $$return) }  #= -97 return=0xffffffffffffff9f
probe kernel.function("security_inode_mkdir") { if (execname() == "formtest") printf("mode %o\\n", $mode) }  #= 750
probe kernel.function("capable") { if (execname() == "formtest" && $cap == 27) printf("cap %d\\n", $cap) }  #= 27
probe kernel.function("capable").return { if (execname() == "formtest" && @entry($cap) == 27) printf("may %d\\n", $return) }  #= 1
probe kernel.function("sk_setsockopt") {
  if (execname() != "formtest" || $optname != 7) next
  printf("value %d %d\\n", $optval->is_kernel, user_int($optval->user))  #= 0 5000
  printf("levels %d %d\\n", $level, $optlen)                      #= 1 4
  printf("parameter %s\\n", substr($optval$, 0, 9))               #= {.kernel=
}
probe kernel.function("make_kuid").return { if (execname() == "formtest" && $uid == 4242) printf("owner %d %s\\n", $return->val, $return$) }  #= 4242 {.val=4242}
probe kernel.function("from_kuid_munged") { if (execname() == "formtest" && $kuid->val == 4242) printf("stat %d %s\\n", $kuid->val, $kuid$) }  #= 4242 {.val=4242}
probe kernel.function("timespec64_add_safe") { if (execname() == "formtest") printf("wait %d %d\\n", $rhs->tv_sec, $rhs->tv_nsec) }  #= 0 250000000
probe kernel.function("timespec64_add_safe").return {
  if (execname() == "formtest") printf("until %d\\n", ($return->tv_sec - $lhs->tv_sec) * 1000000000 + $return->tv_nsec - $lhs->tv_nsec)  #= 250000000
}
probe kernel.function("seq_printf") { if (execname() == "formtest" && @defined($f) && !told++) printf("form %d\\n", strlen(kernel_string($f)) > 3) }  #= 1
global told
probe kernel.function("do_mmap") { if (execname() == "formtest" && $len == 3 * 4096) printf("map %d %d\\n", $prot, $flags) }  #= 1 34
probe kernel.function("do_mmap").call { if (execname() == "formtest" && $len == 3 * 4096) printf("eighth %d\\n", $uf->next == $uf) }  #= 1
probe kernel.function("security_socket_connect") {
  if (execname() != "formtest" || $address->sa_family != 1) next
  printf("full %s\\n", @choose_defined(kernel_string($address->sa_data_min), kernel_string_n($address->sa_data, 14)))  #= /tmp/formtest0
}
probe kernel.function("from_kuid_munged") {
  if (execname() != "formtest" || $kuid->val != 4242) next
  try { r = $targ->ucounts->rlimit[3]->counter } catch { r = 1 }
  printf("elements %d\\n", r >= 0)                              #= 1
}
"""


@pytest.fixture(params=list(RUNGS), ids=lambda name: name or "best")
def how(request: pytest.FixtureRequest) -> list[str]:
    """Ways to probe functions that are here."""
    if why := probing.lacks("kprobe", *RUNGS[request.param]):
        pytest.skip(why)
    return [f"--attach={request.param}"] if request.param else []


def test_values(how: list[str], tmp_path: Path) -> None:
    expected = {}
    for line in SCRIPT.splitlines():
        if "#=" in line:
            code, value = line.split("#=")
            expected[code.split('printf("')[1].split()[0]] = value.strip()
    text = re.sub(r"#=.*", "", SCRIPT)
    with Tracer(*how, "-e", text) as tracer:
        subprocess.run([sys.executable, "-I", "-c", WORKLOAD, str(tmp_path)], check=True)
    told = dict(line.split(" ", 1) for line in tracer.clean().splitlines())
    assert {word: told.get(word) for word in expected} == expected
