"""Waiting until no program runs any more that started before now.

An update of a slot of a map of maps returns only after every program that may have seen the old
slot has left (the kernel waits for one RCU grace period, 9 to 37 ms). Programs that sleep are not waited for.
"""

from __future__ import annotations

from ..bpf import consts_gen as abi
from .maps import create_map

_SLOT = bytes(4)


class Quiescer:
    """The two maps that one wait needs, made once."""

    __slots__ = ("_inner", "_outer")

    def __init__(self) -> None:
        self._inner = create_map(abi.BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0, "quiet_in")
        self._outer = create_map(abi.BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 1, 0, "quiet", inner_fd=self._inner.fd)

    def wait(self) -> None:
        """Return when all programs that ran at the call have left."""
        self._outer.update(_SLOT, self._inner.fd.to_bytes(4, "little"))

    def close(self) -> None:
        """Close both maps."""
        self._outer.close()
        self._inner.close()


_shared: list[Quiescer] = []


def wait_for_programs() -> None:
    """Return when all programs that ran at the call have left; the maps are kept for the next time."""
    if not _shared:
        _shared.append(Quiescer())
    _shared[0].wait()
