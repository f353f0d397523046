"""Where functions can be probed, and a workload whose numbers are known."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from pystap.kernel.objects import link_ids, prog_ids
from tests.live import probing
from tests.live.network import Namespace, namespace

# Connects so many times, and prints its process id.
CONNECT = """
import os, socket, sys
s = socket.socket(); s.setsockopt(1, 2, 1); s.bind(("127.0.0.1", 3391)); s.listen(64)
for _ in range(int(sys.argv[1])):
    c = socket.socket(); c.connect(("127.0.0.1", 3391)); a, _ = s.accept(); a.close(); c.close()
print(os.getpid())
"""


@pytest.fixture(params=["", "kprobe"])
def rung(request: pytest.FixtureRequest) -> list[str]:
    """Ways to attach to many functions: the best, and each that is here."""
    for name in {"kprobe": ("kprobe", "kretprobe")}.get(
        request.param, (request.param,) if request.param else ()
    ):
        if why := probing.lacks(name):
            pytest.skip(why)
    if not request.param and not probing.functions():
        pytest.skip(probing.lacks("kprobe"))
    return [f"--attach={request.param}"] if request.param else []


@pytest.fixture(params=["auto", "mirror"])
def stage(request: pytest.FixtureRequest) -> str:
    """Both ways to run handlers."""
    return str(request.param)


@pytest.fixture
def probes() -> None:
    """Skips where functions can't be probed."""
    if not probing.functions():
        pytest.skip(probing.lacks("kprobe"))


@pytest.fixture
def net() -> Iterator[Namespace]:
    with namespace() as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Nothing is loaded or attached afterwards that wasn't before (what was may go: the kernel frees a moment later)."""
    before = {*prog_ids()}, {*link_ids()}
    yield

    def left() -> tuple[set[int], set[int]]:
        return {*prog_ids()} - before[0], {*link_ids()} - before[1]

    patience = time.monotonic() + 30
    while any(left()) and time.monotonic() < patience:
        time.sleep(0.05)
    assert not any(left()), left()


@pytest.fixture(scope="session")
def bridge_module() -> None:
    """Skips where there is no bridge module to load."""
    found = subprocess.run(["modinfo", "bridge"], capture_output=True)
    if found.returncode or not probing.functions():
        pytest.skip("no bridge module here")
    subprocess.run(["modprobe", "bridge"], check=True)
    subprocess.run(["modprobe", "veth"], check=True)


@pytest.fixture
def bridge(bridge_module: None, net: Namespace) -> Iterator[tuple[Namespace, Namespace]]:
    """A bridge in a namespace, and a namespace at each of its two ports: 10.91.0.1, 10.91.0.2."""
    subprocess.run(["ip", "-n", net.name, "link", "add", "br0", "type", "bridge"], check=True)
    subprocess.run(["ip", "-n", net.name, "link", "set", "br0", "up"], check=True)
    with namespace() as one, namespace() as two:
        for number, end in ((1, one), (2, two)):
            for words in (
                f"ip -n {net.name} link add v{number} type veth peer name e0 netns {end.name}",
                f"ip -n {net.name} link set v{number} master br0 up",
                f"ip -n {end.name} addr add 10.91.0.{number}/24 dev e0",
                f"ip -n {end.name} link set e0 up",
            ):
                subprocess.run(words.split(), check=True)
        yield one, two


def run_python(code: str, *words: str) -> str:
    """Run a workload to its end; return what it printed."""
    return subprocess.run(
        [sys.executable, "-c", code, *words], check=True, capture_output=True, text=True
    ).stdout


CALLS = 30
# Sets its mask and asks for its parent so many times, reads one byte 7 times, and from a place in a file 5 times.
WORK = f"""
import os
for _ in range({CALLS}): os.umask(18)
for _ in range({CALLS}): os.getppid()
r, w = os.pipe()
os.write(w, b"x" * 7)
for _ in range(7): os.read(r, 1)
f = os.open("/etc/passwd", os.O_RDONLY)
for _ in range(5): os.pread(f, 1, 0)
"""
CALL = "__x64_sys_umask"  # of a system call that nobody else makes


@pytest.fixture(scope="session")
def command(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The workload as a command that needs no shell, which would make such calls too."""
    path = tmp_path_factory.mktemp("work") / "work.py"
    path.write_text(WORK)
    return f"{sys.executable} -S -E {path}"


def rows(out: str) -> dict[str, int]:
    """Return what lines of "words: number" say."""
    return {name: int(count) for name, _, count in (line.rpartition(": ") for line in out.splitlines())}
