"""What holds until the kernel is booted again, kept from one run to the next in the user's cache.

`kept(name)` is what an earlier run of this boot kept under a name, as far as it could see as much of the kernel as this
one: with the same capabilities and types. Without `use_cache` nothing is kept.
"""

from __future__ import annotations

import os

from .. import cachefile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_BTF = "/sys/kernel/btf/vmlinux"
_LARGEST = 1 << 26

_cache: list[str] = []
_mark: list[bytes] = []


def use_cache(folder: str | None) -> None:
    """Keep what is found out in a folder from now on; None: nowhere."""
    _cache[:] = [folder] if folder else []


def kept(name: str) -> tuple[bytes, int] | None:
    """Return a file's bytes and how many of them are what was kept, or None."""
    mark = _marked()
    data = cachefile.read(_path(name), _LARGEST) if mark else None
    if data is None or not data.endswith(mark):
        return None
    return data, len(data) - len(mark)


def keep(name: str, data: bytes) -> None:
    """Keep this for later runs."""
    if mark := _marked():
        cachefile.write(_path(name), data + mark)


def kept_words(name: str) -> list[str] | None:
    """Return the words that were kept, or None."""
    found = kept(name)
    return None if found is None else found[0][: found[1]].decode("ascii").split()


def keep_words(name: str, words: Iterable[object]) -> None:
    """Keep these, each without blanks."""
    keep(name, " ".join(map(str, words)).encode("ascii"))


def effective_capabilities() -> int | None:
    """Return this process's effective capabilities, a bit for each; None if they can't be told."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("CapEff:"):
                    return int(line.split()[1], 16)
    except OSError:
        pass
    return None


def _path(name: str) -> str:
    return os.path.join(_cache[0], name)


def _marked() -> bytes:
    """Return what stands behind what is kept, empty where nothing can be."""
    if not _cache:
        return b""
    if not _mark:
        try:
            with open(_BOOT_ID, "rb") as file:
                boot = file.read().strip()
        except OSError:
            boot = b""
        try:
            types = os.stat(_BTF).st_size
        except OSError:
            types = 0
        _mark.append(b"\n# %s %d %d\n" % (boot, effective_capabilities() or 0, types) if boot else b"")
    return _mark[0]
