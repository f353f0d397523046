"""Functions of modules: loaded, not loaded yet, loaded and unloaded while they are traced."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.live import probing
from tests.live.network import Namespace
from tests.live.tracer import Tracer

SENT = 12
# Datagrams of 100 bytes over the bridge, to a port where nobody is.
SEND = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[1])): s.sendto(b"x" * 100, ("10.91.0.2", 9))
"""
FRAMES = 28 + 100


def _send(bridge: tuple[Namespace, Namespace]) -> None:
    one, _ = bridge
    # the first datagram waits for the neighbour's address: only those behind it are counted on
    one.run(SEND, "1")
    one.run(SEND, str(SENT - 1))


def test_parameters_and_names(stage: str, bridge: tuple[Namespace, Namespace]) -> None:
    text = """
    probe module("bridge").function("br_handle_frame_finish") {
        if ($skb->len == 128) printf("%s %s %s\\n", ppfunc(), probemod(), kernel_string($skb->dev->name))
    }
    """
    with Tracer("-e", text, stage=stage) as tracer:
        _send(bridge)
    assert tracer.clean() == "br_handle_frame_finish bridge v1\n" * SENT


def test_types_of_the_module(bridge: tuple[Namespace, Namespace]) -> None:
    """The bridge's own struct, which the kernel's types don't have."""
    text = """
    probe module("bridge").function("br_forward") {
        if ($skb->len == 128) printf("%d %s\\n", $to->port_no, kernel_string($to->dev->name))
    }
    """
    with Tracer("-e", text) as tracer:
        _send(bridge)
    assert set(tracer.clean().splitlines()) <= {"2 v2"}
    assert tracer.out.count("\n") >= SENT - 1  # the first may be flooded


def test_all_functions(rung: list[str], bridge: tuple[Namespace, Namespace]) -> None:
    text = """
    global calls, ends
    probe module("bridge").function("br_handle_f*").call { calls[ppfunc()]++ }
    probe module("bridge").function("br_handle_f*").return { ends[ppfunc()]++ }
    probe end { foreach (f in calls) printf("%s %d %d\\n", f, calls[f], ends[f]) }
    """
    with Tracer(*rung, "-e", text) as tracer:
        _send(bridge)
    rows = {r[0]: (int(r[1]), int(r[2])) for r in map(str.split, tracer.clean().splitlines())}
    calls, ends = rows["br_handle_frame"]
    assert calls >= SENT and calls == ends


def test_kernel_function_is_not_of_a_module(bridge_module: None) -> None:
    with Tracer("-e", 'probe kernel.function("br_handle_frame") {}', until_ready=False) as tracer:
        tracer.wait()
    assert tracer.status == 1
    assert 'there is module("bridge").function("br_handle_frame")' in tracer.err


def test_bpftrace(bridge: tuple[Namespace, Namespace]) -> None:
    text = (
        "kprobe:bridge:br_handle_frame { @k[func] = count(); }"
        " fentry:bridge:br_handle_frame_finish { @f[args.skb->len] = count(); }"
        " kprobe:br_forward { @m[func] = count(); }"
    )
    with Tracer("--lang=bt", "-e", text) as tracer:
        _send(bridge)
    assert f"@f[{FRAMES}]: {SENT}\n" in tracer.clean()
    assert "@k[br_handle_frame]: " in tracer.out and "@m[br_forward]: " in tracer.out


@pytest.fixture
def loose(bridge_module: None) -> str:
    """A module that nothing uses, not loaded; it is gone afterwards."""
    name = "dummy"
    if subprocess.run(["modinfo", name], capture_output=True).returncode:
        pytest.skip("no dummy module here")
    subprocess.run(["modprobe", "-r", name], check=True)
    yield name
    subprocess.run(["modprobe", "-r", name], check=True)


CALL = "ip link add pystap0 type dummy; ip link set pystap0 up; ip link del pystap0"


def _use() -> None:
    """Have the module's dummy_setup called once, in a namespace that goes away with it."""
    subprocess.run(["unshare", "-n", "sh", "-c", CALL], check=True)


def test_armed_when_it_loads(rung: list[str], loose: str) -> None:
    text = 'probe module("dummy").function("dummy_s*") { printf("%s %s\\n", ppfunc(), probemod()) }'
    with Tracer(*rung, "-e", text) as tracer:
        subprocess.run(["modprobe", loose, "numdummies=0"], check=True)
        _until_armed(tracer)
    assert "W308" in tracer.err
    assert "dummy_setup dummy\n" in tracer.out


def _until_armed(tracer: Tracer) -> None:
    """The tracer is told of the module at once, but attaches in its own time."""
    for _ in range(100):
        _use()
        if "dummy_setup" in tracer.so_far():
            return
    raise AssertionError("never armed")


@contextmanager
def _traced(module: str) -> Iterator[Tracer]:
    """A tracer of the loaded module by single kprobes, which don't keep it from going; it has seen one call."""
    if why := probing.lacks("kprobe"):
        pytest.skip(why)
    subprocess.run(["modprobe", module, "numdummies=0"], check=True)
    text = 'global n probe module("dummy").function("dummy_setup*") { printf("%s %d\\n", ppfunc(), n++) }'
    with Tracer("--attach=kprobe", "-e", text) as tracer:
        _use()
        tracer.wait_for("dummy_setup 0")
        yield tracer
    assert tracer.status == 0
    assert "Traceback" not in tracer.err


def test_unloaded_while_traced(loose: str) -> None:
    """By single kprobes, which don't keep a module from going."""
    with _traced(loose) as tracer:
        subprocess.run(["modprobe", "-r", loose], check=True)
        subprocess.run(["modprobe", loose, "numdummies=0"], check=True)
        _until_again(tracer)


def test_reloaded_while_the_tracer_is_busy(loose: str) -> None:
    """When it looks again there is a module of the same name, which isn't the one that it attached to."""
    with _traced(loose) as tracer:
        tracer.interrupt(signal.SIGSTOP)
        subprocess.run(["modprobe", "-r", loose], check=True)
        subprocess.run(["modprobe", loose, "numdummies=0"], check=True)
        tracer.interrupt(signal.SIGCONT)
        _until_again(tracer)


def _until_again(tracer: Tracer) -> None:
    for _ in range(100):
        _use()
        if "dummy_setup 1" in tracer.so_far():
            return
    raise AssertionError("not armed again")
