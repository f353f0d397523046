"""The functions of several kernels as one index: what is kept, and in which form."""

from __future__ import annotations

from collections import defaultdict

# (function, file, module) -> whether it has code
Facts = dict[tuple[str, str, str], bool]

KEPT = (
    *(
        "arch/x86/",
        "block/",
        "crypto/",
        "fs/",
        "init/",
        "io_uring/",
        "ipc/",
        "kernel/",
        "lib/",
        "mm/",
        "net/",
    ),
    *("security/", "virt/", "drivers/base/", "drivers/block/", "drivers/net/", "drivers/virtio/"),
)
SOURCES = (".c", ".S")
# Where functions are named that are inlined everywhere; all of them would be as large as the rest.
INLINED = (
    "block/",
    "kernel/",
    "mm/",
    "net/",
    "net/bridge/",
    "net/core/",
    "net/ipv4/",
    "net/ipv6/",
    "net/netfilter/",
)


def merged(kernels: dict[str, Facts]) -> tuple[list[str], dict[str, tuple[list[str], list[str]]]]:
    """Return the kernels, and {file: (modules, lines of functions)}, as `pystap.codeindex.store.pack` takes them."""
    modules: dict[str, set[str]] = defaultdict(set)
    coded: dict[tuple[str, str], set[str]] = defaultdict(set)  # (file, function) -> kernels
    inlined: set[tuple[str, str]] = set()
    places: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for kernel, facts in kernels.items():
        for (name, file, module), code in facts.items():
            if not file.endswith(SOURCES) or not _is_name(name):
                continue
            if code:
                places[name, module][kernel].add(
                    file
                )  # all of them: functions move into the kept files, and out
            if not file.startswith(KEPT):
                continue
            modules[file].add(module or "-")
            if code:
                coded[file, name].add(kernel)
            elif file.rpartition("/")[0] + "/" in INLINED:
                inlined.add((file, name))
    moved = {(f, name) for (name, _), by in places.items() if _moved(by) for f in set().union(*by.values())}
    order = sorted(kernels, key=_number)
    lines: dict[str, list[str]] = defaultdict(list)
    for (file, name), of in coded.items():
        known = [k for k in order if k in of]
        lines[file].append(" ".join([name, *known]) if (file, name) in moved and known != order else name)
    for file, name in inlined - coded.keys():
        lines[file].append("~" + name)
    return order, {file: (sorted(modules[file]), sorted(names)) for file, names in lines.items()}


def _is_name(name: str) -> bool:
    return name.isascii() and name.isidentifier()


def _moved(by_kernel: dict[str, set[str]]) -> bool:
    """Whether a function is in one file in one kernel, and in other files in another."""
    return len({frozenset(files) for files in by_kernel.values()}) > 1


def _number(kernel: str) -> list[int]:
    return [int(part) for part in kernel.split(".")]
