"""Completed block requests: device, sector and the file's inode, of reads from a file system on a loop device."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.tracer import Tracer

READER = """
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
assert len(os.read(fd, 1 << 20)) == 1 << 18
"""
LINE = re.compile(r"-> devname=(\S+), sector=(\d+), ino=(-?\d+)$", re.M)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A file system of our own on a loop device: (mount point, device name)."""
    image, point = tmp_path / "image", tmp_path / "mnt"
    point.mkdir()
    with image.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True, capture_output=True)
    try:
        made = subprocess.run(
            ["losetup", "-f", "--show", str(image)], check=True, capture_output=True, text=True
        )
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no loop device: {error.stderr}")
    device = made.stdout.strip()
    try:
        subprocess.run(["mount", device, str(point)], check=True, capture_output=True)
        try:
            yield point, os.path.basename(device)
        finally:
            subprocess.run(["umount", str(point)], check=True)
    finally:
        subprocess.run(["losetup", "-d", device], check=True)


def file_sectors(path: Path) -> range:
    """Return the sectors of a file of one extent, by FIBMAP's successor."""
    import array
    import fcntl

    blocks = set()
    with path.open("rb") as file:
        for n in range(path.stat().st_size // 1024):
            block = array.array("i", [n])
            fcntl.ioctl(file, 1, block)  # FIBMAP
            blocks.add(block[0])
        size = array.array("i", [0])
        fcntl.ioctl(file, 2, size)  # FIGETBSZ
    blocks.discard(0)
    unit = size[0] // 512
    return range(min(blocks) * unit, (max(blocks) + 1) * unit)


def test_reads_of_a_file(script, stage, mounted: tuple[Path, str]) -> None:
    point, device = mounted
    path = point / "data"
    path.write_bytes(os.urandom(1 << 18))
    subprocess.run(["sync", "-f", str(path)], check=True)
    with Tracer(script("block-done.stp", "004-6.3.1-ioblock-end.stp"), stage=stage) as tracer:
        subprocess.run([sys.executable, "-c", READER, str(path)], check=True)
    out = tracer.clean()
    ours = [(int(sector), int(ino)) for name, sector, ino in LINE.findall(out) if name == device]
    reads = [sector for sector, ino in ours if ino == path.stat().st_ino]
    assert reads, out
    assert set(reads) <= set(file_sectors(path)) | {file_sectors(path).stop}, (reads, file_sectors(path))
