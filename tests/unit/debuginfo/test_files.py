"""Where the kernel's debug information is looked for, whose file is trusted, and which package has it."""

from __future__ import annotations

import builtins
import io
import shutil
import sys
from pathlib import Path

import pytest

from pystap.cli import live
from pystap.debuginfo import DebugInfo, LibraryMissing
from pystap.kernel import debugfiles
from pystap.kernel.target import id_of

from .test_reading import FILES, toy

RELEASE = "6.12.1-test"


@pytest.fixture(autouse=True)
def kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(debugfiles, "release", lambda: RELEASE)
    monkeypatch.setattr(debugfiles, "ROOT", str(tmp_path / "debug"))
    monkeypatch.setenv("SYSTEMTAP_DEBUGINFO_PATH", "")


def put(path: Path, name: str = "toy5.elf") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((FILES / name).read_bytes())
    return str(path)


def test_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "debug"
    by_release = put(root / "lib" / "modules" / RELEASE / "vmlinux")
    by_boot = put(root / "boot" / f"vmlinux-{RELEASE}")
    by_id = put(root / ".build-id" / "ab" / "cdef.debug")
    assert debugfiles.candidates("", "abcdef") == [by_id, by_boot, by_release]
    assert debugfiles.candidates("", "") == [by_boot, by_release]
    mine = put(tmp_path / "mine" / f"vmlinux-{RELEASE}")
    monkeypatch.setenv("SYSTEMTAP_DEBUGINFO_PATH", f"+{tmp_path}/mine/:relative")
    assert debugfiles.candidates("", "")[0] == mine


def test_only_the_running_build_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "debug" / "boot" / f"vmlinux-{RELEASE}")
    monkeypatch.setattr(live, "cache_dir", lambda: str(tmp_path / "cache"))
    own = toy().elf.build_id()
    for id, trusted in ((own, True), ("00" * 20, False), ("", False)):
        monkeypatch.setattr(debugfiles, "wanted_id", lambda module, id=id: id)
        found = live.LiveDebugInfo()("")
        assert (found is not None and found.path == path) is trusted
    assert any(path in hint for hint in live.no_debuginfo(""))
    Path(path).write_bytes(b"\x7fELF rubbish")
    monkeypatch.setattr(debugfiles, "wanted_id", lambda module: own)
    assert live.LiveDebugInfo()("") is None


def test_a_file_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It isn't taken for a file of another build, and functions' probes go without lines."""
    put(tmp_path / "debug" / "boot" / f"vmlinux-{RELEASE}")
    monkeypatch.setattr(live, "cache_dir", lambda: str(tmp_path / "cache"))
    monkeypatch.setattr(debugfiles, "wanted_id", lambda module: "ab" * 20)
    monkeypatch.setitem(sys.modules, "elftools", None)
    info = live.LiveDebugInfo()
    for _ in range(2):
        with pytest.raises(LibraryMissing, match="pip install pyelftools"):
            info("")


@pytest.mark.parametrize(
    "text, words",
    [
        ("ID=debian\n", f"install the package linux-image-{RELEASE}-dbg"),
        ("ID=ubuntu\nID_LIKE=debian\n", f"install the package linux-image-{RELEASE}-dbgsym"),
        ('ID="linuxmint"\nID_LIKE="ubuntu debian"\n', f"install the package linux-image-{RELEASE}-dbgsym"),
        ("ID=fedora\n", f"debuginfo-install kernel-{RELEASE}"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', f"debuginfo-install kernel-{RELEASE}"),
        ("ID=arch\n", "the debug information of kernel"),
    ],
)
def test_packages(monkeypatch: pytest.MonkeyPatch, text: str, words: str) -> None:
    real = builtins.open

    def open_(path, *more, **named):
        return io.StringIO(text) if path == "/etc/os-release" else real(path, *more, **named)

    monkeypatch.setattr(builtins, "open", open_)
    assert words in debugfiles.how_to_install()[0]


def test_a_module_that_is_not_loaded() -> None:
    hints = debugfiles.how_to_install("no_such_module")
    assert "isn't loaded" in hints[0] and len(hints) == 2


def test_build_ids() -> None:
    note = (
        (4).to_bytes(4, "little")
        + (4).to_bytes(4, "little")
        + (3).to_bytes(4, "little")
        + b"GNU\0"
        + b"\1\2\3\4"
    )
    other = (
        (4).to_bytes(4, "little")
        + (4).to_bytes(4, "little")
        + (9).to_bytes(4, "little")
        + b"Xen\0"
        + b"\0\0\0\0"
    )
    assert id_of(other + note) == "01020304"
    assert id_of(other) == "" and id_of(b"") == ""


def test_the_build_id_among_notes_of_others(tmp_path: Path) -> None:
    """A kernel's Xen notes have the same numbers, and stand first."""
    if shutil.which("objcopy") is None:
        pytest.skip("objcopy isn't installed")
    import subprocess

    words = [4, 8, 5, b"Xen\0", b"xen-3.0\0", 4, 8, 3, b"Xen\0", bytes(8), 4, 4, 3, b"GNU\0", b"\1\2\3\4"]
    notes = tmp_path / "notes"
    notes.write_bytes(b"".join(w if isinstance(w, bytes) else w.to_bytes(4, "little") for w in words))
    path = tmp_path / "xen.elf"
    change = ["--remove-section", ".note.gnu.build-id", "--add-section", f".note.all={notes}"]
    subprocess.run(["objcopy", *change, str(FILES / "toy5.elf"), str(path)], check=True)
    assert DebugInfo(str(path)).elf.build_id() == "01020304"
