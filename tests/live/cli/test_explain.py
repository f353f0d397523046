"""The kernel stage decides in every handler of these scripts: nothing is mirrored. And doctor tells the truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT, SCRIPTS
from tests.live.tracer import run

# our script: the name of its model in the folder of --scripts-dir
MODELS = {
    "net-by-process.stp": "002-nettop.stp",
    "drops.stp": "002-dropwatch.stp",
    "tcp-states.bt": "003-tcpstates.bt",
    "calls-by-name.stp": "004-12.1-syscalls.stp",
    "ticks.stp": "004-11-async.stp",
    "foreach-up.stp": "004-14.1-foreach-up.stp",
    "foreach-down.stp": "004-14.2-foreach-down.stp",
    "tasks.stp": "004-5.11-task.stp",
    "block-done.stp": "004-6.3.1-ioblock-end.stp",
}
OURS = sorted(path.name for path in SCRIPTS.iterdir() if path.is_file())
# those that need functions that can be probed, and modules that are loaded: not every kernel has them
FUNCTIONS = {
    *("bridge-deliver.stp", "bridge-forward.stp", "bridge-input.stp", "bridge-module.stp"),
    *("neighbours.stp", "segment-sizes.stp"),
}
ARGUMENTS = ("80", "80", "80")  # for those that take some


def test_the_list_is_whole() -> None:
    assert set(MODELS) <= set(OURS)


@pytest.mark.parametrize("name", OURS)
def test_no_handler_is_mirrored(scripts_folder: Path | None, name: str) -> None:
    if scripts_folder is not None and name not in MODELS:
        pytest.skip("has no model")
    path = SCRIPTS / name if scripts_folder is None else scripts_folder / MODELS[name]
    done = run("explain", "-g", str(path), *ARGUMENTS)
    if (
        name in FUNCTIONS
        and done.status == 1
        and "error[E304]: this kernel can't probe functions" in done.err
    ):
        pytest.skip("this kernel can't probe functions")
    out = done.clean()
    handlers = out.split("\nhandlers:\n")[1].split("\n\n")[0]
    assert ": user stage" in handlers or ": kernel stage, by " in handlers
    assert "mirrored" not in handlers and "late read" not in handlers, handlers


TOOLS = sorted(path.stem for path in (ROOT / "pystap" / "tools").glob("*.stp"))
# the events that a tool counts; those of other tools make a row each
COUNTED = {"nettop": ("net_dev_queue", "netif_receive_skb"), "dropwatch": ("kfree_skb",)}


@pytest.mark.parametrize("name", TOOLS)
def test_no_handler_of_a_tool_counts_in_the_user_stage(name: str) -> None:
    out = run("explain", name).clean()
    assert "late read" not in out, out
    for event in COUNTED.get(name, ()):
        assert f'kernel.trace("{event}"): kernel stage, by BTF tracepoint {event}\n' in out, out
    if "sock_send_length" in out:  # a record for each name, none for each message
        noted = out.split('kernel.trace("sock_send_length"): mirrored')[1].split("  kernel.trace")[0]
        assert "decided in the user stage" not in noted, noted
        assert "__loose_owner[8 bytes]: kernel, shared by all CPUs" in out


def test_a_mirrored_handler_is_shown(tmp_path: Path) -> None:
    """The word that the tests above look for."""
    script = tmp_path / "mirrored.stp"
    script.write_text(
        'global n probe kernel.trace("kfree_skb") { foreach (k in n) println(k) n[execname()]++ }'
    )
    assert ": mirrored, by BTF tracepoint kfree_skb" in run("explain", str(script)).clean()


def test_doctor() -> None:
    from pystap.btf import Btf
    from pystap.kernel.features import Features
    from pystap.kernel.target import release, vmlinux_btf

    ran = run("doctor")
    assert ran.status == 0 and ran.err == "", ran.err
    assert ran.out.startswith(f"kernel {release()}, ")
    features = Features(Btf(vmlinux_btf()))
    for name in ("tp_btf", "raw_tracepoint", "kprobe", "fentry", "bpf_loop"):
        word = "yes" if features.has(name)[0] else "no "
        assert f"\n  {word}  {name} " in ran.out, ran.out
