"""Features by trying, against what the kernel's configuration says."""

from __future__ import annotations

import os

import pytest
from kernel_kit import need_root, nothing_left

from pystap.btf import Btf
from pystap.kernel import feature_probes, features, target
from pystap.kernel.features import Features
from pystap.kernel.sys import KernelError, mount_detached

pytestmark = need_root


def test_every_feature_has_an_answer_and_leaves_nothing() -> None:
    found = Features(Btf(target.vmlinux_btf()))
    with nothing_left(("probe",)):
        for name in found.names():
            works, reason = found.has(name)
            assert works is not bool(reason), name
            assert found.has(name) is found.has(name)


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("kprobe", "CONFIG_KPROBES"),
        ("kretprobe", "CONFIG_KPROBES"),
        ("kprobe_multi", "CONFIG_FPROBE"),
        ("uprobe", "CONFIG_UPROBES"),
        ("netfilter", "CONFIG_NETFILTER_BPF_LINK"),
    ],
)
def test_configuration_agrees(name: str, option: str) -> None:
    if not target.config("CONFIG_BPF"):
        pytest.skip("this kernel's configuration isn't to be had")
    works, reason = Features().has(name)
    assert works == (target.config(option) == "y"), reason


@pytest.mark.parametrize("name", ["raw_tracepoint", "tp_btf", "iterator", "ringbuf", "ring_array", "batch"])
def test_what_the_project_stands_on(name: str) -> None:
    assert Features(Btf(target.vmlinux_btf())).has(name) == (True, "")


def test_without_btf_the_reason_says_so() -> None:
    works, reason = Features().has("tp_btf")
    assert not works
    assert "BTF" in reason


def test_unknown_feature_is_a_bug() -> None:
    with pytest.raises(KeyError):
        Features().has("telepathy")


def test_a_refusal_is_told_in_the_verifiers_words() -> None:
    log = "0: (79) r0 = *(u64 *)(r5 +0)\nR5 !read_ok\nprocessed 1 insns (limit 1000000)\n"
    assert features.last_words(log) == "R5 !read_ok"
    assert features.last_words("") == "refused"


def test_nothing_is_missing_for_root_here() -> None:
    assert features.missing_capabilities() == []
    assert features.explain_missing() == []
    assert features.lockdown() in ("", "none", "integrity", "confidentiality")


def test_without_rights_the_reasons_are_told() -> None:
    """A child that gives its rights away sees why it can't trace."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            os.write(write, "\n".join(features.explain_missing()).encode())
            os._exit(0)
        finally:
            os._exit(1)
    os.close(write)
    with open(read, encoding="utf-8") as file:
        text = file.read()
    assert os.waitpid(pid, 0)[1] == 0
    assert "user 65534 lacks CAP_PERFMON and CAP_BPF" in text


def test_private_mounts_are_private() -> None:
    folder = mount_detached("tracefs")
    assert "events" in os.listdir(folder)
    os.close(folder)
    with pytest.raises(KernelError):
        mount_detached("nosuchfs")


def test_every_probe_is_documented_by_its_name() -> None:
    assert all(name.isidentifier() for name in feature_probes.PROBES)
