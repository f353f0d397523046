"""What the tapset tells of a process's memory, files and environment, beside what the process itself knows."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.live.tracer import run

WORK = """
import ctypes, mmap, os

libc = ctypes.CDLL(None)
def tell(address):
    libc.lseek(999, ctypes.c_long(address), 0)

pages = mmap.mmap(-1, 3 * 4096)
base = ctypes.addressof(ctypes.c_char.from_buffer(pages))
libc.mprotect(ctypes.c_void_p(base + 8192), 4096, 0)  # nothing can be read behind the second page
def put(at, data):
    pages[at : at + len(data)] = data
    tell(base + at)

put(0, "h\\u00e9 \\u20ac".encode("utf-16-le") + bytes(2))
wide = "w \\U0001d11e".encode("utf-32-le") + bytes(4)
put(8192 - len(wide), wide)
put(4096 - 6, "crosses a page".encode("utf-16-le") + bytes(2))
put(200, b'a\\0b"c\\n\\x01\\xffzz')
put(8192 - 6, b"no end")
tell(8)
import time; time.sleep(60)  # the tracer looks at the files while the process is there, and then ends it
"""
SCRIPT = """
global n
probe syscall.lseek {
  if (pid() != target() || fildes != 999) next
  n++
  if (n == 1) println(user_string_utf16(offset))
  if (n == 2) println(user_string_utf32(offset) . "|" . user_string_quoted_utf32(offset))
  if (n == 3) println(user_string_utf16(offset))
  if (n == 4) println(user_buffer_quoted(offset, 10, 100) . user_buffer_quoted(offset, 10, 4))
  if (n == 5) println(user_string_utf16(offset, "no end") . "|" . user_string2_utf32(offset, "none"))
  if (n == 6) {
    println(user_string_utf16(offset, "bad") . user_string_quoted_utf16(offset) . user_buffer_quoted(offset, 3, 0))
    println(env_var("PYSTAP_TAPSET") . "|" . env_var("PYSTAP_NONE") . "|" . env_var("PYSTAP_LONG"))
    printf("%s %s %#x %s\\n", umodname(ustack(0)), umodbuildid(ustack(0)), umodaddr(ustack(0)), usymname(ustack(0)))
    try { println(umodname(8)) } catch (why) { println(why) }
    raise(15)
  }
}
"""
LIBC = next(
    line.split()[-1]
    for line in Path("/proc/self/maps").read_text().splitlines()
    if re.search(r"/libc[.-]", line)
)


def test_memory_of_a_process(tmp_path: Path) -> None:
    work = tmp_path / "work.py"
    work.write_text(WORK)
    longer = "x" * 5000  # what lies before the last variable fills more than the bytes that are captured
    command = f"/usr/bin/env -i PYSTAP_TAPSET=ab=c FILL={longer} PYSTAP_LONG=far {sys.executable} {work}"
    done = run("-g", "-e", SCRIPT, "-c", command)
    assert done.err.endswith(f"WARNING: the command ended with status {128 + 15}\n") and "W312" in done.err
    lines = done.out.splitlines()
    assert lines[:3] == ["hé €", 'w \U0001d11e|"w \\360\\235\\204\\236"', "crosses a page"]
    assert lines[3] == r'"a\000b\"c\n\001\377zz""a\000b\""...'
    assert lines[4:6] == ["no end|none", "bad0x80x8"]
    assert lines[6] == "ab=c||far"
    name, build, place, symbol = lines[7].split(" ", 3)
    known = None
    if shutil.which("readelf"):
        notes = subprocess.run(["readelf", "-n", LIBC], capture_output=True, text=True, check=False).stdout
        known = re.search(r"Build ID: (\w+)", notes)
    assert name == Path(LIBC).name
    assert re.fullmatch(r"[0-9a-f]{40}", build) and (known is None or known[1] == build)
    assert re.fullmatch(r"lseek(64)?", symbol) and int(place, 16) < Path(LIBC).stat().st_size * 2
    assert lines[8] == "no file is mapped at 0x8"


def test_signal(tmp_path: Path) -> None:
    """raise() ends the thread that the handler ran in."""
    work = tmp_path / "work.py"
    work.write_text("import os, time\ntry: os.lseek(999, 0, 0)\nexcept OSError: pass\ntime.sleep(30)\n")
    script = "probe syscall.lseek { if (pid() == target() && fildes == 999) raise(10) }"
    done = run("-g", "-e", script, "-c", f"{sys.executable} {work}")
    assert f"status {128 + 10}" in done.err, (done.out, done.err)


def test_abort() -> None:
    """The handler goes no further, its output and the end's stay."""
    script = (
        'probe begin { println("a") try { abort() } catch { } println("b") } probe end { println("end") }'
    )
    done = run("-e", script)
    assert (done.status, done.out) == (0, "a\nend\n"), done.err


def test_stack_in_the_log() -> None:
    """dump_stack() writes the kernel's frames to the kernel's log."""
    mark = f"pystap-dump-{id(object())}"
    script = (
        f'probe syscall.getppid {{ if (pid() != target()) next printk(6, "{mark}") dump_stack() exit() }}'
    )
    done = run("-g", "-e", script, "-c", f"{sys.executable} -c 'import os; os.getppid()'")
    assert done.status == 0, done.err
    with open("/dev/kmsg", "rb", buffering=0) as log:
        import os

        os.set_blocking(log.fileno(), False)
        lines = []
        while True:
            try:
                line = log.read(8192)
            except OSError:
                continue  # lines that were overwritten
            if not line:
                break
            lines.append(line.decode(errors="replace").partition(";")[2].split("\n")[0])
    at = lines.index(mark)
    assert lines[at + 1] == "Call Trace:"
    assert re.fullmatch(r" 0x[0-9a-f]{16} : \S+.*", lines[at + 2]), lines[at : at + 4]


def test_words_of_symbols_leave_tokenize_alone() -> None:
    """print_syms() and its like take a string apart without touching what the script takes apart."""
    script = """probe begin {
      println(tokenize("a b c", " "))
      sprint_syms("0x1 0x2") sprint_usyms("0x1") callers(3)
      println(tokenize(" "))
      exit()
    }"""
    done = run("-e", script)
    assert (done.status, done.out) == (0, "a\nb\n"), done.err
