"""Write pystap/codeindex/functions.idx: the source files of kernel functions, from kernels' debug packages.

    python3 scripts/gen_code_index [--work FOLDER] [--facts FILE] [KERNEL=FOLDER ...]

Without KERNEL=FOLDER: the debug packages of the kernels of tests/guest/kernels.py (their flavour, and the generic one,
which has more modules) come from the archive of this machine's apt, one after the other; each takes 8 GB while it is
read, and is removed. With them: kernels whose files lie unpacked there. --facts keeps what was read in a file, and reads
no kernel again that is in it.
"""

from __future__ import annotations

import argparse
import marshal
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from mmap import PROT_READ, mmap
from multiprocessing import Pool
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from dwarf import functions  # noqa: E402
from merge import Facts, merged  # noqa: E402

from pystap.codeindex.store import SHIPPED, pack  # noqa: E402

if TYPE_CHECKING:
    from tests.guest.kernels import Kernel

GENERIC = "linux-image-amd64"
OBJECT = re.compile(r"vmlinux.*|.*\.ko(\.debug)?")
# What stands before a path in the tree: where it was built.
BEFORE = re.compile(r"^(?:.*?debian/build/[^/]+/|/build/[^/]+/linux-[^/]+/|/usr/src/[^/]+/)")


def objects(folder: Path) -> list[Path]:
    """Return the kernel and its modules, the largest first."""
    found = [p for p in folder.rglob("*") if OBJECT.fullmatch(p.name) and p.is_file() and not p.is_symlink()]
    return sorted(found, key=lambda p: -p.stat().st_size)


def read(path: Path) -> tuple[str, dict[tuple[str, str], bool]]:
    """Return an object's module, and its functions with their files in the tree."""
    module = "" if path.name.startswith("vmlinux") else path.name.partition(".ko")[0].replace("-", "_")
    with path.open("rb") as file:
        found = functions(memoryview(mmap(file.fileno(), 0, prot=PROT_READ)))
    facts: dict[tuple[str, str], bool] = {}
    for (name, file_), code in found.items():
        inside = os.path.normpath(BEFORE.sub("", file_))
        facts[name, inside] = facts.get((name, inside), False) or code
    return module, facts


def scan(folder: Path) -> Facts:
    """Return what one kernel's files say."""
    facts: Facts = {}
    with Pool() as pool:
        for module, found in pool.imap_unordered(read, objects(folder), 4):
            for (name, file), code in found.items():
                key = (name, file, module)
                facts[key] = facts.get(key, False) or code
    return facts


def unpacked(row: Kernel, work: Path) -> Iterator[Path]:
    """Give the folders of a kernel's debug packages; each is removed when the next is asked for."""
    from tests.guest.archive import Archive

    for package in (row.package, GENERIC):
        folder = Path(tempfile.mkdtemp(dir=work))
        try:
            archive = Archive(row.suite, folder / "apt")
            names = [n for n in archive.kernel_packages(f"{package}-dbg") if n.endswith("-dbg")]
            print(f"{row.name}: {' '.join(names)}", flush=True)
            archive.unpack(names, folder / "unpacked")
            yield folder / "unpacked"
        finally:
            shutil.rmtree(folder)


def sources(given: list[str], work: Path) -> Iterator[tuple[str, Iterator[Path]]]:
    """Give kernels and the folders that their files are in."""
    for name, _, folder in (word.partition("=") for word in given):
        yield name, iter([Path(folder)])
    if not given:
        from tests.guest.kernels import KERNELS

        for row in KERNELS.values():
            yield row.name, unpacked(row, work)


def main() -> None:
    """Read what is asked for, and write the index."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--facts", type=Path)
    parser.add_argument("folders", nargs="*", metavar="KERNEL=FOLDER")
    options = parser.parse_args()
    kernels: dict[str, Facts] = {}
    if options.facts is not None and options.facts.exists():
        kernels = marshal.loads(options.facts.read_bytes())
    for name, folders in sources(options.folders, options.work):
        if name in kernels and not options.folders:
            continue
        for folder in folders:
            for key, code in scan(folder).items():
                known = kernels.setdefault(name, {})
                known[key] = known.get(key, False) or code
        print(f"{name}: {len(kernels[name])} functions", flush=True)
    if options.facts is not None:
        options.facts.write_bytes(marshal.dumps(kernels))
    data = pack(*merged(kernels))
    Path(SHIPPED).write_bytes(data)
    print(f"{SHIPPED}: {len(data)} bytes")


if __name__ == "__main__":
    main()
