"""What compiling a script imports: start-up time is spent on imports before anything else.

Each script is compiled by a fresh Python, against the fixture's types, as `pystap -p3` does it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

# All that may be imported beyond what `python3 -I -S -c pass` has. Each is small, or Python's own in C.
ALLOWED = {
    *("__future__", "bisect", "_bisect", "errno", "struct", "_struct", "zlib", "itertools", "types"),
    *("os", "os.path", "posixpath", "genericpath", "stat", "_stat", "_collections_abc"),  # os
    *("ctypes", "ctypes._endian", "_ctypes", "mmap"),  # the kernel's door
}
# The heavy ones by name, so that a failure says what it costs (ms, Python 3.11).
HEAVY = {
    "re": 4.5,
    "enum": 3.2,
    "typing": 7.4,
    "dataclasses": 12.4,
    "argparse": 6.6,
    "inspect": 9.0,
    "collections": 1.5,
    "functools": 1.5,
    "json": 6.0,
    "subprocess": 9.0,
    "pathlib": 7.0,
    "logging": 11.0,
    "array": 1.9,
    "signal": 3.4,
    "shutil": 8.0,
    "tempfile": 9.0,
}

CODE = """
import sys
before = set(sys.modules)
sys.path.insert(0, sys.argv.pop(1))
fixture = sys.argv.pop(1)
import pystap.kernel.target as target
target.vmlinux_btf = lambda: open(fixture, "rb").read()
import pystap.cli.live as live
live.LiveFeatures.__call__ = lambda self, name: name not in ("kprobe", "fentry")  # asking takes bpf(2)
live.cache_dir = lambda: None
from pystap.cli.main import main
status = main(sys.argv[1:])
sys.stdout.flush()
sys.stderr.write("\\n".join(sorted(m for m in set(sys.modules) - before if not m.startswith("pystap"))))
sys.exit(status)
"""

STP = """
global seen, names
probe kernel.trace("kfree_skb") { seen[$location, execname()] <<< pid() }
probe syscall.openat { names[name]++ }
probe timer.s(5) {
  foreach ([where, who] in seen- limit 5)
    printf("%s %s %d\\n", symname(where), who, @count(seen[where, who]))
}
"""
BT = """
BEGIN { printf("%-20s %d\\n", "hello", 1); }
tracepoint:sock:inet_sock_set_state { @[comm, args.newstate] = count(); printf("%d\\n", pid); }
kprobe:tcp_set_state { @last[arg1] = hist(tid); }
"""


def run(
    tmp_path: Path, name: str, text: str, *words: str
) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """Run the command in a fresh Python; return the process and the modules that it imported."""
    script = tmp_path / name
    script.write_text(text)
    command = [sys.executable, "-I", "-S", "-c", CODE, str(ROOT), str(ROOT / "tests/fixtures/kernel.btf")]
    done = subprocess.run(
        [*command, *words, str(script)], capture_output=True, text=True, check=False, timeout=60
    )
    return done, {
        line for line in done.stderr.split("\n") if line and line.replace(".", "").replace("_", "").isalnum()
    }


@pytest.mark.parametrize(("name", "text"), [("a.stp", STP), ("a.bt", BT)])
def test_compiling_imports_little(tmp_path: Path, name: str, text: str) -> None:
    done, modules = run(tmp_path, name, text, "-p3", "-w")
    assert done.returncode == 0, done.stderr
    heavy = {module: HEAVY[module] for module in modules & set(HEAVY)}
    assert not heavy, f"these cost so many ms each at every start: {heavy}"
    assert modules <= ALLOWED, modules - ALLOWED
    assert "ctypes" in modules and "struct" in modules, "the test itself sees nothing"


def test_places_in_functions_without_pyelftools(tmp_path: Path) -> None:
    """-I -S knows no site-packages, as a machine where nothing but Python is installed."""
    for point, said in (
        ('function("tcp_v4_fill_cb").inline', "E313]: lines need the debug information of the kernel"),
        ('statement("tcp_v4_rcv@net/ipv4/tcp_ipv4.c:100")', "E313]: lines need the debug information"),
        ('function("tcp_v4_rcv").callee("tcp_v4_do_rcv").call', "E304]: this kernel can't probe places"),
    ):
        done, modules = run(tmp_path, "a.stp", f"probe kernel.{point} {{ }}", "-p2")
        assert done.returncode == 1 and said in done.stderr and "E999" not in done.stderr, done.stderr
        assert not [module for module in modules if module.startswith("elftools")]


def test_the_languages_dont_load_each_other(tmp_path: Path) -> None:
    code = CODE.replace("if not m.startswith", "if m.startswith")
    script = tmp_path / "a.bt"
    script.write_text(BT)
    command = [sys.executable, "-I", "-S", "-c", code, str(ROOT), str(ROOT / "tests/fixtures/kernel.btf")]
    done = subprocess.run(
        [*command, "-p3", "-w", str(script)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "pystap.lang.bt.parser" in done.stderr
    assert "pystap.lang.stp" not in done.stderr and "pystap.sema.stp" not in done.stderr, done.stderr


def test_help_loads_no_compiler() -> None:
    code = "import sys; from pystap.cli.main import main; main(['--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    modules = done.stdout.split("\n")[-2].split()
    assert "pystap.cli.help" in modules
    assert not [
        m for m in modules if m.startswith(("pystap.lang", "pystap.sema", "pystap.kernel", "pystap.btf"))
    ]
