"""The folders of -I: which of their files make up a user's own tapset on this kernel.

Of a folder D, a kernel 6.12.5-2-amd64 and the machine x86_64: the files of D/6.12.5-2-amd64/x86_64, D/6.12.5-2-amd64, the
same of 6.12.5 and of 6.12, D/x86_64, D. A file hides one of its name that comes behind it.
"""

from __future__ import annotations

import os

from ..diag import Diagnostic, fail

LARGEST = 1 << 20  # bytes of a file
_SUFFIXES = (".stp", ".stpm")


def read(folders: list[str]) -> tuple[tuple[str, str], ...]:
    """Return (path, text) of the files, in the order in which they are searched."""
    from ..kernel.target import machine, release

    out: list[tuple[str, str]] = []
    for folder in folders:
        if not os.path.isdir(folder):
            from .main import show

            show(Diagnostic("W906", f"-I {folder}: there is no such folder", severity="warning"))
            continue
        seen: set[str] = set()
        for place in places(folder, release(), machine()):
            for name in sorted(_names(place)):
                if name.endswith(_SUFFIXES) and name not in seen:
                    seen.add(name)
                    out.append(_read(os.path.join(place, name)))
    return tuple(out)


def places(folder: str, release: str, machine: str) -> list[str]:
    """Return the folders that are looked through, those for the fewest kernels first."""
    plain = release.partition("-")[0]
    versions = dict.fromkeys((release, plain, ".".join(plain.split(".")[:2])))
    out = []
    for version in (*versions, ""):
        out += [os.path.join(folder, version, machine), os.path.join(folder, version)]
    return [os.path.normpath(place) for place in out]


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _read(path: str) -> tuple[str, str]:
    try:
        with open(path, "rb") as file:
            return path, file.read(LARGEST).decode("utf-8")
    except OSError as error:
        raise fail("E911", f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise fail("E912", f"{path}: this is not UTF-8 text") from None
