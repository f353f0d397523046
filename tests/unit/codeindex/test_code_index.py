"""The shipped index of functions' source files: its form, what it says, and that nobody opens it without need."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pystap import codeindex
from pystap.codeindex import store

ROOT = Path(__file__).resolve().parents[3]
LARGEST = 640_000


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test begins as a start does, and may use no cache but its own."""
    monkeypatch.setattr(codeindex, "_cache", [])
    monkeypatch.setattr(codeindex, "_asked", [0])
    yield


def test_it_is_small() -> None:
    assert os.path.getsize(store.SHIPPED) < LARGEST


def test_it_is_well_formed() -> None:
    """Every line is of one of the three forms; files and functions are sorted, and none is there twice."""
    first, *rest = bytes(codeindex.text()[:]).decode("ascii").removesuffix("\n").split("\n")
    kernels = first.split()
    assert kernels == ["6.1", "6.12", "7.2"]
    files: dict[str, list[str]] = {}
    for line in rest:
        if line.startswith("/"):
            file, tab, modules = line[1:].partition("\t")
            assert tab and modules.split() and file not in files and file.endswith((".c", ".S")), line
            functions = files[file] = []
        else:
            name, *of = line.removeprefix("~").split(" ")
            assert name.isidentifier(), line
            assert of == [k for k in kernels if k in of], line
            functions.append(line)
    assert list(files) == sorted(files)
    assert all(functions and functions == sorted(set(functions)) for functions in files.values())
    assert len(files) > 7000
    assert sum(map(len, files.values())) > 150_000


@pytest.mark.parametrize(
    ("name", "module", "file"),
    [
        ("sock_sendmsg", "", "net/socket.c"),
        ("tcp_v4_rcv", "", "net/ipv4/tcp_ipv4.c"),
        ("ip_output", "", "net/ipv4/ip_output.c"),
        ("ip_rcv", "", "net/ipv4/ip_input.c"),
        ("neigh_resolve_output", "", "net/core/neighbour.c"),
        ("tcp_rcv_established", "", "net/ipv4/tcp_input.c"),
        ("__netif_receive_skb_core", "", "net/core/dev.c"),
        ("arp_process", "", "net/ipv4/arp.c"),
        ("schedule", "", "kernel/sched/core.c"),
        ("vfs_read", "", "fs/read_write.c"),
        ("submit_bio", "", "block/blk-core.c"),
        ("__alloc_skb", "", "net/core/skbuff.c"),
        ("do_user_addr_fault", "", "arch/x86/mm/fault.c"),
        ("br_forward", "bridge", "net/bridge/br_forward.c"),
        ("br_handle_frame", "bridge", "net/bridge/br_input.c"),
        ("nf_conntrack_in", "nf_conntrack", "net/netfilter/nf_conntrack_core.c"),
        ("veth_xmit", "veth", "drivers/net/veth.c"),
    ],
)
def test_known_functions(name: str, module: str, file: str) -> None:
    assert codeindex.files_of(name, module) == (file,)
    assert (name, module) in codeindex.functions_of(file)
    codeindex._asked[0] = codeindex._FEW  # from here on it is a table that answers
    assert codeindex.files_of(name, module) == (file,)


def test_patterns_of_files() -> None:
    match = codeindex.match_files
    assert match("net/socket.c") == match("./net/socket.c") == match("/net/socket.c") == ["net/socket.c"]
    assert match("ipv4/tcp_input.c") == match("tcp_input.c") == ["net/ipv4/tcp_input.c"]
    assert match("4/tcp_input.c") == match("cp_input.c") == match("net/socket") == match("") == []
    assert match("net/ipv4/tcp_i*.c") == [
        "net/ipv4/tcp_illinois.c",
        "net/ipv4/tcp_input.c",
        "net/ipv4/tcp_ipv4.c",
    ]
    assert match("tcp_ip?4.c") == ["net/ipv4/tcp_ipv4.c"]
    assert "net/ipv4/tcp_ipv4.c" in match("net/*_ipv4.c")
    assert match("no_such_*.c") == []
    several = match("socket.c")
    assert "net/socket.c" in several
    assert several == [f for f in several if f.endswith("/socket.c")]


def test_a_function_that_moved_is_where_the_kernel_has_it() -> None:
    files = codeindex.files_of("proc_taint")
    assert files == ("kernel/panic.c", "kernel/sysctl.c")
    for release, file in (
        ("6.1.0-50-cloud-amd64", "kernel/sysctl.c"),
        ("5.10.0", "kernel/sysctl.c"),
        ("6.18.0", "kernel/sysctl.c"),
        ("7.2.13+deb14", "kernel/panic.c"),
        ("8.0", "kernel/panic.c"),
    ):
        assert codeindex.files_of("proc_taint", "", release) == (file,)
        other = ({*files} - {file}).pop()
        assert ("proc_taint", "") in codeindex.functions_of(file, release)
        assert ("proc_taint", "") not in codeindex.functions_of(other, release)


