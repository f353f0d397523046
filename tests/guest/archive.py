"""Packages from the distribution's archive, through apt: addresses, signatures and hashes are apt's business.

The archive's address is the one that this machine's apt uses, with the suite's name changed. Lists and downloads live
in a folder of our own; the machine's lists, its dpkg database and its configuration are read at most.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
ALSO_NEEDED = ("linux-image-", "linux-binary-", "linux-modules-", "linux-base-")


class Unavailable(Exception):
    """The parts of a guest can't be had here; the text says why."""


def run(*command: str, cwd: Path | None = None) -> str:
    """Run a command, return what it printed; Unavailable with the end of what it said otherwise."""
    env = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    except FileNotFoundError:
        raise Unavailable(f"{command[0]} is not installed") from None
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-6:])
        raise Unavailable(f"{command[0]} failed with status {done.returncode}: {said}")
    return done.stdout


def _codename() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        name, _, value = line.partition("=")
        if name == "VERSION_CODENAME":
            return value.strip('"')
    raise Unavailable("this machine's distribution has no code name in /etc/os-release")


def _address() -> str:
    """Return the address from which this machine's apt takes its own suite."""
    own = _codename()
    listing = run(
        "apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Created-By: Packages"
    )
    for line in listing.splitlines():
        words = line.split()
        if words[1:] == [own, "main"]:
            return words[0]
    raise Unavailable(f"this machine's apt has no archive of {own} main")


def source_line(suite: str) -> str:
    """Return the line of a sources.list for a suite of the machine's archive."""
    if not KEYRING.exists():
        raise Unavailable(f"{KEYRING} is missing (package debian-archive-keyring)")
    return f"deb [signed-by={KEYRING}] {_address()} {suite} main"


class Archive:
    """One suite of the archive, with apt's state for it in a folder of its own."""

    def __init__(self, suite: str, folder: Path) -> None:
        self.folder = folder
        (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        (folder / "archives" / "partial").mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        (folder / "sources.list").write_text(source_line(suite) + "\n")
        options = {
            "Dir::State": folder,
            "Dir::State::lists": folder / "lists",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder,
            "Dir::Etc::sourcelist": folder / "sources.list",
            "Dir::Etc::sourceparts": folder / "no-such-folder",
            "Dir::Etc::preferencesparts": folder / "no-such-folder",
            "APT::Sandbox::User": "root",
            "Dir::Ignore-Missing": "true",
        }
        self._options = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        run("apt-get", *self._options, "-qq", "update")

    def kernel_packages(self, package: str) -> list[str]:
        """Return the names of the packages that `package` needs and that carry parts of a kernel."""
        found: list[str] = []
        waiting = [package]
        while waiting:
            for line in run(
                "apt-cache", *self._options, "depends", "--important", waiting.pop()
            ).splitlines():
                name = line.rpartition(" ")[2]
                if "Depends:" in line and name.startswith(ALSO_NEEDED) and name not in found:
                    found.append(name)
                    waiting.append(name)
        return [name for name in found if any(mark.isdigit() for mark in name)]

    def unpack(self, names: list[str], into: Path) -> None:
        """Download packages and unpack them into a folder (nothing of them is run)."""
        debs = into.parent / "debs"
        debs.mkdir(parents=True)
        run("apt-get", *self._options, "-qq", "download", *names, cwd=debs)
        for deb in sorted(debs.glob("*.deb")):
            run("dpkg-deb", "-x", str(deb), str(into))
