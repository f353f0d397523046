"""What only a guest's kernel can show: its features, and functions probed for real."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.network import Namespace, namespace
from tests.live.tracer import Tracer

ROOT = Path(__file__).parent.parent.parent.parent
EVERYWHERE = (
    "tp_btf",
    "raw_tracepoint",
    "tracepoint_perf",
    "fentry",
    "kprobe",
    "kretprobe",
    "uprobe",
    "iterator",
)
CONNECTIONS = """
import socket
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(8)
for _ in range(20):
    client = socket.create_connection(server.getsockname())
    server.accept()[0].close()
    client.close()
"""


@pytest.fixture
def net():
    with namespace() as made:
        yield made


def pystap(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pystap", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_doctor_finds_what_every_kernel_has() -> None:
    done = pystap("doctor")
    assert done.returncode == 0, done
    found = set(re.findall(r"^ +yes +(\w+)", done.stdout, re.M))
    assert found >= set(EVERYWHERE), done.stdout


def test_a_script_says_hello() -> None:
    done = pystap("-e", 'probe begin { printf("hello %d\\n", 6 * 7) exit() }')
    assert (done.returncode, done.stdout) == (0, "hello 42\n"), done


COUNTED = {
    "kprobe": "kprobe:tcp_v4_connect { @n++ }",
    "fentry": "kfunc:tcp_v4_connect { @n++ }",
    "kretprobe": "kretprobe:tcp_v4_connect /retval == 0/ { @n++ }",
    "fexit": "kretfunc:tcp_v4_connect /retval == 0/ { @n++ }",
}


@pytest.mark.parametrize("method", COUNTED)
def test_function_is_counted_by(method: str, net: Namespace) -> None:
    with Tracer("--lang", "bt", "-e", COUNTED[method]) as tracer:
        net.run(CONNECTIONS)
    assert "@n: 20" in tracer.clean(), tracer.out


def test_function_and_its_return_in_stp(net: Namespace) -> None:
    text = """
    global calls, good
    probe kernel.function("tcp_v4_connect") { calls++ }
    probe kernel.function("tcp_v4_connect").return { if ($return == 0) good++ }
    probe end { printf("%d %d\\n", calls, good) }
    """
    with Tracer("-e", text) as tracer:
        net.run(CONNECTIONS)
    assert tracer.clean() == "20 20\n"


# optval, a struct of two words, is handed over by value before optlen
BEHIND_A_STRUCT = {
    "fentry": 'fentry:tcp_setsockopt { printf("%d %d\\n", args.optname, args.optlen); }',
    "fexit": 'fexit:tcp_setsockopt { printf("%d %d\\n", args.optlen, retval); }',
    "kprobe": 'kprobe:tcp_setsockopt { printf("%d %d\\n", arg2, arg5); }',
}
SET_OPTION = """
import socket
s = socket.socket()
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, b"\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00")
"""


@pytest.mark.parametrize("method", BEHIND_A_STRUCT)
def test_arguments_behind_a_struct(method: str, net: Namespace) -> None:
    with Tracer("--lang", "bt", "-e", BEHIND_A_STRUCT[method]) as tracer:
        net.run(SET_OPTION)
    wanted = {"fentry": "1 8\n", "fexit": "8 0\n", "kprobe": "1 8\n"}[method]
    assert tracer.clean().endswith(wanted), tracer.out
