"""What is loaded: ids of programs, maps, links and BTF objects, and what the kernel says about one."""

from __future__ import annotations

import errno as _errno
from struct import Struct

from ..bpf import consts_gen as abi
from .sys import KernelError, address, bpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_ID = Struct("<IIII")
_INFO = Struct("<IIQ")
_INFO_SIZE = 256


def _ids(cmd: int, what: str) -> list[int]:
    found: list[int] = []
    last = 0
    while True:
        attr = bytearray(_ID.pack(last, 0, 0, 0))
        try:
            bpf(cmd, attr, what)
        except KernelError as error:
            if error.errno == _errno.ENOENT:
                return found
            raise
        last = _ID.unpack(attr)[1]
        found.append(last)


def prog_ids() -> list[int]:
    """The ids of all loaded programs."""
    return _ids(abi.BPF_PROG_GET_NEXT_ID, "listing programs")


def map_ids() -> list[int]:
    """The ids of all maps."""
    return _ids(abi.BPF_MAP_GET_NEXT_ID, "listing maps")


def link_ids() -> list[int]:
    """The ids of all links."""
    return _ids(abi.BPF_LINK_GET_NEXT_ID, "listing links")


def btf_ids() -> list[int]:
    """The ids of all BTF objects: the kernel's, the modules', the programs'."""
    return _ids(abi.BPF_BTF_GET_NEXT_ID, "listing BTF objects")


def prog_fd(prog_id: int) -> int:
    """A descriptor of a loaded program."""
    return bpf(abi.BPF_PROG_GET_FD_BY_ID, bytearray(_ID.pack(prog_id, 0, 0, 0)), f"opening program {prog_id}")


def btf_fd(btf_id: int) -> int:
    """A descriptor of a BTF object, which a module's functions need to be attached to."""
    return bpf(abi.BPF_BTF_GET_FD_BY_ID, bytearray(_ID.pack(btf_id, 0, 0, 0)), f"opening BTF {btf_id}")


def object_info(fd: int) -> bytes:
    """The kernel's info struct of a program, map, link or BTF object, as long as the kernel's own is."""
    info = bytearray(_INFO_SIZE)
    attr = bytearray(_INFO.pack(fd, len(info), address(info)))
    bpf(abi.BPF_OBJ_GET_INFO_BY_FD, attr, "reading an object's info")
    return bytes(info[: _INFO.unpack(attr)[1]])


def btf_object_name(fd: int) -> str:
    """The name of a BTF object: `vmlinux`, a module's name, or empty for a program's."""
    name = bytearray(64)
    info = bytearray(Struct("<QIIQII").pack(0, 0, 0, address(name), len(name), 0))
    bpf(
        abi.BPF_OBJ_GET_INFO_BY_FD,
        bytearray(_INFO.pack(fd, len(info), address(info))),
        "reading a BTF object's name",
    )
    return name.split(b"\0", 1)[0].decode("utf-8", "replace")


def module_btf_fd(module: str) -> int:
    """A descriptor of a module's BTF; `KernelError` ENOENT if there is none by that name."""
    import os

    for one in btf_ids():
        fd = btf_fd(one)
        if btf_object_name(fd) == module:
            return fd
        os.close(fd)
    raise KernelError(_errno.ENOENT, f"finding the BTF of module {module}")


class ProgInfo:
    """A program's numbers: `run_time_ns` and `run_cnt` count only while statistics are on."""

    __slots__ = (
        "id",
        "insns",
        "name",
        "recursion_misses",
        "run_cnt",
        "run_time_ns",
        "type",
    )

    def __init__(self, fd: int) -> None:
        info = object_info(fd).ljust(_INFO_SIZE, b"\0")
        self.type, self.id = _PROG_HEAD.unpack_from(info)
        self.insns = _U32.unpack_from(info, 20)[0] // 8
        self.name = info[64:80].split(b"\0", 1)[0].decode("utf-8", "replace")
        self.run_time_ns, self.run_cnt, self.recursion_misses = _PROG_RUNS.unpack_from(info, 192)


def link_misses(fds: Iterable[int]) -> int | None:
    """How often the kernel left out handlers of these kprobes, or of kprobe_multi links; None: it doesn't count that.

    Because another kprobe was being handled on that CPU, or (for returns) too many calls hadn't returned yet. The kernel
    tells from 6.7 on (struct bpf_link_info, `missed`). A program's own `recursion_misses` aren't among them.
    """
    total = 0
    for fd in fds:
        info = object_info(fd)
        if len(info) < _LINK_MISSED_END:
            return None
        (kind,) = _U32.unpack_from(info)
        if kind == abi.BPF_LINK_TYPE_PERF_EVENT:
            total += _U64.unpack_from(info, 48)[0]
        elif kind == abi.BPF_LINK_TYPE_KPROBE_MULTI:
            total += _U64.unpack_from(info, 32)[0]
    return total


_LINK_MISSED_END = 56  # of `missed` of a kprobe's perf event, which came to both at once
_U32 = Struct("<I")
_PROG_HEAD = Struct("<II")
_PROG_RUNS = Struct("<QQQ")
_U64 = Struct("<Q")


def enable_stats() -> int:
    """Have the kernel count run times of all programs for as long as this descriptor is open."""
    return bpf(
        abi.BPF_ENABLE_STATS,
        bytearray(abi.BPF_STATS_RUN_TIME.to_bytes(4, "little")),
        "turning program statistics on",
    )