def test_unknown_and_inlined() -> None:
    assert codeindex.files_of("no_such_function") == ()
    assert codeindex.functions_of("no/such/file.c") == []
    assert codeindex.files_of("tcp_ack_update_window") == ()
    assert codeindex.inlined_in("tcp_ack_update_window") == ("net/ipv4/tcp_input.c",)
    assert codeindex.inlined_in("sock_sendmsg") == codeindex.inlined_in("no_such_function") == ()
    assert "tcp_ack_update_window" not in [n for n, _ in codeindex.functions_of("net/ipv4/tcp_input.c")]
    assert codeindex.modules_of("br_forward") == ("bridge",)
    assert codeindex.modules_of("sock_sendmsg") == ()
    assert codeindex.files_of(codeindex.base_name("tcp_v4_rcv.constprop.0")) == ("net/ipv4/tcp_ipv4.c",)
    assert "net/socket.c" in codeindex.known_files("net/soket.c")


def test_the_system_calls_of_a_source_file() -> None:
    """What stands in for them where functions can't be probed: the calls of net/socket.c, no more and no less."""
    from pystap.probes.standins.sockets import CALLS
    from pystap.probes.syscall_numbers import X86_64

    there = [
        n.removeprefix("__x64_sys_")
        for n, _ in codeindex.functions_of("net/socket.c")
        if n.startswith("__x64_sys_")
    ]
    assert {n for n in there if n in X86_64} == {n for n in CALLS if n in X86_64}


def test_packing() -> None:
    files = {
        "b/x.c": (["-", "m"], ["abc", "abcd 6.1", "~abce"]),
        "a/y.c": (["n"], ["a" * 200, "a" * 201]),
        "a/z.S": (["-"], ["q"]),
    }
    text = store.unpack(store.pack(["6.1", "7.2"], files)).decode()
    assert (
        text
        == f"6.1 7.2\n/a/y.c\tn\n{'a' * 200}\n{'a' * 201}\n/a/z.S\t-\nq\n/b/x.c\t- m\nabc\nabcd 6.1\n~abce\n"
    )


def test_damage_is_seen() -> None:
    data = bytearray(store.pack(["6.1"], {"a.c": (["-"], ["f"])}))
    data[8] ^= 1
    with pytest.raises(ValueError, match="damaged"):
        store.unpack(bytes(data))


def test_the_cache(tmp_path: Path) -> None:
    """It is made once, used when it is ours and whole, and made anew otherwise."""
    cache = tmp_path / "cache"
    text = bytes(store.load(str(cache))[:])
    (kept,) = cache.iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.read_bytes() == text
    kept.write_bytes(text.replace(b"\nsock_sendmsg\n", b"\nsock_sendmsh\n"))
    assert (
        b"\nsock_sendmsh\n" in store.load(str(cache))[:]
    )  # this is the file's text, not one that is unpacked again
    kept.write_bytes(text[:-1])
    assert bytes(store.load(str(cache))[:]) == text
    assert kept.read_bytes() == text
    kept.write_bytes(text.replace(b"\nsock_sendmsg\n", b"\nsock_sendmsh\n"))
    kept.chmod(0o666)
    assert bytes(store.load(str(cache))[:]) == text  # not one that others may write
    assert list(cache.iterdir()) == [kept]


def test_a_cache_that_cant_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert len(store.load(str(tmp_path / "file" / "cache"))) > 1_000_000


WATCH = """
import sys
sys.path.insert(0, {root!r})
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
import pystap.kernel.target as target
target.vmlinux_btf = lambda: open({fixture!r}, "rb").read()
target.release = lambda: "6.18.0"
import pystap.cli.live as live
live.LiveFeatures.__call__ = lambda self, name: name not in ("kprobe", "fentry", "fexit", "kprobe_multi")
live.cache_dir = lambda: {cache!r}
from pystap.cli.main import main
sys.argv[1:] = ["-p3", "-e", {script!r}]
status = main(sys.argv[1:])
print(any("functions.idx" in name for name in opened), file=sys.stderr)
sys.exit(status)
"""


@pytest.mark.parametrize(
    ("script", "opened"),
    [
        ("probe begin { exit() }", "False"),
        ('probe kernel.function("tcp_set_state") { printf("%s\\n", ppfunc()) }', "False"),
        ('probe kernel.function("tcp_set_state") { printf("%s\\n", pp()) }', "True"),
        ('probe kernel.function("*@net/socket.c") { printf("%s\\n", ppfunc()) }', "True"),
    ],
)
def test_it_is_opened_when_files_are_asked_for(tmp_path: Path, script: str, opened: str) -> None:
    fixture = str(ROOT / "tests" / "fixtures" / "kernel.btf")
    code = WATCH.format(root=str(ROOT), fixture=fixture, cache=str(tmp_path), script=script)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == opened
