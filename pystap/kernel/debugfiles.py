"""Files with debug information of the running kernel and of its modules, and the package that has them.

    find("")                  path of the kernel's, None where there is none; find("bridge") a module's
    foreign("")               files that lie there but belong to another build
    how_to_install()          what to do

A file is trusted if its build id is that of what runs. $SYSTEMTAP_DEBUGINFO_PATH (folders, separated by colons, each
perhaps with a + or - in front) is searched first.
"""

from __future__ import annotations

import os

from .target import build_id, id_of, release

NOTES = "/sys/module/{}/notes/"
ROOT = "/usr/lib/debug"


def wanted_id(module: str) -> str:
    """Return the build id of the running kernel, or of a loaded module; "" where it can't be known."""
    return _module_id(module) if module else build_id()


def _module_id(module: str) -> str:
    folder = NOTES.format(module)
    try:
        names = os.listdir(folder)
    except OSError:
        return ""
    for name in names:
        if name == ".note.gnu.build-id":
            try:
                with open(folder + name, "rb") as file:
                    return id_of(file.read())
            except OSError:
                return ""
    return ""


def candidates(module: str, id: str) -> list[str]:
    """Return the paths where a file may be, best first."""
    out = []
    for root in _folders():
        if id:
            out.append(f"{root}/.build-id/{id[:2]}/{id[2:]}.debug")
        out += _module_places(root, module) if module else _kernel_places(root)
    if not module:
        out += [f"/boot/vmlinux-{release()}", f"/lib/modules/{release()}/build/vmlinux"]
    return [path for path in dict.fromkeys(out) if os.path.isfile(path)]


def _folders() -> list[str]:
    words = os.environ.get("SYSTEMTAP_DEBUGINFO_PATH", "").split(":")
    named = [word.lstrip("+-").rstrip("/") for word in words]
    return [*(word for word in named if word.startswith("/")), ROOT]


def _kernel_places(root: str) -> list[str]:
    name = release()
    folders = (f"{root}/boot", root, f"{root}/lib/modules/{name}", f"{root}/usr/lib/modules/{name}")
    return [
        f"{folder}/{leaf}" for folder in folders for leaf in (f"vmlinux-{name}", "vmlinux", "vmlinux.debug")
    ]


def _module_places(root: str, module: str) -> list[str]:
    """Return the module's files in a tree of debug files, found by the module's place in the kernel's own tree."""
    name = release()
    places = [place for place in (_relative(module, name),) if place]
    return [
        f"{root}{top}/lib/modules/{name}/{place}{end}"
        for place in places
        for top in ("", "/usr")
        for end in (".ko.debug", ".ko")
    ] + [f"{root}/{leaf}" for leaf in (f"{module}.ko.debug", f"{module}.ko")]


def _relative(module: str, name: str) -> str:
    """Return a module's path below the kernel's folder, without its ending."""
    from .modules import ModuleFiles

    files = ModuleFiles(name)
    path = files.all().get(module, "")
    return path.removeprefix(files.folder + "/").partition(".ko")[0] if path else ""


def how_to_install(module: str = "") -> tuple[str, ...]:
    """Return what to do, for this distribution."""
    name = release()
    if module and not os.path.isdir(f"/sys/module/{module}"):
        words = f"module '{module}' isn't loaded: load it first (modprobe {module})"
        return (words,) if candidates("", wanted_id("")) else (words, *how_to_install())
    known = _distribution()
    if known & {"fedora", "rhel", "centos"}:
        return (f"install it: debuginfo-install kernel-{name}",)
    if "ubuntu" in known:
        return (f"install the package linux-image-{name}-dbgsym (from ddebs.ubuntu.com)",)
    if "debian" in known:
        return (f"install the package linux-image-{name}-dbg",)
    return (f"install the debug information of kernel {name}: it belongs in {ROOT}",)


def _distribution() -> set[str]:
    try:
        with open("/etc/os-release", encoding="utf-8", errors="replace") as file:
            rows = [line.strip().partition("=") for line in file]
    except OSError:
        return set()
    words = [value.strip("\"'") for key, _, value in rows if key in ("ID", "ID_LIKE")]
    first = next((v.strip("\"'") for k, _, v in rows if k == "ID"), "")
    if first == "ubuntu":
        return {"ubuntu"}
    return {word for text in words for word in text.split()}
