"""Netfilter hooks of the current network namespace, by link (from 6.4)."""

from __future__ import annotations

from struct import Struct

from ...bpf import consts_gen as abi
from .base import Attachment, link_create

_REST = Struct("<IIiI")

# UAPI macros and enums of <linux/netfilter.h>.
PF_IPV4, PF_IPV6 = 2, 10
PRE_ROUTING, LOCAL_IN, FORWARD, LOCAL_OUT, POST_ROUTING = range(5)
IP_DEFRAG = 1


def attach_netfilter(
    prog_fd: int, family: int, hook: int, *, priority: int = 0, defrag: bool = False
) -> Attachment:
    """Attach a BPF_PROG_TYPE_NETFILTER program; priority -2147483648 and 2147483647 aren't to be had.

    Defragmenting needs a priority above that of the defragmentation (-400).
    """
    what = f"netfilter hook {family}:{hook}"
    rest = _REST.pack(family, hook, priority, IP_DEFRAG if defrag else 0)
    return Attachment("netfilter", what, (link_create(prog_fd, 0, abi.BPF_NETFILTER, what, rest),))
