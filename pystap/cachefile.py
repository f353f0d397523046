"""Files of the user's cache: read where they are ours alone to write, written whole or not at all.

A cache costs time at worst: what can't be read counts as missing, what can't be written isn't kept; nothing raises.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mmap import mmap

_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_REGULAR = 0o100000
_KIND_AND_OTHERS = 0o170022  # kind of file; writable for the group, for others


def read(path: str, most: int) -> bytes | None:
    """Return the content of a file of at most so many bytes, or None."""
    fd, size = _open(path)
    if fd < 0:
        return None
    try:
        data = os.read(fd, size) if size <= most else b""
        return data if len(data) == size else None
    except OSError:
        return None
    finally:
        os.close(fd)


def mapped(path: str, size: int) -> mmap | None:
    """Return the content of a file of just this size, mapped, or None."""
    from mmap import MAP_PRIVATE, PROT_READ, mmap

    fd, found = _open(path)
    if fd < 0:
        return None
    try:
        return mmap(fd, size, MAP_PRIVATE, PROT_READ) if found == size else None
    except (OSError, ValueError):
        return None
    finally:
        os.close(fd)


def write(path: str, data: bytes) -> None:
    """Write a file; its folder is made with mode 0700 where it doesn't exist."""
    draft = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        return
    try:
        try:
            whole = os.write(fd, data) == len(data)
        finally:
            os.close(fd)
        if whole:
            os.rename(draft, path)
            return
    except OSError:
        pass
    try:
        os.unlink(draft)
    except OSError:
        pass


def _open(path: str) -> tuple[int, int]:
    """Return (descriptor, size) of a file of ours, (-1, 0) where there is none."""
    try:
        fd = os.open(path, os.O_RDONLY | _FLAGS)
    except OSError:
        return -1, 0
    try:
        info = os.fstat(fd)
        if info.st_mode & _KIND_AND_OTHERS == _REGULAR and info.st_uid == os.geteuid():
            return fd, info.st_size
    except OSError:
        pass
    os.close(fd)
    return -1, 0
