"""Which source file of the kernel a function is in: an index built offline from kernels' debug packages, and shipped.

    functions_of(pattern, release) -> [(function, module)]      of the source files that match
    files_of(name, module, release) -> (file, ...)              where a function is
    modules_of(name) -> (module, ...)                           the modules that may have a function
    inlined_in(name) -> (file, ...)                             for a function that has no code of its own anywhere
    match_files(pattern), known_files(like)                     the files themselves

A pattern of files is a whole path, the end of one at a slash, or a glob of either. `module` is "" for the kernel itself;
which parts are modules differs from kernel to kernel, so it is a hint: files of the module are preferred, others count
where it has none. `release` decides about functions that moved: the newest kernel of the index counts that isn't newer.

The index covers all of net, kernel, fs, block, mm, lib, security, crypto, io_uring, ipc, init, virt, arch/x86,
drivers/net, drivers/block, drivers/base and drivers/virtio; headers are left out. Pure but for the cache, and lazy:
nothing is opened until something is asked.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mmap import mmap

_cache: list[str] = []
_text: list[bytes | mmap] = []
# A search costs a millisecond, a table of all functions 0.2 s: it is made for who asks often.
_FEW = 100
_asked = [0]
_table: dict[str, list[tuple[str, list[str], list[str]]]] = {}


def use_cache(folder: str) -> None:
    """Keep the index unpacked in a folder from now on."""
    _cache[:] = [folder]


def text() -> bytes | mmap:
    """Return the unpacked index (`store.py` says how it looks)."""
    if not _text:
        from .store import load

        _text.append(load(_cache[0] if _cache else None))
    return _text[0]


# -------------------------------------------------------------------- files


def match_files(pattern: str) -> list[str]:
    """Return the files that a pattern matches."""
    return [str(section.partition(b"\t")[0], "ascii") for section in _sections(pattern)]


def known_files(like: str = "") -> list[str]:
    """Return the files whose name (without folders) begins as that of `like` does: what a wrong one may mean."""
    letter = like.rpartition("/")[2][:1]
    return [f for f in _files() if f.rpartition("/")[2].startswith(letter)]


def _files() -> list[str]:
    return [str(part.partition(b"\t")[0], "ascii") for part in _all()]


def _all() -> list[bytes]:
    """Return each file's part of the text: its path, a tab, its modules; its functions, a line each."""
    return text()[:].split(b"\n/")[1:]


def _sections(pattern: str) -> list[bytes]:
    """Return the parts of the files that a pattern matches."""
    wanted = pattern.removeprefix("./").lstrip("/")
    if any(mark in wanted for mark in "*?["):
        from fnmatch import fnmatchcase

        paths = ((str(part.partition(b"\t")[0], "ascii"), part) for part in _all())
        return [
            part
            for path, part in paths
            if fnmatchcase(path, wanted) or fnmatchcase("/" + path, "*/" + wanted)
        ]
    data, found, at = text(), [], 0
    end_of_path = f"/{wanted}\t".encode("utf-8", "replace")
    while (at := data.find(end_of_path, at)) >= 0:
        start = data.rfind(b"\n", 0, at + 1) + 1
        end = data.find(b"\n/", at)
        at = len(data) if end < 0 else end
        found.append(data[start + 1 : at])
    return found


# -------------------------------------------------------------------- functions


def functions_of(pattern: str, release: str = "") -> list[tuple[str, str]]:
    """Return (function, module) of the functions with code in the files that match, sorted; what this kernel has, is
    for the caller to say."""
    found: set[tuple[str, str]] = set()
    for section in _sections(pattern):
        head, *lines = str(section, "ascii").splitlines()
        modules = head.partition("\t")[2].split()
        for line in lines:
            name, *kernels = line.split(" ")
            if not name.startswith("~") and (not kernels or _is_here(kernels, release)):
                found.update((name, "" if module == "-" else module) for module in modules)
    return sorted(found)


def files_of(name: str, module: str = "", release: str = "") -> tuple[str, ...]:
    """Return the files where a function has code, those of the module where there are any."""
    places = _places(name, release)
    own = tuple(file for file, modules in places if (module or "-") in modules)
    return own or tuple(file for file, _ in places)


def modules_of(name: str) -> tuple[str, ...]:
    """Return the modules that a function is in, in one kernel or another."""
    return tuple(sorted({m for _, modules in _places(name, "") for m in modules if m != "-"}))


def inlined_in(name: str) -> tuple[str, ...]:
    """Return the files of a function that is inlined everywhere; none where it has code, or isn't known."""
    return () if _places(name, "") else tuple(file for file, _ in _places("~" + name, ""))


def base_name(symbol: str) -> str:
    """Return the function of a symbol: what the compiler made of it has a suffix behind a dot."""
    return symbol.partition(".")[0]


def _places(name: str, release: str) -> list[tuple[str, list[str]]]:
    """Return (file, modules) of each line of a function that is for this kernel."""
    _asked[0] += 1
    if _asked[0] > _FEW:
        if not _table:
            _make_table()
        return [
            (file, modules) for file, modules, kernels in _table.get(name, ()) if _is_here(kernels, release)
        ]
    data, found, at = text(), [], 0
    wanted = f"\n{name}".encode("utf-8", "replace")
    while (at := data.find(wanted, at)) >= 0:
        end = at + len(wanted)
        if data[end : end + 1] in (b"\n", b" "):
            kernels = str(data[end : data.find(b"\n", end)], "ascii").split()
            start = data.rfind(b"\n/", 0, at + 1) + 2
            head = str(data[start : data.find(b"\n", start)], "ascii")
            if _is_here(kernels, release):
                file, _, modules = head.partition("\t")
                found.append((file, modules.split()))
        at = end
    return found


def _make_table() -> None:
    for section in _all():
        head, *lines = str(section, "ascii").splitlines()
        file, _, modules = head.partition("\t")
        owners = modules.split()
        for line in lines:
            name, *kernels = line.split(" ")
            _table.setdefault(name, []).append((file, owners, kernels))


def _is_here(kernels: list[str], release: str) -> bool:
    """Whether a function that moved is here, in the kernel of the index that is nearest to this one."""
    if not kernels or not release:
        return True
    known = [_number(k) for k in kernels_known()]
    own = _number(release)
    older = [k for k in known if k <= own]
    return (max(older) if older else min(known)) in [_number(k) for k in kernels]


def kernels_known() -> list[str]:
    """Return the kernels that the index was made from."""
    data = text()
    return str(data[: data.find(b"\n")], "ascii").split()


def _number(release: str) -> tuple[int, int]:
    major, _, rest = release.partition(".")
    minor = ""
    for letter in rest:
        if not letter.isdecimal():
            break
        minor += letter
    return (int(major) if major.isdecimal() else 0, int(minor or 0))
