"""Opening BTF with its index kept in a file.

The file is trusted only where it is ours (owner, mode), whole (length, checksum), made for this key and for
these very bytes (their length and a checksum of both ends); else it is made anew. A cache that can't be read
or written costs time, never an error.

    magic, version, length of key, length of index, length of BTF, checksum of BTF, checksum of what follows
    key, padded to words; index (`index.py`)
"""

from __future__ import annotations

import os
from struct import pack, unpack_from
from zlib import crc32

from .. import cachefile
from .errors import BtfError
from .index import BtfIndex
from .lookup import Btf
from .parse import Blob

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mmap import mmap

_MAGIC = b"pystapBI"
_VERSION = 1
_HEADER = "=8s6I"
_HEADER_SIZE = 32
_ENDS = 4096
_LARGEST = 1 << 28


def open_btf(
    data: bytes | memoryview | mmap,
    cache_dir: str | None,
    key: bytes,
    base: Btf | None = None,
    *,
    defer: bool = False,
) -> Btf:
    """Return the `Btf` of `data` with the index from `cache_dir`, made and stored there where needed.

    key: what identifies the kernel build (release, version, build id; a module: its name too). cache_dir is
    created with mode 0700; None for no cache. With `defer` the caller calls `store_index` when it has time:
    until then an unknown kernel is scanned only, which is 50 ms sooner.
    """
    btf = Btf(data, None, base)
    if cache_dir is None:
        return btf
    path = cache_path(cache_dir, key)
    stamp = _stamp(btf)
    known = _load(path, key, stamp)
    index = _index(known, btf) if known is not None else None
    if index is not None:
        btf.use_index(index)
    else:
        btf.unsaved = (path, key, stamp)
        if not defer:
            store_index(btf)
    return btf


def store_index(btf: Btf) -> None:
    """Make and store the index of a `Btf` that was opened without one; nothing to do for others."""
    if btf.unsaved is None:
        return
    from .build import build_index  # and `array`: not wanted where the cache is warm

    path, key, stamp = btf.unsaved
    btf.unsaved = None
    index = getattr(btf.index, "made", None) or build_index(btf)
    _store(path, key, stamp, index)
    btf.use_index(BtfIndex(index))


def cache_path(cache_dir: str, key: bytes) -> str:
    """Return the path of the index file for a key."""
    return os.path.join(cache_dir, f"btf-{crc32(key):08x}-{len(key):x}.idx")


def _stamp(blob: Blob) -> tuple[int, int]:
    """Return (length, checksum of both ends) of a blob's bytes."""
    raw = blob.raw
    size = len(raw)
    return size & 0xFFFFFFFF, crc32(raw[max(0, size - _ENDS) :], crc32(raw[:_ENDS]))


def _index(data: memoryview, blob: Blob) -> BtfIndex | None:
    try:
        index = BtfIndex(data)
    except BtfError:
        return None
    return index if not index.count or index.starts[-1] < len(blob.words) else None


def _load(path: str, key: bytes, stamp: tuple[int, int]) -> memoryview | None:
    """Return the index's bytes from a valid file, or None."""
    data = cachefile.read(path, _LARGEST)
    if data is None or len(data) < _HEADER_SIZE:
        return None
    magic, version, key_len, index_len, btf_len, btf_sum, checksum = unpack_from(_HEADER, data)
    at = _HEADER_SIZE + (key_len + 3) // 4 * 4
    if magic != _MAGIC or version != _VERSION or (btf_len, btf_sum) != stamp or len(data) != at + index_len:
        return None
    view = memoryview(data)
    if view[_HEADER_SIZE : _HEADER_SIZE + key_len] != key or crc32(view[_HEADER_SIZE:]) != checksum:
        return None
    return view[at:]


def _store(path: str, key: bytes, stamp: tuple[int, int], index: bytes) -> None:
    body = key + bytes(-len(key) % 4) + index
    header = pack(_HEADER, _MAGIC, _VERSION, len(key), len(index), *stamp, crc32(body))
    cachefile.write(path, header + body)
