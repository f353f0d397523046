"""The parts of a guest, made once from distribution packages and kept in a cache outside the working tree.

A part is made in a folder of its own that gets its final name when it is complete, under a lock: what has its name is
whole. To make everything anew, delete the cache folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import lzma
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .archive import Archive, Unavailable, run, source_line
from .cpio import Archive as Cpio
from .kernels import BOOT_MODULES, USERLAND_PACKAGES, USERLAND_SUITE, Kernel

HERE = Path(__file__).parent


def cache_folder() -> Path:
    """Return where parts are kept: $PYSTAP_GUEST_CACHE, or a folder in the user's cache."""
    named = os.environ.get("PYSTAP_GUEST_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(named) if named else base / "pystap-guest"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def locked(name: str) -> Iterator[Path]:
    """Hold the cache's lock of this name."""
    folder = cache_folder()
    with open(folder / f".{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _part(name: str, make: Callable[[Path], None], tell: Callable[[str], None]) -> Path:
    """Return a part's folder, after `make(folder)` where it doesn't exist yet."""
    with locked(name) as cache:
        final = cache / name
        if not final.exists():
            tell(f"guest: making {name} (once, in {cache})")
            draft = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=cache))
            try:
                make(draft)
                draft.chmod(0o755)
                draft.rename(final)
            except BaseException:
                shutil.rmtree(draft, ignore_errors=True)
                raise
        return final


def _image(folder: Path, image: Path, spare_mib: int = 16) -> None:
    """Make an ext4 image (never written to later) of a folder."""
    sizes = run("du", "-s", "--block-size=1M", "--apparent-size", str(folder))
    files = int(run("du", "-s", "--inodes", str(folder)).split()[0])
    mib = int(sizes.split()[0]) + files // 256 * 2 + spare_mib
    command = ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-N", str(files + 256)]
    run(*command, "-d", str(folder), str(image), f"{mib * 5 // 4}M")


def _mark(*recipe: str) -> str:
    """Return what tells one recipe from another in a part's name."""
    return hashlib.sha256("\n".join(recipe).encode()).hexdigest()[:12]


def userland(tell: Callable[[str], None] = lambda text: None) -> Path:
    """Return a folder with `root/` (a Debian) and `root.img` (the same as an ext4 image)."""
    mark = _mark(USERLAND_SUITE, *USERLAND_PACKAGES)

    def make(draft: Path) -> None:
        root = draft / "root"
        include = ",".join(USERLAND_PACKAGES)
        command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={include}"]
        run(*command, USERLAND_SUITE, str(root), source_line(USERLAND_SUITE))
        (root / "usr" / "lib" / "modules").mkdir(exist_ok=True)
        for folder in (
            "usr/share/doc",
            "usr/share/man",
            "usr/share/locale",
            "var/cache/apt",
            "var/lib/apt/lists",
        ):
            shutil.rmtree(root / folder, ignore_errors=True)
        _image(root, draft / "root.img")
        _forget(draft.parent, "userland-*")

    return _part(f"userland-{USERLAND_SUITE}-{mark}", make, tell)


def kernel(row: Kernel, tell: Callable[[str], None] = lambda text: None) -> Path:
    """Return a folder with a kernel's `vmlinuz`, `modules.img` and `initramfs`."""
    base = userland(tell) / "root"

    def make(draft: Path) -> None:
        archive = Archive(row.suite, draft / "apt")
        names = archive.kernel_packages(row.package)
        if not names:
            raise Unavailable(f"{row.package} in {row.suite} names no kernel")
        archive.unpack(names, draft / "unpacked")
        folders = [path for path in draft.glob("unpacked/**/lib/modules/*") if (path / "kernel").is_dir()]
        if len(folders) != 1:
            raise Unavailable(f"{names} hold {len(folders)} folders of modules")
        # depmod wants lib/modules under its base; some packages have usr/lib/modules.
        modules = draft / "tree" / "lib" / "modules" / folders[0].name
        modules.parent.mkdir(parents=True)
        folders[0].rename(modules)
        run("depmod", "-b", str(draft / "tree"), modules.name)
        for config in draft.glob("unpacked/boot/config-*"):
            shutil.copyfile(config, modules / "config")
        binaries = [*modules.glob("vmlinuz"), *draft.glob("unpacked/boot/vmlinuz-*")]
        shutil.copyfile(binaries[0], draft / "vmlinuz")
        (draft / "initramfs").write_bytes(_initramfs(base, modules))
        (draft / "release").write_text(modules.name + "\n")
        _image(modules.parent, draft / "modules.img")
        for name in ("apt", "unpacked", "tree", "debs"):
            shutil.rmtree(draft / name, ignore_errors=True)
        _forget(draft.parent, f"kernel-{row.name}-*")

    recipe = [(HERE / name).read_text() for name in ("parts.py", "init.sh")]
    return _part(f"kernel-{row.name}-{_mark(*recipe, *row, *BOOT_MODULES)}", make, tell)


def _forget(cache: Path, older: str) -> None:
    """Remove what earlier recipes made."""
    for folder in cache.glob(older):
        shutil.rmtree(folder, ignore_errors=True)


def _initramfs(base: Path, modules: Path) -> bytes:
    archive = Cpio()
    archive.file("bin/busybox", (base / "usr" / "bin" / "busybox").read_bytes())
    archive.file("init", (HERE / "init.sh").read_bytes())
    order = _load_order(modules)
    for path in order:
        data = path.read_bytes()
        if path.suffix == ".xz":
            data = lzma.decompress(data)
        archive.file(f"modules/{_module_name(path)}", data)
    archive.file("modules/order", "".join(f"{_module_name(path)}\n" for path in order).encode())
    return bytes(archive)


def _module_name(path: Path) -> str:
    return path.name.partition(".")[0].replace("-", "_")


def _load_order(modules: Path) -> list[Path]:
    """Return the files of the modules for booting, what they need first; built-in ones have none."""
    paths: dict[str, list[str]] = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        file, _, needs = line.partition(":")
        paths[_module_name(Path(file))] = [*reversed(needs.split()), file]
    order: dict[str, None] = {}
    for name in BOOT_MODULES:
        order.update(dict.fromkeys(paths.get(name, [])))
    return [modules / file for file in order]
