"""The working tree as a guest gets it: a tar of the files that git would take, compiled for the guest's Python.

Emulated, compiling Python sources costs seconds; so the copy lies in the userland's folder, where that userland's own
Python compiles what changed since the last time.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from .parts import HERE, locked

ROOT = HERE.parent.parent


def _files() -> list[str]:
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        return [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [
        os.path.relpath(os.path.join(folder, name), ROOT)
        for top in ("pystap", "tests", "scripts", "bench")
        for folder, _, names in os.walk(ROOT / top)
        for name in names
        if "__pycache__" not in folder
    ]


def _refresh(copy: Path, names: list[str]) -> None:
    """Make `copy` hold exactly these files, touching only what differs."""
    wanted = set(names)
    for folder, _, present in os.walk(copy):
        for name in present:
            path = os.path.relpath(os.path.join(folder, name), copy)
            if "__pycache__" not in folder and path not in wanted:
                (copy / path).unlink()
    for name in names:
        source, target = ROOT / name, copy / name
        if target.exists():
            old, new = target.stat(), source.stat()
            if (old.st_mtime_ns, old.st_size) == (new.st_mtime_ns, new.st_size):
                continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def pack(userland: Path, command: str, into: Path, folders: dict[str, Path] | None = None) -> None:
    """Write the tar with the tree as pystap/, the command and the script of the second stage as guest/.

    folders: more to put into the guest, by their paths there.
    """
    with locked("tree"):
        copy = userland / "root" / "pystap"
        copy.mkdir(exist_ok=True)
        _refresh(copy, _files())
        inside = ["python3", "-m", "compileall", "-qq", "/pystap/pystap", "/pystap/tests"]
        # a file that doesn't compile is for the command to tell, if it uses it
        subprocess.run(
            ["chroot", str(userland / "root"), *inside], env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        )
        with tarfile.open(into, "w", format=tarfile.GNU_FORMAT) as tar:
            tar.add(copy, "pystap", filter=_as_root)
            for inside_path, folder in (folders or {}).items():
                tar.add(folder, inside_path.lstrip("/"), filter=_as_root)
            for name, text in (("main", (HERE / "main.sh").read_text()), ("command", command + "\n")):
                entry = tarfile.TarInfo(f"guest/{name}")
                entry.size = len(text.encode())
                entry.mode = 0o755
                tar.addfile(entry, io.BytesIO(text.encode()))


def _as_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry
