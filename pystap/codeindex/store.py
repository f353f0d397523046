"""The file of the index: reading it, and keeping it unpacked in the user's cache.

Shipped (`functions.idx`), three streams of LZMA behind a header: how many characters each name shares with the one
before it, one byte a name; what follows of each name; the lines of the source files. Columns of one kind pack 9 % better
than lines do, and LZMA a fifth better than zlib. Written by scripts/gen_code_index.

Unpacked it is one text that is searched as it is, without an index of its own:

    6.1 6.12 7.2                    the kernels that it was made from
    /net/socket.c<TAB>-             a source file, and the modules that it is part of ("-": the kernel itself)
    sock_sendmsg                    a function that has code of its own in some kernel
    proc_taint 6.1 6.12             one that is in another file in other kernels: the kernels that have it here
    ~sock_poll_busy                 one that is inlined everywhere

Unpacking takes 0.1 s, so the text is kept in the cache: mapped, a search in it is a millisecond.
"""

from __future__ import annotations

import os

from .. import cachefile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mmap import mmap

MAGIC = b"pystapF1"
SHIPPED = os.path.join(os.path.dirname(__file__), "functions.idx")
_HEADER = 8 + 5 * 4  # magic; checksum and length of the text; lengths of the three streams
_FIRST = 32  # a shared length is a printable character


def pack(kernels: list[str], files: dict[str, tuple[list[str], list[str]]]) -> bytes:
    """Return the shipped file of {path: (modules, lines of functions)}."""
    import lzma
    from zlib import crc32

    first = " ".join(kernels) + "\n"
    shared, rests, heads, lines = bytearray(), [], [first], [first]
    for path in sorted(files):
        modules, names = files[path]
        heads.append(f"{path}\t{' '.join(modules)}\n")
        lines.append(f"/{heads[-1]}")
        before = ""
        for name in names:
            same = 0
            while same < min(len(before), len(name), 126 - _FIRST) and before[same] == name[same]:
                same += 1
            shared.append(_FIRST + same)
            rests.append(name[same:])
            lines.append(f"{name}\n")
            before = name
        shared.append(10)
    text = "".join(lines).encode()
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "pb": 0}]
    columns = (bytes(shared), "\n".join(rests).encode(), "".join(heads).encode())
    streams = [lzma.compress(c, lzma.FORMAT_XZ, lzma.CHECK_NONE, None, filters) for c in columns]
    numbers = (crc32(text), len(text), *(len(s) for s in streams))
    return b"".join([MAGIC, *(n.to_bytes(4, "little") for n in numbers), *streams])


def unpack(data: bytes) -> bytes:
    """Return the text of a shipped file."""
    from lzma import decompress
    from zlib import crc32

    checksum, size, *lengths = (int.from_bytes(data[at : at + 4], "little") for at in range(8, _HEADER, 4))
    columns, at = [], _HEADER
    for length in lengths:
        columns.append(decompress(data[at : at + length]).decode("ascii"))
        at += length
    rests = iter(columns[1].split("\n"))
    first, *heads = columns[2].splitlines()
    out = [first]
    add = out.append
    for head, same in zip(heads, columns[0].splitlines(), strict=True):
        add("/" + head)
        name = ""
        for letter in same:
            name = name[: ord(letter) - _FIRST] + next(rests)
            add(name)
    add("")
    text = "\n".join(out).encode()
    if data[:8] != MAGIC or len(text) != size or crc32(text) != checksum:
        raise ValueError(f"{SHIPPED} is damaged")
    return text


def load(cache_dir: str | None) -> bytes | mmap:
    """Return the text: from the cache where it is whole and ours, else unpacked, and kept there."""
    with open(SHIPPED, "rb") as file:
        head = file.read(_HEADER)
        path = os.path.join(cache_dir, f"functions-{head[8:16].hex()}.txt") if cache_dir else ""
        kept = cachefile.mapped(path, int.from_bytes(head[12:16], "little")) if path else None
        if kept is not None:
            return kept
        text = unpack(head + file.read())
    if path:
        cachefile.write(path, text)
    return text
