"""Functions that kernels have renamed, and parameters that have changed, so that old scripts run on new kernels.

renamed(name, exists) -> the name that this kernel has it by, or the name itself
RENAMED: old name -> newer names, the oldest first
PARAMETERS: parameter -> (what this kernel may call it, what stands before `->` to get at the old one)
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

RENAMED: dict[str, tuple[str, ...]] = {
    "dev_queue_xmit": ("__dev_queue_xmit",),
    "br_deliver": ("br_forward",),
    "__netif_receive_skb": ("__netif_receive_skb_core",),
    "sock_aio_read": ("sock_read_iter",),
    "sock_aio_write": ("sock_write_iter",),
    "do_sys_open": ("do_sys_openat2",),
    "do_fork": ("_do_fork", "kernel_clone"),
    "_do_fork": ("kernel_clone",),
    "blk_account_io_completion": ("__blk_account_io_done",),
}
# Inline functions of headers: the kernel may have copies of them, which most callers don't use.
_INLINE = frozenset({"dev_queue_xmit"})

# $skb of functions that get the place of the pointer today.
BY_POINTER = {"skb": "pskb"}


def renamed(name: str, exists: Callable[[str], bool]) -> str:
    """Return the name that the kernel has for a function now."""
    if exists(name) and name not in _INLINE:
        return name
    for newer in RENAMED.get(name, ()):
        if exists(newer):
            return newer
    return name


def note(old: str, new: str) -> tuple[str, str, str]:
    """Return (code, words, hint) of the warning that another name is used."""
    return "W303", f"'{old}' is '{new}' on this kernel: that is probed", ""
