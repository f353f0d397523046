"""The live kernel as bytes: its BTF, its modules' BTF, its names, and a key for caches.

Only bytes are handed out; `pystap.btf` reads them.
"""

from __future__ import annotations

import os

from .sys import KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mmap import mmap

_BTF = "/sys/kernel/btf/"
_PREEMPT = "/sys/kernel/debug/sched/preempt"
_NOTES = "/sys/kernel/notes"
_GNU_BUILD_ID = 3


def vmlinux_btf() -> mmap | bytes:
    """The kernel's BTF: mapped where the kernel allows that (from 6.16), else read."""
    return _load("vmlinux")


def module_btf(module: str) -> bytes:
    """A module's BTF, which continues vmlinux's; `KernelError` ENOENT if it has none."""
    data = _load(module)
    return data if isinstance(data, bytes) else data[:]


def _load(name: str) -> mmap | bytes:
    from mmap import MAP_PRIVATE, PROT_READ, mmap

    try:
        fd = os.open(_BTF + name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise KernelError(error.errno or 0, f"opening the BTF of {name}") from None
    try:
        try:
            return mmap(fd, os.fstat(fd).st_size, MAP_PRIVATE, PROT_READ)
        except (OSError, ValueError):
            with open(fd, "rb", closefd=False) as file:
                return file.read()
    finally:
        os.close(fd)


def release() -> str:
    """The kernel's release, as `uname -r` says it."""
    return os.uname().release


def preemptible() -> bool:
    """Whether a task in the kernel can be preempted nearly anywhere, so also in a program that doesn't turn that off.

    Asked of the scheduler (debugfs sched/preempt); where that can't be read, of the kernel's version, as `uname -v` has it:
    a kernel whose mode is chosen when it boots has other modes than these until 7.0, and usually takes one of those.
    """
    try:
        with open(_PREEMPT, encoding="ascii") as file:
            return bool({"(full)", "(lazy)"}.intersection(file.read().split()))
    except OSError:
        pass
    words = os.uname().version.split()
    if "PREEMPT_DYNAMIC" in words:
        return int(release().partition(".")[0]) >= 7
    return not {"PREEMPT", "PREEMPT_RT", "PREEMPT_LAZY"}.isdisjoint(words)


def machine() -> str:
    """The machine, as `uname -m` says it."""
    return os.uname().machine


def build_id() -> str:
    """The kernel image's build id in hexadecimal, or an empty string."""
    try:
        with open(_NOTES, "rb") as file:
            return id_of(file.read())
    except OSError:
        return ""


def id_of(notes: bytes) -> str:
    """The build id among ELF notes in hexadecimal, or an empty string."""
    at = 0
    while at + 12 <= len(notes):
        name_size = int.from_bytes(notes[at : at + 4], "little")
        size = int.from_bytes(notes[at + 4 : at + 8], "little")
        kind = int.from_bytes(notes[at + 8 : at + 12], "little")
        name_at = at + 12
        body = name_at + (name_size + 3 & ~3)
        if kind == _GNU_BUILD_ID and notes[name_at : name_at + 4] == b"GNU\0":
            return notes[body : body + size].hex()
        at = body + (size + 3 & ~3)
    return ""


def build_key() -> str:
    """What differs when the kernel's BTF differs: release, version, machine, build id, size of the BTF."""
    names = os.uname()
    try:
        size = os.stat(_BTF + "vmlinux").st_size
    except OSError:
        size = 0
    return "|".join((names.release, names.version, names.machine, build_id(), str(size)))


def module_key(module: str) -> str:
    """The same for a module's BTF: the kernel's key, its name, its source version, its size."""
    try:
        with open(f"/sys/module/{module}/srcversion", encoding="ascii") as file:
            version = file.read().strip()
    except OSError:
        version = ""
    try:
        size = os.stat(_BTF + module).st_size
    except OSError:
        size = 0
    return "|".join((build_key(), module, version, str(size)))


_config: dict[str, str] = {}


def config(option: str) -> str:
    """A build option of the running kernel (`CONFIG_HZ` -> `250`); "" if it is off or can't be known."""
    if not _config:
        _config.update(_read_config())
        _config.setdefault("", "")
    return _config.get(option, "")


def _read_config() -> dict[str, str]:
    text = _config_text()
    found: dict[str, str] = {}
    for line in text.split("\n"):
        if line.startswith("CONFIG_"):
            name, _, value = line.partition("=")
            found[name] = value.strip('"')
    return found


def _config_text() -> str:
    try:
        with open("/proc/config.gz", "rb") as file:
            packed = file.read()
    except OSError:
        pass
    else:
        import zlib

        return zlib.decompress(packed, 31).decode("utf-8", "replace")
    name = release()
    for path in (f"/boot/config-{name}", f"/lib/modules/{name}/config"):
        try:
            with open(path, encoding="utf-8", errors="replace") as plain:
                return plain.read()
        except OSError:
            continue
    return ""
