"""The debug information of a kernel as a disk of its own: its vmlinux and the files of a few modules.

The package is some 300 MB, so only boots that ask for it get it. It is made once, like the other parts of a guest.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from . import parts
from .archive import Archive, Unavailable
from .kernels import DEBUG_MODULES, Kernel

FOLDER = (
    "/debuginfo"  # where a guest has it; not where kernels' packages put it, so that only who asks uses it
)


def disk(row: Kernel, made: Path, tell: Callable[[str], None] = lambda text: None) -> Path:
    """Return the image for the kernel whose parts are in `made`."""
    release = (made / "release").read_text().strip()

    def make(draft: Path) -> None:
        package = f"linux-image-{release}-dbg"
        Archive(row.suite, draft / "apt").unpack([package], draft / "unpacked")
        root = draft / "unpacked" / "usr" / "lib" / "debug"
        tree = draft / "tree"
        binary = root / "boot" / f"vmlinux-{release}"
        if not binary.is_file():
            raise Unavailable(f"{package} has no {binary.name}")
        (tree / "boot").mkdir(parents=True)
        binary.rename(tree / "boot" / binary.name)
        for file in root.glob("lib/modules/*/kernel/**/*.ko*"):
            if file.name.partition(".")[0].replace("-", "_") in DEBUG_MODULES:
                to = tree / file.relative_to(root)
                to.parent.mkdir(parents=True, exist_ok=True)
                file.rename(to)
        parts._image(tree, draft / "debuginfo.img")
        for name in ("apt", "unpacked", "tree", "debs"):
            shutil.rmtree(draft / name, ignore_errors=True)
        parts._forget(draft.parent, f"debuginfo-{row.name}-*")

    mark = parts._mark(release, *DEBUG_MODULES)
    return parts._part(f"debuginfo-{row.name}-{mark}", make, tell) / "debuginfo.img"
