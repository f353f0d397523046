"""The kernels that guests boot: one row each. A new kernel is a new row."""

from __future__ import annotations

from typing import NamedTuple


class Kernel(NamedTuple):
    name: str  # what KERNEL= takes
    suite: str  # the suite of the Debian archive that has it
    package: str = "linux-image-cloud-amd64"  # a package that depends on the kernel's own


KERNELS = {
    row.name: row
    for row in (
        Kernel("6.1", "bookworm"),
        Kernel("6.12", "trixie"),
        Kernel("7.2", "sid"),
    )
}

# The userland is the same for every kernel.
USERLAND_SUITE = "trixie"
USERLAND_PACKAGES = (
    "python3",
    "python3-pytest",
    "python3-hypothesis",
    "python3-pyelftools",
    "python3-pycparser",
    "iproute2",
    "iputils-ping",
    "iputils-arping",
    "strace",
    "util-linux",
    "procps",
    "kmod",
    "e2fsprogs",
    "mount",
    "busybox-static",
    "ethtool",
    "nftables",
    "bpftrace",
)

# Kernels whose debug information tests need, and the modules of which they need it.
DEBUG_KERNELS = ("6.12",)
DEBUG_MODULES = ("bridge", "nf_conntrack", "veth")

# What the first stage of a boot loads before it can see the disks. Built in on some kernels.
BOOT_MODULES = ("virtio_pci", "virtio_blk", "virtio_console", "ext4", "overlay")
